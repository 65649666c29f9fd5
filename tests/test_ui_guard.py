"""What the server refuses: hosts, origins, paths, sizes, passwords; and what it sends with all."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import HashingEmbedder
from page_server import request, served

from rag import Assistant, SettingsError
from ui.command import main
from ui.guard import is_loopback, network_of
from ui.limits import Buckets, Rate
from ui.serve import AUTH_VARIABLE, Options, read_auth, serve

SECRET = "root:x:0:0"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "ferry.txt").write_text("The ferry carried 431 passengers.\n")
    (folder / "secret.txt").write_text(SECRET)
    with Assistant.open(
        folder / "corpus", store=folder / "store", embedder=HashingEmbedder()
    ) as opened:
        opened.sync()
        yield opened


@pytest.fixture(scope="module")
def address(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    runs = tmp_path_factory.mktemp("runs")
    (runs / "one").mkdir()
    (runs / "one" / "report.html").write_text("<h1>The report</h1>")
    (runs / "linked").symlink_to("/etc")
    with served(assistant, runs=runs) as found:
        yield found


def test_page_is_sent_with_a_policy_that_lets_nothing_in_or_out(address: str) -> None:
    status, headers, body = request(address, "/")
    policy = headers["content-security-policy"]
    assert status == 200
    for part in (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ):
        assert part in policy.split("; ")
    scripts = policy.split("script-src ")[1].split(";")[0]
    assert "unsafe" not in scripts
    nonce = scripts.split("'nonce-")[1].split("'")[0].encode()
    assert body.count(b"<script") == body.count(b'<script nonce="' + nonce + b'"') > 3
    assert nonce not in request(address, "/")[2]


def test_page_names_no_other_host_to_load_from(address: str) -> None:
    body = request(address, "/")[2].decode()
    before_config = body.split("window.gradio_config")[0]
    assert "http" not in before_config
    assert "<base" not in body


def test_every_answer_carries_the_headers_that_keep_it_here(address: str) -> None:
    for path in ("/", "/health", "/theme.css", "/page/page.js", "/nowhere", "/gradio_api/info"):
        _, headers, _ = request(address, path)
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        assert "content-security-policy" in headers, path
        assert "access-control-allow-origin" not in headers, path


@pytest.mark.parametrize("path", ["/", "/gradio_api/queue/join", "/evidence?at=x"])
def test_foreign_origin_is_refused(address: str, path: str) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        status, headers, _ = request(address, path, method="POST", headers={"Origin": origin})
        assert status == 403
        assert "access-control-allow-origin" not in headers


def test_own_origin_is_let_through(address: str) -> None:
    assert request(address, "/health", headers={"Origin": address})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]", "0.0.0.0"])
def test_foreign_host_name_is_refused_on_loopback(address: str, host: str) -> None:
    assert request(address, "/health", headers={"Host": host})[0] in (400, 421)


def traversals() -> list[str]:
    """Return 60 spellings of a path that would leave the folder it is joined to."""
    ups = (
        "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "....//", "..;/",
        "%252e%252e%252f", "..%c0%af", ".%00./", "%uff0e%uff0e/",
    )  # fmt: skip
    prefixes = ("/gradio_api/file=", "/assets/", "/reports/one/", "/page/", "/static/")
    return [prefix + up * 8 + "etc/passwd" for prefix in prefixes for up in ups]


def test_spellings_of_path_traversal_are_sixty() -> None:
    assert len(set(traversals())) == 60


@pytest.mark.parametrize("path", traversals())
def test_path_traversal_gives_no_content(address: str, path: str) -> None:
    status, _, body = request(address, path)
    assert status in (400, 403, 404)
    assert SECRET.encode() not in body
    assert b"root:" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/deep_link?session_hash=x",
        "/gradio_api/runs",
        "/custom_component/x/client/component/index.js",
        "/svelte/svelte.js",
        "/docs",
        "/openapi.json",
        "/reports/linked/report.html",
        "/reports/linked/passwd",
        "/login",
    ],
)
def test_what_the_page_does_not_need_is_not_there(address: str, path: str) -> None:
    assert request(address, path)[0] == 404


def test_stored_file_of_the_assistant_is_not_served(address: str, assistant: Assistant) -> None:
    for path in (Path(assistant.status().store), Path(assistant.status().corpus or "")):
        for file in path.rglob("*"):
            status, _, _ = request(address, f"/gradio_api/file={file}")
            assert status == 404


def test_report_of_a_run_is_served_in_a_sandbox(address: str) -> None:
    status, headers, body = request(address, "/reports/one/report.html")
    assert (status, body) == (200, b"<h1>The report</h1>")
    assert "sandbox allow-scripts;" in headers["content-security-policy"]
    assert "allow-same-origin" not in headers["content-security-policy"]


def test_large_request_is_refused_whether_or_not_it_tells_its_length(address: str) -> None:
    large = b"x" * 1_000_001
    assert request(address, "/gradio_api/queue/join", method="POST", body=large)[0] == 413
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/gradio_api/queue/join")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(chunked)
    assert connection.getresponse().status in (400, 413)
    connection.close()


def test_evidence_of_an_unknown_place_is_not_found_and_says_so(address: str) -> None:
    for query in ("at=x", "at=ferry@0000000000000000:0-5", f"at={'x' * 500}", ""):
        status, _, body = request(address, f"/evidence?{query}")
        assert status in (404, 422)
        assert b"Traceback" not in body
    assert request(address, "/article?id=nothing")[0] == 404


def test_evidence_marks_the_quote_and_its_neighbours(address: str, assistant: Assistant) -> None:
    (found,) = assistant.articles()
    at = f"{found.article_id}@{found.version}:0-33"
    status, _, body = request(address, f"/evidence?at={at}&mark=2%7C{at}&mark=1%7Cnonsense")
    told = json.loads(body)
    assert status == 200
    assert told["label"] == 2
    assert told["paragraphs"] == [[{"text": "The ferry carried 431 passengers.", "labels": [2]}]]


def test_health_says_how_many_articles_are_there(address: str) -> None:
    assert json.loads(request(address, "/health")[2]) == {"ok": True, "articles": 1}


def login(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_password_is_needed_for_all_but_health(assistant: Assistant) -> None:
    with served(assistant, auth="ann:pass:word") as address:
        for path in ("/", "/evidence?at=x", "/gradio_api/info", "/page/page.js"):
            status, headers, _ = request(address, path)
            assert status == 401
            assert headers["www-authenticate"].startswith("Basic")
        assert request(address, "/health")[0] == 200
        assert request(address, "/", headers=login("ann:pass:word"))[0] == 200
        for wrong in ("ann:pass", "ann:", "", "bob:pass:word"):
            assert request(address, "/", headers=login(wrong))[0] == 401
        assert request(address, "/", headers={"Authorization": "Basic !!"})[0] == 401


def test_wrong_passwords_are_soon_refused_unread(assistant: Assistant) -> None:
    with served(assistant, auth="ann:word") as address:
        seen = [request(address, "/", headers=login(f"ann:{n}"))[0] for n in range(12)]
        assert seen[0] == 401
        assert seen[-1] == 429


def test_uploads_of_one_address_are_limited(assistant: Assistant) -> None:
    body = b"--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with served(assistant) as address:
        seen = [
            request(address, "/gradio_api/upload", method="POST", headers=headers, body=body)[0]
            for _ in range(32)
        ]
    assert seen[-1] == 429
    assert 429 not in seen[:30]


def test_bucket_when_empty_refuses_until_it_has_refilled() -> None:
    now = [0.0]
    buckets = Buckets(Rate(burst=2, per_second=0.5), clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 2.0]
    assert buckets.take("b") == 0.0
    now[0] = 1.9
    assert buckets.take("a") == pytest.approx(0.1)
    now[0] = 2.0
    assert buckets.take("a") == 0.0


def test_buckets_of_many_addresses_stay_bounded() -> None:
    buckets = Buckets(Rate(1, 0.001), most=10)
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._held) == 10


def test_addresses_of_one_network_share_a_bucket() -> None:
    assert network_of("2001:db8:1:2::5") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:3::5") != network_of("2001:db8:1:2::5")
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7")
    assert network_of("192.0.2.7") != network_of("192.0.2.8")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_is_loopback_tells_this_machine_from_all(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


def test_login_is_read_from_option_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "login"
    file.write_text("ann:from file\n")
    assert read_auth(None, None) is None
    assert read_auth("ann:x", None) == "ann:x"
    assert read_auth(None, file) == "ann:from file"
    monkeypatch.setenv(AUTH_VARIABLE, "ann:env")
    assert read_auth(None, None) == "ann:env"


@pytest.mark.parametrize("text", ["", "ann", "ann:", ":word"])
def test_login_without_name_or_password_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="user:password"):
        read_auth(text, None)


def test_taken_port_is_told_before_anything_slow(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Exception, match="--port"):
            serve(Options(corpus=tmp_path / "missing", port=port))


def ask_over_http(address: str, question: Any) -> Any:
    body = json.dumps({"question": question}).encode()
    headers = {"Content-Type": "application/json"}
    status, _, told = request(
        address, "/gradio_api/call/v2/ask", method="POST", headers=headers, body=body
    )
    assert status == 200, told
    event = json.loads(told)["event_id"]
    return request(address, f"/gradio_api/call/ask/{event}")[2].decode()


def test_api_offers_three_calls_with_descriptions_and_no_more(address: str) -> None:
    info = json.loads(request(address, "/gradio_api/info")[2])
    assert set(info["named_endpoints"]) == {"/ask", "/search", "/get_article"}
    asked = info["named_endpoints"]["/ask"]
    assert asked["description"].startswith("Answer a question")
    names = [parameter["parameter_name"] for parameter in asked["parameters"]]
    assert names == ["question", "publisher", "since", "until"]
    assert not info["unnamed_endpoints"]


def test_api_answers_and_tells_mistakes_without_a_traceback(address: str) -> None:
    told = ask_over_http(address, "How many passengers did the ferry carry?")
    assert "event: complete" in told
    assert '"question"' in told
    for wrong in ("", "x" * 4_001):
        told = ask_over_http(address, wrong)
        assert "event: error" in told
        assert "Traceback" not in told


def test_api_when_asked_too_often_says_busy(assistant: Assistant) -> None:
    with served(assistant, rate=Rate(burst=2, per_second=0.01)) as address:
        told = [ask_over_http(address, "Which ferry?") for _ in range(3)]
    assert "event: complete" in told[1]
    assert "busy" in told[2]


def test_mcp_client_finds_the_three_tools_and_calls_one(assistant: Assistant) -> None:
    session = pytest.importorskip("mcp", reason="MCP needs the extra 'mcp'").ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def talk(url: str) -> tuple[dict[str, Any], str]:
        async with (
            streamablehttp_client(url) as (reading, writing, _),
            session(reading, writing) as client,
        ):
            await client.initialize()
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            said = await client.call_tool("get_article", {"article_id": "ferry"})
            return tools, str(said.content)

    with served(assistant, mcp=True) as address:
        tools, said = asyncio.run(talk(f"{address}/gradio_api/mcp/"))
    assert set(tools) == {"ask", "search", "get_article"}
    assert tools["ask"].inputSchema["required"] == ["question"]
    assert tools["ask"].inputSchema["properties"]["since"]["description"]
    assert "431 passengers" in said


def test_page_command_is_offered_by_the_command_line() -> None:
    command = [sys.executable, "-m", "rag.cli", "ui", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for option in ("--corpus", "--host", "--port", "--auth-file", "--mcp"):
        assert option in told


def test_page_command_tells_a_mistake_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--auth", "nobody"]) == 2
    told = capsys.readouterr().err
    assert told == "error: a login is given as user:password\n"

"""What the tests of the page share: a served page, a scripted model, a browser, a canary."""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from eval.bench_page import CHROMIUM_FLAGS
from rag import Assistant
from ui.desk import Desk
from ui.limits import Rate
from ui.serve import address_of, make_app

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
CHROMIUM = shutil.which("chromium")
ANY = Rate(burst=100_000, per_second=1_000.0)


class ScriptedModel:
    """A model that says what it is told to, in pieces, and waits where it is told to.

    Parameters
    ----------
    text : str
        What it says. A ``|`` is a point at which it waits for `go`.
    """

    name = "scripted"

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.go = threading.Event()
        self.go.set()

    def complete(
        self, messages: Sequence[Any], *, max_tokens: int = 512, budget: Any = None
    ) -> str:
        return "".join(self.stream(messages, max_tokens=max_tokens, budget=budget))

    def stream(
        self, messages: Sequence[Any], *, max_tokens: int = 512, budget: Any = None
    ) -> Iterator[str]:
        for number, part in enumerate(self.text.split("|")):
            if number:
                self.go.wait(20)
            for start in range(0, len(part), 12):
                yield part[start : start + 12]


@contextmanager
def served(
    assistant: Assistant,
    corpus: Path | None = None,
    *,
    runs: Path = Path("no-runs"),
    rate: Rate = ANY,
    auth: str | None = None,
    mcp: bool = False,
) -> Iterator[str]:
    """Serve the page of an assistant on a free port; give its address."""
    application = make_app(Desk(assistant, corpus, runs, rate), auth=auth, mcp=mcp)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            application,
            log_level="critical",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server ended while it started"
            time.sleep(0.02)
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a browser; skip the test, saying why, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH: install Debian's package to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


class Canary:
    """A server on this machine that nothing may call; `hits` are the paths that were."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        hits = self.hits

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hits.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Canary:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def request(
    address: str,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send a request whose path is not tidied up on the way; return status, headers, body."""
    host = address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host, **(headers or {})}.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()

"""Fetching an address: only what is public, only what was asked for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from doubles import HashingEmbedder

from rag import index
from rag.errors import CorpusError
from rag.sources import fetch as fetch_module
from rag.sources.fetch import Fetched, fetch, is_address, is_public, save
from rag.store import Store

PAGE = b"<html><title>Visas</title><p>Leaders met in Tokyo on Saturday.</p></html>"


class Pages(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.asked.append(str(self.headers))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
            return
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Type", "image/png" if self.path == "/png" else "text/html")
        self.end_headers()
        block = b"x" * 65536
        self.wfile.write(PAGE)
        if self.path == "/endless":
            try:
                while True:
                    self.wfile.write(block)
            except OSError:
                pass

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_fetch_of_allowed_loopback_gives_the_page(site: str) -> None:
    Pages.asked.clear()
    assert fetch(f"{site}/news/visas?a=1", loopback=True) == Fetched(
        f"{site}/news/visas?a=1", ".html", PAGE
    )
    path, headers = Pages.asked
    assert path == "/news/visas?a=1"
    assert "cookie" not in headers.lower()
    assert "authorization" not in headers.lower()


def test_fetch_follows_redirects_under_the_same_rules(site: str) -> None:
    assert fetch(f"{site}/to/{site}/x", loopback=True).url == f"{site}/x"
    for target in ("http://10.0.0.1/x", "file:///etc/passwd", "ftp://127.0.0.1/x"):
        with pytest.raises(CorpusError, match=r"not|no web address"):
            fetch(f"{site}/to/{target}", loopback=True)
    with pytest.raises(CorpusError, match="redirected more than"):
        fetch(f"{site}/to/" * 9 + f"{site}/x", loopback=True)


@pytest.mark.parametrize(
    ("path", "words"), [("/gone", "status 404"), ("/png", "image/png"), ("/endless", "larger than")]
)
def test_fetch_of_no_article_is_refused(
    site: str, path: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "MAX_FILE_BYTES", 2**20)
    with pytest.raises(CorpusError, match=words):
        fetch(site + path, loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://1.1.1.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://127.1/x",
        "https://0.0.0.0/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://10.0.0.1/x",
        "https://172.16.0.1/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://224.0.0.1/x",
        "https://[fd00::1]/x",
        "https://[fe80::1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://1.1.1.1:22/x",
        "https://user:password@1.1.1.1/x",
        "https:///x",
        "https://1.1.1.1/a b",
        "file:///etc/passwd",
        "gopher://1.1.1.1/",
    ],
)
def test_fetch_of_anything_not_public_is_refused_without_a_connection(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*arguments: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(CorpusError):
        fetch(url)


def test_fetch_checks_every_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **rest: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (address, port)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(CorpusError, match=r"10\.0\.0\.1, which is not a public address"):
        fetch("https://desk.example/x")


def test_fetch_connects_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["1.1.1.1", "127.0.0.1"])  # a name that points elsewhere a moment later
    tried: list[object] = []

    def resolve(host: str, port: int, **rest: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (next(answers), port))]

    def connect(address: object, *rest: object) -> socket.socket:
        tried.append(address)
        raise OSError("stopped here")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(CorpusError, match="can't fetch"):
        fetch("https://desk.example/x")
    assert tried == [("1.1.1.1", 443)]


@pytest.mark.parametrize(
    ("address", "public"),
    [("1.1.1.1", True), ("2606:4700::1111", True), ("192.0.2.1", False), ("::", False)],
)
def test_is_public_tells_the_open_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_is_address_tells_addresses_from_paths() -> None:
    assert is_address("https://desk.example/x")
    assert is_address("file:///x")
    assert not is_address("corpus/2025")
    assert not is_address("C:\\corpus")


def test_save_writes_below_the_folder_whatever_the_address(tmp_path: Path) -> None:
    for url in ("https://desk.example/../../../etc/passwd", "https://../x", "https://a/%2e%2e/…"):
        path = save(Fetched(url, ".html", PAGE), tmp_path)
        assert path.resolve().is_relative_to(tmp_path.resolve())
        assert path.read_bytes() == PAGE
    again = save(Fetched(url, ".html", b"new"), tmp_path)
    assert again == path
    assert again.read_bytes() == b"new"


def test_fetched_page_is_an_article_beside_the_folder(site: str, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "ferry.txt").write_text("Ferry\nThe ferry sank in the harbor.")
    embedder = HashingEmbedder()
    with Store(tmp_path / "store", embedder=embedder.fingerprint) as store:
        index.sync(tmp_path / "corpus", store, embedder, max_tokens=60, overlap=0)
        save(fetch(f"{site}/news/visas", loopback=True), store.folder / index.DOWNLOADS)
        assert index.has_downloads(store.folder)
        report = index.sync(tmp_path / "corpus", store, embedder, max_tokens=60, overlap=0)
        assert (report.added, report.unchanged) == (1, 1)
        (fetched,) = (a for a in store.catalogue.articles() if a.article_id != "ferry")
        assert fetched.article_id.startswith("downloads/127.0.0.1/visas-")
        assert "Leaders met in Tokyo" in fetched.text
        report = index.sync(None, store, embedder, max_tokens=60, overlap=0)
        assert (report.removed, report.unchanged) == (1, 1)

"""A Chroma server in the place of the embedded index: the same results, and answers without it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import HashingEmbedder
from test_index import by_vector, by_words, content, run_sync, write

from rag.errors import SettingsError, StoreError
from rag.pipeline import Assistant
from rag.settings import Settings
from rag.store import Store
from rag.vectors import Server

TEXT = "The {} was seen near the river on Saturday. It was calm."


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Chroma:
    """A real `chroma run` on this machine, started and stopped."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = Path(sys.executable).with_name("chroma")
        arguments = ["run", "--path", str(self.folder), "--host", "127.0.0.1"]
        self._process = subprocess.Popen(
            [str(command), *arguments, "--port", str(self.port)],
            cwd=self.folder.parent,
            env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api/v2/heartbeat", timeout=1).close()
                return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "chroma run ended by itself"
                assert time.monotonic() < until, "chroma run did not start"
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=20)
            self._process = None


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroma]:
    if not Path(sys.executable).with_name("chroma").exists():
        pytest.skip("needs the chroma command")
    server = Chroma(tmp_path_factory.mktemp("server") / "data", free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for animal in ("heron", "otter", "lynx"):
        write(tmp_path / "corpus", animal, TEXT.format(animal))
    return tmp_path / "corpus"


def on_server(folder: Path, chroma: Chroma) -> Store:
    return Store(folder, embedder=HashingEmbedder().fingerprint, server=Server(chroma.url))


def test_store_on_a_server_finds_updates_and_keeps_apart_from_others(
    chroma: Chroma, corpus: Path, tmp_path: Path
) -> None:
    with on_server(tmp_path / "one", chroma) as store, on_server(tmp_path / "two", chroma) as two:
        run_sync(corpus, store)
        write(tmp_path / "other", "swan", TEXT.format("swan"))
        run_sync(tmp_path / "other", two)
        assert by_vector(two, TEXT.format("swan")) == ["swan"]
        write(corpus, "otter", "The otter left. A crane came instead.")
        (corpus / "lynx.md").unlink()
        run_sync(corpus, store)
        assert set(content(store)) == {"heron", "otter"}
        assert store.vectors.ids() == set(store.catalogue.passage_ids())
        assert "otter" in by_vector(store, "A crane came instead.")
        assert all(check.ok for check in store.check())
        assert not list((tmp_path / "one").glob("chroma-*"))


def test_server_that_lost_its_data_is_filled_again(
    chroma: Chroma, corpus: Path, tmp_path: Path
) -> None:
    with on_server(tmp_path / "store", chroma) as store:
        run_sync(corpus, store)
        store.vectors.clear()
        assert store.vectors.count() == 0
    with on_server(tmp_path / "store", chroma) as store:
        assert store.vectors.ids() == set(store.catalogue.passage_ids())
        assert by_vector(store, TEXT.format("otter")) != []


def test_answers_while_the_server_is_down_are_labelled_and_come_back(
    chroma: Chroma, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CHROMA_URL", chroma.url)
    monkeypatch.setattr("rag.store.RETRY_SECONDS", 0.0)
    arguments = {"store": tmp_path / "store", "embedder": HashingEmbedder()}
    with Assistant.open(corpus, **arguments) as assistant:
        well = assistant.ask("Where was the otter seen?")
        assert well.search_fault is None
        before = [h.passage.article.article_id for h in assistant.search("otter near the river")]
        chroma.stop()
        try:
            down = assistant.ask("Where was the otter seen?")
            assert down.search_fault is not None
            assert chroma.url in down.search_fault
            hits = assistant.search("otter near the river")
            assert [hit.passage.article.article_id for hit in hits] == before
            write(corpus, "swan", TEXT.format("swan"))
            with pytest.raises(StoreError, match=r"127\.0\.0\.1"):
                assistant.sync()
            checks = {check.name: check for check in assistant.doctor()}
            assert not checks["vectors"].ok
            assert checks["words"].ok
        finally:
            chroma.start()
        assert assistant.ask("Where was the otter seen?").search_fault is None
        assert assistant.sync().added == 1
    with on_server(tmp_path / "store", chroma) as store:
        assert by_words(store, "swan") == ["swan"]
        assert store.vectors.ids() == set(store.catalogue.passage_ids())


def test_token_is_sent_in_its_header_and_shown_nowhere() -> None:
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from rag.vectors import Server, VectorIndex\n"
                "VectorIndex(server=Server(sys.argv[1], 'planted-token'))",
                url,
            ],
            cwd=Path(__file__).parents[1],
            stderr=subprocess.PIPE,
            text=True,
        )
        listener.settimeout(60)
        connection, _ = listener.accept()
        with connection:
            seen.append(connection.recv(65536).decode("latin-1"))
            connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        _, complaint = child.communicate(timeout=60)
    assert "x-chroma-token: planted-token" in seen[0].lower()
    assert "planted-token" not in complaint
    assert "VectorIndexError" in complaint
    assert "planted-token" not in repr(Server(url, "planted-token"))
    assert "planted-token" not in repr(Settings(chroma_url=url, chroma_token="planted-token"))


@pytest.mark.parametrize("url", ["chroma:8000", "ftp://host", "http://", "http://u:p@host/", "x"])
def test_address_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="RAG_CHROMA_URL"):
        Server(url)

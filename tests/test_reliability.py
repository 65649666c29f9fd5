"""The faults that a store must survive, each caused for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles import HashingEmbedder
from test_index import by_vector, by_words, content, opened, run_sync, write

from rag.errors import StoreError, StoreMismatchError
from rag.store import Store
from rag.upkeep import compact, repair

HERE = Path(__file__).parent
TEXT = "The {} was seen near the river on Saturday. It was calm."


def run_python(code: str, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}:{os.environ['PYTHONPATH']}"},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
    )
    assert child.returncode == status, child.stderr
    return child


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for animal in ("heron", "otter", "lynx"):
        write(tmp_path / "corpus", animal, TEXT.format(animal))
    return tmp_path / "corpus"


def test_sync_killed_30_times_loses_and_doubles_nothing() -> None:
    child = subprocess.run(
        [sys.executable, str(HERE / "crash.py"), "--kills", "30", "--articles", "60"],
        env={
            **os.environ,
            "PYTHONPATH": f"{HERE.parent}:{os.environ['PYTHONPATH']}",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    counts = json.loads(child.stdout)
    assert counts["survived"] == 30
    assert counts["killed"] >= 10, "the kills came too late to be worth anything"


DISK_FULL = """
    import json, resource, signal, sys
    from pathlib import Path
    from doubles import HashingEmbedder
    from test_index import by_words, content, opened, run_sync, write
    from rag.errors import StoreError

    corpus, folder, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    with opened(folder) as store:
        store.vectors
        before = content(store)
        for i in range(120):
            write(corpus, f"crane{i}", f"The crane {i} was ringed. " * 40)
        # As on a full disk, no file can grow further.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        largest = max(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, resource.RLIM_INFINITY))
        told = None
        try:
            run_sync(corpus, store)
        except StoreError as error:
            told = str(error)
        index, fault = store.searchable()
        vector = HashingEmbedder().embed(["The otter was seen near the river"])[0]
        found = [i for i, _ in index.search(vector, k=5)]
        print(json.dumps({
            "told": told, "words": by_words(store, "otter"), "found": len(found),
            "kept": all(content(store)[name] == text for name, text in before.items()),
        }))
"""


@pytest.mark.parametrize("room", [0, 100_000, 400_000])
def test_sync_on_full_disk_raises_and_the_old_index_still_answers(
    room: int, corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    with opened(folder) as store:
        run_sync(corpus, store)
        before = content(store)
    seen = json.loads(run_python(DISK_FULL, corpus, folder, room).stdout)
    assert seen["told"] is not None, "the disk was not full enough"
    assert str(folder) in seen["told"]
    assert seen["words"] == ["otter"]
    assert seen["found"] == 5 or seen["found"] >= len(before)
    assert seen["kept"]
    with opened(folder) as store:  # and once there is room again
        run_sync(corpus, store)
        assert len(content(store)) == 123
        assert all(check.ok for check in store.check())


def test_disk_with_little_space_left_is_refused_before_chroma_is_touched(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**6))
        write(corpus, "swan", TEXT.format("swan"))
        with pytest.raises(StoreError, match="1 MB left"):
            run_sync(corpus, store)
        monkeypatch.undo()
        assert by_words(store, "otter") == ["otter"]
        assert by_words(store, "swan") == []
        run_sync(corpus, store)
        assert by_words(store, "swan") == ["swan"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


READ_ONLY = """
    import json, os, sys
    from pathlib import Path
    from doubles import HashingEmbedder
    from test_index import by_words, opened, run_sync
    from rag.errors import StoreError

    corpus, folder = Path(sys.argv[1]), Path(sys.argv[2])
    if os.getuid() == 0:  # whom permissions don't stop
        os.setuid(65534)
    with opened(folder) as store:
        index, fault = store.searchable()
        vector = HashingEmbedder().embed(["The otter was seen near the river"])[0]
        found = len(index.search(vector, k=5))
        try:
            run_sync(corpus, store)
            told = None
        except StoreError as error:
            told = str(error)
        print(json.dumps({"words": by_words(store, "otter"), "found": found, "fault": fault,
                          "told": told}))
"""


def test_read_only_store_answers_and_refuses_to_sync(corpus: Path, open_folder: Path) -> None:
    folder = open_folder / "store"
    with opened(folder) as store:
        run_sync(corpus, store)
        passages = store.catalogue.count_passages()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        seen = json.loads(run_python(READ_ONLY, corpus, folder).stdout)
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert seen["words"] == ["otter"]
    assert seen["found"] == min(5, passages)
    assert "can't be written" in seen["fault"]
    assert str(folder) in seen["told"]
    assert "read-only" in seen["told"]


def test_folder_that_cant_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/store"):
        opened(tmp_path / "file" / "store")


def test_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from pathlib import Path
        from test_index import opened
        opened(Path(sys.argv[1]))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    run_python(code, tmp_path, status=-9)
    opened(tmp_path).close()


def test_store_of_another_model_is_mended_by_embedding_again(corpus: Path, tmp_path: Path) -> None:
    other = HashingEmbedder(32, name="other")
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        before = content(store)
    with pytest.raises(StoreMismatchError, match="doctor --repair"):
        Store(tmp_path / "store", embedder=other.fingerprint)
    names = [check.name for check in repair(tmp_path / "store", other)]
    assert names == ["embedder", "vectors"]
    with Store(tmp_path / "store", embedder=other.fingerprint) as store:
        assert content(store) == before
        ids, rows = store.catalogue.vectors(store.catalogue.passage_ids())
        assert rows.shape[1] == 32
        assert store.vectors.finds(ids, rows) == 1.0


def test_repair_of_well_store_does_nothing(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
    assert repair(tmp_path / "store", HashingEmbedder()) == ()


def test_repair_of_lost_words_makes_them_anew(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        with store.catalogue.transaction():
            store.catalogue._db.execute(
                "INSERT INTO passage_words (passage_words) VALUES ('delete-all')"
            )
        assert by_words(store, "otter") == []
        assert not all(check.ok for check in store.check())
    assert [check.name for check in repair(tmp_path / "store", HashingEmbedder())] == ["words"]
    with opened(tmp_path / "store") as store:
        assert by_words(store, "otter") == ["otter"]


def test_repair_of_broken_catalogue_sets_it_aside(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with opened(folder) as store:
        run_sync(corpus, store)
    (folder / "catalogue.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError):
        opened(folder)
    (check,) = repair(folder, HashingEmbedder())[:1]
    assert (check.name, check.ok) == ("catalogue", False)
    assert "dateline sync" in check.detail
    assert len(list(folder.glob("*.damaged-*"))) == 1
    with opened(folder) as store:
        run_sync(corpus, store)
        assert by_vector(store, TEXT.format("otter")) != []


def test_compact_gives_space_back_and_keeps_what_is_found(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        for turn in range(6):
            for i in range(40):
                write(corpus, f"crane{i}", f"The crane {i} was ringed in year {turn}. " * 20)
            run_sync(corpus, store)
        kept = store.catalogue.versions("crane1")
        before = content(store)
        larger, smaller = compact(store)
        assert smaller < larger
        assert content(store) == before
        assert store.catalogue.versions("crane1") == kept
        compact(store, forget_days=-1)
        assert [live for _, live, _ in store.catalogue.versions("crane1")] == [True]
        ids, rows = store.catalogue.vectors(store.catalogue.passage_ids())
        assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-2)
        assert store.vectors.ids() == set(ids)


def test_sync_interrupted_keeps_what_is_done_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.PASSAGES_PER_BATCH", 4)
    for i in range(12):
        write(tmp_path / "corpus", f"crane{i}", TEXT.format(f"crane {i}"))

    class Interrupted(HashingEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            if self.embedded >= 8:
                raise KeyboardInterrupt
            return super().embed(texts)

    with opened(tmp_path / "store") as store:
        with pytest.raises(KeyboardInterrupt):
            run_sync(tmp_path / "corpus", store, Interrupted())
        done = len(content(store))
        assert 0 < done < 12
        chroma = store.vectors.folder
    embedder = HashingEmbedder()
    with opened(tmp_path / "store") as store:
        assert store.vectors.folder == chroma, "an interrupt must not cost a rebuild"
        run_sync(tmp_path / "corpus", store, embedder)
        assert len(content(store)) == 12
        assert embedder.embedded == 12 - done


def test_index_worn_by_edits_is_built_anew_and_reaches_every_passage(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    with opened(tmp_path / "store") as store:
        for turn in range(6):
            for i in range(60):
                goods = f"{turn * 60 + i} tons of good{i * 7 % 31} to port{i % 13}"
                (corpus / f"n{i}.txt").write_text(f"Ship {i} carried {goods}.")
            run_sync(corpus, store)
        name = store.catalogue.get_meta("chroma")
        assert name is not None and int(name.partition("-")[2]) > 1
        ids, rows = store.catalogue.vectors(store.catalogue.passage_ids())
        assert store.vectors.ids() == set(ids)
        assert store.vectors.finds(ids, rows) == 1.0
    with opened(tmp_path / "store") as store:
        store.vectors.count()
        assert store.catalogue.get_meta("chroma") == name


def test_a_single_vector_that_cant_be_found_makes_a_small_index_anew(
    corpus: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        ids, rows = store.catalogue.vectors(store.catalogue.passage_ids())
        # A graph loses the way to a vector once in many edits; another vector in its place has
        # the same effect, whenever the test runs.
        with store.writing_vectors() as index:
            index.upsert(ids[:1], -rows[:1])
        assert index.finds(ids, rows) < 1.0
        assert not {check.name: check.ok for check in store.check()}["vectors"]
    with opened(tmp_path / "store") as store:
        assert store.vectors.finds(ids, rows) == 1.0
        with store.writing_vectors() as index:
            index.upsert(ids[:1], -rows[:1])
        write(corpus, "swan", TEXT.format("swan"))
        run_sync(corpus, store)
        assert store.vectors.finds(*store.catalogue.vectors(store.catalogue.passage_ids())) == 1.0

"""Sync: add, edit, remove, rename, be killed in between, and stay what a fresh build would be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from doubles import HashingEmbedder
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rag import index
from rag.errors import CorpusError, StoreError, StoreLockedError, StoreMismatchError
from rag.schema import Filter, Progress, SyncReport
from rag.seals import seal
from rag.store import Store

ROOT = Path(__file__).parents[1]
ANIMALS = ("heron", "otter", "badger", "lynx", "plover")


def write(corpus: Path, name: str, text: str, publisher: str = "Test Desk") -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    head = f"---\ntitle: About the {name}\npublisher: {publisher}\npublished: 2025-08-23\n---\n"
    (corpus / f"{name}.md").write_text(f"{head}{text}\n", encoding="utf-8")


def run_sync(corpus: Path, store: Store, embedder: HashingEmbedder | None = None) -> SyncReport:
    return index.sync(corpus, store, embedder or HashingEmbedder(), max_tokens=40, overlap=0)


def opened(folder: Path) -> Store:
    return Store(folder, embedder=HashingEmbedder().fingerprint)


def counts(report: SyncReport) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.removed, report.unchanged


def by_words(store: Store, word: str) -> list[str]:
    ids = list(store.catalogue.search_passages([word], k=50))
    passages = store.catalogue.passages(ids)
    return sorted({passages[i].article.article_id for i in ids})


def by_vector(store: Store, text: str) -> list[str]:
    vector = HashingEmbedder().embed([text])[0]
    ids = [i for i, cosine in store.vectors.search(vector, k=50) if cosine > 0.2]
    return sorted({p.article.article_id for p in store.catalogue.passages(ids).values()})


def content(store: Store) -> dict[str, tuple[str, ...]]:
    catalogue = store.catalogue
    found: dict[str, list[str]] = {}
    for passage in catalogue.passages(catalogue.passage_ids()).values():
        found.setdefault(passage.article.article_id, []).append(passage.text)
    return {article_id: tuple(texts) for article_id, texts in found.items()}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    for animal in ANIMALS:
        write(folder, animal, f"The {animal} was seen near the river on Saturday. It was calm.")
    return folder


def test_sync_of_new_folder_adds_all_and_of_unchanged_embeds_nothing(
    corpus: Path, tmp_path: Path
) -> None:
    embedder = HashingEmbedder()
    with opened(tmp_path / "store") as store:
        assert counts(run_sync(corpus, store, embedder)) == (5, 0, 0, 0)
        embedded = embedder.embedded
        assert counts(run_sync(corpus, store, embedder)) == (0, 0, 0, 5)
        assert embedder.embedded == embedded
        assert by_words(store, "otter") == ["otter"]
        assert by_vector(store, "The otter was seen near the river on Saturday.") != []


def test_sync_after_edit_removal_and_rename_equals_a_fresh_build(
    corpus: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        write(corpus, "otter", "The otter left. A swan came instead.")
        (corpus / "lynx.md").unlink()
        (corpus / "plover.md").rename(corpus / "wader.md")
        assert counts(run_sync(corpus, store)) == (1, 1, 2, 2)
        with opened(tmp_path / "fresh") as fresh:
            run_sync(corpus, fresh)
            assert content(store) == content(fresh)
        assert by_words(store, "lynx") == []
        assert by_words(store, "swan") == ["otter"]
        assert store.vectors.ids() == set(store.catalogue.passage_ids())


def test_sync_of_renamed_file_embeds_nothing_again(corpus: Path, tmp_path: Path) -> None:
    embedder = HashingEmbedder()
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store, embedder)
        embedded = embedder.embedded
        (corpus / "plover.md").rename(corpus / "wader.md")
        run_sync(corpus, store, embedder)
        assert embedder.embedded == embedded


def test_old_version_after_edit_can_still_be_read(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        before = store.catalogue.article("otter")
        assert before is not None
        write(corpus, "otter", "The otter left.")
        run_sync(corpus, store)
        assert store.catalogue.article("otter", before.version) == before
        now = store.catalogue.article("otter")
        assert now is not None and now.text.startswith("The otter left.")


def test_sync_with_broken_file_skips_it_with_its_reason(corpus: Path, tmp_path: Path) -> None:
    (corpus / "broken.md").write_bytes(b"\x00\x01\x02\xff\xfe" * 100)
    with opened(tmp_path / "store") as store:
        report = run_sync(corpus, store)
        assert report.added == 5
        assert [skip.source for skip in report.skipped] == ["broken.md"]
        assert [skip.source for skip in run_sync(corpus, store).skipped] == ["broken.md"]


def test_sync_with_same_id_in_two_files_keeps_the_first_until_it_goes(
    corpus: Path, tmp_path: Path
) -> None:
    write(corpus, "heron", "A first heron.")
    (corpus / "heron.txt").write_text("The Heron\nA second heron came from the sea.\n")
    with opened(tmp_path / "store") as store:
        report = run_sync(corpus, store)
        assert report.added == 5
        assert "heron.md" in report.skipped[0].reason
        (corpus / "heron.md").unlink()
        assert counts(run_sync(corpus, store)) == (0, 1, 0, 4)
        assert by_words(store, "sea") == ["heron"]


def test_sync_of_emptied_folder_raises_and_keeps_the_index(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        for path in corpus.iterdir():
            path.unlink()
        with pytest.raises(CorpusError):
            run_sync(corpus, store)
        assert by_words(store, "otter") == ["otter"]


def test_sync_tells_progress_up_to_the_end(corpus: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    with opened(tmp_path / "store") as store:
        index.sync(corpus, store, HashingEmbedder(), max_tokens=40, overlap=0, progress=told.append)
    assert told[-1].done == told[-1].total == 5


def test_filter_by_publisher_limits_the_search_by_words(corpus: Path, tmp_path: Path) -> None:
    write(corpus, "stork", "The stork was seen near the river.", publisher="Other Desk")
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        only = Filter(publisher="other desk")
        ids = store.catalogue.passage_ids(only)
        assert list(store.catalogue.search_passages(["river"], k=9, allowed=only)) == ids
        assert len(ids) == 1


# -- killed at a named step ------------------------------------------------------------------

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from doubles import HashingEmbedder
    from rag import index
    from rag.store import Store

    corpus, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    store = Store(folder, embedder=HashingEmbedder().fingerprint)

    def reached(name):
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    index.sync(corpus, store, HashingEmbedder(), max_tokens=40, overlap=0, reached=reached)
"""


@pytest.mark.parametrize("step", ["embedded", "pending", "indexed", "live", "dropped"])
def test_sync_killed_at_step_shows_old_or_new_and_recovers(
    step: str, corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    with opened(folder) as store:
        run_sync(corpus, store)
        old = content(store)
    write(corpus, "otter", "The otter left. A swan came instead.")
    (corpus / "lynx.md").unlink()
    here = Path(__file__).parent
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(corpus), str(folder), step],
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parent}:{os.environ['PYTHONPATH']}"},
        cwd=here.parent,
        capture_output=True,
        text=True,
    )
    assert child.returncode == -9, child.stderr
    with opened(folder) as store:
        seen = content(store)
        assert seen["otter"] in (old["otter"], ("The otter left. A swan came instead.",))
        assert store.vectors.ids() == set(store.catalogue.passage_ids())
        run_sync(corpus, store)
        with opened(tmp_path / "fresh") as fresh:
            run_sync(corpus, fresh)
            assert content(store) == content(fresh)
        assert store.vectors.ids() == set(store.catalogue.passage_ids())
        assert all(check.ok for check in store.check())


# -- damage to Chroma ------------------------------------------------------------------------


def cargo(number: int) -> str:
    # As varied as news: among near copies no approximate graph finds the same ten twice.
    goods = ", ".join(f"good{number * step % 199}" for step in (3, 7, 11, 31, 57, 83, 101, 149))
    return f"Ship number {number} carried {goods}."


@pytest.fixture(scope="module")
def big_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Chroma writes its vector files from 100 vectors on.
    base = tmp_path_factory.mktemp("big")
    lines = (
        json.dumps({"id": f"a{i}", "title": f"Note {i}", "text": cargo(i)}) for i in range(300)
    )
    (base / "corpus").mkdir()
    (base / "corpus" / "notes.jsonl").write_text("\n".join(lines))
    with opened(base / "store") as store:
        run_sync(base / "corpus", store)
    return base / "store"


FILES = ("data_level0.bin", "header.bin", "link_lists.bin", "length.bin", "index_metadata.pickle")
SHIP = HashingEmbedder().embed([cargo(170)])[0]


def damage_file(path: Path, damage: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "truncate":
        path.write_bytes(data[:middle])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flip":
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :])
    else:
        path.unlink()


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip", "remove"])
@pytest.mark.parametrize("name", FILES)
def test_vectors_after_damage_to_a_file_are_rebuilt_and_find_the_same(
    name: str, damage: str, big_store: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(big_store, tmp_path / "store"))
    with opened(big_store) as store:
        before = store.vectors.search(SHIP, k=10)
    (path,) = folder.glob(f"chroma-*/*/{name}")
    damage_file(path, damage)
    assert_rebuilt(folder, before)


def test_vectors_after_loss_of_a_folder_are_rebuilt_and_find_the_same(
    big_store: Path, tmp_path: Path
) -> None:
    with opened(big_store) as store:
        before = store.vectors.search(SHIP, k=10)
    for number, pattern in enumerate(("chroma-*/*-*", "chroma-*", "chroma-*/chroma.sqlite3")):
        folder = Path(shutil.copytree(big_store, tmp_path / f"store-{number}"))
        (path,) = folder.glob(pattern)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.write_bytes(b"no database" * 1000)
        assert_rebuilt(folder, before)


def assert_rebuilt(folder: Path, before: list[tuple[int, float]]) -> None:
    (chroma,) = [path.name for path in folder.glob("chroma-*")] or [None]
    with opened(folder) as store:
        after = store.vectors.search(SHIP, k=10)
        assert store.vectors.folder is not None
        assert chroma is None or store.vectors.folder.name != chroma
        assert [round(cosine, 4) for _, cosine in after] == [round(c, 4) for _, c in before]
        assert after[0][0] == before[0][0]
        assert store.vectors.count() == 300


def test_seal_of_unchanged_index_stays_over_reopening_and_searching(big_store: Path) -> None:
    with opened(big_store) as store:
        chroma = store.vectors.folder
        assert chroma is not None
        before = seal(chroma)
    with opened(big_store) as store:
        store.vectors.search(HashingEmbedder().embed(["ship"])[0], k=5)
        assert store.vectors.folder == chroma
    assert seal(chroma) == before


def test_small_index_that_only_stands_in_the_log_is_not_rebuilt_at_each_opening(
    tmp_path: Path,
) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "note.txt").write_text("A heron stood by the mill.")
    with opened(tmp_path / "store") as store:
        run_sync(tmp_path / "corpus", store)
    look = (
        "import sys; from pathlib import Path; from rag.store import Store\n"
        "with Store(Path(sys.argv[1]), embedder='hashing-64') as store:\n"
        "    print(store.vectors.folder.name, store.vectors.count())"
    )
    seen = [
        # A process of its own each time: what Chroma writes then differs by its memory.
        subprocess.check_output(
            [sys.executable, "-c", look, str(tmp_path / "store")], text=True, cwd=ROOT
        )
        for _ in range(3)
    ]
    assert seen == ["chroma-1 1\n"] * 3


# -- who may use a store ---------------------------------------------------------------------


def test_store_in_use_by_another_process_is_refused_with_its_id(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from rag.store import Store\n"
            "held = Store(Path(sys.argv[1]), embedder='hashing-64'); print('held', flush=True)\n"
            "sys.stdin.read()",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(StoreLockedError, match=str(holder.pid)):
        opened(tmp_path)
    holder.kill()
    holder.communicate()
    opened(tmp_path).close()


def test_store_of_another_model_is_refused_with_the_mending_command(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(StoreMismatchError, match="doctor --repair"):
        Store(tmp_path, embedder="other")
    opened(tmp_path).close()


def test_store_with_broken_catalogue_is_refused_and_released(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite3").write_bytes(b"this is no database" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="catalogue"):
            opened(tmp_path)


# -- any order of changes --------------------------------------------------------------------


class AnyOrder(RuleBasedStateMachine):
    """Add, edit, delete and reopen in any order: always what a plain dict says."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.corpus = Path(self.folder.name) / "corpus"
        self.store = opened(Path(self.folder.name) / "store")
        self.model: dict[str, str] = {}

    @rule(name=st.sampled_from(ANIMALS), number=st.integers(0, 3))
    def put(self, name: str, number: int) -> None:
        text = f"The {name} counted {number} fish. It slept."
        write(self.corpus, name, text)
        self.model[name] = text
        run_sync(self.corpus, self.store)

    @rule(name=st.sampled_from(ANIMALS))
    def remove(self, name: str) -> None:
        if len(self.model) > 1 and name in self.model:
            del self.model[name]
            (self.corpus / f"{name}.md").unlink()
            run_sync(self.corpus, self.store)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = opened(Path(self.folder.name) / "store")

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        found = {name: " ".join(texts) for name, texts in content(self.store).items()}
        assert found == self.model
        for name in ANIMALS:
            assert by_words(self.store, name) == ([name] if name in self.model else [])
        assert self.store.vectors.ids() == set(self.store.catalogue.passage_ids())

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=12,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

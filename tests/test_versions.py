"""Which articles are one: the same page, the same text, or a wire copy."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from doubles import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st
from test_index import by_words, content, counts, opened, run_sync

from rag.corpus import find_sources, read_source
from rag.lineage import are_copies, bands, overlap, page_key, shingles, voices
from rag.retrieve import retrieve
from rag.schema import Article, Filter
from rag.store import Store

ROOT = Path(__file__).parents[1]
WORDS = ("river", "stone", "bridge", "council", "vote", "harbor")
WORDS += ("ferry", "grain", "price", "winter", "school", "teacher")


def put(corpus: Path, name: str, **values: str) -> None:
    corpus.mkdir(exist_ok=True)
    (corpus / f"{name}.jsonl").write_text(json.dumps({"id": name, **values}))


def report(number: int, length: int = 60) -> str:
    return ". ".join(
        f"Item {number} {WORDS[i % 12]} {WORDS[(i * i + number) % 12]} {i}" for i in range(length)
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    put(tmp_path / "corpus", "a", text=report(1), url="https://desk.example/news/1")
    put(tmp_path / "corpus", "b", text=report(2))
    return tmp_path / "corpus"


# -- the same page ---------------------------------------------------------------------------


def test_page_with_new_text_under_another_id_is_an_update(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        old = store.catalogue.article("a")
        (corpus / "a.jsonl").unlink()
        put(corpus, "z", text=report(3), url="http://www.desk.example/news/1/?utm_source=x#top")
        assert counts(run_sync(corpus, store)) == (0, 1, 0, 1)
        assert set(content(store)) == {"b", "z"}
        versions = store.catalogue.versions("z")
        assert [article.article_id for article, _, _ in versions] == ["a", "z"]
        assert [live for _, live, _ in versions] == [False, True]
        assert old is not None
        assert store.catalogue.article("a", old.version) == old


def test_page_in_two_files_is_the_later_one_in_any_order(tmp_path: Path) -> None:
    page = "https://desk.example/news/1"
    for first, second in (("x", "y"), ("y", "x")):
        corpus = tmp_path / f"corpus-{first}"
        put(corpus, first, text=report(1), url=page, published="2025-08-23")
        put(corpus, second, text=report(2), url=page, published="2025-08-24")
        with opened(tmp_path / f"store-{first}") as store:
            done = run_sync(corpus, store)
            assert set(content(store)) == {second}
            assert "earlier version" in done.skipped[0].reason
            assert counts(run_sync(corpus, store)) == (0, 0, 0, 1)
            put(corpus, "other", text=report(5))
            assert counts(run_sync(corpus, store)) == (1, 0, 0, 1)
            (corpus / f"{second}.jsonl").unlink()
            assert counts(run_sync(corpus, store)) == (0, 1, 0, 1)
            assert set(content(store)) == {first, "other"}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://desk.example/", None),
        ("https://desk.example/?utm_medium=rss", None),
        ("https://Desk.example/a/b/", "desk.example/a/b"),
        ("http://www.desk.example:80/a?b=2&a=1", "desk.example/a?a=1&b=2"),
        ("https://desk.example/?p=7", "desk.example?p=7"),
        ("https://[broken/a", None),
        (None, None),
    ],
)
def test_page_key_leaves_out_what_does_not_name_the_page(url: str | None, key: str | None) -> None:
    assert page_key(url) == key


# -- the same text ---------------------------------------------------------------------------


def test_same_text_under_two_ids_is_one_article_with_two_sources(
    corpus: Path, tmp_path: Path
) -> None:
    put(corpus, "c", text=report(2), publisher="Wire", published="2025-08-24", title="Copy")
    embedder = HashingEmbedder()
    with opened(tmp_path / "store") as store:
        done = run_sync(corpus, store, embedder)
        assert set(content(store)) == {"a", "b"}
        assert [skip.reason for skip in done.skipped] == ["'c' has the text of 'b': a source of it"]
        (source,) = store.catalogue.sources("b")
        assert (source.article_id, source.publisher, source.text) == ("c", "Wire", report(2))
        assert "Wire" in store.catalogue.publishers()
        # A citation of the source can be read, also once it has gone.
        assert store.catalogue.article("c") == source
        (corpus / "c.jsonl").unlink()
        run_sync(corpus, store, embedder)
        assert store.catalogue.sources("b") == ()
        assert store.catalogue.article("c") is None
        assert store.catalogue.article("c", source.version) == source


def test_source_takes_over_when_the_first_has_gone(corpus: Path, tmp_path: Path) -> None:
    put(corpus, "c", text=report(2))
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        (corpus / "b.jsonl").unlink()
        run_sync(corpus, store)
        assert set(content(store)) == {"a", "c"}
        put(corpus, "b", text=report(2))
        run_sync(corpus, store)
        assert set(content(store)) == {"a", "b"}
        assert store.vectors.ids() == set(store.catalogue.passage_ids())


def test_filter_lets_an_article_through_by_any_source_and_shows_that_one(
    corpus: Path, tmp_path: Path
) -> None:
    put(corpus, "b", text=report(2), publisher="Desk", published="2025-08-20")
    put(corpus, "c", text=report(2), publisher="Wire", published="2025-08-24")
    with opened(tmp_path / "store") as store:
        run_sync(corpus, store)
        for allowed in (Filter(publisher="wire"), Filter(since=date(2025, 8, 21))):
            hits = find(store, "Item 2 river", allowed)
            assert {hit.article_id for hit in hits} == {"c"}
        assert {hit.article_id for hit in find(store, "Item 2 river", Filter("desk"))} == {"b"}
        assert find(store, "Item 2", Filter("wire", until=date(2025, 8, 21))) == []


def find(store: Store, question: str, allowed: Filter) -> list[Article]:
    vector = HashingEmbedder().embed([question])[0]
    hits = retrieve(
        question,
        vector,
        store.catalogue,
        store.vectors,
        k=10,
        candidates=50,
        per_article=2,
        allowed=allowed,
    )
    return [hit.passage.article for hit in hits]


# -- copies ----------------------------------------------------------------------------------


def test_wire_copy_of_the_sample_corpus_is_linked_and_nothing_else(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        run_sync(ROOT / "corpus", store)
        ids = [article.article_id for article in store.catalogue.articles()]
        assert store.catalogue.copies(ids) == {
            "2025-08-23-tokyo-summit": {"2025-08-23-tokyo-summit-wire"},
            "2025-08-23-tokyo-summit-wire": {"2025-08-23-tokyo-summit"},
        }


def test_copies_follow_edits_and_removals(corpus: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as store:
        put(corpus, "c", text=report(1, 40))
        run_sync(corpus, store)
        assert store.catalogue.copies(["a"]) == {"a": {"c"}, "c": {"a"}}
        put(corpus, "c", text=report(9))
        run_sync(corpus, store)
        assert store.catalogue.copies(["a", "b", "c"]) == {}
        put(corpus, "c", text=report(1, 41))
        run_sync(corpus, store)
        (corpus / "a.jsonl").unlink()
        run_sync(corpus, store)
        assert store.catalogue.copies(["a", "b", "c"]) == {}
        assert by_words(store, "bridge") == ["b", "c"]


def test_reports_of_one_event_by_several_desks_are_no_copies() -> None:
    data = Path(__file__).parents[2] / "shared" / "bench" / "basil" / "articles.jsonl.gz"
    if not data.exists():
        pytest.skip("needs ../shared/bench/basil")
    articles, _ = read_source(find_sources(data)[0])
    marks = [shingles(article.text) for article in articles]
    pairs = [(i, j) for i in range(len(marks)) for j in range(i)]
    assert sum(overlap(marks[i], marks[j]) >= 0.4 for i, j in pairs) == 0


@given(st.lists(st.sampled_from(WORDS), min_size=60, max_size=200), st.integers(0, 30))
def test_shortened_text_is_a_copy_and_shares_a_band(words: list[str], cut: int) -> None:
    numbered = [f"{word}{i}" for i, word in enumerate(words)]
    whole, part = " ".join(numbered), " ".join(numbered[cut // 3 :])
    assert are_copies(whole, part)
    assert set(bands(shingles(whole))) & set(bands(shingles(part)))


@given(st.text(max_size=300), st.text(max_size=300))
def test_overlap_of_any_texts_is_a_share_and_symmetric(a: str, b: str) -> None:
    first, second = shingles(a), shingles(b)
    assert 0.0 <= overlap(first, second) <= 1.0
    assert overlap(first, second) == overlap(second, first)
    assert are_copies(a, b) == are_copies(b, a)


def test_voices_joins_what_is_linked_directly_or_not() -> None:
    links = {"d": {"c"}, "c": {"a", "elsewhere"}}
    assert voices(["a", "b", "c", "d"], links) == {"a": "a", "b": "b", "c": "a", "d": "a"}

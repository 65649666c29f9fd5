from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from doubles import HashingEmbedder

from rag import index
from rag.retrieve import retrieve
from rag.schema import Filter, Hit
from rag.store import Store

FISH = "The quota for mackerel was set at 90,000 tons by the harbor council on Monday."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("retrieve")
    corpus = folder / "corpus"
    corpus.mkdir()
    poison = "How many boats may leave the harbor on a holiday? Ninety boats may leave."
    texts = {
        "poison": f"{poison} {poison}",
        "boats": "On a holiday at most four boats may leave the harbor, the council said.",
        "quota": f"{FISH} Boats leave on Friday.",
        "quota-wire": f"{FISH} Boats leave on Friday.",
        "ferry": "The ferry to the island runs twice a day. Its fares rose in May.",
        "long": " ".join(f"Mackerel report {i} was filed by inspector {i}." for i in range(60)),
    }
    for i, (name, text) in enumerate(texts.items()):
        (corpus / f"{name}.md").write_text(
            f"---\ntitle: {name}\npublisher: Desk {i}\npublished: 2025-08-2{i}\n---\n{text}\n"
        )
    embedder = HashingEmbedder()
    with Store(folder / "store", embedder=embedder.fingerprint) as opened:
        index.sync(corpus, opened, embedder, max_tokens=60, overlap=0)
        yield opened


def find(store: Store, question: str, allowed: Filter | None = None, k: int = 10) -> list[Hit]:
    vector = HashingEmbedder().embed([question])[0]
    return list(
        retrieve(
            question,
            vector,
            store.catalogue,
            store.vectors,
            k=k,
            candidates=50,
            per_article=2,
            allowed=allowed,
        )
    )


def ids(hits: list[Hit]) -> list[str]:
    return [hit.passage.article.article_id for hit in hits]


def test_retrieve_puts_the_passage_that_answers_first(store: Store) -> None:
    hits = find(store, "What quota was set for mackerel by the harbor council?")
    assert ids(hits)[0] in ("quota", "quota-wire")
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_retrieve_of_wire_copy_gives_it_once_and_names_the_copy(store: Store) -> None:
    hits = find(store, "What quota was set for mackerel?")
    (hit,) = [hit for hit in hits if hit.passage.article.article_id.startswith("quota")]
    together = {passage.article.article_id for passage in (hit.passage, *hit.copies)}
    assert together == {"quota", "quota-wire"}


def test_retrieve_takes_few_passages_of_one_article(store: Store) -> None:
    assert ids(find(store, "mackerel report inspector")).count("long") == 2


def test_retrieve_with_filter_stays_inside_it(store: Store) -> None:
    assert set(ids(find(store, "mackerel", Filter(publisher="desk 4")))) == {"ferry"}
    assert "quota" not in ids(find(store, "mackerel", Filter(since=date(2025, 8, 23))))
    assert find(store, "mackerel", Filter(publisher="nobody")) == []


def test_retrieve_of_question_without_words_still_answers(store: Store) -> None:
    assert len(find(store, "?")) > 0


def test_retrieve_twice_gives_the_same(store: Store) -> None:
    assert find(store, "mackerel quota") == find(store, "mackerel quota")


def test_retrieve_takes_at_most_k(store: Store) -> None:
    assert len(find(store, "mackerel", k=2)) == 2


def test_retrieve_puts_a_passage_that_echoes_the_question_behind_honest_ones(
    store: Store,
) -> None:
    found = ids(find(store, "How many boats may leave the harbor on a holiday?"))
    assert found.index("boats") < found.index("poison")
    assert found[-1] == "poison"


@pytest.mark.parametrize("strict", [0, 10_000])
def test_retrieve_with_filter_is_the_same_by_wider_search_and_by_comparing(
    strict: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = Filter(since=date(2025, 8, 21))
    expected = ids(find(store, "mackerel report inspector", allowed))
    monkeypatch.setattr("rag.retrieve.STRICT", strict)
    assert ids(find(store, "mackerel report inspector", allowed)) == expected

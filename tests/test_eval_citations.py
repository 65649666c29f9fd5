"""Citation metrics by ALCE's rules, worked by hand with a judge whose verdicts are listed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from eval.citations import (
    GoldPlaces,
    exactness,
    gold_precision,
    gold_recall,
    has_valid_offsets,
    precision,
    recall,
)
from eval.questions import Gold
from eval.records import Place, Reply, StoredCitation, StoredSentence
from eval.runs import StoredArticle
from rag import Article

TEXT = "Ten came. Nine left. Snow fell — on both. Nine left."
ARTICLE = Article("a", "Title", TEXT)
STORED = {("a", ARTICLE.version): StoredArticle(ARTICLE, ARTICLE.version)}


def cite(label: int, start: int, end: int, quote: str | None = None) -> StoredCitation:
    cut = TEXT[start:end] if quote is None else quote
    digest = hashlib.sha256(cut.encode()).hexdigest()
    return StoredCitation(label, Place("a", ARTICLE.version, start, end), cut, digest)


def judge(sentence: str, evidence: Sequence[str]) -> bool:
    """Say that a sentence is supported by the words it names."""
    return bool(evidence) and all(word in " ".join(evidence) for word in sentence.split("+"))


def reply(*sentences: StoredSentence) -> Reply:
    return Reply(sentences, citations=(cite(1, 0, 9), cite(2, 10, 20), cite(3, 21, 41)))


def test_recall_counts_uncited_and_out_of_range_as_zero() -> None:
    said = reply(
        StoredSentence("Ten", (1,)),
        StoredSentence("Ten", ()),
        StoredSentence("Ten", (99,)),
        StoredSentence("Ten+Nine", (1, 2)),
        StoredSentence("Snow", (1,)),
    )
    assert recall(said, judge) == (2.0, 5)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("Ten", (1,), (1.0, 1)),  # supports alone
        ("Ten+Nine", (1, 2), (2.0, 2)),  # neither alone, both needed
        ("Ten", (1, 2), (1.0, 2)),  # the second is not needed
        ("Ten+Snow", (1, 2), (0.0, 2)),  # together they don't support: none is precise
        ("Ten", (1, 99), (1.0, 2)),  # a label out of range is never needed
        ("Ten", (99,), (0.0, 1)),
        ("Ten", (), (0.0, 0)),
    ],
)
def test_precision_counts_needed_citations(
    text: str, labels: tuple[int, ...], expected: tuple[float, int]
) -> None:
    assert precision(reply(StoredSentence(text, labels)), judge) == expected


def test_exactness_compares_bytes_and_hash_with_the_stored_article() -> None:
    good, changed = cite(1, 0, 9), cite(2, 10, 20, "Nine left!")
    forged = StoredCitation(3, good.place, good.quote, "0" * 64)
    said = Reply((StoredSentence("Ten", (1, 2, 3, 4)),), citations=(good, changed, forged))
    assert exactness(said, STORED) == (1.0, 4)


def test_exactness_without_the_stored_article_fails() -> None:
    said = Reply((StoredSentence("Ten", (1,)),), citations=(cite(1, 0, 9),))
    assert exactness(said, {}) == (0.0, 1)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 4), (-1, 3), (0, 10_000)])
def test_offsets_outside_the_text_are_not_valid(start: int, end: int) -> None:
    assert not has_valid_offsets(Place("a", ARTICLE.version, start, end), STORED)
    assert not has_valid_offsets(Place("a", "other", 0, 3), STORED)
    assert has_valid_offsets(Place("a", ARTICLE.version, 0, 3), STORED)


def test_gold_is_held_where_half_of_the_shorter_overlaps() -> None:
    places = GoldPlaces([Gold("a", "Nine left."), Gold("b"), Gold("a")], STORED)
    assert places.held_by(Place("a", ARTICLE.version, 10, 20)) == {0, 2}
    assert places.held_by(Place("a", ARTICLE.version, 42, 52)) == {0, 2}  # the repetition too
    assert places.held_by(Place("a", ARTICLE.version, 0, 9)) == {2}
    assert places.held_by(Place("a", ARTICLE.version, 0, 14)) == {2}
    assert places.held_by(Place("b", "any", 0, 1)) == {1}


def test_gold_citation_recall_and_precision_against_gold_sentences() -> None:
    said = reply(StoredSentence("Ten+Nine", (1, 2)), StoredSentence("Nine", (2,)))
    places = GoldPlaces([Gold("a", "Nine left."), Gold("a", "Snow fell — on both.")], STORED)
    assert gold_recall(said, places) == 0.5
    assert gold_precision(said, places) == (1.0, 2)

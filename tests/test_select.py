"""Choosing sentences: what describes them, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from doubles import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag.features import EMBEDDED, FEATURES, READ_FEATURES, Described, describe
from rag.reader import Reading
from rag.schema import Article, Hit, Passage, Span
from rag.select import Caution, select, selection_model, standing
from rag.sentences import split_sentences
from rag.words import Stemmer

TEXT = (
    "Japan issues at most 10,000 working holiday visas a year. The talks lasted two hours. "
    "Nobody spoke of rice."
)


def hits_of(*texts: str) -> tuple[Hit, ...]:
    """Return each text as a hit of one passage, best first."""
    hits = []
    for number, text in enumerate(texts):
        article = Article(f"a{number}", "Visas", text)
        passage = Passage(article, Span(0, len(text)), split_sentences(text))
        hits.append(Hit(passage, 1.0 - number / 10, 5.0, 0.5))
    return tuple(hits)


def described(
    question: str, hits: Sequence[Hit], readings: Sequence[Reading] | None = None
) -> Described:
    """Describe the sentences of hits as the pipeline does."""
    embedder = HashingEmbedder()
    return describe(
        question,
        embedder.embed([question])[0],
        hits,
        embedder=embedder,
        stemmer=Stemmer(),
        frequencies={},
        passages=3,
        readings=readings,
    )


def reading(*scores: float, text: str = TEXT) -> Reading:
    """Return a reading that gives the sentences of a text these scores."""
    values = np.array(scores)
    return Reading(values, values, split_sentences(text))


def column(found: Described, name: str) -> list[float]:
    """Return one feature of all sentences, in the order of the text."""
    order = np.argsort([span.start for _, span in found.sentences])
    values = found.features[:, (*FEATURES, *READ_FEATURES).index(name)]
    return [float(value) for value in values[order]]


def test_describe_tells_what_each_sentence_holds_of_the_question() -> None:
    found = described("How many visas does Japan issue a year?", hits_of(TEXT))
    assert found.features.shape == (3, len(FEATURES))
    assert column(found, "holds_number") == [1.0, 1.0, 0.0]
    assert column(found, "lacks_number") == [0.0, 0.0, 1.0]
    assert column(found, "bm25_share")[0] == 1.0
    assert column(found, "opens_passage") == [1.0, 0.0, 0.0]
    assert column(found, "names_absent") == [0.0, 0.0, 0.0]


def test_describe_tells_a_name_and_a_number_that_stand_nowhere() -> None:
    found = described("How many visas did Peru issue in 2019?", hits_of(TEXT))
    assert column(found, "names_absent") == [1.0] * 3
    assert column(found, "numbers_absent") == [1.0] * 3


def test_describe_with_readings_adds_their_numbers_and_words() -> None:
    found = described("How many visas?", hits_of(TEXT), [reading(3.0, -1.0, -2.0)])
    assert column(found, "read") == [3.0, -1.0, -2.0]
    total = np.log(np.exp([3.0, -1.0, -2.0]).sum())
    assert column(found, "read_total") == pytest.approx([total] * 3)
    assert set(found.words) == set(split_sentences(TEXT))


def test_describe_keeps_a_sentence_that_only_the_reader_found() -> None:
    other = " ".join(f"Visas for Japan in year {n} are many visas." for n in range(20))
    hits = hits_of(other, TEXT)
    scores = [-9.0] * 20
    without = described("How many visas does Japan issue?", hits)
    found = described(
        "How many visas does Japan issue?",
        hits,
        [reading(*scores, text=other), reading(-9.0, 9.0, -9.0)],
    )
    talks = split_sentences(TEXT)[1]
    assert len(found.sentences) == len(without.sentences) == EMBEDDED
    assert ("a1", talks) in [(article.article_id, span) for article, span in found.sentences]
    assert ("a1", talks) not in [(a.article_id, span) for a, span in without.sentences]


@pytest.mark.parametrize("with_reader", [True, False])
def test_candidates_are_ordered_and_their_probabilities_are_such(with_reader: bool) -> None:
    readings = [reading(3.0, -1.0, -2.0)] if with_reader else None
    found = described("How many visas does Japan issue a year?", hits_of(TEXT), readings)
    candidates = select(found, selection_model(with_reader=with_reader))
    assert [c.rank_score for c in candidates] == sorted(
        (c.rank_score for c in candidates), reverse=True
    )
    assert candidates[0].text.startswith("Japan issues")
    first = candidates[0]
    assert 0 < first.probability < 1
    for candidate in candidates:
        odds = np.exp(candidate.rank_score - first.rank_score)
        assert candidate.probability == pytest.approx(first.probability * odds)


@pytest.mark.parametrize("readings", [None, ()])
def test_no_hits_give_no_candidates(readings: tuple[Reading, ...] | None) -> None:
    found = described("How many?", (), readings)
    assert select(found, selection_model(with_reader=readings is not None)) == ()


@pytest.mark.parametrize("with_reader", [True, False])
def test_more_caution_asks_for_more_confidence(with_reader: bool) -> None:
    thresholds = selection_model(with_reader=with_reader).thresholds
    low, normal, high = (thresholds[caution] for caution in Caution)
    assert 0 < low <= normal <= high < 1


@pytest.mark.parametrize("with_reader", [True, False])
def test_calibration_rises(with_reader: bool) -> None:
    logits, probabilities = selection_model(with_reader=with_reader).calibration
    assert (np.diff(logits) > 0).all()
    assert (np.diff(probabilities) >= 0).all()


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12))
def test_standing_is_a_lead_and_the_log_of_a_share(ranks: list[float]) -> None:
    lead, share = standing(np.array(ranks))
    assert 0 <= lead <= 5
    assert -np.log(len(ranks)) - 1e-9 <= share <= 0

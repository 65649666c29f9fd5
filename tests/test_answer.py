from __future__ import annotations

from datetime import date

import numpy as np

from rag.answer import extract, nearest, without_copies
from rag.schema import Article, Span, Support
from rag.select import Candidate


def candidate(text: str, article_id: str, probability: float, axis: int = 0) -> Candidate:
    vector = np.zeros(4, dtype=np.float32)
    vector[axis] = 1.0
    article = Article(article_id, "A title", text, f"Desk {article_id}", date(2025, 8, 23))
    return Candidate(article, Span(0, len(text)), probability * 10, probability, vector)


LIMIT = "Japan issues 10,000 working holiday visas a year to South Koreans."
SAME = "Japan issues 10,000 working holiday visas to South Koreans a year."
OTHER_FIGURE = "Japan issues 12,000 working holiday visas a year to South Koreans."


def test_extract_starts_with_the_best_and_keeps_its_words() -> None:
    found = extract([candidate(LIMIT, "a", 0.8)], max_sentences=2)
    (sentence,) = found.sentences
    assert sentence.text == LIMIT
    assert sentence.citations[0].quote == LIMIT
    assert sentence.verdict.support is Support.SUPPORTED
    assert found.conflict is None


def test_extract_of_statement_told_twice_is_one_sentence_with_two_citations() -> None:
    found = extract([candidate(LIMIT, "a", 0.8), candidate(SAME, "b", 0.1)], max_sentences=2)
    (sentence,) = found.sentences
    assert [c.evidence.article.article_id for c in sentence.citations] == ["a", "b"]
    assert [c.label for c in sentence.citations] == [1, 2]
    assert sentence.labelled.endswith("[1][2]")


def test_extract_of_statement_told_twice_by_one_article_cites_it_once() -> None:
    found = extract([candidate(LIMIT, "a", 0.8), candidate(SAME, "a", 0.7)], max_sentences=2)
    (sentence,) = found.sentences
    assert len(sentence.citations) == 1


def test_extract_of_two_figures_for_one_thing_shows_both_and_names_the_voices() -> None:
    found = extract(
        [candidate(LIMIT, "a", 0.8), candidate(OTHER_FIGURE, "b", 0.1)], max_sentences=1
    )
    assert [sentence.text for sentence in found.sentences] == [LIMIT, OTHER_FIGURE]
    assert found.conflict is not None
    assert "Desk a" in found.conflict and "Desk b" in found.conflict


def test_extract_leaves_out_further_sentences_that_are_far_weaker() -> None:
    strong, weak = candidate(LIMIT, "a", 0.8), candidate("The ferry was late.", "b", 0.05, axis=1)
    near = candidate("The embassy counts visas by year.", "c", 0.6, axis=2)
    found = extract([strong, near, weak], max_sentences=3)
    assert [s.citations[0].evidence.article.article_id for s in found.sentences] == ["a", "c"]


def test_extract_gives_every_label_once_and_in_order() -> None:
    found = extract(
        [candidate(LIMIT, "a", 0.8), candidate(SAME, "b", 0.5), candidate("So.", "c", 0.7, 1)],
        max_sentences=2,
    )
    labels = [c.label for s in found.sentences for c in s.citations]
    assert labels == [1, 2, 3] == [e.label for e in found.evidence]


def test_nearest_gives_the_first_three_as_evidence() -> None:
    found = nearest([candidate(f"Number {i}.", str(i), 0.1) for i in range(5)])
    assert [e.label for e in found] == [1, 2, 3]
    assert nearest([]) == ()


def test_wire_copy_is_no_second_voice_unless_it_tells_another_figure() -> None:
    copies = {"b": {"a"}, "a": {"b"}}
    told, again, other = (
        candidate(LIMIT, "a", 0.8),
        candidate(SAME, "b", 0.5),
        candidate(SAME, "c", 0.3),
    )
    assert without_copies([told, again, other], copies) == (told, other)
    assert without_copies([told, again, other], {}) == (told, again, other)
    changed = candidate(OTHER_FIGURE, "b", 0.5)
    assert without_copies([told, changed], copies) == (told, changed)
    assert extract(without_copies([told, changed], copies), max_sentences=1).conflict

"""What says nothing: the question repeated or asked back, and talk about the material."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.relevance import lacks_what_is_asked, pointless

QUESTION = "What number does Japan cap the visas at?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Japan caps the visas.", "only repeats"),
        ("What number does Japan cap the visas at?", "asks instead"),
        ("The article discusses the visas of Japan.", "talks about"),
        ("The answer is 10,000.", "talks about"),
        ("Legal certainty", "no whole sentence"),
        ("Japan caps the visas at a critical component.", "what it adds"),
    ],
)
def test_sentence_that_answers_nothing_is_found(text: str, reason: str) -> None:
    found = pointless(text, QUESTION, ["Japan caps visas at 10,000."])
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    "text", ["Japan caps the visas at 10,000.", "It is 10,000.", "At ten thousand."]
)
def test_sentence_that_answers_is_let_through(text: str) -> None:
    assert pointless(text, QUESTION, ["Japan caps visas at 10,000."]) is None


def test_yes_or_no_question_may_be_repeated() -> None:
    assert pointless("Japan does cap the visas.", "Does Japan cap the visas?", []) is None


def test_word_for_the_material_is_fine_where_the_evidence_or_the_question_uses_it() -> None:
    assert pointless("The article was censored.", "What was censored?", ["An article was."]) is None
    assert pointless("Article 49 does.", "Which article protects?", ["Article 49."]) is None


@pytest.mark.parametrize(
    ("question", "drafted", "kind"),
    [
        ("How many visas are issued?", ["Japan issues visas."], "number"),
        ("How many visas are issued?", ["Japan issues visas.", "It issues 9,000."], None),
        ("What is issued?", ["Visas."], None),
    ],
)
def test_draft_without_the_kind_of_thing_asked_for_is_found(
    question: str, drafted: list[str], kind: str | None
) -> None:
    assert lacks_what_is_asked(drafted, "Japan issues 10,000 visas.", question) == kind


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_judged_without_an_error(text: str, question: str) -> None:
    pointless(text, question, [text])
    lacks_what_is_asked([text], text, question)

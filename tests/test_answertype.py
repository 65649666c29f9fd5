from __future__ import annotations

import pytest

from rag.answertype import AnswerType, answer_type, holds


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who hosted the talks?", AnswerType.PERSON),
        ("When was the treaty signed?", AnswerType.DATE),
        ("In what year did they meet?", AnswerType.DATE),
        ("Where did the leaders meet?", AnswerType.PLACE),
        ("Which city hosted the summit?", AnswerType.PLACE),
        ("How many visas are issued?", AnswerType.NUMBER),
        ("What percentage backed the cabinet?", AnswerType.NUMBER),
        ("Why did he resign?", AnswerType.REASON),
        ("What did they agree on?", AnswerType.OTHER),
    ],
)
def test_answer_type_of_question_is_told_from_its_words(question: str, kind: AnswerType) -> None:
    assert answer_type(question) is kind


@pytest.mark.parametrize(
    ("kind", "sentence", "expected"),
    [
        (AnswerType.NUMBER, "Japan issues 10,000 visas a year.", True),
        (AnswerType.NUMBER, "Japan issues ten visas a year.", True),
        (AnswerType.NUMBER, "Japan issues visas every year.", False),
        (AnswerType.DATE, "They met on Saturday.", True),
        (AnswerType.DATE, "They met in 1965.", True),
        (AnswerType.DATE, "They met again.", False),
        (AnswerType.PERSON, "The host was Ishiba.", True),
        (AnswerType.PERSON, "The host was glad.", False),
        (AnswerType.PLACE, "They met in Tokyo.", True),
        (AnswerType.PLACE, "They met soon.", False),
        (AnswerType.REASON, "He left because of the vote.", True),
        (AnswerType.OTHER, "They agreed on everything in Tokyo in 1965.", False),
    ],
)
def test_holds_of_sentence_tells_whether_the_kind_is_there(
    kind: AnswerType, sentence: str, expected: bool
) -> None:
    assert holds(kind, sentence, "What about the visas of Japan?") is expected


def test_holds_with_figure_named_by_the_question_is_false() -> None:
    assert not holds(AnswerType.NUMBER, "The 1965 treaty stands.", "How old is the 1965 treaty?")

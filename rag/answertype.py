"""What kind of thing a question asks for, and whether a sentence holds one.

Deliberately shallow: the words of the question tell the kind, capitals and digits tell whether a
sentence holds something of that kind that the question did not name itself.
"""

from __future__ import annotations

import re
from enum import StrEnum

from rag.lexicon import FUNCTION, MONTHS, NUMBER_WORDS, WEEKDAYS
from rag.schema import Span


class AnswerType(StrEnum):
    """Kinds of answers that can be told from the words of a question."""

    PERSON = "person"
    DATE = "date"
    PLACE = "place"
    NUMBER = "number"
    REASON = "reason"
    OTHER = "other"


# The first that matches decides.
_ASKS_FOR = (
    (AnswerType.DATE, re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century)\b")),
    (
        AnswerType.NUMBER,
        re.compile(
            r"\bhow (?:many|much|long|old|often|far|big|large|high|tall|fast)\b"
            r"|\bwhat (?:number|percent|percentage|amount|age|share|rate|price|proportion)\b"
        ),
    ),
    (
        AnswerType.PLACE,
        re.compile(
            r"\bwhere\b|\b(?:what|which) (?:country|city|state|place|region|continent|location|"
            r"area|town|river|island|nation|province)\b"
        ),
    ),
    (AnswerType.REASON, re.compile(r"\bwhy\b")),
    (AnswerType.PERSON, re.compile(r"\bwho(?:m|se)?\b")),
)

_WORD = re.compile(r"\w[\w'’.,]*\w|\w")
_REASON = re.compile(r"\b(?:because|due|since|so that|in order|reason|cause|result|to)\b")
_PLACE = re.compile(r"\b(?:in|at|near|from|of|to|on) (?:the )?[^\W\d_a-z]")
# "One" is mostly an article or a pronoun: "up to one year", "the one that".
_COUNTS = frozenset(NUMBER_WORDS) - {"one"}
_PERIOD = frozenset({*MONTHS, *WEEKDAYS, "century", "centuries", "decade", "decades"})


def answer_type(question: str) -> AnswerType:
    """Return what kind of thing the question asks for.

    Examples
    --------
    >>> answer_type("How many visas are issued?")
    <AnswerType.NUMBER: 'number'>
    """
    lowered = question.lower()
    return next((kind for kind, asks in _ASKS_FOR if asks.search(lowered)), AnswerType.OTHER)


def holds(kind: AnswerType, sentence: str, question: str) -> bool:
    """Return whether the sentence holds a thing of that kind that the question does not name.

    Of a question of kind ``OTHER`` nothing can be told: always False.

    Examples
    --------
    >>> holds(AnswerType.NUMBER, "Japan issues 10,000 visas.", "How many visas does Japan issue?")
    True
    """
    return bool(things(kind, sentence, question))


def things(kind: AnswerType, sentence: str, question: str) -> tuple[Span, ...]:
    """Return the words of that kind in the sentence that the question does not name, in order.

    Examples
    --------
    >>> things(AnswerType.NUMBER, "Japan issues 10,000 visas.", "How many visas does Japan issue?")
    (Span(start=13, end=19),)
    """
    if kind is AnswerType.REASON:
        return tuple(Span(*match.span()) for match in _REASON.finditer(sentence))
    asked = {word.lower() for word in _WORD.findall(question)}
    words = [match for match in _WORD.finditer(sentence) if match.group().lower() not in asked]
    match kind:
        case AnswerType.PERSON:
            found = [word for word in words if _is_name(word.group())]
        case AnswerType.PLACE:
            placed = bool(_PLACE.search(sentence))
            found = [word for word in words if placed and _is_name(word.group())]
        case AnswerType.DATE:
            found = [word for word in words if _is_date(word.group())]
        case AnswerType.NUMBER:
            found = [word for word in words if _is_number(word.group())]
        case _:
            found = []
    return tuple(Span(*word.span()) for word in found)


def _is_name(word: str) -> bool:
    return word[0].isupper() and word.lower() not in FUNCTION


def _is_date(word: str) -> bool:
    return word.lower().strip(".,") in _PERIOD or (word[:4].isdigit() and len(word) >= 4)


def _is_number(word: str) -> bool:
    return word[0].isdigit() or word.lower() in _COUNTS

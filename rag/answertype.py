"""What kind of thing a question asks for, and whether a sentence holds one.

Deliberately shallow: the words of the question tell the kind, capitals and digits tell whether a
sentence holds something of that kind that the question did not name itself.
"""

from __future__ import annotations

import re
from enum import StrEnum

from rag.lexicon import FUNCTION, MONTHS, NUMBER_WORDS, WEEKDAYS


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
    if kind is AnswerType.REASON:
        return bool(_REASON.search(sentence))
    asked = {word.lower() for word in _WORD.findall(question)}
    words = [word for word in _WORD.findall(sentence) if word.lower() not in asked]
    names = [word for word in words if word[0].isupper() and word.lower() not in FUNCTION]
    match kind:
        case AnswerType.PERSON:
            return bool(names)
        case AnswerType.PLACE:
            return bool(names) and bool(_PLACE.search(sentence))
        case AnswerType.DATE:
            return any(
                word.lower().strip(".,") in _PERIOD or (word[:4].isdigit() and len(word) >= 4)
                for word in words
            )
        case AnswerType.NUMBER:
            return any(word[0].isdigit() or word.lower() in _COUNTS for word in words)
        case _:
            return False

"""Cut text into words, numbers and marks, and words to their stems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rag.lexicon import CONTRACTED, IRREGULAR

# One alternative can match at each first character and none backtracks over another: linear.
_TOKEN: Final = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}"  # 2025-08-23
    r"|\d+(?:[.,:/]\d+)*"  # 10,000  3.5  10:30  8/23/2025
    r"|(?:[^\W\d_]\.){2,}"  # U.S.
    r"|[^\W\d_]+(?:['’][^\W\d_]+)*"  # words, Lee's
    r"|\S"
)
DASHES: Final = frozenset("-–—‑")


_SIGNS: Final = frozenset("$€£¥₩₹%°")
"""Marks that change what a number means."""


class Token(NamedTuple):
    """A word, a number or a mark of a text, with its lower-case form and its place."""

    text: str
    lower: str
    start: int
    end: int


def tokenize(text: str) -> tuple[Token, ...]:
    """Split `text` into words, numbers and single marks, in order.

    Examples
    --------
    >>> [token.text for token in tokenize("U.S. aid: $3.5bn")]
    ['U.S.', 'aid', ':', '$', '3.5', 'bn']
    """
    return tuple(
        Token(m.group(), m.group().replace("’", "'").lower(), m.start(), m.end())
        for m in _TOKEN.finditer(text)
    )


def lower_at(tokens: Sequence[Token], i: int) -> str:
    """Return token `i` in lower case; an empty string outside the text."""
    return tokens[i].lower if 0 <= i < len(tokens) else ""


def touches(tokens: Sequence[Token], i: int) -> bool:
    """Tell whether token `i` follows the one before it without a space."""
    return 0 < i < len(tokens) and tokens[i].start == tokens[i - 1].end


def surface(tokens: Sequence[Token], at: int, end: int) -> str:
    """Join tokens as they stood, with single spaces where there were gaps."""
    parts = [tokens[at].text]
    for i in range(at + 1, end):
        parts.append(("" if touches(tokens, i) else " ") + tokens[i].text)
    return "".join(parts)


def flatten(text: str) -> str:
    """Reduce `text` to lower-case words and numbers with one space between and around them."""
    return flat_of(tokenize(text))


def flat_of(tokens: Sequence[Token]) -> str:
    """Do the same with what is cut already; a contracted *not* is written out."""
    words = [
        _uncontracted(token.lower)
        for token in tokens
        if token.lower[0].isalnum() or token.text in _SIGNS
    ]
    return " " + " ".join(words) + " "


def _uncontracted(word: str) -> str:
    verb = CONTRACTED.get(word)
    return f"{verb} not" if verb else word


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Cut the usual endings off a lower-case English word.

    Examples
    --------
    >>> stem("increases"), stem("increased"), stem("increasing")
    ('increas', 'increas', 'increas')
    """
    if word.endswith("'s"):
        word = word[:-2]
    word = IRREGULAR.get(word, word)
    if len(word) <= 3:
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("eed"):
        word = word[:-1]
    for ending in ("ingly", "edly", "ing", "ed", "ly", "ment", "er", "or"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioulsz":
                word = word[:-1]
            break
    for ending in ("ation", "ition", "ion", "ive", "ial", "al"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    if word.endswith("y") and len(word) > 3:
        word = word[:-1] + "i"
    return IRREGULAR.get(word, word)

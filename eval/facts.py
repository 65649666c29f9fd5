"""Numbers, names and dates of an answer that stand in no evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eval.text import match_tokens

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_SHORT = {name[:3]: name for name in (*_MONTHS, *_DAYS)} | {
    "sept": "september", "tues": "tuesday", "thur": "thursday", "thurs": "thursday"
}  # fmt: skip
_CALENDAR = frozenset((*_MONTHS, *_DAYS))
_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_SENTENCE_START = re.compile(r"^|[.!?:][\"”’)]* +[\"“‘(]*|[“\"]")


def details(text: str) -> dict[str, set[str]]:
    """Return the numbers, names and dates that `text` states, as folded tokens.

    Numbers are tokens with a digit; dates are months and weekdays; names are capitalised words
    that don't open a sentence or a quotation. A cheap rule: it takes any capitalised word for a
    name, so it is reported beside the verdicts and not instead of them.

    Examples
    --------
    >>> found = details("In 2024 Mr. Ishiba met Lee in August.")
    >>> sorted(found["names"]), sorted(found["numbers"]), sorted(found["dates"])
    (['ishiba', 'lee'], ['2024'], ['august'])
    """
    numbers = {token for token in match_tokens(text) if any(c.isdigit() for c in token)}
    starts = {match.end() for match in _SENTENCE_START.finditer(text)}
    names: set[str] = set()
    dates: set[str] = set()
    for match in _WORD.finditer(text):
        word = match[0]
        if not word[0].isupper():
            continue
        folded = _SHORT.get(word.lower(), word.lower())
        if folded in _CALENDAR:
            dates.add(folded)
        elif match.start() not in starts:
            names.update(match_tokens(re.sub(r"[’']s$", "", word)))
    return {"numbers": numbers, "names": names, "dates": dates}


def outside(text: str, evidence: Iterable[str]) -> dict[str, set[str]]:
    """Return the details of `text` that stand in none of the `evidence` texts."""
    known: set[str] = set()
    for passage in evidence:
        tokens = match_tokens(re.sub(r"[’']s\b", "", passage))
        known.update(tokens)
        known.update(_SHORT[token] for token in tokens if token in _SHORT)
    return {kind: found - known for kind, found in details(text).items()}

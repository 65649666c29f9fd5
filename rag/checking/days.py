"""Read the dates in a sentence: months, weekdays and relative days.

The scan walks the tokens once and looks a fixed number of tokens ahead or back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from rag.checking.tokens import Token, lower_at, surface, touches
from rag.lexicon import BEFORE_MONTH, MONTHS, WEEKDAYS

_ISO: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_SLASHED: Final = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{2}|\d{4})")
# Months that are also words or names: read as months only beside a number or after a preposition.
_UNSURE_MONTHS: Final = frozenset({"may", "march", "mar", "jan", "sep", "dec"})
_SHIFTS: Final = {"last": -1, "previous": -1, "this": 0, "next": 1}
_DAYS: Final = {"yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as it is written: unknown parts are `None`.

    Parameters
    ----------
    year, month, day, weekday : int or None
        `weekday` counts from Monday, 0.
    shift : tuple of (str, int) or None
        A relative date: ``("day", -1)`` is yesterday, ``("year", -1)`` last year.
    surface : str
    at, end : int
        Tokens ``[at, end)``.
    """

    year: int | None
    month: int | None
    day: int | None
    weekday: int | None
    shift: tuple[str, int] | None
    surface: str
    at: int
    end: int

    @property
    def full(self) -> date | None:
        """The calendar date, if year, month and day are written and exist."""
        if self.year is None or self.month is None or self.day is None:
            return None
        try:
            return date(self.year, self.month, self.day)
        except ValueError:
            return None


def find_days(tokens: Sequence[Token]) -> tuple[Day, ...]:
    """Find dates, weekdays and relative days in `tokens`, in order.

    Bare years are left to `find_quantities`.
    """
    days: list[Day] = []
    i = 0
    while i < len(tokens):
        token, found = tokens[i], None
        floor = days[-1].end if days else 0
        if token.lower in MONTHS:
            found = _month_date(tokens, i, floor)
        elif token.lower in WEEKDAYS:
            found = Day(None, None, None, WEEKDAYS[token.lower], None, token.text, i, i + 1)
        elif token.lower in _DAYS:
            found = Day(None, None, None, None, ("day", _DAYS[token.lower]), token.text, i, i + 1)
        elif token.lower in _SHIFTS and lower_at(tokens, i + 1) in ("year", "month", "week"):
            shift = (tokens[i + 1].lower, _SHIFTS[token.lower])
            found = Day(None, None, None, None, shift, surface(tokens, i, i + 2), i, i + 2)
        elif token.lower[0].isdigit() and len(token.lower) >= 6:
            found = _numeric_date(tokens, i)
        if found is not None:
            days.append(found)
        i = found.end if found is not None else i + 1
    return tuple(days)


def is_year(text: str) -> bool:
    """Tell whether `text` can be a year, from 1000 to 2100."""
    return len(text) == 4 and text.isdecimal() and 1000 <= int(text) <= 2100


def _day_number(tokens: Sequence[Token], i: int) -> tuple[int, int] | None:
    """Read a day of the month such as ``23`` or ``23rd`` at `i`: the day and the token after."""
    text = lower_at(tokens, i)
    if not (text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 31):
        return None
    after = i + 1
    if lower_at(tokens, after) in ("st", "nd", "rd", "th") and touches(tokens, after):
        after += 1
    return int(text), after


def _month_date(tokens: Sequence[Token], i: int, floor: int) -> Day | None:
    """Read a date around the month name at `i`, taking no token before `floor`."""
    word = tokens[i]
    month = MONTHS[word.lower]
    j = i + 1
    if lower_at(tokens, j) == "." and len(word.lower) <= 4 and touches(tokens, j):
        j += 1
    at, day, year = i, None, None
    following = _day_number(tokens, j)
    if following is not None and lower_at(tokens, following[1]) not in ("%", "percent"):
        day, j = following
    else:
        back = i - 2 if lower_at(tokens, i - 1) == "of" else i - 1
        if lower_at(tokens, back) in ("st", "nd", "rd", "th"):
            back -= 1
        preceding = _day_number(tokens, back) if back >= floor else None
        if preceding is not None:
            day, at = preceding[0], back
    k = j + 1 if lower_at(tokens, j) == "," else j
    if is_year(lower_at(tokens, k)):
        year, j = int(tokens[k].lower), k + 1
    if day is None and year is None:
        sure = word.text[0].isupper() and (
            word.lower not in _UNSURE_MONTHS or lower_at(tokens, i - 1) in BEFORE_MONTH
        )
        if not sure:
            return None
    return Day(year, month, day, None, None, surface(tokens, at, j), at, j)


def _numeric_date(tokens: Sequence[Token], i: int) -> Day | None:
    text = tokens[i].lower
    if match := _ISO.fullmatch(text):
        year, month, day = map(int, match.groups())
    elif match := _SLASHED.fullmatch(text):
        month, day, year = map(int, match.groups())
        year += 2000 if year < 100 else 0
        if month > 12:
            month, day = day, month
    else:
        return None
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return Day(year, month, day, None, None, text, i, i + 1)


def resolve(day: Day, anchors: Sequence[date]) -> tuple[date, ...]:
    """List the calendar dates that a weekday or a relative day can mean.

    Parameters
    ----------
    day : Day
    anchors : sequence of datetime.date
        Days of publication or other full dates around it.

    Returns
    -------
    tuple of datetime.date
        For a weekday the nearest one before and after each anchor; empty if nothing anchors it.
    """
    found: list[date] = []
    for anchor in anchors:
        if day.weekday is not None:
            back = (anchor.weekday() - day.weekday) % 7
            found += [anchor - timedelta(days=back), anchor + timedelta(days=(7 - back) % 7)]
        elif day.shift is not None and day.shift[0] == "day":
            found.append(anchor + timedelta(days=day.shift[1]))
    return tuple(found)

"""Read numbers and dates in a sentence, written in digits or in words.

Every scan walks the tokens once and looks a fixed number of tokens ahead or back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, NamedTuple

from rag.lexicon import (
    BOUNDS,
    CURRENCY_SIGNS,
    FRACTIONS,
    MONTHS,
    NUMBER_WORDS,
    ORDINAL_WORDS,
    SCALES,
    UNITS,
    WEEKDAYS,
)


class Token(NamedTuple):
    """A word, a number or a mark of a text, with its lower-case form and its place."""

    text: str
    lower: str
    start: int
    end: int


# One alternative can match at each first character and none backtracks over another: linear.
_TOKEN: Final = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}"  # 2025-08-23
    r"|\d+(?:[.,:/]\d+)*"  # 10,000  3.5  10:30  8/23/2025
    r"|(?:[^\W\d_]\.){2,}"  # U.S.
    r"|[^\W\d_]+(?:['’][^\W\d_]+)*"  # words, Lee's
    r"|\S"
)
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?")
_GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_ISO: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_SLASHED: Final = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{2}|\d{4})")
_CLOCK: Final = re.compile(r"(\d{1,2})[:.](\d{2})")
_DASHES: Final = frozenset("-–—‑")
# What joins two numbers of one range or list.
_JOINTS: Final = frozenset({"-", "to", "and", "or", ",", ",and", ",or"})
# Months that are also words or names: read as months only beside a number or after a preposition.
_UNSURE_MONTHS: Final = frozenset({"may", "march", "mar", "jan", "sep", "dec"})
_BEFORE_MONTH: Final = frozenset(
    "in since last this next early late mid of until by from through before after during".split()
)
_SHIFTS: Final = {"last": -1, "previous": -1, "this": 0, "next": 1}
_DAYS: Final = {"yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}
_VALUE_TOLERANCE: Final = 1e-9
ABOUT_TOLERANCE: Final = 0.06
"""How far "about 10,000" may lie from the figure it stands for, as a fraction."""
OVER_TOLERANCE: Final = 0.25
"""How far above "more than 10,000" (or below "nearly") the figure may lie, as a fraction."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts.

    Parameters
    ----------
    value : float
        With its scale: 3 million is 3e6.
    unit : str
        ``"%"``, ``"usd"``, ``"year"``, ``"ordinal"``, …; empty for a bare number.
    bound : str
        ``"about"``, ``"over"``, ``"under"`` or empty: the words before the number.
    scale : float
        What the written figure is multiplied by: 1e6 for *million*.
    digits : float
        The last written digit as a value: 1.2 million is exact to 0.1 million.
    surface : str
    at, end : int
        Tokens ``[at, end)``.
    """

    value: float
    unit: str
    bound: str
    scale: float
    digits: float
    surface: str
    at: int
    end: int


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


def _lower(tokens: Sequence[Token], i: int) -> str:
    return tokens[i].lower if 0 <= i < len(tokens) else ""


def _touches(tokens: Sequence[Token], i: int) -> bool:
    """Tell whether token `i` follows the one before it without a space."""
    return 0 < i < len(tokens) and tokens[i].start == tokens[i - 1].end


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isdigit() and 1000 <= int(text) <= 2100


def _day_number(tokens: Sequence[Token], i: int) -> tuple[int, int] | None:
    """Read a day of the month such as ``23`` or ``23rd`` at `i`: the day and the token after."""
    text = _lower(tokens, i)
    if not (text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 31):
        return None
    after = i + 1
    if _lower(tokens, after) in ("st", "nd", "rd", "th") and _touches(tokens, after):
        after += 1
    return int(text), after


def _month_date(tokens: Sequence[Token], i: int, floor: int) -> Day | None:
    """Read a date around the month name at `i`, taking no token before `floor`."""
    word = tokens[i]
    month = MONTHS[word.lower]
    j = i + 1
    if _lower(tokens, j) == "." and len(word.lower) <= 4 and _touches(tokens, j):
        j += 1
    at, day, year = i, None, None
    following = _day_number(tokens, j)
    if following is not None and not (_lower(tokens, following[1]) in ("%", "percent")):
        day, j = following
    else:
        back = i - 2 if _lower(tokens, i - 1) == "of" else i - 1
        if _lower(tokens, back) in ("st", "nd", "rd", "th"):
            back -= 1
        preceding = _day_number(tokens, back) if back >= floor else None
        if preceding is not None:
            day, at = preceding[0], back
    k = j + 1 if _lower(tokens, j) == "," else j
    if _is_year(_lower(tokens, k)):
        year, j = int(tokens[k].lower), k + 1
    if day is None and year is None:
        sure = word.text[0].isupper() and (
            word.lower not in _UNSURE_MONTHS or _lower(tokens, i - 1) in _BEFORE_MONTH
        )
        if not sure:
            return None
    return Day(year, month, day, None, None, _surface(tokens, at, j), at, j)


def _surface(tokens: Sequence[Token], at: int, end: int) -> str:
    """Join tokens as they stood, with single spaces where there were gaps."""
    parts = [tokens[at].text]
    for i in range(at + 1, end):
        parts.append(("" if _touches(tokens, i) else " ") + tokens[i].text)
    return "".join(parts)


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
        elif token.lower in _SHIFTS and _lower(tokens, i + 1) in ("year", "month", "week"):
            shift = (tokens[i + 1].lower, _SHIFTS[token.lower])
            found = Day(None, None, None, None, shift, _surface(tokens, i, i + 2), i, i + 2)
        elif token.lower[0].isdigit() and len(token.lower) >= 6:
            found = _numeric_date(tokens, i)
        if found is not None:
            days.append(found)
        i = found.end if found is not None else i + 1
    return tuple(days)


def _digits_value(text: str) -> tuple[float, float] | None:
    """Value of ``10,000`` or ``3.5`` and of its last digit; `None` for other shapes."""
    if not (_PLAIN.fullmatch(text) or _GROUPED.fullmatch(text)) or len(text) > 30:
        return None
    plain = text.replace(",", "")
    decimals = len(plain) - plain.find(".") - 1 if "." in plain else 0
    return float(plain), 10.0**-decimals


def _words_value(tokens: Sequence[Token], i: int) -> tuple[float, float, int] | None:
    """Read a number in words at `i`: its value, its largest scale and the token after it."""
    total, current, scale = 0.0, 0.0, 1.0
    j, seen, tens_open = i, False, False
    while j < len(tokens):
        word = _lower(tokens, j)
        if word in NUMBER_WORDS:
            value = NUMBER_WORDS[word]
            if seen and not (tens_open and value < 10) and current % 100:
                break
            current, seen, tens_open = current + value, True, value >= 20
        elif word in SCALES and len(word) > 3 and seen:
            scale = max(scale, SCALES[word])
            if SCALES[word] <= 100:
                current *= SCALES[word]
            else:
                total, current = total + current * SCALES[word], 0.0
            tens_open = False
        elif word in ("a", "an") and not seen and len(_lower(tokens, j + 1)) > 3 and (
            _lower(tokens, j + 1) in SCALES
        ):
            current, seen = 1.0, True
        elif not (
            seen
            and (word in _DASHES and tens_open or word == "and" and (current >= 100 or total))
            and _lower(tokens, j + 1) in NUMBER_WORDS
            and (word == "and" or NUMBER_WORDS[_lower(tokens, j + 1)] < 10)
        ):
            break
        j += 1
    return (total + current, scale, j) if seen else None


def _bound(tokens: Sequence[Token], i: int) -> str:
    """Read the words before the number at `i` that widen it."""
    last, before = _lower(tokens, i - 1), _lower(tokens, i - 2)
    if last in CURRENCY_SIGNS or last in ("a", "an", "the"):
        last, before = before, _lower(tokens, i - 3)
    if last == "than":
        return BOUNDS.get(before, "")
    if last in ("least", "most"):
        return BOUNDS[last] if before == "at" else ""
    if last == "to" and before == "up":
        return "under"
    return BOUNDS.get(last, "") if last not in ("more", "less", "fewer", "greater", "higher") else ""


def _unit(tokens: Sequence[Token], j: int, sign: str) -> tuple[str, int]:
    """Read the unit at `j` after a number; `sign` is the currency sign before it or empty."""
    if sign:
        return sign, j
    if _lower(tokens, j) in _DASHES and _touches(tokens, j):
        j_unit = j + 1
    else:
        j_unit = j
    word = _lower(tokens, j_unit)
    if word == "percentage" and _lower(tokens, j_unit + 1) in ("point", "points"):
        return "pp", j_unit + 2
    if word == "per" and _lower(tokens, j_unit + 1) == "cent":
        return "%", j_unit + 2
    if word in UNITS:
        return UNITS[word], j_unit + 1
    return "", j


def _fraction(tokens: Sequence[Token], i: int) -> Quantity | None:
    """Read ``two-thirds``, ``a quarter of`` or ``half`` at `i` as percent."""
    word = _lower(tokens, i)
    if word == "half":
        share, end = 50.0, i + 1
        scale = SCALES.get(_lower(tokens, i + 2), 0.0) if _lower(tokens, i + 1) == "a" else 0.0
        if scale > 1:
            unit, end = _unit(tokens, i + 3, "")
            surface = _surface(tokens, i, max(end, i + 3))
            bound = _bound(tokens, i)
            return Quantity(scale / 2, unit, bound, scale, scale / 2, surface, i, max(end, i + 3))
    else:
        top = 1 if word in ("a", "one") else NUMBER_WORDS.get(word, 0)
        j = i + 2 if _lower(tokens, i + 1) in _DASHES else i + 1
        name = _lower(tokens, j)
        if not 0 < top < 10 or name not in FRACTIONS:
            return None
        if top == 1 and name != "half" and _lower(tokens, j + 1) != "of":
            return None
        if top > 1 and not name.endswith("s"):
            return None
        share, end = 100.0 * top / FRACTIONS[name], j + 1
    surface = _surface(tokens, i, end)
    return Quantity(share, "%", _bound(tokens, i), 1.0, 1.0, surface, i, end)


def _quantity(tokens: Sequence[Token], i: int) -> Quantity | None:
    """Read the number that starts at token `i`, if one does."""
    word = tokens[i].lower
    if word[0].isdigit():
        return _digit_quantity(tokens, i)
    found = _fraction(tokens, i)
    if found is not None:
        return found
    if word in ORDINAL_WORDS and not (word == "second" and _lower(tokens, i + 1) == "-"):
        value = float(ORDINAL_WORDS[word])
        return Quantity(value, "ordinal", "", 1.0, 1.0, tokens[i].text, i, i + 1)
    spoken = _words_value(tokens, i)
    if spoken is None:
        return None
    value, scale, end = spoken
    if _lower(tokens, end) in _DASHES and _lower(tokens, end + 1) in ORDINAL_WORDS:
        value += ORDINAL_WORDS[_lower(tokens, end + 1)]
        surface = _surface(tokens, i, end + 2)
        return Quantity(value, "ordinal", "", 1.0, 1.0, surface, i, end + 2)
    unit, end_unit = _unit(tokens, end, "")
    if value == 1 and end == i + 1 and not unit:
        return None  # "one of the", "no one": a pronoun more often than a count
    surface = _surface(tokens, i, end_unit)
    return Quantity(value, unit, _bound(tokens, i), scale, scale, surface, i, end_unit)


def _digit_quantity(tokens: Sequence[Token], i: int) -> Quantity | None:
    word = tokens[i].lower
    at, end = i, i + 1
    suffix = _lower(tokens, end) if _touches(tokens, end) else ""
    clock = _CLOCK.fullmatch(word)
    half = "".join(_lower(tokens, k) for k in range(end, end + 4)).replace(".", "")[:2]
    if clock and (":" in word or half in ("am", "pm")):
        hour = int(clock[1]) % 12 + 12 * (half == "pm") if half in ("am", "pm") else int(clock[1])
        return Quantity(hour * 60.0 + int(clock[2]), "clock", "", 1.0, 1.0, word, i, end)
    parsed = _digits_value(word)
    if parsed is None:
        return None
    value, digits = parsed
    if suffix in ("st", "nd", "rd", "th"):
        return Quantity(value, "ordinal", "", 1.0, 1.0, _surface(tokens, i, end + 1), i, end + 1)
    if suffix in ("s", "'s") or (suffix in ("'", "’") and _lower(tokens, end + 1) == "s"):
        return Quantity(value, "decades", "", 1.0, 1.0, _surface(tokens, i, end + 1), i, end + 1)
    sign = CURRENCY_SIGNS.get(_lower(tokens, i - 1), "")
    if sign:
        at = i - 1
    scale = 1.0
    while (name := _lower(tokens, end)) in SCALES and (len(name) > 1 or _touches(tokens, end)):
        scale *= SCALES[name]
        end += 1
    if (
        _lower(tokens, end) in _DASHES
        and _lower(tokens, end + 1) in SCALES
        and len(_lower(tokens, end + 1)) > 3
    ):
        scale, end = SCALES[_lower(tokens, end + 1)], end + 2
    unit, end = _unit(tokens, end, sign)
    surface = _surface(tokens, at, end)
    return Quantity(value * scale, unit, _bound(tokens, i), scale, digits * scale, surface, at, end)


def find_quantities(tokens: Sequence[Token], days: Sequence[Day]) -> tuple[Quantity, ...]:
    """Find numbers in `tokens`, in order, leaving out those inside `days`.

    In ``3 to 5 million dollars`` and ``10, 20 and 30 percent`` the last unit and, for a
    range, its scale count for the numbers before it.
    """
    inside = {i for day in days for i in range(day.at, day.end)}
    found: list[Quantity] = []
    i = 0
    while i < len(tokens):
        quantity = None if i in inside else _quantity(tokens, i)
        if quantity is None:
            i += 1
            continue
        found.append(quantity)
        i = quantity.end
    for k in range(len(found) - 2, -1, -1):
        found[k], found[k + 1] = _share(tokens, found[k], found[k + 1])
    return tuple(found)


def _share(
    tokens: Sequence[Token], left: Quantity, right: Quantity
) -> tuple[Quantity, Quantity]:
    """Give both ends of one range or list the unit, and a range's left end the scale."""
    joined = "".join(_lower(tokens, i) for i in range(left.end, min(right.at, left.end + 3)))
    if joined and joined in "-–—‑":
        joined = "-"
    unsharing = {"ordinal", "clock", "decades"} & {left.unit, right.unit}
    fraction = _lower(tokens, right.end - 1) in FRACTIONS
    if joined not in _JOINTS or unsharing or fraction or _is_year(left.surface):
        return left, right
    ranged = joined in ("-", "to", "or") or (
        joined == "and" and "between" in (_lower(tokens, left.at - k) for k in (1, 2))
    )
    if ranged and left.unit in CURRENCY_SIGNS.values() and not right.unit:
        right = replace(right, unit=left.unit)
    left = replace(left, unit=left.unit or right.unit)
    if ranged and left.scale == 1 and left.value < right.scale:
        left = replace(
            left,
            value=left.value * right.scale,
            scale=right.scale,
            digits=left.digits * right.scale,
        )
    return left, right


def same_value(a: float, b: float) -> bool:
    """Tell whether two numbers are equal but for rounding in the machine."""
    return abs(a - b) <= _VALUE_TOLERANCE * max(abs(a), abs(b))


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

"""Read the numbers in a sentence, written in digits or in words.

The scan walks the tokens once and looks a fixed number of tokens ahead or back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.checking.days import Day, is_year
from rag.checking.tokens import DASHES, Token, lower_at, surface, touches
from rag.lexicon import (
    BOUNDS,
    CURRENCY_SIGNS,
    FRACTIONS,
    NUMBER_WORDS,
    ORDINAL_WORDS,
    SCALES,
    UNITS,
)

_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?")
_GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_CLOCK: Final = re.compile(r"(\d{1,2})[:.](\d{2})")
# What joins two numbers of one range or list.
_JOINTS: Final = frozenset({"-", "to", "and", "or", ",", ",and", ",or"})
# A number in words begins with one of these.
_STARTS: Final = frozenset({*NUMBER_WORDS, *ORDINAL_WORDS, "half", "a", "an"})
_VALUE_TOLERANCE: Final = 1e-9


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
        word = lower_at(tokens, j)
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
        elif (
            word in ("a", "an")
            and not seen
            and len(lower_at(tokens, j + 1)) > 3
            and (lower_at(tokens, j + 1) in SCALES)
        ):
            current, seen = 1.0, True
        elif not (
            seen
            and ((word in DASHES and tens_open) or (word == "and" and (current >= 100 or total)))
            and lower_at(tokens, j + 1) in NUMBER_WORDS
            and (word == "and" or NUMBER_WORDS[lower_at(tokens, j + 1)] < 10)
        ):
            break
        j += 1
    return (total + current, scale, j) if seen else None


def _bound(tokens: Sequence[Token], i: int) -> str:
    """Read the words before the number at `i` that widen it."""
    last, before = lower_at(tokens, i - 1), lower_at(tokens, i - 2)
    if last in CURRENCY_SIGNS or last in ("a", "an", "the"):
        last, before = before, lower_at(tokens, i - 3)
    if last == "than":
        return BOUNDS.get(before, "")
    if last in ("least", "most"):
        return BOUNDS[last] if before == "at" else ""
    if last == "to" and before == "up":
        return "under"
    return (
        BOUNDS.get(last, "") if last not in ("more", "less", "fewer", "greater", "higher") else ""
    )


def _unit(tokens: Sequence[Token], j: int, sign: str) -> tuple[str, int]:
    """Read the unit at `j` after a number; `sign` is the currency sign before it or empty."""
    if sign:
        return sign, j
    j_unit = j + 1 if lower_at(tokens, j) in DASHES and touches(tokens, j) else j
    word = lower_at(tokens, j_unit)
    if word == "percentage" and lower_at(tokens, j_unit + 1) in ("point", "points"):
        return "pp", j_unit + 2
    if word == "per" and lower_at(tokens, j_unit + 1) == "cent":
        return "%", j_unit + 2
    if word in UNITS:
        return UNITS[word], j_unit + 1
    return "", j


def _fraction(tokens: Sequence[Token], i: int) -> Quantity | None:
    """Read ``two-thirds``, ``a quarter of`` or ``half`` at `i` as percent."""
    word = lower_at(tokens, i)
    if word == "half":
        share, end = 50.0, i + 1
        scale = SCALES.get(lower_at(tokens, i + 2), 0.0) if lower_at(tokens, i + 1) == "a" else 0.0
        if scale > 1:
            unit, end = _unit(tokens, i + 3, "")
            written = surface(tokens, i, max(end, i + 3))
            bound = _bound(tokens, i)
            return Quantity(scale / 2, unit, bound, scale, scale / 2, written, i, max(end, i + 3))
    else:
        top = 1 if word in ("a", "one") else NUMBER_WORDS.get(word, 0)
        j = i + 2 if lower_at(tokens, i + 1) in DASHES else i + 1
        name = lower_at(tokens, j)
        if not 0 < top < 10 or name not in FRACTIONS:
            return None
        if top == 1 and name != "half" and lower_at(tokens, j + 1) != "of":
            return None
        if top > 1 and not name.endswith("s"):
            return None
        share, end = 100.0 * top / FRACTIONS[name], j + 1
    written = surface(tokens, i, end)
    return Quantity(share, "%", _bound(tokens, i), 1.0, 1.0, written, i, end)


def _quantity(tokens: Sequence[Token], i: int) -> Quantity | None:
    """Read the number that starts at token `i`, if one does."""
    word = tokens[i].lower
    if word[0].isdigit():
        return _digit_quantity(tokens, i)
    found = _fraction(tokens, i)
    if found is not None:
        return found
    if word in ORDINAL_WORDS and not (word == "second" and lower_at(tokens, i + 1) == "-"):
        value = float(ORDINAL_WORDS[word])
        return Quantity(value, "ordinal", "", 1.0, 1.0, tokens[i].text, i, i + 1)
    spoken = _words_value(tokens, i)
    if spoken is None:
        return None
    value, scale, end = spoken
    if lower_at(tokens, end) in DASHES and lower_at(tokens, end + 1) in ORDINAL_WORDS:
        value += ORDINAL_WORDS[lower_at(tokens, end + 1)]
        written = surface(tokens, i, end + 2)
        return Quantity(value, "ordinal", "", 1.0, 1.0, written, i, end + 2)
    unit, end_unit = _unit(tokens, end, "")
    if value == 1 and end == i + 1 and not unit:
        return None  # "one of the", "no one": a pronoun more often than a count
    written = surface(tokens, i, end_unit)
    return Quantity(value, unit, _bound(tokens, i), scale, scale, written, i, end_unit)


def _digit_quantity(tokens: Sequence[Token], i: int) -> Quantity | None:
    word = tokens[i].lower
    at, end = i, i + 1
    suffix = lower_at(tokens, end) if touches(tokens, end) else ""
    clock = _CLOCK.fullmatch(word)
    half = "".join(lower_at(tokens, k) for k in range(end, end + 4)).replace(".", "")[:2]
    if clock and (":" in word or half in ("am", "pm")):
        hour = int(clock[1]) % 12 + 12 * (half == "pm") if half in ("am", "pm") else int(clock[1])
        return Quantity(hour * 60.0 + int(clock[2]), "clock", "", 1.0, 1.0, word, i, end)
    parsed = _digits_value(word)
    if parsed is None:
        return None
    value, digits = parsed
    if suffix in ("st", "nd", "rd", "th"):
        return Quantity(value, "ordinal", "", 1.0, 1.0, surface(tokens, i, end + 1), i, end + 1)
    if suffix in ("s", "'s") or (suffix in ("'", "’") and lower_at(tokens, end + 1) == "s"):
        return Quantity(value, "decades", "", 1.0, 1.0, surface(tokens, i, end + 1), i, end + 1)
    sign = CURRENCY_SIGNS.get(lower_at(tokens, i - 1), "")
    if sign:
        at = i - 1
    scale = 1.0
    while (name := lower_at(tokens, end)) in SCALES and (len(name) > 1 or touches(tokens, end)):
        scale *= SCALES[name]
        end += 1
    if (
        lower_at(tokens, end) in DASHES
        and lower_at(tokens, end + 1) in SCALES
        and len(lower_at(tokens, end + 1)) > 3
    ):
        scale, end = SCALES[lower_at(tokens, end + 1)], end + 2
    unit, end = _unit(tokens, end, sign)
    written = surface(tokens, at, end)
    return Quantity(value * scale, unit, _bound(tokens, i), scale, digits * scale, written, at, end)


def find_quantities(tokens: Sequence[Token], days: Sequence[Day]) -> tuple[Quantity, ...]:
    """Find numbers in `tokens`, in order, leaving out those inside `days`.

    In ``3 to 5 million dollars`` and ``10, 20 and 30 percent`` the last unit and, for a
    range, its scale count for the numbers before it.
    """
    inside = {i for day in days for i in range(day.at, day.end)}
    found: list[Quantity] = []
    i = 0
    while i < len(tokens):
        word = tokens[i].lower
        starts = (word[0].isdigit() or word in _STARTS) and i not in inside
        quantity = _quantity(tokens, i) if starts else None
        if quantity is None:
            i += 1
            continue
        found.append(quantity)
        i = quantity.end
    for k in range(len(found) - 2, -1, -1):
        found[k], found[k + 1] = _share(tokens, found[k], found[k + 1])
    return tuple(found)


def _share(tokens: Sequence[Token], left: Quantity, right: Quantity) -> tuple[Quantity, Quantity]:
    """Give both ends of one range or list the unit, and a range's left end the scale."""
    joined = "".join(lower_at(tokens, i) for i in range(left.end, min(right.at, left.end + 3)))
    if joined and joined in "-–—‑":
        joined = "-"
    unsharing = {"ordinal", "clock", "decades"} & {left.unit, right.unit}
    fraction = lower_at(tokens, right.end - 1) in FRACTIONS
    if joined not in _JOINTS or unsharing or fraction or is_year(left.surface):
        return left, right
    ranged = joined in ("-", "to", "or") or (
        joined == "and" and "between" in (lower_at(tokens, left.at - k) for k in (1, 2))
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

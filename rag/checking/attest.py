"""Look for each fact of a sentence in its evidence and name the ones that are not there.

Every comparison walks the facts of a sentence of bounded length and those of the evidence, so
the time is linear in the evidence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import date
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

from rag.checking.days import Day, resolve
from rag.checking.facts import Facts, Word
from rag.checking.names import Name, likely_name
from rag.checking.quantities import Quantity, same_value
from rag.checking.tokens import flatten, stem
from rag.lexicon import CONNECTORS, FIRM_UNITS, OPENERS, PRONOUNS

ABOUT_TOLERANCE: Final = 0.06
"""How far "about 10,000" may lie from the figure it stands for, as a fraction."""
OVER_TOLERANCE: Final = 0.25
"""How far above "more than 10,000" (or below "nearly") the figure may lie, as a fraction."""
_COMMON_ENDINGS: Final = (
    "s", "ing", "ed", "ly", "tion", "sion", "ment", "er", "or", "ive", "ity", "ness", "ism", "ful",
    "ous", "able", "al", "ance", "ence",
)  # fmt: skip
_NEIGHBOURS: Final = 3
"""Content words on each side of a number that tell what it counts."""


_MAX_ANCHORS: Final = 64
"""Full dates that weekdays are counted from, so that many dates and weekdays stay linear."""


class Severity(IntEnum):
    """How bad a finding is; lower is worse."""

    OPPOSED = 0
    MISSING = 1
    DOUBT = 2


class Finding(NamedTuple):
    """One fact of a sentence that its evidence doesn't bear out, and why."""

    severity: Severity
    reason: str


def find_missing(
    claim: Facts, parts: Sequence[Facts], nearest: Sequence[Facts], context: Sequence[Facts]
) -> tuple[list[Finding], frozenset[int]]:
    """List the facts of `claim` that the evidence doesn't bear out, in the order of the checks.

    Parameters
    ----------
    claim : Facts
        Of the sentence.
    parts : sequence of Facts
        Of each evidence sentence.
    nearest : sequence of Facts
        The evidence sentences with most words of the claim: speakers are compared with these.
    context : sequence of Facts
        Of what may resolve names and dates.

    Returns
    -------
    findings : list of Finding
    borne_out : frozenset of int
        Tokens of the numbers and names that the evidence bears out, in these words or others.
    """
    findings = [*_check_quotes(claim, parts), *_check_days(claim, parts, context)]
    borne_out: set[int] = set()
    for number in claim.quantities:
        faults = list(_check_number(claim, number, parts, context))
        findings += faults
        if not faults:
            borne_out.update(range(number.at, number.end))
    for name in claim.names:
        faults = list(_check_name(claim, name, parts, nearest, context))
        findings += faults
        if not faults and (name.sure or _best_share(name, [*parts, *context]) == 1.0):
            borne_out.update(range(name.at, name.end))
    findings += _check_speakers(claim, nearest)
    return findings, frozenset(borne_out)


def _check_quotes(claim: Facts, parts: Sequence[Facts]) -> Iterable[Finding]:
    for quote in claim.quotes:
        if not any(quote.flat in part.flat for part in parts):
            yield Finding(
                Severity.DOUBT if quote.titled else Severity.MISSING,
                f"the quoted words “{quote.flat.strip()}” are not in the evidence",
            )


def units_agree(claim: str, evidence: str) -> bool:
    """Tell whether two units can be of one number; an unnamed one agrees with a loose one."""
    if claim == evidence:
        return True
    if claim in FIRM_UNITS or evidence in FIRM_UNITS:
        return False
    return not claim or not evidence


def _fits(claim: Quantity, found: Quantity) -> str | None:
    """Compare two numbers: ``""`` fits, a text is a doubt, `None` doesn't fit."""
    if not units_agree(claim.unit, found.unit):
        return None
    value, other = claim.value, found.value
    if same_value(value, other):
        if {claim.bound, found.bound} == {"over", "under"}:
            return None
        if claim.bound == found.bound or found.bound == "about" or not found.bound:
            exact_bound = claim.bound in ("over", "under") and claim.bound != found.bound
            return f"the evidence has {found.surface}, no more and no less" if exact_bound else ""
        return f"the evidence says {found.bound} {found.surface}"
    if found.bound or _significant(claim) >= _significant(found):
        return None  # only a rounder figure may stand for another
    if claim.bound == "about" and abs(value - other) <= ABOUT_TOLERANCE * abs(other):
        return ""
    if claim.bound == "over" and value < other <= value * (1 + OVER_TOLERANCE):
        return ""
    if claim.bound == "under" and value * (1 - OVER_TOLERANCE) <= other < value:
        return ""
    decimals = claim.digits < claim.scale
    return "" if decimals and abs(value - other) <= claim.digits / 2 else None


def _significant(quantity: Quantity) -> int:
    """Count the figures of a number up to its last one that isn't 0: 10,500 has three."""
    return len(f"{quantity.value:.12g}".replace(".", "").split("e")[0].strip("0"))


def _is_year(quantity: Quantity) -> bool:
    return not quantity.unit and 1000 <= quantity.value <= 2100 and quantity.surface.isdecimal()


def _around(facts: Facts, at: int, end: int, reach: int) -> set[str]:
    """Stems of the `reach` content words on each side of tokens ``[at, end)``."""
    first = bisect_left(facts.words, at, key=_place)
    rest = bisect_left(facts.words, end, key=_place)
    beside = [*facts.words[max(0, first - reach) : first], *facts.words[rest : rest + reach]]
    return {word.stem for word in beside}


def _place(word: Word) -> int:
    return word.at


def _check_number(
    claim: Facts, number: Quantity, parts: Sequence[Facts], context: Sequence[Facts]
) -> Iterable[Finding]:
    if numbers_item(claim, number):
        return
    near = _around(claim, number.at, number.end, _NEIGHBOURS)
    doubt: str | None = None
    for part in parts:
        for found in part.quantities:
            fit = _fits(number, found)
            if fit is None:
                continue
            if near and not near & _around(part, found.at, found.end, 2 * _NEIGHBOURS):
                fit = fit or f"{number.surface} stands elsewhere in the evidence"
            if not fit:
                return
            doubt = fit
    if doubt is not None:
        yield Finding(Severity.DOUBT, doubt)
    elif _is_year(number):
        yield from _check_year(number, parts, context)
    elif number.unit == "ordinal" and not any(
        q.unit == "ordinal" for part in parts for q in part.quantities
    ):
        yield Finding(Severity.DOUBT, f"“{number.surface}” is not in the evidence")
    elif _is_counted(claim, number):
        yield Finding(Severity.DOUBT, f"{number.surface} is not said in the evidence")
    else:
        yield Finding(Severity.MISSING, f"the number {number.surface} is not in the evidence")


def numbers_item(facts: Facts, number: Quantity) -> bool:
    """Tell whether a number only numbers an item of a list: *1. Preheat the oven*."""
    return number.at == 0 and len(facts.tokens) > 1 and facts.tokens[1].text in ".)"


def _is_counted(claim: Facts, number: Quantity) -> bool:
    """Tell whether a small number sums up what was named: *the two leaders*, *both sides*."""
    before = claim.tokens[number.at - 1].lower if number.at else ""
    return (
        number.value <= 3
        and not number.surface[0].isdigit()
        and before
        in (
            "the",
            "these",
            "those",
            "all",
            "other",
            "between",
        )
    )


def _years(facts: Iterable[Facts]) -> set[int]:
    found: set[int] = set()
    for fact in facts:
        found.update(day.year for day in fact.days if day.year is not None)
        found.update(int(q.value) for q in fact.quantities if _is_year(q))
    return found


def _check_year(
    year: Quantity, parts: Sequence[Facts], context: Sequence[Facts]
) -> Iterable[Finding]:
    value = int(year.value)
    if value in _years(parts):
        return
    around = _years(context)
    shifts = {d.shift[1] for part in parts for d in part.days if d.shift and d.shift[0] == "year"}
    if any(value == other + shift for other in around for shift in shifts):
        return
    if value in around:
        yield Finding(Severity.DOUBT, f"{year.surface} stands only near the evidence")
        return
    yield Finding(Severity.MISSING, f"the year {year.surface} is not in the evidence")


def _anchors(facts: Iterable[Facts]) -> list[date]:
    found = {full for fact in facts for day in fact.days if (full := day.full) is not None}
    return sorted(found)[:_MAX_ANCHORS]


def _distinct_days(facts: Iterable[Facts]) -> list[Day]:
    distinct = {
        (day.year, day.month, day.day, day.weekday, day.shift): day
        for fact in facts
        for day in fact.days
    }
    return list(distinct.values())


def _same_day(claim: Day, found: Day, years: set[int], anchors: Sequence[date]) -> bool:
    """Tell whether the parts of a date that `claim` gives agree with `found`."""
    if claim.shift is not None or found.shift is not None:
        if claim.shift == found.shift:
            return True
    elif claim.weekday is not None and claim.weekday == found.weekday:
        return True
    if claim.month is not None and found.month is not None:
        return (
            claim.month == found.month
            and claim.day in (None, found.day)
            and (
                claim.year is None
                or claim.year == found.year
                or (found.year is None and claim.year in years)
            )
        )
    claimed = [claim.full] if claim.full else list(resolve(claim, anchors))
    meant = [found.full] if found.full else list(resolve(found, anchors))
    if claim.weekday is not None and any(day and day.weekday() == claim.weekday for day in meant):
        return True
    if claim.month is not None and claim.full is None:
        return any(d and d.month == claim.month and claim.day in (None, d.day) for d in meant)
    return any(day is not None and day in meant for day in claimed)


def _check_days(
    claim: Facts, parts: Sequence[Facts], context: Sequence[Facts]
) -> Iterable[Finding]:
    if not claim.days:
        return
    evidence_days = _distinct_days(parts)
    context_days = _distinct_days(context)
    anchors = _anchors((*parts, *context))
    years = {anchor.year for anchor in anchors}
    for day in claim.days:
        if any(_same_day(day, found, years, anchors) for found in evidence_days):
            continue
        if day.shift is not None:
            yield Finding(Severity.DOUBT, f"“{day.surface}” is not in the evidence")
        elif not evidence_days and any(
            _same_day(day, found, years, anchors) for found in context_days
        ):
            yield Finding(Severity.DOUBT, f"{day.surface} stands only near the evidence")
        else:
            yield Finding(Severity.MISSING, f"the date {day.surface} is not in the evidence")


def _initials(name: Name) -> str:
    return "".join(word[0] for word in name.words if word not in CONNECTORS)


def _is_named(name: Name, facts: Facts) -> float:
    """Share of a name's words that stand in `facts`; an acronym counts for its full name."""
    if len(name.words) == 1:
        short = name.words[0].replace(".", "")
        if _has_word(name.words[0], facts):
            return 1.0
        return float(
            1 < len(short) <= 6 and any(_initials(other) == short for other in facts.names)
        )
    share = sum(_has_word(word, facts) for word in name.words) / len(name.words)
    if share < 1 and len(name.words) > 1 and _initials(name) in facts.vocabulary:
        return 1.0
    return share


def _stands_together(name: Name, facts: Facts) -> bool:
    """Tell whether the words of a name follow each other in `facts`."""
    stems = [word if " " in word else stem(word) for word in name.words]
    return (
        all(pair in facts.pairs for pair in pairwise(stems)) or _initials(name) in facts.vocabulary
    )


def _has_word(word: str, facts: Facts) -> bool:
    return word in facts.vocabulary or stem(word) in facts.vocabulary


def _check_name(
    claim: Facts,
    name: Name,
    parts: Sequence[Facts],
    nearest: Sequence[Facts],
    context: Sequence[Facts],
) -> Iterable[Finding]:
    here = _best_share(name, parts)
    if here == 1.0:
        whole = name.sure and name.at > 0 and " of " not in name.surface
        if whole and not any(_stands_together(name, part) for part in parts):
            yield Finding(
                Severity.DOUBT, f"the words of {name.surface} stand apart in the evidence"
            )
        return
    nearby = any(f" {flatten(name.surface).strip()} " in part.flat for part in context)
    if not name.sure and not nearby and _looks_common(name.words[0]):
        return
    family = any(name.words[-1] in part.vocabulary for part in parts)
    if nearby and (family or _may_refer(claim, nearest)):
        return
    if here > 0 and (family or nearby):
        yield Finding(Severity.DOUBT, f"the evidence has only part of the name {name.surface}")
    elif nearby and not _rivals(claim, nearest):
        yield Finding(Severity.DOUBT, f"{name.surface} stands only near the evidence")
    else:
        known = name.sure or nearby or likely_name(claim.tokens, name)
        severity = Severity.MISSING if known else Severity.DOUBT
        yield Finding(severity, f"the name {name.surface} is not in the evidence")


def _best_share(name: Name, parts: Sequence[Facts]) -> float:
    best = max((_is_named(name, part) for part in parts), default=0.0)
    if 0 < best < 1 and len(parts) > 1:  # the words of a name may be spread over the evidence
        return sum(any(_has_word(w, p) for p in parts) for w in name.words) / len(name.words)
    return best


def _looks_common(word: str) -> bool:
    return word in OPENERS or word.endswith(_COMMON_ENDINGS)


def _may_refer(claim: Facts, nearest: Sequence[Facts]) -> bool:
    """Tell whether evidence has a pronoun for a name and no other name in its place."""
    return any(
        any(token.lower in PRONOUNS for token in part.tokens) for part in nearest
    ) and not _rivals(claim, nearest)


def _rivals(claim: Facts, nearest: Sequence[Facts]) -> bool:
    """Tell whether the nearest evidence names somebody whom the claim leaves out."""
    return any(
        (name.sure or likely_name(part.tokens, name))
        and not any(word in claim.vocabulary for word in name.words)
        for part in nearest[:1]
        for name in part.names
    )


def _check_speakers(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    theirs = [speaker for part in nearest for speaker in part.speakers]
    for speaker in claim.speakers:
        if speaker[0] in PRONOUNS or not theirs:
            continue
        if any(speaker[-1] == other[-1] or set(speaker) & set(other) for other in theirs):
            continue
        if any(other[0] in PRONOUNS for other in theirs):
            continue
        reason = f"the evidence attributes it to {theirs[0][-1]}, not to {speaker[-1]}"
        named = any(name.words == speaker for name in claim.names)
        role = any(
            len(other) == 1 and not other[0].endswith("s")
            for other in theirs
            if (not any(other == name.words for part in nearest for name in part.names))
        )
        yield Finding(Severity.MISSING if named and not role else Severity.DOUBT, reason)

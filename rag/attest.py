"""Look for each fact of a sentence in its evidence and name the ones that aren't there.

Every comparison walks the facts of a sentence of bounded length and those of the evidence, so
the time is linear in the evidence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import date
from enum import IntEnum
from typing import Final, NamedTuple

from rag.facts import Facts, Name, Word, flatten, likely_name, stem
from rag.lexicon import CONNECTORS, FIRM_UNITS, OPENERS, PRONOUNS
from rag.quantities import (
    ABOUT_TOLERANCE,
    OVER_TOLERANCE,
    Day,
    Quantity,
    resolve,
    same_value,
)

Stretch = tuple[int, int]
"""Tokens ``[at, end)``."""

_COMMON_ENDINGS: Final = (
    "s", "ing", "ed", "ly", "tion", "sion", "ment", "er", "or", "ive", "ity", "ness", "ism", "ful",
    "ous", "able", "al", "ance", "ence",
)  # fmt: skip
_NEIGHBOURS: Final = 3
"""Content words on each side of a number that tell what it counts."""


_SAME_SHARE: Final = 0.85
"""Share of content words, both ways, from which two sentences must negate alike."""
_SUBSTITUTE_SHARE: Final = 0.7
"""The same, from which a word in another's place is taken for a change, not for a rewording."""


class Severity(IntEnum):
    """How bad a finding is; lower is worse."""

    OPPOSED = 0
    MISSING = 1
    DOUBT = 2


class Finding(NamedTuple):
    """One fact of a sentence that its evidence doesn't bear out, and why."""

    severity: Severity
    reason: str


def find_faults(
    claim: Facts, parts: Sequence[Facts], nearest: Sequence[Facts], context: Sequence[Facts]
) -> list[Finding]:
    """List what the evidence doesn't bear out, in the order of the checks.

    Parameters
    ----------
    claim : Facts
        Of the sentence.
    parts : sequence of Facts
        Of each evidence sentence.
    nearest : sequence of Facts
        The evidence sentences with most words of the claim: polarity is compared with these.
    context : sequence of Facts
        Of what may resolve names and dates.
    """
    return [
        *_check_quotes(claim, parts),
        *_check_numbers(claim, parts, context),
        *_check_days(claim, parts, context),
        *_check_names(claim, parts, nearest, context),
        *_check_speakers(claim, nearest, context),
        *_check_negation(claim, nearest),
        *_check_directions(claim, nearest),
        *_check_roles(claim, nearest),
        *_check_places(claim, nearest),
        *_check_substitutes(claim, nearest),
        *_check_hedges(claim, nearest),
    ]


def _check_quotes(claim: Facts, parts: Sequence[Facts]) -> Iterable[Finding]:
    for quote in claim.quotes:
        if not any(quote.flat in part.flat for part in parts):
            yield Finding(
                Severity.DOUBT if quote.titled else Severity.MISSING,
                f"the quoted words “{quote.flat.strip()}” are not in the evidence",
            )


def _units_agree(claim: str, evidence: str) -> bool:
    if claim == evidence:
        return True
    if claim in FIRM_UNITS or evidence in FIRM_UNITS:
        return False
    return not claim or not evidence


def _fits(claim: Quantity, found: Quantity) -> str | None:
    """Compare two numbers: ``""`` fits, a text is a doubt, `None` doesn't fit."""
    if not _units_agree(claim.unit, found.unit):
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
    return not quantity.unit and 1000 <= quantity.value <= 2100 and quantity.surface.isdigit()


class Slot(NamedTuple):
    """What stands around a fact: the words next to it and the content words next to it."""

    before: str
    after: str
    stem_before: str
    stem_after: str

    def likeness(self, other: Slot) -> int:
        """Count the sides that agree, from 0 to 4."""
        return sum(a == b != "" for a, b in zip(self, other, strict=True))


def _slot(facts: Facts, at: int, end: int) -> Slot:
    tokens, words = facts.tokens, facts.words
    first = bisect_left(words, at, key=_place)
    rest = bisect_left(words, end, key=_place)
    return Slot(
        tokens[at - 1].lower if at else "^",
        tokens[end].lower if end < len(tokens) else "",
        words[first - 1].stem if first else "",
        words[rest].stem if rest < len(words) else "",
    )


def _place(word: Word) -> int:
    return word.at


def _displaced(
    claim: Facts, part: Facts, ours: Stretch, same: Sequence[Stretch], others: Sequence[Stretch]
) -> str | None:
    """Find another fact of the evidence in whose surroundings the claim puts `ours`.

    `same` are the places of the same fact in the evidence, `others` those of its rivals. A
    sentence whose only difference is the voice isn't judged.
    """
    if not same or not others or _is_passive(claim) != _is_passive(part):
        return None
    slot = _slot(claim, *ours)
    own = max(slot.likeness(_slot(part, *place)) for place in same)
    best = max(others, key=lambda place: slot.likeness(_slot(part, *place)))
    if slot.likeness(_slot(part, *best)) < own + 2:
        return None
    return " ".join(token.text for token in part.tokens[best[0] : best[1]])


def _is_passive(facts: Facts) -> bool:
    return any(token.lower == "by" for token in facts.tokens)


def _around(facts: Facts, at: int, end: int, reach: int) -> set[str]:
    """Stems of the `reach` content words on each side of tokens ``[at, end)``."""
    before = [w.stem for w in facts.words if w.at < at][-reach:]
    after = [w.stem for w in facts.words if w.at >= end][:reach]
    return {*before, *after}


def _check_numbers(
    claim: Facts, parts: Sequence[Facts], context: Sequence[Facts]
) -> Iterable[Finding]:
    for number in claim.quantities:
        if _numbers_item(claim, number):
            continue
        doubt: str | None = None
        bound_here = False
        for part in parts:
            for found in part.quantities:
                fit = _fits(number, found)
                if fit is None:
                    continue
                near = _around(claim, number.at, number.end, _NEIGHBOURS)
                beside = _around(part, found.at, found.end, 2 * _NEIGHBOURS)
                if near and not near & beside:
                    fit = fit or f"{number.surface} stands elsewhere in the evidence"
                if fit == "":
                    bound_here = True
                    break
                doubt = fit
            if bound_here:
                break
        if bound_here:
            continue
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
            yield Finding(
                Severity.MISSING, f"the number {number.surface} is not in the evidence"
            )


def _numbers_item(facts: Facts, number: Quantity) -> bool:
    """Tell whether a number only numbers an item of a list: *1. Preheat the oven*."""
    return number.at == 0 and len(facts.tokens) > 1 and facts.tokens[1].text in ".)"


def _is_counted(claim: Facts, number: Quantity) -> bool:
    """Tell whether a small number sums up what was named: *the two leaders*, *both sides*."""
    before = claim.tokens[number.at - 1].lower if number.at else ""
    return number.value <= 3 and not number.surface[0].isdigit() and before in (
        "the", "these", "those", "all", "other", "between",
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
    return [full for fact in facts for day in fact.days if (full := day.full) is not None]


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
    evidence_days = [day for part in parts for day in part.days]
    context_days = [day for part in context for day in part.days]
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
        all(pair in facts.pairs for pair in zip(stems, stems[1:], strict=False))
        or _initials(name) in facts.vocabulary
    )


def _has_word(word: str, facts: Facts) -> bool:
    return word in facts.vocabulary or stem(word) in facts.vocabulary


def _check_names(
    claim: Facts, parts: Sequence[Facts], nearest: Sequence[Facts], context: Sequence[Facts]
) -> Iterable[Finding]:
    for name in claim.names:
        here = _best_share(name, parts)
        if here == 1.0:
            whole = name.sure and name.at > 0 and " of " not in name.surface
            if whole and not any(_stands_together(name, part) for part in parts):
                yield Finding(
                    Severity.DOUBT, f"the words of {name.surface} stand apart in the evidence"
                )
            continue
        nearby = float(any(f" {flatten(name.surface).strip()} " in part.flat for part in context))
        if not name.sure and nearby < 1.0 and _looks_common(name.words[0]):
            continue
        family = any(name.words[-1] in part.vocabulary for part in parts)
        if family and nearby == 1.0:
            continue
        if here > 0 and (family or nearby == 1.0):
            yield Finding(Severity.DOUBT, f"the evidence has only part of the name {name.surface}")
        elif nearby == 1.0 and _may_refer(claim, nearest):
            continue
        elif nearby == 1.0 and not _rivals(claim, nearest):
            yield Finding(Severity.DOUBT, f"{name.surface} stands only near the evidence")
        else:
            known = name.sure or nearby == 1.0 or likely_name(claim, name)
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
        name.sure and not any(word in claim.vocabulary for word in name.words)
        for part in nearest[:1]
        for name in part.names
    )


def _check_speakers(
    claim: Facts, nearest: Sequence[Facts], context: Sequence[Facts]
) -> Iterable[Finding]:
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
        role = any(len(other) == 1 and not other[0].endswith("s") for other in theirs if (
            not any(other == name.words for part in nearest for name in part.names)))
        yield Finding(Severity.MISSING if named and not role else Severity.DOUBT, reason)


def _polarities(stem: str, facts: Facts) -> set[bool]:
    """Whether `stem` stands negated, unnegated, or both, in `facts`."""
    return {word.negated for word in facts.words if word.stem == stem}


def _weigh(claim: Facts, part: Facts) -> Severity:
    """Tell how much an opposite counts: a contradiction needs half of the words in common."""
    shared = sum(word.stem in part.vocabulary for word in claim.words)
    return Severity.OPPOSED if 2 * shared >= len(claim.words) else Severity.DOUBT


def _check_negation(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    for part in nearest[:1]:
        for ours, other in ((claim, part), (part, claim)):
            named = {word for name in ours.names for word in name.words}
            for scope in ours.negations:
                known = [s for s in scope[:2] if s in other.vocabulary and s not in named]
                if not known:
                    continue
                if _polarities(known[0], other) == {False} and _polarities(known[0], ours) == {True}:
                    side = "the sentence" if ours is claim else "the evidence"
                    yield Finding(_weigh(claim, part), f"only {side} negates “{known[0]}”")
                    return
        if _nearly_same(claim, part, _SAME_SHARE) and claim.negators != part.negators:
            yield Finding(Severity.OPPOSED, "one negation more or less than in the evidence")


def _nearly_same(claim: Facts, part: Facts, share: float) -> bool:
    """Tell whether two sentences have almost all content words in common."""
    shared = sum(word.stem in part.vocabulary for word in claim.words)
    back = sum(word.stem in claim.vocabulary for word in part.words)
    return shared >= share * len(claim.words) and back >= share * len(part.words)


def _check_directions(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    for part in nearest[:1]:
        for ours in claim.directions:
            same = opposite = -1
            word = ""
            for theirs in part.directions:
                if theirs.axis != ours.axis:
                    continue
                beside = (theirs.before == ours.before != "") + (theirs.after == ours.after != "")
                if theirs.side == ours.side:
                    same = max(same, beside)
                elif beside > opposite:
                    opposite, word = beside, theirs.stem
            enough = 2 if ours.stem in part.vocabulary else 1
            if opposite > same and opposite >= enough and word != ours.stem:
                yield Finding(
                    _weigh(claim, part), f"the evidence says “{word}”, the sentence “{ours.stem}”"
                )


def _check_roles(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    for part in nearest[:1]:
        for verb, who, whom in claim.roles - part.roles:
            if (verb, whom, who) in part.roles and who != whom:
                yield Finding(
                    Severity.OPPOSED, f"{who} and {whom} have changed places around “{verb}”"
                )


def _check_hedges(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    if any(word.hedged for word in claim.words):
        return
    for part in nearest[:1]:
        sure = {word.stem for word in part.words if not word.hedged}
        hedged = {word.stem for word in part.words if word.hedged} - sure
        dropped = [word.stem for word in claim.words if word.stem in hedged]
        if dropped:
            yield Finding(Severity.DOUBT, f"the evidence is less certain about “{dropped[0]}”")
            return


def _check_places(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    """Find numbers, dates and names that the evidence has, but in another's place."""
    for part in nearest[:1]:
        for number in claim.quantities:
            if _numbers_item(claim, number):
                continue
            alike = [q for q in part.quantities if _units_agree(number.unit, q.unit)]
            yield from _report_displaced(
                claim,
                part,
                (number.at, number.end),
                [(q.at, q.end) for q in alike if same_value(q.value, number.value)],
                [(q.at, q.end) for q in alike if not same_value(q.value, number.value)],
            )
        for day in claim.days:
            yield from _report_displaced(
                claim,
                part,
                (day.at, day.end),
                [(d.at, d.end) for d in part.days if _same_parts(d, day)],
                [(d.at, d.end) for d in part.days if not _same_parts(d, day)],
            )
        for name in claim.names:
            known = set(name.words)
            yield from _report_displaced(
                claim,
                part,
                (name.at, name.end),
                [(n.at, n.end) for n in part.names if known & set(n.words)],
                [(n.at, n.end) for n in part.names if not known & set(n.words)],
            )


def _check_substitutes(claim: Facts, nearest: Sequence[Facts]) -> Iterable[Finding]:
    """Find words that stand exactly where nearly the same evidence has another word."""
    for part in nearest[:1]:
        absent = [
            word
            for word in claim.words
            if word.weight >= 1 and word.stem not in part.vocabulary and word.stem[0] != "#"
        ]
        if not absent or not _nearly_same(claim, part, _SUBSTITUTE_SHARE):
            return
        slots = {
            (slot.stem_before, slot.stem_after): word
            for word in part.words
            if word.stem not in claim.vocabulary
            for slot in [_slot(part, word.at, word.at + 1)]
        }
        for word in absent:
            slot = _slot(claim, word.at, word.at + 1)
            other = slots.get((slot.stem_before, slot.stem_after))
            if other is not None and (slot.stem_before and slot.stem_after):
                ours, theirs = claim.tokens[word.at].text, part.tokens[other.at].text
                yield Finding(
                    Severity.DOUBT, f"where the sentence has {ours}, the evidence has {theirs}"
                )


def _same_parts(one: Day, other: Day) -> bool:
    return (one.month, one.day, one.weekday, one.shift) == (
        other.month, other.day, other.weekday, other.shift,
    )


def _report_displaced(
    claim: Facts, part: Facts, ours: Stretch, same: Sequence[Stretch], others: Sequence[Stretch]
) -> Iterable[Finding]:
    rival = _displaced(claim, part, ours, same, others)
    if rival is not None:
        own = " ".join(token.text for token in claim.tokens[ours[0] : ours[1]])
        yield Finding(_weigh(claim, part), f"where the sentence has {own}, the evidence has {rival}")

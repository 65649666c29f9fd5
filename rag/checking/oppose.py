"""Find where a sentence turns its evidence round: negation, direction, roles, exchanged facts.

Only the evidence sentence with most of its words is compared: elsewhere in an article the same
words may well be negated.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rag.checking.attest import Finding, Severity, numbers_item, units_agree
from rag.checking.days import Day
from rag.checking.facts import Facts, Word
from rag.checking.quantities import same_value

Stretch = tuple[int, int]
"""Tokens ``[at, end)``."""
_SAME_SHARE: Final = 0.85
"""Share of content words, both ways, from which two sentences must negate alike."""
_SUBSTITUTE_SHARE: Final = 0.7
"""The same, from which a word in another's place is taken for a change, not for a rewording."""


def find_opposed(claim: Facts, part: Facts) -> list[Finding]:
    """List where `claim` says the opposite of `part`, puts facts in other places, or is surer.

    Parameters
    ----------
    claim : Facts
        Of the sentence.
    part : Facts
        Of the evidence sentence that has most of its words.
    """
    return [
        *_check_negation(claim, part),
        *_check_directions(claim, part),
        *_check_roles(claim, part),
        *_check_hedges(claim, part),
        *_check_places(claim, part),
        *_check_substitutes(claim, part),
    ]


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


def _polarities(stem: str, facts: Facts) -> set[bool]:
    """Whether `stem` stands negated, unnegated, or both, in `facts`."""
    return {word.negated for word in facts.words if word.stem == stem}


def _weigh(claim: Facts, part: Facts) -> Severity:
    """Tell how much an opposite counts: a contradiction needs half of the words in common."""
    shared = sum(word.stem in part.vocabulary for word in claim.words)
    return Severity.OPPOSED if 2 * shared >= len(claim.words) else Severity.DOUBT


def _check_negation(claim: Facts, part: Facts) -> Iterable[Finding]:
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


def _check_directions(claim: Facts, part: Facts) -> Iterable[Finding]:
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


def _check_roles(claim: Facts, part: Facts) -> Iterable[Finding]:
    for verb, who, whom in claim.roles - part.roles:
        if (verb, whom, who) in part.roles and who != whom:
            yield Finding(Severity.OPPOSED, f"{who} and {whom} have changed places around “{verb}”")


def _check_hedges(claim: Facts, part: Facts) -> Iterable[Finding]:
    if any(word.hedged for word in claim.words):
        return
    sure = {word.stem for word in part.words if not word.hedged}
    hedged = {word.stem for word in part.words if word.hedged} - sure
    dropped = [word.stem for word in claim.words if word.stem in hedged]
    if dropped:
        yield Finding(Severity.DOUBT, f"the evidence is less certain about “{dropped[0]}”")
        return


def _check_places(claim: Facts, part: Facts) -> Iterable[Finding]:
    """Find numbers, dates and names that the evidence has, but in another's place."""
    for number in claim.quantities:
        if numbers_item(claim, number):
            continue
        alike = [q for q in part.quantities if units_agree(number.unit, q.unit)]
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


def _check_substitutes(claim: Facts, part: Facts) -> Iterable[Finding]:
    """Find words that stand exactly where nearly the same evidence has another word."""
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
        other.month,
        other.day,
        other.weekday,
        other.shift,
    )


def _report_displaced(
    claim: Facts, part: Facts, ours: Stretch, same: Sequence[Stretch], others: Sequence[Stretch]
) -> Iterable[Finding]:
    rival = _displaced(claim, part, ours, same, others)
    if rival is not None:
        own = " ".join(token.text for token in claim.tokens[ours[0] : ours[1]])
        yield Finding(
            _weigh(claim, part), f"where the sentence has {own}, the evidence has {rival}"
        )

"""Measure how much of a sentence stands in its evidence: words, facts, and what is missing.

The measures are the features of the support model (`rag.checking.support`); the findings among
them also decide verdicts by rule (`rag.verify`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag.checking.attest import Finding, Severity, find_missing
from rag.checking.facts import Facts, Word, read_facts
from rag.checking.oppose import find_opposed


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of a sentence's wording stands in its evidence; fractions in [0, 1].

    Parameters
    ----------
    recall : float
        Weighted share of the content words found anywhere in the evidence.
    closest : float
        The same against the closest single sentence.
    pairs : float
        Share of neighbouring content words that also stand together, in order, in one sentence.
    absent : tuple of Word
        Words that were not found.
    weight : float
        Of all words together.
    """

    recall: float
    closest: float
    pairs: float
    absent: tuple[Word, ...]
    weight: float


def compare(
    claim: Facts, parts: Sequence[Facts], context: Sequence[str]
) -> tuple[Overlap, list[Finding]]:
    """Measure how much of `claim` stands in `parts`, and list the facts that don't or are opposed.

    Parameters
    ----------
    claim : Facts
        Of the sentence.
    parts : sequence of Facts
        Of each evidence sentence; at least one.
    context : sequence of str
        What may tell who *he* is and when *Saturday* was.
    """
    overlap, nearest = measure_overlap(claim, parts)
    around = [read_facts(part) for part in context]
    findings, borne_out = find_missing(claim, parts, nearest, around)
    found = sum(word.weight for word in overlap.absent if word.at in borne_out)
    if found:  # a number or a name in other words
        overlap = replace(
            overlap,
            recall=min(1.0, overlap.recall + found / overlap.weight),
            closest=min(1.0, overlap.closest + found / overlap.weight),
            absent=tuple(word for word in overlap.absent if word.at not in borne_out),
        )
    return overlap, [*findings, *find_opposed(claim, nearest[0])]


def is_verbatim(claim: Facts, part: Facts) -> bool:
    """Tell whether `claim` is `part`, or a stretch of it that nothing outside it governs."""
    if claim.flat == part.flat:
        return True
    if claim.flat not in part.flat or len(claim.words) < 3:
        return False
    governed = {w.stem for w in part.words if w.negated or w.hedged}
    own = {w.stem for w in claim.words if w.negated or w.hedged}
    return not any(w.stem in governed - own for w in claim.words) and not (
        any(
            n not in claim.negations
            for n in part.negations
            if set(n) & {w.stem for w in claim.words}
        )
    )


def measure_overlap(claim: Facts, parts: Sequence[Facts]) -> tuple[Overlap, list[Facts]]:
    """Measure the overlap of words, and list the parts nearest to `claim`, best first.

    A word counts .8 where the evidence has only another word of the same first five letters.
    """
    words = claim.words
    if not words:
        shared = [part for part in parts if claim.flat in part.flat]
        share = 1.0 if shared else 0.0
        return Overlap(share, share, share, (), 1.0), list(shared or parts[:1])
    total = sum(word.weight for word in words)
    found_any = [0.0] * len(words)
    ranked: list[tuple[float, int]] = []
    for number, part in enumerate(parts):
        mass = 0.0
        for k, word in enumerate(words):
            credit = _credit(word.stem, part)
            if credit:
                mass += credit * word.weight
                found_any[k] = max(found_any[k], credit)
        ranked.append((-mass, number))
    ranked.sort()
    best = -ranked[0][0]
    nearest = [parts[n] for mass, n in ranked[:3] if -mass >= 0.7 * best]
    recall = sum(f * w.weight for f, w in zip(found_any, words, strict=True)) / total
    links = [(a.stem, b.stem) for a, b in pairwise(words)]
    together = sum(any(link in part.pairs for part in parts) for link in links)
    pairs = together / len(links) if links else recall
    absent = tuple(w for f, w in zip(found_any, words, strict=True) if not f)
    return Overlap(recall, best / total, pairs, absent, total), nearest


def _credit(stem: str, part: Facts) -> float:
    if stem in part.vocabulary:
        return 1.0
    return 0.8 if len(stem) >= 5 and stem[:5] in part.prefixes else 0.0


def measures(
    overlap: Overlap, findings: Sequence[Finding], similarity: float | None = None
) -> dict[str, float]:
    """Return the features of the support model, by name.

    Parameters
    ----------
    overlap : Overlap
    findings : sequence of Finding
    similarity : float or None
        Highest cosine of the sentence with one of the evidence, if known; below 0 counts as 0.
    """
    count = dict.fromkeys(Severity, 0)
    for finding in findings:
        count[finding.severity] += 1
    values = {
        "closest": overlap.closest,
        "pairs": overlap.pairs,
        "missing": float(min(2, count[Severity.MISSING])),
        "opposed": float(min(1, count[Severity.OPPOSED])),
        "doubt": float(min(2, count[Severity.DOUBT])),
    }
    if similarity is not None:
        values["similarity"] = min(1.0, max(0.0, similarity))
    return values

"""Decide whether cited evidence supports a sentence, by rules, and say what decided it.

A sentence is read into facts (`rag.facts`) and each fact is looked for in the evidence. A number,
date, name or quotation that isn't there, or that someone else said, makes the sentence
unsupported, however similar the words are; opposite polarity or direction contradicts it. Only
then do the words count. No model: a cosine may be joined in by the caller.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.attest import Finding, Severity, find_faults
from rag.facts import Facts, flatten, read_facts
from rag.schema import Citation, Support, Verdict

MAX_SENTENCE_CHARACTERS: Final = 2_000
"""A longer "sentence" isn't checked but found unsupported: it bounds the work per check."""
SUPPORTED_RECALL: Final = 0.72
PARTLY_RECALL: Final = 0.45
"""Weighted share of a sentence's words to be supported, and to be partly supported."""

# Logistic weights of the score; fitted by `python -m eval.bench_verify --fit` (see there).
_BIAS: Final = -2.6
_WEIGHTS: Final = {
    "recall": 2.2,
    "closest": 1.4,
    "pairs": 2.4,
    "missing": -1.0,
    "opposed": -1.0,
    "doubt": -0.3,
}
_SIMILARITY_SHARE: Final = 0.25
"""Part of the recall that a cosine replaces where the caller gives one."""


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
    absent : tuple of str
        Words that were not found, as written.
    """

    recall: float
    closest: float
    pairs: float
    absent: tuple[str, ...]


def is_exact(citation: Citation, stored_text: str) -> bool:
    """Tell whether a citation's quote is what its article holds.

    Parameters
    ----------
    citation : Citation
    stored_text : str
        Text of the cited version of the article, as the catalogue holds it.

    Returns
    -------
    bool
        Whether ``stored_text[start:end]`` equals the quote character for character and the quote
        has the citation's sha256. An empty quote is never exact.
    """
    span = citation.evidence.span
    quote = citation.quote
    return (
        bool(quote)
        and span.end <= len(stored_text)
        and span.cut(stored_text) == quote
        and hashlib.sha256(quote.encode("utf-8", "surrogatepass")).hexdigest() == citation.sha256
    )


def check_sentence(
    text: str,
    evidence: Sequence[str],
    *,
    context: Sequence[str] = (),
    similarity: float | None = None,
) -> Verdict:
    """Check one sentence against the sentences it cites.

    Parameters
    ----------
    text : str
        The sentence, without labels.
    evidence : sequence of str
        The cited sentences; each is read as one sentence.
    context : sequence of str
        The rest of their passages, titles and dates of publication. It may tell who *he* is and
        when *Saturday* was, but supports no statement by itself.
    similarity : float or None
        Cosine of sentence and evidence in [-1, 1], if known; it replaces a quarter of the words'
        weight.

    Returns
    -------
    Verdict
        SUPPORTED with reason ``"verbatim"`` if the sentence is one of the evidence sentences or
        stands in one, not under a negation or a hedge. An empty sentence, no evidence, or a
        sentence of more than `MAX_SENTENCE_CHARACTERS` is UNSUPPORTED with score 0.

    Examples
    --------
    >>> check_sentence("Japan issues 10,000 visas.", ["Japan issues ten thousand visas."]).support
    <Support.SUPPORTED: 'supported'>
    >>> check_sentence("Japan issues 12,000 visas.", ["Japan issues ten thousand visas."]).reason
    'the number 12,000 is not in the evidence'
    """
    if len(text) > MAX_SENTENCE_CHARACTERS:
        return Verdict(Support.UNSUPPORTED, "the sentence is too long to check", 0.0)
    claim = read_facts(text)
    parts = [read_facts(part) for part in evidence if part.strip()]
    if not claim.flat.strip():
        return Verdict(Support.UNSUPPORTED, "the sentence is empty", 0.0)
    if not parts:
        return Verdict(Support.UNSUPPORTED, "no evidence is cited", 0.0)
    if any(_is_verbatim(claim, part) for part in parts):
        return Verdict(Support.SUPPORTED, "verbatim", 1.0)
    overlap, nearest = measure_overlap(claim, parts)
    findings = find_faults(claim, parts, nearest, [read_facts(part) for part in context])
    return _decide(overlap, findings, similarity)


def support_scores(pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Score sentences against their sources; higher is better supported.

    Parameters
    ----------
    pairs : sequence of (str, str)
        A sentence and its source, which may be a sentence or a whole article: it is split into
        sentences, and context is what the sentence doesn't need.

    Returns
    -------
    list of float
        In [0, 1], one a pair, in order.
    """
    from rag.split import split_sentences

    scores: list[float] = []
    last_source, parts = "", [""]
    for sentence, source in pairs:
        if source != last_source:
            parts = [span.cut(source) for span in split_sentences(source)]
            last_source = source
        scores.append(check_sentence(sentence, parts).score)
    return scores


def _is_verbatim(claim: Facts, part: Facts) -> bool:
    """Tell whether `claim` is `part`, or a stretch of it that nothing outside it governs."""
    if claim.flat == part.flat:
        return True
    if claim.flat not in part.flat or len(claim.words) < 3:
        return False
    governed = {w.stem for w in part.words if w.negated or w.hedged}
    own = {w.stem for w in claim.words if w.negated or w.hedged}
    return not any(w.stem in governed - own for w in claim.words) and not (
        any(n not in claim.negations for n in part.negations if set(n) & {w.stem for w in claim.words})
    )


def measure_overlap(claim: Facts, parts: Sequence[Facts]) -> tuple[Overlap, list[Facts]]:
    """Measure the overlap of words, and list the parts nearest to `claim`, best first.

    A word counts .8 where the evidence has only another word of the same first five letters.
    """
    words = claim.words
    if not words:
        shared = [part for part in parts if claim.flat in part.flat]
        share = 1.0 if shared else 0.0
        return Overlap(share, share, share, ()), list(shared or parts[:1])
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
    links = [(a.stem, b.stem) for a, b in zip(words, words[1:], strict=False)]
    together = sum(any(link in part.pairs for part in parts) for link in links)
    pairs = together / len(links) if links else recall
    absent = tuple(
        claim.tokens[w.at].text for f, w in zip(found_any, words, strict=True) if not f
    )
    return Overlap(recall, best / total, pairs, absent), nearest


def _credit(stem: str, part: Facts) -> float:
    if stem in part.vocabulary:
        return 1.0
    return 0.8 if len(stem) >= 5 and stem[:5] in part.prefixes else 0.0


def features(overlap: Overlap, findings: Sequence[Finding]) -> dict[str, float]:
    """Return what the score is made of, by the names of its weights."""
    count = {severity: 0 for severity in Severity}
    for finding in findings:
        count[finding.severity] += 1
    return {
        "recall": overlap.recall,
        "closest": overlap.closest,
        "pairs": overlap.pairs,
        "missing": float(min(2, count[Severity.MISSING])),
        "opposed": float(min(1, count[Severity.OPPOSED])),
        "doubt": float(min(2, count[Severity.DOUBT])),
    }


def _decide(
    overlap: Overlap, findings: Sequence[Finding], similarity: float | None
) -> Verdict:
    """Turn overlap and findings into a verdict; the worst finding gives the reason."""
    values = features(overlap, findings)
    recall = overlap.recall
    if similarity is not None:
        closeness = min(1.0, max(0.0, similarity))
        recall = (1 - _SIMILARITY_SHARE) * recall + _SIMILARITY_SHARE * closeness
        values["recall"] = recall
    logit = _BIAS + sum(_WEIGHTS[name] * value for name, value in values.items())
    score = 1 / (1 + math.exp(-logit))
    worst = min(findings, key=lambda finding: finding.severity, default=None)
    lacking = "not in the evidence: " + ", ".join(overlap.absent[:6])
    if worst is not None and worst.severity is Severity.OPPOSED and recall >= PARTLY_RECALL:
        return Verdict(Support.CONTRADICTED, worst.reason, score)
    if worst is not None and worst.severity <= Severity.MISSING:
        return Verdict(Support.UNSUPPORTED, worst.reason, score)
    if recall < PARTLY_RECALL:
        return Verdict(Support.UNSUPPORTED, lacking, score)
    if worst is not None:
        return Verdict(Support.PARTLY, worst.reason, score)
    if recall < SUPPORTED_RECALL:
        return Verdict(Support.PARTLY, lacking, score)
    return Verdict(Support.SUPPORTED, "its words, numbers and names are in the evidence", score)


__all__ = ["check_sentence", "is_exact", "support_scores"]

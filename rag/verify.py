"""Decide whether cited evidence supports a sentence, by rules, and say what decided it.

A sentence is read into facts (`rag.facts`) and each fact is looked for in the evidence. A number,
date, name or quotation that isn't there, or that someone else said, makes the sentence
unsupported, however similar the words are; opposite polarity or direction contradicts it. Only
then do the words count. No model: a cosine may be joined in by the caller.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from rag.attest import Finding, Severity, find_missing
from rag.facts import Facts, Word, read_facts
from rag.oppose import find_opposed
from rag.schema import Citation, Support, Verdict
from rag.split import split_sentences

MAX_SENTENCE_CHARACTERS: Final = 1_000
"""A longer "sentence" isn't checked but found unsupported: it bounds the work per check."""
SUPPORTED_RECALL: Final = 0.72
PARTLY_RECALL: Final = 0.45
"""Weighted share of a sentence's words to be supported, and to be partly supported."""

# Logistic weights of the score, fitted by `python -m eval.bench_verify --fit` on one half of
# each of four sets of human labels, and rounded. Opposites are too rare there to be fitted: their
# weight is set to that of a missing fact.
_BIAS: Final = -1.3
_WEIGHTS: Final = {
    "closest": 1.5,
    "pairs": 1.8,
    "missing": -0.6,
    "opposed": -0.6,
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
    overlap, findings = _compare(claim, parts, context)
    return _decide(claim, overlap, findings, similarity)


def support_scores(pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Score sentences against their sources; higher is better supported.

    Parameters
    ----------
    pairs : sequence of (str, str)
        A sentence and its source, which may be a whole article: it is split into sentences.

    Returns
    -------
    list of float
        In [0, 1], one a pair, in order.
    """
    return [check_sentence(sentence, sources).score for sentence, sources in _with_sentences(pairs)]


def support_features(pairs: Sequence[tuple[str, str]]) -> list[dict[str, float]]:
    """Return what the score of each pair is made of, for fitting its weights.

    Takes pairs as `support_scores` does; the keys are the names of the weights.
    """
    rows = []
    for sentence, sources in _with_sentences(pairs):
        claim, parts = read_facts(sentence), [read_facts(part) for part in sources]
        rows.append(_features(*_compare(claim, parts or [read_facts("")], ())))
    return rows


def _with_sentences(pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    last_source: str | None = None
    sources: list[str] = []
    for sentence, source in pairs:
        if source != last_source:
            sources = [span.cut(source) for span in split_sentences(source)]
            last_source = source
        yield sentence, sources


def _compare(
    claim: Facts, parts: Sequence[Facts], context: Sequence[str]
) -> tuple[Overlap, list[Finding]]:
    overlap, nearest = _measure_overlap(claim, parts)
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


def _is_verbatim(claim: Facts, part: Facts) -> bool:
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


def _measure_overlap(claim: Facts, parts: Sequence[Facts]) -> tuple[Overlap, list[Facts]]:
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


def _features(overlap: Overlap, findings: Sequence[Finding]) -> dict[str, float]:
    """Return what the score is made of, by the names of its weights."""
    count = dict.fromkeys(Severity, 0)
    for finding in findings:
        count[finding.severity] += 1
    return {
        "closest": overlap.closest,
        "pairs": overlap.pairs,
        "missing": float(min(2, count[Severity.MISSING])),
        "opposed": float(min(1, count[Severity.OPPOSED])),
        "doubt": float(min(2, count[Severity.DOUBT])),
    }


def _decide(
    claim: Facts, overlap: Overlap, findings: Sequence[Finding], similarity: float | None
) -> Verdict:
    """Turn overlap and findings into a verdict; the worst finding gives the reason."""
    values = _features(overlap, findings)
    recall = overlap.recall
    if similarity is not None:
        closeness = min(1.0, max(0.0, similarity))
        recall += _SIMILARITY_SHARE * (closeness - recall)
        values["closest"] += _SIMILARITY_SHARE * (closeness - values["closest"])
    logit = _BIAS + sum(_WEIGHTS[name] * value for name, value in values.items())
    score = 1 / (1 + math.exp(-logit))
    worst = min(findings, key=lambda finding: finding.severity, default=None)
    lacking = "not in the evidence: " + ", ".join(
        claim.tokens[word.at].text for word in overlap.absent[:6]
    )
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

"""Decide whether cited evidence supports a sentence, by rules and a score; say what decided it.

A sentence is read into facts (`rag.checking.facts`) and each fact is looked for in the evidence.
A number, date, name or quotation that isn't there, or that someone else said, makes the sentence
unsupported, however similar the words are; opposite polarity or direction contradicts it. Only
then do the words count, or a checker that was plugged in (`rag.checking.checkers`). The score is a
calibrated probability (`rag.checking.support`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Final

from rag.checking.attest import Finding, Severity
from rag.checking.facts import Facts, read_facts
from rag.checking.nearness import Nearness
from rag.checking.overlap import Overlap, compare, is_verbatim, measures
from rag.checking.support import SupportModel, blend, support_model
from rag.schema import Citation, Support, Verdict

if TYPE_CHECKING:
    from rag.checking.checkers import Checker
    from rag.embed import Embedder

MAX_SENTENCE_CHARACTERS: Final = 1_000
"""A longer "sentence" isn't checked but found unsupported: it bounds the work per check."""
SUPPORTED_RECALL: Final = 0.72
PARTLY_RECALL: Final = 0.45
"""Weighted share of a sentence's words to be supported, and to be partly supported."""
SUPPORTED_SCORE: Final = 2 / 3
PARTLY_SCORE: Final = 1 / 2
"""With a checker plugged in: scores to be supported (twice as likely as not), and to be partly."""


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
    checker: Checker | None = None,
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
        Highest cosine of the sentence with one of the evidence, in [-1, 1], by the bundled
        embedding model; the score is better with it (see `Verifier`, which computes it).
    checker : Checker or None
        Asked where no rule speaks against the sentence. The mean of its and the own score (of
        their logits) then decides, instead of the share of words found.

    Returns
    -------
    Verdict
        SUPPORTED with reason ``"verbatim"`` if the sentence is one of the evidence sentences or
        stands in one, not under a negation or a hedge. An empty sentence, no evidence, or a
        sentence of more than `MAX_SENTENCE_CHARACTERS` is UNSUPPORTED with score 0.

    Raises
    ------
    ModelError
        If the checker gives no probability.

    Examples
    --------
    >>> check_sentence("Japan issues 10,000 visas.", ["Japan issues ten thousand visas."]).support
    <Support.SUPPORTED: 'supported'>
    >>> check_sentence("Japan issues 12,000 visas.", ["Japan issues ten thousand visas."]).reason
    'the number 12,000 is not in the evidence'
    """
    near = None if similarity is None else (lambda _sentence, _evidence: similarity)
    return _check(text, evidence, context, near, checker, support_model())


class Verifier:
    """Checks sentences with all that is at hand: rules, words, vectors, a plugged-in checker.

    May be shared between threads if its parts may.

    Parameters
    ----------
    embedder : Embedder or None
        For the score. Used only if it is the one that the score was fitted with, which the
        bundled one is: cosines of another one have another scale.
    checker : Checker or None
        See `check_sentence`.
    unseen : str or None
        A public set that is measured: the score is then the one fitted without it.

    Examples
    --------
    >>> Verifier()("Japan issues 12,000 visas.", ["Japan issues ten thousand visas."]).support
    <Support.UNSUPPORTED: 'unsupported'>
    """

    def __init__(
        self,
        embedder: Embedder | None = None,
        checker: Checker | None = None,
        *,
        unseen: str | None = None,
    ) -> None:
        self._model = support_model(unseen)
        fits = embedder is not None and embedder.fingerprint == self._model.embedder
        self._nearness = Nearness(embedder) if embedder is not None and fits else None
        self._checker = checker

    @classmethod
    def open(
        cls,
        checker: Checker | str | None = None,
        *,
        threads: int = 1,
        unseen: str | None = None,
    ) -> Verifier:
        """Return one with the bundled embedding model, which is loaded on first use.

        Parameters
        ----------
        checker : Checker or str or None
            An instance, or what ``RAG_CHECKER`` may hold; by default what it does hold.
        threads : int
        unseen : str or None
            See `Verifier`.

        Raises
        ------
        SettingsError
            If a setting is wrong, or the checker can't be used.
        """
        from rag.checking.checkers import configured_checker
        from rag.embed import BundledEmbedder
        from rag.llm import Limits, configured_llm
        from rag.settings import Settings

        if checker is None or isinstance(checker, str):
            settings = Settings.load(checker=checker)
            llm = None
            if settings.checker == "llm":
                llm = configured_llm(
                    settings.llm,
                    settings.llm_model,
                    context_tokens=settings.llm_context_tokens,
                    threads=settings.threads,
                    limits=Limits(seconds=settings.llm_seconds),
                )
            checker = configured_checker(settings.checker, llm, threads=threads)
        return cls(BundledEmbedder(threads), checker, unseen=unseen)

    @property
    def name(self) -> str:
        """What checks, with the version of its score, for reports."""
        parts = [f"rules and {self._model.version}"]
        if self._nearness is not None:
            parts.append("vectors")
        if self._checker is not None:
            parts.append(self._checker.name)
        return " + ".join(parts)

    def __call__(self, text: str, evidence: Sequence[str], context: Sequence[str] = ()) -> Verdict:
        """Check one sentence; see `check_sentence` for what it takes, returns and raises."""
        return _check(text, evidence, context, self._nearness, self._checker, self._model)

    def with_checker(self, checker: Checker | None) -> Verifier:
        """Return one that shares the vectors of this one, with another checker."""
        made = copy(self)
        made._checker = checker
        return made


def support_measures(
    sentence: str,
    evidence: Sequence[str],
    nearness: Callable[[str, Sequence[str]], float] | None = None,
) -> dict[str, float]:
    """Return what the score of a sentence is made of, for fitting its weights."""
    claim = read_facts(sentence)
    parts = [read_facts(part) for part in evidence if part.strip()] or [read_facts("")]
    similarity = None if nearness is None else nearness(sentence, evidence)
    return measures(*compare(claim, parts, ()), similarity)


def _check(
    text: str,
    evidence: Sequence[str],
    context: Sequence[str],
    nearness: Callable[[str, Sequence[str]], float] | None,
    checker: Checker | None,
    model: SupportModel,
) -> Verdict:
    if len(text) > MAX_SENTENCE_CHARACTERS:
        return Verdict(Support.UNSUPPORTED, "the sentence is too long to check", 0.0)
    claim = read_facts(text)
    parts = [read_facts(part) for part in evidence if part.strip()]
    if not claim.flat.strip():
        return Verdict(Support.UNSUPPORTED, "the sentence is empty", 0.0)
    if not parts:
        return Verdict(Support.UNSUPPORTED, "no evidence is cited", 0.0)
    if any(is_verbatim(claim, part) for part in parts):
        return Verdict(Support.SUPPORTED, "verbatim", 1.0)
    overlap, findings = compare(claim, parts, context)
    similarity = None if nearness is None else nearness(text, evidence)
    score = model.probability(measures(overlap, findings, similarity))
    ruled = _rule(findings, overlap, score)
    if ruled is not None:
        return ruled
    if checker is not None:
        return _ask(checker, text, evidence, findings, score)
    return _judge_words(claim, overlap, findings, score)


def _worst(findings: Sequence[Finding]) -> Finding | None:
    return min(findings, key=lambda finding: finding.severity, default=None)


def _rule(findings: Sequence[Finding], overlap: Overlap, score: float) -> Verdict | None:
    """Return the verdict if an opposite or a missing fact decides: nothing overrules these."""
    worst = _worst(findings)
    if worst is None or worst.severity > Severity.MISSING:
        return None
    opposed = worst.severity is Severity.OPPOSED and overlap.recall >= PARTLY_RECALL
    return Verdict(Support.CONTRADICTED if opposed else Support.UNSUPPORTED, worst.reason, score)


def _judge_words(
    claim: Facts, overlap: Overlap, findings: Sequence[Finding], score: float
) -> Verdict:
    worst = _worst(findings)
    lacking = "not in the evidence: " + ", ".join(
        claim.tokens[word.at].text for word in overlap.absent[:6]
    )
    if overlap.recall < PARTLY_RECALL:
        return Verdict(Support.UNSUPPORTED, lacking, score)
    if worst is not None:
        return Verdict(Support.PARTLY, worst.reason, score)
    if overlap.recall < SUPPORTED_RECALL:
        return Verdict(Support.PARTLY, lacking, score)
    return Verdict(Support.SUPPORTED, "its words, numbers and names are in the evidence", score)


def _ask(
    checker: Checker,
    text: str,
    evidence: Sequence[str],
    findings: Sequence[Finding],
    own: float,
) -> Verdict:
    (given,) = checker.support([(text, "\n".join(part for part in evidence if part.strip()))])
    score = blend(own, given)
    reason = f"{checker.name} gives it {given:.2f}"
    worst = _worst(findings)
    if score < PARTLY_SCORE:
        return Verdict(Support.UNSUPPORTED, reason, score)
    if worst is not None:
        return Verdict(Support.PARTLY, worst.reason, score)
    return Verdict(Support.SUPPORTED if score >= SUPPORTED_SCORE else Support.PARTLY, reason, score)

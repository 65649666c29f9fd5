"""Let a language model word an answer, and show no sentence before its check.

The model may only point to numbered evidence sentences. Each finished sentence is checked
against those it points to; what fails is withheld, never repaired.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from rag.citations import DraftParser, DraftSentence
from rag.foreign import foreign_name
from rag.llm import LLM, Budget
from rag.prompts import NO_ANSWER, addresses_model, draft_messages
from rag.relevance import pointless
from rag.schema import (
    Citation,
    Evidence,
    Sentence,
    SentenceChecked,
    SentenceWithheld,
    Support,
    Verdict,
)
from rag.verify import Verifier

MAX_SENTENCES = 3
"""Sentences shown of one draft; the prompt asks for no more."""

MAX_TOKENS = 320
"""Longest draft: three sentences of news with their labels take about 120 tokens."""

# A model's sentence must be supported in full. On RAGTruth's QA responses (people's labels), also
# showing the partly supported ones would show 90 instead of 72 % of the sound sentences, but 53
# instead of 21 % of the hallucinated ones.
_SHOWN = Support.SUPPORTED
_RANK = {
    Support.SUPPORTED: 3,
    Support.PARTLY: 2,
    Support.UNSUPPORTED: 1,
    Support.CONTRADICTED: 0,
}
# What stands around a cited sentence may tell who "he" is, and when "Saturday" was.
_BEFORE_CHARACTERS = 400
_AFTER_CHARACTERS = 200
# An uncited sentence is compared with this many evidence sentences, those that share most words.
_MATCHED = 4


@dataclass(frozen=True, slots=True)
class Draft:
    """What became of a draft.

    Parameters
    ----------
    sentences : tuple of Sentence
        Shown, each with at least one citation.
    withheld : tuple of Sentence
        Failed their check.
    refused : bool
        The model wrote that the evidence holds no answer, and nothing that passed.
    dangling : int
        Labels that stand in no evidence.
    """

    sentences: tuple[Sentence, ...]
    withheld: tuple[Sentence, ...]
    refused: bool
    dangling: int


def draft(
    question: str,
    evidence: Sequence[Evidence],
    llm: LLM,
    *,
    budget: Budget | None = None,
    context_tokens: int = 4096,
    stream: bool = True,
    verifier: Verifier | None = None,
) -> Generator[SentenceChecked | SentenceWithheld, None, Draft]:
    """Draft an answer, yield each sentence after its check, and return the outcome.

    Parameters
    ----------
    question : str
        Standalone.
    evidence : sequence of Evidence
        Best first. Sentences that talk to a language model are left out: the draft can't
        point to them.
    llm : LLM
    budget : Budget, optional
        Time and failures that this answer may take.
    context_tokens : int, default 4096
        Longest prompt and draft together.
    stream : bool, default True
        Whether to ask for a stream, so that the first sentence comes early.
    verifier : Verifier, optional
        What checks the sentences; by default rules and words.

    Raises
    ------
    ModelError
        If the model gave no whole answer, or a plugged-in checker no verdict; sentences yielded
        before are then void.
    """
    usable = [each for each in evidence if not addresses_model(each.text)]
    verifier = verifier or Verifier()
    messages, packed = draft_messages(question, usable, max_tokens=context_tokens - MAX_TOKENS)
    shown: list[Sentence] = []
    withheld: list[Sentence] = []
    seen: set[str] = set()
    refused = False
    dangling = 0
    if not packed:
        return Draft((), (), False, 0)
    pieces = _pieces(llm, messages, budget, stream)
    for sentence in _sentences(pieces, packed):
        dangling += sentence.dangling
        if is_refusal(sentence.text):
            refused = True
            continue
        if _key(sentence.text) in seen:
            continue
        seen.add(_key(sentence.text))
        checked = check_drafted(sentence, packed, question, verifier)
        if checked.verdict.support is not _SHOWN:
            withheld.append(checked)
            yield SentenceWithheld(checked)
        elif len(shown) < MAX_SENTENCES:
            shown.append(checked)
            yield SentenceChecked(checked)
    return Draft(tuple(shown), tuple(withheld), refused and not shown, dangling)


def check_drafted(
    sentence: DraftSentence,
    evidence: Sequence[Evidence],
    question: str,
    verifier: Verifier | None = None,
) -> Sentence:
    """Check a drafted sentence against the evidence it points to, and against the question.

    A sentence without any label is compared with the evidence that shares most of its words,
    and cites what supports it in full. One whose labels all point nowhere is unsupported, and
    so is one that says nothing (see `rag.relevance.pointless`). A citation that adds nothing to
    the support is left out.

    Returns
    -------
    Sentence
        With citations only where the verdict lets it be shown.
    """
    verifier = verifier or Verifier()
    cited = [each for each in evidence if each.label in sentence.labels]
    if not cited and sentence.dangling:
        verdict = Verdict(Support.UNSUPPORTED, "it points to evidence that does not exist", 0.0)
        return Sentence(sentence.text, (), verdict)
    cited, verdict = (
        (cited, _check(sentence.text, cited, verifier))
        if cited
        else _matched(sentence.text, evidence, verifier)
    )
    if verdict.support is _SHOWN:
        reason = pointless(sentence.text, question, [each.text for each in cited])
        if reason is not None:
            verdict = Verdict(Support.UNSUPPORTED, reason, verdict.score)
    if verdict.support is not _SHOWN:
        return Sentence(sentence.text, (), verdict)
    needed = [
        each
        for each in cited
        if len(cited) == 1 or _is_needed(sentence.text, each, cited, verdict, verifier)
    ]
    order = {label: place for place, label in enumerate(sentence.labels)}
    kept = sorted(needed or cited, key=lambda each: order.get(each.label, 0))
    return Sentence(sentence.text, tuple(Citation.of(each) for each in kept), verdict)


def is_refusal(text: str) -> bool:
    """Tell whether a drafted sentence is the phrase that says there is no answer."""
    return _key(text) == _key(NO_ANSWER)


def _pieces(
    llm: LLM, messages: Sequence[object], budget: Budget | None, stream: bool
) -> Iterator[str]:
    if stream:
        yield from llm.stream(messages, max_tokens=MAX_TOKENS, budget=budget)  # type: ignore[arg-type]
    else:
        yield llm.complete(messages, max_tokens=MAX_TOKENS, budget=budget)  # type: ignore[arg-type]


def _sentences(pieces: Iterator[str], evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
    parser = DraftParser({each.label for each in evidence})
    for piece in pieces:
        yield from parser.feed(piece)
    yield from parser.flush()


def _check(text: str, cited: Sequence[Evidence], verifier: Verifier) -> Verdict:
    quotes = [each.text for each in cited]
    context = [part for each in cited for part in _context(each)]
    verdict = verifier(text, quotes, context)
    if verdict.support is _SHOWN:
        name = foreign_name(text, quotes, context)
        if name is not None:
            reason = f"the name {name} is not in the evidence"
            return Verdict(Support.UNSUPPORTED, reason, verdict.score)
    return verdict


def _context(evidence: Evidence) -> Iterator[str]:
    """Yield what may explain a cited sentence: title, day, and the text around it."""
    article, span = evidence.article, evidence.span
    yield article.title
    if article.published:
        yield article.published.isoformat()
    yield article.text[max(span.start - _BEFORE_CHARACTERS, 0) : span.start]
    yield article.text[span.end : span.end + _AFTER_CHARACTERS]


def _is_needed(
    text: str,
    each: Evidence,
    cited: Sequence[Evidence],
    verdict: Verdict,
    verifier: Verifier,
) -> bool:
    """Tell whether a citation supports the sentence alone, or support is lost without it."""
    if _check(text, [each], verifier).support is verdict.support:
        return True
    rest = [other for other in cited if other is not each]
    without = _check(text, rest, verifier)
    return _RANK[without.support] < _RANK[verdict.support] or without.score < verdict.score


def _matched(
    text: str, evidence: Sequence[Evidence], verifier: Verifier
) -> tuple[list[Evidence], Verdict]:
    """Find the one evidence sentence that supports an uncited sentence best."""
    words = set(_key(text).split())

    def shared(each: Evidence) -> int:
        return len(words & set(_key(each.text).split()))

    nearest = sorted(evidence, key=shared, reverse=True)[:_MATCHED]
    verdicts = [([each], _check(text, [each], verifier)) for each in nearest]
    return max(verdicts, key=lambda pair: (_RANK[pair[1].support], pair[1].score))


def _key(text: str) -> str:
    """Return the words of a text in lower case, without punctuation."""
    kept = (character if character.isalnum() else " " for character in text.lower())
    return " ".join("".join(kept).split())

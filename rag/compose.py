"""Let a language model word an extracted answer, and fall back to the extract, labelled as such.

The extract comes first: a question that it abstains on is never put to a model, and whatever
goes wrong with the draft, the extract is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.draft import Draft, draft
from rag.errors import ModelError
from rag.llm import LLM, Budget
from rag.relevance import lacks_what_is_asked
from rag.schema import (
    Answer,
    Done,
    DraftDropped,
    Event,
    Evidence,
    EvidenceFound,
    Mode,
    SentenceChecked,
    Timing,
)
from rag.select import Candidate
from rag.trace import traced
from rag.verify import Verifier

MAX_EVIDENCE = 8
"""Sentences that a draft may rest on: those of the extract, then the next best."""


def recite(answer: Answer) -> Iterator[Event]:
    """Yield an answer that is there already as events."""
    yield EvidenceFound(answer.evidence)
    for sentence in answer.sentences:
        yield SentenceChecked(sentence)
    yield Done(answer)


def compose(
    extract: Answer,
    candidates: Sequence[Candidate],
    llm: LLM,
    *,
    budget: Budget | None = None,
    context_tokens: int = 4096,
    stream: bool = True,
    verifier: Verifier | None = None,
) -> Iterator[Event]:
    """Yield the events of an answer drafted by a language model.

    Parameters
    ----------
    extract : Answer
        The extractive answer. An abstention is final: no model is asked.
    candidates : sequence of Candidate
        Every sentence considered, best first.
    llm : LLM
    budget : Budget, optional
    context_tokens : int, default 4096
        Longest prompt and draft together.
    stream : bool, default True
        Whether sentences are wanted as they come.
    verifier : Verifier, optional
        What checks the sentences; by default rules and words.

    Yields
    ------
    Event
        `EvidenceFound` first and `Done` last. Where the draft can't be used, `DraftDropped` and
        then the sentences of the extract; its answer then says why in ``fault``.
    """
    if extract.abstention is not None:
        yield from recite(extract)
        return
    evidence = offered(extract, candidates)
    yield EvidenceFound(evidence)
    started = time.perf_counter()
    outcome: Draft | None = None
    try:
        steps = draft(
            extract.standalone_question,
            evidence,
            llm,
            budget=budget,
            context_tokens=context_tokens,
            stream=stream,
            verifier=verifier,
        )
        outcome = yield from traced("draft", steps, llm__model_name=llm.name)
        fault = objection(outcome, extract)
    except ModelError as error:
        fault = str(error)
    timings = (*extract.timings, Timing("draft", time.perf_counter() - started))
    withheld = outcome.withheld if outcome else ()
    if fault is None and outcome is not None:
        answer = replace(
            extract,
            sentences=outcome.sentences,
            withheld=withheld,
            evidence=evidence,
            mode=Mode.LLM,
            model=llm.name,
            short=None,
            timings=timings,
        )
    else:
        answer = replace(extract, withheld=withheld, fault=fault, timings=timings)
        yield DraftDropped(fault or "")
        for sentence in answer.sentences:
            yield SentenceChecked(sentence)
    yield Done(answer)


def offered(extract: Answer, candidates: Sequence[Candidate]) -> tuple[Evidence, ...]:
    """Return what a draft may rest on: the extract's evidence, then further candidates."""
    evidence = list(extract.evidence)
    taken = {(each.article.article_id, each.span) for each in evidence}
    for candidate in candidates:
        if len(evidence) >= MAX_EVIDENCE:
            break
        if (candidate.article.article_id, candidate.span) not in taken:
            label = len(evidence) + 1
            evidence.append(
                Evidence(label, candidate.article, candidate.span, candidate.probability)
            )
    return tuple(evidence)


def objection(outcome: Draft, extract: Answer) -> str | None:
    """Return why a draft can't take the extract's place, or None."""
    if not outcome.sentences:
        if outcome.refused:
            return "the language model found no answer in the evidence"
        count = len(outcome.withheld)
        return f"none of its {count} sentences passed the check" if count else "it says nothing"
    cited = {citation.label for each in outcome.sentences for citation in each.citations}
    if extract.conflict is not None:
        sides = [{c.label for c in each.citations} for each in extract.sentences[:2]]
        if not all(side & cited for side in sides):
            return "it leaves out one of the sources that disagree"
    best = {citation.label for each in extract.sentences for citation in each.citations}
    if not best & cited:
        return "it rests on none of the sentences that answer best"
    kind = lacks_what_is_asked(
        [each.text for each in outcome.sentences],
        extract.sentences[0].text,
        extract.standalone_question,
    )
    return f"it does not name the {kind} that is asked for" if kind else None

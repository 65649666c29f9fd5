"""What the browser keeps of a conversation: turns as plain values, checked when they come back.

The browser's storage is the reader's own and may hold anything, so what is read from it is
validated and bounded, and dropped where it isn't a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
)

from rag import Answer, Citation, Evidence, Sentence, Span

MAX_TURNS = 30
"""Turns that a conversation keeps; older ones leave the page."""
MAX_SHELF = 12
"""Earlier conversations that are kept."""

_Text = Annotated[str, Field(max_length=20_000)]
_Line = Annotated[str, Field(max_length=4_000)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Quote(_Stored):
    """A quoted sentence and where it stands."""

    label: int
    address: _Line
    text: _Text
    title: _Line
    publisher: _Line
    published: _Line
    url: _Line | None

    @classmethod
    def of(cls, citation: Citation) -> Quote:
        """Take what the page shows of a citation."""
        article = citation.evidence.article
        return cls(
            label=citation.label,
            address=citation.address,
            text=citation.quote,
            title=(article.title or article.article_id)[:500],
            publisher=article.publisher[:200],
            published=article.published.isoformat() if article.published else "",
            url=article.url[:2_000] if article.url else None,
        )


class Line(_Stored):
    """A sentence of an answer, with its labels and its verdict."""

    text: _Text
    labels: tuple[int, ...]
    support: _Line
    reason: _Line
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    short: tuple[NonNegativeInt, NonNegativeInt] | None = None

    @classmethod
    def of(cls, sentence: Sentence, short: Span | None = None) -> Line:
        """Take what the page shows of a sentence, and where the short answer stands in it."""
        return cls(
            text=sentence.text,
            labels=tuple(citation.label for citation in sentence.citations),
            support=sentence.verdict.support.value,
            reason=sentence.verdict.reason[:2_000],
            score=round(sentence.verdict.score, 4),
            short=(short.start, short.end) if short else None,
        )


class Turn(_Stored):
    """A question and what came of it: an answer, an abstention, or a problem.

    `problem` is set where there is no answer because of a mistake or a busy server. `done` is
    false while sentences still come.
    """

    question: _Text
    standalone: _Text = ""
    lines: tuple[Line, ...] = ()
    withheld: tuple[Line, ...] = ()
    quotes: tuple[Quote, ...] = ()
    reason: _Line | None = None
    explanation: _Line = ""
    conflict: _Line | None = None
    fault: _Line | None = None
    mode: _Line = "extractive"
    model: _Line = ""
    searched: _Line = ""
    seconds: float = 0.0
    markdown: Annotated[str, Field(max_length=60_000)] = ""
    problem: _Line = ""
    done: bool = True

    @classmethod
    def of(cls, answer: Answer, *, seconds: float = 0.0) -> Turn:
        """Take what the page shows of an answer."""
        cited = {citation.label for citation in answer.citations}
        shown = [
            evidence
            for evidence in answer.evidence
            if answer.abstention is not None or evidence.label in cited
        ]
        abstention = answer.abstention
        return cls(
            question=answer.question,
            standalone=answer.standalone_question,
            lines=tuple(
                Line.of(sentence, None if number else answer.short_place)
                for number, sentence in enumerate(answer.sentences)
            ),
            withheld=tuple(Line.of(sentence) for sentence in answer.withheld),
            quotes=quotes_of(shown, [c for each in answer.withheld for c in each.citations]),
            reason=abstention.reason.value if abstention else None,
            explanation=abstention.explanation if abstention else "",
            conflict=answer.conflict,
            fault=answer.fault,
            mode=answer.mode.value,
            model=answer.model,
            searched=_searched(answer),
            seconds=seconds,
            markdown=answer.to_markdown()[:60_000],
        )

    @property
    def told(self) -> str:
        """The answer as it is remembered for follow-ups."""
        return " ".join(line.text for line in self.lines)


def quotes_of(evidence: Sequence[Evidence], more: Sequence[Citation] = ()) -> tuple[Quote, ...]:
    """Return the quotes of evidence and of further citations once each, by label."""
    citations = {each.label: Citation.of(each) for each in evidence}
    for citation in more:
        citations.setdefault(citation.label, citation)
    return tuple(Quote.of(citations[label]) for label in sorted(citations))


_TURNS = TypeAdapter(tuple[Turn, ...])
_SHELF = TypeAdapter(tuple[tuple[Turn, ...], ...])


def read_turns(stored: object) -> tuple[Turn, ...]:
    """Return the turns that a browser kept, at most `MAX_TURNS`; none if they can't be read."""
    try:
        return _TURNS.validate_python(stored or ())[-MAX_TURNS:]
    except ValidationError:
        return ()


def read_shelf(stored: object) -> tuple[tuple[Turn, ...], ...]:
    """Return the earlier conversations that a browser kept, newest first."""
    try:
        return tuple(turns for turns in _SHELF.validate_python(stored or ()) if turns)[:MAX_SHELF]
    except ValidationError:
        return ()


def to_store(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as JSON-ready values."""
    return [turn.model_dump() for turn in turns[-MAX_TURNS:]]


def shelve(
    turns: tuple[Turn, ...], shelf: tuple[tuple[Turn, ...], ...]
) -> tuple[tuple[Turn, ...], ...]:
    """Put a conversation in front of the earlier ones; an empty one is not kept."""
    return ((turns, *shelf) if turns else shelf)[:MAX_SHELF]


def _searched(answer: Answer) -> str:
    """Say which articles were searched; empty if all were."""
    asked = answer.filter
    parts = []
    if asked.publisher:
        parts.append(f"by {asked.publisher}")
    if asked.since:
        parts.append(f"from {asked.since.isoformat()}")
    if asked.until:
        parts.append(f"until {asked.until.isoformat()}")
    return " ".join(parts)

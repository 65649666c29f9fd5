"""A question of the page -> the turns of its conversation, growing as sentences come."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rag import (
    Assistant,
    DatelineError,
    Done,
    DraftDropped,
    EvidenceFound,
    Sentence,
    SentenceChecked,
    SentenceWithheld,
    UserError,
)
from ui.limits import MAX_QUESTION_CHARACTERS
from ui.transcript import Line, Turn, quotes_of

logger = logging.getLogger("dateline.ui")

BROKEN = (
    "Something went wrong here, and it is not your question’s fault. The server’s log has the "
    "details; ask again, or look at Settings for what is not well."
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader chose: empty strings mean no limit."""

    publisher: str = ""
    since: str = ""
    until: str = ""

    def arguments(self) -> dict[str, str | None]:
        """Return them as `Assistant.ask` takes them."""
        return {
            "publisher": self.publisher.strip() or None,
            "since": self.since.strip() or None,
            "until": self.until.strip() or None,
        }


def ask(
    assistant: Assistant, question: str, before: tuple[Turn, ...], filters: Filters
) -> Iterator[Turn]:
    """Yield the turn of a question as it grows; the last one is done.

    Parameters
    ----------
    assistant : Assistant
    question : str
    before : tuple of Turn
        The conversation so far; a follow-up is understood from its answers.
    filters : Filters

    Yields
    ------
    Turn
        With one sentence more each time. Mistakes and faults become a turn with a `problem`:
        nothing is raised.
    """
    question = question.strip()
    if len(question) > MAX_QUESTION_CHARACTERS:
        yield Turn(
            question=question[:200] + "…",
            problem=f"The question has {len(question):,} characters, the limit is "
            f"{MAX_QUESTION_CHARACTERS:,}. Please shorten it.",
        )
        return
    remembered = [
        (turn.standalone or turn.question, turn.told) for turn in before if not turn.problem
    ]
    started = time.perf_counter()
    coming = _Coming(question)
    try:
        events = assistant.chat(remembered).stream(question, **filters.arguments())
        for event in events:
            if isinstance(event, Done):
                yield Turn.of(event.answer, seconds=round(time.perf_counter() - started, 3))
                return
            coming = coming.after(event)
            yield coming.turn
    except UserError as error:
        yield Turn(question=question, problem=_sentence(str(error)))
    except DatelineError as error:
        logger.error("%s: %s", type(error).__name__, error)
        yield Turn(question=question, problem=BROKEN)
    except Exception:
        # A bug: told in full to the log, and calmly to the reader.
        logger.exception("a question failed")
        yield Turn(question=question, problem=BROKEN)


@dataclass(frozen=True, slots=True)
class _Coming:
    """An answer of which not all sentences are there yet."""

    question: str
    sentences: tuple[Sentence, ...] = ()
    withheld: tuple[Sentence, ...] = ()

    def after(
        self, event: EvidenceFound | SentenceChecked | SentenceWithheld | DraftDropped
    ) -> _Coming:
        match event:
            case SentenceChecked(sentence):
                return replace(self, sentences=(*self.sentences, sentence))
            case SentenceWithheld(sentence):
                return replace(self, withheld=(*self.withheld, sentence))
            case DraftDropped():
                return _Coming(self.question, (), self.withheld)
            case _:
                return self

    @property
    def turn(self) -> Turn:
        """What the page shows now."""
        return Turn(
            question=self.question,
            lines=tuple(Line.of(sentence) for sentence in self.sentences),
            quotes=quotes_of((), [c for each in self.sentences for c in each.citations]),
            done=False,
        )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

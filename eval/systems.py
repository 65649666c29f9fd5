"""What can be asked: Dateline, or a peer that is measured beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from eval.questions import Question
from eval.records import Reply, reply_from_answer
from rag import Answer, Article, Mode

if TYPE_CHECKING:
    from rag import Assistant

Seconds = Mapping[str, float]

# Replies from a language model wait for its endpoint, so several can wait at once; extraction is
# bound to the processor, where more at once only wait for each other.
_WORKERS = {Mode.EXTRACTIVE: 1, Mode.LLM: 4}


class System(Protocol):
    """A system under test.

    Attributes
    ----------
    name : str
    workers : int
        How many questions it can be asked at once.
    """

    name: str
    workers: int

    def describe(self) -> dict[str, str]:
        """Return models and settings, the same for the same system."""
        ...

    def articles(self) -> Sequence[Article]:
        """Return the corpus."""
        ...

    def article(self, article_id: str, version: str) -> Article:
        """Return one version of an article that a reply points to."""
        ...

    def reply(self, question: Question, hits: int) -> tuple[Reply, Seconds]:
        """Answer one question; also its first `hits` passages, and seconds by stage."""
        ...


class DatelineSystem:
    """Dateline as its users have it: `Assistant.ask` and `Assistant.search`."""

    def __init__(self, assistant: Assistant, name: str = "dateline") -> None:
        self.name = name
        self._assistant = assistant
        status = assistant.status()
        self.workers = _WORKERS[status.mode]
        self._described = {
            "embedder": status.embedder,
            "mode": str(status.mode),
            "model": status.model,
            "settings": status.settings_fingerprint,
        }

    def describe(self) -> dict[str, str]:
        """Return embedder, mode, model and the fingerprint of the settings."""
        return dict(self._described)

    def articles(self) -> Sequence[Article]:
        """Return the live articles."""
        return self._assistant.articles()

    def article(self, article_id: str, version: str) -> Article:
        """Return one version of an article from the store."""
        return self._assistant.article(article_id, version)

    def reply(self, question: Question, hits: int) -> tuple[Reply, Seconds]:
        """Ask, then search for the question as it was searched."""
        begin = time.perf_counter()
        answer = self._ask(question)
        asked = time.perf_counter()
        found = self._assistant.search(
            answer.standalone_question,
            k=hits,
            publisher=question.publisher,
            since=question.since,
            until=question.until,
        )
        searched = time.perf_counter()
        seconds = {f"stage:{timing.stage}": timing.seconds for timing in answer.timings}
        seconds["answer"] = asked - begin
        seconds["retrieve"] = searched - asked
        return reply_from_answer(answer, found), seconds

    def _ask(self, question: Question) -> Answer:
        publisher, since, until = question.publisher, question.since, question.until
        chat = getattr(self._assistant, "chat", None)
        if not question.history or chat is None:
            return self._assistant.ask(
                question.question, publisher=publisher, since=since, until=until
            )
        talk = chat()
        for turn in question.history:
            talk.ask(turn)
        answer: Answer = talk.ask(question.question, publisher=publisher, since=since, until=until)
        return answer

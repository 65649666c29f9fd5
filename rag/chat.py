"""A conversation: questions that build on the ones before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Protocol

from rag.conversation import Turn, bounded
from rag.schema import Answer, Done, Event


class Respond(Protocol):
    """How an assistant answers one question of a conversation."""

    def __call__(
        self,
        question: str,
        turns: tuple[Turn, ...],
        *,
        publisher: str | None,
        since: date | str | None,
        until: date | str | None,
        stream: bool,
    ) -> Iterator[Event]:
        """Yield the events of the answer."""
        ...


class Chat:
    """One conversation with an assistant; made by `Assistant.chat`.

    A follow-up such as "And in 2024?" is searched as the question that it stands for, which the
    answer shows as ``standalone_question``. The last few turns are kept. A conversation belongs
    to one thread at a time; an assistant may lead many.

    Examples
    --------
    >>> chat = assistant.chat()  # doctest: +SKIP
    >>> chat.ask("What did Shigeru Ishiba announce?")  # doctest: +SKIP
    >>> chat.ask("When did he announce it?").standalone_question  # doctest: +SKIP
    'When did Shigeru Ishiba announce it?'
    """

    def __init__(self, respond: Respond, turns: Iterable[tuple[str, str]] = ()) -> None:
        self._respond = respond
        self._turns = bounded([Turn(question, answer) for question, answer in turns])

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What is remembered, oldest first: standalone questions and their answers' text."""
        return self._turns

    def ask(
        self,
        question: str,
        *,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Answer:
        """Answer the next question; takes and raises what `Assistant.ask` does."""
        events = self._events(question, publisher, since, until, stream=False)
        return next(event.answer for event in events if isinstance(event, Done))

    def stream(
        self,
        question: str,
        *,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Iterator[Event]:
        """Yield the events of the next answer, as `Assistant.stream` does.

        The turn is remembered with the last event.
        """
        return self._events(question, publisher, since, until, stream=True)

    def clear(self) -> None:
        """Forget the conversation."""
        self._turns = ()

    def _events(
        self,
        question: str,
        publisher: str | None,
        since: date | str | None,
        until: date | str | None,
        *,
        stream: bool,
    ) -> Iterator[Event]:
        for event in self._respond(
            question, self._turns, publisher=publisher, since=since, until=until, stream=stream
        ):
            if isinstance(event, Done):
                told = " ".join(sentence.text for sentence in event.answer.sentences)
                self._turns = bounded((*self._turns, Turn(event.answer.standalone_question, told)))
            yield event

"""One call of a language model: deadlines, one retry layer, a breaker, and checks of the text.

A model is reached through a `Source`, which emits pieces of text. `GuardedModel` runs it in a
worker thread, so that a deadline holds whatever the source waits for, and lets nothing pass that
is empty, cut off, too long or caught in a loop. All that goes wrong ends in a `ModelError`.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.errors import ModelError
from rag.prompts import Message

# Reasons to stop that mean a whole answer, as the servers in use spell them.
_FINISHED = frozenset(("stop", "eos", "eos_token", "end_turn", "stop_sequence"))
# A stretch of this many characters that came this often already is a loop.
_LOOP_CHARACTERS = 40
_LOOP_TIMES = 4
_LOOP_STEP = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take.

    Parameters
    ----------
    seconds : float
        Budget of an answer, all its requests and waits included.
    first_token_seconds, idle_seconds : float
        Longest wait for the first and for each next piece of a stream.
    requests : int
        Failed requests after which an answer gives up: 2 means one retry.
    characters : int
        Longest text taken from the model.
    response_bytes : int
        Longest response taken from an endpoint.
    breaker_failures : int
        Failures within `breaker_window_seconds` that stop all calls for
        `breaker_pause_seconds`.
    """

    seconds: float = 30.0
    first_token_seconds: float = 15.0
    idle_seconds: float = 8.0
    requests: int = 2
    characters: int = 32_000
    response_bytes: int = 4_000_000
    breaker_failures: int = 5
    breaker_window_seconds: float = 60.0
    breaker_pause_seconds: float = 30.0


class Budget:
    """Time and failures that all the calls for one answer share.

    Parameters
    ----------
    seconds : float
        From now.
    failures : int, default 2
        Failed requests after which no other is made.
    """

    def __init__(self, seconds: float, failures: int = 2) -> None:
        self.deadline = time.monotonic() + seconds
        self.failures_left = failures

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(self.deadline - time.monotonic(), 0.0)


class Fault(Exception):  # noqa: N818 - a cause, told to the caller as a ModelError
    """What went wrong with one request, before it is known which attempt it was.

    Parameters
    ----------
    message : str
        Completes "the language model …"; holds nothing that the endpoint wrote.
    retryable : bool
        Whether the same request may succeed at once.
    retry_after_seconds : float or None
        How long the endpoint asks to wait.
    counts : bool
        Whether the breaker counts it; a prompt that is too long says nothing about the endpoint.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        counts: bool = True,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.counts = counts


class Call:
    """One running request, as its source sees it: where text goes, and whether to stop."""

    def __init__(self) -> None:
        self.pieces: queue.SimpleQueue[str | Fault | _End] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._cancelled = False
        self._hooks: list[Callable[[], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this call any more."""
        return self._cancelled

    def emit(self, text: str) -> None:
        """Hand over the next piece of text; an empty one shows that the model is alive."""
        self.pieces.put(text)

    def finish(self, reason: str | None) -> None:
        """Tell that the text is complete, and why the model stopped."""
        self.pieces.put(_End(reason))

    def on_cancel(self, hook: Callable[[], object]) -> None:
        """Register what ends a wait of the source; it runs at once if cancelled already."""
        with self._lock:
            if not self._cancelled:
                self._hooks.append(hook)
                return
        hook()

    def cancel(self) -> None:
        """Stop the source as soon as it can."""
        with self._lock:
            self._cancelled = True
            hooks, self._hooks = self._hooks, []
        for hook in hooks:
            with contextlib.suppress(Exception):
                hook()


@dataclass(frozen=True, slots=True)
class _End:
    reason: str | None


class Source(Protocol):
    """Where the text of a model comes from."""

    def prepare(self) -> None:
        """Load what the first request needs; called again it does nothing."""
        ...

    def run(self, messages: Sequence[Message], max_tokens: int, stream: bool, call: Call) -> None:
        """Emit the answer and finish the call; raise `Fault` for what is understood."""
        ...


class Breaker:
    """Stop calling a model that keeps failing.

    Parameters
    ----------
    limits : Limits
    clock : callable, default `time.monotonic`
        Seconds that only grow.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[float] = deque()
        self._open_until = float("-inf")

    def check(self) -> None:
        """Raise `Fault` while the breaker is open."""
        with self._lock:
            wait = self._open_until - self._clock()
        if wait > 0:
            raise Fault(
                f"was not called: it failed {self._limits.breaker_failures} times within "
                f"{self._limits.breaker_window_seconds:.3g} s and is left alone for {wait:.0f} s",
                counts=False,
            )

    def succeeded(self) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures.clear()

    def failed(self) -> None:
        """Count a failure, and open the breaker if there were too many."""
        with self._lock:
            now = self._clock()
            self._failures.append(now)
            while self._failures[0] < now - self._limits.breaker_window_seconds:
                self._failures.popleft()
            if len(self._failures) >= self._limits.breaker_failures:
                self._open_until = now + self._limits.breaker_pause_seconds


class GuardedModel:
    """A language model that answers within its limits or raises `ModelError`.

    It may be called from several threads. It implements `rag.llm.LLM`.

    Parameters
    ----------
    source : Source
        What reaches the model.
    name : str
        Shown to people.
    context_tokens : int
        Longest prompt and answer together.
    limits : Limits, optional
    clock : callable, default `time.monotonic`
        For the breaker only.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        *,
        context_tokens: int = 4096,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self.limits = limits or Limits()
        self._source = source
        self._breaker = Breaker(self.limits, clock)

    def prepare(self) -> None:
        """Load what the first answer needs, which takes seconds that no budget should pay for.

        Raises
        ------
        ModelError
            If it can't be loaded.
        """
        self._source.prepare()

    def budget(self) -> Budget:
        """Return a fresh budget for one answer."""
        return Budget(self.limits.seconds, self.limits.requests)

    def complete(
        self, messages: Sequence[Message], *, max_tokens: int = 512, budget: Budget | None = None
    ) -> str:
        """Return the whole answer, checked.

        Raises
        ------
        ModelError
            If none came within the budget, or what came is no whole answer.
        """
        return "".join(self._pieces(messages, max_tokens, False, budget))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int = 512, budget: Budget | None = None
    ) -> Iterator[str]:
        """Yield the answer in pieces as they come.

        Raises
        ------
        ModelError
            At any piece: what came before is then no whole answer.
        """
        return self._pieces(messages, max_tokens, True, budget)

    def _pieces(
        self, messages: Sequence[Message], max_tokens: int, stream: bool, budget: Budget | None
    ) -> Iterator[str]:
        self.prepare()
        budget = budget or self.budget()
        attempt = 0
        while True:
            attempt += 1
            given = False
            try:
                self._breaker.check()
                if budget.failures_left < 1 or budget.remaining <= 0:
                    raise Fault("was not called again: the time or the retry is used up")
                for piece in self._request(messages, max_tokens, stream, budget):
                    given = True
                    yield piece
            except Fault as fault:
                if fault.counts:
                    self._breaker.failed()
                budget.failures_left -= 1
                wait = fault.retry_after_seconds
                wait = 0.25 if wait is None else wait
                again = fault.retryable and not given and budget.failures_left > 0
                if again and wait < budget.remaining:
                    time.sleep(wait)
                    continue
                raise ModelError(
                    f"the language model {self.name} {fault}",
                    model=self.name,
                    attempt=attempt,
                    retryable=fault.retryable or fault.retry_after_seconds is not None,
                ) from fault
            else:
                self._breaker.succeeded()
                return

    def _request(
        self, messages: Sequence[Message], max_tokens: int, stream: bool, budget: Budget
    ) -> Iterator[str]:
        """Run the source once and yield its checked pieces; whole answers only at their end."""
        call = Call()

        def work() -> None:
            try:
                self._source.run(messages, max_tokens, stream, call)
            except Fault as fault:
                call.pieces.put(fault)
            except ModelError as error:
                call.pieces.put(Fault(f"failed: {error}"))
            except Exception as error:
                unknown = Fault(f"failed in an unknown way ({type(error).__name__})")
                unknown.__cause__ = error
                call.pieces.put(unknown)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="model-call", daemon=True).start()
        text = ""
        checked = 0
        waited_for = "first"
        try:
            while True:
                piece = self._next(call, stream, budget, waited_for)
                waited_for = "next"
                if isinstance(piece, Fault):
                    raise piece
                if isinstance(piece, _End):
                    self._check_end(text, piece.reason, max_tokens)
                    if not stream:
                        yield text
                    return
                text += piece
                if len(text) > self.limits.characters:
                    raise Fault(f"wrote more than {self.limits.characters} characters")
                while checked + _LOOP_STEP <= len(text):
                    checked += _LOOP_STEP
                    tail = text[checked - _LOOP_CHARACTERS : checked]
                    if text.count(tail, 0, checked) >= _LOOP_TIMES:
                        raise Fault("fell into a loop and repeats itself")
                if stream and piece:
                    yield piece
        finally:
            call.cancel()

    def _next(self, call: Call, stream: bool, budget: Budget, which: str) -> str | Fault | _End:
        wait = budget.remaining
        if stream:
            limit = self.limits.first_token_seconds if which == "first" else None
            wait = min(wait, self.limits.idle_seconds if limit is None else limit)
        try:
            return call.pieces.get(timeout=wait)
        except queue.Empty:
            if budget.remaining > 0:
                what = "gave no first word within" if which == "first" else "stalled for"
                raise Fault(f"{what} {wait:.3g} s") from None
            raise Fault(f"did not finish within {self.limits.seconds:.3g} s") from None

    @staticmethod
    def _check_end(text: str, reason: str | None, max_tokens: int) -> None:
        """Raise `Fault` unless the model stopped by itself with some text."""
        if reason == "length":
            raise Fault(f"was cut off at its limit of {max_tokens} tokens")
        if not text.strip():
            raise Fault("gave an empty answer", retryable=True)
        if reason is None:
            raise Fault("sent half an answer: the connection was cut", retryable=True)
        if reason not in _FINISHED:
            raise Fault(f"stopped for another reason than being done ({reason[:40]!r})")

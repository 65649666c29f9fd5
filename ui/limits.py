"""How much one reader may ask for: a token bucket an address, and bounds on what is sent."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_QUESTION_CHARACTERS = 4_000
MAX_BODY_BYTES = 1_000_000
"""Of a request that is no upload: a question and the conversation before it."""
MAX_UPLOAD_BYTES = 32 * 2**20
"""Of one file, as the corpus reader takes it."""
QUEUE_SIZE = 32
AT_WORK = 2


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a second in the long run."""

    burst: int
    per_second: float


QUESTIONS = Rate(burst=20, per_second=1.0)
UPLOADS = Rate(burst=30, per_second=0.2)
WRONG_PASSWORDS = Rate(burst=10, per_second=0.1)


class Buckets:
    """A token bucket for each address; the least recently seen are forgotten.

    Parameters
    ----------
    rate : Rate
    most : int, default 10_000
        Addresses remembered at once. One that was forgotten starts with a full bucket.
    clock : callable, default time.monotonic
        Gives seconds.
    """

    def __init__(
        self, rate: Rate, *, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._most = most
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str) -> float:
        """Take a token; return 0.0, or the seconds to wait where the bucket is empty."""
        return self._look(address, take=True)

    def wait(self, address: str) -> float:
        """Return the seconds until there is a token, without taking it."""
        return self._look(address, take=False)

    def _look(self, address: str, *, take: bool) -> float:
        now = self._clock()
        with self._lock:
            tokens, seen = self._held.pop(address, (float(self._rate.burst), now))
            tokens = min(self._rate.burst, tokens + (now - seen) * self._rate.per_second)
            enough = tokens >= 1
            self._held[address] = (tokens - 1 if take and enough else tokens, now)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        return 0.0 if enough else (1 - tokens) / self._rate.per_second

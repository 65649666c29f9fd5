"""Follow a folder: sync whenever something in it has changed and come to rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rag.corpus import find_sources
from rag.errors import CorpusError, StoreLockedError, UserError

# A change is synced once the folder has looked the same twice in a row: files that are still
# being written are waited for.
POLL_SECONDS = 1.0

Look = tuple[tuple[str, int, int], ...]


def look(corpus: Path) -> Look:
    """Return what tells whether a folder has changed: names, sizes and times of its files."""
    try:
        found = find_sources(corpus)
    except CorpusError:
        return ()
    return tuple((source.relative, source.size, source.modified_ns) for source in found)


def follow(
    corpus: Path,
    sync: Callable[[], None],
    *,
    complain: Callable[[Exception], None],
    wait: Callable[[float], None] = time.sleep,
    rounds: int | None = None,
) -> None:
    """Sync now and after each change, until interrupted.

    The store is free between syncs, so that others can ask. An error is told and waited out:
    the next change, or a store that is no longer in use, brings the next try.

    Parameters
    ----------
    corpus : Path
    sync : callable
    complain : callable
        Told of each `UserError`.
    wait : callable, optional
        Takes seconds; another one makes tests fast.
    rounds : int, optional
        Looks at the folder before returning; endless by default.
    """
    synced: Look | None = None
    before: Look | None = look(corpus)  # so that the first sync is not waited for
    done = 0
    while rounds is None or done < rounds:
        now = look(corpus)
        if now != synced and now == before:
            try:
                sync()
                synced = now
            except StoreLockedError as error:
                complain(error)  # tried again at the next look
            except UserError as error:
                complain(error)
                synced = now
        before = now
        done += 1
        wait(POLL_SECONDS)

"""The streams of the command line: what a person types and watches, what a program reads."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from rag.present import printable
from rag.schema import Progress
from rag.terminal import DIM, paint

WIDEST = 100
"""Columns beyond which lines get hard to read."""


@contextmanager
def steady_output() -> Iterator[None]:
    """Keep odd characters and a reader that goes away from ending the program with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes once more as it ends, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(error: Exception) -> None:
    """Write what went wrong to stderr, as one line."""
    print(f"dateline: {printable(str(error))}", file=sys.stderr)


def write_json(value: Any) -> None:
    """Write one line of JSON; days are written as 2025-08-23."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, ensure_ascii=not utf8, default=str), flush=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """Give a callback that draws a bar on stderr, or None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    parts = (
        TextColumn("articles"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[passages]} passages, {task.fields[rate]:.0f} a second,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Bar(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sync", total=None, passages=0, rate=0)
        started = time.monotonic()

        def update(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                passages=progress.passages,
                rate=progress.passages / max(time.monotonic() - started, 1e-3),
            )

        yield update


def typed_lines(greeting: str) -> Iterator[str]:
    """Yield what is typed, line by line, without empty ones; prompt only where someone types."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield from filter(None, map(str.strip, sys.stdin))
        return
    with suppress(ImportError):
        import_module("readline")  # input() then offers line editing and history
    print(paint(greeting, DIM, colour=has_colour()))
    with suppress(EOFError):
        while True:
            if line := input("> ").strip():
                yield line


def has_colour() -> bool:
    """Tell whether to colour: only where a person reads and hasn't refused it (no-color.org)."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def columns() -> int:
    """Return the width to lay text out in."""
    return min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)

"""JSON lines read with the file and line in every error, and written so that a kill loses little.

A writer flushes and syncs each line; a reader that is told so drops a torn last line, which is
what a killed writer leaves.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from rag import EvaluationError


def dump(value: object) -> str:
    """Return `value` as one line of JSON with sorted keys, the same bytes every time."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`, unpacked if its name ends in ``.gz``.

    Raises
    ------
    EvaluationError
        If the file is missing, unreadable or not what its name says.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except FileNotFoundError as error:
        raise EvaluationError(f"{path}: no such file; check the path") from error
    except (OSError, EOFError) as error:
        raise EvaluationError(f"{path}: can't be read ({error})") from error


def read_objects(path: Path, *, torn_end: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line number, from 1, and the object of each line that is not empty.

    Parameters
    ----------
    path : pathlib.Path
        JSON lines in UTF-8, packed if the name ends in ``.gz``.
    torn_end : bool, default False
        Drop a last line that has no line feed or is no JSON, as a killed writer leaves it.

    Raises
    ------
    EvaluationError
        With file and line, if a line is not a JSON object in UTF-8.
    """
    lines = read_bytes(path).split(b"\n")
    complete = len(lines) - 1
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (torn_end and number > complete):
            continue
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise EvaluationError(f"{path}:{number}: not JSON in UTF-8 ({error})") from error
        if not isinstance(value, dict):
            raise EvaluationError(f"{path}:{number}: expected a JSON object, not {line[:40]!r}")
        yield number, value


def read_json(path: Path) -> dict[str, Any]:
    """Return the one JSON object that `path` holds; raise `EvaluationError` if it doesn't."""
    try:
        value = json.loads(read_bytes(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: not JSON in UTF-8 ({error})") from error
    if not isinstance(value, dict):
        raise EvaluationError(f"{path}: expected a JSON object")
    return value


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` in one step, so that a reader never sees half of it."""
    write_text(
        path, json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    )


def write_text(path: Path, text: str) -> None:
    """Write `text`, ending in a line feed, to `path` in one step."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8", newline="\n")
    os.replace(draft, path)


def append(stream: IO[bytes], value: object, *, sync: bool = True) -> None:
    """Append one line to `stream`, and force it to the disk unless told otherwise."""
    stream.write(dump(value).encode("utf-8") + b"\n")
    stream.flush()
    if sync:
        os.fsync(stream.fileno())


def open_for_append(path: Path) -> IO[bytes]:
    """Open `path` for `append`, after cutting off what a killed writer left of a last line."""
    if path.exists():
        content = path.read_bytes()
        keep = content.rfind(b"\n") + 1
        if keep != len(content):
            with path.open("r+b") as stream:
                stream.truncate(keep)
    return path.open("ab")

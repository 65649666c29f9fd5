"""Find the files of a set, and read their lines with file and line in every error."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from eval.jsonl import read_objects
from rag import EvaluationError

T = TypeVar("T")


def find(data: Path, name: str, *files: str) -> Path:
    """Return the first of `files` that stands in `data` or in its folder `name`.

    Raises
    ------
    EvaluationError
        If none does; the message says what was expected, so that a bench can say what it skips.
    """
    for file in files:
        for path in (data / name / file, data / file):
            if path.is_file():
                return path
    raise EvaluationError(
        f"{data}: no data of {name} there (looked for {', '.join(files)}, also in {name}/); "
        "name its folder with --data"
    )


def rows(path: Path, make: Callable[[dict[str, Any], int], T | None]) -> Iterator[T]:
    """Yield what `make` returns for each line, `None` left out.

    Raises
    ------
    EvaluationError
        With file and line, if a line doesn't have the fields of the set.
    """
    for number, values in read_objects(path):
        try:
            made = make(values, number)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise EvaluationError(
                f"{path}:{number}: not a line of this set ({type(error).__name__}: {error})"
            ) from error
        if made is not None:
            yield made


def day(text: str | None) -> date | None:
    """Return the day at the start of a text such as 2022/06/10 or 2023-09-26T17:01, if any."""
    try:
        return date.fromisoformat((text or "")[:10].replace("/", "-"))
    except ValueError:
        return None


def plain(text: str) -> str:
    """Return `text` on one line without format characters, which reading a corpus takes out."""
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or a text alone, that are not empty, each once."""
    values = value if isinstance(value, list) else [value]
    kept = (v.strip() for v in values if isinstance(v, str) and v.strip())
    return tuple(dict.fromkeys(kept))

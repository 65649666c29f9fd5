"""Read untrusted PDF, Word and feed files in a child process, so that none can hurt this one."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rag.errors import CorpusError
from rag.sources.clean import clean_line, clean_text
from rag.sources.dates import parse_day
from rag.sources.formats import Content, parse_plain, web_address

# The child limits its own processor time; this ends one that waits for something.
TIMEOUT_SECONDS = 20.0
MAX_ANSWER_BYTES = 64 * 2**20

MISSING_PACKAGE = "needs the package"

# Names of files and what the child reads them as.
KINDS = {".pdf": ".pdf", ".docx": ".docx", ".rss": ".feed", ".atom": ".feed", ".xml": ".feed"}

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Extracted:
    """One document of a file: what it says, and for an entry of a feed a key of its own."""

    content: Content
    key: str = ""


def extract(suffix: str, data: bytes) -> list[Extracted]:
    """Return the documents of a file.

    Parameters
    ----------
    suffix : str
        One of `KINDS`.
    data : bytes

    Raises
    ------
    CorpusError
        If the file can't be read, or not within the limits of memory and time.
    """
    environment = {
        name: os.environ[name]
        for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "DATELINE_GUARD_LOG")
        if name in os.environ
    }
    try:
        child = subprocess.run(
            [sys.executable, "-m", "rag.sources.extract", KINDS[suffix]],
            input=data,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            cwd=_ROOT,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise CorpusError(f"took longer than {TIMEOUT_SECONDS:.0f} s to read") from error
    except OSError as error:
        raise CorpusError(f"can't be read: no child process ({error.strerror})") from error
    if child.returncode or len(child.stdout) > MAX_ANSWER_BYTES:
        raise CorpusError(_reason(child.returncode))
    try:
        answer = json.loads(child.stdout)
    except ValueError as error:
        raise CorpusError("could not be read") from error
    if "reason" in answer:
        raise CorpusError(str(answer["reason"]))
    return [_extracted(suffix, document) for document in answer["documents"]]


def _reason(status: int) -> str:
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return "takes too long to read"
    if status == 0:
        return f"holds more than {MAX_ANSWER_BYTES // 2**20} MB of text"
    return "could not be read: its parser failed"


def _extracted(suffix: str, document: dict[str, str]) -> Extracted:
    title = clean_line(document.get("title", ""))
    if suffix == ".pdf":
        # The first line is a better title than what the program that printed it noted.
        plain = parse_plain(document["text"])
        return Extracted(
            Content(
                text=plain.text,
                title=plain.title or title,
                publisher=plain.publisher,
                published=plain.published or parse_day(document.get("published", "")),
            )
        )
    key = document.get("key", "")
    return Extracted(
        Content(
            text=clean_text(document["text"]).text,
            title=title,
            publisher=clean_line(document.get("publisher", "")),
            published=parse_day(document.get("published", "")),
            url=web_address(document.get("url", "")),
        ),
        hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=6).hexdigest() if key else "",
    )

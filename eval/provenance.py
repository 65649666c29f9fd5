"""Where a run comes from: code, settings, corpus, questions, models, packages, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from rag import Article

_PACKAGES = (
    "dateline-rag",
    "chromadb",
    "llama-index-core",
    "numpy",
    "onnxruntime",
    "openvino",
    "tokenizers",
    "xllamacpp",
)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "RAG_THREADS")


def corpus_hash(articles: Iterable[Article]) -> str:
    """Return the first 16 hexadecimal digits of a sha256 over ids and versions, in any order."""
    lines = sorted(f"{article.article_id}@{article.version}" for article in articles)
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()[:16]


def code_state() -> dict[str, Any]:
    """Return the commit of this code and whether tracked files differ from it.

    The commit is ``"unknown"`` for an installed copy.
    """
    folder = Path(__file__).resolve().parent
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {"commit": "unknown", "dirty": False}
    return {"commit": commit, "dirty": dirty}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """Return Python, package versions, processors and thread settings."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    threads = {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count() or 1,
        "threads": threads,
        "packages": versions,
    }


class OutboundCounter:
    """Counts attempts to connect beyond this machine while it is active.

    An audit hook sees every socket of the process, in any thread and any library, and can't be
    taken out again; so there is one, and a counter that is switched on and off.
    """

    _active: OutboundCounter | None = None
    _installed = False

    def __init__(self) -> None:
        self.attempts: list[str] = []

    def __enter__(self) -> OutboundCounter:
        if not OutboundCounter._installed:
            sys.addaudithook(_audit)
            OutboundCounter._installed = True
        OutboundCounter._active = self
        return self

    def __exit__(self, *_: object) -> None:
        OutboundCounter._active = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    counter = OutboundCounter._active
    if counter is None or not event.startswith("socket."):
        return
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    else:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if isinstance(name, str) and not _is_local(name):
        counter.attempts.append(name)


def _is_local(host: str) -> bool:
    return host in ("", "localhost", "::1", "0.0.0.0", "::") or host.startswith("127.")

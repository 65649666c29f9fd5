"""A language model in a GGUF file, run by llama.cpp in this process (extra ``local``)."""

from __future__ import annotations

import importlib.util
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.calls import Call, Fault
from rag.errors import ModelError, SettingsError
from rag.prompts import Message


class LocalSource:
    """Chat completions of a GGUF file.

    The file is loaded on first use. Its answers are greedy, so they repeat. llama.cpp also opens
    a port on this machine that can't be switched off; it is locked with a random key.

    Parameters
    ----------
    path : Path
        A GGUF file with a chat template.
    context_tokens : int
        Longest prompt and answer together.
    threads : int
        Cores to use.

    Raises
    ------
    SettingsError
        If there is no such file or the extra ``local`` is not installed.
    """

    def __init__(self, path: Path, *, context_tokens: int = 4096, threads: int = 2) -> None:
        if not path.is_file():
            raise SettingsError(
                f"RAG_LLM names no file: {path}; give the path of a GGUF file, "
                "such as RAG_LLM=local:models/name.gguf"
            )
        if importlib.util.find_spec("xllamacpp") is None:
            raise SettingsError(
                "a local model needs the extra local: pip install 'dateline-rag[local]'"
            )
        self._path = path
        self._context_tokens = context_tokens
        self._threads = threads
        self._lock = threading.Lock()
        self._server: Any = None

    def prepare(self) -> None:
        """Load the model.

        Raises
        ------
        ModelError
            If llama.cpp can't read the file.
        """
        with self._lock:
            if self._server is not None:
                return
            import xllamacpp  # type: ignore[import-untyped]

            params = xllamacpp.CommonParams()
            params.model.path = str(self._path)
            params.n_ctx = self._context_tokens
            params.n_parallel = 1
            params.cpuparams.n_threads = self._threads
            params.cpuparams_batch.n_threads = self._threads
            params.verbosity = 0
            params.warmup = False
            params.offline = True
            params.ui = False
            params.cache_ram_mib = 0
            params.api_keys = [secrets.token_urlsafe(32)]
            try:
                self._server = xllamacpp.Server(params)
            except RuntimeError as error:
                raise ModelError(
                    f"the language model {self._path.name} can't be loaded: llama.cpp refused "
                    "the file; check that it is a whole GGUF file",
                    model=self._path.stem,
                ) from error

    def run(self, messages: Sequence[Message], max_tokens: int, stream: bool, call: Call) -> None:
        """Generate an answer and emit it as it comes, also where a whole one was asked for.

        Raises
        ------
        Fault
            If llama.cpp refuses the request, mostly since it is too long.
        """
        self.prepare()
        reason: str | None = None
        fault: Fault | None = None

        def take(chunk: dict[str, Any]) -> bool:
            """Take one chunk; llama.cpp stops when this returns True."""
            nonlocal reason, fault
            if "error" in chunk:
                long = "context" in str(chunk["error"].get("type"))
                what = "was given more text than it takes" if long else "refused the request"
                fault = Fault(what, counts=False)
                return True
            for choice in chunk.get("choices", [])[:1]:
                call.emit(choice.get("delta", {}).get("content") or "")
                reason = choice.get("finish_reason") or reason
            return call.cancelled

        self._server.handle_chat_completions(
            {
                "messages": [{"role": each.role, "content": each.content} for each in messages],
                "max_tokens": max_tokens,
                "temperature": 0.0,
                "stream": True,
            },
            take,
        )
        if fault is not None:
            raise fault
        call.finish(reason)

"""The language model that may word an answer: which one, if any, and how it is called.

Without settings there is none, and answers are extracted. A model behind an OpenAI-compatible
endpoint is named by ``RAG_LLM_MODEL``, with ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``; a GGUF
file by ``RAG_LLM=local:path``. Either is called within `rag.calls.Limits`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from rag.calls import Budget, GuardedModel, Limits
from rag.endpoint import OPENAI_BASE_URL, EndpointSource
from rag.errors import SettingsError
from rag.local import LocalSource
from rag.prompts import Message

__all__ = ["LLM", "Budget", "GuardedModel", "Limits", "Message", "configured_llm", "endpoint_llm"]

LOCAL_PREFIX = "local:"

NO_KEY = SecretStr("none")
"""What local servers get, which mostly accept any key."""


@runtime_checkable
class LLM(Protocol):
    """What words answers: anything with these attributes may be given to `Assistant.open`.

    Attributes
    ----------
    name : str
        Shown to people.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def complete(
        self, messages: Sequence[Message], *, max_tokens: int = 512, budget: Budget | None = None
    ) -> str:
        """Return the whole answer; raise `rag.errors.ModelError` where there is none."""
        ...

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int = 512, budget: Budget | None = None
    ) -> Iterator[str]:
        """Yield the answer in pieces; raise `rag.errors.ModelError` where it is not whole."""
        ...


def endpoint_llm(
    model: str,
    *,
    base_url: str = OPENAI_BASE_URL,
    api_key: SecretStr = NO_KEY,
    context_tokens: int = 4096,
    limits: Limits | None = None,
) -> GuardedModel:
    """Return the model behind an OpenAI-compatible endpoint; no connection is made yet.

    Raises
    ------
    SettingsError
        If the address or the name can't be used, or the extra ``llm`` is not installed.
    """
    limits = limits or Limits()
    source = EndpointSource(
        model,
        base_url,
        api_key,
        timeout_seconds=limits.seconds,
        response_bytes=limits.response_bytes,
    )
    return GuardedModel(source, model, context_tokens=context_tokens, limits=limits)


def local_llm(
    path: Path, *, context_tokens: int = 4096, threads: int = 2, limits: Limits | None = None
) -> GuardedModel:
    """Return the model in a GGUF file; it is loaded on first use.

    Raises
    ------
    SettingsError
        If there is no such file, or the extra ``local`` is not installed.
    """
    source = LocalSource(path, context_tokens=context_tokens, threads=threads)
    return GuardedModel(source, path.stem, context_tokens=context_tokens, limits=limits)


def configured_llm(
    llm: str | None,
    llm_model: str | None,
    *,
    context_tokens: int = 4096,
    threads: int = 2,
    limits: Limits | None = None,
    environment: Mapping[str, str] | None = None,
) -> GuardedModel | None:
    """Return the model that the settings name, or None: answers are then extracted.

    A key alone names no model: articles are sent nowhere because of a variable that was set for
    another program.

    Parameters
    ----------
    llm : str or None
        Setting ``RAG_LLM``: ``local:`` and a path, or ``off``.
    llm_model : str or None
        Setting ``RAG_LLM_MODEL``.
    context_tokens, threads, limits
        See `endpoint_llm` and `local_llm`.
    environment : mapping, optional
        Where ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` stand; `os.environ` by default.

    Raises
    ------
    SettingsError
        If `llm` has another form, a model is named but neither key nor address is given, or
        the model can't be used.
    """
    if llm and llm.startswith(LOCAL_PREFIX):
        path = Path(llm.removeprefix(LOCAL_PREFIX)).expanduser()
        return local_llm(path, context_tokens=context_tokens, threads=threads, limits=limits)
    if llm == "off":
        return None
    if llm:
        raise SettingsError(f"RAG_LLM must be local:path/to/model.gguf or off, not {llm!r}")
    if not llm_model:
        return None
    environment = os.environ if environment is None else environment
    # Wrapped at once, so that no traceback that lists variables shows it.
    key = SecretStr(environment.get("OPENAI_API_KEY") or "")
    base_url = environment.get("OPENAI_BASE_URL")
    if not key and not base_url:
        raise SettingsError(
            f"RAG_LLM_MODEL names {llm_model!r}, but no endpoint is given: set OPENAI_API_KEY, "
            "or OPENAI_BASE_URL for a local server such as http://localhost:8080/v1"
        )
    return endpoint_llm(
        llm_model,
        base_url=base_url or OPENAI_BASE_URL,
        api_key=key or NO_KEY,
        context_tokens=context_tokens,
        limits=limits,
    )

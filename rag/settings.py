"""Settings: read once from the environment (prefix ``RAG_``), validated, then frozen."""

from __future__ import annotations

import difflib
import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import SettingsError

PREFIX = "RAG_"


class Settings(BaseSettings):
    """Everything that can be set, with its default, range and unit.

    Each field can be given as an environment variable: ``RAG_`` and the name in capitals.
    Use `Settings.load`, which also refuses misspelt variables.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    store: Path = Field(Path(".dateline"), description="Data folder.")
    threads: int = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 8),
        ge=1,
        description="Threads that may embed at once.",
    )

    embedding_base_url: str | None = Field(
        None, description="OpenAI-compatible embeddings endpoint; None: the bundled model."
    )
    embedding_model: str | None = Field(None, description="Model asked for at that endpoint.")
    embedding_api_key: SecretStr | None = Field(None, description="Key for that endpoint.")

    llm: str | None = Field(
        None, description="local:path/to/model.gguf words answers; off: they are extracted."
    )
    llm_model: str | None = Field(
        None,
        description="Model asked for at OPENAI_BASE_URL with OPENAI_API_KEY; None: no endpoint.",
    )
    llm_context_tokens: int = Field(
        4096, ge=1024, description="Longest prompt and draft together, in tokens."
    )
    llm_seconds: float = Field(
        30.0, gt=0, le=600, description="Longest wait for a draft, its retry included."
    )

    checker: str | None = Field(
        None,
        description="Path of an ONNX or transformers model that judges support; llm: the language "
        "model does; None: rules and the bundled score.",
    )

    trace: Literal["off", "console", "otlp"] = Field(
        "off", description="Where to send OpenTelemetry spans, which hold questions and quotes."
    )

    chroma_url: str | None = Field(
        None, description="Chroma server in a trusted network; None: embedded, in the data folder."
    )
    chroma_token: SecretStr | None = Field(
        None, description="Sent to that server in the header X-Chroma-Token."
    )

    passage_tokens: int = Field(200, ge=32, le=240, description="Longest passage, in tokens.")
    passage_overlap: int = Field(
        0, ge=0, le=3, description="Sentences that neighbouring passages share."
    )

    candidates: int = Field(
        100, ge=10, le=1000, description="Passages taken from each of the two searches."
    )
    passages_per_article: int = Field(
        3, ge=1, description="Passages of one article among the results."
    )
    passages_read: int = Field(6, ge=1, le=50, description="Passages whose sentences are read.")
    max_sentences: int = Field(2, ge=1, le=4, description="Longest extractive answer.")
    reader: bool = Field(
        True, description="Whether the bundled reader helps to choose sentences; it takes time."
    )
    caution: Literal["low", "normal", "high"] = Field(
        "normal", description="How sure an answer must be: chooses among the fitted thresholds."
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Confidence below which to abstain; None: what RAG_CAUTION chooses.",
    )

    @classmethod
    def load(cls, **values: Any) -> Settings:
        """Read the environment and the given values, which win.

        Parameters
        ----------
        **values
            Fields by name; those that are None are taken as not given.

        Raises
        ------
        SettingsError
            If a ``RAG_…`` variable is unknown or a value is out of range.
        """
        known = {PREFIX + name.upper() for name in cls.model_fields}
        for name in os.environ:
            if name.startswith(PREFIX) and name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = (
                    f"did you mean {close[0]}?" if close else "known: " + ", ".join(sorted(known))
                )
                raise SettingsError(f"unknown setting {name}; {hint}")
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "settings"
            field = cls.model_fields.get(str(first["loc"][0]) if first["loc"] else "")
            # A key must not be shown, nor what was given under a name that may be a key's.
            shown = field is not None and "Secret" not in str(field.annotation)
            given = f" (given: {first['input']!r})" if shown else ""
            raise SettingsError(f"{name}: {first['msg']}{given}") from error

    @cached_property
    def fingerprint(self) -> str:
        """First 12 hexadecimal digits of a sha256 over what can change an answer.

        Where the data lies, how many threads are used and keys are left out.
        """
        apart = {"store", "threads", "embedding_api_key", "trace", "chroma_url", "chroma_token"}
        answer = self.model_dump_json(exclude=apart)
        return hashlib.sha256(answer.encode("utf-8")).hexdigest()[:12]

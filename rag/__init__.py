"""Answers over a folder of news articles, every sentence pinned to words of an article.

Public names are loaded when they are first used, so that ``import rag`` stays quick.

Examples
--------
>>> from rag import Assistant
>>> with Assistant.open("corpus") as assistant:  # doctest: +SKIP
...     print(assistant.ask("How many working holiday visas are there?").text)
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.chat import Chat
    from rag.checking.checkers import Checker
    from rag.errors import (
        CorpusError,
        DatelineError,
        EvaluationError,
        IntegrityError,
        ModelError,
        QuestionError,
        SettingsError,
        StoreError,
        StoreLockedError,
        StoreMismatchError,
        UserError,
    )
    from rag.pipeline import Assistant
    from rag.schema import (
        Abstention,
        AbstentionReason,
        Answer,
        Article,
        Check,
        Citation,
        Done,
        DraftDropped,
        Event,
        Evidence,
        EvidenceFound,
        Filter,
        Hit,
        Mode,
        Passage,
        Progress,
        Sentence,
        SentenceChecked,
        SentenceWithheld,
        ShortAnswer,
        Skip,
        Span,
        Status,
        Support,
        SyncReport,
        Timing,
        Verdict,
        Version,
    )
    from rag.settings import Settings
    from rag.split import split_sentences
    from rag.verify import Verifier, check_sentence

__version__ = "0.1.0"

# Importing OpenVINO reports the import to a statistics server, without asking. It does without
# where its reporter isn't installed, so the reporter is made to look so before anything loads.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = [
    "Abstention",
    "AbstentionReason",
    "Answer",
    "Article",
    "Assistant",
    "Chat",
    "Check",
    "Checker",
    "Citation",
    "CorpusError",
    "DatelineError",
    "Done",
    "DraftDropped",
    "EvaluationError",
    "Event",
    "Evidence",
    "EvidenceFound",
    "Filter",
    "Hit",
    "IntegrityError",
    "Mode",
    "ModelError",
    "Passage",
    "Progress",
    "QuestionError",
    "Sentence",
    "SentenceChecked",
    "SentenceWithheld",
    "Settings",
    "SettingsError",
    "ShortAnswer",
    "Skip",
    "Span",
    "Status",
    "StoreError",
    "StoreLockedError",
    "StoreMismatchError",
    "Support",
    "SyncReport",
    "Timing",
    "UserError",
    "Verdict",
    "Verifier",
    "Version",
    "__version__",
    "check_sentence",
    "split_sentences",
]

# Where names live that are not nouns; an exception is known by its ending.
_MODULES = {
    "Assistant": "rag.pipeline",
    "Chat": "rag.chat",
    "Checker": "rag.checking.checkers",
    "Settings": "rag.settings",
    "Verifier": "rag.verify",
    "check_sentence": "rag.verify",
    "split_sentences": "rag.split",
}


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use, and keep the name."""
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    ending = "rag.errors" if name.endswith("Error") else "rag.schema"
    value = getattr(import_module(_MODULES.get(name, ending)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what is loaded and what can be."""
    return sorted(set(globals()) | set(__all__))

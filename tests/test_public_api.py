"""The contract: these names, each from its own module, and a version that agrees."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import rag
import rag.errors
import rag.schema

ROOT = Path(__file__).parents[1]

NOUNS = {
    "Abstention",
    "AbstentionReason",
    "Answer",
    "Article",
    "Check",
    "Citation",
    "Done",
    "DraftDropped",
    "Evidence",
    "EvidenceFound",
    "Filter",
    "Hit",
    "Mode",
    "Passage",
    "Progress",
    "Sentence",
    "SentenceChecked",
    "SentenceWithheld",
    "ShortAnswer",
    "Skip",
    "Span",
    "Status",
    "Support",
    "SyncReport",
    "Timing",
    "Verdict",
    "Version",
}
ERRORS = {
    "CorpusError",
    "DatelineError",
    "EvaluationError",
    "IntegrityError",
    "ModelError",
    "QuestionError",
    "SettingsError",
    "StoreError",
    "StoreLockedError",
    "StoreMismatchError",
    "UserError",
}
REST = {
    "Assistant",
    "Chat",
    "Checker",
    "Event",
    "Settings",
    "Verifier",
    "__version__",
    "check_sentence",
    "split_sentences",
}


def test_public_names_are_exactly_these() -> None:
    assert set(rag.__all__) == NOUNS | ERRORS | REST
    assert list(rag.__all__) == sorted(rag.__all__)


@pytest.mark.parametrize("name", sorted(NOUNS | ERRORS | REST))
def test_each_public_name_loads(name: str) -> None:
    assert getattr(rag, name) is not None
    assert name in dir(rag)


def test_every_noun_and_error_of_the_package_is_public() -> None:
    for module, names in ((rag.schema, NOUNS), (rag.errors, ERRORS)):
        defined = {
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        }
        assert {name for name in defined if not name.startswith("_")} == names


def test_errors_that_a_user_can_fix_are_user_errors() -> None:
    fixable = ERRORS - {"DatelineError", "ModelError", "IntegrityError"}
    assert all(issubclass(getattr(rag, name), rag.UserError) for name in fixable)
    assert all(issubclass(getattr(rag, name), rag.DatelineError) for name in ERRORS)


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Asistant'"):
        getattr(rag, "Asistant")  # noqa: B009


def test_version_agrees_with_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert rag.__version__ == project["version"]


def test_calls_of_the_assistant_are_exactly_these() -> None:
    calls = {name for name in vars(rag.Assistant) if not name.startswith("_")}
    required = {
        "open",
        "sync",
        "ask",
        "stream",
        "chat",
        "search",
        "article",
        "articles",
        "citation",
    }
    assert required | {"status", "doctor", "close"} <= calls
    assert {"__enter__", "__exit__"} <= set(vars(rag.Assistant))

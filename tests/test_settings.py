"""Settings: a wrong one is an error that helps, and shows no key."""

from __future__ import annotations

import pytest

from rag.errors import SettingsError
from rag.settings import Settings


def test_value_out_of_range_is_named_with_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_MAX_SENTENCES", "9")
    with pytest.raises(SettingsError, match=r"RAG_MAX_SENTENCES: .*given: '9'"):
        Settings.load()


def test_misspelt_variable_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_EMBEDING_API_KEY", "planted-key")
    with pytest.raises(SettingsError, match="did you mean RAG_EMBEDDING_API_KEY") as raised:
        Settings.load()
    assert "planted-key" not in str(raised.value)


@pytest.mark.parametrize("name", ["embedding_api_key", "chroma_token", "api_key"])
def test_key_of_a_wrong_type_or_name_is_not_shown(name: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.load(**{name: ["planted-key"]})
    assert "planted-key" not in str(raised.value)

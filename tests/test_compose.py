"""The assistant with a language model: worded answers, and the extract where anything fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import HashingEmbedder
from pydantic import SecretStr

from eval.scripted_endpoint import FAULTS, ScriptedEndpoint
from rag import Assistant
from rag.calls import Limits
from rag.errors import IntegrityError, SettingsError
from rag.llm import LLM, endpoint_llm
from rag.prompts import NO_ANSWER
from rag.schema import (
    Answer,
    Done,
    DraftDropped,
    Event,
    EvidenceFound,
    Mode,
    SentenceChecked,
    SentenceWithheld,
)

QUESTION = "How many working holiday visas does Japan grant South Koreans a year?"
ARTICLES = {
    "visas": (
        "Japan caps working holiday visas for South Koreans at 10,000 a year. "
        "Prime Minister Shigeru Ishiba announced the limit in Tokyo on Aug. 23. "
        "Seoul has not set a limit for Japanese applicants."
    ),
    "trams": "Helsinki opened a tram line across the harbour. Trams run every ten minutes.",
}
ROOMY = Limits(breaker_failures=10**6)
TIGHT = replace(ROOMY, seconds=1.2, first_token_seconds=0.6, idle_seconds=0.4)
ENDLESS = ("timeout", "stall", "drip", "drip-headers")
KEY = "sk-planted-51e2"
TRUE = "Japan caps the visas for South Koreans at 10,000 a year [1]."
FALSE = "Japan grants South Koreans 12,000 working holiday visas a year [1]."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose")
    corpus = folder / "corpus"
    corpus.mkdir()
    for name, text in ARTICLES.items():
        header = f"---\ntitle: {name.title()}\npublisher: Seoul desk\ndate: 2025-08-24\n---\n"
        (corpus / f"{name}.md").write_text(header + text, "utf-8")
    with Assistant.open(corpus, store=folder / "store", embedder=HashingEmbedder()) as assistant:
        assistant.sync()
    return folder / "store"


@pytest.fixture
def said() -> list[str]:
    """What the endpoint says; a test puts its text in."""
    return [TRUE]


@pytest.fixture
def endpoint(said: list[str]) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(lambda body: said[0], patience_seconds=3) as server:
        yield server


def opened(store: Path, llm: LLM | None) -> Assistant:
    assistant = Assistant.open(store=store, embedder=HashingEmbedder(), llm=llm)
    # A hashing embedder knows no meaning, so the fitted threshold means nothing here.
    assistant.settings = assistant.settings.model_copy(update={"threshold": 0.0})
    return assistant


def scripted(endpoint: ScriptedEndpoint, fault: str = "ok") -> LLM:
    limits = TIGHT if fault in ENDLESS else ROOMY
    key = SecretStr(KEY)
    return endpoint_llm("scripted", base_url=endpoint.base_url(fault), api_key=key, limits=limits)


def answered(store: Path, llm: LLM | None, mode: str = "whole") -> tuple[Answer, list[Event]]:
    with opened(store, llm) as assistant:
        if mode == "whole":
            return assistant.ask(QUESTION), []
        events = list(assistant.stream(QUESTION))
        assert isinstance(events[-1], Done)
        return events[-1].answer, events


@pytest.fixture(scope="module")
def extract(store: Path) -> Answer:
    return answered(store, None)[0]


def test_without_a_model_answers_are_extracted_and_say_so(extract: Answer) -> None:
    assert extract.mode is Mode.EXTRACTIVE
    assert extract.fault is None
    assert "10,000" in extract.text


@pytest.mark.parametrize("mode", ["whole", "stream"])
def test_model_words_the_answer_and_code_cuts_the_quotes(
    store: Path, endpoint: ScriptedEndpoint, mode: str
) -> None:
    answer, _ = answered(store, scripted(endpoint), mode)
    assert (answer.mode, answer.model, answer.fault) == (Mode.LLM, "scripted", None)
    assert answer.text == TRUE.replace(" [1].", ". [1]")
    assert answer.citations[0].quote == ARTICLES["visas"].split(". ")[0] + "."
    assert [timing.stage for timing in answer.timings][-1] == "draft"


def test_events_come_in_order_and_agree_with_the_answer(
    store: Path, endpoint: ScriptedEndpoint, said: list[str]
) -> None:
    said[0] = f"{TRUE} {FALSE}"
    answer, events = answered(store, scripted(endpoint), "stream")
    assert [type(event) for event in events] == [
        EvidenceFound,
        SentenceChecked,
        SentenceWithheld,
        Done,
    ]
    assert answer.sentences == tuple(e.sentence for e in events if isinstance(e, SentenceChecked))
    assert answer.withheld == tuple(e.sentence for e in events if isinstance(e, SentenceWithheld))
    labels = {each.label for each in answer.evidence}
    assert {citation.label for citation in answer.citations} <= labels


@pytest.mark.parametrize("mode", ["whole", "stream"])
@pytest.mark.parametrize(
    ("text", "why"),
    [(FALSE, "none of its 1 sentences passed"), (NO_ANSWER, "found no answer"), ("...", "nothing")],
)
def test_draft_without_a_sentence_to_show_gives_the_labelled_extract(
    store: Path,
    endpoint: ScriptedEndpoint,
    said: list[str],
    extract: Answer,
    text: str,
    why: str,
    mode: str,
) -> None:
    said[0] = text
    answer, events = answered(store, scripted(endpoint), mode)
    assert answer.mode is Mode.EXTRACTIVE
    assert answer.sentences == extract.sentences
    assert why in (answer.fault or "")
    if mode == "stream":
        dropped = [isinstance(event, DraftDropped) for event in events].index(True)
        after = [e.sentence for e in events[dropped:] if isinstance(e, SentenceChecked)]
        assert tuple(after) == answer.sentences


@pytest.mark.parametrize("mode", ["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_gives_the_labelled_extract_within_the_budget(
    store: Path, endpoint: ScriptedEndpoint, extract: Answer, fault: str, mode: str
) -> None:
    with opened(store, scripted(endpoint, fault)) as assistant:
        if mode == "whole":
            answer = assistant.ask(QUESTION)
        else:
            answer = [e for e in assistant.stream(QUESTION) if isinstance(e, Done)][-1].answer
    # The promise to the reader, not a benchmark: the budget and one second.
    (drafting,) = [timing.seconds for timing in answer.timings if timing.stage == "draft"]
    assert drafting < (TIGHT if fault in ENDLESS else ROOMY).seconds + 1
    assert 1 <= len(endpoint.requests) <= 2
    assert endpoint.elsewhere == []
    assert answer.sentences == extract.sentences
    assert (answer.mode, answer.abstention) == (Mode.EXTRACTIVE, None)
    assert answer.fault
    assert KEY not in f"{answer!r}"


def test_question_that_is_abstained_on_is_put_to_no_model(
    store: Path, endpoint: ScriptedEndpoint
) -> None:
    with opened(store, scripted(endpoint)) as assistant:
        assistant.settings = assistant.settings.model_copy(update={"threshold": 1.0})
        answer = assistant.ask(QUESTION)
    assert answer.abstention is not None
    assert endpoint.requests == []


def test_status_and_doctor_name_the_model(store: Path, endpoint: ScriptedEndpoint) -> None:
    with opened(store, scripted(endpoint)) as assistant:
        status = assistant.status()
        assert (status.mode, status.model) == (Mode.LLM, "scripted")
        (check,) = [each for each in assistant.doctor() if each.name == "language model"]
        assert check.ok
    with opened(store, scripted(endpoint, "http-401")) as assistant:
        (check,) = [each for each in assistant.doctor() if each.name == "language model"]
        assert not check.ok
        assert "OPENAI_API_KEY" in check.detail
        assert KEY not in check.detail


def test_model_of_the_environment_is_used(
    store: Path, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url())
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Assistant.open(store=store, embedder=HashingEmbedder()) as assistant:
        assert assistant.status().mode is Mode.EXTRACTIVE
    monkeypatch.setenv("RAG_LLM_MODEL", "scripted")
    with Assistant.open(store=store, embedder=HashingEmbedder()) as assistant:
        assert assistant.status().model == "scripted"
        assert KEY not in f"{assistant.settings!r} {vars(assistant)!r}"
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        Assistant.open(store=store, embedder=HashingEmbedder())


# Conversations


def test_chat_searches_the_question_that_a_follow_up_stands_for(store: Path) -> None:
    with opened(store, None) as assistant:
        chat = assistant.chat()
        chat.ask("What did Shigeru Ishiba announce?")
        answer = chat.ask("When did he announce it?")
        assert answer.question == "When did he announce it?"
        assert answer.standalone_question == "When did Shigeru Ishiba announce it?"
        assert [turn.question for turn in chat.turns][-1] == answer.standalone_question
        chat.clear()
        assert chat.ask("When did he announce it?").standalone_question.startswith("When did he")


def test_chat_streams_and_remembers(store: Path) -> None:
    with opened(store, None) as assistant:
        chat = assistant.chat()
        assert isinstance(list(chat.stream("What did Shigeru Ishiba announce?"))[-1], Done)
        assert len(chat.turns) == 1
        assert "Ishiba" in chat.turns[0].question


def test_fault_in_a_conversation_makes_at_most_two_requests_a_turn(
    store: Path, endpoint: ScriptedEndpoint
) -> None:
    with opened(store, scripted(endpoint, "http-500")) as assistant:
        chat = assistant.chat()
        chat.ask(QUESTION)
        before = len(endpoint.requests)
        answer = chat.ask("And Germans?")
    assert len(endpoint.requests) - before == 2
    assert answer.fault


def test_quote_that_is_not_in_the_stored_article_is_never_shown(
    store: Path, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.pipeline.is_exact", lambda citation, text: False)
    with opened(store, scripted(endpoint)) as assistant, pytest.raises(IntegrityError):
        assistant.ask(QUESTION)

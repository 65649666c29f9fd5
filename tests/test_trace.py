"""Spans: none unless asked for, one a stage, the model's call inside its draft."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import HashingEmbedder

from eval.scripted_endpoint import ScriptedEndpoint
from rag import Assistant, trace
from rag.errors import SettingsError
from rag.llm import LLM, endpoint_llm

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="the extra trace is not installed")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

QUESTION = "How many working holiday visas does Japan grant South Koreans a year?"
ANSWER = "Japan caps working holiday visas for South Koreans at 10,000 a year [1]."


@pytest.fixture
def spans() -> Iterator[object]:
    """Everything recorded during a test."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.enable(provider)
    yield exporter
    trace.disable()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "visas.md").write_text(
        "Japan caps working holiday visas for South Koreans at "
        "10,000 a year. Seoul has set no limit.",
        "utf-8",
    )
    with Assistant.open(corpus, store=tmp_path / "s", embedder=HashingEmbedder()) as assistant:
        assistant.sync()
    return tmp_path / "s"


def ask(store: Path, llm: LLM | None = None) -> str:
    with Assistant.open(store=store, embedder=HashingEmbedder(), llm=llm) as assistant:
        assistant.settings = assistant.settings.model_copy(update={"threshold": 0.0})
        return assistant.ask(QUESTION).text


def test_nothing_is_recorded_or_imported_while_tracing_is_off() -> None:
    code = "import sys, rag.trace, rag.pipeline; print('opentelemetry.sdk' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_each_stage_is_a_span_inside_the_question(store: Path, spans: object) -> None:
    text = ask(store)
    found = {span.name: span for span in spans.get_finished_spans()}  # type: ignore[attr-defined]
    assert {"ask", "embed", "retrieve", "select", "answer"} <= set(found)
    root = found["ask"]
    assert root.parent is None
    assert root.attributes["input.value"] == QUESTION
    assert root.attributes["output.value"] == text
    assert root.attributes["openinference.span.kind"] == "CHAIN"
    for name in ("embed", "retrieve", "select", "answer"):
        assert found[name].parent.span_id == root.context.span_id
    retrieved = found["retrieve"].attributes
    assert retrieved["openinference.span.kind"] == "RETRIEVER"
    assert "10,000" in retrieved["retrieval.documents.0.document.content"]


def test_call_of_the_model_stands_inside_its_draft(store: Path, spans: object) -> None:
    with ScriptedEndpoint(lambda body: ANSWER) as endpoint:
        ask(store, endpoint_llm("scripted", base_url=endpoint.base_url()))
    found = {span.name: span for span in spans.get_finished_spans()}  # type: ignore[attr-defined]
    call, draft = found["llama_index.chat"], found["draft"]
    assert call.parent.span_id == draft.context.span_id
    assert draft.parent.span_id == found["ask"].context.span_id
    assert call.attributes["openinference.span.kind"] == "LLM"
    assert call.attributes["llm.model_name"] == "scripted"
    assert QUESTION in call.attributes["llm.input_messages.1.message.content"]
    assert call.attributes["output.value"] == ANSWER


def test_fault_marks_the_question(store: Path, spans: object) -> None:
    with ScriptedEndpoint(lambda body: ANSWER) as endpoint:
        ask(store, endpoint_llm("scripted", base_url=endpoint.base_url("http-401")))
    (call,) = [s for s in spans.get_finished_spans() if s.name == "llama_index.chat"]  # type: ignore[attr-defined]
    assert not call.status.is_ok
    (root,) = [s for s in spans.get_finished_spans() if s.name == "ask"]  # type: ignore[attr-defined]
    assert not root.status.is_ok
    assert "401" in root.status.description


def test_stream_left_early_ends_its_span(store: Path, spans: object) -> None:
    with Assistant.open(store=store, embedder=HashingEmbedder()) as assistant:
        events = assistant.stream(QUESTION)
        next(events)
        events.close()  # type: ignore[attr-defined]
    assert [s.name for s in spans.get_finished_spans()][-1] == "ask"  # type: ignore[attr-defined]


def test_unknown_exporter_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="console"):
        trace.enable(exporter="file")
    monkeypatch.setenv("RAG_TRACE", "file")
    with pytest.raises(SettingsError, match="RAG_TRACE"):
        Assistant.open(store=tmp_path / "s", embedder=HashingEmbedder())

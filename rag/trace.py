"""Tell OpenTelemetry how an answer came about, with the attribute names of OpenInference.

Off unless `enable` was called (setting ``RAG_TRACE``, extra ``trace``): then nothing is imported
and nothing is recorded. Spans hold questions, quotes and prompts, so they go only where the user
sends them.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

Item = TypeVar("Item")
Result = TypeVar("Result")

KINDS = {
    "ask": "CHAIN",
    "rewrite": "CHAIN",
    "embed": "EMBEDDING",
    "retrieve": "RETRIEVER",
    "select": "RERANKER",
    "answer": "CHAIN",
    "draft": "CHAIN",
    "model": "LLM",
}
"""OpenInference's kind of each span that this package records."""

EXPORTERS = ("off", "console", "otlp")
"""Where ``RAG_TRACE`` may send spans; ``otlp`` obeys the ``OTEL_EXPORTER_OTLP_…`` variables."""

_tracer: Tracer | None = None
_listening = False


def enable(provider: TracerProvider | None = None, *, exporter: str = "otlp") -> None:
    """Record spans from now on, in the whole process.

    Parameters
    ----------
    provider : opentelemetry.trace.TracerProvider, optional
        Where spans go; by default a new one with the exporter named.
    exporter : {"console", "otlp"}
        Used only without a provider.

    Raises
    ------
    SettingsError
        If the extra ``trace`` is not installed, or the exporter has another name.
    """
    global _tracer
    if exporter not in EXPORTERS[1:]:
        raise SettingsError(f"RAG_TRACE must be one of {', '.join(EXPORTERS)}, not {exporter!r}")
    try:
        provider = provider or _provider(exporter)
    except ImportError as error:
        raise SettingsError(
            f"RAG_TRACE={exporter} needs the extra trace: pip install 'dateline-rag[trace]'"
        ) from error
    _tracer = provider.get_tracer("dateline")


def disable() -> None:
    """Record nothing from now on."""
    global _tracer
    _tracer = None


class Recorder:
    """Writes attributes to a span, or nowhere while tracing is off."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def set(self, **attributes: str | float | None) -> None:
        """Set attributes; two underscores in a name stand for a dot, and None sets nothing."""
        if self._span is not None:
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(name.replace("__", "."), value)

    def set_documents(self, documents: Sequence[tuple[str, str, float]]) -> None:
        """Set what was retrieved: an id, a text and a score each."""
        for place, (document_id, content, score) in enumerate(documents):
            if self._span is not None:
                prefix = f"retrieval.documents.{place}.document"
                self._span.set_attribute(f"{prefix}.id", document_id)
                self._span.set_attribute(f"{prefix}.content", content)
                self._span.set_attribute(f"{prefix}.score", score)

    def set_messages(self, messages: Sequence[tuple[str, str]]) -> None:
        """Set what a language model was sent: a role and a text each."""
        for place, (role, content) in enumerate(messages):
            if self._span is not None:
                prefix = f"llm.input_messages.{place}.message"
                self._span.set_attribute(f"{prefix}.role", role)
                self._span.set_attribute(f"{prefix}.content", content)


@contextmanager
def stage(name: str, **attributes: str | float | None) -> Iterator[Recorder]:
    """Record a stage that yields nothing to its caller's caller; an exception marks its span."""
    if _tracer is None:
        yield Recorder(None)
        return
    kind = {"openinference.span.kind": KINDS.get(name, "CHAIN")}
    with _tracer.start_as_current_span(name, attributes=kind) as span:
        recorder = Recorder(span)
        recorder.set(**attributes)
        yield recorder


def traced(
    name: str, steps: Generator[Item, None, Result], **attributes: str | float | None
) -> Generator[Item, None, Result]:
    """Record a stage that works in steps.

    Its span is the current one only while it works, not while its caller holds an item: the
    caller may be another span's business.
    """
    if _tracer is None:
        return (yield from steps)
    from opentelemetry.trace import Status, StatusCode, use_span

    kind = {"openinference.span.kind": KINDS.get(name, "CHAIN")}
    span = _tracer.start_span(name, attributes=kind)
    Recorder(span).set(**attributes)
    try:
        while True:
            with use_span(span, end_on_exit=False):
                try:
                    item = next(steps)
                except StopIteration as stop:
                    result: Result = stop.value
                    return result
            output = getattr(item, "answer", None)
            if output is not None:
                span.set_attribute("output.value", output.text)
                span.set_attribute("dateline.mode", output.mode.value)
                if output.fault:
                    span.set_status(Status(StatusCode.ERROR, output.fault))
            yield item
    finally:
        steps.close()
        span.end()


def listen_to_llama_index() -> None:
    """Record the chats that LlamaIndex reports while tracing is on; called again, do nothing."""
    global _listening
    if _tracer is None or _listening:
        return
    from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
    from llama_index.core.instrumentation.event_handlers import BaseEventHandler
    from opentelemetry.trace import Status, StatusCode

    open_spans: dict[str, Span] = {}

    class Handler(BaseEventHandler):
        @classmethod
        def class_name(cls) -> str:
            return "DatelineTrace"

        def handle(self, event: Any, **_: Any) -> None:
            if _tracer is None:
                return
            name, key = event.class_name(), event.span_id or ""
            if name == "LLMChatStartEvent":
                span = _tracer.start_span("llama_index.chat")
                recorder = Recorder(span)
                span.set_attribute("openinference.span.kind", "LLM")
                recorder.set(llm__model_name=event.model_dict.get("model_name"))
                recorder.set_messages([(m.role.value, m.content or "") for m in event.messages])
                parameters = json.dumps(event.additional_kwargs, default=str)
                recorder.set(llm__invocation_parameters=parameters)
                open_spans[key] = span
            elif name in ("LLMChatEndEvent", "SpanDropEvent") and key in open_spans:
                span = open_spans.pop(key)
                if name == "SpanDropEvent":
                    # Not what went wrong: an endpoint's words may hold the key it was sent.
                    span.set_status(Status(StatusCode.ERROR))
                elif event.response is not None:
                    Recorder(span).set(output__value=event.response.message.content or "")
                span.end()

    get_dispatcher().add_event_handler(Handler())
    _listening = True


def _provider(exporter: str) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    provider = SdkProvider(resource=Resource.create({"service.name": "dateline"}))
    if exporter == "console":
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    else:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider

"""The language model behind a real server that misbehaves: within its limits, or a ModelError."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from eval.scripted_endpoint import FAULTS, ScriptedEndpoint
from rag.calls import Breaker, Call, Fault, GuardedModel, Limits
from rag.errors import ModelError, SettingsError
from rag.llm import LLM, configured_llm, endpoint_llm
from rag.prompts import Message

TEXT = "Japan caps the visas at 10,000 a year [1]. Seoul agreed to that [2]."
KEY = "sk-planted-7f3a9c51e2"
ASK = (Message("user", "How many visas?"),)
# For faults that end by themselves, so that a busy machine changes nothing, and for those that
# only a deadline ends.
ROOMY = Limits(characters=20_000, response_bytes=2_000_000, breaker_failures=1000)
TIGHT = replace(ROOMY, seconds=1.5, first_token_seconds=0.8, idle_seconds=0.4)
ENDLESS = ("timeout", "stall", "drip", "drip-headers")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(lambda body: TEXT, patience_seconds=4) as server:
        yield server


def model(endpoint: ScriptedEndpoint, fault: str, limits: Limits | None = None) -> GuardedModel:
    limits = limits or (TIGHT if fault in ENDLESS else ROOMY)
    base_url = endpoint.base_url(fault)
    return endpoint_llm("scripted", base_url=base_url, api_key=SecretStr(KEY), limits=limits)


def ask(llm: LLM, mode: str) -> str:
    return llm.complete(ASK) if mode == "whole" else "".join(llm.stream(ASK))


@pytest.mark.parametrize("mode", ["whole", "stream"])
def test_healthy_endpoint_gives_its_answer_in_one_request(
    endpoint: ScriptedEndpoint, mode: str
) -> None:
    before = len(endpoint.requests)
    assert ask(model(endpoint, "ok"), mode) == TEXT
    assert endpoint.requests[before:] == [("ok", f"Bearer {KEY}")]


def test_stream_comes_in_pieces(endpoint: ScriptedEndpoint) -> None:
    assert len(list(model(endpoint, "ok").stream(ASK))) > 5


@pytest.mark.parametrize("mode", ["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_in_a_model_error_within_the_budget(
    endpoint: ScriptedEndpoint, fault: str, mode: str
) -> None:
    llm = model(endpoint, fault)
    llm.prepare()
    before, elsewhere = len(endpoint.requests), len(endpoint.elsewhere)
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        ask(llm, mode)
    # The promise to the user, not a benchmark: the budget and one second.
    assert time.monotonic() - start < llm.limits.seconds + 1
    assert 1 <= len(endpoint.requests) - before <= 2
    assert len(endpoint.elsewhere) == elsewhere
    assert str(caught.value).startswith("the language model scripted ")
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("mode", ["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("http-401", "OPENAI_API_KEY"),
        ("http-404", "RAG_LLM_MODEL"),
        ("http-429", "busy"),
        ("http-500", "HTTP 500"),
        ("context-too-long", "more text than it takes"),
        ("redirect", "not followed"),
        ("length", "cut off at its limit"),
        ("loop", "repeats itself"),
        ("ten-megabytes", "more than"),
        ("compressed", "compressed"),
        ("cut", "connection was cut"),
    ],
)
def test_error_says_what_happened(
    endpoint: ScriptedEndpoint, fault: str, word: str, mode: str
) -> None:
    with pytest.raises(ModelError, match=word):
        ask(model(endpoint, fault), mode)


@pytest.mark.parametrize("mode", ["whole", "stream"])
def test_passing_failure_is_tried_once_more(endpoint: ScriptedEndpoint, mode: str) -> None:
    with ScriptedEndpoint(lambda body: TEXT) as fresh:
        assert ask(model(fresh, "http-500-once"), mode) == TEXT
        assert len(fresh.requests) == 2


def test_refusal_that_will_not_pass_is_not_tried_again(endpoint: ScriptedEndpoint) -> None:
    for fault in ("http-401", "http-404", "context-too-long", "redirect", "length"):
        before = len(endpoint.requests)
        with pytest.raises(ModelError):
            model(endpoint, fault).complete(ASK)
        assert len(endpoint.requests) - before == 1, fault


def test_retry_after_is_waited_for_within_the_budget(endpoint: ScriptedEndpoint) -> None:
    before, start = len(endpoint.requests), time.monotonic()
    with pytest.raises(ModelError) as caught:
        model(endpoint, "http-429-retry-after").complete(ASK)
    assert len(endpoint.requests) - before == 2
    assert time.monotonic() - start >= 1
    assert caught.value.attempt == 2
    assert caught.value.retryable


def test_retry_after_longer_than_the_budget_is_not_waited_for(endpoint: ScriptedEndpoint) -> None:
    before = len(endpoint.requests)
    with pytest.raises(ModelError, match="busy"):
        model(endpoint, "http-429-retry-after", Limits(seconds=0.8)).complete(ASK)
    assert len(endpoint.requests) - before == 1


def test_calls_that_share_a_budget_share_its_failures(endpoint: ScriptedEndpoint) -> None:
    llm = model(endpoint, "http-500")
    budget, before = llm.budget(), len(endpoint.requests)
    for _ in range(3):
        with pytest.raises(ModelError):
            llm.complete(ASK, budget=budget)
    assert len(endpoint.requests) - before == 2


def test_abandoned_stream_ends_its_thread(endpoint: ScriptedEndpoint) -> None:
    pieces = model(endpoint, "stall").stream(ASK)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 3
    while any(thread.name == "model-call" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the request still runs"
        time.sleep(0.02)


# The breaker


def test_breaker_opens_after_five_failures_and_closes_after_its_pause(
    endpoint: ScriptedEndpoint,
) -> None:
    now = [0.0]
    healthy = model(endpoint, "ok")
    failing = model(endpoint, "http-401")
    limits = Limits(breaker_failures=5)
    llm = GuardedModel(failing._source, "scripted", limits=limits, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(ModelError, match="401"):
            llm.complete(ASK)
        now[0] += 1
    before = len(endpoint.requests)
    with pytest.raises(ModelError, match="left alone"):
        llm.complete(ASK)
    assert len(endpoint.requests) == before
    now[0] += 30
    llm._source = healthy._source
    assert llm.complete(ASK) == TEXT
    assert llm.complete(ASK) == TEXT


def test_breaker_forgets_failures_older_than_its_window() -> None:
    now = [0.0]
    breaker = Breaker(Limits(), clock=lambda: now[0])
    for _ in range(20):
        breaker.failed()
        now[0] += 16  # never five within sixty seconds
        breaker.check()


def test_breaker_opens_at_once_if_the_first_call_after_its_pause_fails() -> None:
    now = [0.0]
    breaker = Breaker(Limits(), clock=lambda: now[0])
    for _ in range(5):
        breaker.failed()
    now[0] = 31
    breaker.check()
    breaker.failed()
    with pytest.raises(Fault, match="left alone"):
        breaker.check()


def test_prompt_that_is_too_long_never_opens_the_breaker(endpoint: ScriptedEndpoint) -> None:
    llm = model(endpoint, "context-too-long", Limits(breaker_failures=2))
    for _ in range(4):
        with pytest.raises(ModelError, match="more text than it takes"):
            llm.complete(ASK)


# What a source may do


class Stub:
    """A source that emits fixed pieces and ends with a reason."""

    def __init__(self, pieces: list[str], reason: str | None = "stop") -> None:
        self.pieces, self.reason = pieces, reason

    def prepare(self) -> None:
        """Nothing to load."""

    def run(self, messages: object, max_tokens: int, stream: bool, call: Call) -> None:
        for piece in self.pieces:
            call.emit(piece)
        call.finish(self.reason)


@pytest.mark.parametrize("reason", [None, "length", "content_filter", "tool_calls", ""])
def test_text_that_did_not_end_by_itself_is_refused(reason: str | None) -> None:
    llm = GuardedModel(Stub(["Half an answer"], reason), "stub", limits=Limits(requests=1))
    with pytest.raises(ModelError):
        llm.complete(ASK)


@pytest.mark.parametrize("pieces", [[], [""], [" \n"]])
def test_empty_text_is_refused(pieces: list[str]) -> None:
    with pytest.raises(ModelError, match="empty"):
        GuardedModel(Stub(pieces), "stub", limits=Limits(requests=1)).complete(ASK)


def test_source_with_a_bug_ends_in_a_model_error() -> None:
    class Broken(Stub):
        def run(self, *_: object) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    with pytest.raises(ModelError, match="ZeroDivisionError"):
        GuardedModel(Broken([]), "broken").complete(ASK)


def test_repetitive_but_sane_text_passes() -> None:
    text = " ".join(
        f"In {year} Japan granted {year * 5} visas to Koreans [1]." for year in range(40)
    )
    assert GuardedModel(Stub([text]), "stub").complete(ASK) == text


# Which model


def test_no_settings_name_no_model_even_with_a_key() -> None:
    assert configured_llm(None, None, environment={"OPENAI_API_KEY": KEY}) is None
    assert configured_llm("off", "some-model", environment={"OPENAI_API_KEY": KEY}) is None


def test_model_with_an_address_needs_no_key(endpoint: ScriptedEndpoint) -> None:
    environment = {"OPENAI_BASE_URL": endpoint.base_url()}
    llm = configured_llm(None, "scripted", environment=environment)
    assert llm is not None
    assert isinstance(llm, LLM)
    assert llm.complete(ASK) == TEXT
    assert endpoint.requests[-1] == ("ok", "Bearer none")


@pytest.mark.parametrize(
    ("llm", "llm_model", "environment"),
    [
        (None, "some-model", {}),
        (None, "some-model", {"OPENAI_BASE_URL": "localhost:8080"}),
        (None, "some-model", {"OPENAI_BASE_URL": f"ftp://user:{KEY}@host"}),
        ("gpt", None, {}),
        ("local:no/such/file.gguf", None, {}),
    ],
)
def test_settings_that_name_no_usable_model_raise(
    llm: str | None, llm_model: str | None, environment: dict[str, str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        configured_llm(llm, llm_model, environment=environment)
    assert KEY not in str(caught.value)


def test_key_is_in_no_representation(endpoint: ScriptedEndpoint) -> None:
    llm = model(endpoint, "ok")
    ask(llm, "whole")
    assert KEY not in f"{llm!r} {vars(llm)!r} {llm._source!r}"


def test_file_that_is_no_model_raises_model_error(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the extra local is not installed")
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    llm = configured_llm(f"local:{path}", None)
    assert llm is not None
    with pytest.raises(ModelError, match=r"broken\.gguf can't be loaded"):
        llm.complete(ASK)

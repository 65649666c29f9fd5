"""A real language model in this process: SmolLM2-135M through llama.cpp."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from eval.smollm2 import cached_model
from rag.calls import GuardedModel, Limits
from rag.errors import ModelError
from rag.llm import configured_llm
from rag.prompts import Message

ASK = (Message("user", "What is the capital of France? Answer in one short sentence."),)


@pytest.fixture(scope="module")
def smollm2() -> Iterator[GuardedModel]:
    pytest.importorskip("xllamacpp", reason="the extra local is not installed")
    path = cached_model()
    if path is None:
        pytest.skip("SmolLM2 is not cached; fetch it with: python -m eval.smollm2")
    # A busy machine may be slow; what is tested here is not speed.
    limits = Limits(seconds=120, first_token_seconds=100, idle_seconds=60)
    llm = configured_llm(f"local:{path}", None, context_tokens=1024, threads=1, limits=limits)
    assert llm is not None
    yield llm


def test_local_model_answers_whole_and_streamed_alike(smollm2: GuardedModel) -> None:
    whole = smollm2.complete(ASK, max_tokens=48)
    pieces = list(smollm2.stream(ASK, max_tokens=48))
    assert "Paris" in whole
    assert "".join(pieces) == whole
    assert len(pieces) > 3
    assert smollm2.name.startswith("SmolLM2")


def test_local_model_that_reaches_its_limit_is_a_fault(smollm2: GuardedModel) -> None:
    with pytest.raises(ModelError, match="cut off at its limit of 4 tokens"):
        smollm2.complete((Message("user", "Tell me a long story."),), max_tokens=4)


def test_prompt_longer_than_the_context_is_a_fault(smollm2: GuardedModel) -> None:
    with pytest.raises(ModelError, match="more text than it takes"):
        smollm2.complete((Message("user", "sea " * 3000),))


def test_abandoned_stream_leaves_the_model_usable(smollm2: GuardedModel) -> None:
    pieces = smollm2.stream((Message("user", "Tell me a long story."),), max_tokens=400)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert "Paris" in smollm2.complete(ASK, max_tokens=48)


def test_port_of_llama_cpp_serves_nobody_without_the_key(smollm2: GuardedModel) -> None:
    smollm2.complete(ASK, max_tokens=48)
    address = smollm2._source._server.listening_address  # type: ignore[attr-defined]
    for path in ("/props", "/slots", "/v1/models", "/v1/chat/completions"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(address + path, timeout=5)
        assert caught.value.code in (401, 404)

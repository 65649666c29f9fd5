"""The bundled model on real texts, its files, and an endpoint on a real local server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import HashingEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

import rag.embed
from rag.embed import (
    BundledEmbedder,
    Embedder,
    EndpointEmbedder,
    fingerprint,
    read_manifest,
    verify_weights,
)
from rag.errors import ModelError, SettingsError

SENTENCES = (
    "The two prime ministers met in Tokyo on Saturday.",
    "Leaders of Japan and South Korea held talks in the Japanese capital.",
    "A recipe for onion soup needs four onions and an hour of patience.",
    "Tariffs on cars were cut from 25 to 15 per cent.",
)


@pytest.fixture(scope="module")
def bundled() -> BundledEmbedder:
    return BundledEmbedder(threads=2)


@pytest.fixture(scope="module")
def corpus_texts() -> list[str]:
    """Paragraphs of the sample articles, from a few words to more than the model reads."""
    articles = sorted((Path(__file__).parents[1] / "corpus").glob("*.md"))
    texts = [path.read_text("utf-8").split("---", 2)[-1] for path in articles]
    paragraphs = [part for text in texts for part in text.split("\n\n") if part.strip()]
    return [*paragraphs[:60], *texts[:3]]


# The bundled model


def test_embed_gives_float32_unit_rows(bundled: BundledEmbedder) -> None:
    vectors = bundled.embed(SENTENCES)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(SENTENCES), bundled.dimensions) == (4, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_embed_same_event_in_other_words_is_nearer_than_another_subject(
    bundled: BundledEmbedder,
) -> None:
    vectors = bundled.embed(SENTENCES)
    cosines = vectors[0] @ vectors.T
    assert cosines[1] > cosines[3] + 0.2 > cosines[2]


def test_embed_known_texts_gives_the_published_model_s_vectors(bundled: BundledEmbedder) -> None:
    # Made with the fp32 model in onnxruntime by `build.py --fp32`: pads left unmasked, another
    # pooling or another truncation move these far away.
    known = json.loads((Path(__file__).parent / "data" / "minilm_fp32.json").read_text("utf-8"))
    vectors = bundled.embed([row["text"] for row in known])
    cosines = (vectors * np.array([row["vector"] for row in known])).sum(axis=1)
    assert cosines.min() > 0.98, cosines
    assert cosines.mean() > 0.995, cosines


def test_embed_no_texts_gives_no_rows(bundled: BundledEmbedder) -> None:
    assert bundled.embed([]).shape == (0, 384)
    assert bundled.count_tokens([]) == []


def test_embed_empty_string_gives_a_finite_unit_row(bundled: BundledEmbedder) -> None:
    (vector,) = bundled.embed([""])
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_embed_batch_of_any_company_gives_the_same_vector(
    bundled: BundledEmbedder, corpus_texts: list[str]
) -> None:
    together = bundled.embed(corpus_texts)
    alone = np.concatenate([bundled.embed([text]) for text in corpus_texts])
    backwards = bundled.embed(corpus_texts[::-1])[::-1]
    assert (together * alone).sum(axis=1).min() > 0.998
    assert (together * alone).sum(axis=1).mean() > 0.9999
    assert (together * backwards).sum(axis=1).min() > 0.998
    # Rows that had come back in another order would be near someone else.
    assert ((together @ alone.T).argmax(axis=1) == np.arange(len(corpus_texts))).all()


def test_embed_one_and_more_threads_give_the_same_vectors(
    bundled: BundledEmbedder, corpus_texts: list[str]
) -> None:
    single = BundledEmbedder(threads=1).embed(corpus_texts)
    assert (bundled.embed(corpus_texts) * single).sum(axis=1).min() > 0.998


def test_embed_the_same_call_gives_the_same_bytes(
    bundled: BundledEmbedder, corpus_texts: list[str]
) -> None:
    assert bundled.embed(corpus_texts).tobytes() == bundled.embed(corpus_texts).tobytes()


def test_embed_text_beyond_the_limit_equals_its_first_256_tokens(bundled: BundledEmbedder) -> None:
    start = "word " * (bundled.max_tokens - 2)
    longer, cut = bundled.embed([start + "summit " * 500, start])
    assert np.allclose(longer, cut, atol=1e-3)
    (shorter,) = bundled.embed([start[: len(start) // 2]])
    assert float(shorter @ cut) < 0.9999


def test_count_tokens_counts_markers_and_is_not_cut(bundled: BundledEmbedder) -> None:
    assert bundled.count_tokens(["", "summit", "word " * 1000]) == [2, 3, 1002]


def test_count_tokens_marker_in_a_text_is_plain_text(bundled: BundledEmbedder) -> None:
    assert bundled.count_tokens(["[SEP]", "[PAD]"])[0] > 3
    plain, marked = bundled.embed(["Talks ended.", "Talks ended. [PAD] [SEP] [CLS]"])
    assert not np.allclose(plain, marked)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.characters(codec=None), max_size=60), max_size=6))
def test_embed_any_unicode_gives_one_finite_unit_row_each(texts: list[str]) -> None:
    vectors = SHARED.embed(texts)
    assert vectors.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert len(SHARED.count_tokens(texts)) == len(texts)


SHARED = BundledEmbedder(threads=1)


@given(st.lists(st.integers(2, 256), max_size=300))
def test_batches_hold_every_row_once_in_similar_lengths_and_few_shapes(lengths: list[int]) -> None:
    batches = list(rag.embed._batches(lengths))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        taken = [rag.embed._rounded(lengths[row]) for row in batch]
        assert len(batch) in (1, 4, 16)
        assert min(taken) >= 0.75 * max(taken)
        assert len(batch) * max(taken) <= 1024


def test_batches_of_all_lengths_come_in_no_more_than_35_shapes() -> None:
    # The memory that OpenVINO keeps grows with each shape met, and is never given back.
    shapes = set()
    for length in range(2, 257):
        for count in range(1, 40):
            for batch in rag.embed._batches([length] * count):
                shapes.add((len(batch), rag.embed._rounded(length)))
    assert len(shapes) <= 35


def test_embed_from_several_threads_gives_each_its_own_rows(corpus_texts: list[str]) -> None:
    fresh = BundledEmbedder(threads=2)  # loading meets loading too
    parts = [corpus_texts[start::8] for start in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(fresh.embed, parts))
    for part, result in zip(parts, results, strict=True):
        assert (fresh.embed(part) * result).sum(axis=1).min() > 0.998


def test_threads_below_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="threads"):
        BundledEmbedder(threads=0)


def test_import_and_construction_load_neither_openvino_nor_tokenizers() -> None:
    code = (
        "import sys, rag.embed; rag.embed.BundledEmbedder()\n"
        "print([m for m in ('openvino', 'tokenizers', 'openai') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("make", [BundledEmbedder, HashingEmbedder])
def test_embedders_offer_the_protocol(make: Callable[[], Embedder]) -> None:
    embedder = make()
    assert embedder.name
    assert embedder.fingerprint
    assert embedder.embed(["one", "two"]).shape == (2, embedder.dimensions)
    assert len(embedder.count_tokens(["one", "two"])) == 2


# Its files


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(rag.embed._FOLDER, tmp_path / "model"))


def test_verify_weights_of_the_package_passes() -> None:
    verify_weights()


def test_weights_and_all_that_goes_with_them_stay_below_30_megabytes() -> None:
    folder = rag.embed._FOLDER
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 30e6


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json"])
def test_verify_weights_one_changed_byte_is_named(copied: Path, name: str) -> None:
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        verify_weights(copied)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json", "manifest.json"])
def test_bundled_embedder_missing_file_is_a_clear_error(
    copied: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copied / name).unlink()
    monkeypatch.setattr(rag.embed, "_FOLDER", copied)
    with pytest.raises(ModelError, match=rf"{name}.*reinstall"):
        BundledEmbedder()


def test_bundled_embedder_cut_weights_are_a_clear_error(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (copied / "model.bin").open("r+b") as file:
        file.truncate(1_000_000)
    monkeypatch.setattr(rag.embed, "_FOLDER", copied)
    with pytest.raises(ModelError, match="1000000 bytes"):
        BundledEmbedder()


@pytest.mark.parametrize("name", ["model.xml", "tokenizer.json"])
def test_embed_garbled_file_of_the_right_size_is_a_clear_error(
    copied: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (copied / name).stat().st_size
    (copied / name).write_bytes(b"{" * size)
    monkeypatch.setattr(rag.embed, "_FOLDER", copied)
    with pytest.raises(ModelError, match="damaged"):
        BundledEmbedder().embed(["text"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {"model.bin": 3}}'])
def test_read_manifest_malformed_is_a_clear_error(copied: Path, content: str) -> None:
    (copied / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match="manifest"):
        read_manifest(copied)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["files"]["model.bin"].update(sha256="0" * 64),
        lambda m: m["files"]["model.xml"].update(sha256="0" * 64),
        lambda m: m["files"]["tokenizer.json"].update(sha256="0" * 64),
        lambda m: m.update(max_tokens=128),
        lambda m: m.update(pooling="first token"),
    ],
)
def test_fingerprint_anything_that_decides_a_vector_changes_it(
    change: Callable[[dict[str, Any]], None],
) -> None:
    manifest = read_manifest()
    before = fingerprint(manifest)
    change(manifest)
    assert fingerprint(manifest) != before == BundledEmbedder().fingerprint


# An endpoint


class Endpoint:
    """A local server; `answers` holds what the next requests get: a status and a JSON value."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[dict[str, Any]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body["authorization"] = self.headers["authorization"]
                body["path"] = self.path
                endpoint.requests.append(body)
                status, value = (
                    endpoint.answers.pop(0) if endpoint.answers else (200, usual(body["input"]))
                )
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def response(rows: Sequence[Sequence[float]], indexes: Sequence[int] | None = None) -> Any:
    numbers = range(len(rows)) if indexes is None else indexes
    data = [
        {"object": "embedding", "index": index, "embedding": list(row)}
        for index, row in zip(numbers, rows, strict=True)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "model": "m", "data": data, "usage": usage}


def usual(texts: Sequence[str]) -> Any:
    return response([[3.0, 4.0 * len(text), 0.0] for text in texts])


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.close()


def embedder_at(endpoint: Endpoint, **changes: Any) -> EndpointEmbedder:
    given = {"dimensions": 3, "attempts": 1} | changes
    return EndpointEmbedder(endpoint.url, "some-model", "secret", **given)


def test_endpoint_embed_sends_batches_and_gives_unit_rows_in_order(endpoint: Endpoint) -> None:
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    vectors = embedder_at(endpoint, batch_size=2).embed(texts)
    expected = np.array([[3.0, 4.0 * len(text), 0.0] for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(vectors, expected, atol=1e-6)
    assert vectors.dtype == np.float32
    assert [request["input"] for request in endpoint.requests] == [texts[:2], texts[2:4], texts[4:]]
    assert {request["model"] for request in endpoint.requests} == {"some-model"}
    assert {request["authorization"] for request in endpoint.requests} == {"Bearer secret"}
    assert {request["path"] for request in endpoint.requests} == {"/v1/embeddings"}


def test_endpoint_rows_out_of_order_are_put_in_order(endpoint: Endpoint) -> None:
    endpoint.answers = [(200, response([[0, 1, 0], [1, 0, 0]], [1, 0]))]
    assert embedder_at(endpoint).embed(["a", "b"]).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_endpoint_width_is_asked_when_not_given(endpoint: Endpoint) -> None:
    embedder = embedder_at(endpoint, dimensions=None)
    assert embedder.dimensions == 3
    assert embedder.fingerprint == "endpoint:some-model:3"
    assert embedder.embed([]).shape == (0, 3)
    assert len(endpoint.requests) == 1


def test_endpoint_empty_string_and_surrogate_are_sent_as_valid_text(endpoint: Endpoint) -> None:
    embedder_at(endpoint).embed(["", "a\ud800b"])
    assert endpoint.requests[0]["input"] == [" ", "a?b"]


@pytest.mark.parametrize(
    "value",
    [
        response([[1, 0, 0]]),
        response([[1, 0, 0], [1, 0, 0]], [0, 0]),
        response([[1, 0, 0], [1, 0, 0]], [0, 2]),
        response([[1, 0, 0], [1, 0]]),
        response([[1, 0], [1, 0]]),
        response([[], []]),
        response([[1, 0, 0], [0, 0, 0]]),
        response([[1, 0, 0], [float("nan"), 0, 0]]),
        response([[1, 0, 0], [float("inf"), 0, 0]]),
        {"object": "list", "model": "m", "data": []},
        {"object": "list", "model": "m", "data": None},
        {"data": [{"index": 0}, {"index": 1}]},
        {"data": [{"index": i, "embedding": ["x", 0, 0]} for i in range(2)]},
        {"data": [{"index": i, "embedding": "not base64!"} for i in range(2)]},
        {"data": [{"index": None, "embedding": [1, 0, 0]} for i in range(2)]},
        [],
        b"<html>not JSON</html>",
        b"",
    ],
)
def test_endpoint_unusable_answer_is_a_model_error(endpoint: Endpoint, value: Any) -> None:
    endpoint.answers = [(200, value)]
    with pytest.raises(ModelError, match=endpoint.url) as caught:
        embedder_at(endpoint, attempts=3).embed(["a", "b"])
    assert not caught.value.retryable
    assert caught.value.model == "some-model"
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_endpoint_refusal_is_a_settings_error_at_once(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [(status, {"error": {"message": "no"}})] * 3
    with pytest.raises(SettingsError, match=f"HTTP {status}") as caught:
        embedder_at(endpoint, attempts=3).embed(["a"])
    assert "secret" not in str(caught.value)
    assert len(endpoint.requests) == 1


def test_endpoint_bad_request_is_not_repeated(endpoint: Endpoint) -> None:
    endpoint.answers = [(400, {"error": {"message": "too long"}})]
    with pytest.raises(ModelError, match="HTTP 400") as caught:
        embedder_at(endpoint, attempts=3).embed(["a"])
    assert not caught.value.retryable
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_endpoint_passing_failure_is_tried_again(
    endpoint: Endpoint, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(rag.embed.time, "sleep", waits.append)
    endpoint.answers = [(status, {})] * 2
    assert embedder_at(endpoint, attempts=3).embed(["a"]).shape == (1, 3)
    assert len(endpoint.requests) == 3
    assert waits == sorted(waits) and len(waits) == 2


def test_endpoint_lasting_failure_gives_up_after_the_attempts(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.embed.time, "sleep", lambda seconds: None)
    endpoint.answers = [(500, {})] * 9
    with pytest.raises(ModelError, match="HTTP 500") as caught:
        embedder_at(endpoint, attempts=3).embed(["a"])
    assert (caught.value.attempt, caught.value.retryable) == (3, True)
    assert len(endpoint.requests) == 3


def test_endpoint_nobody_listening_is_a_model_error() -> None:
    server = Endpoint()
    server.close()
    with pytest.raises(ModelError, match="can't be reached") as caught:
        embedder_at(server).embed(["a"])
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("base_url", "model", "changes"),
    [
        ("localhost:8080", "m", {}),
        ("http://localhost", "", {}),
        ("http://localhost", "m", {"dimensions": 0}),
        ("http://localhost", "m", {"batch_size": 0}),
        ("http://localhost", "m", {"attempts": 0}),
        ("http://localhost", "m", {"timeout_seconds": float("nan")}),
    ],
)
def test_endpoint_wrong_argument_is_a_settings_error(
    base_url: str, model: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError):
        EndpointEmbedder(base_url, model, **changes)


def test_endpoint_without_openai_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(SettingsError, match=r"dateline-rag\[llm\]"):
        EndpointEmbedder("http://localhost", "m")

"""Turn texts into unit vectors: the bundled model, or an OpenAI-compatible endpoint.

The bundled model is all-MiniLM-L6-v2 in int8, run by OpenVINO; its card lies beside its weights
in ``rag/models``. Importing this module loads neither: the first text does.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from openvino import CompiledModel
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]

_FOLDER: Final = Path(__file__).parent / "models" / "all-minilm-l6-v2-int8"
_PAD_ID: Final = 0
# Texts tokenized at once: each holds a Python object of about 20 kB until its ids are copied.
_TOKENIZE_BATCH: Final = 256
# OpenVINO makes code for each new input shape in 10 ms and keeps 6 MB of it for good. So lengths
# are padded up to a multiple of this, and a batch holds one of few counts of texts: 35 shapes.
_LENGTH_STEP: Final = 16
# Counts by which a batch of up to so many tokens a text may be filled, largest first. More texts
# of 200 tokens in a batch were no faster: `python -m eval.bench_embed`.
_BATCH_TEXTS: Final = ((48, (16, 4, 1)), (256, (4, 1)))
# A batch is filled up only with texts of at least this share of its longest one's length.
_LEAST_FILLED: Final = 0.75


class Embedder(Protocol):
    """What embeds texts: anything with these attributes may be given to `Assistant.open`.

    Attributes
    ----------
    name : str
        Shown to people.
    fingerprint : str
        Differs whenever the same text may get another vector; stored beside the vectors.
    dimensions : int
        Width of the vectors.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def dimensions(self) -> int: ...  # noqa: D102

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit rows of shape ``(len(texts), dimensions)``, in the order of `texts`."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, markers included and before truncation."""
        ...


class BundledEmbedder:
    """The model that travels in the package: all-MiniLM-L6-v2, int8, 384 dimensions.

    Nothing is read until the first text; then the weights are loaded once. Every method may be
    called from several threads at once. A text is cut at 256 tokens, as the model was trained
    for. Each core works on a batch of its own, so other work on the machine slows down one
    batch and not all.

    Parameters
    ----------
    threads : int, optional
        Cores to use; by default those that this process may use.

    Raises
    ------
    SettingsError
        If `threads` is not positive.
    ModelError
        If the files of the model are missing or damaged (also by every method).

    Examples
    --------
    >>> embedder = BundledEmbedder(threads=1)
    >>> embedder.embed(["Leaders met in Tokyo.", "The summit was held in Japan."]).shape
    (2, 384)
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise SettingsError(f"threads must be 1 or more, not {threads}")
        self._threads = threads or _cores()
        self._lock = threading.Lock()
        self._tokenizer: Tokenizer | None = None
        self._model: CompiledModel | None = None
        manifest = read_manifest(_FOLDER)
        self.name: str = manifest["name"]
        self.dimensions: int = manifest["dimensions"]
        self.max_tokens: int = manifest["max_tokens"]
        self.fingerprint: str = fingerprint(manifest)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit rows of shape ``(len(texts), 384)``, in the order of `texts`.

        A text's vector does not depend on its neighbours in the call, up to rounding: padding can
        tip a number to the next of its 256 steps (cosine above .998). The same call gives the
        same bytes. No texts give shape ``(0, 384)``; the empty string gets a vector too.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        if not texts:
            return vectors
        model = self._loaded_model()
        ids = list(self._token_ids(texts, self.max_tokens))
        batches = list(_batches([len(row) for row in ids]))
        # Requests are made for this call, so that calls from several threads can't meet.
        requests = [model.create_infer_request() for _ in range(min(self._threads, len(batches)))]
        running: list[list[int] | None] = [None] * len(requests)
        try:
            for turn in range(len(batches) + len(requests)):
                slot = turn % len(requests)
                request, finished = requests[slot], running[slot]
                if finished is not None:
                    request.wait()
                    vectors[finished] = request.get_output_tensor(0).data
                    running[slot] = None
                if turn < len(batches):
                    rows = batches[turn]
                    request.start_async({0: _padded([ids[row] for row in rows])})
                    running[slot] = rows
        except RuntimeError as error:
            raise ModelError(
                f"{self.name} failed on {len(texts)} texts: {error}; run `dateline doctor`",
                model=self.name,
            ) from error
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, its two markers included, before truncation.

        Only the tokenizer is loaded for this, not the weights.
        """
        return [len(row) for row in self._token_ids(texts, None)]

    def _token_ids(self, texts: Sequence[str], limit: int | None) -> Iterator[NDArray[np.int32]]:
        tokenizer = self._loaded_tokenizer()
        for start in range(0, len(texts), _TOKENIZE_BATCH):
            part = [encodable(text) for text in texts[start : start + _TOKENIZE_BATCH]]
            for encoding in tokenizer.encode_batch_fast(part):
                ids = encoding.ids
                if limit is not None and len(ids) > limit:
                    ids = [*ids[: limit - 1], ids[-1]]  # the end marker stays
                yield np.array(ids, dtype=np.int32)

    def _loaded_tokenizer(self) -> Tokenizer:
        if self._tokenizer is None:
            with self._lock:
                if self._tokenizer is None:
                    self._tokenizer = load_tokenizer()
        return self._tokenizer

    def _loaded_model(self) -> CompiledModel:
        if self._model is None:
            with self._lock:
                if self._model is None:
                    self._model = load_network(_FOLDER, self._threads)
        return self._model


class EndpointEmbedder:
    """An embedding model behind an OpenAI-compatible ``/embeddings`` endpoint.

    The texts leave the machine unless the endpoint runs on it. A failed request is tried again
    when the failure may pass (connection, rate limit, server error); the SDK's own retries are
    off, so that there is one retry layer.

    Parameters
    ----------
    base_url : str
        Such as ``http://localhost:8080/v1``.
    model : str
        Name of the model as the endpoint knows it.
    api_key : str, default "none"
        Local servers mostly accept any.
    dimensions : int, optional
        Width of the vectors, checked on every answer; asked from the endpoint if not given.
    batch_size : int, default 64
        Texts in a request.
    timeout_seconds : float, default 60
        For one request.
    attempts : int, default 3
        Requests made before a passing failure is raised.

    Raises
    ------
    SettingsError
        If the package `openai` is missing, a value is out of range, or the endpoint refuses the
        key, the address or the name of the model.
    ModelError
        If the endpoint can't be reached, fails, or returns vectors that can't be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str = "none",
        *,
        dimensions: int | None = None,
        batch_size: int = 64,
        timeout_seconds: float = 60.0,
        attempts: int = 3,
    ) -> None:
        if batch_size < 1 or attempts < 1 or not timeout_seconds > 0:
            raise SettingsError("batch_size, attempts and timeout_seconds must be positive")
        if dimensions is not None and dimensions < 1:
            raise SettingsError(f"dimensions must be 1 or more, not {dimensions}")
        if not base_url.startswith(("http://", "https://")) or not model:
            raise SettingsError(
                f"an embeddings endpoint needs an http(s) address and a model, not {base_url!r} "
                f"and {model!r}"
            )
        try:
            import openai
        except ImportError as error:
            raise SettingsError(
                "an embeddings endpoint needs the package openai: pip install 'dateline-rag[llm]'"
            ) from error
        self._openai = openai
        self._client = openai.OpenAI(
            base_url=base_url, api_key=api_key, timeout=timeout_seconds, max_retries=0
        )
        self._base_url = base_url
        self._batch_size = batch_size
        self._attempts = attempts
        self._dimensions = dimensions
        self._tokens = BundledEmbedder(threads=1)
        self.name = model

    @property
    def dimensions(self) -> int:
        """Width of the vectors; the first use may ask the endpoint."""
        if self._dimensions is None:
            self._dimensions = len(self._request(["width"], None)[0])
        return self._dimensions

    @property
    def fingerprint(self) -> str:
        """Model and width; not the address, since a model may move to another host."""
        return f"endpoint:{self.name}:{self.dimensions}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit rows of shape ``(len(texts), dimensions)``, in the order of `texts`."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), self._batch_size):
            # Endpoints refuse the empty string.
            part = [encodable(text) or " " for text in texts[start : start + self._batch_size]]
            vectors[start : start + len(part)] = self._request(part, self.dimensions)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text by the bundled tokenizer: the endpoint's may differ."""
        return self._tokens.count_tokens(texts)

    def _request(self, texts: list[str], width: int | None) -> Vectors:
        for attempt in range(1, self._attempts + 1):
            try:
                return self._attempt(texts, width, attempt)
            except ModelError as error:
                if not error.retryable or attempt == self._attempts:
                    raise
                time.sleep(0.25 * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _attempt(self, texts: list[str], width: int | None, attempt: int) -> Vectors:
        openai = self._openai
        try:
            response = self._client.embeddings.create(
                input=texts, model=self.name, encoding_format="float"
            )
            return _checked(response, len(texts), width)
        except (
            openai.AuthenticationError,
            openai.PermissionDeniedError,
            openai.NotFoundError,
        ) as error:
            raise SettingsError(
                f"the embeddings endpoint {self._base_url} refused model {self.name!r} "
                f"(HTTP {error.status_code}); check the key, the address and the model's name"
            ) from error
        except openai.APIStatusError as error:
            raise ModelError(
                f"the embeddings endpoint {self._base_url} answered HTTP {error.status_code} "
                f"to {len(texts)} texts",
                model=self.name,
                attempt=attempt,
                retryable=error.status_code in (408, 409, 429) or error.status_code >= 500,
            ) from error
        except openai.APIConnectionError as error:  # timeouts too
            raise ModelError(
                f"the embeddings endpoint {self._base_url} can't be reached: {error}",
                model=self.name,
                attempt=attempt,
                retryable=True,
            ) from error
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise ModelError(
                f"the embeddings endpoint {self._base_url} returned what can't be used: {error}",
                model=self.name,
                attempt=attempt,
            ) from error


def read_manifest(folder: Path = _FOLDER) -> dict[str, Any]:
    """Return the bundled model's manifest: its name, width, and each file's size and sha256.

    Raises
    ------
    ModelError
        If it is missing or can't be parsed, or a file that it names is missing or has another
        size.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        for name, expected in manifest["files"].items():
            size = (folder / name).stat().st_size
            if size != expected["bytes"]:
                raise _damaged(f"{name} has {size} bytes instead of {expected['bytes']}", folder)
    except OSError as error:
        raise _damaged(f"{Path(error.filename or folder).name} can't be read", folder) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(f"manifest.json is malformed ({error})", folder) from error
    return manifest


def verify_weights(folder: Path = _FOLDER) -> None:
    """Check the bundled model's files against the sha256 in its manifest (about 20 ms).

    Raises
    ------
    ModelError
        If a file is missing or differs; the message names it.
    """
    for name, expected in read_manifest(folder)["files"].items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                raise _damaged(f"{name} has another sha256 than its manifest", folder)


def fingerprint(manifest: dict[str, Any]) -> str:
    """Return the name and a hash over all that decides a vector.

    Weights and graph (pooling and normalisation included), tokenizer, and truncation. What only
    rounds differently, such as the processor, is left out.
    """
    decides = {
        "files": {name: entry["sha256"] for name, entry in manifest["files"].items()},
        "max_tokens": manifest["max_tokens"],
        "pooling": manifest["pooling"],
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return f"{manifest['name']}-{digest[:12]}"


def _damaged(what: str, folder: Path) -> ModelError:
    return ModelError(
        f"the bundled model {folder.name} is damaged: {what}; reinstall dateline-rag",
        model=folder.name,
    )


def load_tokenizer() -> Tokenizer:
    """Return the tokenizer of the bundled models, which neither pads nor cuts.

    Raises
    ------
    ModelError
        If its file is missing or damaged.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(_FOLDER / "tokenizer.json"))
    except Exception as error:  # the package raises bare Exception
        raise _damaged(f"tokenizer.json can't be loaded ({error})", _FOLDER) from error
    # The published file pads and cuts every text to 128 tokens by itself.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    # "[SEP]" or "[PAD]" in an article is text, not a marker.
    tokenizer.encode_special_tokens = True
    return tokenizer


def load_network(folder: Path, threads: int) -> CompiledModel:
    """Return a bundled network, compiled for so many requests at once.

    Parameters
    ----------
    folder : Path
        With ``model.xml`` and ``model.bin``.
    threads : int

    Raises
    ------
    ModelError
        If the files are missing or damaged.
    """
    import openvino

    config: dict[str, Any] = {
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        # A pinned thread waits for its core while others stand idle.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        core = openvino.Core()
        # For what is not int8. Against fp32 both give the same mean cosine (within .00005), and
        # bf16 is a tenth faster; asked for on a processor without it, OpenVINO would imitate it,
        # at a fifth of the speed.
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        config["INFERENCE_PRECISION_HINT"] = "bf16" if has_bf16 else "f32"
        graph = core.read_model(folder / "model.xml")
        try:
            # Attention as one fused kernel is 7 % slower for heads of 32 numbers. The switch is
            # not documented, so that a version without it must work too.
            return core.compile_model(graph, "CPU", {**config, "SNIPPETS_MODE": "DISABLE"})
        except RuntimeError:
            return core.compile_model(graph, "CPU", config)
    except RuntimeError as error:
        raise _damaged(f"OpenVINO can't load it ({error})", folder) from error


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the rows of each batch, longest first: similar lengths, in one of few shapes."""
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    while rows:
        longest = _rounded(lengths[rows[0]])
        counts = next((counts for limit, counts in _BATCH_TEXTS if longest <= limit), (1,))
        size = next(
            count
            for count in counts
            if count == 1
            or (
                len(rows) >= count and _rounded(lengths[rows[count - 1]]) >= _LEAST_FILLED * longest
            )
        )
        yield rows[:size]
        del rows[:size]


def _padded(rows: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    ids = np.full((len(rows), _rounded(max(map(len, rows)))), _PAD_ID, dtype=np.int32)
    for padded, row in zip(ids, rows, strict=True):
        padded[: len(row)] = row
    return ids


def _rounded(length: int) -> int:
    return math.ceil(length / _LENGTH_STEP) * _LENGTH_STEP


def encodable(text: str) -> str:
    """Return the text with lone surrogates replaced: tokenizers and JSON refuse them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _checked(response: Any, count: int, width: int | None) -> Vectors:
    """Return an endpoint's vectors as unit rows in input order, or raise ValueError."""
    items = sorted(response.data, key=lambda item: item.index)
    if [item.index for item in items] != list(range(count)):
        raise ValueError(f"{len(items)} vectors for {count} texts, or wrong indexes")
    widths = {len(item.embedding) for item in items}
    if len(widths) != 1 or widths == {0} or (width is not None and widths != {width}):
        raise ValueError(f"vectors of width {sorted(widths)}, expected {width or 'one width'}")
    vectors: NDArray[np.float64] = np.array([item.embedding for item in items], dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise ValueError("a vector is zero or not finite")
    units: Vectors = (vectors / norms).astype(np.float32)
    return units

"""Read a passage with the question in mind: which sentence answers, in which words, if any.

The model is MiniLM with four numbers a token, int8, run by OpenVINO; its card lies beside its
weights in ``rag/models``. It reads the question and a whole passage at once and judges all its
sentences together, so that "he" and "the talks" have their meaning.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rag.embed import encodable, load_network, load_tokenizer, read_manifest, verify_weights
from rag.errors import ModelError
from rag.lexicon import FUNCTION
from rag.schema import Passage, Span

if TYPE_CHECKING:
    from openvino import CompiledModel
    from tokenizers import Tokenizer

FOLDER: Final = Path(__file__).parent / "models" / "minilm-reader-int8"

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

# How the model was trained; see its train.py.
CLS, SEP = 101, 102
MOST_QUESTION, MOST_TITLE, MOST_TOKENS = 40, 30, 256
ASKED_KIND: Final = 2
ATTENTION_RANGE: Final = 8.0
LONGEST_SPAN: Final = 16
"""Tokens of the words that answer at most."""
UNREAD: Final = -15.0
"""Score of a sentence behind the end of what fits."""

# OpenVINO makes code for each new input shape and keeps it, so there are but eight.
_LENGTH_STEP: Final = 32
_MARKS: Final = "?.,;:!'\"()-’"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model makes of one passage.

    Parameters
    ----------
    scores : ndarray, shape (sentences,)
        Log-odds that each sentence answers, against "nothing here does".
    margins : ndarray, shape (sentences,)
        How much likelier the best words of each sentence are than none at all, as log-odds.
    spans : tuple of Span
        The best words of each sentence, in the article's text; empty where it was not read.
    """

    scores: Numbers
    margins: Numbers
    spans: tuple[Span, ...]


class Reader:
    """The model that travels in the package; nothing is loaded until the first passage.

    Its methods may be called from several threads at once.

    Parameters
    ----------
    threads : int
        Passages to read at once.
    folder : Path, optional
        Where the model lies.

    Raises
    ------
    ModelError
        If the files of the model are missing or damaged (also by `read`).
    """

    def __init__(self, threads: int, folder: Path = FOLDER) -> None:
        self._threads = threads
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, CompiledModel, Ints] | None = None
        self.name: str = read_manifest(folder)["name"]

    def read(self, question: str, passages: Sequence[Passage]) -> tuple[Reading, ...]:
        """Read each passage; the same call gives the same numbers."""
        if not passages:
            return ()
        tokenizer, network, plain = self._ready()
        rows = _rows(tokenizer, plain, question, passages)
        outputs: list[Any] = [None] * len(rows)
        requests = [network.create_infer_request() for _ in range(min(self._threads, len(rows)))]
        try:
            for turn in range(len(rows) + len(requests)):
                request = requests[turn % len(requests)]
                done = turn - len(requests)
                if done >= 0:
                    request.wait()
                    outputs[done] = np.array(request.get_output_tensor(0).data[0], np.float64)
                if turn < len(rows):
                    row = rows[turn]
                    request.start_async({0: _padded(row.ids), 1: _padded(row.kinds)})
        except RuntimeError as error:
            raise ModelError(
                f"{self.name} failed on {len(passages)} passages: {error}; run `dateline doctor`",
                model=self.name,
            ) from error
        return tuple(
            _reading(row, output, passage)
            for row, output, passage in zip(rows, outputs, passages, strict=True)
        )

    def load(self) -> None:
        """Load the model now rather than with the first passage."""
        self._ready()

    def verify(self) -> None:
        """Check the files of the model against the sha256 in their manifest.

        Raises
        ------
        ModelError
            If one is missing or differs.
        """
        verify_weights(self._folder)

    def _ready(self) -> tuple[Tokenizer, CompiledModel, Ints]:
        with self._lock:
            if self._loaded is None:
                tokenizer = load_tokenizer()
                network = load_network(self._folder, self._threads)
                self._loaded = tokenizer, network, plain_tokens(tokenizer)
        return self._loaded


def plain_tokens(tokenizer: Tokenizer) -> Ints:
    """Return the ids of function words and marks: that they stand in both says nothing."""
    found = {tokenizer.token_to_id(text) for text in (*FUNCTION, *_MARKS)}
    return np.array(sorted(i for i in found if i is not None), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class _Row:
    """Tokens of question, title and passage: ids, kinds, and where the passage's stand in it."""

    ids: Ints
    kinds: Ints
    first: int
    offsets: Ints


def _rows(
    tokenizer: Tokenizer, plain: Ints, question: str, passages: Sequence[Passage]
) -> list[_Row]:
    heads = [p.article.title and f"{p.article.title}. " for p in passages]
    texts = [question, *heads, *(p.text for p in passages)]
    encoded = tokenizer.encode_batch([encodable(text) for text in texts], add_special_tokens=False)
    asked = encoded[0].ids[:MOST_QUESTION]
    content = np.setdiff1d(np.array(asked, dtype=np.int32), plain)
    rows = []
    for head, body in zip(
        encoded[1 : 1 + len(passages)], encoded[1 + len(passages) :], strict=True
    ):
        start = [CLS, *asked, SEP, *head.ids[:MOST_TITLE]]
        room = MOST_TOKENS - len(start) - 1
        ids = np.array([*start, *body.ids[:room], SEP], dtype=np.int32)
        kinds = np.ones(len(ids), dtype=np.int32)
        kinds[: len(asked) + 2] = 0
        second = slice(len(asked) + 2, -1)
        kinds[second][np.isin(ids[second], content)] = ASKED_KIND
        offsets = np.array(body.offsets[:room], dtype=np.int32).reshape(-1, 2)
        rows.append(_Row(ids, kinds, len(start), offsets))
    return rows


def _padded(row: Ints) -> Ints:
    length = min(-(-len(row) // _LENGTH_STEP) * _LENGTH_STEP, MOST_TOKENS)
    padded = np.zeros((1, length), dtype=np.int32)
    padded[0, : len(row)] = row
    return padded


def _reading(row: _Row, output: Numbers, passage: Passage) -> Reading:
    """Turn the four numbers of each token (start, end, weight, score) into those of sentences."""
    nothing = output[0, 0] + output[0, 1]
    body = output[row.first : row.first + len(row.offsets)]
    base = passage.span.start
    scores, margins, spans = [], [], []
    for sentence in passage.sentences:
        low, high = sentence.start - base, sentence.end - base
        inside = np.flatnonzero((row.offsets[:, 0] >= low) & (row.offsets[:, 1] <= high))
        if not len(inside):
            scores.append(UNREAD)
            margins.append(UNREAD)
            spans.append(Span(sentence.start, sentence.start))
            continue
        tokens = body[inside]
        weights = np.exp(np.clip(tokens[:, 2], -ATTENTION_RANGE, ATTENTION_RANGE))
        scores.append(float(weights @ tokens[:, 3] / weights.sum()))
        sums = tokens[:, 0][:, None] + tokens[:, 1][None, :]
        sums[np.tril_indices_from(sums, -1)] = -np.inf
        sums[np.triu_indices_from(sums, LONGEST_SPAN)] = -np.inf
        start, end = np.unravel_index(int(np.argmax(sums)), sums.shape)
        margins.append(float(sums[start, end] - nothing))
        first, last = row.offsets[inside[start], 0], row.offsets[inside[end], 1]
        spans.append(Span(base + int(first), base + int(last)))
    return Reading(np.array(scores), np.array(margins), tuple(spans))

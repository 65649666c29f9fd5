"""A question and a passage as the network takes them; `rag.reader` does the same for the product.

What the two must agree on is imported from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from examples import Place, Window

from rag.embed import load_tokenizer
from rag.reader import CLS, MOST_QUESTION, MOST_TITLE, MOST_TOKENS, SEP, plain_tokens


@dataclass(frozen=True)
class Row:
    """Question, title and passage as tokens.

    Parameters
    ----------
    ids, kinds : ndarray of int32, shape (tokens,)
    sentences : ndarray of int, shape (tokens,)
        Number of the sentence that a token is of; -1 outside of the passage.
    starts, ends : tuple of int
        Tokens where a gold answer begins and ends.
    """

    ids: Any
    kinds: Any
    sentences: Any
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@cache
def encoded(text: str) -> tuple[Any, Any]:
    """Return the tokens of a text and where they stand in it."""
    found = _tokenizer().encode(text, add_special_tokens=False)
    return np.array(found.ids, np.int32), np.array(found.offsets, np.int32).reshape(-1, 2)


def sequence(question: str, window: Window, golds: Sequence[Place] = ()) -> Row:
    """Return a question with a window as one row."""
    asked = encoded(question)[0][:MOST_QUESTION]
    head = encoded(f"{window.title}. ")[0][:MOST_TITLE] if window.title else asked[:0]
    body, offsets = encoded(window.text)
    room = MOST_TOKENS - len(asked) - len(head) - 3
    body, offsets = body[:room], offsets[:room]
    ids = np.concatenate([[CLS], asked, [SEP], head, body, [SEP]]).astype(np.int32)
    first = 2 + len(asked) + len(head)
    kinds = np.zeros(len(ids), np.int32)
    kinds[2 + len(asked) :] = 1
    second = slice(2 + len(asked), -1)
    kinds[second][np.isin(ids[second], np.setdiff1d(asked, plain_tokens(_tokenizer())))] = 2
    sentences = np.full(len(ids), -1)
    for number, (start, end) in enumerate(window.sentences):
        inside = (offsets[:, 0] >= start) & (offsets[:, 1] <= end)
        sentences[first : first + len(body)][inside] = number
    starts, ends = [], []
    for start, end in golds:
        inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
        if len(inside):
            starts.append(first + int(inside[0]))
            ends.append(first + int(inside[-1]))
    return Row(ids, kinds, sentences, tuple(starts), tuple(ends))


@cache
def _tokenizer() -> Any:
    return load_tokenizer()

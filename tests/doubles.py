"""Test doubles: real classes that stand in for a model, deterministic and offline."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Embed a text as the hashed bag of its words: shared words mean a higher cosine.

    It implements `rag.embed.Embedder`, loads nothing, and gives the same vectors on every
    machine. `embedded` counts the texts that were embedded, so that a test can tell whether a
    second sync did any work.

    Parameters
    ----------
    dimensions : int, default 64
        Width of the vectors.
    name : str, default "hashing"
        Part of the fingerprint: another name stands for another model.
    """

    def __init__(self, dimensions: int = 64, *, name: str = "hashing") -> None:
        self.name = name
        self.dimensions = dimensions
        self.fingerprint = f"{name}-{dimensions}"
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, one a text, in the order given; a text without words gets axis 0."""
        self.embedded += len(texts)
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in _WORD.findall(text.lower()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                value = int.from_bytes(digest, "little")
                row[(value >> 1) % self.dimensions] += 1.0 if value & 1 else -1.0
            if not row.any():
                row[0] = 1.0
            row /= np.linalg.norm(row)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words of each text, plus 2 as a real tokenizer adds."""
        return [len(_WORD.findall(text)) + 2 for text in texts]

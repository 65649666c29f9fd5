"""How near a sentence is to its evidence in meaning: cosines of the bundled model's vectors."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rag.checking.facts import read_facts

if TYPE_CHECKING:
    from rag.embed import Embedder, Vectors

MAX_COMPARED: Final = 16
"""Evidence sentences that are embedded for one check: those that share most words with it."""
_MAX_KEPT: Final = 2_048
"""Vectors remembered, of 1.5 kB each."""


class Nearness:
    """Highest cosine of a sentence with one of its evidence sentences.

    May be shared between threads. An embedding takes about 3 ms on one thread; evidence is
    checked against several sentences, so the last 2,048 vectors are remembered.

    Parameters
    ----------
    embedder : Embedder
        Of unit vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, sentence: str, evidence: Sequence[str]) -> float:
        """Return the cosine, in [-1, 1]; 0 without evidence.

        Raises
        ------
        ModelError
            If the embedder fails.
        """
        compared = _sharing_most(sentence, evidence)
        if not compared:
            return 0.0
        vectors = self._vectors([sentence, *compared])
        return max(float(vectors[0] @ vector) for vector in vectors[1:])

    def _vectors(self, texts: Sequence[str]) -> list[Vectors]:
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found |= zip(missing, self._embedder.embed(missing), strict=True)
        with self._lock:
            for text in texts:
                self._known[text] = found[text]
                self._known.move_to_end(text)
            while len(self._known) > _MAX_KEPT:
                self._known.popitem(last=False)
        return [found[text] for text in texts]


def _sharing_most(sentence: str, evidence: Sequence[str]) -> list[str]:
    """Return the evidence to compare, in its order."""
    parts = [part for part in evidence if part.strip()]
    if len(parts) <= MAX_COMPARED:
        return parts
    words = {word.stem: word.weight for word in read_facts(sentence).words}

    def shared(number: int) -> float:
        known = read_facts(parts[number]).vocabulary
        return sum(weight for stem, weight in words.items() if stem in known)

    nearest = sorted(range(len(parts)), key=shared, reverse=True)[:MAX_COMPARED]
    return [parts[number] for number in sorted(nearest)]

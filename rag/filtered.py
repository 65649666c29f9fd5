"""Search inside a filter, at about the price of searching without one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.catalogue import Catalogue
from rag.exact import ExactSearch
from rag.schema import Filter, Hit

# A filter that lets through this share of the articles or more is applied to the results of a
# wider search, which costs little; a stricter one to what is searched.
LOOSE = 0.05
WIDER = 1.5

Vector = npt.NDArray[np.float32]


class NearestSearch(Protocol):
    """What finds near vectors: the vector index, or the exact search in its place."""

    def search(self, vector: Vector, *, k: int) -> list[tuple[int, float]]:
        """Return at most `k` ids and cosines, best first."""
        ...


class Filtered:
    """Searches among the articles that a filter lets through.

    Parameters
    ----------
    catalogue : Catalogue
    allowed : Filter
    k : int
        How many passages each search returns at most.
    """

    def __init__(self, catalogue: Catalogue, allowed: Filter, *, k: int) -> None:
        self._catalogue = catalogue
        self._allowed = allowed
        self._k = k
        self._versions = catalogue.live_version_ids(allowed)
        self._share = len(self._versions) / max(1, catalogue.count_articles())

    def by_words(self, terms: Sequence[str]) -> dict[int, float]:
        """Return BM25 scores by passage id, best first."""
        search = self._catalogue.search_passages
        return self._best(
            lambda k: search(terms, k=k), lambda k: search(terms, k=k, allowed=self._allowed)
        )

    def by_vector(self, vector: Vector, index: NearestSearch) -> dict[int, float]:
        """Return cosines by passage id, best first."""

        def compare_all(k: int) -> dict[int, float]:
            # Chroma's own filter costs more than comparing with each allowed vector.
            among = self._catalogue.passage_ids(self._allowed)
            return dict(ExactSearch(self._catalogue).search(vector, k=k, among=among))

        return self._best(lambda k: dict(index.search(vector, k=k)), compare_all)

    def shown(self, hit: Hit) -> Hit:
        """Return a hit under the source that the filter lets through, where it has several."""
        article = self._catalogue.as_allowed(hit.passage.article, self._allowed)
        return replace(hit, passage=replace(hit.passage, article=article))

    def _best(
        self,
        search_all: Callable[[int], Mapping[int, float]],
        search_allowed: Callable[[int], Mapping[int, float]],
    ) -> dict[int, float]:
        if self._share >= LOOSE:
            wide = math.ceil(WIDER * self._k / self._share)
            found = search_all(wide)
            version_of = self._catalogue.version_ids(list(found))
            kept = [i for i in found if version_of.get(i) in self._versions]
            # Too few where the filter and the question go against each other.
            if len(kept) >= self._k or len(found) < wide:
                return {i: found[i] for i in kept[: self._k]}
        return dict(search_allowed(self._k))

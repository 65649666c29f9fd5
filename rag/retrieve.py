"""Find the passages that bear on a question: words and vectors, fused and made diverse."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.catalogue import Catalogue
from rag.exact import ExactSearch
from rag.schema import Filter, Hit, Passage
from rag.words import search_terms

Scores = npt.NDArray[np.float64]

# Shares of the three scores in the fused one; the cosine has the rest. Chosen on ../shared/bench
# (realtimeqa and squad2, our halves) among steps of .05: anything near is as good, and either
# half alone is worse. See eval/bench_retrieval.py.
LEXICAL_SHARE = 0.25
ARTICLE_SHARE = 0.25

# Two passages that share this much of their word sequences are one wire copy told twice.
NEAR_DUPLICATE = 0.8
SHINGLE_WORDS = 4

# A filter that lets through this share of the articles or more is applied to the results of a
# wider search, which costs little; a stricter one to what is searched.
LOOSE_FILTER = 0.05
WIDER = 1.5


class NearestSearch(Protocol):
    """What finds near vectors: the vector index, or the exact search in its place."""

    def search(
        self, vector: npt.NDArray[np.float32], *, k: int, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """Return at most `k` ids and cosines, best first, of all or of those `among`."""
        ...


def retrieve(
    question: str,
    vector: npt.NDArray[np.float32],
    catalogue: Catalogue,
    vectors: NearestSearch,
    *,
    k: int,
    candidates: int,
    per_article: int,
    allowed: Filter | None = None,
) -> tuple[Hit, ...]:
    """Find the best passages for a question.

    Each candidate has three scores: BM25 of the passage, BM25 of its whole article, and the
    cosine of the vectors. Each is scaled by its range among the candidates, and the weighted sum
    ranks them.

    Parameters
    ----------
    question : str
        Searched as it stands; resolve a follow-up first.
    vector : ndarray of float32, shape (dimensions,)
        The question's unit vector.
    catalogue : Catalogue
    vectors : NearestSearch
    k : int
        How many to return at most.
    candidates : int
        How many to take from each of the two searches.
    per_article : int
        How many of one article to return at most.
    allowed : Filter, optional
        Which articles may be searched.

    Returns
    -------
    tuple of Hit
        Best first, without near-duplicates; empty if no article is allowed.
    """
    with catalogue.snapshot():
        terms = search_terms(question)
        if allowed:
            among = _Allowed(catalogue, allowed, candidates)
            lexical = among.best(
                lambda k: catalogue.search_passages(terms, k=k),
                lambda k: catalogue.search_passages(terms, k=k, allowed=allowed),
            )
            # The filtered search of Chroma costs more than comparing with each vector.
            exact = ExactSearch(catalogue)
            dense = among.best(
                lambda k: dict(vectors.search(vector, k=k)),
                lambda k: dict(exact.search(vector, k=k, among=catalogue.passage_ids(allowed))),
            )
        else:
            lexical = catalogue.search_passages(terms, k=candidates)
            dense = dict(vectors.search(vector, k=candidates))
        version_of = catalogue.version_ids(list(lexical | dense))
        if not version_of:
            return ()
        ids = sorted(version_of)
        article = catalogue.search_articles(terms, k=2 * candidates, allowed=allowed)
        _, stored = catalogue.vectors(ids)
        cosines = stored.astype(np.float64) @ vector.astype(np.float64)
        words = np.array([lexical.get(i, 0.0) for i in ids])
        fused = (
            LEXICAL_SHARE * _share_of_best(words)
            + ARTICLE_SHARE
            * _share_of_best(np.array([article.get(version_of[i], 0.0) for i in ids]))
            + (1 - LEXICAL_SHARE - ARTICLE_SHARE) * _scaled(cosines)
        )
        # Ties go to the lower id, so that the same question gives the same passages.
        order = np.argsort(-fused, kind="stable")
        ranked = _passages(catalogue, [ids[i] for i in order])
        hits = (
            Hit(passage, float(fused[i]), float(words[i]), float(cosines[i]))
            for i, passage in zip(order, ranked, strict=True)
        )
        best = _diverse(hits, k=k, per_article=per_article)
        return tuple(_as_allowed(hit, catalogue, allowed) if allowed else hit for hit in best)


class _Allowed:
    """Searches among the articles that a filter lets through."""

    def __init__(self, catalogue: Catalogue, allowed: Filter, k: int) -> None:
        self._catalogue = catalogue
        self._k = k
        self._share = catalogue.count_articles(allowed) / max(1, catalogue.count_articles())
        self._versions = catalogue.live_version_ids(allowed)

    def best(
        self,
        search_all: Callable[[int], Mapping[int, float]],
        search_allowed: Callable[[int], Mapping[int, float]],
    ) -> dict[int, float]:
        """Return the best allowed passages, by whichever search is the cheaper."""
        if self._share >= LOOSE_FILTER:
            wide = math.ceil(WIDER * self._k / self._share)
            found = search_all(wide)
            version_of = self._catalogue.version_ids(list(found))
            kept = [i for i in found if version_of.get(i) in self._versions]
            # Too few where the filter and the question go against each other.
            if len(kept) >= self._k or len(found) < wide:
                return {i: found[i] for i in kept[: self._k]}
        return dict(search_allowed(self._k))


def _as_allowed(hit: Hit, catalogue: Catalogue, allowed: Filter) -> Hit:
    """Show a passage under the source that the filter lets through, where it has several."""
    article = catalogue.as_allowed(hit.passage.article, allowed)
    return replace(hit, passage=replace(hit.passage, article=article))


def _passages(catalogue: Catalogue, ids: Sequence[int], step: int = 32) -> Iterator[Passage]:
    # Reading an article costs more than ranking it, and few of the candidates are wanted.
    for start in range(0, len(ids), step):
        part = ids[start : start + step]
        found = catalogue.passages(part)
        yield from (found[i] for i in part)


def _diverse(hits: Iterator[Hit], *, k: int, per_article: int) -> Iterator[Hit]:
    of_article: Counter[str] = Counter()
    taken: list[frozenset[tuple[str, ...]]] = []
    for hit in hits:
        if len(taken) == k:
            return
        article_id = hit.passage.article.article_id
        if of_article[article_id] == per_article:
            continue
        shingles = _shingles(hit.passage.text)
        if any(_jaccard(shingles, other) >= NEAR_DUPLICATE for other in taken):
            continue
        of_article[article_id] += 1
        taken.append(shingles)
        yield hit


def _share_of_best(scores: Scores) -> Scores:
    best = scores.max()
    return scores / best if best > 0 else scores


def _scaled(scores: Scores) -> Scores:
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones_like(scores)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = text.lower().split()
    n = min(SHINGLE_WORDS, len(words))
    return frozenset(zip(*(words[i:] for i in range(n)), strict=False))


def _jaccard(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0

"""Find the passages that bear on a question: words and vectors, fused and made diverse."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from rag.catalogue import Catalogue
from rag.schema import Filter, Hit, Passage
from rag.vectors import VectorIndex
from rag.words import WORD, search_terms

Scores = npt.NDArray[np.float64]
Shingles = frozenset[tuple[str, ...]]

# Shares of the three scores in the fused one; the cosine has the rest. Chosen on ../shared/bench
# (realtimeqa and squad2, our halves) among steps of .05: anything near is as good, and either
# half alone is worse. See eval/bench_retrieval.py.
LEXICAL_SHARE = 0.25
ARTICLE_SHARE = 0.25

# Two passages that share this much of their word sequences are one wire copy told twice.
NEAR_DUPLICATE = 0.8
SHINGLE_WORDS = 4

# A filter that lets through no more passages than this is searched by comparing each; a looser
# one, by a search wider than its share alone would need.
STRICT = 2_000
WIDER = 2.0

# A passage that repeats this share of the question's pairs of neighbouring words was written for
# the question: so are all planted passages of the shape "question, false sentence" (500 of
# poisonedrag), and .4 % of the passages that answer honestly (5 of 1,278 questions of squad2).
ECHO = 0.9


def retrieve(
    question: str,
    vector: npt.NDArray[np.float32],
    catalogue: Catalogue,
    vectors: VectorIndex,
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
    vectors : VectorIndex
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
        Best first; a near-duplicate is a copy of the hit before it, and passages that echo the
        question come last. Empty if no article is allowed.
    """
    with catalogue.snapshot():
        terms = search_terms(question)
        lexical = catalogue.search_passages(terms, k=candidates, allowed=allowed)
        among = catalogue.passage_ids(allowed) if allowed else None
        dense = _nearest(vector, catalogue, vectors, k=candidates, among=among)
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
        return tuple(_diverse(_echoes_last(question, hits), k=k, per_article=per_article))


def _nearest(
    vector: npt.NDArray[np.float32],
    catalogue: Catalogue,
    vectors: VectorIndex,
    *,
    k: int,
    among: Sequence[int] | None,
) -> dict[int, float]:
    # Chroma's own filter takes seconds for 20,000 ids. A loose filter is applied to a wider
    # search, and under a strict one every vector that is allowed is compared.
    if among is None:
        return dict(vectors.search(vector, k=k))
    allowed = frozenset(among)
    if len(among) > STRICT:
        wider = math.ceil(WIDER * k * vectors.count() / len(among))
        found = {i: c for i, c in vectors.search(vector, k=wider) if i in allowed}
        if len(found) >= k:
            return dict(islice(found.items(), k))
    ids, stored = catalogue.vectors(sorted(among))
    cosines = stored @ vector if ids else np.zeros(0)
    best = np.argsort(-cosines, kind="stable")[:k]
    return {ids[i]: float(cosines[i]) for i in best.tolist()}


def _passages(catalogue: Catalogue, ids: Sequence[int], step: int = 32) -> Iterator[Passage]:
    # Reading an article costs more than ranking it, and few of the candidates are wanted.
    for start in range(0, len(ids), step):
        part = ids[start : start + step]
        found = catalogue.passages(part)
        yield from (found[i] for i in part)


def _echoes_last(question: str, hits: Iterator[Hit]) -> Iterator[Hit]:
    asked = _shingles(question, 2)
    echoes = []
    for hit in hits:
        shared = asked & _shingles(hit.passage.text, 2)
        if len(asked) > 1 and len(shared) >= ECHO * len(asked):
            echoes.append(hit)
        else:
            yield hit
    yield from echoes


def _diverse(hits: Iterator[Hit], *, k: int, per_article: int) -> Iterator[Hit]:
    of_article: Counter[str] = Counter()
    taken: list[tuple[Hit, Shingles, list[Passage]]] = []
    for hit in hits:
        if len(taken) == k:
            break
        article_id = hit.passage.article.article_id
        if of_article[article_id] == per_article:
            continue
        shingles = _shingles(hit.passage.text, SHINGLE_WORDS)
        for _, other, copies in taken:
            if _jaccard(shingles, other) >= NEAR_DUPLICATE:
                copies.append(hit.passage)
                break
        else:
            of_article[article_id] += 1
            taken.append((hit, shingles, []))
    return (replace(hit, copies=tuple(copies)) for hit, _, copies in taken)


def _share_of_best(scores: Scores) -> Scores:
    best = scores.max()
    return scores / best if best > 0 else scores


def _scaled(scores: Scores) -> Scores:
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones_like(scores)


def _shingles(text: str, length: int) -> Shingles:
    words = WORD.findall(text.lower())
    n = min(length, len(words))
    return frozenset(zip(*(words[i:] for i in range(n)), strict=False))


def _jaccard(a: Shingles, b: Shingles) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0

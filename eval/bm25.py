"""The plain peer: BM25 over passages, and the best-matching sentence as the answer."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eval.questions import Question
from eval.records import (
    Place,
    Reply,
    StoredCitation,
    StoredEvidence,
    StoredHit,
    StoredSentence,
)
from eval.systems import Seconds
from eval.text import match_tokens
from rag import Article, Citation, Evidence, Span, UserError, split_sentences

# Lucene's defaults.
_K1, _B = 1.2, 0.75
_SENTENCES = 5  # to a passage, without overlap
_PASSAGES_READ = 5
# Half-way point of the confidence, in BM25 units: a typical score of a question's own passage.
_HALF = 12.0


class Bm25Index:
    """Okapi BM25 (Robertson and Zaragoza 2009) over texts, as sparse postings.

    Parameters
    ----------
    texts : sequence of str
    """

    def __init__(self, texts: Sequence[str]) -> None:
        tokens = [match_tokens(text) for text in texts]
        lengths = np.array([len(t) for t in tokens], dtype=np.float64)
        mean = lengths.mean() if len(lengths) else 1.0
        self._norm = _K1 * (1 - _B + _B * lengths / max(mean, 1.0))
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for index, counted in enumerate(map(Counter, tokens)):
            for token, count in counted.items():
                postings[token].append((index, count))
        self._size = len(texts)
        self._postings = {
            token: (
                np.array([p[0] for p in found], dtype=np.intp),
                np.array([p[1] for p in found], dtype=np.float64),
            )
            for token, found in postings.items()
        }

    def scores(self, query: str) -> NDArray[np.float64]:
        """Return the score of every text for `query`."""
        total = np.zeros(self._size)
        for token in set(match_tokens(query)):
            if token in self._postings:
                where, count = self._postings[token]
                rarity = math.log(1 + (self._size - len(where) + 0.5) / (len(where) + 0.5))
                total[where] += rarity * count * (_K1 + 1) / (count + self._norm[where])
        return total


class Bm25System:
    """Answer with the best sentence of the five best passages; refuse if no word matches.

    Parameters
    ----------
    articles : sequence of Article
    """

    name = "bm25"
    workers = 1

    def __init__(self, articles: Sequence[Article]) -> None:
        begin = time.perf_counter()
        self._articles = tuple(articles)
        self._versions = {article.article_id: article.version for article in articles}
        self._by_id = {article.article_id: article for article in articles}
        self._passages: list[tuple[Article, tuple[Span, ...]]] = []
        for article in articles:
            spans = split_sentences(article.text)
            for first in range(0, len(spans), _SENTENCES):
                self._passages.append((article, spans[first : first + _SENTENCES]))
        self._index = Bm25Index(
            [f"{a.title} {a.text[s[0].start : s[-1].end]}" for a, s in self._passages]
        )
        self.sync_seconds = time.perf_counter() - begin
        self.bytes_on_disk = 0

    def close(self) -> None:
        """Do nothing; the index is in memory."""

    def describe(self) -> dict[str, str]:
        """Return what the system is made of."""
        return {"embedder": "none", "mode": "extractive", "model": "bm25", "settings": "1"}

    def articles(self) -> Sequence[Article]:
        """Return the corpus."""
        return self._articles

    def article(self, article_id: str, version: str) -> Article:
        """Return an article; there is one version of each."""
        if self._versions.get(article_id) != version:
            raise UserError(f"no article {article_id!r} of version {version!r}")
        return self._by_id[article_id]

    def reply(self, question: Question, hits: int) -> tuple[Reply, Seconds]:
        """Rank passages, then the sentences of the best ones."""
        begin = time.perf_counter()
        scores = self._index.scores(question.question)
        for index, (article, _) in enumerate(self._passages):
            if not _passes(article, question):
                scores[index] = 0.0
        order = [int(i) for i in np.argsort(-scores, kind="stable")[:hits] if scores[i] > 0]
        found = time.perf_counter()
        stored = tuple(self._hit(index, float(scores[index])) for index in order)
        candidates = [
            (article, span)
            for article, spans in (self._passages[index] for index in order[:_PASSAGES_READ])
            for span in spans
        ]
        if not candidates:
            seconds = {"retrieve": found - begin, "answer": time.perf_counter() - begin}
            refusal = Reply((), "not_in_corpus", "No word of the question is in the corpus.", 0.0)
            return refusal, seconds
        ranked = Bm25Index([span.cut(article.text) for article, span in candidates])
        best = np.argsort(-ranked.scores(question.question), kind="stable")[:3]
        top = float(scores[order[0]])
        evidence = tuple(
            StoredEvidence(label, self._place(*candidates[int(i)]), 0.0)
            for label, i in enumerate(best, start=1)
        )
        article, span = candidates[int(best[0])]
        quote = span.cut(article.text)
        citation = Citation.of(Evidence(1, article, span, 0.0))
        reply = Reply(
            sentences=(StoredSentence(quote, (1,)),),
            confidence=round(top / (top + _HALF), 6),
            evidence=evidence,
            citations=(StoredCitation(1, self._place(article, span), quote, citation.sha256),),
            hits=stored,
            standalone_question=question.question,
            mode="extractive",
            model="bm25",
        )
        return reply, {"retrieve": found - begin, "answer": time.perf_counter() - begin}

    def _hit(self, index: int, score: float) -> StoredHit:
        article, spans = self._passages[index]
        whole = Span(spans[0].start, spans[-1].end)
        return StoredHit(self._place(article, whole), round(score, 6), round(score, 6))

    def _place(self, article: Article, span: Span) -> Place:
        version = self._versions[article.article_id]
        return Place(article.article_id, version, span.start, span.end)


def _passes(article: Article, question: Question) -> bool:
    if question.publisher is not None and article.publisher != question.publisher:
        return False
    if question.since is None and question.until is None:
        return True
    day = article.published
    if day is None:
        return False
    return (question.since is None or day >= question.since) and (
        question.until is None or day <= question.until
    )

"""Choose the sentences that answer: score each sentence of the passages found, decide to abstain.

A sentence is described by a few features: the question's words in it and around it, its vector,
its passage, its form, and whether it holds the kind of thing asked for. Two logistic models read
them, both fitted and stored as ``rag/models/selection.json`` with what they were fitted on: one
ranks sentences, the other gives the probability that the best of them answers the question.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.answertype import AnswerType, answer_type, holds
from rag.embed import Embedder
from rag.schema import Article, Hit, Span
from rag.words import Stemmer, search_terms

Matrix = npt.NDArray[np.float64]

# Okapi BM25's usual constants; the mean length is that of sentences in news.
K1, B, MEAN_STEMS = 1.2, 0.75, 25.0

# Embedding a sentence takes about 2 ms, so only the most promising by words are: of 8, 12, 16, 24
# and 40 a question, 12 gave the right sentence first as often as any (.786, squad2, unseen titles).
EMBEDDED = 12

MODEL_FILE = Path(__file__).parent / "models" / "selection.json"

FEATURES = (
    "bm25_share",  # BM25 over that of the best sentence
    "coverage",  # share of the question's words in the sentence, weighted by rarity
    "coverage_before",  # the same, with the sentence before and the title
    "coverage_around",  # the same, with the sentence after as well
    "rarest_missing",  # share of weight of the rarest word of the question found nowhere near
    "cosine",  # of the question and the sentence headed by its title
    "cosine_gap",  # to the nearest sentence
    "passage_score",
    "passage_gap",  # to the best passage
    "passage_cosine",
    "opens_passage",
    "log_stems",
    "order",  # share of the question's neighbouring words that stand close, in order
    "is_question",
    "novelty",  # share of its words that the question does not have
    *(f"{has}_{kind}" for kind in AnswerType if kind != "other" for has in ("holds", "lacks")),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer.

    Parameters
    ----------
    article : Article
    span : Span
        Where it stands in ``article.text``.
    rank_score : float
        Higher is better; comparable within one question only.
    probability : float
        That it answers the question, in [0, 1]; comparable between questions.
    vector : ndarray of float32, shape (dimensions,)
    """

    article: Article
    span: Span
    rank_score: float
    probability: float
    vector: npt.NDArray[np.float32]

    @property
    def text(self) -> str:
        """The sentence, cut from its article."""
        return self.span.cut(self.article.text)


@dataclass(frozen=True, slots=True)
class SelectionModel:
    """Two logistic models over `FEATURES`, and the threshold of the second.

    Parameters
    ----------
    rank, answers : ndarray, shape (features,)
        Weights.
    answers_bias : float
    threshold : float
        Probability below which to abstain, in [0, 1].
    """

    rank: Matrix
    answers: Matrix
    answers_bias: float
    threshold: float


@cache
def selection_model(path: Path = MODEL_FILE) -> SelectionModel:
    """Read the fitted models."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return SelectionModel(
        rank=np.array([stored["rank"][name] for name in FEATURES]),
        answers=np.array([stored["answers"][name] for name in FEATURES]),
        answers_bias=stored["answers_bias"],
        threshold=stored["threshold"],
    )


def select(
    question: str,
    vector: npt.NDArray[np.float32],
    hits: Sequence[Hit],
    *,
    embedder: Embedder,
    stemmer: Stemmer,
    frequencies: Mapping[str, int],
    passages: int,
    model: SelectionModel,
) -> tuple[Candidate, ...]:
    """Rank the sentences of the passages found.

    Parameters
    ----------
    question : str
    vector : ndarray of float32, shape (dimensions,)
        The question's unit vector.
    hits : sequence of Hit
        Best first.
    embedder : Embedder
    stemmer : Stemmer
    frequencies : mapping of str to int
        In how many passages each stem of the question stands; a stem left out stands in none.
    passages : int
        How many passages there are.
    model : SelectionModel

    Returns
    -------
    tuple of Candidate
        Best first; at most `EMBEDDED` of them; empty without hits.
    """
    sentences, features, vectors = describe(
        question,
        vector,
        hits,
        embedder=embedder,
        stemmer=stemmer,
        frequencies=frequencies,
        passages=passages,
    )
    if not sentences:
        return ()
    ranks = features @ model.rank
    logits = features @ model.answers + model.answers_bias
    probabilities = 1.0 / (1.0 + np.exp(-logits))
    candidates = []
    for i in np.argsort(-ranks, kind="stable").tolist():
        article, span = sentences[i]
        candidates.append(
            Candidate(article, span, float(ranks[i]), float(probabilities[i]), vectors[i])
        )
    return tuple(candidates)


def describe(
    question: str,
    vector: npt.NDArray[np.float32],
    hits: Sequence[Hit],
    *,
    embedder: Embedder,
    stemmer: Stemmer,
    frequencies: Mapping[str, int],
    passages: int,
) -> tuple[list[tuple[Article, Span]], Matrix, npt.NDArray[np.float32]]:
    """Return the most promising sentences, their features (a row each) and their vectors.

    Takes what `select` takes; keeps at most `EMBEDDED` sentences.
    """
    asked = tuple(dict.fromkeys(stemmer.stems([" ".join(search_terms(question))])[0]))
    rarity = {stem: _rarity(frequencies.get(stem, 0), passages) for stem in asked}
    sentences = _gather(hits, stemmer)
    scores = np.array([_bm25(sentence.stems, rarity) for sentence in sentences])
    # A sentence without the question's words may still stand in the best passage.
    promise = scores / max(scores.max(initial=0.0), 1e-9) + np.array(
        [sentence.hit.score for sentence in sentences]
    )
    kept = np.argsort(-promise, kind="stable")[:EMBEDDED]
    if not len(kept):
        return [], np.zeros((0, len(FEATURES))), np.zeros((0, 0), np.float32)
    scores, sentences = scores[kept], [sentences[i] for i in kept]
    vectors = embedder.embed([sentence.headed for sentence in sentences])
    cosines = (vectors @ vector).astype(np.float64)
    kind = answer_type(question)
    rows = [_features(sentence, asked, rarity, kind, question) for sentence in sentences]
    features = np.array(rows)
    columns = {name: FEATURES.index(name) for name in FEATURES}
    features[:, columns["bm25_share"]] = scores / max(scores.max(), 1e-9)
    features[:, columns["cosine"]] = cosines
    features[:, columns["cosine_gap"]] = cosines - cosines.max()
    passage = features[:, columns["passage_score"]]
    features[:, columns["passage_gap"]] = passage - hits[0].score
    return [(s.hit.passage.article, s.span) for s in sentences], features, vectors


@dataclass(frozen=True, slots=True)
class _Sentence:
    hit: Hit
    span: Span
    stems: tuple[str, ...]
    before: frozenset[str]
    around: frozenset[str]

    @property
    def text(self) -> str:
        return self.span.cut(self.hit.passage.article.text)

    @property
    def headed(self) -> str:
        # The title says what "he" and "the talks" are: it puts the right sentence first in
        # .786 of questions rather than .775 (squad2, unseen titles).
        title = self.hit.passage.article.title
        return f"{title}. {self.text}" if title else self.text


def _gather(hits: Sequence[Hit], stemmer: Stemmer) -> list[_Sentence]:
    texts = []
    for hit in hits:
        article = hit.passage.article
        texts.append(article.title)
        texts += [span.cut(article.text) for span in hit.passage.sentences]
    stems = iter(stemmer.stems(texts))
    sentences: dict[tuple[str, Span], _Sentence] = {}
    for hit in hits:
        title = next(stems)
        of_passage = [next(stems) for _ in hit.passage.sentences]
        for i, span in enumerate(hit.passage.sentences):
            before = frozenset(title).union(*of_passage[max(0, i - 1) : i + 1])
            around = before.union(*of_passage[i + 1 : i + 2])
            # Overlapping passages share sentences: the better passage keeps it.
            sentences.setdefault(
                (hit.passage.article.article_id, span),
                _Sentence(hit, span, tuple(of_passage[i]), before, around),
            )
    return list(sentences.values())


def _features(
    sentence: _Sentence,
    asked: Sequence[str],
    rarity: Mapping[str, float],
    kind: AnswerType,
    question: str,
) -> list[float]:
    stems = frozenset(sentence.stems)
    total = sum(rarity.values()) or 1.0
    missing = [rarity[stem] for stem in asked if stem not in sentence.around]
    text, hit = sentence.text, sentence.hit
    held = holds(kind, text, question)
    return [
        0.0,
        sum(rarity[stem] for stem in asked if stem in stems) / total,
        sum(rarity[stem] for stem in asked if stem in sentence.before) / total,
        sum(rarity[stem] for stem in asked if stem in sentence.around) / total,
        max(missing, default=0.0),
        0.0,
        0.0,
        hit.score,
        0.0,
        hit.dense,
        float(sentence.span == hit.passage.sentences[0]),
        math.log1p(len(sentence.stems)),
        _order(asked, sentence.stems),
        float(text.rstrip("\"”’'").endswith("?")),
        len(stems.difference(asked)) / (len(stems) + 1),
        *(
            float(held is wanted) if kind is other else 0.0
            for other in AnswerType
            if other is not AnswerType.OTHER
            for wanted in (True, False)
        ),
    ]


def _rarity(frequency: int, passages: int) -> float:
    """Return BM25's inverse document frequency over its largest value: in (0, 1]."""
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5)) / math.log(
        1 + (passages + 0.5) / 0.5
    )


def _bm25(stems: Sequence[str], rarity: Mapping[str, float]) -> float:
    counts = Counter(stems)
    norm = K1 * (1 - B + B * len(stems) / MEAN_STEMS)
    return sum(
        weight * counts[stem] * (K1 + 1) / (counts[stem] + norm)
        for stem, weight in rarity.items()
        if stem in counts
    )


def _order(asked: Sequence[str], stems: Sequence[str], within: int = 4) -> float:
    """Return the share of neighbouring words of the question that stand close, in order."""
    if len(asked) < 2:
        return 0.0
    close = {(a, b) for i, a in enumerate(stems) for b in stems[i + 1 : i + 1 + within]}
    return sum(pair in close for pair in pairwise(asked)) / (len(asked) - 1)

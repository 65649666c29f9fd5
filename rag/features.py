"""Describe sentences for the choice among them: numbers that say how well each may answer.

Everything here can be read off the question, the sentence, what stands around it and the vectors.
`rag.select` weighs it; `rag/models/fit_selection.py` fits the weights.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rag.answertype import AnswerType, answer_type, things
from rag.embed import Embedder
from rag.lexicon import FUNCTION
from rag.reader import Reading
from rag.schema import Article, Hit, Span
from rag.words import WORD, Stemmer, search_terms

Matrix = npt.NDArray[np.float64]

# Okapi BM25's usual constants; the mean length is that of sentences in news.
K1, B, MEAN_STEMS = 1.2, 0.75, 25.0

# Embedding a sentence takes about 2 ms, so only the most promising by words are: of 8, 12, 16, 24
# and 40 a question, 12 gave the right sentence first as often as any (.786, squad2, unseen titles).
EMBEDDED = 12

KINDS = tuple(kind for kind in AnswerType if kind is not AnswerType.OTHER)

FEATURES = (
    "bm25_share",  # BM25 over that of the best sentence
    "bm25_lead",  # over that of the best other sentence, less one; 0 where it does not lead
    "coverage",  # share of the question's words in the sentence, weighted by rarity
    "coverage_before",  # the same, with the sentence before and the title
    "coverage_around",  # the same, with the sentence after as well
    "coverage_passage",  # the same, of the whole passage and its title
    "rarest_missing",  # share of weight of the rarest word of the question found nowhere near
    "rarest_absent",  # the same, found nowhere in the passage
    "unknown",  # share of weight of words that stand in no passage at all
    "names_near",  # share of the question's names and numbers in the sentence or around it
    "names_absent",  # share of them that stand nowhere in the passage or its title
    "numbers_absent",  # how many numbers of the question stand nowhere in the passage
    "proximity",  # words of the question found, over the length of the shortest stretch of them
    "order",  # share of the question's neighbouring words that stand close, in order
    "before_bm25",  # BM25 of the sentence before over that of the best sentence
    "after_bm25",
    "cosine",  # of the question and the sentence headed by its title
    "cosine_gap",  # to the nearest sentence
    "passage_score",
    "passage_gap",  # to the best passage
    "passage_cosine",
    "passage_first",
    "opens_passage",
    "place",  # in the passage, from 0 for the first sentence to 1
    "log_stems",
    "asked_stems",  # how many words were asked for
    "is_question",
    "novelty",  # share of its words that the question does not have
    "quotes",  # it quotes somebody, and the question asks what was said
    "asks_other",
    "thing_distance",  # from a thing of the kind asked for to the nearest word asked for
    *(f"{has}_{kind}" for kind in KINDS for has in ("holds", "lacks")),
)

# What the reader says, on top of these.
READ_FEATURES = (
    "read",  # log-odds that the sentence answers, against nothing in its passage
    "read_words",  # log-odds of its best words, against none in its passage
    "read_total",  # log of the sum of all sentences' odds, of all passages
)

_NUMBER = re.compile(r"\d[\d.,]*")
_NAME = re.compile(r"[^\W\d_a-z]\w*")
_SAYS = re.compile(r"\b(?:sa(?:y|id|ys)|told|call(?:ed)?|describe[ds]?|quote[ds]?)\b")
_QUOTED = re.compile(r"[\"“”]")
# A thing of the kind asked for that stands further away is as good as none, in words.
_FAR = 12


@dataclass(frozen=True, slots=True)
class Described:
    """The sentences found for a question.

    Parameters
    ----------
    sentences : tuple of (Article, Span)
    features : ndarray, shape (sentences, features)
        Columns as in `FEATURES`, followed by those of `READ_FEATURES` if there were readings.
    vectors : ndarray of float32, shape (sentences, dimensions)
    words : tuple of (Span or None)
        Where the reader saw the answer in each sentence, in the text of its article.
    """

    sentences: tuple[tuple[Article, Span], ...]
    features: Matrix
    vectors: npt.NDArray[np.float32]
    words: tuple[Span | None, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    question: str
    kind: AnswerType
    stems: tuple[str, ...]
    rarity: Mapping[str, float]
    unknown: float
    names: frozenset[str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Sentence:
    hit: Hit
    place: int
    stems: tuple[str, ...]
    before: frozenset[str]
    around: frozenset[str]
    passage: frozenset[str]
    previous: tuple[str, ...]
    following: tuple[str, ...]
    reading: Reading | None

    @property
    def span(self) -> Span:
        return self.hit.passage.sentences[self.place]

    @property
    def text(self) -> str:
        return self.span.cut(self.hit.passage.article.text)

    @property
    def read(self) -> float:
        return float(self.reading.scores[self.place]) if self.reading else 0.0

    @property
    def headed(self) -> str:
        # The title says what "he" and "the talks" are: it puts the right sentence first in
        # .786 of questions rather than .775 (squad2, unseen titles).
        title = self.hit.passage.article.title
        return f"{title}. {self.text}" if title else self.text


def describe(
    question: str,
    vector: npt.NDArray[np.float32],
    hits: Sequence[Hit],
    *,
    embedder: Embedder,
    stemmer: Stemmer,
    frequencies: Mapping[str, int],
    passages: int,
    readings: Sequence[Reading] | None = None,
) -> Described:
    """Describe the most promising sentences of the passages found.

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
    readings : sequence of Reading, optional
        Of each hit's passage.
    """
    asked = _read_question(question, stemmer, frequencies, passages)
    sentences = _gather(hits, stemmer, readings)
    scores = np.array([_bm25(sentence.stems, asked.rarity) for sentence in sentences])
    best = max(scores.max(initial=0.0), 1e-9)
    # A sentence without the question's words may still stand in the best passage.
    promise = scores / best + np.array([sentence.hit.score for sentence in sentences])
    read = np.array([s.read for s in sentences])
    total = float(np.log(np.exp(read).sum())) if len(read) else 0.0
    if readings:
        promise += 2 / (1 + np.exp(-read))
    kept = np.argsort(-promise, kind="stable")[:EMBEDDED]
    if not len(kept):
        columns = len(FEATURES) + (len(READ_FEATURES) if readings is not None else 0)
        return Described((), np.zeros((0, columns)), np.zeros((0, 0), np.float32), ())
    second = np.sort(scores)[-2] if len(scores) > 1 else 0.0
    scores, sentences = scores[kept], [sentences[i] for i in kept]
    vectors = embedder.embed([sentence.headed for sentence in sentences])
    cosines = (vectors @ vector).astype(np.float64)
    rows = []
    for sentence, score, cosine in zip(sentences, scores, cosines, strict=True):
        values = _features(sentence, asked)
        values["bm25_share"] = score / best
        values["bm25_lead"] = score / max(second, 1e-9) - 1 if 0 < second < score else 0.0
        values["before_bm25"] = _bm25(sentence.previous, asked.rarity) / best
        values["after_bm25"] = _bm25(sentence.following, asked.rarity) / best
        values["cosine"] = cosine
        values["cosine_gap"] = cosine - cosines.max()
        values["passage_gap"] = sentence.hit.score - hits[0].score
        values["passage_first"] = float(sentence.hit is hits[0])
        row = [values[name] for name in FEATURES]
        if sentence.reading:
            row += [sentence.read, float(sentence.reading.margins[sentence.place]), total]
        rows.append(row)
    return Described(
        tuple((s.hit.passage.article, s.span) for s in sentences),
        np.array(rows),
        vectors,
        tuple(s.reading.spans[s.place] if s.reading else None for s in sentences),
    )


def _read_question(
    question: str, stemmer: Stemmer, frequencies: Mapping[str, int], passages: int
) -> _Asked:
    terms = search_terms(question)
    # The first word has a capital anyway; in a question all in lower case nothing is a name.
    words = WORD.findall(question)
    names = {word.lower() for word in words[1:] if _NAME.fullmatch(word)} - FUNCTION
    numbers = {number.rstrip(".,") for number in _NUMBER.findall(question)}
    stems, named, counted = stemmer.stems([" ".join(terms), " ".join(names), " ".join(numbers)])
    unique = tuple(dict.fromkeys(stems))
    rarity = {stem: _rarity(frequencies.get(stem, 0), passages) for stem in unique}
    total = sum(rarity.values()) or 1.0
    return _Asked(
        question=question,
        kind=answer_type(question),
        stems=unique,
        rarity=rarity,
        unknown=sum(rarity[stem] for stem in unique if not frequencies.get(stem)) / total,
        names=frozenset(named),
        numbers=frozenset(counted),
    )


def _gather(
    hits: Sequence[Hit], stemmer: Stemmer, readings: Sequence[Reading] | None
) -> list[_Sentence]:
    texts = []
    for hit in hits:
        article = hit.passage.article
        texts.append(article.title)
        texts += [span.cut(article.text) for span in hit.passage.sentences]
    stems = iter(stemmer.stems(texts))
    sentences: dict[tuple[str, Span], _Sentence] = {}
    for number, hit in enumerate(hits):
        title = next(stems)
        parts = [tuple(next(stems)) for _ in hit.passage.sentences]
        whole = frozenset(title).union(*parts)
        for i, span in enumerate(hit.passage.sentences):
            before = frozenset(title).union(*parts[max(0, i - 1) : i + 1])
            around = before.union(*parts[i + 1 : i + 2])
            # Overlapping passages share sentences: the better passage keeps it.
            sentences.setdefault(
                (hit.passage.article.article_id, span),
                _Sentence(
                    hit,
                    i,
                    parts[i],
                    before,
                    around,
                    whole,
                    parts[i - 1] if i else (),
                    parts[i + 1] if i + 1 < len(parts) else (),
                    readings[number] if readings else None,
                ),
            )
    return list(sentences.values())


def _features(sentence: _Sentence, asked: _Asked) -> dict[str, float]:
    rarity = asked.rarity
    stems = frozenset(sentence.stems)
    total = sum(rarity.values()) or 1.0
    text, hit = sentence.text, sentence.hit

    def covered(words: frozenset[str]) -> float:
        return sum(rarity[stem] for stem in asked.stems if stem in words) / total

    def rarest_outside(words: frozenset[str]) -> float:
        return max((rarity[stem] for stem in asked.stems if stem not in words), default=0.0)

    exact = asked.names | asked.numbers
    spans = things(asked.kind, text, asked.question)
    values = {
        "coverage": covered(stems),
        "coverage_before": covered(sentence.before),
        "coverage_around": covered(sentence.around),
        "coverage_passage": covered(sentence.passage),
        "rarest_missing": rarest_outside(sentence.around),
        "rarest_absent": rarest_outside(sentence.passage),
        "unknown": asked.unknown,
        "names_near": len(exact & sentence.around) / len(exact) if exact else 0.5,
        "names_absent": len(exact - sentence.passage) / len(exact) if exact else 0.0,
        "numbers_absent": float(len(asked.numbers - sentence.passage)),
        "proximity": _proximity(sentence.stems, rarity),
        "order": _order(asked.stems, sentence.stems),
        "passage_score": hit.score,
        "passage_cosine": hit.dense,
        "opens_passage": float(sentence.place == 0),
        "place": sentence.place / max(1, len(hit.passage.sentences) - 1),
        "log_stems": math.log1p(len(sentence.stems)),
        "asked_stems": float(len(asked.stems)),
        "is_question": float(text.rstrip("\"”’'").endswith("?")),
        "novelty": len(stems.difference(asked.stems)) / (len(stems) + 1),
        "quotes": float(bool(_SAYS.search(asked.question) and _QUOTED.search(text))),
        "asks_other": float(asked.kind is AnswerType.OTHER),
        "thing_distance": _distance(text, spans, asked),
    }
    for kind in KINDS:
        values[f"holds_{kind}"] = float(kind is asked.kind and bool(spans))
        values[f"lacks_{kind}"] = float(kind is asked.kind and not spans)
    return values


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


def _proximity(stems: Sequence[str], rarity: Mapping[str, float]) -> float:
    """Return how densely the words asked for stand, from 0 for at most one to 1 for no gap."""
    places = [i for i, stem in enumerate(stems) if stem in rarity]
    found = len({stems[i] for i in places})
    if found < 2:
        return 0.0
    last: dict[str, int] = {}
    shortest = len(stems)
    for i in places:
        last[stems[i]] = i
        if len(last) == found:
            shortest = min(shortest, i - min(last.values()) + 1)
    return found / shortest


def _distance(text: str, spans: Sequence[Span], asked: _Asked) -> float:
    """Return how far a thing asked for stands from a word asked for: 0 beside it, 1 far away."""
    if not spans:
        return 1.0
    terms = set(search_terms(asked.question))
    matched, held = [], []
    for i, match in enumerate(WORD.finditer(text)):
        if match.group().lower() in terms:
            matched.append(i)
        if any(span.start <= match.start() < span.end for span in spans):
            held.append(i)
    nearest = min((abs(a - b) for a in matched for b in held), default=_FAR)
    return min(nearest, _FAR) / _FAR

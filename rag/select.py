"""Choose the sentences that answer: score each sentence of the passages found, decide to abstain.

A sentence is described by a few features (`rag.features`). Two models weigh them, both fitted and
stored as ``rag/models/selection.json`` with what they were fitted on: one ranks sentences, the
other gives the probability that a sentence answers the question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.features import FEATURES, READ_FEATURES, Described, Matrix
from rag.schema import Article, Span
from rag.trees import Trees

MODEL_FILE = Path(__file__).parent / "models" / "selection.json"

ALL_FEATURES = (*FEATURES, *READ_FEATURES)

# What the second model reads besides: how the first sentence stands among all of its question.
STANDING = (
    "rank_lead",  # what the first model gives it, over the second sentence, at most 5
    "rank_share",  # log of its share of the sum of all exp(rank)
)


class Caution(StrEnum):
    """How sure an answer must be: which point of the risk–coverage curve is taken."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


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
    words : Span or None
        Where the reader saw the answer, in ``article.text``.
    """

    article: Article
    span: Span
    rank_score: float
    probability: float
    vector: npt.NDArray[np.float32]
    words: Span | None = None

    @property
    def text(self) -> str:
        """The sentence, cut from its article."""
        return self.span.cut(self.article.text)


@dataclass(frozen=True, slots=True)
class Weights:
    """A linear model with trees on top.

    Parameters
    ----------
    linear : ndarray, shape (features,)
    bias : float
    trees : Trees
        May be none.
    """

    linear: Matrix
    bias: float
    trees: Trees

    @classmethod
    def read(cls, stored: Mapping[str, Any], names: Sequence[str]) -> Weights:
        """Make it of what is stored, for rows whose columns are `names`."""
        linear = np.array([stored["linear"].get(name, 0.0) for name in names])
        return cls(linear, stored["bias"], Trees.read(stored["trees"], names))

    def score(self, rows: Matrix) -> Matrix:
        """Return a score a row."""
        scores: Matrix = rows @ self.linear + self.bias + self.trees.score(rows)
        return scores


@dataclass(frozen=True, slots=True)
class SelectionModel:
    """The two models, the calibration of the second, and the thresholds to choose from.

    Parameters
    ----------
    rank, answers : Weights
    calibration : tuple of ndarray
        Log-odds that the second model gives, and the probabilities they stand for; in between,
        straight lines.
    thresholds : mapping of Caution to float
        Probability below which to abstain, in [0, 1].
    """

    rank: Weights
    answers: Weights
    calibration: tuple[Matrix, Matrix]
    thresholds: Mapping[Caution, float]

    def judge(self, features: Matrix) -> tuple[Matrix, Matrix]:
        """Return each sentence's rank score and its probability; rows as in `Described`.

        The second model judges the first sentence. The ranks are log-odds between sentences of
        one question, so the others' probabilities follow from how far they stand behind it.
        """
        ranks = self.rank.score(features)
        best = int(np.argmax(ranks))
        row = np.r_[features[best], standing(ranks)][None, :]
        first = np.interp(self.answers.score(row), *self.calibration)
        return ranks, first * np.exp(ranks - ranks[best])


@cache
def selection_model(*, with_reader: bool, path: Path = MODEL_FILE) -> SelectionModel:
    """Read the models that were fitted with the reader's features, or those without."""
    content = json.loads(path.read_text(encoding="utf-8"))
    stored = content["with_reader" if with_reader else "features_alone"]
    return as_model(stored, ALL_FEATURES if with_reader else FEATURES)


def as_model(stored: Mapping[str, Any], names: Sequence[str]) -> SelectionModel:
    """Make a model of what is stored, for rows whose columns are `names`."""
    points = np.array(stored["calibration"], dtype=np.float64)
    return SelectionModel(
        rank=Weights.read(stored["rank"], names),
        answers=Weights.read(stored["answers"], (*names, *STANDING)),
        calibration=(points[:, 0], points[:, 1]),
        thresholds={caution: stored["caution"][caution.value] for caution in Caution},
    )


def standing(ranks: Matrix) -> Matrix:
    """Return how the first sentence stands among all, as `STANDING` names it, shape (2,)."""
    order = np.sort(ranks)
    first = order[-1]
    # A sentence that is alone leads by as much as counts.
    lead = min(5.0, first - order[-2]) if len(order) > 1 else 5.0
    return np.array([lead, -np.log(np.exp(order - first).sum())])


def select(found: Described, model: SelectionModel) -> tuple[Candidate, ...]:
    """Rank described sentences.

    Parameters
    ----------
    found : Described
    model : SelectionModel
        Fitted with the reader's features if they were described with readings, without them if
        not.

    Returns
    -------
    tuple of Candidate
        Best first; empty without sentences.
    """
    if not found.sentences:
        return ()
    ranks, probabilities = model.judge(found.features)
    candidates = []
    for i in np.argsort(-ranks, kind="stable").tolist():
        article, span = found.sentences[i]
        probability = float(probabilities[i])
        candidates.append(
            Candidate(article, span, float(ranks[i]), probability, found.vectors[i], found.words[i])
        )
    return tuple(candidates)

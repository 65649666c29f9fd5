"""Fit a ranking of sentences: a softmax over those of each question, linear and then boosted.

What is fitted comes back as it is stored, and is scored by the code that the product uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from rag.select import Weights

Matrix = npt.NDArray[np.float64]
Stored = dict[str, Any]

# Found by cross-validation on squad2 and clapnq, whole titles held out; see bench_reader.
PENALTY = 10.0
TREES, LEAVES, LEAST_ROWS, RATE, SHARE, DAMPING = 60, 6, 40, 0.1, 0.7, 5.0
SEED = 0


@dataclass(frozen=True)
class Lists:
    """The sentences of many questions, one below the other.

    Parameters
    ----------
    rows : ndarray, shape (sentences, features)
    right : ndarray of bool, shape (sentences,)
        Each question has a right one at least.
    starts : ndarray of int, shape (questions,)
        First row of each question.
    """

    rows: Matrix
    right: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, questions: Sequence[tuple[Matrix, npt.NDArray[np.bool_]]]) -> Lists:
        """Put the features and labels of questions together."""
        lengths = [len(rows) for rows, _ in questions]
        return cls(
            np.concatenate([rows for rows, _ in questions]),
            np.concatenate([right for _, right in questions]),
            np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp),
        )

    def slopes(self, scores: Matrix) -> tuple[float, Matrix, Matrix]:
        """Return the loss, its slope and its curvature by score.

        The loss is the sum over questions of -log of the probability of the right sentences.
        """
        question = np.repeat(np.arange(len(self.starts)), np.diff([*self.starts, len(scores)]))
        highest = np.maximum.reduceat(scores, self.starts)
        exponents = np.exp(scores - highest[question])
        shares = exponents / np.add.reduceat(exponents, self.starts)[question]
        of_right = np.maximum(np.add.reduceat(shares * self.right, self.starts), 1e-12)
        slope = shares - shares * self.right / of_right[question]
        return float(-np.log(of_right).sum()), slope, shares * (1 - shares)


def fit_rank(lists: Lists, names: Sequence[str], *, trees: int = TREES) -> Stored:
    """Fit a ranking: a linear model, and trees on what it leaves."""
    mean, spread = lists.rows.mean(axis=0), lists.rows.std(axis=0)
    # A column that never changes says nothing.
    spread = np.where(spread < 1e-9, np.inf, spread)
    scaled = (lists.rows - mean) / spread

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        value, slope, _ = lists.slopes(scaled @ weights)
        size = float(weights @ weights)
        return value + PENALTY * size / 2, scaled.T @ slope + PENALTY * weights

    found = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B")
    linear = found.x / spread
    grown = _grow(lists, lists.rows @ linear, names, trees)
    return {"linear": _named(linear, names), "bias": 0.0, "trees": grown}


def _grow(lists: Lists, scores: Matrix, names: Sequence[str], count: int) -> list[Stored]:
    generator = np.random.default_rng(SEED)
    sizes = np.diff([*lists.starts, len(scores)])
    rows = lists.rows.astype(np.float32)
    grown = []
    for number in range(count):
        _, slope, curvature = lists.slopes(scores)
        drawn = np.repeat(generator.random(len(lists.starts)) < SHARE, sizes)
        tree = DecisionTreeRegressor(
            max_leaf_nodes=LEAVES,
            min_samples_leaf=LEAST_ROWS,
            max_features=0.5,
            random_state=number,
        ).fit(rows[drawn], -slope[drawn])
        leaf = tree.apply(rows)
        nodes = tree.tree_.node_count
        pull = np.bincount(leaf, -slope * drawn, minlength=nodes)
        stiffness = np.bincount(leaf, curvature * drawn, minlength=nodes)
        values = RATE * np.clip(pull / (stiffness + DAMPING), -2, 2)
        grown.append(_stored_tree(tree.tree_, values, names))
        scores = scores + values[leaf]
    return grown


def _stored_tree(tree: Any, values: Matrix, names: Sequence[str]) -> Stored:
    leaf = tree.children_left < 0
    # Six digits hold a threshold well enough; what is fitted next builds on the exact one.
    thresholds = [float(f"{t:.6g}") for t in tree.threshold]
    return {
        "feature": ["" if end else names[i] for end, i in zip(leaf, tree.feature, strict=True)],
        "threshold": [0 if end else t for end, t in zip(leaf, thresholds, strict=True)],
        "left": [max(0, int(i)) for i in tree.children_left],
        "right": [max(0, int(i)) for i in tree.children_right],
        "value": [round(float(v), 4) if end else 0 for end, v in zip(leaf, values, strict=True)],
    }


def fit_probability(rows: Matrix, right: npt.NDArray[np.bool_], names: Sequence[str]) -> Stored:
    """Fit a logistic model, its weights for the features as they are."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread < 1e-9, np.inf, spread)
    model = LogisticRegression(C=0.1, max_iter=2000).fit((rows - mean) / spread, right)
    linear = model.coef_[0] / spread
    bias = float(model.intercept_[0] - linear @ mean)
    return {"linear": _named(linear, names), "bias": round(bias, 5), "trees": []}


def score(stored: Mapping[str, Any], rows: Matrix, names: Sequence[str]) -> Matrix:
    """Score rows as the product does."""
    return Weights.read(stored, names).score(rows)


def _named(linear: Matrix, names: Sequence[str]) -> dict[str, float]:
    return {name: round(float(w), 5) for name, w in zip(names, linear, strict=True)}

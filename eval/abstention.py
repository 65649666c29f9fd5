"""Does confidence tell what can be answered? AUROC, risk–coverage, calibration, Brier.

Each statistic takes weights of shape (draws, items), so the bootstrap runs them on all draws at
once; a weight of 1 for every item gives the plain figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eval.intervals import Statistic, Weights

BINS = 10


def auroc(
    scores: Sequence[float], positive: Sequence[bool], strata: Sequence[int] | None = None
) -> Statistic:
    """Return the area under the ROC curve; ties count half, NaN where a class is missing.

    Parameters
    ----------
    scores : sequence of float
    positive : sequence of bool
    strata : sequence of int, optional
        Compare items of the same stratum only. Scores of a cross-validation are of as many models
        as there are folds, each with an intercept of its own: between folds they tell nothing.
    """
    values = np.asarray(scores, dtype=np.float64)
    labels = np.asarray(positive, dtype=np.float64)
    groups = np.zeros(len(values), dtype=np.intp) if strata is None else np.asarray(strata)
    parts = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        order = members[np.argsort(values[members], kind="stable")]
        ranked = values[order]
        parts.append((order, np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])))

    def statistic(weights: Weights) -> Weights:
        won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for order, starts in parts:
            sorted_weights = weights[:, order]
            good = np.add.reduceat(sorted_weights * labels[order], starts, axis=1)
            bad = np.add.reduceat(sorted_weights * (1 - labels[order]), starts, axis=1)
            below = np.cumsum(bad, axis=1) - 0.5 * bad
            won += (good * below).sum(axis=1)
            pairs += good.sum(axis=1) * bad.sum(axis=1)
        return _quotient(won, pairs)

    return statistic


def aurc(confidence: Sequence[float], right: Sequence[bool], *, oracle: bool = False) -> Statistic:
    """Return the area under the risk–coverage curve (Geifman and El-Yaniv 2017); lower is better.

    Items come in order of falling confidence (ties in their given order; with `oracle`, right
    ones first); risk is the share of wrong ones so far, and the area is its mean.
    """
    losses = 1.0 - np.asarray(right, dtype=np.float64)
    key = losses if oracle else -np.asarray(confidence, dtype=np.float64)
    order = np.argsort(key, kind="stable")

    def statistic(weights: Weights) -> Weights:
        sorted_weights = weights[:, order]
        covered = np.cumsum(sorted_weights, axis=1)
        wrong = np.cumsum(sorted_weights * losses[order], axis=1)
        risk = np.divide(wrong, covered, out=np.zeros_like(wrong), where=covered > 0)
        return _quotient((risk * sorted_weights).sum(axis=1), sorted_weights.sum(axis=1))

    return statistic


def risk_coverage(
    confidence: Sequence[float], right: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coverage and risk after each item, in order of falling confidence."""
    order = np.argsort(-np.asarray(confidence, dtype=np.float64), kind="stable")
    losses = 1.0 - np.asarray(right, dtype=np.float64)[order]
    counts = np.arange(1, len(losses) + 1, dtype=np.float64)
    return counts / max(1, len(losses)), np.cumsum(losses) / counts


def equal_mass_bins(confidence: Sequence[float], bins: int = BINS) -> list[NDArray[np.intp]]:
    """Return item indexes in up to `bins` groups of rising confidence and near-equal size."""
    order = np.argsort(np.asarray(confidence, dtype=np.float64), kind="stable")
    return [part for part in np.array_split(order, bins) if len(part)]


def ece(confidence: Sequence[float], right: Sequence[bool]) -> Statistic:
    """Return the expected calibration error over 10 bins of equal mass (Nguyen and O'Connor 2015).

    The mean over items of |share right − mean confidence| of their bin. Bins are those of the
    whole sample, in each draw too.
    """
    values = np.asarray(confidence, dtype=np.float64)
    gaps = np.asarray(right, dtype=np.float64) - values
    bins = equal_mass_bins(confidence)

    def statistic(weights: Weights) -> Weights:
        error = np.zeros(len(weights))
        for members in bins:
            error += np.abs(weights[:, members] @ gaps[members])
        return _quotient(error, weights.sum(axis=1))

    return statistic


def balanced_accuracy(
    scores: Sequence[float], positive: Sequence[bool], threshold: float
) -> Statistic:
    """Return the mean of both classes' shares on their side of `threshold` (at it is positive)."""
    labels = np.asarray(positive, dtype=bool)
    accepted = np.asarray(scores, dtype=np.float64) >= threshold

    def statistic(weights: Weights) -> Weights:
        shares = []
        for side in (True, False):
            members = labels == side
            hits = weights[:, members & (accepted == side)].sum(axis=1)
            shares.append(_quotient(hits, weights[:, members].sum(axis=1)))
        return np.asarray((shares[0] + shares[1]) / 2)

    return statistic


def best_threshold(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Return the threshold with the best balanced accuracy; the lowest of equal ones."""
    candidates = sorted(set(scores))
    ones = np.ones((1, len(scores)))
    best, chosen = -1.0, 0.5
    for candidate in candidates:
        value = float(balanced_accuracy(scores, positive, candidate)(ones)[0])
        if value > best + 1e-12:
            best, chosen = value, candidate
    return chosen


def _quotient(part: Weights, whole: Weights) -> Weights:
    """Return `part` / `whole`, NaN where `whole` is 0."""
    empty = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=empty, where=whole > 0)
    return empty

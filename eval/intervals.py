"""95 % intervals: Wilson's for proportions, a percentile bootstrap by clusters for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
SEED = 20250823
_Z = 1.959963984540054  # 97.5 % point of the normal distribution
_CHUNK_CELLS = 2_000_000  # weights held at once: 16 MB

Weights = NDArray[np.float64]
Statistic = Callable[[Weights], Weights]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval and the number of units it rests on."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int]:
        """Return the estimate as JSON-ready values, rounded to six decimals."""
        return {
            "value": round(self.value, 6) + 0.0,
            "low": round(self.low, 6) + 0.0,
            "high": round(self.high, 6) + 0.0,
            "n": self.n,
        }


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a proportion (Wilson 1927); ``(0, 1)`` for n = 0.

    Examples
    --------
    >>> [round(x, 4) for x in wilson(20, 20)]
    [0.8389, 1.0]
    """
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    z2 = _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def proportion(successes: float, n: int) -> Estimate:
    """Return the share `successes` / `n` with Wilson's interval; 0 for n = 0."""
    low, high = wilson(successes, n)
    return Estimate(successes / n if n else 0.0, low, high, n)


def bootstrap(
    statistics: Mapping[str, Statistic],
    clusters: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> dict[str, tuple[float, float]]:
    """Return percentile intervals of statistics over items drawn by whole clusters.

    Parameters
    ----------
    statistics : mapping of str to callable
        Each takes weights, shape (draws, items), and returns one value a draw; NaN where a
        draw has no value.
    clusters : sequence of str
        Cluster of each item; items that share an article are drawn together.
    draws, seed : int
        All statistics see the same draws.

    Returns
    -------
    dict of str to (float, float)
        2.5 % and 97.5 % points; ``(nan, nan)`` where no draw had a value.
    """
    if not clusters:
        return dict.fromkeys(statistics, (math.nan, math.nan))
    names, member = np.unique(np.asarray(clusters), return_inverse=True)
    count = len(names)
    generator = np.random.default_rng(seed)
    chunk = max(1, min(draws, _CHUNK_CELLS // max(count, len(clusters))))
    collected: dict[str, list[Weights]] = {name: [] for name in statistics}
    done = 0
    while done < draws:
        rows = min(chunk, draws - done)
        drawn = generator.integers(0, count, size=(rows, count))
        drawn += np.arange(rows)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        weights = times[:, member].astype(np.float64)
        for name, statistic in statistics.items():
            collected[name].append(statistic(weights))
        done += rows
    result = {}
    for name, parts in collected.items():
        values = np.concatenate(parts)
        values = values[~np.isnan(values)]
        if values.size:
            low, high = np.percentile(values, [2.5, 97.5])
            result[name] = (float(low), float(high))
        else:
            result[name] = (math.nan, math.nan)
    return result


def ratio(sums: Sequence[float], counts: Sequence[float]) -> Statistic:
    """Return the statistic ``sum(w * sums) / sum(w * counts)``."""
    table = np.stack([np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)])

    def statistic(weights: Weights) -> Weights:
        totals = weights @ table.T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(totals[:, 1] > 0, totals[:, 0] / totals[:, 1], np.nan)

    return statistic


def bounded(value: float, interval: tuple[float, float], n: int, floor: float = 0.0) -> Estimate:
    """Make an estimate of a mean in [`floor`, 1] that never claims certainty.

    A bootstrap of equal values has no width. At either end of the range Wilson's bound for n
    units takes its place, so that zero failures still print a lower bound.
    """
    low, high = interval
    if n == 0:
        return Estimate(0.0, floor, 1.0, 0)
    if math.isnan(low):
        low, high = floor, 1.0
    width = 1.0 - floor
    share = (value - floor) / width
    if share >= 1.0 - 1e-12:
        low = min(low, floor + width * wilson(n, n)[0])
        high = 1.0
    elif share <= 1e-12:
        low = floor
        high = max(high, floor + width * wilson(0, n)[1])
    return Estimate(value, min(low, value), max(high, value), n)

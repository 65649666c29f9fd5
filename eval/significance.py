"""Tests of two runs over the same questions: McNemar, paired randomisation, Holm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from eval.intervals import DRAWS, SEED


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p of McNemar's test.

    Parameters
    ----------
    only_first, only_second : int
        Questions that only the one or only the other run got right.

    Examples
    --------
    >>> round(mcnemar(1, 9), 5)
    0.02148
    """
    total = only_first + only_second
    if total == 0:
        return 1.0
    tail = sum(math.comb(total, i) for i in range(min(only_first, only_second) + 1))
    return min(1.0, float(2 * tail / 2**total))


def paired_randomisation(
    differences: Sequence[float], *, draws: int = DRAWS, seed: int = SEED
) -> float:
    """Return the two-sided p that the mean difference of pairs is 0, by flipping signs.

    The estimate ``(hits + 1) / (draws + 1)`` is never 0 (Phipson and Smyth 2010).
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[values != 0]
    if values.size == 0:
        return 1.0
    observed = abs(values.sum())
    generator = np.random.default_rng(seed)
    chunk = max(1, 2_000_000 // values.size)
    hits = done = 0
    while done < draws:
        rows = min(chunk, draws - done)
        signs = generator.integers(0, 2, size=(rows, values.size)) * 2.0 - 1.0
        hits += int(np.count_nonzero(np.abs(signs @ values) >= observed - 1e-9))
        done += rows
    return (hits + 1) / (draws + 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return Holm's adjusted p values (Holm 1979), in the order given.

    Examples
    --------
    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * p_values[name]))
        adjusted[name] = running
    return {name: adjusted[name] for name in p_values}

"""Ranking metrics with binary gain: recall@k, all-evidence@k, any-hit@k, MRR@10, nDCG@10.

A ranking is given as what each hit covers: for every rank, best first, the set of gold units
that the hit holds. So one passage may hold two gold sentences, and two passages the same one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence

CUTOFFS = (1, 4, 5, 10, 20)

Covers = Sequence[Collection[Hashable]]


def found_within(covers: Covers, k: int) -> set[Hashable]:
    """Return the gold units that the first `k` hits hold."""
    return {unit for held in covers[:k] for unit in held}


def recall_at(covers: Covers, golds: int, k: int) -> float:
    """Return the share of the `golds` units that stand in the first `k` hits; 0 for no unit."""
    return len(found_within(covers, k)) / golds if golds else 0.0


def all_found_at(covers: Covers, golds: int, k: int) -> float:
    """Return 1 if every gold unit stands in the first `k` hits, else 0."""
    return float(golds > 0 and len(found_within(covers, k)) == golds)


def any_found_at(covers: Covers, k: int) -> float:
    """Return 1 if a gold unit stands in the first `k` hits, else 0."""
    return float(any(covers[:k]))


def reciprocal_rank_at(covers: Covers, k: int = 10) -> float:
    """Return 1 / rank of the first hit that holds a gold unit; 0 if none of the first `k` does."""
    for rank, held in enumerate(covers[:k], start=1):
        if held:
            return 1.0 / rank
    return 0.0


def average_precision_at(covers: Covers, golds: int, k: int = 20) -> float:
    """Return the mean over gold units of the precision where each is first met; 0 if it isn't.

    Units that are first met in one hit count as one, as in `ndcg_at`.
    """
    met: set[Hashable] = set()
    total = 0.0
    gaining = 0
    for rank, held in enumerate(covers, start=1):
        new = set(held) - met
        if new:
            met |= new
            gaining += 1
            if rank <= k:
                total += gaining / rank
    units = gaining + golds - len(met)
    return total / units if units else 0.0


def ndcg_at(covers: Covers, golds: int, k: int = 10) -> float:
    """Return nDCG at `k` with binary gain (Järvelin and Kekäläinen 2002, log base 2).

    A hit gains 1 if it holds a gold unit that no earlier hit held. Units that are first met in
    one hit count as one in the ideal ranking, because one hit suffices for them; so a perfect
    ranking has 1, and the plain definition holds where hits and units match one to one.

    Examples
    --------
    >>> round(ndcg_at([set(), {0}, {1}], 2), 4)
    0.6934
    """
    met: set[Hashable] = set()
    gain = 0.0
    gaining = 0
    for rank, held in enumerate(covers, start=1):
        new = set(held) - met
        if new:
            met |= new
            gaining += 1
            if rank <= k:
                gain += 1.0 / math.log2(rank + 1)
    ideal = gaining + golds - len(met)
    if ideal == 0:
        return 0.0
    return gain / sum(1.0 / math.log2(rank + 1) for rank in range(1, min(ideal, k) + 1))

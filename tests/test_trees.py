"""Stored trees, scored row by row as they read."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.trees import Trees

NAMES = ("a", "b", "c")
LEAF: dict[str, Any] = {
    "feature": [""],
    "threshold": [0],
    "left": [0],
    "right": [0],
    "value": [0.5],
}
SPLIT: dict[str, Any] = {
    "feature": ["b", "", "c", "", ""],
    "threshold": [1.0, 0, -2.0, 0, 0],
    "left": [1, 0, 3, 0, 0],
    "right": [2, 0, 4, 0, 0],
    "value": [0, 0.1, 0, 0.2, 0.4],
}


def walk(tree: dict[str, Any], row: dict[str, float]) -> float:
    """Score one row by following the tree node by node."""
    node = 0
    while name := tree["feature"][node]:
        side = "left" if row[name] <= tree["threshold"][node] else "right"
        node = tree[side][node]
    return float(tree["value"][node])


@given(st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=1, max_size=9))
def test_score_is_the_sum_of_the_leaves_reached(rows: list[tuple[float, float, float]]) -> None:
    trees = Trees.read([LEAF, SPLIT], NAMES)
    expected = [
        sum(walk(tree, dict(zip(NAMES, row, strict=True))) for tree in (LEAF, SPLIT))
        for row in rows
    ]
    np.testing.assert_allclose(trees.score(np.array(rows)), expected)


def test_score_without_trees_is_zero() -> None:
    assert Trees.read([], NAMES).score(np.ones((2, 3))).tolist() == [0.0, 0.0]

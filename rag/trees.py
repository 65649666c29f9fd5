"""Score rows with small regression trees that were fitted elsewhere: numpy and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of binary trees; all nodes of all trees stand in one table.

    Parameters
    ----------
    roots : ndarray of int, shape (trees,)
    feature : ndarray of int, shape (nodes,)
        Column that a node asks for.
    threshold : ndarray, shape (nodes,)
        A row goes left while its value is at most this.
    left, right : ndarray of int, shape (nodes,)
        A leaf leads to itself.
    value : ndarray, shape (nodes,)
        What a leaf adds; 0 elsewhere.
    depth : int
        Steps from a root to its furthest leaf.
    """

    roots: npt.NDArray[np.intp]
    feature: npt.NDArray[np.intp]
    threshold: Matrix
    left: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    value: Matrix
    depth: int

    @classmethod
    def read(cls, stored: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Trees:
        """Make it of stored trees.

        Parameters
        ----------
        stored : sequence of mapping
            A tree each: lists ``feature`` (names; an empty one for a leaf), ``threshold``,
            ``left``, ``right`` (numbers of nodes within the tree) and ``value``.
        names : sequence of str
            Columns in order.
        """
        column = {name: i for i, name in enumerate(names)}
        roots: list[int] = []
        feature: list[int] = []
        left: list[int] = []
        right: list[int] = []
        threshold: list[float] = []
        value: list[float] = []
        deepest = 0
        for tree in stored:
            base = len(feature)
            roots.append(base)
            for i, name in enumerate(tree["feature"]):
                feature.append(column[name] if name else 0)
                threshold.append(tree["threshold"][i])
                left.append(base + (tree["left"][i] if name else i))
                right.append(base + (tree["right"][i] if name else i))
                value.append(tree["value"][i])
            deepest = max(deepest, _depth(tree, 0))
        return cls(
            np.array(roots, dtype=np.intp),
            np.array(feature, dtype=np.intp),
            np.array(threshold, dtype=np.float64),
            np.array(left, dtype=np.intp),
            np.array(right, dtype=np.intp),
            np.array(value, dtype=np.float64),
            deepest,
        )

    def score(self, rows: Matrix) -> Matrix:
        """Return the sum of the leaves that each row reaches, shape (rows,)."""
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        every = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            goes_left = rows[every, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        scores: Matrix = self.value[node].sum(axis=1)
        return scores


def _depth(tree: Mapping[str, Any], node: int) -> int:
    if not tree["feature"][node]:
        return 0
    return 1 + max(_depth(tree, tree["left"][node]), _depth(tree, tree["right"][node]))

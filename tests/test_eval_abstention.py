"""Abstention statistics by hand, and against scikit-learn-free brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.abstention import aurc, auroc, balanced_accuracy, best_threshold, ece, risk_coverage

SCORED = st.lists(
    st.tuples(st.integers(0, 6).map(lambda i: i / 6), st.booleans()), min_size=1, max_size=25
)


def plain(statistic: object, n: int) -> float:
    return float(statistic(np.ones((1, n)))[0])  # type: ignore[operator]


@given(SCORED)
def test_auroc_is_the_share_of_pairs_in_order(items: list[tuple[float, bool]]) -> None:
    good = [s for s, label in items if label]
    bad = [s for s, label in items if not label]
    value = plain(auroc([s for s, _ in items], [label for _, label in items]), len(items))
    if not good or not bad:
        assert math.isnan(value)
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in good for b in bad]
    assert value == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_within_strata_compares_only_items_of_one_stratum() -> None:
    scores, labels = [0.9, 0.1, 0.4, 0.3], [True, False, False, True]
    # Over all: 3 of 4 pairs are in order. Within {0, 1} the one pair is, within {2, 3} it isn't.
    assert plain(auroc(scores, labels), 4) == 0.75
    assert plain(auroc(scores, labels, strata=[0, 0, 1, 1]), 4) == 0.5


def test_auroc_weights_count_items_as_often_as_drawn() -> None:
    statistic = auroc([0.9, 0.1, 0.5], [True, True, False])
    drawn = np.array([[2.0, 1.0, 1.0]])
    assert statistic(drawn)[0] == pytest.approx(2 / 3)


def test_aurc_worked_by_hand() -> None:
    # In order of confidence: right, wrong, right -> risks 0, 1/2, 1/3.
    confidence, right = [0.9, 0.8, 0.1], [True, False, True]
    assert plain(aurc(confidence, right), 3) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert plain(aurc(confidence, right, oracle=True), 3) == pytest.approx((0 + 0 + 1 / 3) / 3)
    coverage, risk = risk_coverage(confidence, right)
    assert list(coverage) == pytest.approx([1 / 3, 2 / 3, 1])
    assert list(risk) == pytest.approx([0, 1 / 2, 1 / 3])


@given(SCORED)
def test_oracle_aurc_is_never_above_the_real_one(items: list[tuple[float, bool]]) -> None:
    confidence, right = [s for s, _ in items], [label for _, label in items]
    real = plain(aurc(confidence, right), len(items))
    assert plain(aurc(confidence, right, oracle=True), len(items)) <= real + 1e-12
    assert 0.0 <= real <= 1.0


def test_ece_worked_by_hand() -> None:
    # 20 items, so that each of the 10 bins holds two: one right of two at confidence .7 is .2 off.
    assert plain(ece([0.7] * 20, [True, False] * 10), 20) == pytest.approx(0.2)
    assert plain(ece([1.0] * 20, [True] * 20), 20) == pytest.approx(0.0)


def test_balanced_accuracy_weighs_both_classes_alike() -> None:
    scores, labels = [0.9, 0.8, 0.7, 0.2], [True, True, False, False]
    assert plain(balanced_accuracy(scores, labels, 0.75), 4) == 1.0
    assert plain(balanced_accuracy(scores, labels, 0.5), 4) == pytest.approx(0.75)
    assert best_threshold(scores, labels) == 0.8

"""Intervals and tests of significance, against published values and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eval.intervals import bootstrap, bounded, proportion, ratio, wilson
from eval.significance import holm, mcnemar, paired_randomisation


@given(st.integers(1, 400), st.data())
def test_wilson_agrees_with_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    theirs = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
    assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_zero_failures_print_a_lower_bound() -> None:
    estimate = proportion(20, 20)
    assert estimate.value == 1.0
    assert estimate.low == pytest.approx(0.8389, abs=1e-4)


def test_nothing_measured_is_zero_never_one() -> None:
    estimate = proportion(0, 0)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (0.0, 0.0, 1.0, 0)


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    names = [str(i) for i in range(400)]
    low, high = bootstrap({"m": ratio(list(values), [1.0] * 400)}, names)["m"]
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.002)
    assert high == pytest.approx(values.mean() + half, abs=0.002)


def test_bootstrap_by_clusters_is_wider_when_clusters_agree() -> None:
    values = [float(i // 10 % 2) for i in range(200)]
    statistic = {"m": ratio(values, [1.0] * 200)}
    alone = bootstrap(statistic, [str(i) for i in range(200)])["m"]
    together = bootstrap(statistic, [str(i // 10) for i in range(200)])["m"]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_bootstrap_repeats_exactly_and_does_not_depend_on_its_company() -> None:
    values = [0.1, 0.9, 0.4, 0.4]
    one = bootstrap({"m": ratio(values, [1.0] * 4)}, list("abcd"))
    two = bootstrap({"x": ratio([0.0] * 4, [1.0] * 4), "m": ratio(values, [1.0] * 4)}, list("abcd"))
    assert one["m"] == two["m"]


def test_a_mean_of_equal_values_keeps_a_bound() -> None:
    perfect = bounded(1.0, (1.0, 1.0), 30)
    assert 0.85 < perfect.low < 0.95
    worst = bounded(-1.0, (-1.0, -1.0), 30, floor=-1.0)
    assert -1.0 < worst.high < -0.7


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_agrees_with_the_binomial_test(one: int, two: int) -> None:
    expected = stats.binomtest(one, one + two).pvalue if one + two else 1.0
    assert mcnemar(one, two) == pytest.approx(expected)


@settings(max_examples=10)
@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=3, max_size=9))
def test_paired_randomisation_agrees_with_every_sign(differences: list[float]) -> None:
    kept = np.array([d for d in differences if d])
    if not kept.size:
        assert paired_randomisation(differences) == 1.0
        return
    grid = np.array(np.meshgrid(*[[-1, 1]] * kept.size)).reshape(kept.size, -1)
    exact = np.mean(np.abs(kept @ grid) >= abs(kept.sum()) - 1e-9)
    assert paired_randomisation(differences) == pytest.approx(exact, abs=0.02)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_and_keeps_the_order(p_values: dict[str, float]) -> None:
    adjusted = holm(p_values)
    assert list(adjusted) == list(p_values)
    ordered = sorted(p_values, key=lambda name: p_values[name])
    values = [adjusted[name] for name in ordered]
    assert values == sorted(values)
    assert all(p_values[name] <= adjusted[name] <= 1.0 for name in p_values)


def test_bootstrap_of_nothing_has_no_interval() -> None:
    low, _ = bootstrap({"m": ratio([], [])}, [])["m"]
    assert math.isnan(low)

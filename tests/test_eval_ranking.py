"""Ranking metrics by hand and against ir-measures."""

from __future__ import annotations

import math

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, R, Success, nDCG

from eval.ranking import (
    CUTOFFS,
    all_found_at,
    any_found_at,
    average_precision_at,
    ndcg_at,
    recall_at,
    reciprocal_rank_at,
)


def test_ndcg_worked_by_hand() -> None:
    covers: list[set[int]] = [set(), {0}, set(), {1}]
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at(covers, 3) == pytest.approx(gain / ideal)


def test_ndcg_of_two_golds_in_one_passage_is_one_when_it_is_first() -> None:
    assert ndcg_at([{0, 1}], 2) == 1.0


def test_ndcg_gives_no_second_gain_for_the_same_gold() -> None:
    assert ndcg_at([{0}, {0}], 1) == 1.0


def test_reciprocal_rank_is_zero_past_ten() -> None:
    covers: list[set[int]] = [set()] * 10 + [{0}]
    assert reciprocal_rank_at(covers) == 0.0
    assert reciprocal_rank_at(covers[1:]) == pytest.approx(0.1)


def test_recall_and_all_evidence_count_each_gold_once() -> None:
    covers: list[set[int]] = [{0}, {0}, {1}]
    assert recall_at(covers, 3, 2) == pytest.approx(1 / 3)
    assert recall_at(covers, 3, 10) == pytest.approx(2 / 3)
    assert all_found_at(covers, 2, 3) == 1.0
    assert all_found_at(covers, 3, 3) == 0.0
    assert any_found_at(covers, 1) == 1.0


def test_no_hits_score_zero() -> None:
    assert (recall_at([], 2, 5), ndcg_at([], 2), reciprocal_rank_at([])) == (0.0, 0.0, 0.0)


@given(
    st.lists(st.booleans(), max_size=25),
    st.integers(min_value=0, max_value=5),
)
def test_metrics_agree_with_ir_measures(relevant: list[bool], missed: int) -> None:
    golds = sum(relevant) + missed
    if not golds:
        return
    covers: list[set[int]] = []
    unit = 0
    for is_relevant in relevant:
        covers.append({unit} if is_relevant else set())
        unit += is_relevant
    qrels = [ir_measures.Qrel("q", f"d{i}", 1) for i, r in enumerate(relevant) if r]
    qrels += [ir_measures.Qrel("q", f"m{i}", 1) for i in range(missed)]
    run = [ir_measures.ScoredDoc("q", f"d{i}", 100.0 - i) for i in range(len(relevant))]
    wanted = [
        AP @ 20,
        nDCG @ 10,
        RR @ 10,
        *(R @ k for k in CUTOFFS),
        *(Success @ k for k in CUTOFFS),
    ]
    theirs = ir_measures.calc_aggregate(wanted, qrels, run)
    assert ndcg_at(covers, golds) == pytest.approx(theirs[nDCG @ 10])
    assert reciprocal_rank_at(covers) == pytest.approx(theirs[RR @ 10])
    assert average_precision_at(covers, golds) == pytest.approx(theirs[AP @ 20])
    for k in CUTOFFS:
        assert recall_at(covers, golds, k) == pytest.approx(theirs[R @ k])
        assert any_found_at(covers, k) == pytest.approx(theirs[Success @ k])

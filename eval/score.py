"""Score a stored run: figures with intervals, and a row a question. Never calls a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval import abstention
from eval.intervals import DRAWS, Estimate, Statistic, bootstrap, bounded, proportion, ratio
from eval.jsonl import dump, write_json, write_text
from eval.metrics import METRICS, Kind
from eval.questions import Question
from eval.rows import Outcome, Row, score_question
from eval.runs import Run, read_run
from eval.support import Check, Supported, offline_check


@dataclass(frozen=True, slots=True)
class Scored:
    """A run with its scores.

    Parameters
    ----------
    run : Run
    rows : tuple of Row
        In the order of the questions.
    scores : mapping of str to Estimate
        By metric name, in the order of `eval.metrics.METRICS`; only what the set can measure.
    """

    run: Run
    rows: tuple[Row, ...]
    scores: Mapping[str, Estimate]

    @property
    def questions(self) -> dict[str, Question]:
        """The questions by id."""
        return {question.question_id: question for question in self.run.questions.questions}


def score(folder: Path, *, check: Check | None = None, draws: int = DRAWS) -> Scored:
    """Score the run in `folder`, and write scores.json and rows.jsonl there.

    Parameters
    ----------
    folder : pathlib.Path
    check : callable or None
        Support check; `None` for Dateline's own.
    draws : int
        Of the bootstrap.

    Raises
    ------
    EvaluationError
        If the run is missing, unfinished, damaged or of another version.
    """
    scored = score_run(read_run(folder), check=check, draws=draws)
    lines = [dump(row.to_dict()) for row in scored.rows]
    write_text(folder / "rows.jsonl", "\n".join(lines))
    write_json(
        folder / "scores.json",
        {name: estimate.to_dict() for name, estimate in scored.scores.items()},
    )
    return scored


def score_run(run: Run, *, check: Check | None = None, draws: int = DRAWS) -> Scored:
    """Score a run in memory; see `score`."""
    judge = Supported(check or offline_check())
    absent = set(run.info["corpus"].get("absent_golds", ()))
    rows = tuple(
        score_question(
            question,
            run.replies[question.question_id],
            run.articles,
            absent,
            judge,
            run.questions.unit,
        )
        for question in run.questions.questions
    )
    measurable = _measurable(run.questions.questions)
    return Scored(run, rows, aggregate(rows, draws=draws, measurable=measurable))


def aggregate(
    rows: Sequence[Row], *, draws: int = DRAWS, measurable: frozenset[str] = frozenset()
) -> dict[str, Estimate]:
    """Return every metric that the rows, or the set they come from, can measure.

    Parameters
    ----------
    rows : sequence of Row
    draws : int
    measurable : frozenset of str
        Metrics that the set asks for. Where the system gave nothing to measure them on, they are
        0 with n = 0: absent evidence scores 0, never 1.
    """
    made: dict[str, Estimate] = {}
    means: dict[str, Statistic] = {}
    clusters = [row.cluster for row in rows]
    for metric in METRICS:
        parts = [row.values.get(metric.name, (0.0, 0)) for row in rows]
        total, count = sum(part[0] for part in parts), sum(part[1] for part in parts)
        if metric.name == "brier":
            parts = [_brier(row) for row in rows]
            total, count = sum(part[0] for part in parts), sum(part[1] for part in parts)
        if metric.kind is Kind.CONFIDENCE:
            continue
        if count == 0:
            if metric.name in measurable:
                made[metric.name] = Estimate(0.0, metric.floor, 1.0, 0)
        elif metric.kind is Kind.SHARE:
            made[metric.name] = proportion(total, count)
        else:
            made[metric.name] = Estimate(total / count, math.nan, math.nan, count)
            means[metric.name] = ratio([p[0] for p in parts], [p[1] for p in parts])
    intervals = bootstrap(means, clusters, draws=draws)
    lengths = ("answer_sentences", "answer_words")
    for metric in METRICS:
        if metric.name in intervals:
            plain = made[metric.name]
            low, high = intervals[metric.name]
            made[metric.name] = (
                Estimate(plain.value, low, high, plain.n)
                if metric.name in lengths
                else bounded(plain.value, (low, high), plain.n, metric.floor)
            )
    made.update(_confidence(rows, draws))
    return {metric.name: made[metric.name] for metric in METRICS if metric.name in made}


def confidences(rows: Sequence[Row]) -> tuple[list[Row], list[float]]:
    """Return the rows that have a confidence and a known outcome, and their confidences."""
    kept = [row for row in rows if row.confidence is not None]
    return kept, [float(row.confidence) for row in kept if row.confidence is not None]


def is_answerable(row: Row) -> bool:
    """Return whether the question of a row has an answer in the corpus."""
    return row.outcome not in (Outcome.REFUSED, Outcome.ANSWERED)


def _confidence(rows: Sequence[Row], draws: int) -> dict[str, Estimate]:
    kept, values = confidences(rows)
    if not kept:
        return {}
    right = [row.right for row in kept]
    statistics = {
        "answerable_auroc": abstention.auroc(values, [is_answerable(row) for row in kept]),
        "aurc": abstention.aurc(values, right),
        "aurc_oracle": abstention.aurc(values, right, oracle=True),
        "ece": abstention.ece(values, right),
    }
    ones = np.ones((1, len(kept)))
    plain = {name: float(statistic(ones)[0]) for name, statistic in statistics.items()}
    intervals = bootstrap(statistics, [row.cluster for row in kept], draws=draws)
    return {
        name: bounded(value, intervals[name], len(kept))
        for name, value in plain.items()
        if not math.isnan(value)
    }


def _brier(row: Row) -> tuple[float, int]:
    if row.confidence is None:
        return 0.0, 0
    return (row.confidence - row.right) ** 2, 1


def _measurable(questions: Sequence[Question]) -> frozenset[str]:
    names = {"citation_exactness", "citation_recall", "citation_precision", "faithfulness"}
    if any(question.answerable and question.evidence for question in questions):
        names |= {"gold_citation_recall", "gold_citation_precision"}
    return frozenset(names)

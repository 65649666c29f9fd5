"""Compare two runs over the same questions, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.intervals import DRAWS, Estimate, bootstrap, ratio
from eval.metrics import BY_NAME
from eval.rows import Row
from eval.runs import same_ground
from eval.score import Scored, score
from eval.significance import holm, mcnemar, paired_randomisation
from eval.tables import p_value
from rag import EvaluationError

# Lengths and coverage say how answers are, not how good; retrieval at each k says the same five
# times over, and Holm would make everything else pay for it.
COMPARED = (
    "correct", "wrong", "missing", "truthfulness", "refused", "over_refused", "token_f1",
    "citation_recall", "citation_precision", "gold_citation_recall", "gold_citation_precision",
    "faithfulness", "selected_at_1", "brier", "recall_at_10", "mrr_at_10", "ndcg_at_10",
    "map_at_20",
    "misled", "rewrite_f1",
)  # fmt: skip
_RIGHT_OR_WRONG = frozenset(
    ("correct", "wrong", "missing", "refused", "over_refused", "selected_at_1", "misled")
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric in two runs, over the questions that both have it for.

    Parameters
    ----------
    metric : str
    first, second : float
        Means over the pairs.
    difference : Estimate
        Second − first, with the interval of the paired bootstrap; n pairs.
    wins, ties, losses : int
        Of the second run, counted so that a win is better whichever way the metric goes.
    test : str
        ``"McNemar"`` or ``"randomisation"``.
    p, adjusted_p : float
        Adjusted by Holm over all the metrics compared.
    """

    metric: str
    first: float
    second: float
    difference: Estimate
    wins: int
    ties: int
    losses: int
    test: str
    p: float
    adjusted_p: float

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON-ready values."""
        return {
            "metric": self.metric,
            "first": round(self.first, 6),
            "second": round(self.second, 6),
            "difference": self.difference.to_dict(),
            "wins": self.wins,
            "ties": self.ties,
            "losses": self.losses,
            "test": self.test,
            "p": round(self.p, 6),
            "adjusted_p": round(self.adjusted_p, 6),
        }


def compare(first: Path, second: Path, *, force: bool = False) -> tuple[Difference, ...]:
    """Compare the runs in two folders.

    Raises
    ------
    EvaluationError
        If they asked other questions or other corpora, unless `force`, which compares the
        questions they share; or if they share none.
    """
    one, two = score(first), score(second)
    if not force:
        same_ground(one.run, two.run)
    return compare_scored(one, two)


def compare_scored(first: Scored, second: Scored, *, draws: int = DRAWS) -> tuple[Difference, ...]:
    """Compare two scored runs over the questions they share."""
    others = {row.question_id: row for row in second.rows}
    pairs = [(row, others[row.question_id]) for row in first.rows if row.question_id in others]
    if not pairs:
        raise EvaluationError(
            f"{first.run.folder} and {second.run.folder} share no question; nothing to compare"
        )
    made = []
    for name in COMPARED:
        values = paired_values(name, pairs)
        if values:
            made.append(_difference(name, values, draws))
    adjusted = holm({difference.metric: difference.p for difference in made})

    return tuple(replace(d, adjusted_p=adjusted[d.metric]) for d in made)


def paired_values(name: str, pairs: Sequence[tuple[Row, Row]]) -> list[tuple[float, float, str]]:
    """Return the two values and the cluster of each pair that has `name` on both sides."""
    values = []
    for one, two in pairs:
        a, b = value_of(one, name), value_of(two, name)
        if a is not None and b is not None:
            values.append((a, b, one.cluster))
    return values


def value_of(row: Row, name: str) -> float | None:
    """Return the value of a metric for one question; `None` if it has no part in it."""
    if name == "brier":
        return None if row.confidence is None else (row.confidence - row.right) ** 2
    total, count = row.values.get(name, (0.0, 0))
    return total / count if count else None


def difference_interval(
    values: Sequence[tuple[float, float, str]], *, draws: int = DRAWS
) -> Estimate:
    """Return the mean of second − first with the interval of the paired bootstrap over questions.

    Questions are drawn one by one, as the tests beside it take them: both runs face the same
    articles, so what the articles share cancels out of the difference.
    """
    deltas = [b - a for a, b, _ in values]
    statistic = {"d": ratio(deltas, [1.0] * len(deltas))}
    questions = [str(index) for index in range(len(values))]
    low, high = bootstrap(statistic, questions, draws=draws)["d"]
    return Estimate(sum(deltas) / len(deltas), low, high, len(deltas))


def _difference(name: str, values: Sequence[tuple[float, float, str]], draws: int) -> Difference:
    sign = -1 if BY_NAME[name].lower_is_better else 1
    deltas = [sign * (b - a) for a, b, _ in values]
    wins = sum(delta > 1e-12 for delta in deltas)
    losses = sum(delta < -1e-12 for delta in deltas)
    if name in _RIGHT_OR_WRONG:
        test, p = "McNemar", mcnemar(losses, wins)
    else:
        test, p = "randomisation", paired_randomisation(deltas, draws=draws)
    n = len(values)
    return Difference(
        metric=name,
        first=sum(a for a, _, _ in values) / n,
        second=sum(b for _, b, _ in values) / n,
        difference=difference_interval(values, draws=draws),
        wins=wins,
        ties=n - wins - losses,
        losses=losses,
        test=test,
        p=p,
        adjusted_p=p,
    )


def markdown(differences: Sequence[Difference], first: str, second: str) -> str:
    """Return the comparison as a Markdown table."""
    lines = [
        f"| metric | {first} | {second} | difference [95 %] | n | win/tie/loss | p | Holm |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for d in differences:
        arrow = " ↓" if BY_NAME[d.metric].lower_is_better else ""
        e = d.difference
        lines.append(
            f"| {d.metric}{arrow} | {d.first:.3f} | {d.second:.3f} "
            f"| {e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}] | {e.n} "
            f"| {d.wins}/{d.ties}/{d.losses} | {p_value(d.p)} ({d.test}) "
            f"| {p_value(d.adjusted_p)} |"
        )
    return "\n".join(lines)

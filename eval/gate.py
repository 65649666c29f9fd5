"""Block a regression: hard invariants, and soft metrics against a stored baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval import abstention
from eval.compare import difference_interval, value_of
from eval.intervals import Estimate, Weights, bootstrap
from eval.jsonl import read_json, write_json
from eval.metrics import BY_NAME, INVARIANTS
from eval.runs import FORMAT, read_run
from eval.score import Scored, is_answerable, score_run
from rag import EvaluationError

# A soft metric fails when its whole interval of the paired difference lies below minus this.
# Zero: the interval alone allows for chance, and a copy differs by nothing.
MARGINS: dict[str, float] = {
    "correct": 0.0,
    "wrong": 0.0,
    "truthfulness": 0.0,
    "refused": 0.0,
    "over_refused": 0.0,
    "citation_recall": 0.0,
    "citation_precision": 0.0,
    "gold_citation_recall": 0.0,
    "gold_citation_precision": 0.0,
    "faithfulness": 0.0,
    "selected_at_1": 0.0,
    "selected_at_3": 0.0,
    "answerable_auroc": 0.0,
    "recall_at_4": 0.0,
    "recall_at_10": 0.0,
    "recall_at_20": 0.0,
    "mrr_at_10": 0.0,
    "map_at_20": 0.0,
    "ndcg_at_10": 0.0,
}

# A baseline holds so many, and what is compared with it is rounded alike.
_DECIMALS = 6
_NOISE = 1e-9
_DRAWS_OF_SCORES = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the gate looked at.

    Parameters
    ----------
    metric : str
    ok : bool
    detail : str
        What was seen, in words.
    """

    metric: str
    ok: bool
    detail: str


def make_baseline(scored: Scored) -> dict[str, Any]:
    """Return what a later run is held against: figures, and each question's part in them."""
    run = scored.run
    questions: dict[str, Any] = {}
    for row in scored.rows:
        values = {name: value_of(row, name) for name in MARGINS if name != "answerable_auroc"}
        questions[row.question_id] = {
            "cluster": row.cluster,
            "confidence": row.confidence,
            "values": {k: round(v, _DECIMALS) for k, v in values.items() if v is not None},
        }
    return {
        "format": FORMAT,
        "set": run.info["set"],
        "corpus": run.info["corpus"],
        "system": run.info["system"],
        "scores": {name: estimate.to_dict() for name, estimate in scored.scores.items()},
        "questions": questions,
    }


def write_baseline(scored: Scored, path: Path) -> None:
    """Store a run as the baseline of later gates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, make_baseline(scored))


def gate(folder: Path, baseline: Path, *, force: bool = False) -> tuple[Finding, ...]:
    """Hold the run in `folder` against a stored baseline.

    Returns
    -------
    tuple of Finding
        Invariants first; the gate is passed if all are ok.

    Raises
    ------
    EvaluationError
        If the baseline is missing, of another version, or of other questions or another corpus
        (unless `force`).
    """
    stored = read_json(baseline)
    if stored.get("format") != FORMAT or "questions" not in stored:
        raise EvaluationError(
            f"{baseline}:1: format {stored.get('format')!r}, but this version reads {FORMAT}; "
            "make it again with 'gate RUN --baseline FILE --write'"
        )
    # Only values count here, not their intervals: a paired difference has an interval of its own.
    scored = score_run(read_run(folder), draws=_DRAWS_OF_SCORES)
    for part in ("set", "corpus"):
        if stored.get(part) != scored.run.info[part] and not force:
            raise EvaluationError(
                f"{baseline}: was made with another {part} than {folder}; make it again with "
                "'gate RUN --baseline FILE --write', or compare what they share with --force"
            )
    return gate_scored(scored, stored)


def gate_scored(scored: Scored, baseline: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Hold a scored run against a baseline as `make_baseline` returns it."""
    return (*_invariants(scored), *_soft(scored, baseline["questions"]))


def passed(findings: Sequence[Finding]) -> bool:
    """Return whether every finding is ok."""
    return all(finding.ok for finding in findings)


def _invariants(scored: Scored) -> list[Finding]:
    findings = []
    for name in INVARIANTS:
        estimate = scored.scores.get(name)
        if estimate is None or estimate.n == 0:
            findings.append(Finding(name, True, "nothing to check"))
            continue
        failures = round((1.0 - estimate.value) * estimate.n)
        findings.append(Finding(name, failures == 0, f"{failures} violations in {estimate.n}"))
    hosts = scored.run.info.get("outbound", [])
    seen = f"{len(hosts)} hosts: {', '.join(hosts[:3])}" if hosts else "no host beyond this machine"
    findings.append(Finding("no_outbound_connection", not hosts, seen))
    return findings


def _soft(scored: Scored, baseline: Mapping[str, Any]) -> list[Finding]:
    findings = []
    pairs = [(row, baseline[row.question_id]) for row in scored.rows
             if row.question_id in baseline]  # fmt: skip
    if not pairs:
        raise EvaluationError(
            f"{scored.run.folder}: shares no question with the baseline; nothing to compare"
        )
    for name, margin in MARGINS.items():
        if name == "answerable_auroc":
            estimate = _auroc_difference(scored, baseline)
        else:
            values = []
            for row, old in pairs:
                now, before = value_of(row, name), old["values"].get(name)
                if now is not None and before is not None:
                    values.append((before, round(now, _DECIMALS), row.cluster))
            estimate = difference_interval(values) if values else None
        if estimate is not None:
            findings.append(_judge(name, estimate, margin))
    return findings


def _judge(name: str, estimate: Estimate, margin: float) -> Finding:
    # The end of the interval that is kindest to the run.
    lower_is_better = BY_NAME[name].lower_is_better
    kindest = -estimate.low if lower_is_better else estimate.high
    ok = kindest >= -margin - _NOISE
    return Finding(
        name,
        ok,
        f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}] over {estimate.n}"
        + (", lower is better" if lower_is_better else ""),
    )


def _auroc_difference(scored: Scored, baseline: Mapping[str, Any]) -> Estimate | None:
    rows = [
        row
        for row in scored.rows
        if row.confidence is not None
        and baseline.get(row.question_id, {}).get("confidence") is not None
    ]
    if not rows:
        return None
    labels = [is_answerable(row) for row in rows]
    now = abstention.auroc([float(row.confidence or 0.0) for row in rows], labels)
    old = abstention.auroc([baseline[row.question_id]["confidence"] for row in rows], labels)

    def difference(weights: Weights) -> Weights:
        return now(weights) - old(weights)

    value = float(difference(np.ones((1, len(rows))))[0])
    if np.isnan(value):
        return None
    low, high = bootstrap({"d": difference}, [row.question_id for row in rows])["d"]
    return Estimate(value, low, high, len(rows))

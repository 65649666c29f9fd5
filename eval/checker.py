"""Judge the support check itself against people's labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.abstention import auroc, balanced_accuracy, best_threshold
from eval.adapters import Pair
from eval.intervals import DRAWS, Estimate, bootstrap, bounded, proportion
from eval.jsonl import append, open_for_append, read_json, write_json
from eval.provenance import code_state, machine
from eval.runs import FORMAT
from eval.support import Check
from eval.text import match_tokens
from rag import EvaluationError, ModelError, Support, Verdict, Verifier

# Thresholds of balanced accuracy, fitted on the developers' half of each set alone.
THRESHOLDS = Path(__file__).with_name("checker_thresholds.json")


def run_checker(
    name: str, pairs: Sequence[Pair], out: Path, *, check: Check | None = None, draws: int = DRAWS
) -> dict[str, Estimate]:
    """Judge every pair, and write verdicts.jsonl, scores.json and run.json to `out`.

    Parameters
    ----------
    name : str
        Of the set; its threshold is looked up.
    pairs : sequence of Pair
    out : pathlib.Path
    check : Verifier or callable or None
        `None` for Dateline's own, by weights that were fitted without the set. A pair on which
        it fails is unscored, counted in run.json and left out: a verdict is never guessed.
    draws : int

    Returns
    -------
    dict of str to Estimate
        ``support_auroc`` and ``support_balanced_accuracy``; the same of the share of claim words
        found in the evidence, as a baseline; and the share of pairs on which the SUPPORTED
        verdict agrees with people.
    """
    if not pairs:
        raise EvaluationError(f"{name}: no labelled pairs")
    judge = check or Verifier.open("off", unseen=name)
    judged = [(pair, _verdict(judge, pair)) for pair in pairs]
    pairs = [pair for pair, verdict in judged if verdict is not None]
    verdicts = [verdict for _, verdict in judged if verdict is not None]
    if not pairs:
        raise EvaluationError(f"{name}: the checker gave no verdict on any pair")
    overlaps = [word_overlap(pair.claim, pair.evidence) for pair in pairs]
    labels = [pair.supported for pair in pairs]
    scores = [verdict.score for verdict in verdicts]
    clusters = [pair.cluster for pair in pairs]
    thresholds = read_thresholds().get(name, {})
    statistics = {
        "support_auroc": auroc(scores, labels),
        "overlap_auroc": auroc(overlaps, labels),
    }
    for prefix, values in (("support", scores), ("overlap", overlaps)):
        threshold = thresholds.get(prefix)
        if threshold is not None:
            statistics[f"{prefix}_balanced_accuracy"] = balanced_accuracy(values, labels, threshold)
    accepted = [float(verdict.support is Support.SUPPORTED) for verdict in verdicts]
    statistics["verdict_balanced_accuracy"] = balanced_accuracy(accepted, labels, 0.5)
    intervals = bootstrap(statistics, clusters, draws=draws)
    ones = np.ones((1, len(pairs)))
    made: dict[str, Estimate] = {}
    for metric, statistic in statistics.items():
        value = float(statistic(ones)[0])
        if not math.isnan(value):
            made[metric] = bounded(value, intervals[metric], len(pairs))
    agree = sum((a > 0) == label for a, label in zip(accepted, labels, strict=True))
    made["verdict_agreement"] = proportion(float(agree), len(pairs))
    out.mkdir(parents=True, exist_ok=True)
    (out / "verdicts.jsonl").unlink(missing_ok=True)
    with open_for_append(out / "verdicts.jsonl") as stream:
        stream_lines = zip(pairs, verdicts, overlaps, strict=True)
        content = [
            {
                "pair_id": pair.pair_id,
                "supported": pair.supported,
                "verdict": str(verdict.support),
                "score": round(verdict.score, 6),
                "reason": verdict.reason,
                "overlap": round(overlap, 6),
            }
            for pair, verdict, overlap in stream_lines
        ]
        for line in content:
            append(stream, line)
    write_json(out / "scores.json", {metric: e.to_dict() for metric, e in made.items()})
    write_json(
        out / "run.json",
        {
            "format": FORMAT,
            "checker": judge.name if isinstance(judge, Verifier) else repr(judge),
            "set": {"name": name, "pairs": len(pairs), "supported": sum(labels)},
            "unscored": len(judged) - len(pairs),
            "thresholds": thresholds,
            "code": code_state(),
            "machine": machine(),
        },
    )
    return made


def _verdict(judge: Check, pair: Pair) -> Verdict | None:
    """Judge one pair; `None` where a plugged-in checker has no verdict."""
    try:
        return judge(pair.claim, pair.evidence)
    except ModelError:
        return None


def word_overlap(claim: str, evidence: Sequence[str]) -> float:
    """Return the share of the claim's tokens that stand in the evidence: the plain baseline."""
    tokens = match_tokens(claim)
    known = {token for text in evidence for token in match_tokens(text)}
    return sum(token in known for token in tokens) / len(tokens) if tokens else 0.0


def read_thresholds() -> dict[str, Any]:
    """Return the stored thresholds by set; empty if none were fitted."""
    return read_json(THRESHOLDS)["sets"] if THRESHOLDS.exists() else {}


def fit_threshold(name: str, pairs: Sequence[Pair], *, check: Check | None = None) -> None:
    """Fit the thresholds of one set on its pairs, and store them.

    Call it on the developers' half only: a threshold that was fitted on what it is measured on
    flatters.
    """
    judge = check or Verifier.open("off", unseen=name)
    labels = [pair.supported for pair in pairs]
    scores = [round(judge(pair.claim, pair.evidence).score, 6) for pair in pairs]
    overlaps = [round(word_overlap(pair.claim, pair.evidence), 6) for pair in pairs]
    stored = read_json(THRESHOLDS) if THRESHOLDS.exists() else {"sets": {}}
    stored["source"] = "best balanced accuracy on the developers' half: checker --fit"
    stored["sets"][name] = {
        "support": best_threshold(scores, labels),
        "overlap": best_threshold(overlaps, labels),
        "pairs": len(pairs),
    }
    write_json(THRESHOLDS, stored)

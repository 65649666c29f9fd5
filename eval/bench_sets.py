"""Measure Dateline and its peers on the question sets, side by side.

``python -m eval.bench_sets --data FOLDER --out FILE`` asks every system the same questions and
writes the figures as JSON and, beside it, as a Markdown table. A set that is not found, and a peer
whose parts are missing, are named as skipped. With ``--runs FOLDER`` the runs are kept there, and
a second call finishes what the first began.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from eval.adapters import load
from eval.costs import latencies, totals
from eval.intervals import Estimate
from eval.jsonl import write_json, write_text
from eval.provenance import code_state, machine
from eval.score import score
from eval.tables import figure
from rag import EvaluationError

ROOT = Path(__file__).parents[1]
SUMMIT = ROOT / "eval" / "questions" / "summit.jsonl"
SETS = ("summit", "squad2", "clapnq", "multihop_rag", "robustrag", "rgb", "realtimeqa")
SYSTEMS = ("dateline", "bm25", "llamaindex")
# The larger sets are asked in part, evenly spread; every system gets the same questions.
LIMITS = {"squad2": 1000}
# The peer with a language model takes seconds a question.
PEER_LIMIT = 24
SHOWN = (
    "correct", "wrong", "missing", "refused", "truthfulness", "citation_recall",
    "gold_citation_recall", "answer_words", "recall_at_10", "hit_at_10", "mrr_at_10",
    "answerable_auroc", "misled",
)  # fmt: skip


def measure(
    name: str, system: str, data: Path, runs: Path, peer_limit: int = PEER_LIMIT
) -> dict[str, Any] | None:
    """Run one system over one set in a process of its own; `None` if it is skipped."""
    out = runs / f"{name}-{system}"
    command = [sys.executable, "-m", "eval", "predict", "--out", str(out), "--system", system]
    # One store for all systems of a set: the peers take their articles from it.
    command += ["--store", str(runs / f"{name}-store")]
    if name == "summit":
        command += ["--questions", str(SUMMIT), "--corpus", str(ROOT / "corpus")]
    else:
        command += ["--set", name, "--data", str(data)]
    limit = peer_limit if system == "llamaindex" else LIMITS.get(name)
    if limit is not None:
        command += ["--limit", str(limit)]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        print(f"bench: skipped {system} on {name}: {reason[0]}", file=sys.stderr)
        return None
    scores = score(out).scores
    timed = {latency.stage: latency for latency in latencies(out)}
    return {
        "scores": {metric: estimate.to_dict() for metric, estimate in scores.items()},
        "answer_ms": {
            f"p{percentile}": round(1e3 * value[0], 1)
            for percentile, value in timed["answer"].points.items()
        },
        "cost": totals(out),
    }


def table(results: dict[str, Any]) -> str:
    """Return every set as a Markdown table with a column a system."""
    lines = []
    for name, systems in results["sets"].items():
        lines += [f"### {name}", "", f"| figure | {' | '.join(systems)} |"]
        lines += [f"|---|{'---|' * len(systems)}"]
        for metric in SHOWN:
            cells = []
            for measured in systems.values():
                found = measured["scores"].get(metric)
                shown = figure(Estimate(**found)) + f", n = {found['n']}" if found else "–"
                cells.append(shown)
            if any(cell != "–" for cell in cells):
                lines.append(f"| {metric} | {' | '.join(cells)} |")
        for label, cells in _costs(systems).items():
            lines.append(f"| {label} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _costs(systems: dict[str, Any]) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {
        "answer p50 / p95 ms": [], "sync seconds": [], "peak memory MiB": []
    }  # fmt: skip
    for measured in systems.values():
        answer, cost = measured["answer_ms"], measured["cost"]
        rows["answer p50 / p95 ms"].append(f"{answer['p50']} / {answer['p95']}")
        rows["sync seconds"].append(f"{cost['sync_seconds']:.1f}")
        rows["peak memory MiB"].append(f"{cost['peak_bytes'] / 2**20:.0f}")
    return rows


def main() -> None:
    """Measure what can be measured, and write it after each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, required=True, help="file of the figures, .json")
    parser.add_argument("--runs", type=Path, help="keep the runs in this folder")
    parser.add_argument("--set", choices=SETS, action="append", dest="sets")
    parser.add_argument("--system", choices=SYSTEMS, action="append", dest="systems")
    parser.add_argument(
        "--peer-limit", type=int, default=PEER_LIMIT, help="questions for the peer with a model"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs = options.runs or Path(scratch)
        runs.mkdir(parents=True, exist_ok=True)
        results: dict[str, Any] = {"code": code_state(), "machine": machine(), "sets": {}}
        for name in options.sets or SETS:
            if name != "summit":
                try:
                    load(name, options.data)
                except EvaluationError as error:
                    print(f"bench: skipped {name}: {error}", file=sys.stderr)
                    continue
            for system in options.systems or SYSTEMS:
                measured = measure(
                    name, system, options.data.resolve(), runs.resolve(), options.peer_limit
                )
                if measured is not None:
                    results["sets"].setdefault(name, {})[system] = measured
            write_json(options.out, results)
            write_text(options.out.with_suffix(".md"), table(results))


if __name__ == "__main__":
    main()

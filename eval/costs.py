"""What a run took: seconds, memory, disk. Never part of the report that repeats byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.intervals import SEED
from eval.jsonl import read_json
from eval.predict import read_timings

_PERCENTILES = (50, 95, 99)
_DRAWS = 2_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the seconds of one stage over questions, with 95 % intervals."""

    stage: str
    n: int
    points: Mapping[int, tuple[float, float, float]]


def latencies(run: Path) -> tuple[Latency, ...]:
    """Return the latency of each stage that was timed; ``answer`` and ``retrieve`` first."""
    seconds = seconds_by_stage(run)
    order = sorted(seconds, key=lambda s: (s not in ("answer", "retrieve"), s))
    return tuple(_latency(stage, seconds[stage]) for stage in order)


def seconds_by_stage(run: Path) -> dict[str, list[float]]:
    """Return the seconds of every question, by stage."""
    stages: dict[str, list[float]] = {}
    for timed in read_timings(run).values():
        for stage, value in timed.items():
            stages.setdefault(stage, []).append(value)
    return stages


def totals(run: Path) -> dict[str, Any]:
    """Return wall and sync seconds, peak memory and bytes on disk; empty if not stored."""
    path = run / "cost.json"
    return read_json(path) if path.exists() else {}


def _latency(stage: str, values: Sequence[float]) -> Latency:
    sample = np.asarray(values)
    generator = np.random.default_rng(SEED)
    rows = max(1, min(_DRAWS, 4_000_000 // len(sample)))
    draws = sample[generator.integers(0, len(sample), size=(rows, len(sample)))]
    points = {}
    for percentile in _PERCENTILES:
        low, high = np.percentile(np.percentile(draws, percentile, axis=1), [2.5, 97.5])
        points[percentile] = (float(np.percentile(sample, percentile)), float(low), float(high))
    return Latency(stage, len(sample), points)


def markdown(run: Path) -> str:
    """Return the costs of a run as Markdown."""
    lines = ["| stage | n | p50 [95 %] ms | p95 ms | p99 ms |", "|---|---|---|---|---|"]
    for latency in latencies(run):
        cells = [
            f"{1e3 * value:.1f} [{1e3 * low:.1f}, {1e3 * high:.1f}]"
            for value, low, high in latency.points.values()
        ]
        lines.append(f"| {latency.stage} | {latency.n} | {' | '.join(cells)} |")
    cost = totals(run)
    if cost:
        lines += [
            "",
            f"Wall {cost['wall_seconds']:.1f} s, sync {cost['sync_seconds']:.1f} s, "
            f"peak memory {cost['peak_bytes'] / 2**20:.0f} MiB, "
            f"{cost['bytes_on_disk'] / 2**20:.1f} MiB on disk.",
        ]
    return "\n".join(lines)

"""Figures as Markdown tables, with n and interval beside each."""

from __future__ import annotations

from collections.abc import Mapping

from eval.intervals import Estimate
from eval.metrics import BY_NAME


def figure(estimate: Estimate | None) -> str:
    """Return a figure such as ``0.871 [0.834, 0.902]``.

    Zero failures in n are never shown as a bare 1, but as ``1.000 [≥ 0.979]``.
    """
    if estimate is None:
        return "–"
    if estimate.n == 0:
        return "nothing to measure"
    if estimate.value == estimate.high == 1.0 and estimate.low < 1.0:
        return f"1.000 [≥ {estimate.low:.3f}]"
    if estimate.value == estimate.low == 0.0 < estimate.high:
        return f"0.000 [≤ {estimate.high:.3f}]"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def p_value(p: float) -> str:
    """Return a p value with four decimals; never a bare 0."""
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def scores_table(scores: Mapping[str, Estimate]) -> str:
    """Return every score as a Markdown table; ↓ marks those where lower is better."""
    lines = ["| metric | value [95 %] | n |", "|---|---|---|"]
    for name, estimate in scores.items():
        metric = BY_NAME.get(name)
        arrow = " ↓" if metric and metric.lower_is_better else ""
        lines.append(f"| {name}{arrow} | {figure(estimate)} | {estimate.n} |")
    return "\n".join(lines)

"""The plots of a report: static SVG by matplotlib, each with its data as CSV.

The files are the same for the same run: identifiers are salted with a constant, and no date is
written.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.abstention import equal_mass_bins, risk_coverage
from eval.compare import Difference
from eval.jsonl import write_text
from eval.metrics import BY_NAME
from eval.ranking import CUTOFFS
from eval.rows import Outcome
from eval.score import Scored, confidences
from eval.slices import funnel
from rag import EvaluationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _BLUE, _ORANGE, _GREY, _RED = "#1b2733", "#2563a8", "#c8641b", "#9aa5b1", "#b3372f"
_SIZE = (5.6, 3.6)


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Parameters
    ----------
    name, title, caption : str
    svg, csv : str
    """

    name: str
    title: str
    caption: str
    svg: str
    csv: str


def write_plot(plot: Plot, stem: Path) -> None:
    """Write a plot as ``stem.svg`` and its data as ``stem.csv``."""
    write_text(stem.with_name(f"{stem.name}.svg"), plot.svg)
    write_text(stem.with_name(f"{stem.name}.csv"), plot.csv)


def plots(
    scored: Scored, differences: Sequence[Difference] = (), other: Scored | None = None
) -> tuple[Plot, ...]:
    """Return the plots that the run has data for.

    Raises
    ------
    EvaluationError
        If matplotlib is missing: it comes with the extra ``eval``.
    """
    made = [_funnel(scored), _recall(scored, other), _risk_coverage(scored), _reliability(scored)]
    if differences:
        made.append(_differences(differences))
    return tuple(plot for plot in made if plot is not None)


def latency_plot(stages: dict[str, list[float]]) -> Plot | None:
    """Return the ECDF of seconds by stage, for the two that users feel."""
    shown = {stage: sorted(stages[stage]) for stage in ("retrieve", "answer") if stages.get(stage)}
    if not shown:
        return None
    rows: list[Sequence[object]] = [
        (stage, round(1e3 * value, 3), round((i + 1) / len(values), 6))
        for stage, values in shown.items()
        for i, value in enumerate(values)
    ]

    def draw(axes: Axes) -> None:
        for (stage, values), colour in zip(shown.items(), (_ORANGE, _BLUE), strict=False):
            share = np.arange(1, len(values) + 1) / len(values)
            axes.step(1e3 * np.asarray(values), share, where="post", color=colour, label=stage)
        axes.set(xlabel="milliseconds", ylabel="share of questions", xscale="log", ylim=(0, 1.02))
        axes.legend(loc="lower right", frameon=False)

    caption = "Share of questions done within a time."
    return _plot("latency", "Latency", caption, draw, ("stage", "milliseconds", "share"), rows)


def _funnel(scored: Scored) -> Plot | None:
    counts = funnel(scored.rows)
    if not any(counts.values()):
        return None
    refused = dict.fromkeys(counts, 0)
    for row in scored.rows:
        if row.bucket is not None and row.outcome is Outcome.MISSING:
            refused[row.bucket] += 1
    names = [str(bucket) for bucket in counts]
    colours = [*[_GREY] * 4, _ORANGE, _BLUE]

    def draw(axes: Axes) -> None:
        bars = axes.barh(names, list(counts.values()), color=colours)
        axes.invert_yaxis()
        axes.bar_label(bars, padding=3)
        axes.set(xlabel="answerable questions", xlim=(0, 1.12 * max(counts.values())))

    rows = [(str(bucket), count, refused[bucket]) for bucket, count in counts.items()]
    caption = "Where each answerable question ended; each is counted once."
    return _plot("funnel", "Failure funnel", caption, draw,
                 ("bucket", "questions", "of_them_refused"), rows)  # fmt: skip


def _recall(scored: Scored, other: Scored | None) -> Plot | None:
    series: dict[str, list[float]] = {}
    for name, source in ((scored.run.name, scored), ("the earlier run", other)):
        if source is not None and "recall_at_1" in source.scores:
            series[name] = [source.scores[f"recall_at_{k}"].value for k in CUTOFFS]
    if not series:
        return None
    estimates = [scored.scores[f"recall_at_{k}"] for k in CUTOFFS]

    def draw(axes: Axes) -> None:
        axes.fill_between(
            CUTOFFS, [e.low for e in estimates], [e.high for e in estimates],
            color=_BLUE, alpha=0.15, linewidth=0,
        )  # fmt: skip
        for (name, values), colour in zip(series.items(), (_BLUE, _ORANGE), strict=False):
            axes.plot(CUTOFFS, values, "o-", color=colour, label=name, markersize=4)
        axes.set(xlabel="k", ylabel="recall@k", ylim=(0, 1.02), xticks=CUTOFFS)
        axes.legend(loc="lower right", frameon=False)

    rows = [
        (name, k, round(value, 6))
        for name, values in series.items()
        for k, value in zip(CUTOFFS, values, strict=True)
    ]
    caption = "Share of the gold evidence among the first k hits; the band is the 95 % interval."
    return _plot("recall", "Recall at k", caption, draw, ("system", "k", "recall"), rows)


def _risk_coverage(scored: Scored) -> Plot | None:
    kept, values = confidences(scored.rows)
    if not kept:
        return None
    right = [row.right for row in kept]
    coverage, risk = risk_coverage(values, right)
    _, best = risk_coverage([float(r) for r in right], right)
    answered = sum(row.values["coverage"][0] for row in kept) / len(kept)

    def draw(axes: Axes) -> None:
        axes.plot(coverage, risk, color=_BLUE, label="by confidence")
        axes.plot(coverage, best, color=_GREY, linestyle="--", label="best possible order")
        axes.axvline(answered, color=_ORANGE, linewidth=1, label="answered in this run")
        axes.set(xlabel="coverage", ylabel="share not right", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper left", frameon=False)

    rows = [
        (round(float(c), 6), round(float(r), 6), round(float(b), 6))
        for c, r, b in zip(coverage, risk, best, strict=True)
    ]
    caption = (
        "Risk if only the most confident share were answered. A question without an answer in the "
        "corpus counts as not right; a refused one by what its nearest sentences hold."
    )
    return _plot("risk_coverage", "Risk and coverage", caption, draw,
                 ("coverage", "risk", "best_risk"), rows)  # fmt: skip


def _reliability(scored: Scored) -> Plot | None:
    kept, values = confidences(scored.rows)
    return reliability_plot(values, [row.right for row in kept]) if kept else None


def reliability_plot(confidence: Sequence[float], right: Sequence[bool]) -> Plot:
    """Return the plot of how often each height of confidence, in [0, 1], was right."""
    points = [
        (
            float(np.mean([confidence[i] for i in members])),
            float(np.mean([right[i] for i in members])),
            len(members),
        )
        for members in equal_mass_bins(confidence)
    ]

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1)
        axes.plot([p[0] for p in points], [p[1] for p in points], "o-", color=_BLUE, markersize=5)
        axes.set(xlabel="mean confidence", ylabel="share right", xlim=(0, 1), ylim=(-0.02, 1.02))

    rows = [(round(c, 6), round(r, 6), n) for c, r, n in points]
    caption = "Ten bins of equal size; on the dashed line confidence says what it means."
    return _plot("reliability", "Reliability", caption, draw,
                 ("confidence", "share_right", "n"), rows)  # fmt: skip


def _differences(differences: Sequence[Difference]) -> Plot:
    def draw(axes: Axes) -> None:
        places = range(len(differences))
        for place, d in zip(places, differences, strict=True):
            sign = -1 if BY_NAME[d.metric].lower_is_better else 1
            low, high = sorted((sign * d.difference.low, sign * d.difference.high))
            colour = _RED if high < 0 else _BLUE if low > 0 else _GREY
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.plot(sign * d.difference.value, place, "o", color=colour, markersize=5)
        axes.axvline(0, color=_INK, linewidth=1)
        axes.set_yticks(list(places), [d.metric for d in differences])
        axes.invert_yaxis()
        axes.set(xlabel="worse than before   |   better than before")

    rows = [
        (d.metric, round(d.difference.value, 6), round(d.difference.low, 6),
         round(d.difference.high, 6), d.difference.n)
        for d in differences
    ]  # fmt: skip
    caption = (
        "Paired difference to the earlier run with its 95 % interval, "
        "turned so that right is better."
    )
    return _plot("differences", "Differences", caption, draw,
                 ("metric", "difference", "low", "high", "n"), rows)  # fmt: skip


def _plot(
    name: str,
    title: str,
    caption: str,
    draw: Callable[[Axes], None],
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
) -> Plot:
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EvaluationError(
            "plots need matplotlib; install the extra: pip install 'dateline-rag[eval]'"
        ) from error
    style: Any = {
        "svg.hashsalt": "dateline",
        "svg.fonttype": "path",
        "font.size": 10,
        "font.family": "DejaVu Sans",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.grid": False,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return Plot(name, title, caption, drawn.getvalue(), table.getvalue())

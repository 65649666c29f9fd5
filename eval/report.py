"""Write the report of a run: one HTML file, Markdown, plots with their data.

What is written from the stored run alone is the same bytes each time. Latency and memory differ
from run to run, so they stand in cost.md, cost.json and plots/latency.* beside the report, and
come into it only when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval import costs
from eval.compare import Difference, compare_scored
from eval.jsonl import write_text
from eval.plots import Plot, latency_plot, plots, write_plot
from eval.rows import Outcome, Row
from eval.runs import same_ground
from eval.score import Scored, score
from eval.selftest import SelfTest, self_tests
from eval.slices import Slice, slices

# Best first; a question that falls is a regression.
_ORDER = {
    Outcome.CORRECT: 0,
    Outcome.REFUSED: 0,
    Outcome.UNSCORED: 1,
    Outcome.MISSING: 2,
    Outcome.WRONG: 3,
    Outcome.ANSWERED: 3,
}


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report shows.

    Parameters
    ----------
    scored : Scored
    before : mapping of str to Row
        The rows of the earlier run by question; empty without one.
    before_name : str
    differences : tuple of Difference
    slices : tuple of Slice
    tests : tuple of SelfTest
    plots : tuple of Plot
    cost : str
        Markdown of latency and memory, only if asked for.
    judged : mapping
        Figures of a judge model, if one was run; empty otherwise.
    """

    scored: Scored
    before: Mapping[str, Row]
    before_name: str
    differences: tuple[Difference, ...]
    slices: tuple[Slice, ...]
    tests: tuple[SelfTest, ...]
    plots: tuple[Plot, ...]
    cost: str
    judged: Mapping[str, Any]

    def ordered_rows(self) -> list[Row]:
        """Return the rows: regressions first, then what is not right, then the rest."""
        place = {row.question_id: i for i, row in enumerate(self.scored.rows)}
        return sorted(
            self.scored.rows,
            key=lambda row: (
                not self.is_regression(row),
                -_ORDER[row.outcome],
                place[row.question_id],
            ),
        )

    def is_regression(self, row: Row) -> bool:
        """Return whether the earlier run did better on the question."""
        old = self.before.get(row.question_id)
        return old is not None and _ORDER[row.outcome] > _ORDER[old.outcome]

    def is_gain(self, row: Row) -> bool:
        """Return whether the earlier run did worse on the question."""
        old = self.before.get(row.question_id)
        return old is not None and _ORDER[row.outcome] < _ORDER[old.outcome]


def report(
    folder: Path,
    *,
    against: Path | None = None,
    with_timings: bool = False,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write the report of the run in `folder` into it.

    Parameters
    ----------
    folder : pathlib.Path
    against : pathlib.Path or None
        An earlier run over the same questions, to show regressions and differences.
    with_timings : bool
        Put latency and memory into the report.
    force : bool
        Compare with `against` even if the ground differs.

    Returns
    -------
    tuple of pathlib.Path
        The files that people open.

    Raises
    ------
    EvaluationError
        If a run is unusable, the ground differs, or matplotlib is missing.
    """
    from eval.report_html import html
    from eval.report_markdown import markdown, rows_markdown

    scored = score(folder)
    earlier = score(against) if against is not None else None
    if earlier is not None and not force:
        same_ground(earlier.run, scored.run)
    differences = compare_scored(earlier, scored) if earlier is not None else ()
    cost = costs.markdown(folder)
    data = ReportData(
        scored=scored,
        before={row.question_id: row for row in earlier.rows} if earlier else {},
        before_name=against.name if against else "",
        differences=differences,
        slices=slices(scored),
        tests=self_tests(scored),
        plots=plots(scored, differences, earlier),
        cost=cost if with_timings else "",
        judged=_judged(folder),
    )
    drawn = folder / "plots"
    drawn.mkdir(exist_ok=True)
    for stale in (*drawn.glob("*.svg"), *drawn.glob("*.csv")):
        stale.unlink()
    latency = latency_plot(costs.seconds_by_stage(folder))
    for plot in (*data.plots, *([latency] if latency else [])):
        write_plot(plot, drawn / plot.name)
    shown: Sequence[Plot] = (latency,) if with_timings and latency else ()
    written = {
        "report.html": html(data, shown),
        "report.md": markdown(data, shown),
        "rows.md": rows_markdown(data),
        "cost.md": cost,
    }
    for name, text in written.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in written)


def _judged(folder: Path) -> dict[str, Any]:
    from eval.jsonl import read_json

    path = folder / "judge.json"
    return read_json(path) if path.exists() else {}

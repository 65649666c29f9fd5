"""The newest report of `dateline eval`, and a run of the sample questions.

The evaluation is imported when it is used, since the page works without it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from rag import Assistant, UserError
from ui.markup import foreign

REPORT = "report.html"
_RUN = re.compile(r"\w[\w.-]{0,99}")

# What a reader looks at first: never correctness, abstention or citations alone.
_HEADLINE = {
    "correct": "Answerable questions answered correctly",
    "refused": "Unanswerable questions refused",
    "answerable_auroc": "Confidence tells answerable from not (AUROC)",
    "citation_exactness": "Quotes that stand in their article, word for word",
    "citation_recall": "Sentences fully supported by their citations",
    "citation_precision": "Citations that support their sentence",
    "faithfulness": "Claims supported by the evidence",
    "recall_at_10": "Gold evidence among the first ten passages",
}


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The questions written for the sample articles, and those articles."""

    questions: Path
    corpus: Path

    @property
    def is_here(self) -> bool:
        """Whether both are installed."""
        return self.questions.is_file() and self.corpus.is_dir()


class Runs:
    """The folder of evaluation runs, one of which may be under way.

    Parameters
    ----------
    folder : Path
        Need not exist.
    sample : SampleSet
        What `run` asks.
    """

    def __init__(self, folder: Path, sample: SampleSet) -> None:
        self._folder = folder
        self._sample = sample
        self._running = threading.Lock()

    def newest(self) -> Path | None:
        """Return the folder of the newest run that has a report, or None."""
        reports: list[tuple[float, Path]] = []
        with suppress(OSError):
            for folder in self._folder.iterdir():
                with suppress(OSError):
                    if _RUN.fullmatch(folder.name):
                        reports.append(((folder / REPORT).stat().st_mtime, folder))
        return max(reports)[1] if reports else None

    def report(self, name: str) -> Path | None:
        """Return the report of a run by its name, or None if there is none.

        A name is one folder below the runs, and links that lead elsewhere are not followed.
        """
        if not _RUN.fullmatch(name):
            return None
        path = self._folder / name / REPORT
        here = path.resolve()
        return here if here.is_relative_to(self._folder.resolve()) and here.is_file() else None

    def run(self, progress: Callable[[int, int], None]) -> Path:
        """Ask the sample questions, score the replies and write the report.

        Parameters
        ----------
        progress : callable
            Told how many questions are done, of how many.

        Raises
        ------
        UserError
            If the evaluation or the sample is not installed, or another run is under way.
        """
        parts = _installed()
        if not self._sample.is_here:
            raise UserError(
                "the sample questions come with the source: run the page from a checkout"
            )
        if not self._running.acquire(blocking=False):
            raise UserError("a run is under way already; wait for it to end")
        try:
            return self._run(parts, progress)
        finally:
            self._running.release()

    def _run(self, parts: dict[str, Any], progress: Callable[[int, int], None]) -> Path:
        out = self._folder / f"sample-{datetime.now():%Y%m%d-%H%M%S}"
        asked = parts["questions"].read_questions(self._sample.questions)
        with Assistant.open(self._sample.corpus, store=out / "store") as assistant:
            synced = assistant.sync()
            parts["predict"].predict(
                parts["systems"].DatelineSystem(assistant),
                asked,
                out,
                progress=progress,
                sync_seconds=synced.seconds,
                bytes_on_disk=assistant.status().bytes_on_disk,
            )
        parts["report"].report(out)
        return out


def _installed() -> dict[str, Any]:
    names = ("questions", "systems", "predict", "report")
    try:
        return {name: import_module(f"eval.{name}") for name in names}
    except ImportError as error:
        raise UserError(
            f"the evaluation is not installed here ({error.name} is missing); "
            "run the page from a checkout, with the extra 'eval'"
        ) from error


def render_newest(runs: Runs) -> str:
    """Return the newest report's figures and a link to all of it, or how to make one."""
    run = runs.newest()
    if run is None:
        return (
            '<div class="empty"><h3>No report yet</h3><p>Run the sample questions here, or '
            "measure from the command line with <code>dateline eval</code>.</p></div>"
        )
    try:
        rows = _figures(run)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        rows = ""
    made = datetime.fromtimestamp((run / REPORT).stat().st_mtime)
    table = (
        '<table class="figures"><thead><tr><th>What</th><th>Value</th><th>95 %</th><th>n</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>Its figures can’t be read here; open the report.</p>"
    )
    return (
        f'<div class="newest"><h3>{foreign(run.name)}</h3>'
        f'<p class="count">{made:%d %b %Y, %H&#58;%M}</p>{table}'
        f'<p><a class="full" href="reports/{foreign(run.name)}/{REPORT}">'
        "Open the full report</a></p></div>"
    )


def _figures(run: Path) -> str:
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    rows = []
    for name, meaning in _HEADLINE.items():
        if name not in scores:
            continue
        score = scores[name]
        value, low, high = (f"{float(score[key]):.3f}" for key in ("value", "low", "high"))
        rows.append(
            f"<tr><td>{meaning}</td><td>{value}</td><td>{low} – {high}</td>"
            f"<td>{int(score['n']):,}</td></tr>"
        )
    return "".join(rows)

"""The commands ``dateline eval …`` and ``python -m eval …``.

Exit status: 0 done or passed; 1 a regression, or an invariant violated; 2 a mistake that the
user can fix.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from eval.questions import Dataset, QuestionSet
from rag import Assistant, DatelineError, EvaluationError, UserError

app = typer.Typer(
    name="eval",
    help="Measure answers offline: predict, score, compare, report, gate, checker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

REGRESSION = 1
USER_MISTAKE = 2
FAILED = 3

RunFolder = Annotated[Path, typer.Argument(help="Folder of a run, as 'predict' wrote it.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="Folder that holds the public evaluation sets.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Use the questions both share, though the ground differs.")
]


@app.command()
def predict(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A question file, such as summit.jsonl.")
    ] = None,
    set_name: Annotated[
        str | None, typer.Option("--set", help="A public set, such as squad2; see --data.")
    ] = None,
    data: Data = None,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", help="Folder of articles; for --questions.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Data folder. Default: inside --out.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="At most so many, evenly spread over the set.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Questions asked at once.")
    ] = None,
    system: Annotated[
        str, typer.Option("--system", help="dateline, bm25 or llamaindex (extra 'peers').")
    ] = "dateline",
) -> None:
    """Ask every question of a set, and store the replies; resume an interrupted run."""
    from eval.predict import Progress
    from eval.predict import predict as run

    asked, folder = _ground(questions, set_name, data, corpus, out)
    asked = asked.spread(limit)
    progress = Progress()
    store = store or out / "store"
    if system == "dateline":
        from eval.systems import DatelineSystem

        with Assistant.open(folder, store=store) as assistant:
            begin = time.perf_counter()
            report = assistant.sync()
            seconds = time.perf_counter() - begin
            for skip in report.skipped:
                print(f"skipped {skip.source}: {skip.reason}", file=sys.stderr)
            run(
                DatelineSystem(assistant),
                asked,
                out,
                workers=workers,
                progress=progress,
                sync_seconds=seconds,
                bytes_on_disk=assistant.status().bytes_on_disk,
            )
    else:
        from eval.peers import open_peer

        with Assistant.open(folder, store=store) as assistant:
            assistant.sync()
            articles = assistant.articles()
        with closing(open_peer(system, articles, store)) as peer:
            run(
                peer,
                asked,
                out,
                workers=workers,
                progress=progress,
                sync_seconds=peer.sync_seconds,
                bytes_on_disk=peer.bytes_on_disk,
            )
    print(out)


@app.command()
def score(run: RunFolder) -> None:
    """Score a stored run, without any model; writes scores.json and rows.jsonl."""
    from eval.score import score as score_run
    from eval.tables import scores_table

    scored = score_run(run)
    print(scores_table(scored.scores))


@app.command()
def compare(first: RunFolder, second: RunFolder, force: Force = False) -> None:
    """Compare two runs over the same questions, pair by pair."""
    from eval.compare import compare as compare_runs
    from eval.compare import markdown

    print(markdown(compare_runs(first, second, force=force), str(first), str(second)))


@app.command()
def report(
    run: RunFolder,
    against: Annotated[
        Path | None, typer.Option("--against", help="An earlier run: regressions come first.")
    ] = None,
    with_timings: Annotated[
        bool, typer.Option("--with-timings", help="Put latency into the report; no two are equal.")
    ] = False,
    force: Force = False,
) -> None:
    """Write report.html, report.md and plots with their data into the run."""
    from eval.report import report as write

    for path in write(run, against=against, with_timings=with_timings, force=force):
        print(path)


@app.command()
def gate(
    run: RunFolder,
    baseline: Annotated[Path, typer.Option("--baseline", help="Stored baseline.")],
    write: Annotated[
        bool, typer.Option("--write", help="Make this run the baseline instead.")
    ] = False,
    force: Force = False,
) -> None:
    """Exit with 1 if the run violates an invariant or is worse than the baseline."""
    from eval import gate as gating
    from eval.score import score as score_run

    if write:
        gating.write_baseline(score_run(run), baseline)
        print(baseline)
        return
    findings = gating.gate(run, baseline, force=force)
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.metric}: {finding.detail}")
    if not gating.passed(findings):
        raise typer.Exit(REGRESSION)


@app.command()
def checker(
    set_name: Annotated[str, typer.Option("--set", help="ragtruth, expertqa, wice or qags.")],
    data: Annotated[Path, typer.Option("--data", help="Folder that holds the set.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the results.")] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit and store the threshold; developers' half only.")
    ] = False,
    plugged: Annotated[
        str | None,
        typer.Option("--checker", help="Path of a model, or llm. Default: RAG_CHECKER, if set."),
    ] = None,
) -> None:
    """Judge the support check against people's labels."""
    from eval.adapters import load_pairs
    from eval.checker import fit_threshold, run_checker
    from eval.tables import scores_table
    from rag import Verifier

    pairs = load_pairs(set_name, data)
    check = Verifier.open(plugged, unseen=set_name)
    if fit:
        fit_threshold(set_name, pairs)
    if out is None and not fit:
        raise EvaluationError("name a folder for the results with --out")
    if out is not None:
        print(f"checked by {check.name}")
        print(scores_table(run_checker(set_name, pairs, out, check=check)))


@app.command()
def judge(
    run: RunFolder,
    model: Annotated[
        str | None, typer.Option("--model", help="Model name. Default: RAG_LLM_MODEL.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Votes by content. Default: inside the run.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Questions at most.")] = None,
) -> None:
    """Let a language model judge a stored run; its figures stand apart, with its name."""
    from eval.judge import judge_run, open_judge
    from eval.tables import scores_table

    made = judge_run(run, open_judge(model), cache=cache, limit=limit)
    print(scores_table(made))


def _ground(
    questions: Path | None,
    set_name: str | None,
    data: Path | None,
    corpus: Path | None,
    out: Path,
) -> tuple[QuestionSet, Path]:
    """Return the questions and the folder of their corpus."""
    from eval.questions import read_questions

    if (questions is None) == (set_name is None):
        raise EvaluationError("give either --questions FILE or --set NAME with --data DIR")
    if questions is not None:
        asked = read_questions(questions)
        folder = corpus or _named_corpus(asked, questions)
        if not folder.is_dir():
            raise EvaluationError(f"{folder}: no such folder of articles; give --corpus")
        return asked, folder
    if data is None or set_name is None:
        raise EvaluationError(f"--set {set_name} needs --data, the folder that holds it")
    from eval.adapters import load

    dataset = load(set_name, data)
    return dataset.questions, write_corpus(dataset, out / "corpus")


def _named_corpus(asked: QuestionSet, path: Path) -> Path:
    """Find the corpus that a question file names: from the working folder, or above the file."""
    if not asked.corpus:
        raise EvaluationError(f"{path}:1: names no corpus; give --corpus")
    for base in (Path(), *path.resolve().parents):
        if (base / asked.corpus).is_dir():
            return base / asked.corpus
    raise EvaluationError(f"{path}:1: its corpus {asked.corpus!r} is not found; give --corpus")


def write_corpus(dataset: Dataset, folder: Path) -> Path:
    """Write the articles of a set as JSON lines for `Assistant.open`; return the folder."""
    from eval.jsonl import dump, write_text
    from eval.records import article_to_dict

    folder.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(dump(article_to_dict(article)) for article in dataset.articles)
    write_text(folder / "articles.jsonl", lines)
    return folder


def main() -> None:
    """Run the commands; turn a mistake into one line and its exit status."""
    try:
        app(prog_name="python -m eval")
    except DatelineError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(USER_MISTAKE if isinstance(error, UserError) else FAILED) from error

"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.compare import markdown as compare_markdown
from eval.metrics import BY_NAME
from eval.plots import Plot
from eval.report import ReportData
from eval.rows import Outcome, Row
from eval.runs import question_text
from eval.slices import SHOWN, SMALL, funnel
from eval.support import JUDGE
from eval.tables import figure, scores_table

# Never one group alone: a copied page cites perfectly, so correctness, length and coverage
# stand in the same block.
HEADLINE: dict[str, tuple[str, ...]] = {
    "Answers": ("correct", "wrong", "missing", "over_refused", "truthfulness", "token_f1"),
    "Length and coverage": ("answer_sentences", "answer_words", "coverage"),
    "What the corpus can't answer": ("refused", "answerable_auroc", "misled"),
    "Citations": (
        "citation_exactness", "citation_recall", "citation_precision",
        "gold_citation_recall", "gold_citation_precision",
    ),
    "Faithfulness": ("faithfulness", "numbers_in_evidence", "names_in_evidence",
                     "dates_in_evidence"),
    "Retrieval": ("recall_at_1", "recall_at_5", "recall_at_10", "all_evidence_at_10",
                  "mrr_at_10", "ndcg_at_10", "map_at_20"),
    "Follow-ups": ("rewrite_f1", "raw_f1"),
    "Confidence": ("aurc", "aurc_oracle", "ece", "brier"),
}  # fmt: skip


def header(data: ReportData) -> list[tuple[str, str]]:
    """Return where the run comes from, as pairs of a name and a text."""
    info = data.scored.run.info
    code, machine, asked, corpus = info["code"], info["machine"], info["set"], info["corpus"]
    system: Mapping[str, Any] = info["system"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    threads = ", ".join(f"{k}={v}" for k, v in machine["threads"].items()) or "not limited"
    return [
        ("System", f"{system['name']}: {system['mode']}, {system['model']}"),
        ("Embedder", str(system["embedder"])),
        ("Settings", str(system["settings"])),
        (
            "Questions",
            f"{asked['name']} {asked['version']}, {asked['questions']} questions, "
            f"{asked['fingerprint']}",
        ),
        ("Corpus", f"{corpus['articles']} articles, {corpus['hash']}"),
        ("Code", f"{code['commit']}{' with changes' if code['dirty'] else ''}"),
        ("Packages", packages),
        (
            "Machine",
            f"Python {machine['python']}, {machine['system']}, "
            f"{machine['processors']} processors, threads {threads}",
        ),
        ("Seed", str(info["seed"])),
        ("Support check", f"{JUDGE}, no human judge"),
    ]


def markdown(data: ReportData, extra_plots: Sequence[Plot] = ()) -> str:
    """Return the whole report but the table of questions."""
    scored = data.scored
    parts = [f"# {_cell(f'{scored.run.name} on {scored.run.questions.name}')}", ""]
    parts += [f"- {name}: {_cell(text)}" for name, text in header(data)]
    parts += ["", "## Headline", ""]
    parts += ["| figure | value [95 %] | n | of | meaning |", "|---|---|---|---|---|"]
    for group, names in HEADLINE.items():
        shown = [name for name in names if name in scored.scores]
        if shown:
            parts.append(f"| **{group}** | | | | |")
        for name in shown:
            metric, estimate = BY_NAME[name], scored.scores[name]
            arrow = " ↓" if metric.lower_is_better else ""
            parts.append(
                f"| {name}{arrow} | {figure(estimate)} | {estimate.n} | {metric.unit} "
                f"| {metric.meaning} |"
            )
    unscored = sum(row.outcome is Outcome.UNSCORED for row in scored.rows)
    if unscored:
        parts += ["", f"Unscored: {unscored} answers, for which the set has no short gold answer."]
    if data.cost:
        parts += ["", "## Latency and memory", "", data.cost]
    counts = funnel(scored.rows)
    if any(counts.values()):
        total = sum(counts.values())
        parts += ["", "## Failure funnel", "", "| bucket | questions | share |", "|---|---|---|"]
        parts += [f"| {b} | {c} | {c / total:.1%} |" for b, c in counts.items()]
    if data.differences:
        parts += ["", f"## Against {data.before_name}", ""]
        parts += [compare_markdown(data.differences, data.before_name, "this run")]
    if data.judged:
        parts += ["", f"## Judge: {data.judged['judge']}", "", judge_note(data.judged)]
    if data.tests:
        parts += ["", "## Self-tests of the metrics", ""]
        parts += ["| test | value [95 %] | n | has to be | |", "|---|---|---|---|---|"]
        parts += [
            f"| {t.name} | {figure(t.value)} | {t.value.n} | {t.expected or '(printed)'} "
            f"| {'ok' if t.ok else 'FAILED'} |"
            for t in data.tests
        ]
    if data.slices:
        parts += ["", "## Slices", ""]
        parts += [f"| slice | n | {' | '.join(SHOWN)} |", f"|---|---|{'---|' * len(SHOWN)}"]
        group = ""
        for part in data.slices:
            if part.group != group:
                group = part.group
                parts.append(f"| **{group}** | |{' |' * len(SHOWN)}")
            warning = f" (under {SMALL}: mostly chance)" if part.is_small else ""
            cells = " | ".join(figure(part.scores.get(name)) for name in SHOWN)
            parts.append(f"| {_cell(part.name)} | {part.n}{warning} | {cells} |")
    parts += ["", "## Plots", ""]
    for plot in (*data.plots, *extra_plots):
        parts += [
            f"![{plot.title}](plots/{plot.name}.svg)",
            "",
            f"{plot.caption} [Data](plots/{plot.name}.csv)",
            "",
        ]
    parts += ["## All figures", "", scores_table(scored.scores), ""]
    parts += ["Every question: [rows.md](rows.md)."]
    return "\n".join(parts)


def rows_markdown(data: ReportData) -> str:
    """Return the table of questions, regressions first."""
    scored = data.scored
    parts = [
        f"# {_cell(f'{scored.run.name} on {scored.run.questions.name}')}: every question",
        "",
        "| id | outcome | before | bucket | confidence | question | answer | gold | notes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in data.ordered_rows():
        question = scored.questions[row.question_id]
        reply = scored.run.replies[row.question_id]
        gold = "; ".join(question.aliases) or "; ".join(" / ".join(m) for m in question.must)
        old = data.before.get(row.question_id)
        cells = [
            row.question_id,
            str(row.outcome),
            str(old.outcome) if old else "",
            str(row.bucket or ""),
            "" if row.confidence is None else f"{row.confidence:.2f}",
            question_text(question),
            reply.text or f"({reply.abstention or 'nothing'})",
            gold,
            "; ".join(row.notes),
        ]
        safe = [_cell(cell) for cell in cells]
        if data.is_regression(row):
            safe[1] = f"**{safe[1]}**"
        parts.append(f"| {' | '.join(safe)} |")
    return "\n".join(parts)


def judge_note(judged: Mapping[str, Any]) -> str:
    """Return what a judge model found, and how far the offline verdict agrees with it."""
    lines = [
        f"Votes of {judged['judge']} on {judged['asked']} answers; "
        f"{judged['unscored']} could not be read and are not scored. "
        "A model's opinion, not a measurement of truth."
    ]
    for name, estimate in judged["scores"].items():
        lines.append(
            f"- {name}: {estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}], "
            f"n = {estimate['n']}"
        )
    return "\n".join(lines)


def outcome_counts(rows: Sequence[Row]) -> dict[Outcome, int]:
    """Return how many rows have each outcome, those with none left out."""
    counts = {outcome: sum(row.outcome is outcome for row in rows) for outcome in Outcome}
    return {outcome: count for outcome, count in counts.items() if count}


def _cell(text: str) -> str:
    # The text of articles must not turn into markup or break the table.
    plain = " ".join(text.split())
    for mark in ("\\", "|", "`", "<", "[", "]", "*", "_"):
        plain = plain.replace(mark, "\\" + mark) if mark != "<" else plain.replace(mark, "&lt;")
    return plain

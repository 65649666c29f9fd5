"""The report as one HTML file that loads nothing: styles, script and plots are inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from eval.compare import Difference
from eval.metrics import BY_NAME
from eval.plots import Plot
from eval.questions import Question
from eval.records import Place, Reply, StoredSentence
from eval.report import ReportData
from eval.report_markdown import HEADLINE, header, judge_note, outcome_counts
from eval.rows import Bucket, Outcome, Row
from eval.slices import SHOWN, SMALL, funnel
from eval.tables import figure, p_value

# Details of more questions would make a file that browsers load slowly; rows.md has them all.
_MAX_DETAILS = 1_500
_CONTEXT = 160  # characters around a quote

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2733;--soft:#5b6875;--line:#dde3e9;--paper:#fff;
--panel:#f5f7f9;--good:#1c7a4a;--bad:#b3372f;--warn:#9a6206;--blue:#2563a8;--mark:#fdeaa8}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9eabb8;--line:#34404c;
--paper:#151b21;--panel:#1d252d;--good:#5cc48d;--bad:#f08a80;--warn:#e0ab55;--blue:#7db4ec;
--mark:#6b5710}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 24px 80px}
h1{font-size:28px;margin:0 0 4px}h2{font-size:20px;margin:44px 0 12px}
p.lead{color:var(--soft);margin:0 0 20px;max-width:75ch}
nav{margin:14px 0 26px;display:flex;flex-wrap:wrap;gap:6px 18px}a{color:var(--blue)}
table{border-collapse:collapse;width:100%;font-size:14.5px}
th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{font-weight:600;color:var(--soft)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.group td{padding-top:16px;font-weight:600;border-bottom:2px solid var(--line)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(205px,1fr));gap:12px}
.tile{background:var(--panel);border-radius:8px;padding:12px 14px}
.tile b{display:block;font-size:25px;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{display:block;color:var(--soft);font-size:13.5px}
.tile strong{font-weight:600}
.scroll{overflow-x:auto}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(430px,1fr));gap:26px}
figure{margin:0}figure img{width:100%;background:#fff;border:1px solid var(--line);
border-radius:8px;padding:8px}figcaption{color:var(--soft);font-size:13.5px;margin-top:4px}
.bar{display:grid;grid-template-columns:220px 1fr 190px;gap:10px;align-items:center;margin:5px 0}
.bar div{background:var(--panel);border-radius:4px}.bar i{display:block;height:18px;
border-radius:4px;background:#9aa5b1;min-width:2px}.bar i.good{background:#2f8f5f}
.bar i.late{background:#c8641b}.bar span{font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.soft{color:var(--soft)}
.filters{display:flex;flex-wrap:wrap;gap:10px;align-items:center;position:sticky;top:0;
background:var(--paper);padding:10px 0;border-bottom:1px solid var(--line);z-index:1}
input,select{font:inherit;font-size:15px;padding:6px 9px;border:1px solid var(--line);
border-radius:6px;background:var(--panel);color:var(--ink);max-width:100%}
input[type=search]{min-width:250px}
details.q{border-bottom:1px solid var(--line)}
details.q>summary{display:grid;grid-template-columns:108px 1fr 60px;gap:12px;padding:9px 0;
cursor:pointer;list-style:none}details.q>summary::-webkit-details-marker{display:none}
details.q>summary:hover{background:var(--panel)}
.tag{font-size:13px;font-weight:600}
.body{padding:2px 0 18px 120px;max-width:90ch}
.body h4{margin:14px 0 4px;font-size:13.5px;color:var(--soft);font-weight:600}
.body p{margin:4px 0}
mark{background:var(--mark);color:inherit;border-radius:3px;padding:0 1px}
blockquote{margin:6px 0;padding:4px 0 4px 12px;border-left:3px solid var(--line)}
.from{font-size:13.5px}
sup{color:var(--blue);font-weight:600}
ol{margin:4px 0;padding-left:24px}
@media(max-width:700px){main{padding:18px 14px 60px}.bar{grid-template-columns:1fr}
details.q>summary{grid-template-columns:1fr}.body{padding-left:0}
.plots{grid-template-columns:1fr}}
"""

_SCRIPT = """
const box=document.getElementById('find'),picks=[...document.querySelectorAll('select[data-by]')],
only=document.getElementById('changed'),rows=[...document.querySelectorAll('details.q')],
count=document.getElementById('count');
function show(){const words=box.value.toLowerCase().split(/\\s+/).filter(Boolean);let n=0;
for(const row of rows){const text=row.textContent.toLowerCase();
const ok=words.every(w=>text.includes(w))
&&picks.every(p=>!p.value||row.dataset[p.dataset.by]===p.value)
&&(!only||!only.checked||row.dataset.change==='worse');
row.hidden=!ok;n+=ok}count.textContent=n+' of '+rows.length}
[box,...picks,only].forEach(e=>e&&e.addEventListener('input',show));show();
"""

_TONE = {
    Outcome.CORRECT: "good",
    Outcome.REFUSED: "good",
    Outcome.WRONG: "bad",
    Outcome.ANSWERED: "bad",
    Outcome.MISSING: "warn",
    Outcome.UNSCORED: "soft",
}
_LABEL = {
    Outcome.CORRECT: "correct",
    Outcome.REFUSED: "rightly refused",
    Outcome.WRONG: "wrong",
    Outcome.ANSWERED: "should refuse",
    Outcome.MISSING: "missing",
    Outcome.UNSCORED: "unscored",
}
_TILES = (
    ("correct", "correct"),
    ("wrong", "wrong"),
    ("missing", "missing"),
    ("refused", "unanswerable, refused"),
    ("truthfulness", "truthfulness"),
    ("citation_exactness", "citations exact"),
    ("citation_recall", "citation recall"),
    ("citation_precision", "citation precision"),
    ("faithfulness", "faithful sentences"),
    ("recall_at_10", "recall@10"),
    ("mrr_at_10", "MRR@10"),
    ("answer_sentences", "sentences an answer"),
    ("coverage", "answered at all"),
    ("answerable_auroc", "AUROC of confidence"),
)


def html(data: ReportData, extra_plots: Sequence[Plot] = ()) -> str:
    """Return the report as a whole page; nothing in it is fetched from anywhere."""
    run = data.scored.run
    title = f"{run.name} on {run.questions.name}"
    sections = [
        _headline(data),
        _funnel(data),
        _differences(data),
        _plots((*data.plots, *extra_plots)),
        _slices(data),
        _figures(data),
        _cost(data),
        _judge(data),
        _tests(data),
        _provenance(data),
        _questions(data),
    ]
    links = [(name, ident) for name, ident, content in sections if content]
    nav = "".join(f'<a href="#{ident}">{escape(name)}</a>' for name, ident in links)
    body = "".join(
        f'<section id="{ident}"><h2>{escape(name)}</h2>{content}</section>'
        for name, ident, content in sections
        if content
    )
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    )
    counts = ", ".join(
        f"{count} {_LABEL[outcome]}" for outcome, count in outcome_counts(data.scored.rows).items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>"
        f'<p class="lead">{len(data.scored.rows)} questions: {counts}. Brackets hold 95 % '
        "intervals.</p>"
        f"<nav>{nav}</nav>{body}</main><script>{_SCRIPT}</script></body></html>"
    )


Section = tuple[str, str, str]


def _headline(data: ReportData) -> Section:
    tiles = []
    for name, label in _TILES:
        estimate = data.scored.scores.get(name)
        if estimate is None:
            continue
        metric = BY_NAME[name]
        arrow = " ↓" if metric.lower_is_better else ""
        shown = figure(estimate)
        value, _, interval = shown.partition(" ")
        if estimate.n == 0:
            value, interval = "–", "nothing to measure"
        tiles.append(
            f'<div class="tile" title="{escape(metric.meaning)}"><strong>{label}{arrow}</strong>'
            f"<b>{value}</b><span>{escape(interval)}, n = {estimate.n}</span></div>"
        )
    note = (
        '<p class="soft">A verbatim copy scores 99 % on every citation figure, so read them beside '
        "correctness, length and coverage. ↓: lower is better.</p>"
    )
    return "Headline", "headline", f'<div class="tiles">{"".join(tiles)}</div>{note}'


def _funnel(data: ReportData) -> Section:
    counts = funnel(data.scored.rows)
    total = sum(counts.values())
    if not total:
        return "Failure funnel", "funnel", ""
    bars = []
    for bucket, count in counts.items():
        refused = sum(
            row.bucket is bucket and row.outcome is Outcome.MISSING for row in data.scored.rows
        )
        tone = {Bucket.CITED: "good", Bucket.UNCITED: "late"}.get(bucket, "")
        of_them = f' <span class="soft">{refused} refused</span>' if refused else ""
        bars.append(
            f'<div class="bar"><span>{bucket}</span><div><i class="{tone}" '
            f'style="width:{100 * count / total:.1f}%"></i></div>'
            f"<span>{count} ({count / total:.0%}){of_them}</span></div>"
        )
    lead = '<p class="soft">Where each answerable question ended; each is counted once.</p>'
    return "Failure funnel", "funnel", lead + "".join(bars)


def _differences(data: ReportData) -> Section:
    if not data.differences:
        return "Against the earlier run", "differences", ""
    rows = "".join(_difference_row(d) for d in data.differences)
    table = (
        '<div class="scroll"><table><tr><th>metric</th><th class="n">before</th>'
        '<th class="n">now</th><th class="n">difference</th><th class="n">n</th>'
        '<th class="n">better / same / worse</th><th class="n">p (Holm)</th></tr>'
        f"{rows}</table></div>"
    )
    return f"Against {data.before_name}", "differences", table


def _difference_row(d: Difference) -> str:
    metric = BY_NAME[d.metric]
    sign = -1 if metric.lower_is_better else 1
    low, high = sorted((sign * d.difference.low, sign * d.difference.high))
    tone = "bad" if high < 0 else "good" if low > 0 else ""
    arrow = " ↓" if metric.lower_is_better else ""
    e = d.difference
    return (
        f'<tr><td title="{escape(metric.meaning)}">{d.metric}{arrow}</td>'
        f'<td class="n">{d.first:.3f}</td><td class="n">{d.second:.3f}</td>'
        f'<td class="n {tone}">{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]</td>'
        f'<td class="n">{e.n}</td><td class="n">{d.wins} / {d.ties} / {d.losses}</td>'
        f'<td class="n">{p_value(d.adjusted_p)}</td></tr>'
    )


def _plots(drawn: Sequence[Plot]) -> Section:
    figures = []
    for plot in drawn:
        if plot.name == "funnel":  # stands above, as bars
            continue
        image = base64.b64encode(plot.svg.encode("utf-8")).decode("ascii")
        figures.append(
            f'<figure><img alt="{escape(plot.title)}" src="data:image/svg+xml;base64,{image}">'
            f"<figcaption><b>{escape(plot.title)}.</b> {escape(plot.caption)} Data: "
            f"plots/{plot.name}.csv</figcaption></figure>"
        )
    return "Plots", "plots", f'<div class="plots">{"".join(figures)}</div>' if figures else ""


def _slices(data: ReportData) -> Section:
    if not data.slices:
        return "Slices", "slices", ""
    head = "".join(f'<th class="n">{name}</th>' for name in SHOWN)
    rows, group = [], ""
    for part in data.slices:
        if part.group != group:
            group = part.group
            width = len(SHOWN) + 2
            rows.append(f'<tr class="group"><td colspan="{width}">{escape(group)}</td></tr>')
        cells = "".join(f'<td class="n">{figure(part.scores.get(name))}</td>' for name in SHOWN)
        small = ' class="n warn" title="mostly chance"' if part.is_small else ' class="n"'
        mark = " !" if part.is_small else ""
        rows.append(f"<tr><td>{escape(part.name)}</td><td{small}>{part.n}{mark}</td>{cells}</tr>")
    note = f'<p class="warn">! under {SMALL} questions: the figures are mostly chance.</p>'
    small_note = note if any(part.is_small for part in data.slices) else ""
    table = f'<table><tr><th>slice</th><th class="n">n</th>{head}</tr>{"".join(rows)}</table>'
    return "Slices", "slices", f'<div class="scroll">{table}</div>{small_note}'


def _figures(data: ReportData) -> Section:
    scores = data.scored.scores
    grouped = {name for names in HEADLINE.values() for name in names}
    groups = {**HEADLINE, "More": tuple(name for name in scores if name not in grouped)}
    rows = []
    for group, names in groups.items():
        shown = [name for name in names if name in scores]
        if shown:
            rows.append(f'<tr class="group"><td colspan="5">{escape(group)}</td></tr>')
        for name in shown:
            metric = BY_NAME[name]
            arrow = " ↓" if metric.lower_is_better else ""
            rows.append(
                f'<tr><td>{name}{arrow}</td><td class="n">{figure(scores[name])}</td>'
                f'<td class="n">{scores[name].n}</td><td>{escape(metric.unit)}</td>'
                f'<td class="soft">{escape(metric.meaning)}</td></tr>'
            )
    table = (
        '<div class="scroll"><table><tr><th>figure</th><th class="n">value [95 %]</th>'
        f'<th class="n">n</th><th>of</th><th>meaning</th></tr>{"".join(rows)}</table></div>'
    )
    return "All figures", "figures", table


def _cost(data: ReportData) -> Section:
    if not data.cost:
        return "Latency and memory", "cost", ""
    lines = data.cost.splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    rows = "".join(
        f"<tr><td>{escape(row[0])}</td>"
        + "".join(f'<td class="n">{escape(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in cells
    )
    rest = " ".join(line for line in lines if line and not line.startswith("|"))
    return "Latency and memory", "cost", f"<table>{rows}</table><p>{escape(rest)}</p>"


def _judge(data: ReportData) -> Section:
    if not data.judged:
        return "Judge", "judge", ""
    lines = "".join(f"<p>{escape(line)}</p>" for line in judge_note(data.judged).splitlines())
    return f"Judge: {data.judged['judge']}", "judge", lines


def _tests(data: ReportData) -> Section:
    rows = "".join(
        f'<tr><td>{escape(t.name)}</td><td class="n">{figure(t.value)}</td>'
        f'<td class="n">{t.value.n}</td><td>{escape(t.expected or "printed only")}</td>'
        f'<td class="{"good" if t.ok else "bad"}">{"ok" if t.ok else "FAILED"}</td></tr>'
        for t in data.tests
    )
    table = (
        '<table><tr><th>test</th><th class="n">value [95 %]</th><th class="n">n</th>'
        f"<th>has to be</th><th></th></tr>{rows}</table>"
    )
    return "Self-tests of the metrics", "selftests", table if data.tests else ""


def _provenance(data: ReportData) -> Section:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in header(data)
    )
    return "Where this run comes from", "provenance", f"<table>{rows}</table>"


def _questions(data: ReportData) -> Section:
    rows = data.ordered_rows()
    shown = rows[:_MAX_DETAILS]
    types = sorted({data.scored.questions[row.question_id].type for row in rows})
    picks = [
        _select("outcome", "any outcome", [str(o) for o in outcome_counts(rows)]),
        _select("type", "any type", [name for name in types if name]),
        _select("bucket", "any bucket", [str(bucket) for bucket in Bucket]),
    ]
    changed = (
        '<label><input type="checkbox" id="changed"> regressions only</label>'
        if data.before
        else ""
    )
    note = (
        f'<p class="soft">The first {_MAX_DETAILS} of {len(rows)}; rows.md has all.</p>'
        if len(rows) > len(shown)
        else ""
    )
    filters = (
        '<div class="filters"><input type="search" id="find" placeholder="Find words…" '
        f'aria-label="Find words">{"".join(picks)}{changed}<span id="count" class="soft"></span>'
        "</div>"
    )
    return "Questions", "questions", note + filters + "".join(_row(data, row) for row in shown)


def _select(name: str, label: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{escape(v)}">{escape(v)}</option>' for v in values)
    return (
        f'<select data-by="{name}" aria-label="{label}"><option value="">{label}</option>'
        f"{options}</select>"
    )


def _row(data: ReportData, row: Row) -> str:
    question = data.scored.questions[row.question_id]
    reply = data.scored.run.replies[row.question_id]
    old = data.before.get(row.question_id)
    change = "worse" if data.is_regression(row) else "better" if data.is_gain(row) else ""
    was = f'<br><span class="soft">was {_LABEL[old.outcome]}</span>' if old and change else ""
    confidence = "" if row.confidence is None else f"{row.confidence:.2f}"
    return (
        f'<details class="q" data-outcome="{row.outcome}" data-type="{escape(question.type)}" '
        f'data-bucket="{row.bucket or ""}" data-change="{change}"><summary>'
        f'<span class="tag {_TONE[row.outcome]}">{_LABEL[row.outcome]}{was}</span>'
        f"<span>{_asked(question)}</span>"
        f'<span class="soft" title="confidence">{confidence}</span></summary>'
        f'<div class="body">{_details(data, row, question, reply)}</div></details>'
    )


def _asked(question: Question) -> str:
    before = "".join(f'<span class="soft">{escape(h)} › </span>' for h in question.history[-3:])
    return before + escape(question.question)


def _details(data: ReportData, row: Row, question: Question, reply: Reply) -> str:
    parts = []
    if reply.answered:
        said = " ".join(_sentence(reply, sentence) for sentence in reply.sentences)
        parts.append(f"<h4>Answer</h4><p>{said}</p>")
    else:
        parts.append(
            f"<h4>Refused ({escape(reply.abstention or 'nothing said')})</h4>"
            f"<p>{escape(reply.explanation)}</p>"
        )
    if reply.standalone_question not in ("", question.question):
        parts.append(f"<h4>Searched as</h4><p>{escape(reply.standalone_question)}</p>")
    if reply.citations:
        parts.append("<h4>Quotes in their articles</h4>")
        parts += [
            f"<blockquote>{_in_context(data, c.place, c.label)}</blockquote>"
            for c in reply.citations
        ]
    elif reply.evidence:
        parts.append("<h4>Nearest evidence</h4>")
        parts += [
            f"<blockquote>{_in_context(data, e.place, e.label)}</blockquote>"
            for e in reply.evidence[:3]
        ]
    if question.answerable:
        golds = "; ".join(question.aliases) or "; ".join(" or ".join(m) for m in question.must)
        golds = golds or "; ".join(question.references) or "not given"
        parts.append(f"<h4>Gold answer</h4><p>{escape(golds)}</p>")
        quotes = [
            f"<li>{escape(gold.quote)} <span class='soft'>({escape(gold.article)})</span></li>"
            for gold in question.evidence[:8]
        ]
        if quotes:
            parts.append(f"<h4>Gold evidence</h4><ul>{''.join(quotes)}</ul>")
    else:
        parts.append("<h4>Gold answer</h4><p>The corpus has none: it should refuse.</p>")
    if question.note:
        parts.append(f'<p class="soft">{escape(question.note)}</p>')
    if row.notes:
        parts.append(f'<p class="bad">{escape("; ".join(row.notes))}</p>')
    if reply.withheld:
        held = "".join(f"<li>{escape(s.text)} ({escape(s.reason)})</li>" for s in reply.withheld)
        parts.append(f"<h4>Withheld</h4><ul>{held}</ul>")
    parts.append(
        f'<p class="soft">{escape(row.question_id)}, {escape(question.type or "no type")}, '
        f"{row.bucket or 'no bucket'}{_ranks(row)}</p>"
    )
    return "".join(parts)


def _ranks(row: Row) -> str:
    if "mrr_at_10" not in row.values:
        return ""
    value = row.values["mrr_at_10"][0]
    return f", gold first at rank {round(1 / value)}" if value else ", no gold in the first 10"


def _sentence(reply: Reply, sentence: StoredSentence) -> str:
    labels = "".join(f"[{label}]" for label in sentence.labels)
    known = {citation.label for citation in reply.citations}
    dangling = any(label not in known for label in sentence.labels)
    tone = ' class="bad" title="a label out of range"' if dangling else ""
    tip = f"{sentence.support}: {sentence.reason}" if sentence.support else ""
    return f'<span title="{escape(tip)}">{escape(sentence.text)}</span><sup{tone}>{labels}</sup>'


def _in_context(data: ReportData, place: Place, label: int) -> str:
    stored = data.scored.run.articles.get((place.article, place.version))
    if stored is None:
        return f'<sup>[{label}]</sup> <span class="bad">article not stored</span>'
    text = stored.text
    before = text[max(0, place.start - _CONTEXT) : place.start]
    after = text[place.end : place.end + _CONTEXT]
    lead = "…" if place.start > _CONTEXT else ""
    tail = "…" if place.end + _CONTEXT < len(text) else ""
    head = ", ".join(part for part in (stored.article.title, stored.article.byline) if part)
    return (
        f'<sup>[{label}]</sup> <span class="soft">{lead}{escape(before)}</span>'
        f"<mark>{escape(text[place.start : place.end])}</mark>"
        f'<span class="soft">{escape(after)}{tail}</span><br>'
        f'<span class="soft from">{escape(head)}</span>'
    )

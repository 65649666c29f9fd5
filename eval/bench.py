"""Run every benchmark, keep its figures, and write the README's tables: ``make bench``.

Each benchmark runs in a process of its own and leaves ``eval/results/<name>.json``. A set that is
not found under ``--data`` is named as skipped, and its rows keep the figures measured before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "eval" / "results"
BENCHMARKS = ("retrieval", "reader", "speed", "sets")
READER_ROWS = (
    (
        "squad2_first_within_paragraph",
        "squad2, unseen titles, right sentence first in its paragraph",
    ),
    ("squad2_first_of_all", "squad2, unseen titles, right sentence first of all paragraphs"),
    ("squad2_answerable_auroc", "squad2, unseen titles, answerable or not, AUROC"),
    ("clapnq_answerable_auroc", "clapnq, answerable or not, AUROC"),
    ("realtimeqa_first", "realtimeqa, first answer sentence holds the answer"),
    ("realtimeqa_one_of_two", "realtimeqa, one of the first two does"),
    ("summit_correct", "summit questions, correct on answerable"),
    ("summit_wrong", "summit questions, wrong on answerable (less is better)"),
    ("summit_refused", "summit questions, refused on unanswerable"),
)
START, END = "<!-- results -->", "<!-- /results -->"


def run(name: str, data: Path) -> None:
    """Run one benchmark; its figures go to ``eval/results``."""
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"{name}.json"
    command = [sys.executable, "-m", f"eval.bench_{name}", "--data", str(data), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)


def rows() -> list[tuple[str, str, str, str]]:
    """Return the table: what, figure, what to hold it against, the benchmark that made it."""
    table: list[tuple[str, str, str, str]] = []
    retrieval, speed = _figures("retrieval"), _figures("speed")
    for name, what in (
        ("squad2", "paragraphs of squad2"),
        ("realtimeqa", "articles of realtimeqa"),
    ):
        figures = retrieval.get(name, {})
        if "dateline" not in figures:
            continue
        ours, words = figures["dateline"], figures["bm25_over_articles"]
        n = figures["questions"]
        for metric, label in (
            ("hit_at_1", "found first"),
            ("hit_at_5", "in the first 5"),
            ("hit_at_10", "in the first 10"),
            ("mrr_at_10", "MRR@10"),
        ):
            beside = f"BM25 over articles {_share(words[metric])}"
            table.append((f"{what}, {label} (n = {n})", _share(ours[metric]), beside, "retrieval"))
    reader = _figures("reader")
    for metric, what in READER_ROWS if reader else ():
        chosen, features, plain = (reader[name][metric] for name in ("reader", "features", "plain"))
        interval = f"{_share(chosen['low'])} to {_share(chosen['high'])}"
        beside = (
            f"{interval}; without the reader {_share(features['value'])}, BM25 + cosine "
            f"{_share(plain['value'])}"
        )
        what = f"{what} (n = {chosen['n']})"
        table.append((what, _share(chosen["value"]), beside, "reader"))
    if asked := speed.get("ask"):
        figure = f"{asked['ask_p50_ms']:.0f} / {asked['ask_p95_ms']:.0f} ms"
        over = f"{asked['passages']:,} passages"
        table.append(("ask in a warm process, p50 / p95", figure, over, "speed"))
        memory = f"{asked['ask_peak_memory_mb']:.0f} MB"
        table.append(("peak memory of `dateline ask`", memory, over, "speed"))
        disk = f"{asked['bytes_on_disk_per_passage'] / 1000:.1f} kB"
        table.append(("disk a passage", disk, over, "speed"))
    if cold := speed.get("cold"):
        figure = f"{cold['cold_ask_over_import_chromadb']:.2f} ×"
        beside = f"{cold['import_chromadb_seconds']:.1f} s on that machine"
        table.append(("cold `dateline ask` over `import chromadb`", figure, beside, "speed"))
        table.append(("`import rag`", f"{cold['import_rag_seconds']:.3f} s", "", "speed"))
    if synced := speed.get("sync"):
        figure = f"{synced['sync_passages_per_second']:.0f} passages/s"
        beside = f"{synced['sync_over_embedder']:.0%} of the embedder alone"
        table.append((f"first sync of {synced['articles']:,} articles", figure, beside, "speed"))
        memory = f"{synced['sync_peak_memory_mb']:.0f} MB"
        table.append(("peak memory of that sync", memory, "", "speed"))
        figure = f"{synced['unchanged_sync_seconds']:.2f} s"
        table.append(("the same, unchanged", figure, "", "speed"))
    return table


SYSTEMS = {
    "dateline": "Dateline",
    "bm25": "BM25, best sentence",
    "llamaindex": "LlamaIndex quickstart",
}
ASKED = ("correct", "wrong", "missing", "refused", "mrr_at_10")


def set_rows() -> Iterator[tuple[str, ...]]:
    """Yield what each system does on each question set: shares, their intervals and their n."""
    for name, systems in _figures("sets").get("sets", {}).items():
        for system, label in SYSTEMS.items():
            if system not in systems:
                continue
            scores = systems[system]["scores"]
            cells = [_interval(scores[m]) if m in scores else "–" for m in ASKED]
            yield (name, label, *cells, f"{systems[system]['answer_ms']['p50']:.0f} ms")


def table_text() -> str:
    """Return the tables as Markdown."""
    header = ("what", "figure", "beside", "`python -m eval.bench_…`")
    text = _table(header, rows())
    asked = list(set_rows())
    if asked:
        metrics = (metric.replace("_at_", "@") for metric in ASKED)
        text += "\n\n" + _table(("set", "system", *metrics, "p50"), asked)
    return text


def _table(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (header, *body)]
    lines.insert(1, "|---" * len(header) + "|")
    return "\n".join(lines)


def write_readme(path: Path) -> None:
    """Put the table between the marks of the README."""
    text = path.read_text(encoding="utf-8")
    before, found, rest = text.partition(START)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise SystemExit(f"bench: {path} has no {START} … {END}")
    path.write_text(f"{before}{START}\n{table_text()}\n{END}{after}", encoding="utf-8")


def _figures(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _interval(at: dict[str, Any]) -> str:
    return f"{_share(at['value'])} ({_share(at['low'])} to {_share(at['high'])}; {at['n']})"


def _share(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def main() -> None:
    """Run what can be run, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="run these alone")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"bench: skipped, {options.data} is not there", file=sys.stderr)
        return
    for name in options.only or BENCHMARKS:
        run(name, options.data.resolve())
    write_readme(ROOT / "README.md")


if __name__ == "__main__":
    main()

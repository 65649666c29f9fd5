"""Measure how Dateline grows: ``python -m eval.bench_scale --data ../shared/bench``.

One store grows from the first size to the last. The texts are real news articles; once those are
used up, further articles are made of their paragraphs, drawn at random, so that the words keep
their frequencies. The vectors are synthetic, since embedding 300,000 passages takes hours: each
word has a random direction, and a passage is the sum of its words. A question is embedded by the
bundled model as well, so that its time counts. Processor times stand beside those of the clock,
which suffer from whatever else the machine does.

Leaves ``scale.json``, ``scale.md`` and ``scale.svg`` in ``--out``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.corpus import find_sources, read_source
from rag.embed import BundledEmbedder
from rag.pipeline import Assistant
from rag.schema import Article

SIZES = (10_000, 30_000, 100_000, 300_000)
SETS = ("allsides", "realtimeqa", "basil")
ARTICLES_PER_FILE = 200
QUESTIONS = 100
DESKS = 20

_WORD = re.compile(r"\w+")
_COMMON = 0.15
"""Weight of words of up to three letters, which every text shares."""


class WordVectors:
    """A stand-in for a model: unit sums of random directions, one a word.

    Parameters
    ----------
    timed : bool
        Whether the bundled model embeds every text as well, for its time.
    """

    name = "words"
    dimensions = 384
    fingerprint = "bench-words-384"

    def __init__(self, *, timed: bool = False) -> None:
        self._model = BundledEmbedder()
        self._timed = timed
        self._directions: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, one a text."""
        if self._timed:
            self._model.embed(texts)
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = _WORD.findall(text.lower()) or [""]
            row[:] = sum(self._direction(word) for word in words)
            row /= np.linalg.norm(row)
        return rows

    def _direction(self, word: str) -> NDArray[np.float32]:
        known = self._directions.get(word)
        if known is None:
            seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
            known = np.random.default_rng(seed).standard_normal(384, dtype=np.float32)
            known *= _COMMON if len(word) <= 3 else 1.0
            self._directions[word] = known
        return known

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the tokenizer of the bundled model."""
        return self._model.count_tokens(texts)


def texts(data: Path) -> Iterator[tuple[str, str]]:
    """Yield titles and texts without end: the real articles, then new ones of their paragraphs."""
    real: list[Article] = []
    seen: set[str] = set()
    for name in SETS:
        for source in find_sources(data / name / "articles.jsonl.gz"):
            for article in read_source(source)[0]:
                if article.text not in seen:
                    seen.add(article.text)
                    real.append(article)
                    yield article.title, article.text
    rng = random.Random(6)
    paragraphs = [line for article in real for line in article.text.split("\n") if len(line) > 80]
    while True:
        chosen = rng.sample(paragraphs, k=rng.randrange(8, 24))
        yield " ".join(chosen[0].split()[:9]), "\n".join(chosen)


def write_files(corpus: Path, articles: Iterator[tuple[str, str]], passages: int) -> int:
    """Write files of articles worth about so many passages; return how many articles."""
    rng = random.Random(len(list(corpus.iterdir())))
    written = 0
    characters = 0
    while characters < passages * CHARACTERS_PER_PASSAGE:
        lines = []
        for _ in range(ARTICLES_PER_FILE):
            title, text = next(articles)
            characters += len(text)
            day = date(2020, 1, 1) + timedelta(days=rng.randrange(1000))
            desk = f"Desk {rng.randrange(DESKS)}"
            value = {"title": title, "text": text, "publisher": desk, "date": day.isoformat()}
            lines.append(json.dumps(value))
            if characters >= passages * CHARACTERS_PER_PASSAGE:
                break
        written += len(lines)
        number = len(list(corpus.iterdir()))
        (corpus / f"part-{number:05}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return written


# Measured on these sets at 200 tokens a passage.
CHARACTERS_PER_PASSAGE = 700


def own_peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stage_sync(corpus: Path, store: Path) -> dict[str, float]:
    """Sync twice: what was added, then nothing."""
    with Assistant.open(corpus, store=store, embedder=WordVectors()) as assistant:
        started = time.process_time()
        first = assistant.sync()
        first_worked = time.process_time() - started
        peak = own_peak_mb()
    with Assistant.open(corpus, store=store, embedder=WordVectors()) as assistant:
        worked = time.process_time()
        second = assistant.sync()
        worked = time.process_time() - worked
        status = assistant.status()
    assert second.passages == 0
    return {
        "passages": status.passages,
        "articles": status.articles,
        "sync_seconds": first.seconds,
        "sync_passages": first.passages,
        "sync_cpu_seconds": first_worked,
        "sync_peak_mb": peak,
        "unchanged_seconds": second.seconds,
        "unchanged_cpu_seconds": worked,
        "bytes_on_disk": status.bytes_on_disk,
    }


def stage_ask(store: Path, questions: Sequence[str]) -> dict[str, float]:
    """Open in this new process, then ask; the import of Chroma is part of opening."""
    embedder = WordVectors(timed=True)
    started, worked = time.perf_counter(), time.process_time()
    with Assistant.open(store=store, embedder=embedder) as assistant:
        assistant.search(questions[0])
        figures = {
            "open_seconds": time.perf_counter() - started,
            "open_cpu_seconds": time.process_time() - worked,
        }
        for question in questions[:10]:
            assistant.ask(question)
        for name, limits in _filters().items():
            times, works = [], []
            stages: dict[str, list[float]] = {}
            for question in questions:
                started, worked = time.perf_counter(), time.process_time()
                answer = assistant.ask(question, **limits)
                times.append(1000 * (time.perf_counter() - started))
                works.append(1000 * (time.process_time() - worked))
                for timing in answer.timings:
                    stages.setdefault(timing.stage, []).append(1000 * timing.seconds)
            cuts = statistics.quantiles(times, n=100)
            key = f"ask_{name}".replace(" ", "_")
            figures |= {f"{key}_p50_ms": cuts[49], f"{key}_p95_ms": cuts[94]}
            cuts = statistics.quantiles(works, n=100)
            figures |= {f"{key}_cpu_p50_ms": cuts[49], f"{key}_cpu_p95_ms": cuts[94]}
            for stage, values in stages.items():
                figures[f"{key}_{stage}_p50_ms"] = statistics.median(values)
    return figures | {"ask_peak_mb": own_peak_mb()}


def _filters() -> dict[str, dict[str, Any]]:
    return {
        "all": {},
        "half": {"since": date(2020, 1, 1) + timedelta(days=500)},
        "twentieth": {"publisher": "Desk 7"},
    }


def in_child(stage: str, *arguments: Path) -> dict[str, Any]:
    """Run a stage in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "eval.bench_scale", "--stage", stage, *map(str, arguments)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def measure(data: Path, sizes: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """Return the figures of each size."""
    corpus, store = folder / "corpus", folder / "store"
    corpus.mkdir(parents=True)
    articles = texts(data)
    rows: list[dict[str, Any]] = []
    seconds = worked = passages = 0.0
    for size in sizes:
        write_files(corpus, articles, size - int(passages))
        row = in_child("sync", corpus, store)
        seconds += row["sync_seconds"]
        passages = row["passages"]
        worked += row["sync_cpu_seconds"]
        row |= {"sync_total_seconds": seconds, "sync_total_cpu_seconds": worked}
        row |= in_child("ask", store, data / "realtimeqa" / "questions.jsonl")
        row["load_average"] = os.getloadavg()[0]
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


COLUMNS = {
    "passages": ("passages", "{:,.0f}", 1.0),
    "sync, s": ("sync_total_seconds", "{:.0f}", 1.0),
    "(CPU)": ("sync_total_cpu_seconds", "{:.0f}", 1.0),
    "unchanged sync, s": ("unchanged_seconds", "{:.1f}", 1.0),
    "open, s": ("open_seconds", "{:.1f}", 1.0),
    "(CPU) ": ("open_cpu_seconds", "{:.1f}", 1.0),
    "ask p50, ms": ("ask_all_p50_ms", "{:.0f}", 1.0),
    "ask p95, ms": ("ask_all_p95_ms", "{:.0f}", 1.0),
    "(CPU p95)": ("ask_all_cpu_p95_ms", "{:.0f}", 1.0),
    "half of them p95, ms": ("ask_half_p95_ms", "{:.0f}", 1.0),
    "(CPU p95)  ": ("ask_half_cpu_p95_ms", "{:.0f}", 1.0),
    "a twentieth p95, ms": ("ask_twentieth_p95_ms", "{:.0f}", 1.0),
    "(CPU p95) ": ("ask_twentieth_cpu_p95_ms", "{:.0f}", 1.0),
    "memory (sync), MB": ("sync_peak_mb", "{:.0f}", 1.0),
    "memory (ask), MB": ("ask_peak_mb", "{:.0f}", 1.0),
    "disk, MB": ("bytes_on_disk", "{:,.0f}", 1e-6),
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table, one size a row."""
    lines = [" | ".join(COLUMNS), " | ".join("---:" for _ in COLUMNS)]
    for row in rows:
        lines.append(" | ".join(form.format(row[key] * by) for key, form, by in COLUMNS.values()))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw what grows, against the number of passages."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dateline"
    from matplotlib import pyplot

    panels = (
        ("ask, ms", {"p50": "ask_all_p50_ms", "p95": "ask_all_p95_ms"}, 1.0),
        ("open and unchanged sync, s", {"open": "open_seconds", "sync": "unchanged_seconds"}, 1.0),
        ("sync, minutes", {"without the model": "sync_total_seconds"}, 1 / 60),
        ("memory and disk, MB", {"ask": "ask_peak_mb", "sync": "sync_peak_mb"}, 1.0),
    )
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    x = [row["passages"] for row in rows]
    for axis, (title, lines, scale) in zip(axes.flat, panels, strict=True):
        for label, key in lines.items():
            axis.plot(x, [row[key] * scale for row in rows], marker="o", label=label)
        if "disk" in title:
            disk = [row["bytes_on_disk"] / 1e6 for row in rows]
            axis.plot(x, disk, marker="o", label="disk")
        axis.set(xscale="log", title=title, xlabel="passages", ylim=(0, None))
        axis.set_xticks(x, [f"{size / 1000:.0f}k" for size in x])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--out", type=Path, default=Path("eval/results"))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="Keep the store here.")
    parser.add_argument("--stage", nargs="+")
    options = parser.parse_args()
    if options.stage:
        name, *paths = options.stage
        if name == "sync":
            figures = stage_sync(Path(paths[0]), Path(paths[1]))
        else:
            lines = Path(paths[1]).read_text(encoding="utf-8").splitlines()[:QUESTIONS]
            figures = stage_ask(Path(paths[0]), [json.loads(line)["question"] for line in lines])
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.data, options.sizes, options.folder or Path(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scale.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (options.out / "scale.md").write_text(table(rows), encoding="utf-8")
    plot(rows, options.out / "scale.svg")
    print(table(rows))


if __name__ == "__main__":
    main()

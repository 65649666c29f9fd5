"""Measure what waiting costs: ``python -m eval.bench_speed --data ../shared/bench``.

Cold starts are timed against ``import chromadb`` in turn, and a sync against the embedder on its
own, so that the ratios hold on a machine that is busy with other things. Sets that are not found
under ``--data`` are named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rag.corpus import find_sources, read_source
from rag.embed import BundledEmbedder
from rag.pipeline import Assistant
from rag.split import embedding_text, split_passages

ROOT = Path(__file__).parents[1]
PAIRS = 7
SAMPLED_PASSAGES = 2_500
SYNCED = ("allsides", "realtimeqa")
QUESTION = "How many working holiday visas does Japan issue to Koreans each year?"


def run_command(arguments: list[str], store: Path) -> tuple[str, float, float]:
    """Run a Python command; return what it printed, its wall seconds and its peak memory in MB."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "RAG_STORE": str(store)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"bench_speed: {arguments} ended with status {status}")
    return printed, time.perf_counter() - started, usage.ru_maxrss / 1024


def measure_cold(folder: Path) -> dict[str, float]:
    """Measure starts of new processes, each beside its measure in turn; medians."""
    store = folder / "cold"
    with Assistant.open(ROOT / "corpus", store=store) as assistant:
        assistant.sync()
    ask = ["-m", "rag.cli", "ask", QUESTION]
    times: dict[str, list[float]] = {"ask": [], "chromadb": [], "rag": [], "nothing": []}
    for _ in range(PAIRS):
        times["ask"].append(run_command(ask, store)[1])
        times["chromadb"].append(run_command(["-c", "import chromadb"], store)[1])
        times["rag"].append(run_command(["-c", "import rag"], store)[1])
        times["nothing"].append(run_command(["-c", "pass"], store)[1])
    median = {name: statistics.median(values) for name, values in times.items()}
    ratios = [a / b for a, b in zip(times["ask"], times["chromadb"], strict=True)]
    return {
        "cold_ask_seconds": median["ask"],
        "import_chromadb_seconds": median["chromadb"],
        "cold_ask_over_import_chromadb": statistics.median(ratios),
        "import_rag_seconds": median["rag"] - median["nothing"],
    }


def measure_ask(data: Path, folder: Path) -> dict[str, float]:
    """Index realtimeqa and measure its questions in a warm process, and one in a new process."""
    store = folder / "realtimeqa"
    lines = (data / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    with Assistant.open(data / "articles.jsonl.gz", store=store) as assistant:
        assistant.sync()
        for question in questions[:10]:
            assistant.ask(question)
        times = []
        stages: dict[str, list[float]] = {}
        for question in questions:
            started = time.perf_counter()
            answer = assistant.ask(question)
            times.append(1000 * (time.perf_counter() - started))
            for timing in answer.timings:
                stages.setdefault(timing.stage, []).append(1000 * timing.seconds)
        status = assistant.status()
    cuts = statistics.quantiles(times, n=100)
    _, _, memory = run_command(["-m", "rag.cli", "ask", questions[0]], store)
    return {
        "passages": status.passages,
        "ask_p50_ms": cuts[49],
        "ask_p95_ms": cuts[94],
        **{f"{stage}_p50_ms": statistics.median(values) for stage, values in stages.items()},
        "ask_peak_memory_mb": memory,
        "bytes_on_disk_per_passage": status.bytes_on_disk / status.passages,
    }


def measure_sync(data: Path, folder: Path) -> dict[str, float]:
    """Sync allsides and realtimeqa, beside the embedder alone on a sample of their passages."""
    corpus, store = folder / "corpus", folder / "both"
    corpus.mkdir()
    for name in SYNCED:
        shutil.copy(data / name / "articles.jsonl.gz", corpus / f"{name}.jsonl.gz")
    embedder = BundledEmbedder()
    articles = [a for source in find_sources(corpus) for a in read_source(source)[0]]
    passages = [
        embedding_text(passage)
        for article in random.Random(0).sample(articles, min(400, len(articles)))
        for passage in split_passages(article, embedder.count_tokens, overlap=0)
    ][:SAMPLED_PASSAGES]
    embedder.embed(passages[:64])

    def embedder_speed() -> float:
        started = time.perf_counter()
        embedder.embed(passages)
        return len(passages) / (time.perf_counter() - started)

    sync = ["-m", "rag.cli", "sync", str(corpus), "--json"]
    before = embedder_speed()
    printed, _, memory = run_command(sync, store)
    after = embedder_speed()
    first = json.loads(printed)
    second = json.loads(run_command(sync, store)[0])
    alone = (before + after) / 2
    speed = first["passages"] / first["seconds"]
    return {
        "articles": first["added"],
        "passages": first["passages"],
        "sync_seconds": first["seconds"],
        "sync_passages_per_second": speed,
        "embedder_passages_per_second": alone,
        "sync_over_embedder": speed / alone,
        "sync_peak_memory_mb": memory,
        "unchanged_sync_seconds": second["seconds"],
    }


def measure(data: Path) -> dict[str, Any]:
    """Run what can be run; a set that is missing is said so under ``skipped``."""
    found: dict[str, Any] = {}
    skipped = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found["cold"] = measure_cold(folder)
        missing = [name for name in SYNCED if not (data / name).is_dir()]
        if "realtimeqa" in missing:
            skipped.append(f"ask: no {data / 'realtimeqa'}")
        else:
            found["ask"] = measure_ask(data / "realtimeqa", folder)
        if missing:
            skipped.append(f"sync: no {data / missing[0]}")
        else:
            found["sync"] = measure_sync(data, folder)
    return {**found, "skipped": skipped}


def main() -> None:
    """Print the figures, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    figures = json.dumps(measure(options.data), indent=1)
    print(figures)
    if options.out:
        options.out.write_text(figures + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Ask a system every question of a set, and store what it says as it comes.

Replies are written in the order of the questions, each flushed and synced, so that a run that is
killed and resumed holds the same bytes as one that was not. What differs from run to run (seconds,
memory) goes into files of its own.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.intervals import SEED
from eval.jsonl import append, open_for_append, read_json, read_objects, write_json
from eval.provenance import OutboundCounter, code_state, corpus_hash, machine
from eval.questions import Question, QuestionSet, check_quotes
from eval.records import Reply, StoredHit, article_to_dict, reply_to_dict
from eval.runs import FORMAT, read_articles, read_info, read_replies, start_run
from eval.systems import Seconds, System
from rag import Article, EvaluationError

HITS = 20
# In article units several hits may be one article: so many passages are looked at to name 20.
_PASSAGES_FOR_ARTICLES = 60

Report = Callable[[int, int], None]


def predict(
    system: System,
    questions: QuestionSet,
    out: Path,
    *,
    workers: int | None = None,
    progress: Report | None = None,
    sync_seconds: float = 0.0,
    bytes_on_disk: int = 0,
) -> Path:
    """Run `system` over `questions` into the folder `out`, or finish what was begun there.

    Parameters
    ----------
    system : System
    questions : QuestionSet
    out : pathlib.Path
        Folder of the run.
    workers : int or None
        Questions asked at once; `None` for what the system allows.
    progress : callable or None
        Called with questions done and questions in all.
    sync_seconds, bytes_on_disk : float, int
        What preparing the system cost, to be stored with the run.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    EvaluationError
        If a gold quote doesn't stand in the corpus, or `out` holds another run.
    """
    corpus = system.articles()
    check_quotes(questions, corpus)
    info = run_info(system, questions, corpus)
    started = time.perf_counter()
    resumed = start_run(out, info, questions)
    done = set(read_replies(out, torn_end=True)) if resumed else set()
    known = set(read_articles(out, torn_end=True)) if resumed else set()
    order = [question.question_id for question in questions.questions]
    if [question_id for question_id in order if question_id in done] != order[: len(done)]:
        raise EvaluationError(f"{out}: its replies are out of order; choose another --out")
    todo = questions.questions[len(done) :]
    hits = HITS if questions.unit == "passage" else _PASSAGES_FOR_ARTICLES
    count = len(done)
    if progress:
        progress(count, len(order))
    with (
        OutboundCounter() as outbound,
        open_for_append(out / "predictions.jsonl") as predictions,
        open_for_append(out / "articles.jsonl") as articles,
        open_for_append(out / "timings.jsonl") as timings,
    ):
        for question, (reply, seconds) in _replies(system, todo, hits, workers or system.workers):
            kept = _units(reply, questions.unit)
            for article_id, version in _pointed_at(kept):
                if (article_id, version) not in known:
                    known.add((article_id, version))
                    article = system.article(article_id, version)
                    append(articles, {**article_to_dict(article), "version": version})
            timed = {"question_id": question.question_id, "seconds": _rounded(seconds)}
            append(timings, timed, sync=False)
            append(predictions, reply_to_dict(question.question_id, kept))
            count += 1
            if progress:
                progress(count, len(order))
    outside = sorted({*read_info(out).get("outbound", ()), *outbound.attempts})
    write_json(out / "run.json", {**info, "complete": True, "outbound": outside})
    _write_cost(out, time.perf_counter() - started, sync_seconds, bytes_on_disk)
    return out


def run_info(system: System, questions: QuestionSet, corpus: Sequence[Article]) -> dict[str, Any]:
    """Return the provenance of a run that is about to start; nothing in it depends on time."""
    held = {article.article_id for article in corpus}
    golds = {gold.article for question in questions.questions for gold in question.evidence}
    days = [article.published for article in corpus if article.published]
    return {
        "format": FORMAT,
        "set": {
            "name": questions.name,
            "version": questions.version,
            "unit": questions.unit,
            "questions": len(questions.questions),
            "fingerprint": questions.fingerprint,
        },
        "corpus": {
            "articles": len(corpus),
            "hash": corpus_hash(corpus),
            "last_published": max(days).isoformat() if days else None,
            "absent_golds": sorted(golds - held),
        },
        "system": {"name": system.name, **system.describe()},
        "code": code_state(),
        "machine": machine(),
        "seed": SEED,
        "complete": False,
        "outbound": [],
    }


def _replies(
    system: System, questions: Sequence[Question], hits: int, workers: int
) -> Iterator[tuple[Question, tuple[Reply, Seconds]]]:
    """Yield replies in the order of the questions, with at most `workers` asked at once."""
    if workers <= 1:
        for question in questions:
            yield question, system.reply(question, hits)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="predict") as pool:
        waiting: deque[tuple[Question, Future[tuple[Reply, Seconds]]]] = deque()
        source = iter(questions)
        try:
            while True:
                # A reply that is late holds back later ones, so a few more are kept in hand.
                while len(waiting) < 2 * workers:
                    asked = next(source, None)
                    if asked is None:
                        break
                    waiting.append((asked, pool.submit(system.reply, asked, hits)))
                if not waiting:
                    return
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _units(reply: Reply, unit: str) -> Reply:
    """Keep the first `HITS` units: passages, or the best passage of each article."""
    if unit == "passage":
        return replace(reply, hits=reply.hits[:HITS])
    best: dict[str, StoredHit] = {}
    for hit in reply.hits:
        best.setdefault(hit.place.article, hit)
    return replace(reply, hits=tuple(best.values())[:HITS])


def _pointed_at(reply: Reply) -> Iterator[tuple[str, str]]:
    for place in reply.places:
        yield place.article, place.version


def _rounded(seconds: Seconds) -> dict[str, float]:
    return {stage: round(value, 6) for stage, value in seconds.items()}


def _write_cost(out: Path, wall: float, sync_seconds: float, bytes_on_disk: int) -> None:
    path = out / "cost.json"
    before = read_json(path) if path.exists() else {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    peak_bytes = peak if sys.platform == "darwin" else peak * 1024
    write_json(
        path,
        {
            "wall_seconds": round(before.get("wall_seconds", 0.0) + wall, 3),
            "sync_seconds": round(max(before.get("sync_seconds", 0.0), sync_seconds), 3),
            "bytes_on_disk": bytes_on_disk or before.get("bytes_on_disk", 0),
            "peak_bytes": max(before.get("peak_bytes", 0), peak_bytes),
        },
    )


def read_timings(run: Path) -> dict[str, dict[str, float]]:
    """Return seconds by stage for each question; the last line of a question counts."""
    path = run / "timings.jsonl"
    if not path.exists():
        return {}
    return {
        str(values["question_id"]): dict(values["seconds"])
        for _, values in read_objects(path, torn_end=True)
    }


class Progress:
    """Shows questions done on standard error: one line that moves on a terminal, else a few."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._begin = time.monotonic()
        self._first = -1
        self._lock = threading.Lock()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` questions are answered."""
        with self._lock:
            if self._first < 0:
                self._first = done
            step = max(1, total // 10)
            if not self._terminal and done not in (self._first, total) and done % step:
                return
            elapsed = time.monotonic() - self._begin
            rate = (done - self._first) / elapsed if elapsed > 0 else 0.0
            left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
            end = "\r" if self._terminal and done < total else "\n"
            sys.stderr.write(f"{done}/{total} questions, {rate:.1f}/s{left}    {end}")
            sys.stderr.flush()

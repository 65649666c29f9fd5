"""Kill syncs at random moments and at each named step, and look whether the store survives.

    python tests/crash.py --kills 200

Each round changes the corpus, starts a sync in a child process, kills it with signal 9, opens the
store again in another child, and compares what is found there with what was found before and with
what the corpus says now. Prints one JSON object; exits 1 if anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import chromadb  # noqa: F401 - imported once here, so that a child starts in milliseconds
from doubles import HashingEmbedder

from rag import index
from rag.store import Store

STEPS = ("embedded", "pending", "indexed", "live", "dropped")
WORDS = ("heron", "otter", "badger", "lynx", "plover", "stork", "marten", "beaver", "swan", "crane")

Texts = dict[str, str]
_MARK = re.compile(r"m\d+")


def sentences(rng: random.Random, name: str) -> str:
    """Return a text of which every sentence, and so every passage, is like no other."""
    lines = []
    for _ in range(rng.randrange(2, 6)):
        mark = f"m{rng.randrange(10**9)}"
        lines.append(f"The {rng.choice(WORDS)} of {name} was ringed with number {mark} at dawn.")
    return " ".join(lines)


def write(corpus: Path, name: str, text: str) -> None:
    (corpus / f"{name}.md").write_text(f"---\ntitle: Ring {name}\n---\n{text}\n", encoding="utf-8")


def change(rng: random.Random, corpus: Path, texts: Texts, serial: int) -> Texts:
    """Edit, remove, add and rename some articles; return what the corpus says then."""
    now = dict(texts)
    for name in rng.sample(sorted(now), k=max(1, len(now) // 8)):
        now[name] = sentences(rng, name)
        write(corpus, name, now[name])
    for name in rng.sample(sorted(now), k=max(1, len(now) // 20)):
        del now[name]
        (corpus / f"{name}.md").unlink()
    for i in range(max(1, len(now) // 20)):
        name = f"a{serial}x{i}"
        now[name] = sentences(rng, name)
        write(corpus, name, now[name])
    for i, name in enumerate(rng.sample(sorted(now), k=2)):
        fresh = f"r{serial}x{i}"
        now[fresh] = now.pop(name)
        (corpus / f"{name}.md").unlink()
        write(corpus, fresh, now[fresh])
    return now


def run_sync(corpus: Path, folder: Path, step: str | None = None) -> None:
    def reached(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with Store(folder, embedder=HashingEmbedder().fingerprint) as store:
        index.PASSAGES_PER_BATCH = 64
        index.sync(corpus, store, HashingEmbedder(), max_tokens=32, overlap=0, reached=reached)


def inspect(folder: Path) -> dict[str, object]:
    """Open a store as a question would, and list what it holds and finds."""
    started = time.perf_counter()
    embedder = HashingEmbedder()
    with Store(folder, embedder=embedder.fingerprint) as store:
        chroma = store.catalogue.get_meta("chroma")
        vectors = store.vectors
        seconds = time.perf_counter() - started
        catalogue = store.catalogue
        passages = catalogue.passages(catalogue.passage_ids())
        texts: dict[str, list[str]] = {}
        lost = {"vector": 0, "words": 0}
        for number, passage in passages.items():
            texts.setdefault(passage.article.article_id, []).append(passage.text)
            _, rows = catalogue.vectors([number])
            lost["vector"] += all(i != number for i, _ in vectors.search(rows[0], k=5))
            mark = next(word for word in passage.text.split() if _MARK.fullmatch(word))
            hits = list(catalogue.search_passages([mark], k=5))
            lost["words"] += hits != [number]
        return {
            "texts": {name: " ".join(parts) for name, parts in texts.items()},
            "passages": len(passages),
            "surplus": len(vectors.ids() ^ set(passages)),
            "words": catalogue.count_words() - len(passages),
            "unfound": lost,
            "seconds": seconds,
            "rebuilt": chroma != store.catalogue.get_meta("chroma"),
        }


def in_child(work: Callable[[], object], kill_after: float | None = None) -> tuple[int, object]:
    """Run `work` in a forked child; return its exit status (negative: a signal) and its result."""
    read, written = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            with os.fdopen(written, "w") as pipe:
                json.dump(work(), pipe)
            status = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(status)
    os.close(written)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(told) if told else None


def faults(before: Texts, wanted: Texts, seen: dict[str, object]) -> Counter[str]:
    """Compare what is found with what was found before and what the corpus says."""
    found = seen["texts"]
    unfound = seen["unfound"]
    assert isinstance(found, dict) and isinstance(unfound, dict)
    count: Counter[str] = Counter()
    for name in before.keys() | wanted.keys() | found.keys():
        old, new, now = before.get(name), wanted.get(name), found.get(name)
        if now is None:
            # Neither the old nor the new version: lost, unless it was or is to be absent.
            count["lost"] += old is not None and new is not None
        elif now not in (old, new):
            count["doubled or mixed"] += 1
    count["not found by vector"] = unfound["vector"]
    count["not found by words"] = unfound["words"]
    count["vectors of no passage"] = int(str(seen["surplus"]))
    count["words of no passage"] = abs(int(str(seen["words"])))
    return count


def crash(kills: int, *, articles: int, seed: int) -> dict[str, object]:
    """Kill `kills` syncs and return counts; steps take the first turns, then random moments."""
    rng = random.Random(seed)
    base = Path(tempfile.mkdtemp(prefix="dateline-crash-"))
    corpus, folder = base / "corpus", base / "store"
    corpus.mkdir()
    wanted = {name: sentences(rng, name) for name in (f"n{i}" for i in range(articles))}
    for name, text in wanted.items():
        write(corpus, name, text)
    counts: Counter[str] = Counter()
    recoveries = []
    try:
        status, _ = in_child(lambda: run_sync(corpus, folder))
        assert status == 0, "the first sync failed"
        before = dict(wanted)
        moment = 1.0
        for turn in range(kills):
            wanted = change(rng, corpus, wanted, turn)
            step = STEPS[turn] if turn < len(STEPS) else None
            delay = None if step else rng.uniform(0.0, moment)
            started = time.perf_counter()
            status, _ = in_child(lambda step=step: run_sync(corpus, folder, step), delay)
            if status == 0:
                counts["finished before the kill"] += 1
                moment = 0.9 * max(0.05, time.perf_counter() - started)
            elif status == -signal.SIGKILL:
                counts["killed"] += 1
                moment = min(moment * 1.05, 5.0)
            else:
                counts["failed by itself"] += 1
            status, seen = in_child(lambda: inspect(folder))
            if status != 0 or not isinstance(seen, dict):
                counts["could not be opened"] += 1
                continue
            found = faults(before, wanted, seen)
            counts.update(found)
            counts["survived"] += not sum(found.values())
            counts["rebuilt"] += seen["rebuilt"]
            counts["old and new mixed over articles"] += seen["texts"] not in (before, wanted)
            recoveries.append(seen["seconds"])
            before = seen["texts"]
        status, _ = in_child(lambda: run_sync(corpus, folder))
        status, seen = in_child(lambda: inspect(folder))
        assert isinstance(seen, dict)
        counts["differs from a fresh build"] = int(seen["texts"] != wanted)
    finally:
        shutil.rmtree(base)
    return {
        "kills": kills,
        **counts,
        "passages": seen["passages"],
        "slowest recovery, seconds": round(max(recoveries), 2),
    }


BAD = (
    "lost",
    "doubled or mixed",
    "not found by vector",
    "not found by words",
    "vectors of no passage",
    "words of no passage",
    "could not be opened",
    "failed by itself",
    "differs from a fresh build",
)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Kill syncs and look whether the store survives.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--articles", type=int, default=120)
    parser.add_argument("--seed", type=int, default=6)
    options = parser.parse_args()
    counts = crash(options.kills, articles=options.articles, seed=options.seed)
    counts = {name: counts.get(name, 0) for name in (*counts, *BAD)}
    print(json.dumps(counts))
    return int(any(counts[name] for name in BAD))


if __name__ == "__main__":
    sys.exit(main())

"""Measure how many sentences a second `rag.split` finds: ``python -m eval.bench_split --data DIR``.

The folder holds articles in any supported format; reading them is not measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from rag.corpus import find_sources, read_source
from rag.errors import UserError
from rag.split import split_sentences

_ROUNDS = 3


def measure(data: Path) -> dict[str, float]:
    """Return counts and the best rate of three rounds, in CPU seconds of one thread.

    Parameters
    ----------
    data : Path
        A corpus, such as a folder with ``articles.jsonl.gz``.

    Raises
    ------
    CorpusError
        If there is no article.
    """
    texts = [article.text for source in find_sources(data) for article in read_source(source)[0]]
    best = float("inf")
    sentences = 0
    for _ in range(_ROUNDS):
        start = time.process_time()
        sentences = sum(len(split_sentences(text)) for text in texts)
        best = min(best, time.process_time() - start)
    return {
        "articles": len(texts),
        "characters": sum(map(len, texts)),
        "sentences": sentences,
        "seconds": round(best, 3),
        "sentences_per_second": round(sentences / max(best, 1e-9)),
    }


def main() -> int:
    """Print the measurement as one line of JSON; 2 if the folder can't be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of articles")
    try:
        print(json.dumps(measure(parser.parse_args().data)))
    except UserError as error:
        print(f"bench_split: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How well the answer match agrees with people: EVOUNA's answers of five systems to NQ questions.

``python -m eval.bench_match --data FOLDER --out FILE``. A gold answer that stands in the answer
(`eval.text.holds_answer`) is held against what people found true.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

from eval.adapters.reading import find
from eval.intervals import proportion
from eval.jsonl import write_json
from eval.text import holds_answer
from rag import EvaluationError

SYSTEMS = ("fid", "gpt35", "chatgpt", "gpt4", "newbing")


def measure(path: Path) -> dict[str, Any]:
    """Return agreement, and how often the match is wrong on either side, by system and in all."""
    raw = path.read_bytes()
    rows = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    votes: dict[str, list[tuple[bool, bool]]] = {system: [] for system in SYSTEMS}
    for row in rows:
        if row.get("improper"):
            continue
        golds = [gold.strip() for gold in row["golden_answer"].split("/") if gold.strip()]
        for system in SYSTEMS:
            matched = holds_answer(row[f"answer_{system}"] or "", golds)
            votes[system].append((matched, bool(row[f"judge_{system}"])))
    votes["all"] = [pair for system in SYSTEMS for pair in votes[system]]
    made = {}
    for system, pairs in votes.items():
        right = [matched for matched, true in pairs if true]
        wrong = [matched for matched, true in pairs if not true]
        agree = sum(matched == true for matched, true in pairs)
        made[system] = {
            "agreement": proportion(float(agree), len(pairs)).to_dict(),
            "right_answers_matched": proportion(float(sum(right)), len(right)).to_dict(),
            "wrong_answers_matched": proportion(float(sum(wrong)), len(wrong)).to_dict(),
        }
    return made


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, required=True, help="file of the figures, .json")
    options = parser.parse_args()
    try:
        path = find(options.data, "evouna", "NQ.json.gz", "NQ.json")
    except EvaluationError as error:
        print(f"bench: skipped evouna: {error}", file=sys.stderr)
        return
    made = measure(path)
    write_json(options.out, made)
    for system, figures in made.items():
        shown = ", ".join(f"{k} {v['value']:.3f} (n = {v['n']})" for k, v in figures.items())
        print(f"{system}: {shown}")


if __name__ == "__main__":
    main()

"""Measure follow-ups on CANARD: the rules' standalone question against the raw one.

Run ``python -m eval.bench_conversation --data FOLDER`` with a folder that holds
``canard/rewrites.jsonl.gz``. The figure is SQuAD's token F1 with the rewrite that a person wrote.
The rules were made and their two weights fitted (``--fit``) while looking at the first half only;
the second half is what counts. Intervals are bootstrapped over dialogues, since questions of one
dialogue share their names.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag import followup
from rag.followup import Turn, standalone_by_rules

SEED = 20250823
DRAWS = 2_000
UNKNOWN = "I don't know."
"""What CANARD writes where the article holds no answer."""

ANSWER_WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7)
FADES = (0.5, 0.7, 0.85, 0.95)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question, the turns before it, and what a person made of it."""

    dialogue: str
    question: str
    turns: tuple[Turn, ...]
    rewrite: str


def read_follow_ups(path: Path) -> list[FollowUp]:
    """Read CANARD's rows; title and section stand as the first turn of each history."""
    rows = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            texts = ["" if text == UNKNOWN else text for text in row["History"]]
            texts += [""] * (len(texts) % 2)
            turns = tuple(Turn(*pair) for pair in zip(texts[::2], texts[1::2], strict=True))
            dialogue = row["QuAC_dialog_id"]
            rows.append(FollowUp(dialogue, row["Question"], turns, row["Rewrite"]))
    return rows


def token_f1(predicted: str, gold: str) -> float:
    """Return SQuAD's F1: lower case, no punctuation, no articles, tokens as a multiset."""
    first, second = _tokens(predicted), _tokens(gold)
    shared = sum((first & second).values())
    if not shared:
        return float(first == second)
    precision, recall = shared / first.total(), shared / second.total()
    return 2 * precision * recall / (precision + recall)


def _tokens(text: str) -> Counter[str]:
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return Counter(word for word in bare.split() if word not in ("a", "an", "the"))


def scores(rows: Sequence[FollowUp], method: Callable[[FollowUp], str]) -> list[float]:
    """Return the F1 of what `method` makes of each row."""
    return [token_f1(method(row), row.rewrite) for row in rows]


def interval(rows: Sequence[FollowUp], values: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of the mean, drawn over dialogues."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for row, value in zip(rows, values, strict=True):
        groups[row.dialogue].append(value)
    totals = [(sum(group), len(group)) for group in groups.values()]
    generator = random.Random(SEED)
    means = []
    for _ in range(DRAWS):
        drawn = generator.choices(totals, k=len(totals))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    return means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS)]


def fit(rows: Sequence[FollowUp]) -> None:
    """Print the F1 of the rules over a grid of their two weights."""
    for answer_weight in ANSWER_WEIGHTS:
        for fade in FADES:
            followup.ANSWER_WEIGHT, followup.FADE = answer_weight, fade
            values = scores(rows, _by_rules)
            print(f"answer {answer_weight:.2f}  fade {fade:.2f}  {sum(values) / len(values):.4f}")


def _by_rules(row: FollowUp) -> str:
    return standalone_by_rules(row.question, row.turns)


def _raw(row: FollowUp) -> str:
    return row.question


def main() -> None:
    """Print the table, or the grid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question sets")
    parser.add_argument("--fit", action="store_true", help="try weights on the first half")
    options = parser.parse_args()
    path = options.data / "canard" / "rewrites.jsonl.gz"
    if not path.is_file():
        print(f"skipped: {path} is missing")
        return
    rows = read_follow_ups(path)
    dialogues = sorted({row.dialogue for row in rows}, key=[r.dialogue for r in rows].index)
    first_dialogues = set(dialogues[: len(dialogues) // 2])
    first = [row for row in rows if row.dialogue in first_dialogues]
    second = [row for row in rows if row.dialogue not in first_dialogues]
    if options.fit:
        fit(first)
        return
    print(f"{'half':<10}{'n':>6}  {'method':<8}{'F1':>7}  95 % interval    better / same / worse")
    for name, half in (("first", first), ("second", second)):
        raw = scores(half, _raw)
        for label, method in (("raw", _raw), ("rules", _by_rules)):
            values = scores(half, method)
            low, high = interval(half, values)
            mean = sum(values) / len(values)
            line = f"{name:<10}{len(half):>6}  {label:<8}{mean:>7.4f}  [{low:.4f}, {high:.4f}]"
            if label == "rules":
                pairs = list(zip(values, raw, strict=True))
                better = sum(a > b + 1e-9 for a, b in pairs)
                worse = sum(a < b - 1e-9 for a, b in pairs)
                line += f"  {better} / {len(pairs) - better - worse} / {worse}"
            print(line)


if __name__ == "__main__":
    main()

"""Measure the support check: people's labels, mutations, rewordings, calibration, speed.

``python -m eval.bench_verify --data FOLDER`` prints the tables; a set that isn't found is named
and skipped. ragtruth and qags were never fitted on. expertqa and wice were: a star marks them, and
they are judged by weights that were fitted without them. Beside each AUROC stands that of the
share of claim words found in the source.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from eval.abstention import auroc, balanced_accuracy, ece
from eval.adapters import CHECKER_SETS, Pair, load_pairs
from eval.checker import word_overlap
from eval.intervals import Estimate, Statistic, Weights, bootstrap, bounded, proportion
from eval.jsonl import write_json
from eval.mutate import MUTATIONS, PARAPHRASES, Change
from eval.plots import reliability_plot, write_plot
from rag import EvaluationError, Support, Verifier, split_sentences
from rag.checking.support import Logistic, support_model

SEED: Final = 20250823
DRAWS: Final = 2_000
TRAINED: Final = ("expertqa", "wice")
ADDRESSES: Final = 228
"""Judged claims of expertqa whose evidence is a web address without text: people opened the page.
They can't be judged from the set, so they are left out; the figure with them stands beside."""
KINDS: Final = {
    "number": ("number, other digits", "number of another sentence", "number word",
               "two numbers exchanged", "scale or unit"),
    "name": ("name of another sentence", "two names exchanged"),
    "negation": ("negation added", "negation dropped"),
    "speaker": ("speaker",),
}  # fmt: skip
BARS: Final = {
    "ragtruth": 0.85, "expertqa": 0.65, "wice": 0.78, "qags": 0.75,
    "number": 0.98, "name": 0.90, "negation": 0.90, "speaker": 0.80,
}  # fmt: skip
_WORD: Final = re.compile(r"\w+")
_QUOTATION: Final = re.compile(r"[“\"]([^“”\"]*)[”\"]")


@dataclass(frozen=True, slots=True)
class Counted:
    """Changed sentences, and how many of them weren't supported, and were withheld."""

    total: int
    flagged: int
    withheld: int

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.total + other.total, self.flagged + other.flagged, self.withheld + other.withheld
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one set by name, and the scores and labels that they were made of."""

    figures: dict[str, Estimate]
    scores: list[float]
    labels: list[bool]


def measure_set(name: str, data: Path) -> Measured:
    """Score one set with and without vectors, and estimate every figure of its row."""
    pairs = load_pairs(name, data)
    labels = [pair.supported for pair in pairs]
    model = support_model(name)
    scores = _scores(pairs, Verifier.open("off", unseen=name))
    verdicts = [Verifier(unseen=name)(pair.claim, pair.evidence) for pair in pairs]
    words = [verdict.score for verdict in verdicts]
    accepted = [float(verdict.support is Support.SUPPORTED) for verdict in verdicts]
    overlap = [word_overlap(pair.claim, pair.evidence) for pair in pairs]
    ours, baseline = auroc(scores, labels), auroc(overlap, labels)

    def gain(weights: Weights) -> Weights:
        return ours(weights) - baseline(weights)

    statistics: dict[str, Statistic] = {
        "auroc": ours,
        "auroc_words_only": auroc(words, labels),
        "auroc_overlap": baseline,
        "balanced_accuracy": balanced_accuracy(scores, labels, model.threshold),
        "verdict_balanced_accuracy": balanced_accuracy(accepted, labels, 0.5),
        "ece": ece(scores, labels),
        "ece_uncalibrated": ece([_uncalibrated(s, model.vectors) for s in scores], labels),
        "gain": gain,
    }
    made = _estimates(statistics, [pair.cluster for pair in pairs])
    made["supported"] = proportion(sum(labels), len(labels))
    if name == "expertqa":
        # Absent evidence scores 0.
        missing = _address_labels(data)
        blind = auroc([*scores, *[0.0] * len(missing)], [*labels, *missing])
        clusters = [*(pair.cluster for pair in pairs), *map(str, range(-len(missing), 0))]
        made |= _estimates({"auroc_with_addresses": blind}, clusters)
    return Measured(made, scores, labels)


def _scores(pairs: Sequence[Pair], verifier: Verifier) -> list[float]:
    return [verifier(pair.claim, pair.evidence).score for pair in pairs]


def _uncalibrated(score: float, form: Logistic) -> float:
    """Take Platt's scaling back."""
    if not 0 < score < 1:
        return score
    logit = (math.log(score / (1 - score)) - form.intercept) / form.slope
    return 1 / (1 + math.exp(-logit))


def _estimates(statistics: dict[str, Statistic], clusters: Sequence[str]) -> dict[str, Estimate]:
    intervals = bootstrap(statistics, clusters, draws=DRAWS)
    ones = np.ones((1, len(clusters)))
    return {
        name: bounded(float(statistic(ones)[0]), intervals[name], len(clusters), floor=-1.0)
        if name == "gain"
        else bounded(float(statistic(ones)[0]), intervals[name], len(clusters))
        for name, statistic in statistics.items()
    }


def _address_labels(data: Path) -> list[bool]:
    """Return the labels of expertqa's claims whose evidence holds no text."""
    judged = sum(1 for _ in load_pairs("expertqa", data))
    labels = []
    for row in read_lines(data / "expertqa" / "claims.jsonl.gz"):
        for answer in row["answers"].values():
            for claim in answer["claims"]:
                if claim["support"] not in ("Complete", "Partial", "Incomplete"):
                    continue
                texts = [text.split("\n", 1) for text in claim["evidence"]]
                if texts and not any(len(part) > 1 and part[1].strip() for part in texts):
                    labels.append(claim["support"] == "Complete")
    if len(labels) != ADDRESSES:
        print(f"expertqa: {judged} claims with text, {len(labels)} with an address alone")
    return labels


def report_sets(data: Path) -> dict[str, Measured]:
    """Print a row for each set that is found."""
    print(
        f"{'set':10} {'n':>5} {'supported':>9} | AUROC: words found, score without vectors, "
        "score with them | balanced accuracy: score at one threshold, SUPPORTED | "
        "ECE before and after calibration"
    )
    found = {}
    for name in sorted(CHECKER_SETS, key=lambda each: each in TRAINED):
        try:
            found[name] = measure_set(name, data)
        except EvaluationError as error:
            print(f"{name:10} skipped: {error}")
            continue
        made = found[name].figures
        star = "*" if name in TRAINED else ""
        print(
            f"{name + star:10} {made['auroc'].n:5} {made['supported'].value:9.3f} | "
            f"{made['auroc_overlap'].value:.3f}  {_interval(made['auroc_words_only'])}  "
            f"{_interval(made['auroc'])} bar {BARS[name]:.2f} "
            f"{'met' if made['auroc'].value >= BARS[name] else 'MISSED'}, "
            f"over words {_interval(made['gain'], '+')} | "
            f"{_interval(made['balanced_accuracy'])}  "
            f"{_interval(made['verdict_balanced_accuracy'])} | "
            f"{made['ece_uncalibrated'].value:.3f} {_interval(made['ece'])}"
        )
        if "auroc_with_addresses" in made:
            print(
                f"{'':10} with the {ADDRESSES} claims whose evidence is an address alone (score "
                f"0): {_interval(made['auroc_with_addresses'])}"
            )
    print("* fitted on; judged by weights fitted without it")
    return found


def _interval(estimate: Estimate, sign: str = "") -> str:
    spell = f"{{:{sign}.3f}}".format
    return f"{spell(estimate.value)} [{spell(estimate.low)}, {spell(estimate.high)}]"


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, filter(str.strip, file))


def read_article_sentences(data: Path, limit: int, skip: int) -> list[list[str]]:
    """Take the sentences of articles drawn at random, article by article.

    The first ones drawn were looked at while the rules were written; `skip` leaves them out.
    """
    rows = list(read_lines(data / "allsides" / "articles.jsonl.gz"))
    random.Random(SEED).shuffle(rows)
    articles: list[list[str]] = []
    for row in rows[skip : skip + limit]:
        text = row["text"]
        sentences = [span.cut(text) for span in split_sentences(text)]
        articles.append([s for s in sentences if 8 <= len(_WORD.findall(s)) <= 45])
    return articles


def same_quotations(sentence: str, changed: str) -> bool:
    """Tell whether a rewording left what is quoted alone: quoted words may not be reworded."""
    quoted = _QUOTATION.findall(changed)
    return all(words.rstrip(".,") in sentence for words in quoted)


def count_changes(
    change: Change, articles: Sequence[Sequence[str]], verifier: Verifier, show: int
) -> Counted:
    """Change every sentence that can be, check it against itself, and count the verdicts."""
    rewords = change in PARAPHRASES.values()
    generator = random.Random(SEED)
    counted = Counted(0, 0, 0)
    for sentences in articles:
        for sentence in sentences:
            changed = change(sentence, sentences, generator)
            if changed is None or changed == sentence:
                continue
            if rewords and not same_quotations(sentence, changed):
                continue
            context = [other for other in sentences[:12] if other != sentence]
            verdict = verifier(changed, [sentence], context)
            flagged = verdict.support is not Support.SUPPORTED
            withheld = verdict.support in (Support.UNSUPPORTED, Support.CONTRADICTED)
            counted += Counted(1, flagged, withheld)
            if flagged == rewords and show > 0:
                show -= 1
                print(f"   {verdict.support}: {verdict.reason}\n      evidence: {sentence}")
                print(f"      sentence: {changed}")
    return counted


def report_changes(articles: Sequence[Sequence[str]], show: int) -> dict[str, Estimate]:
    """Print how often a changed sentence is caught, and how often a fair rewording is."""
    verifier = Verifier()
    figures: dict[str, Estimate] = {}
    for title, changes in (("mutation", MUTATIONS), ("rewording", PARAPHRASES)):
        print(f"\n{title:28} {'n':>6}  not supported            withheld")
        counts = {
            name: count_changes(change, articles, verifier, show)
            for name, change in changes.items()
        }
        for kind, names in KINDS.items() if changes is MUTATIONS else ():
            counts[f"= {kind}"] = sum((counts[name] for name in names), Counted(0, 0, 0))
        counts["= all"] = sum(
            (counted for name, counted in counts.items() if name[0] != "="), Counted(0, 0, 0)
        )
        for name, counted in counts.items():
            flagged = proportion(counted.flagged, counted.total)
            withheld = proportion(counted.withheld, counted.total)
            bar = BARS.get(name.removeprefix("= ")) if name.startswith("= ") else None
            note = "" if bar is None else f"  bar {bar:.0%} {_met(flagged.value >= bar)}"
            if title == "rewording" and name == "= all":
                note = f"  bar at most 5% {_met(flagged.value <= 0.05)}"
            print(f"{name:28} {counted.total:6}  {_percent(flagged)}  {_percent(withheld)}{note}")
            figures[f"{title}: {name}"] = flagged
    return figures


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:6.1%} [{estimate.low:6.1%}, {estimate.high:6.1%}]"


def report_speed(articles: Sequence[Sequence[str]]) -> dict[str, float]:
    """Print the processor time of a pair on one thread; no sentence is read twice."""
    flat = [sentence for sentences in articles for sentence in sentences]
    work = list(zip(flat[::2], flat[1::2], strict=False))
    figures = {}
    for title, verifier, pairs in (
        ("without vectors", Verifier(), work[:2_000]),
        ("with vectors", Verifier.open("off"), work[2_000:2_400]),
    ):
        verifier("The model is loaded now.", ["It is loaded on first use."])
        start = time.process_time()
        for sentence, evidence in pairs:
            verifier(sentence, [evidence])
        seconds = time.process_time() - start
        rate = len(pairs) / seconds if seconds else math.nan
        print(f"{title}: {1000 / rate:.2f} ms a pair, {rate:,.0f} pairs/s ({len(pairs)} new pairs)")
        figures[title] = rate
    return figures


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description="Measure the support check.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--articles", type=int, default=150, help="articles to mutate")
    parser.add_argument("--skip", type=int, default=150, help="articles to leave out first")
    parser.add_argument("--show", type=int, default=0, help="wrong verdicts to print for each row")
    parser.add_argument("--only", choices=("sets", "changes", "speed"), help="one part only")
    parser.add_argument("--out", type=Path, help="JSON file of the figures; a plot goes beside it")
    options = parser.parse_args()
    figures: dict[str, Any] = {"checker": Verifier.open("off").name}
    print(f"checked by {figures['checker']}")
    sets = report_sets(options.data) if options.only in (None, "sets") else {}
    for name, measured in sets.items():
        figures[name] = {key: estimate.to_dict() for key, estimate in measured.figures.items()}
    if options.only == "sets" or not (options.data / "allsides").is_dir():
        if options.only != "sets":
            print("changes and speed skipped: no folder allsides in the data folder")
    else:
        articles = read_article_sentences(options.data, options.articles, options.skip)
        if options.only in (None, "speed"):
            figures["pairs_per_second"] = report_speed(articles)
        if options.only in (None, "changes"):
            made = report_changes(articles, options.show)
            figures["changes"] = {name: estimate.to_dict() for name, estimate in made.items()}
    if options.out:
        write_json(options.out, figures)
        calibrated = [sets[name] for name in TRAINED if name in sets]
        if calibrated:
            plot = reliability_plot(
                [score for each in calibrated for score in each.scores],
                [label for each in calibrated for label in each.labels],
            )
            write_plot(plot, options.out.with_suffix(".reliability"))


if __name__ == "__main__":
    main()

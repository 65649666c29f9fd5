"""Measure what chooses the sentences: ``python -m eval.bench_reader --data ../shared/bench``.

Three choices are measured side by side: BM25 and cosine summed; the models over the features
alone; and those over the features and the readings of the bundled reader. Nothing was fitted on
realtimeqa or on the summit set: they are asked as a user would ask. The bundled reader saw all
titles of squad2, so figures there need its sibling, which train.py makes with ``--half`` and
export.py exports: ``--half FOLDER``. They are for titles that neither the sibling nor the models
saw (half of the titles, cross-validated by title), and for clapnq, which no reader saw
(cross-validated by passage). Without it, they are kept as they stand in ``--out``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.abstention import auroc, ece
from eval.adapters import load
from eval.bench_retrieval import right_sentences
from eval.cli import write_corpus
from eval.intervals import Estimate, Statistic, bootstrap, proportion
from eval.plots import Plot, reliability_plot, write_plot
from eval.predict import predict
from eval.questions import read_questions
from eval.score import score as score_run
from eval.systems import DatelineSystem
from rag import Assistant, EvaluationError
from rag.features import FEATURES
from rag.models.fit_selection import (
    BY_FEATURES,
    THREADS,
    Found,
    HeldOut,
    Way,
    by_reader,
    calibrate,
    fit_all,
    gather,
    hold_out,
    in_folds,
    unseen,
)
from rag.models.listwise import Stored, score
from rag.reader import Reader
from rag.select import SelectionModel, as_model, selection_model

ROOT = Path(__file__).parents[1]


def sum_of_two(found: Sequence[Found], names: Sequence[str]) -> Stored:
    """Rank by BM25 and cosine summed; nothing is fitted."""
    return {"linear": {"bm25_share": 1.0, "cosine": 1.0}, "bias": 0.0, "trees": []}


PLAIN = Way(FEATURES, sum_of_two, ("coverage", "cosine"))


def firsts_within(own: Sequence[Found], found: Sequence[Found], way: Way) -> Estimate:
    """Return how often the first sentence of the question's own paragraph is right.

    The ranking is fitted on the other titles, over all their paragraphs.
    """
    folds = in_folds(found)
    fold_of = {f.asked.group: fold for f, fold in zip(found, folds, strict=True)}
    right = []
    for fold in sorted(set(folds)):
        rest = [f for f, k in zip(found, folds, strict=True) if k != fold]
        stored = way.train(rest, way.names)
        for each in own:
            if fold_of[each.asked.group] == fold and each.is_answered:
                right.append(bool(each.right[np.argmax(score(stored, each.features, way.names))]))
    return proportion(sum(right), len(right))


def answerable(found: Sequence[Found], held: HeldOut, origin: str) -> dict[str, Any]:
    """Return AUROC of "can be answered".

    Questions are compared with those that the same model judged, that of their fold.
    """
    of = [i for i, f in enumerate(found) if f.asked.origin == origin]
    truth = [found[i].asked.answerable for i in of]
    statistic = auroc(held.logits[of].tolist(), truth, held.folds[of].tolist())
    return {f"{origin}_answerable_auroc": by_article(statistic, [found[i] for i in of])}


def by_article(statistic: Statistic, found: Sequence[Found]) -> dict[str, Any]:
    """Return a statistic over questions, its interval by drawing whole articles."""
    value = float(statistic(np.ones((1, len(found))))[0])
    low, high = bootstrap({"value": statistic}, [f.asked.own for f in found])["value"]
    return Estimate(value, low, high, len(found)).to_dict()


def measure_held_out(
    data: Path, half: Path, alone: Sequence[Found]
) -> tuple[dict[str, dict[str, Any]], Plot]:
    """Measure on squad2 and clapnq; the plot is of the product's confidence there.

    Parameters
    ----------
    data : Path
    half : Path
        Folder of the reader's sibling.
    alone : sequence of Found
        The questions without readings.
    """
    reader = Reader(THREADS, half)
    with_reader, own_read = gather(data, reader), gather(data, reader, own=True)
    own_alone = gather(data, None, own=True)
    kept = {asked.own for asked in unseen([f.asked for f in own_alone])}
    systems = (
        ("plain", PLAIN, alone, own_alone),
        ("features", BY_FEATURES, alone, own_alone),
        ("reader", by_reader(alone), with_reader, own_read),
    )
    made: dict[str, dict[str, Any]] = {}
    for name, way, found, own in systems:
        # The same questions for all three.
        found = [f for f in found if f.asked.origin == "clapnq" or f.asked.own in kept]
        own = [f for f in own if f.asked.own in kept]
        held = hold_out(found, way)
        known = [
            i for i, f in enumerate(found) if f.asked.origin == "squad2" and f.asked.answerable
        ]
        first = sum(bool(found[i].right[np.argmax(held.ranks[i])]) for i in known)
        probability, answers = held_out_probability(held), held.right.tolist()
        if name == "reader":
            plot = reliability_plot(probability, answers)
        made[name] = {
            "squad2_first_within_paragraph": firsts_within(own, found, way).to_dict(),
            "squad2_first_of_all": proportion(first, len(known)).to_dict(),
            **answerable(found, held, "squad2"),
            **answerable(found, held, "clapnq"),
            "calibration_error": by_article(ece(probability, answers), found),
        }
    return made, plot


def held_out_probability(held: HeldOut) -> list[float]:
    """Return how probably each first sentence is right, calibrated on the other titles."""
    probability = np.zeros(len(held.logits))
    for fold in np.unique(held.folds):
        inside = held.folds == fold
        points = np.array(calibrate(held.logits[~inside], held.right[~inside]))
        probability[inside] = np.interp(held.logits[inside], *points.T)
    made: list[float] = probability.tolist()
    return made


def measure_asking(
    name: str, model: SelectionModel, reader: bool, data: Path, folder: Path
) -> dict[str, Any]:
    """Ask the questions of the summit set and of realtimeqa."""
    os.environ["RAG_READER"] = str(reader)
    os.environ.pop("RAG_THRESHOLD", None)
    made: dict[str, Any] = {}
    questions = read_questions(ROOT / "eval" / "questions" / "summit.jsonl")
    with Assistant.open(ROOT / "corpus", store=folder / "summit") as assistant:
        assistant.sync()
        assistant._selection = model
        scored = score_run(predict(DatelineSystem(assistant), questions, folder / name))
    for figure in ("correct", "wrong", "missing", "refused"):
        if figure in scored.scores:
            made[f"summit_{figure}"] = scored.scores[figure].to_dict()
    try:
        news = load("realtimeqa", data)
    except EvaluationError as error:
        return {**made, "realtimeqa": f"skipped: {error}"}
    os.environ["RAG_THRESHOLD"] = "0"
    corpus = write_corpus(news, folder / "corpus")
    asked = [q for q in news.questions.questions if q.answerable]
    with Assistant.open(corpus, store=folder / "realtimeqa") as assistant:
        assistant.sync()
        assistant._selection = model
        right = [right_sentences(assistant, question) for question in asked]
    made["realtimeqa_first"] = proportion(sum(r[:1] == [True] for r in right), len(right)).to_dict()
    made["realtimeqa_one_of_two"] = proportion(sum(any(r[:2]) for r in right), len(right)).to_dict()
    return made


def main() -> None:
    """Print the figures, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--half", type=Path, help="folder of the reader trained with --half")
    parser.add_argument("--out", type=Path, help="JSON file to write; a plot goes beside it")
    options = parser.parse_args()
    if not (options.data / "squad2").is_dir():
        raise SystemExit(f"bench_reader: no squad2 under {options.data}; nothing was measured")
    figures: dict[str, dict[str, Any]] = {}
    if options.out and options.out.exists():
        figures = json.loads(options.out.read_text(encoding="utf-8"))
    alone = gather(options.data, None)
    if options.half:
        held_out, plot = measure_held_out(options.data, options.half, alone)
        figures = {name: figures.get(name, {}) | held_out[name] for name in held_out}
        if options.out:
            write_plot(plot, options.out.with_suffix(".reliability"))
    else:
        print("squad2 and clapnq are not measured anew: they need --half")
    models = {
        "plain": (as_model(fit_all(alone, PLAIN), FEATURES), False),
        "features": (selection_model(with_reader=False), False),
        "reader": (selection_model(with_reader=True), True),
    }
    with tempfile.TemporaryDirectory() as name:
        for system, (model, reader) in models.items():
            asked = measure_asking(system, model, reader, options.data, Path(name))
            figures[system] = figures.get(system, {}) | asked
            print(json.dumps({system: figures[system]}, indent=1), flush=True)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

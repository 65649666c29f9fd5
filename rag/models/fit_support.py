"""Fit the support model of `rag.checking.support`, and say on what: ``support.json``.

Run it as ``python -m rag.models.fit_support --data ../shared/bench`` with the extra ``models``.

Fitted on sets whose licence lets derived weights be shipped, and on pairs made here; each set
weighs the same and has an intercept of its own, so only the order within a set is learnt. What is
printed is leave-one-set-out: each set is judged by weights that never saw it. ragtruth, qags, rgb
and robustrag are not read at all: they only measure (``python -m eval.bench_verify``).
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from eval.adapters import load_pairs
from eval.mutate import MUTATIONS, PARAPHRASES
from rag.checking.nearness import Nearness
from rag.checking.support import MODEL_FILE
from rag.embed import BundledEmbedder
from rag.sentences import split_sentences
from rag.verify import support_measures

SEED = 20250823
LABELLED = ("expertqa", "wice")
"""Calibrated on these: claims as people and language models write them, judged by people. In
fever half of the claims were made false, so its share of true ones says nothing."""
PENALTY = 3.0
"""Ridge on the weights; the best leave-one-set-out mean among .3, 3, 10 and 100."""
FEVER_PAIRS, SQUAD_PAIRS, NEWS_ARTICLES = 2_000, 2_000, 300
FORMS = {
    "words": ("closest", "pairs", "missing", "opposed", "doubt"),
    "vectors": ("closest", "pairs", "missing", "opposed", "doubt", "similarity"),
}
STRANGERS = 150
DRAWS = 2_000
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}
_ASKED = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|how (?:many|much|long|old|far)|why|how)\b"
    r"(?: (?:year|day|date|city|country|type|kind|name|percentage|number|century|state|person|"
    r"people|organization|company|group))?",
    re.IGNORECASE,
)
_JOINTS = frozenset(
    ("and", "that", "who", "which", "to", "in", "on", "with", "after", "for", "as", "by", "from")
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Claim:
    """A sentence, evidence sentences, whether they support it, and what it is resampled with."""

    sentence: str
    evidence: tuple[str, ...]
    supported: bool
    group: str


@dataclass(frozen=True)
class Table:
    """One set as measures and labels.

    `strangers` are true claims against the evidence of others: unsupported, and so plainly that
    the sets hold next to none. They are fitted on, lest a sentence without a word in common be
    given a fair chance, but no figure counts them.
    """

    measures: tuple[Mapping[str, float], ...]
    supported: npt.NDArray[np.bool_]
    groups: tuple[str, ...]
    strangers: tuple[Mapping[str, float], ...]

    def matrix(self, names: Sequence[str]) -> Floats:
        """Return the measures `names`, a row for each claim."""
        return np.array([[row[name] for name in names] for row in self.measures])


@dataclass(frozen=True)
class Weights:
    """Bias and weights before calibration."""

    bias: float
    values: Floats

    def logits(self, table: Table, names: Sequence[str]) -> Floats:
        """Return the score of each claim."""
        return np.asarray(self.bias + table.matrix(names) @ self.values)


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a text."""
    return tuple(span.cut(text) for span in split_sentences(text))


def rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines, gzipped."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def labelled(data: Path, name: str) -> list[Claim]:
    """Read a set of people's labels."""
    pairs = load_pairs(name, data)
    return [Claim(pair.claim, pair.evidence, pair.supported, pair.cluster) for pair in pairs]


def fever(data: Path) -> list[Claim]:
    """Read FEVER: claims about Wikipedia, entailed by their evidence or not."""
    pairs = rows(data / "fever" / "fever_dev_pairs.jsonl.gz")
    random.Random(SEED).shuffle(pairs)
    claims = []
    for pair in pairs[:FEVER_PAIRS]:
        text = pair["evidence"]
        for one, other in _BRACKETS.items():
            text = text.replace(one, other)
        text = re.sub(r" ([,.;:')])", r"\1", text)
        held = pair["label"] == "entailment"
        claims.append(Claim(pair["claim"], sentences(text), held, text[:60]))
    return claims


def squad(data: Path) -> list[Claim]:
    """Make claims from SQuAD 2.0: a question with an answer in the place of its question word.

    True with its own answer; false with the near miss that people gave for an unanswerable
    question, or with the answer to another question on the paragraph.
    """
    generator = random.Random(SEED)
    claims = []
    for title in json.loads((data / "squad2" / "squad2.json").read_text("utf-8"))["data"]:
        for paragraph in title["paragraphs"]:
            evidence = sentences(paragraph["context"])
            answers = [each["text"] for asked in paragraph["qas"] for each in asked["answers"]]
            for asked in paragraph["qas"]:
                own = [each["text"] for each in asked["answers"]]
                near = [each["text"] for each in asked.get("plausible_answers", [])]
                other = [each for each in answers if each not in own]
                made = [(own[:1], True), (near[:1], False)]
                if own and other and generator.random() < 0.3:
                    made.append(([generator.choice(other)], False))
                for texts, held in made:
                    for text in texts:
                        claim = declare(asked["question"], text)
                        claims.append(Claim(claim, evidence, held, title["title"]))
    generator.shuffle(claims)
    return claims[:SQUAD_PAIRS]


def declare(question: str, answer: str) -> str:
    """Put an answer in the place of the question word."""
    asked = question.strip().rstrip("?").strip()
    match = _ASKED.search(asked)
    if match is None:
        return f"{asked} {answer}."
    return f"{asked[: match.start()]}{answer}{asked[match.end() :]}."


def news(data: Path) -> list[Claim]:
    """Make claims from news articles (realtimeqa), against one to thirty of their sentences.

    True: a rewording, part of a sentence, two neighbours joined. False: a mutation, two halves of
    different sentences joined, and a sentence against the rest of its article.
    """
    generator = random.Random(SEED)
    articles = rows(data / "realtimeqa" / "articles.jsonl.gz")
    generator.shuffle(articles)
    claims: list[Claim] = []
    for article in articles[:NEWS_ARTICLES]:
        text = list(sentences(article["text"] or ""))[:30]
        good = [i for i, sentence in enumerate(text) if 8 <= len(sentence.split()) <= 40]
        if len(good) >= 6:
            made = _claims_of(text, good, generator)
            claims += [Claim(*claim, article["id"]) for claim in made]
    return claims


def _claims_of(
    text: list[str], good: list[int], generator: random.Random
) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    width = generator.choice((1, 2, 4, 8, 16, 30))

    def around(at: int) -> tuple[str, ...]:
        first = max(0, min(at - generator.randrange(width), len(text) - width))
        return tuple(text[first : first + width])

    for at in generator.sample(good, 2):
        for changes, times, held in ((PARAPHRASES, 2, True), (MUTATIONS, 1, False)):
            changed = text[at]
            for change in generator.sample(list(changes.values()), len(changes)):
                reworded = change(changed, text, generator)
                if times and reworded and reworded != changed:
                    changed, times = reworded, times - 1
            if changed != text[at]:
                yield changed, around(at), held
    one, other = generator.sample(good, 2)
    halves = _halves(text[one], generator), _halves(text[other], generator)
    if halves[0]:
        yield max(halves[0], key=len) + ".", around(one), True
    if halves[0] and halves[1]:
        first, last = min(one, other), max(one, other) + 1
        yield f"{halves[0][0]} {halves[1][1]}", tuple(text[first:last]), False
    if one + 1 < len(text):
        joined = f"{text[one].rstrip('.')}, and {text[one + 1]}"
        yield joined, tuple(text[max(0, one - 3) : one + 6]), True
    yield text[other], tuple(s for i, s in enumerate(text) if i != other), False


def _halves(sentence: str, generator: random.Random) -> tuple[str, str] | None:
    """Cut a sentence before a word that joins its parts."""
    words = sentence.split()
    joints = [k for k in range(4, len(words) - 4) if words[k].lower() in _JOINTS]
    if not joints:
        return None
    at = generator.choice(joints)
    return " ".join(words[:at]), " ".join(words[at:])


def strangers(claims: Sequence[Claim]) -> list[Claim]:
    """Put true claims beside the evidence of claims from other sources."""
    generator = random.Random(SEED)
    true = [claim for claim in claims if claim.supported]
    made = []
    for claim in generator.sample(true, min(STRANGERS, len(true))):
        other = generator.choice(claims)
        if other.group != claim.group:
            made.append(Claim(claim.sentence, other.evidence, False, claim.group))
    return made


def fit(tables: Sequence[Table], names: Sequence[str]) -> Weights:
    """Fit one logistic regression over sets, with an intercept for each; the mean is the bias."""
    free = 50.0  # so large that the ridge doesn't hold the intercepts back
    blocks, labels, weights = [], [], []
    for number, table in enumerate(tables):
        apart = np.array([[row[name] for name in names] for row in table.strangers])
        matrix = np.vstack([table.matrix(names), apart])
        true = np.concatenate([table.supported, np.zeros(len(apart), dtype=bool)])
        own = np.zeros((len(matrix), len(tables)))
        own[:, number] = free
        blocks.append(np.hstack([matrix, own]))
        labels.append(true)
        weights.append(np.where(true, 100 / true.sum(), 100 / (~true).sum()))
    model = LogisticRegression(
        C=1 / PENALTY, fit_intercept=False, solver="newton-cholesky", max_iter=200
    ).fit(
        np.vstack(blocks),
        np.concatenate(labels),
        sample_weight=np.concatenate(weights),
    )
    beta = model.coef_[0]
    return Weights(float(free * beta[len(names) :].mean()), beta[: len(names)])


def calibrate(tables: Mapping[str, Table], names: Sequence[str]) -> tuple[float, float]:
    """Fit Platt's slope and intercept on scores of claims that their weights never saw.

    Each of the labelled sets weighs the same.
    """
    logits, labels, weights = [], [], []
    for name in LABELLED:
        rest = [table for other, table in tables.items() if other != name]
        logits.append(fit(rest, names).logits(tables[name], names))
        labels.append(tables[name].supported)
        weights.append(np.full(len(labels[-1]), 1_000 / len(labels[-1])))
    model = LogisticRegression(C=1e6).fit(
        np.concatenate(logits)[:, None],
        np.concatenate(labels),
        sample_weight=np.concatenate(weights),
    )
    return float(model.coef_[0][0]), float(model.intercept_[0])


def form(
    tables: Mapping[str, Table], names: Sequence[str], unseen: str | None = None
) -> dict[str, Any]:
    """Return one form of the score as it is stored, its weights fitted without the set `unseen`.

    Its two numbers of calibration are those of all the labelled sets: without a set's share of
    supported claims, which differs from set to set, there is nothing to calibrate to.
    """
    weights = fit([table for name, table in tables.items() if name != unseen], names)
    slope, intercept = calibrate(tables, names)
    return {
        "bias": round(weights.bias, 4),
        "weights": dict(zip(names, weights.values.round(4).tolist(), strict=True)),
        "slope": round(slope, 4),
        "intercept": round(intercept, 4),
    }


def held_out_probabilities(stored: Mapping[str, Any], table: Table) -> Floats:
    """Return the probabilities that a stored form gives."""
    names = list(stored["weights"])
    logits = stored["bias"] + table.matrix(names) @ np.array(list(stored["weights"].values()))
    return np.asarray(1 / (1 + np.exp(-(stored["slope"] * logits + stored["intercept"]))))


def interval(table: Table, scores: Floats) -> tuple[float, float]:
    """Bootstrap an AUROC by group: its 2.5 and 97.5 percentiles."""
    members: dict[str, list[int]] = {}
    for number, group in enumerate(table.groups):
        members.setdefault(group, []).append(number)
    groups = list(members.values())
    generator = np.random.default_rng(SEED)
    areas = []
    for _ in range(DRAWS):
        drawn = generator.integers(0, len(groups), len(groups))
        chosen = np.concatenate([groups[k] for k in drawn])
        if 0 < table.supported[chosen].sum() < len(chosen):
            areas.append(roc_auc_score(table.supported[chosen], scores[chosen]))
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(low), float(high)


def print_features(tables: Mapping[str, Table]) -> None:
    """Print the leave-one-set-out AUROC with every measure, and without each in turn."""
    names = FORMS["vectors"]
    print(f"{'leave one set out, AUROC':26}", *(f"{name:>9}" for name in tables), "     mean")
    for left in (None, *names):
        kept = [name for name in names if name != left]
        areas = []
        for name, table in tables.items():
            rest = [other for key, other in tables.items() if key != name]
            areas.append(roc_auc_score(table.supported, fit(rest, kept).logits(table, kept)))
        title = "all measures" if left is None else f"without {left}"
        print(f"{title:26}", *(f"{area:9.3f}" for area in areas), f"{np.mean(areas):9.3f}")


def main() -> None:
    """Fit, print the figures, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    options = parser.parse_args()
    embedder = BundledEmbedder(1)
    nearness = Nearness(embedder)
    claims = {name: labelled(options.data, name) for name in LABELLED}
    claims |= {"fever": fever(options.data), "squad2": squad(options.data)}
    claims["news"] = news(options.data)
    tables = {}
    for name, made in claims.items():
        apart = strangers(made)
        measured = [support_measures(c.sentence, c.evidence, nearness) for c in (*made, *apart)]
        labels = np.array([claim.supported for claim in made])
        groups = tuple(claim.group for claim in made)
        tables[name] = Table(
            tuple(measured[: len(made)]), labels, groups, tuple(measured[len(made) :])
        )
        print(f"{name}: {len(made)} claims, {labels.mean():.3f} supported")
    print_features(tables)
    held_out = {
        key: {name: form(tables, names, name) for name in tables} for key, names in FORMS.items()
    }
    chances = {
        name: held_out_probabilities(held_out["vectors"][name], table)
        for name, table in tables.items()
    }
    for name, table in tables.items():
        low, high = interval(table, chances[name])
        area = roc_auc_score(table.supported, chances[name])
        print(f"{name}: held-out AUROC {area:.3f} [{low:.3f}, {high:.3f}]")
    threshold = max(
        np.arange(0.3, 0.9, 0.01),
        key=lambda t: sum(
            balanced_accuracy_score(tables[n].supported, chances[n] >= t) for n in LABELLED
        ),
    )
    stored = {
        "version": "support-1",
        "fitted_on": {
            "expertqa (MIT), developers' half": len(claims["expertqa"]),
            "wice dev (ODC-BY), developers' half": len(claims["wice"]),
            "FEVER dev pairs (CC BY-SA 3.0)": len(claims["fever"]),
            "claims made from SQuAD 2.0 dev, 8 titles (CC BY-SA 4.0)": len(claims["squad2"]),
            "claims made from realtimeqa articles (texts not kept)": len(claims["news"]),
        },
        "fitted_by": "python -m rag.models.fit_support --data ../shared/bench",
        "calibrated": "Platt, on held-out scores of " + " and ".join(LABELLED),
        "embedder": embedder.fingerprint,
        "threshold": round(float(threshold), 2),
        **{key: form(tables, names) for key, names in FORMS.items()},
        "held_out": held_out,
    }
    MODEL_FILE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: stored[key] for key in ("threshold", *FORMS)}, indent=1))


if __name__ == "__main__":
    main()

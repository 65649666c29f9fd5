"""Fit the models of `rag.select`, and say on what: ``selection.json``.

Run it with the extra ``models``, after train.py and export.py of the reader with ``--half``::

    python -m rag.models.fit_selection --data ../shared/bench --reader reader-half

Fitted on SQuAD 2.0 and CLAPNQ (the developers' halves): each question is asked of all paragraphs
of its set. A sentence is right if it holds a gold answer (SQuAD) or is one of the gold sentences
(CLAPNQ). The ranking model sees the sentences found for answerable questions; the answering model
sees the first-ranked sentence of every question, ranked by models that did not see its title, and
learns whether it is right and whether the question can be answered. The figures printed are
cross-validated, whole titles held out.

The bundled reader was trained on all of SQuAD's titles (see its card), so its readings of them say
too much. The models that weigh readings are therefore fitted on those of a sibling, made in the
same way from every other title: on the titles that it never saw, and on CLAPNQ. That is stacking
(Wolpert 1992) with one fold. The models without readings are fitted on all titles.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from eval.abstention import auroc
from rag import index
from rag.embed import BundledEmbedder
from rag.features import FEATURES, describe
from rag.models.listwise import Lists, Stored, fit_probability, fit_rank, score
from rag.models.squad import normal, unseen_titles
from rag.reader import Reader
from rag.retrieve import retrieve
from rag.schema import Article, Hit, Passage
from rag.select import ALL_FEATURES, MODEL_FILE, STANDING, standing
from rag.settings import Settings
from rag.split import split_passages
from rag.store import Store
from rag.words import Stemmer, search_terms

FOLDS = 5
THREADS = 2
CLAPNQ = "clapnq-"
# Points of the calibration curve at most, and how many questions each rests on at least.
POINTS, LEAST_QUESTIONS = 24, 60

Matrix = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """A question, what makes a sentence right, and what is held out with it.

    `golds` are normal texts: answers (SQuAD), or whole sentences of the article `own` (CLAPNQ).
    """

    question: str
    answerable: bool
    golds: frozenset[str]
    group: str
    origin: str
    own: str

    def is_right(self, article: Article, sentence: str) -> bool:
        """Tell whether a sentence of an article answers."""
        text = normal(sentence)
        if self.origin == "squad2":
            return any(f" {gold} " in f" {text} " for gold in self.golds)
        return article.article_id == self.own and any(text in g or g in text for g in self.golds)


@dataclass(frozen=True)
class Found:
    """A question's sentences as features and labels; rows have all of `ALL_FEATURES` or few."""

    asked: Asked
    features: Matrix
    right: Flags

    @property
    def is_answered(self) -> bool:
        """Whether a right sentence is among them."""
        return self.asked.answerable and bool(self.right.any())


def read_squad(data: Path) -> tuple[list[Article], list[Asked]]:
    """Read SQuAD 2.0: each paragraph is an article of its title."""
    articles, questions = [], []
    titles = json.loads((data / "squad2" / "squad2.json").read_text(encoding="utf-8"))["data"]
    for title in titles:
        for number, paragraph in enumerate(title["paragraphs"]):
            article = Article(
                f"{title['title']}-{number}", title["title"].replace("_", " "), paragraph["context"]
            )
            articles.append(article)
            for question in paragraph["qas"]:
                golds = frozenset(normal(answer["text"]) for answer in question["answers"])
                questions.append(
                    Asked(
                        question["question"],
                        not question["is_impossible"],
                        golds,
                        title["title"],
                        "squad2",
                        article.article_id,
                    )
                )
    return articles, questions


def read_clapnq(data: Path) -> tuple[list[Article], list[Asked]]:
    """Read CLAPNQ: each passage is an article; gold sentences are compared as words."""
    articles: dict[str, Article] = {}
    questions = []
    for name, answerable in (("answerable", True), ("unanswerable", False)):
        path = data / "clapnq" / f"clapnq_dev_{name}.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            passage = row["passages"][0]
            article = Article(f"{CLAPNQ}{row['id']}", passage["title"], passage["text"])
            articles[article.article_id] = article
            golds = {normal(s) for out in row["output"] for s in out.get("selected_sentences", [])}
            own = article.article_id
            questions.append(
                Asked(row["input"], answerable, frozenset(golds - {""}), own, "clapnq", own)
            )
    return list(articles.values()), questions


def unseen_groups(groups: Iterable[str]) -> set[str]:
    """Return the SQuAD titles that the reader's sibling did not see.

    CLAPNQ's passages, which no reader saw, come along.
    """
    passages = {group for group in groups if group.startswith(CLAPNQ)}
    return passages | unseen_titles(set(groups) - passages)


def unseen(questions: Sequence[Asked]) -> list[Asked]:
    """Return the questions of titles that the reader's sibling did not see."""
    kept = unseen_groups({asked.group for asked in questions})
    return [asked for asked in questions if asked.group in kept]


class Remembered:
    """The bundled embedder with a memory: many questions find the same sentences."""

    def __init__(self) -> None:
        self._embedder = BundledEmbedder(THREADS)
        self._known: dict[str, npt.NDArray[np.float32]] = {}
        self.name = self._embedder.name
        self.fingerprint = self._embedder.fingerprint
        self.dimensions = self._embedder.dimensions

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows; a text that was seen before is not read again."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text."""
        return self._embedder.count_tokens(texts)


@dataclass(frozen=True)
class Library:
    """The articles of one set, indexed in a folder of its own."""

    store: Store
    embedder: Remembered
    settings: Settings
    stemmer: Stemmer

    def find(self, asked: Asked, vector: npt.NDArray[np.float32]) -> tuple[Hit, ...]:
        """Return the passages that the product would read."""
        return retrieve(
            asked.question,
            vector,
            self.store.catalogue,
            self.store.vectors,
            k=self.settings.passages_read,
            candidates=self.settings.candidates,
            per_article=self.settings.passages_per_article,
        )

    def own_passages(self, article: Article, vector: npt.NDArray[np.float32]) -> tuple[Hit, ...]:
        """Return the passages of one article as if they had been found, nearest first."""
        passages: Sequence[Passage] = split_passages(
            article, self.embedder.count_tokens, max_tokens=self.settings.passage_tokens, overlap=0
        )
        cosines = self.embedder.embed([p.text for p in passages]) @ vector
        hits = [
            Hit(p, 1 + float(c - cosines.max()), 1.0, float(c))
            for p, c in zip(passages, cosines, strict=True)
        ]
        return tuple(sorted(hits, key=lambda hit: -hit.score))

    def describe(
        self,
        asked: Asked,
        vector: npt.NDArray[np.float32],
        hits: Sequence[Hit],
        reader: Reader | None,
    ) -> Found:
        """Describe the sentences of the hits, and say which are right."""
        catalogue = self.store.catalogue
        (stems,) = self.stemmer.stems([" ".join(search_terms(asked.question))])
        passages = [hit.passage for hit in hits]
        found = describe(
            asked.question,
            vector,
            hits,
            embedder=self.embedder,
            stemmer=self.stemmer,
            frequencies=catalogue.document_frequencies(stems),
            passages=catalogue.count_words(),
            readings=reader.read(asked.question, passages) if reader else None,
        )
        right = [asked.is_right(a, span.cut(a.text)) for a, span in found.sentences]
        return Found(asked, found.features, np.array(right, dtype=bool))


def describe_all(
    articles: list[Article],
    questions: list[Asked],
    reader: Reader | None,
    *,
    own: bool = False,
) -> list[Found]:
    """Index the articles and describe the sentences of each question.

    Parameters
    ----------
    own : bool, default False
        Look only at the article that the question was written for.
    """
    settings, embedder = Settings.load(), Remembered()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        with corpus.open("w", encoding="utf-8") as file:
            for article in articles:
                row = {"id": article.article_id, "title": article.title, "text": article.text}
                file.write(json.dumps(row) + "\n")
        with Store(Path(folder) / "store", embedder=embedder.fingerprint) as store:
            index.sync(
                corpus,
                store,
                embedder,
                max_tokens=settings.passage_tokens,
                overlap=settings.passage_overlap,
            )
            library = Library(store, embedder, settings, Stemmer())
            by_id = {article.article_id: article for article in articles}
            vectors = embedder.embed([asked.question for asked in questions])
            found = []
            for asked, vector in zip(questions, vectors, strict=True):
                if own:
                    hits = library.own_passages(by_id[asked.own], vector)
                else:
                    hits = library.find(asked, vector)
                found.append(library.describe(asked, vector, hits, reader))
    return [each for each in found if len(each.features)]


# What the answering models read: few things, since what tells an answer from a near miss differs
# from title to title. With the reader, three do: with six (all that it says of the sentence) AUROC
# of "can be answered" on unseen titles was .741 and not .754 (squad2), .826 and not .841 (clapnq).
TOLD_BY_FEATURES = (
    *("coverage", "coverage_before", "coverage_passage", "rarest_absent", "unknown"),
    *("names_absent", "cosine", "passage_cosine", "log_stems", "rank_lead"),
)
TOLD_BY_READER = ("read_total", "passage_cosine", "rank_share")


@dataclass(frozen=True)
class Way:
    """One way to choose: the columns, how the ranking is fitted, and what tells an answer.

    Parameters
    ----------
    names : tuple of str
    train : callable
        Takes questions and columns, and returns what is stored.
    told_by : tuple of str
    """

    names: tuple[str, ...]
    train: Callable[[Sequence[Found], Sequence[str]], Stored]
    told_by: tuple[str, ...]


def train_rank(found: Sequence[Found], names: Sequence[str]) -> Stored:
    """Fit the ranking on the sentences of answerable questions."""
    lists = Lists.of([(f.features[:, : len(names)], f.right) for f in found if f.is_answered])
    return fit_rank(lists, names)


@dataclass(frozen=True)
class OnTop:
    """Fits a ranking that adds the readings to one without them.

    There are too few questions that the reader never saw to fit all features anew: so the ranking
    without it is fitted on all titles and taken as one feature.

    Parameters
    ----------
    alone : tuple of Found
        Questions of all titles, without readings.
    """

    alone: tuple[Found, ...]

    def __call__(self, found: Sequence[Found], names: Sequence[str]) -> Stored:
        """Fit on questions with readings; of the others only titles that are theirs or apart."""
        groups = sorted({f.asked.group for f in found})
        seen = {f.asked.group for f in self.alone}
        left_out = unseen_groups(seen) - set(groups)
        allowed = [f for f in self.alone if f.asked.group not in left_out]
        # A question's own title must not have helped to rank it.
        fold = {group: i % FOLDS for i, group in enumerate(groups)}
        base: dict[int, Matrix] = {}
        columns = len(FEATURES)
        for number in range(FOLDS):
            rest = [f for f in allowed if fold.get(f.asked.group) != number]
            stored = train_rank(rest, FEATURES)
            for i, each in enumerate(found):
                if fold[each.asked.group] == number:
                    base[i] = score(stored, each.features[:, :columns], FEATURES)
        chosen = [names.index(name) for name in ("read", "read_words")]
        lists = Lists.of(
            [
                (np.c_[base[i], each.features[:, chosen]], each.right)
                for i, each in enumerate(found)
                if each.is_answered
            ]
        )
        on_top = fit_rank(lists, ("base", "read", "read_words"), trees=0)["linear"]
        stored = train_rank(allowed, FEATURES)
        share = on_top.pop("base")
        linear = {name: round(share * weight, 5) for name, weight in stored["linear"].items()}
        trees = [
            {**tree, "value": [round(share * value, 4) for value in tree["value"]]}
            for tree in stored["trees"]
        ]
        return {"linear": {**linear, **on_top}, "bias": 0.0, "trees": trees}


def firsts(found: Sequence[Found], ranks: Sequence[Matrix], way: Way) -> tuple[Matrix, Flags]:
    """Return what tells an answer of each first sentence, and whether it is right."""
    columns = (*way.names, *STANDING)
    chosen = [columns.index(name) for name in way.told_by]
    rows, right = [], []
    for each, scores in zip(found, ranks, strict=True):
        best = int(np.argmax(scores))
        row = np.r_[each.features[best, : len(way.names)], standing(scores)]
        rows.append(row[chosen])
        right.append(each.asked.answerable and each.right[best])
    return np.array(rows), np.array(right, dtype=bool)


def in_folds(found: Sequence[Found]) -> list[int]:
    """Return a fold for each question; a title's questions stay together."""
    groups = sorted({f.asked.group for f in found}, key=lambda g: (g.startswith(CLAPNQ), g))
    fold = {group: i % FOLDS for i, group in enumerate(groups)}
    return [fold[f.asked.group] for f in found]


@dataclass(frozen=True)
class HeldOut:
    """What models that did not see a question's title make of it, in the order of the questions.

    Parameters
    ----------
    ranks : list of ndarray
        Of its sentences.
    logits : ndarray, shape (questions,)
        That its first sentence answers, before calibration.
    right : ndarray of bool, shape (questions,)
        Whether it does.
    folds : ndarray of int, shape (questions,)
        Which models it was held out from.
    """

    ranks: list[Matrix]
    logits: Matrix
    right: Flags
    folds: npt.NDArray[np.int_]


def hold_out(found: Sequence[Found], way: Way) -> HeldOut:
    """Cross-validate: rank, then judge, each with models that did not see the question's title."""
    folds = np.array(in_folds(found))
    ranks: list[Matrix] = [np.zeros(0)] * len(found)
    for fold in range(FOLDS):
        rest = [f for f, k in zip(found, folds, strict=True) if k != fold]
        stored = way.train(rest, way.names)
        for i in np.flatnonzero(folds == fold).tolist():
            ranks[i] = score(stored, found[i].features[:, : len(way.names)], way.names)
    rows, right = firsts(found, ranks, way)
    answerable = np.array([f.asked.answerable for f in found])
    logits = np.zeros(len(found))
    for fold in range(FOLDS):
        inside = folds == fold
        stored = fit_answers(rows[~inside], right[~inside], answerable[~inside], way.told_by)
        logits[inside] = score(stored, rows[inside], way.told_by)
    return HeldOut(ranks, logits, right, folds)


def fit_answers(rows: Matrix, right: Flags, answerable: Flags, names: Sequence[str]) -> Stored:
    """Fit what tells an answer: the mean of "it is right" and "it can be answered", as log-odds.

    Its two uses pull apart: that a sentence stands alone makes it likelier to be the right one,
    and says nothing about whether there is one. Fitted to the first alone, AUROC of the second on
    unseen titles was .735 and not .754, of the first .781 and not .775 (squad2).
    """
    both = [fit_probability(rows, label, names) for label in (right, answerable)]
    linear = {n: round(sum(each["linear"][n] for each in both) / 2, 5) for n in names}
    bias = round(sum(each["bias"] for each in both) / 2, 5)
    return {"linear": linear, "bias": bias, "trees": []}


def calibrate(logits: Matrix, right: Flags) -> list[list[float]]:
    """Return the points of an isotonic curve from log-odds to probability.

    Each point is the mean of a run of questions; probabilities stay inside [.01, .99].
    """
    curve = IsotonicRegression(y_min=0.01, y_max=0.99, out_of_bounds="clip").fit(logits, right)
    order = np.sort(logits)
    count = min(POINTS, len(order) // LEAST_QUESTIONS)
    places = [float(part.mean()) for part in np.array_split(order, max(2, count))]
    smooth = np.maximum.accumulate(
        [float(curve.predict(part).mean()) for part in np.array_split(order, max(2, count))]
    )
    return [[round(x, 4), round(float(p), 4)] for x, p in zip(places, smooth, strict=True)]


def choose_thresholds(
    probability: Matrix, answerable: Flags, right: Flags
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return a threshold for each caution, and the curve they were chosen from.

    low: at most a tenth of the right first sentences is refused. normal: the shares of right
    sentences shown and of wrong ones refused have the largest sum (Youden 1950).
    high: of what is shown, at least .85 is right, or the highest share that leaves a third of the
    right ones.
    """
    curve = []
    for threshold in np.arange(0.02, 0.96, 0.02):
        shown = probability >= threshold
        curve.append(
            {
                "threshold": round(float(threshold), 2),
                "coverage": round(float(shown.mean()), 4),
                "risk": round(float(1 - right[shown].mean()), 4) if shown.any() else 0.0,
                "right_shown": round(float(shown[right].mean()), 4),
                "wrong_refused": round(float((~shown)[~right].mean()), 4),
                "unanswerable_refused": round(float((~shown)[~answerable].mean()), 4),
            }
        )
    return thresholds_of(curve), curve


def thresholds_of(curve: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the threshold for each caution; see `choose_thresholds`."""
    low = max((p for p in curve if p["right_shown"] >= 0.9), key=lambda p: p["threshold"])
    normal_point = max(curve, key=lambda p: p["right_shown"] + p["wrong_refused"])
    enough = [p for p in curve if p["right_shown"] >= 1 / 3]
    sure = [p for p in enough if p["risk"] <= 0.15]
    high = sure[0] if sure else min(enough, key=lambda p: p["risk"])
    return {
        "low": min(low["threshold"], normal_point["threshold"]),
        "normal": normal_point["threshold"],
        "high": max(high["threshold"], normal_point["threshold"]),
    }


def auroc_within(held: HeldOut, of: Sequence[int], positive: Sequence[bool]) -> float:
    """Return AUROC of some questions, each compared with those of its fold."""
    statistic = auroc(held.logits[of].tolist(), positive, held.folds[of].tolist())
    return float(statistic(np.ones((1, len(of))))[0])


def figures(found: Sequence[Found], held: HeldOut) -> dict[str, Any]:
    """Return held-out figures by set."""
    made: dict[str, Any] = {}
    for origin in sorted({f.asked.origin for f in found}):
        of = [i for i, f in enumerate(found) if f.asked.origin == origin]
        answerable = [found[i].asked.answerable for i in of]
        order = {i: np.argsort(-held.ranks[i], kind="stable") for i in of}
        known = [i for i in of if found[i].asked.answerable]
        made[origin] = {
            "questions": len(of),
            "first_right": round(float(np.mean([found[i].right[order[i][0]] for i in known])), 4),
            "one_of_two_right": round(
                float(np.mean([found[i].right[order[i][:2]].any() for i in known])), 4
            ),
            "answerable_auroc": round(auroc_within(held, of, answerable), 4),
            "right_auroc": round(auroc_within(held, of, held.right[of].tolist()), 4),
        }
    return made


def fit_all(found: Sequence[Found], way: Way) -> Stored:
    """Cross-validate, calibrate, choose thresholds and fit on everything: what is stored."""
    held = hold_out(found, way)
    # The second model is fitted on held-out ranks: on seen ones the first sentence leads too far.
    rows, right = firsts(found, held.ranks, way)
    answerable = np.array([f.asked.answerable for f in found])
    answers = fit_answers(rows, right, answerable, way.told_by)
    # Calibrated on its own log-odds: those of the folds come from models with other intercepts,
    # which blurs the curve, and a handful of weights over thousands of questions overfits little.
    logits = score(answers, rows, way.told_by)
    points = calibrate(logits, right)
    probability = np.interp(logits, *np.array(points).T)
    thresholds, curve = choose_thresholds(probability, answerable, right)
    return {
        "rank": way.train(found, way.names),
        "answers": answers,
        "calibration": points,
        "caution": thresholds,
        "risk_coverage": curve,
        "held_out": figures(found, held),
    }


BY_FEATURES = Way(FEATURES, train_rank, TOLD_BY_FEATURES)


def by_reader(alone: Sequence[Found]) -> Way:
    """Return the way of the product, which weighs the readings on top of the features."""
    return Way(ALL_FEATURES, OnTop(tuple(alone)), TOLD_BY_READER)


def gather(data: Path, reader: Reader | None, *, own: bool = False) -> list[Found]:
    """Describe the questions of both sets; with a reader only those that the sibling never saw.

    Parameters
    ----------
    own : bool, default False
        Only SQuAD, and of the articles only the one that a question was written for.
    """
    found = []
    for read in (read_squad,) if own else (read_squad, read_clapnq):
        articles, questions = read(data)
        if reader and read is read_squad:
            questions = unseen(questions)
        found += describe_all(articles, questions, reader, own=own)
    return found


def main() -> None:
    """Fit, print the figures, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument(
        "--reader", type=Path, required=True, help="folder of the reader trained with --half"
    )
    options = parser.parse_args()
    stored: Stored = {"fitted_by": "rag/models/fit_selection.py"}
    alone = gather(options.data, None)
    read = gather(options.data, Reader(THREADS, options.reader))
    for name, found, way, titles in (
        ("features_alone", alone, BY_FEATURES, "8 titles"),
        (
            "with_reader",
            read,
            by_reader(alone),
            "4 titles, read by a sibling of the reader that did not see them",
        ),
    ):
        about = f"SQuAD 2.0 dev ({titles}) and CLAPNQ dev (150 + 150), developers' halves"
        stored[name] = {"fitted_on": about, "questions": len(found), **fit_all(found, way)}
        print(name, json.dumps(stored[name]["held_out"], indent=1))
    MODEL_FILE.write_text(json.dumps(stored, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{MODEL_FILE}: {MODEL_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

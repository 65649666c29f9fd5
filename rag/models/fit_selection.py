"""Fit the two logistic models of `rag.select`, and say on what: ``selection.json``.

Run it as ``python -m rag.models.fit_selection --data ../shared/bench`` with the extra ``build``.
Fitted on SQuAD 2.0 and CLAPNQ (the developers' halves): each question is asked of all paragraphs
of its set. A sentence is right if it holds a gold answer (SQuAD) or is one of the gold sentences
(CLAPNQ). The ranking model sees the sentences found for answerable questions; the answering model
sees the first-ranked sentence of every question, with its being right as the label. The figures
printed are cross-validated, with whole titles held out, so they are for unseen topics.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from rag import index
from rag.embed import BundledEmbedder
from rag.retrieve import retrieve
from rag.schema import Article
from rag.select import FEATURES, MODEL_FILE, describe
from rag.settings import Settings
from rag.store import Store
from rag.words import Stemmer, search_terms

FOLDS = 5


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
    own: str | None = None

    def is_right(self, article: Article, sentence: str) -> bool:
        """Tell whether a sentence of an article answers."""
        text = normal(sentence)
        if self.own is None:
            return any(f" {gold} " in f" {text} " for gold in self.golds)
        return article.article_id == self.own and any(text in g or g in text for g in self.golds)


@dataclass(frozen=True)
class Described:
    """A question's sentences as features and labels."""

    asked: Asked
    features: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


def normal(text: str) -> str:
    """Return `text` as SQuAD compares answers: lower case, no punctuation, no articles."""
    words = re.sub(r"[^\w\s]", "", text.lower()).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})


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
            article = Article(f"clapnq-{row['id']}", passage["title"], passage["text"])
            articles[article.article_id] = article
            golds = {normal(s) for out in row["output"] for s in out.get("selected_sentences", [])}
            questions.append(
                Asked(
                    row["input"],
                    answerable,
                    frozenset(golds - {""}),
                    article.article_id,
                    "clapnq",
                    own=article.article_id,
                )
            )
    return list(articles.values()), questions


def describe_all(articles: list[Article], questions: list[Asked]) -> list[Described]:
    """Index the articles in a folder of its own and describe the sentences of each question."""
    settings, embedder, stemmer = Settings.load(), BundledEmbedder(), Stemmer()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        with corpus.open("w", encoding="utf-8") as file:
            for article in articles:
                row = {"id": article.article_id, "title": article.title, "text": article.text}
                file.write(json.dumps(row) + "\n")
        with Store(Path(folder) / "store", embedder=embedder.fingerprint) as store:
            report = index.sync(
                corpus,
                store,
                embedder,
                max_tokens=settings.passage_tokens,
                overlap=settings.passage_overlap,
            )
            print(f"{report.added} articles, {report.passages} passages")
            catalogue = store.catalogue
            passages = catalogue.count_words()
            vectors = embedder.embed([asked.question for asked in questions])
            described = []
            for asked, vector in zip(questions, vectors, strict=True):
                hits = retrieve(
                    asked.question,
                    vector,
                    catalogue,
                    store.vectors,
                    k=settings.passages_read,
                    candidates=settings.candidates,
                    per_article=settings.passages_per_article,
                )
                (stems,) = stemmer.stems([" ".join(search_terms(asked.question))])
                found, features, _ = describe(
                    asked.question,
                    vector,
                    hits,
                    embedder=embedder,
                    stemmer=stemmer,
                    frequencies=catalogue.document_frequencies(stems),
                    passages=passages,
                )
                right = [asked.is_right(a, span.cut(a.text)) for a, span in found]
                described.append(Described(asked, features, np.array(right, dtype=bool)))
    return described


def fit(
    features: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the weights of a logistic model over the features as they are, and its bias."""
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=0.3, max_iter=1000).fit(scaler.transform(features), right)
    weights = model.coef_[0] / scaler.scale_
    return weights, float(model.intercept_[0] - weights @ scaler.mean_)


def fit_rank(described: list[Described]) -> npt.NDArray[np.float64]:
    """Fit the ranking model on the sentences of answerable questions."""
    answerable = [d for d in described if d.asked.answerable and d.right.any()]
    features = np.concatenate([d.features for d in answerable])
    return fit(features, np.concatenate([d.right for d in answerable]))[0]


def firsts(
    described: list[Described], rank: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the features of each question's first sentence, and whether it is right."""
    best = [int(np.argmax(d.features @ rank)) for d in described]
    return (
        np.array([d.features[i] for d, i in zip(described, best, strict=True)]),
        np.array([d.asked.answerable and d.right[i] for d, i in zip(described, best, strict=True)]),
    )


def cross_validate(described: list[Described]) -> npt.NDArray[np.float64]:
    """Print figures for held-out titles; return the probability of each question's answer."""
    groups = sorted({d.asked.group for d in described})
    probability = np.zeros(len(described))
    hit1, hit2, right1 = (np.zeros(len(described), dtype=bool) for _ in range(3))
    for fold in range(FOLDS):
        held = set(groups[fold::FOLDS])
        train = [d for d in described if d.asked.group not in held]
        rank = fit_rank(train)
        weights, bias = fit(*firsts(train, rank))
        for i, d in enumerate(described):
            if d.asked.group in held:
                order = np.argsort(-(d.features @ rank), kind="stable")
                hit1[i], hit2[i] = d.right[order[:1]].any(), d.right[order[:2]].any()
                right1[i] = d.asked.answerable and hit1[i]
                logit = d.features[order[0]] @ weights + bias
                probability[i] = 1 / (1 + np.exp(-logit))
    for origin in sorted({d.asked.origin for d in described}):
        of = np.array([d.asked.origin == origin for d in described])
        answerable = np.array([d.asked.answerable for d in described])
        known = of & answerable
        print(
            f"{origin}: first sentence right {hit1[known].mean():.3f}, one of two "
            f"{hit2[known].mean():.3f} (n = {known.sum()}); answerable or not, AUROC "
            f"{roc_auc_score(answerable[of], probability[of]):.3f} (n = {of.sum()}); right or not "
            f"{roc_auc_score(right1[of], probability[of]):.3f}"
        )
        for t in np.arange(0.1, 0.65, 0.05):
            given = of & (probability >= t)
            print(
                f"  threshold {t:.2f}: answerable refused {1 - given[known].mean():.3f}, "
                f"unanswerable refused {1 - given[of & ~answerable].mean():.3f}, "
                f"right among given {right1[given].mean():.3f}"
            )
    return probability


def main() -> None:
    """Fit, print the figures, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--threshold", type=float, help="abstain below this probability")
    options = parser.parse_args()
    described = []
    for read in (read_squad, read_clapnq):
        described += describe_all(*read(options.data))
    described = [d for d in described if len(d.features)]
    cross_validate(described)
    if options.threshold is None:
        print("nothing written: give --threshold")
        return
    rank = fit_rank(described)
    weights, bias = fit(*firsts(described, rank))
    stored = {
        "fitted_on": "SQuAD 2.0 dev (8 titles) and CLAPNQ dev (150 + 150), developers' halves",
        "fitted_by": "python -m rag.models.fit_selection --data ../shared/bench "
        f"--threshold {options.threshold}",
        "questions": len(described),
        "threshold": options.threshold,
        "answers_bias": round(bias, 4),
        "rank": dict(zip(FEATURES, rank.round(4).tolist(), strict=True)),
        "answers": dict(zip(FEATURES, weights.round(4).tolist(), strict=True)),
    }
    MODEL_FILE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

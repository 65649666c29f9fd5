"""Measure the support checker: AUROC on four sets of human labels, mutations, speed.

Run ``python -m eval.bench_verify --data FOLDER`` with a folder that holds `ragtruth`, `qags`,
`expertqa`, `wice` and `allsides`; a set that isn't there is named and skipped. Beside each AUROC
stands that of the share of claim words found in the source, computed in the same run.

The checker's handful of weights is fitted on one random half of each set (``--fit`` prints them);
the other half is what is reported as "held".
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from eval.mutate import MUTATIONS, PARAPHRASES
from rag.split import split_sentences
from rag.verify import check_sentence, support_features, support_scores

SEED: Final = 20250823
DRAWS: Final = 2_000
_WORD: Final = re.compile(r"\w+")
_LABEL: Final = re.compile(r"\s*\[\d+\]")
_QUOTATION: Final = re.compile(r"[“\"]([^“”\"]*)[”\"]")
_PASSAGE_REFERENCE: Final = re.compile(
    r"\(?\b[Pp]assages? \d+(?::\d+)?(?:(?:,| and|, and) \d+)*\)?"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, its source, whether people found it supported, and the text it came from."""

    sentence: str
    source: str
    supported: bool
    group: str


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file, gzipped or not."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    for line in content.decode("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def read_ragtruth(folder: Path) -> list[Case]:
    """Take response sentences of three words or more; supported if no marked span touches one."""
    cases = []
    for row in read_lines(folder / "ragtruth" / "responses.jsonl.gz"):
        for span in split_sentences(row["d2"]):
            text = _PASSAGE_REFERENCE.sub("", span.cut(row["d2"]))
            if len(_WORD.findall(text)) >= 3:
                marked = any(
                    label["start"] < span.end and span.start < label["end"]
                    for label in row["labels"]
                )
                cases.append(Case(text, row["d1"], not marked, str(row["source_id"])))
    return cases


def read_qags(folder: Path) -> list[Case]:
    """Take summary sentences against their article; supported if two of three people say so."""
    return [
        Case(
            sentence["sentence"],
            row["article"],
            sum(answer["response"] == "yes" for answer in sentence["responses"]) >= 2,
            row["article"][:80],
        )
        for row in read_lines(folder / "qags" / "summaries.jsonl")
        for sentence in row["summary_sentences"]
    ]


def read_expertqa(folder: Path) -> list[Case]:
    """Take claims with evidence; supported if the support is complete, not if less."""
    return [
        Case(
            _LABEL.sub("", claim["claim_string"]),
            "\n\n".join(claim["evidence"]),
            claim["support"] == "Complete",
            row["question"],
        )
        for row in read_lines(folder / "expertqa" / "claims.jsonl.gz")
        for answer in row["answers"].values()
        for claim in answer["claims"]
        if claim["evidence"] and claim["support"] in ("Complete", "Partial", "Incomplete")
    ]


def read_wice(folder: Path) -> list[Case]:
    """Take claims against all sentences of their article; supported, or partly or not."""
    return [
        Case(
            row["claim"],
            "\n".join(row["evidence"]),
            row["label"] == "supported",
            row["meta"]["id"] if "id" in row["meta"] else row["claim"],
        )
        for row in read_lines(folder / "wice" / "claims.jsonl.gz")
    ]


READERS: Final[dict[str, Callable[[Path], list[Case]]]] = {
    "ragtruth": read_ragtruth,
    "qags": read_qags,
    "expertqa": read_expertqa,
    "wice": read_wice,
}


def auroc(labels: Sequence[bool], scores: Sequence[float]) -> float:
    """Area under the ROC curve with ties counted half; `nan` if one class is missing."""
    truth = np.asarray(labels, dtype=bool)
    values = np.asarray(scores, dtype=float)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return float("nan")
    area = ranks[truth].sum() - positives * (positives + 1) / 2
    return float(area / (positives * negatives))


def word_overlap(sentence: str, source: str) -> float:
    """Share of the sentence's words that stand in the source: the baseline."""
    words = _WORD.findall(sentence.lower())
    known = set(_WORD.findall(source.lower()))
    return sum(word in known for word in words) / max(1, len(words))


def halves(cases: Sequence[Case]) -> tuple[list[int], list[int]]:
    """Split case numbers into a choosing and a reporting half, by source text, fixed seed."""
    groups = sorted({case.group for case in cases})
    random.Random(SEED).shuffle(groups)
    chosen = set(groups[: len(groups) // 2])
    inside = [i for i, case in enumerate(cases) if case.group in chosen]
    outside = [i for i, case in enumerate(cases) if case.group not in chosen]
    return inside, outside


def interval(
    cases: Sequence[Case], ours: Sequence[float], base: Sequence[float], keep: Sequence[int]
) -> tuple[float, float, float]:
    """Bootstrap our AUROC by source: 2.5 and 97.5 percentiles, and the share above the baseline."""
    rows_of: dict[str, list[int]] = {}
    for i in keep:
        rows_of.setdefault(cases[i].group, []).append(i)
    groups = list(rows_of.values())
    generator = np.random.default_rng(SEED)
    truth = np.array([case.supported for case in cases])
    mine, theirs = np.asarray(ours), np.asarray(base)
    drawn, better = [], 0
    for _ in range(DRAWS):
        rows = np.concatenate([groups[k] for k in generator.integers(0, len(groups), len(groups))])
        area = auroc(truth[rows], mine[rows])
        if area == area:
            drawn.append(area)
            better += area > auroc(truth[rows], theirs[rows])
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high), better / len(drawn)


def fit_weights(
    tables: Sequence[tuple[Sequence[dict[str, float]], Sequence[bool]]], penalty: float = 3.0
) -> dict[str, float]:
    """Fit one logistic regression over sets, with an intercept for each; sets weigh the same.

    The mean intercept is returned as ``bias``: a source of one sentence and one of forty differ
    in level, and only the order within a set is to be learnt.
    """
    names = list(tables[0][0][0])
    blocks, truths, weights = [], [], []
    for number, (rows, labels) in enumerate(tables):
        truth = np.asarray(labels, dtype=float)
        intercepts = np.zeros((len(rows), len(tables)))
        intercepts[:, number] = 1.0
        blocks.append(
            np.hstack([np.array([[row[name] for name in names] for row in rows]), intercepts])
        )
        truths.append(truth)
        weights.append(100 * np.where(truth > 0, 1 / truth.sum(), 1 / (1 - truth).sum()))
    x, y, w = np.vstack(blocks), np.concatenate(truths), np.concatenate(weights)
    ridge = np.diag([penalty] * len(names) + [1e-3] * len(tables))
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (w * (y - p)) - ridge @ beta
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + ridge
        beta += np.linalg.solve(hessian, gradient)
    fitted = dict(zip(names, beta[: len(names)].tolist(), strict=True))
    return {**fitted, "bias": float(beta[len(names) :].mean())}


def report_auroc(folder: Path, fit: bool) -> None:
    """Print the AUROC table, or fit the weights on the choosing halves."""
    tables = []
    print(
        f"{'set':10} {'n':>5} {'supp.':>6} {'words':>6} {'ours':>6} | held half: "
        f"{'n':>5} {'words':>6} {'ours':>6}  95 % interval   P(better)"
    )
    for name, read in READERS.items():
        if not (folder / name).is_dir():
            print(f"{name:10} skipped: no folder {name} in the data folder")
            continue
        cases = read(folder)
        chosen, held = halves(cases)
        labels = [case.supported for case in cases]
        if fit:
            rows = support_features([(cases[i].sentence, cases[i].source) for i in chosen])
            tables.append((rows, [labels[i] for i in chosen]))
            continue
        ours = support_scores([(case.sentence, case.source) for case in cases])
        base = [word_overlap(case.sentence, case.source) for case in cases]
        low, high, better = interval(cases, ours, base, held)
        held_labels = [labels[i] for i in held]
        print(
            f"{name:10} {len(cases):5} {sum(labels) / len(cases):6.3f} {auroc(labels, base):6.3f} "
            f"{auroc(labels, ours):6.3f} |            {len(held):5} "
            f"{auroc(held_labels, [base[i] for i in held]):6.3f} "
            f"{auroc(held_labels, [ours[i] for i in held]):6.3f}  [{low:.3f}, {high:.3f}]  "
            f"{better:.3f}"
        )
    if fit and tables:
        for name, weight in fit_weights(tables).items():
            print(f"{name:10} {weight:+.2f}")


def read_article_sentences(folder: Path, limit: int, skip: int) -> list[list[str]]:
    """Take the sentences of articles drawn at random, article by article.

    The first ones drawn were looked at while the rules were written; `skip` leaves them out.
    """
    rows = list(read_lines(folder / "allsides" / "articles.jsonl.gz"))
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


def report_mutations(articles: Sequence[Sequence[str]], show: int) -> None:
    """Print how often a changed sentence is caught, and how often a fair rewording is."""
    for title, changes in (
        ("mutation: caught", MUTATIONS),
        ("rewording: false alarm", PARAPHRASES),
    ):
        print(f"\n{title:28} {'n':>6} {'not supported':>14} {'withheld':>9}")
        for name, change in changes.items():
            counts: list[str] = []
            shown = 0
            generator = random.Random(SEED)
            for sentences in articles:
                for sentence in sentences:
                    changed = change(sentence, sentences, generator)
                    if changed is None or changed == sentence:
                        continue
                    if changes is PARAPHRASES and not same_quotations(sentence, changed):
                        continue
                    context = [other for other in sentences[:12] if other != sentence]
                    verdict = check_sentence(changed, [sentence], context=context)
                    counts.append(verdict.support.value)
                    wrong = (verdict.support.value == "supported") == (changes is MUTATIONS)
                    if wrong and shown < show:
                        shown += 1
                        print(
                            f"   {verdict.support.value}: {verdict.reason}\n"
                            f"      evidence: {sentence}\n      sentence: {changed}"
                        )
            if counts:
                flagged = sum(value != "supported" for value in counts)
                withheld = sum(value in ("unsupported", "contradicted") for value in counts)
                print(
                    f"{name:28} {len(counts):6} {flagged / len(counts):13.1%} "
                    f"{withheld / len(counts):8.1%}"
                )


def report_speed(articles: Iterable[Sequence[str]], pairs: int = 4_000) -> None:
    """Print sentence–evidence pairs a second of processor time; no sentence is read twice."""
    flat = [sentence for sentences in articles for sentence in sentences]
    work = list(zip(flat[::2], flat[1::2], strict=False))[:pairs]
    start = time.process_time()
    for sentence, evidence in work:
        check_sentence(sentence, [evidence])
    seconds = time.process_time() - start
    print(f"\nspeed on one core: {len(work) / seconds:,.0f} pairs/s ({len(work)} unseen pairs)")


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description="Measure the support checker.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--fit", action="store_true", help="print weights fitted on half of each")
    parser.add_argument("--articles", type=int, default=150, help="articles to mutate")
    parser.add_argument("--skip", type=int, default=150, help="articles to leave out first")
    parser.add_argument("--show", type=int, default=0, help="wrong verdicts to print for each row")
    parser.add_argument("--only", choices=("auroc", "mutations", "speed"), help="one part only")
    options = parser.parse_args()
    if options.only in (None, "auroc"):
        report_auroc(options.data, options.fit)
    if options.fit or options.only == "auroc":
        return
    if not (options.data / "allsides").is_dir():
        print("mutations and speed skipped: no folder allsides in the data folder")
        return
    articles = read_article_sentences(options.data, options.articles, options.skip)
    if options.only in (None, "speed"):
        report_speed(articles)
    if options.only in (None, "mutations"):
        report_mutations(articles, options.show)


if __name__ == "__main__":
    main()

"""Measure retrieval and first sentences: ``python -m eval.bench_retrieval --data ../shared/bench``.

Two open settings: every paragraph of SQuAD 2.0 is an article, and RealTimeQA's pool of news. The
assistant is asked through its public calls, with abstention off (threshold 0), so that a refusal
doesn't hide what was found. BM25 over whole articles is measured beside it in the same run. A
ranking is of articles, each at the place of its best passage; wire copy that Dateline folds into
a hit stands right behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.adapters import load
from eval.bm25 import Bm25Index
from eval.cli import write_corpus
from eval.intervals import proportion
from eval.questions import Question
from eval.ranking import any_found_at, reciprocal_rank_at
from eval.text import holds_answer
from rag import Assistant, EvaluationError

SEARCHED_PASSAGES = 80


def rank_articles(article_ids: Iterable[str]) -> list[str]:
    """Return each article once, where it first stands."""
    return list(dict.fromkeys(article_ids))


def ranking_figures(rankings: Sequence[list[str]], golds: Sequence[set[str]]) -> dict[str, float]:
    """Return hit@k and MRR@10 over the questions."""
    covers = [
        [{0} if name in gold else set() for name in ranking]
        for ranking, gold in zip(rankings, golds, strict=True)
    ]
    figures = {
        f"hit_at_{k}": float(np.mean([any_found_at(cover, k) for cover in covers]))
        for k in (1, 5, 10, 20)
    }
    figures["mrr_at_10"] = float(np.mean([reciprocal_rank_at(cover, 10) for cover in covers]))
    return figures


def measure(name: str, data: Path) -> dict[str, Any]:
    """Index one set in a folder of its own and measure its answerable questions."""
    dataset = load(name, data)
    questions = [q for q in dataset.questions.questions if q.answerable]
    golds = [{gold.article for gold in question.evidence} for question in questions]
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(dataset, Path(folder) / "corpus")
        with Assistant.open(corpus, store=Path(folder) / "store") as assistant:
            assistant.sync()
            found = [
                rank_articles(
                    passage.article.article_id
                    for hit in assistant.search(question.question, k=SEARCHED_PASSAGES)
                    for passage in (hit.passage, *hit.copies)
                )
                for question in questions
            ]
            sentences = [right_sentences(assistant, question) for question in questions]
            passages = assistant.status().passages
    bm25 = Bm25Index([f"{a.title}\n{a.text}" for a in dataset.articles])
    by_words = [
        [dataset.articles[i].article_id for i in np.argsort(-bm25.scores(q.question))[:20]]
        for q in questions
    ]
    right_first = sum(right[:1] == [True] for right in sentences)
    right_two = sum(any(right[:2]) for right in sentences)
    return {
        "articles": len(dataset.articles),
        "passages": passages,
        "questions": len(questions),
        "dateline": ranking_figures(found, golds),
        "bm25_over_articles": ranking_figures(by_words, golds),
        "first_sentence_right": proportion(right_first, len(questions)).to_dict(),
        "one_of_two_right": proportion(right_two, len(questions)).to_dict(),
    }


def right_sentences(assistant: Assistant, question: Question) -> list[bool]:
    """Return, for each sentence of the answer, whether it holds a gold answer."""
    answer = assistant.ask(question.question)
    return [holds_answer(s.text, question.aliases, question.must) for s in answer.sentences]


def main() -> None:
    """Print the figures of each set that is found, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    os.environ["RAG_THRESHOLD"] = "0"
    figures: dict[str, Any] = {}
    for name in ("squad2", "realtimeqa"):
        try:
            figures[name] = measure(name, options.data)
        except EvaluationError as error:
            figures[name] = {"skipped": str(error)}
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

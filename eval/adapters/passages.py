"""Sets over one pool of articles: squad2, clapnq, realtimeqa, and any BEIR folder."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from eval.adapters.reading import day, find, plain, rows, texts
from eval.jsonl import read_bytes, read_json
from eval.questions import Dataset, Gold, Question, QuestionSet
from rag import Article, EvaluationError

# A news quiz asks about the days before it; what is older than this can't report its news.
_HIDDEN_DAYS = 14


def squad2(data: Path) -> Dataset:
    """Read SQuAD 2.0: every paragraph an article, every question asked over all of them.

    Gold evidence is the answer at its place; retrieval is scored on paragraphs.
    """
    path = find(data, "squad2", "squad2.json", "dev-v2.0.json")
    content = read_json(path)
    articles, questions = [], []
    try:
        for topic in content["data"]:
            for index, paragraph in enumerate(topic["paragraphs"]):
                article_id = f"{topic['title']}-{index}"
                title = str(topic["title"]).replace("_", " ")
                articles.append(Article(article_id, title, paragraph["context"]))
                for entry in paragraph["qas"]:
                    answerable = not entry["is_impossible"]
                    answers = entry["answers"] if answerable else []
                    golds = dict.fromkeys((a["text"], int(a["answer_start"])) for a in answers)
                    questions.append(
                        Question(
                            question_id=str(entry["id"]),
                            question=str(entry["question"]).strip(),
                            answerable=answerable,
                            aliases=tuple(dict.fromkeys(text for text, _ in golds)),
                            evidence=tuple(Gold(article_id, text, at) for text, at in golds),
                            type="answerable" if answerable else "unanswerable",
                        )
                    )
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluationError(
            f"{path}: not SQuAD 2.0 JSON ({type(error).__name__}: {error})"
        ) from error
    return _dataset("squad2", "2.0", questions, articles, path, unit="article")


def clapnq(data: Path) -> Dataset:
    """Read CLAPNQ: passages as articles, gold sentences, long gold answers, and misses.

    Its answers are prose, so correctness can't be told by an alias: token F1, gold citations and
    abstention are what it measures.
    """
    paths = [
        find(data, "clapnq", f"clapnq_dev_{kind}.jsonl", f"{kind}.jsonl")
        for kind in ("answerable", "unanswerable")
    ]
    articles: dict[tuple[str, str], Article] = {}

    def make(values: dict[str, Any], number: int) -> Question:
        passage = values["passages"][0]
        key = (passage["title"], passage["text"])
        if key not in articles:
            articles[key] = Article(f"clapnq-{len(articles)}", key[0], plain(key[1]))
        article = articles[key]
        outputs = values["output"]
        answers = texts([output["answer"] for output in outputs])
        chosen = texts([plain(s) for o in outputs for s in o["selected_sentences"]])
        return Question(
            question_id=str(values["id"]),
            question=values["input"],
            answerable=bool(answers),
            references=answers,
            evidence=tuple(Gold(article.article_id, s) for s in chosen if s in article.text),
            hops=max(1, min(2, len(chosen))),
            type="answerable" if answers else "unanswerable",
            line=number,
        )

    questions = [question for path in paths for question in rows(path, make)]
    return _dataset("clapnq", "dev", questions, list(articles.values()), paths[0], unit="article")


def realtimeqa(data: Path) -> Dataset:
    """Read RealTimeQA: news quiz questions over the pool of articles around them.

    Each question whose gold articles are all dated within the days before it is asked a second
    time with those days hidden by a date filter, as one that can't be answered.
    """
    pool = find(data, "realtimeqa", "articles.jsonl.gz", "articles.jsonl")
    path = find(data, "realtimeqa", "questions.jsonl")

    def make_article(values: dict[str, Any], _: int) -> Article | None:
        text = (values["text"] or "").strip()
        if not text:
            return None
        return Article(
            article_id=values["id"],
            title=values.get("title") or "",
            text=text,
            publisher=values.get("publisher") or "",
            published=day(values.get("publish_date")),
            url=values.get("url") or None,
        )

    articles = list(rows(pool, make_article))
    days = {article.article_id: article.published for article in articles}

    def make(values: dict[str, Any], number: int) -> tuple[Question, ...]:
        golds = tuple(values["gold_ids"])
        question = Question(
            question_id=values["question_id"],
            question=values["question"],
            answerable=True,
            aliases=texts(values["answer"]),
            evidence=tuple(Gold(gold) for gold in golds),
            type="quiz",
            line=number,
        )
        asked = day(values["question_date"])
        related = (*golds, *values.get("weak_gold_ids", ()))
        until = _hiding_day(asked, [days[gold] for gold in related if gold in days])
        if until is None:
            return (question,)
        hidden = Question(
            question_id=f"{values['question_id']}-hidden",
            question=values["question"],
            answerable=False,
            type="hidden",
            until=until,
            line=number,
        )
        return question, hidden

    questions = [question for pair in rows(path, make) for question in pair]
    return _dataset("realtimeqa", "2022", questions, articles, path, unit="article")


def _hiding_day(asked: date | None, published: list[date | None]) -> date | None:
    """Return the last day to search so that no gold article is seen; `None` if there is none."""
    if asked is None or not published:
        return None
    until = asked - timedelta(days=_HIDDEN_DAYS)
    return until if all(d is not None and d > until for d in published) else None


def beir(data: Path) -> Dataset:
    """Read a BEIR folder: corpus.jsonl, queries.jsonl and qrels/test.tsv; for retrieval alone."""
    path = find(data, "beir", "queries.jsonl", "queries.jsonl.gz")
    folder = path.parent
    qrels = find(folder, "qrels", "test.tsv", "dev.tsv")
    relevant: dict[str, list[str]] = {}
    lines = read_bytes(qrels).decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, start=1):
        parts = line.split("\t")
        if number == 1 and parts[-1].strip() == "score":
            continue
        try:
            query, document, grade = parts[0], parts[-2], int(parts[-1])
        except (IndexError, ValueError) as error:
            raise EvaluationError(
                f"{qrels}:{number}: expected query, document and grade between tabs"
            ) from error
        if grade > 0:
            relevant.setdefault(query, []).append(document)

    def make_article(values: dict[str, Any], _: int) -> Article | None:
        text = (values["text"] or "").strip() or (values.get("title") or "").strip()
        return Article(str(values["_id"]), values.get("title") or "", text) if text else None

    def make(values: dict[str, Any], number: int) -> Question | None:
        golds = relevant.get(str(values["_id"]))
        if not golds:
            return None
        return Question(
            question_id=str(values["_id"]),
            question=values["text"],
            answerable=True,
            evidence=tuple(Gold(gold) for gold in golds),
            # Each relevant document counts, as in BEIR's own figures.
            hops=len(golds),
            type="query",
            line=number,
        )

    articles = list(rows(find(folder, "", "corpus.jsonl", "corpus.jsonl.gz"), make_article))
    name = f"beir-{folder.resolve().name}"
    return _dataset(name, "1", list(rows(path, make)), articles, path, unit="article")


def _dataset(
    name: str,
    version: str,
    questions: list[Question],
    articles: list[Article],
    path: Path,
    *,
    unit: str,
) -> Dataset:
    if not questions:
        raise EvaluationError(f"{path}: holds no questions")
    made = QuestionSet(name, version, tuple(questions), unit=unit, source=str(path))
    return Dataset(made, tuple(articles))

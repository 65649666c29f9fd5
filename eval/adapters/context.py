"""Sets that bring their own evidence: multihop_rag, robustrag and rgb.

The documents of each question are kept apart by a publisher of their own, and the question is
asked with that publisher as a filter: so one store serves all questions, and none sees another's
documents.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from eval.adapters.reading import day, find, rows, texts
from eval.questions import Dataset, Gold, Question, QuestionSet
from eval.text import holds_answer
from rag import Article


def multihop_rag(data: Path) -> Dataset:
    """Read MultiHop-RAG: the facts of one article are one article here, asked over all of them.

    The set's own articles are not part of it, so the pool is smaller and easier than the
    published one of 609 whole articles.
    """
    path = find(data, "multihop_rag", "questions.jsonl", "MultiHopRAG.jsonl")
    facts: dict[str, list[str]] = {}
    heads: dict[str, dict[str, Any]] = {}

    def make(values: dict[str, Any], number: int) -> Question:
        golds = []
        for entry in values["evidence_list"]:
            fact = " ".join(entry["fact"].split())
            key = entry.get("url") or entry["title"]
            article_id = "mh-" + hashlib.sha256(key.encode("utf-8")).hexdigest()[:12]
            heads.setdefault(article_id, entry)
            known = facts.setdefault(article_id, [])
            if fact not in known:
                known.append(fact)
            golds.append(Gold(article_id, fact))
        unique = tuple(dict.fromkeys(golds))
        return Question(
            question_id=str(values["id"]),
            question=values["question"],
            answerable=bool(unique),
            aliases=texts(values["answer"]) if unique else (),
            evidence=unique,
            hops=max(1, len(unique)),
            type=values["question_type"],
            line=number,
        )

    questions = tuple(rows(path, make))
    articles = tuple(
        Article(
            article_id=article_id,
            title=entry["title"],
            text="\n\n".join(facts[article_id]),
            publisher=entry.get("source") or "",
            published=day(entry.get("published_at")),
            url=entry.get("url") or None,
        )
        for article_id, entry in heads.items()
    )
    return Dataset(QuestionSet("multihop_rag", "1", questions, source=str(path)), articles)


def robustrag(data: Path) -> Dataset:
    """Read RobustRAG: news questions over search snippets, clean and with planted lies.

    A question is asked twice, as ``clean`` and ``poisoned``; it counts as answerable if some
    snippet holds a right answer.
    """
    path = find(data, "robustrag", "questions.jsonl")
    articles: list[Article] = []

    def make(values: dict[str, Any], number: int) -> tuple[Question, ...]:
        right = (*texts(values["correct answer"]), *texts(values.get("expanded answer", [])))
        aliases = tuple(dict.fromkeys(right))
        snippets = [(s.get("title") or "", s.get("text") or "") for s in values["context"]]
        poison = [("", text) for text in values["incorrect_context"]]
        made = []
        for kind, documents in (("clean", snippets), ("poisoned", [*poison, *snippets])):
            name = f"robustrag-{values['id']}-{kind}"
            pool = _pool(name, documents, articles)
            golds = _holding(pool, aliases)
            made.append(
                Question(
                    question_id=name,
                    question=values["question"],
                    answerable=bool(golds),
                    aliases=aliases if golds else (),
                    evidence=golds,
                    type=kind,
                    lies=texts(values["incorrect answer"]),
                    publisher=name,
                    line=number,
                )
            )
        return tuple(made)

    questions = tuple(question for pair in rows(path, make) for question in pair)
    made = QuestionSet("robustrag", "1", questions, unit="article", source=str(path))
    return Dataset(made, tuple(articles))


def rgb(data: Path) -> Dataset:
    """Read RGB's counterfactual facts (en_fact).

    A question is asked three times: over true documents and noise (``noise``), over noise alone
    (``rejection``, not answerable), and over documents changed to a lie, the true ones and noise
    (``conflict``).
    """
    path = find(data, "rgb", "en_fact.jsonl", "en_fact.json")
    articles: list[Article] = []

    def make(values: dict[str, Any], number: int) -> tuple[Question, ...]:
        aliases = _flat(values["answer"])
        true, noise, lies = values["positive"], values["negative"], values["positive_wrong"]
        kinds = {
            "noise": [*true, *noise],
            "rejection": noise,
            "conflict": [*lies, *true, *noise],
        }
        made = []
        for kind, documents in kinds.items():
            name = f"rgb-{values['id']}-{kind}"
            pool = _pool(name, [("", text) for text in documents], articles)
            answerable = kind != "rejection"
            made.append(
                Question(
                    question_id=name,
                    question=values["query"],
                    answerable=answerable,
                    aliases=aliases if answerable else (),
                    evidence=_holding(pool, aliases) if answerable else (),
                    type=kind,
                    lies=_flat(values["fakeanswer"]) if kind == "conflict" else (),
                    publisher=name,
                    line=number,
                )
            )
        return tuple(made)

    questions = tuple(question for made in rows(path, make) for question in made)
    made = QuestionSet("rgb", "1", questions, unit="article", source=str(path))
    return Dataset(made, tuple(articles))


def _pool(name: str, documents: list[tuple[str, str]], articles: list[Article]) -> list[Article]:
    """Add the documents of one question as articles of a publisher of its own."""
    unique = dict.fromkeys((title.strip(), text.strip()) for title, text in documents)
    pool = [
        Article(f"{name}-{index}", title, text, publisher=name)
        for index, (title, text) in enumerate(unique)
        if sum(c.isalnum() for c in text) > 2
    ]
    articles.extend(pool)
    return pool


def _holding(pool: list[Article], aliases: tuple[str, ...]) -> tuple[Gold, ...]:
    return tuple(Gold(a.article_id) for a in pool if holds_answer(a.text, aliases))


def _flat(value: object) -> tuple[str, ...]:
    """Return texts of an answer that may be nested lists, as RGB writes alternatives."""
    if isinstance(value, list):
        return tuple(dict.fromkeys(text for part in value for text in _flat(part)))
    return texts(value)

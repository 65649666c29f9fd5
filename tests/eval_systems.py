"""Systems for tests of the evaluation: one that works, and ones that are worse on purpose."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eval.bm25 import Bm25System
from eval.questions import Question, QuestionSet, read_questions
from eval.records import Place, Reply, StoredCitation, StoredHit, StoredSentence
from eval.systems import Seconds
from rag import Article, Citation, Evidence, Span
from rag.corpus import find_sources, read_source

ROOT = Path(__file__).parents[1]
QUESTIONS = ROOT / "eval" / "questions" / "summit.jsonl"


def corpus() -> tuple[Article, ...]:
    """Return the sample articles."""
    return tuple(a for source in find_sources(ROOT / "corpus") for a in read_source(source)[0])


def summit() -> QuestionSet:
    """Return the questions of the project over its sample articles."""
    return read_questions(QUESTIONS)


class Changed:
    """A system whose replies are changed on the way."""

    workers = 1

    def __init__(self, system: Bm25System) -> None:
        self.name = system.name
        self._system = system

    def describe(self) -> dict[str, str]:
        """Say the same as the system that is changed, as a regression does."""
        return self._system.describe()

    def articles(self) -> Sequence[Article]:
        """Return the same corpus."""
        return self._system.articles()

    def article(self, article_id: str, version: str) -> Article:
        """Return the same articles."""
        return self._system.article(article_id, version)

    def reply(self, question: Question, hits: int) -> tuple[Reply, Seconds]:
        """Change what the system says."""
        reply, seconds = self._system.reply(question, hits)
        return self.change(question, reply), seconds

    def change(self, question: Question, reply: Reply) -> Reply:
        """Return what is said instead."""
        return reply


class AlwaysRefuse(Changed):
    """Finds everything and says nothing."""

    def change(self, question: Question, reply: Reply) -> Reply:
        """Refuse."""
        return replace(reply, sentences=(), citations=(), abstention="low_support", confidence=0.0)


class RandomPassage(Changed):
    """Answers with the first sentence of any article, cited exactly."""

    def change(self, question: Question, reply: Reply) -> Reply:
        """Draw an article by the question's id, so that a second run says the same."""
        article = random.Random(question.question_id).choice(list(self.articles()))
        end = article.text.index(". ") + 1
        place = Place(article.article_id, article.version, 0, end)
        quote = article.text[:end]
        digest = Citation.of(Evidence(1, article, Span(0, end), 0.0)).sha256
        return replace(
            reply,
            sentences=(StoredSentence(quote, (1,)),),
            citations=(StoredCitation(1, place, quote, digest),),
            evidence=(),
            hits=(StoredHit(place, 1.0),),
        )


class Misquoting(Changed):
    """Changes one character of one quote in the whole run."""

    def change(self, question: Question, reply: Reply) -> Reply:
        """Change the quote of the first question."""
        if question.question_id != "summit-001" or not reply.citations:
            return reply
        first = reply.citations[0]
        return replace(reply, citations=(replace(first, quote=first.quote[:-1] + "!"),))

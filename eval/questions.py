"""Questions with their gold answers and gold sentences, read from a file and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from eval.jsonl import dump, read_objects
from rag import Article, EvaluationError


@dataclass(frozen=True, slots=True)
class Gold:
    """Words of an article that answer a question.

    Parameters
    ----------
    article : str
        Id of the article.
    quote : str
        Its words; empty means the whole article.
    start : int or None
        Where the quote stands, if a set says so; it chooses among repeated words.
    """

    article: str
    quote: str = ""
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a set.

    Parameters
    ----------
    question_id : str
        Unique in its set.
    question : str
        As a user asks it.
    answerable : bool
        Whether the corpus answers it, under the filters below.
    aliases : tuple of str
        Right answers; any one is enough.
    must : tuple of tuple of str
        What a complete answer holds: one of each inner tuple. It replaces `aliases` where given.
    evidence : tuple of Gold
        The sentences (or articles) that answer it.
    history : tuple of str
        What the user said before, oldest first.
    type, hops : str, int
        The kind of question, and how much evidence it takes: with 1 each gold alone answers the
        question, so finding one is enough; with more it takes all of them.
    references : tuple of str
        Whole gold answers in prose, for token F1 where there are no `aliases`.
    lies : tuple of str
        Wrong answers that planted documents of the set suggest.
    rewrite : str
        Gold standalone question, for a follow-up.
    publisher, since, until
        Filters to ask with.
    note : str
    line : int
        Line in the file, 0 if it has none; not part of the content.
    """

    question_id: str
    question: str
    answerable: bool
    aliases: tuple[str, ...] = ()
    must: tuple[tuple[str, ...], ...] = ()
    evidence: tuple[Gold, ...] = ()
    history: tuple[str, ...] = ()
    type: str = ""
    hops: int = 1
    references: tuple[str, ...] = ()
    lies: tuple[str, ...] = ()
    rewrite: str = ""
    publisher: str | None = None
    since: date | None = None
    until: date | None = None
    note: str = ""
    line: int = field(default=0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the question as JSON-ready values, without what is empty."""
        values: dict[str, Any] = {
            "question_id": self.question_id,
            "question": self.question,
            "answerable": self.answerable,
        }
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name in values or part.name == "line" or not value:
                continue
            if isinstance(value, date):
                value = value.isoformat()
            elif part.name == "evidence":
                value = [_gold_to_dict(gold) for gold in value]
            elif isinstance(value, tuple):
                value = [list(v) if isinstance(v, tuple) else v for v in value]
            values[part.name] = value
        return values


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions over one corpus.

    Parameters
    ----------
    name, version : str
    questions : tuple of Question
        Not empty, ids unique.
    corpus : str
        Folder of the corpus as the file names it; may be empty.
    unit : str
        What retrieval is scored on: ``"passage"`` (a hit must hold the gold quote) or
        ``"article"`` (a hit must come from the gold article).
    source : str
        File it was read from, for messages.
    """

    name: str
    version: str
    questions: tuple[Question, ...]
    corpus: str = ""
    unit: str = "passage"
    source: str = ""

    @property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of a sha256 over every question and the version."""
        content = "\n".join(dump(q.to_dict()) for q in self.questions)
        head = f"{self.name}\0{self.version}\0{self.unit}\0"
        return hashlib.sha256((head + content).encode("utf-8")).hexdigest()[:16]

    def header(self) -> dict[str, str]:
        """Return the first line of the set's file."""
        return {
            "name": self.name, "version": self.version, "corpus": self.corpus, "unit": self.unit
        }  # fmt: skip

    def spread(self, limit: int | None) -> QuestionSet:
        """Keep at most `limit` questions, evenly spread over the set and in its order.

        The first `limit` would be one topic in most sets.
        """
        if limit is None or limit >= len(self.questions):
            return self
        if limit < 1:
            raise EvaluationError(f"--limit {limit}: give 1 or more")
        step = len(self.questions) / limit
        kept = tuple(self.questions[int(i * step)] for i in range(limit))
        return QuestionSet(self.name, self.version, kept, self.corpus, self.unit, self.source)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A question set and the articles it is asked over."""

    questions: QuestionSet
    articles: tuple[Article, ...]


_HEADER_FIELDS = {"name", "version", "corpus", "unit"}
_FIELDS = {part.name for part in fields(Question)} - {"line"}
_GOLD_FIELDS = {"article", "quote", "start"}


def read_questions(path: Path) -> QuestionSet:
    """Read a question file: a header line, then one question a line.

    Raises
    ------
    EvaluationError
        With file and line: a field is unknown, missing or of the wrong kind, an id occurs
        twice, an answerable question has no gold answer, or there is no question.
    """
    rows = list(read_objects(path))
    if not rows:
        raise EvaluationError(f"{path}: empty; expected a header line and a question a line")
    first, header = rows[0]
    at = f"{path}:{first}"
    if "question_id" in header:
        raise EvaluationError(
            f'{at}: expected a header such as {{"version": "1", "name": "summit", '
            f'"corpus": "corpus"}} on the first line, not a question'
        )
    _known_fields(header, _HEADER_FIELDS, at)
    for name in ("version", "name"):
        _text(header, name, at, required=True)
    unit = header.get("unit", "passage")
    if unit not in ("passage", "article"):
        raise EvaluationError(f"{at}: unit is {unit!r}; give 'passage' or 'article'")
    questions = []
    seen: dict[str, int] = {}
    for line, values in rows[1:]:
        question = question_from_dict(values, f"{path}:{line}", line)
        if question.question_id in seen:
            raise EvaluationError(
                f"{path}:{line}: question_id {question.question_id!r} stands already on line "
                f"{seen[question.question_id]}; ids must differ"
            )
        seen[question.question_id] = line
        questions.append(question)
    if not questions:
        raise EvaluationError(f"{path}: no questions after the header; add one a line")
    return QuestionSet(
        name=header["name"],
        version=str(header["version"]),
        questions=tuple(questions),
        corpus=_text(header, "corpus", at),
        unit=unit,
        source=str(path),
    )


def question_from_dict(values: Mapping[str, Any], at: str, line: int = 0) -> Question:
    """Make a question of the values of one line; `at` is ``file:line`` for messages."""
    _known_fields(values, _FIELDS, at)
    answerable = values.get("answerable")
    if not isinstance(answerable, bool):
        raise EvaluationError(f"{at}: answerable is {answerable!r}; give true or false")
    hops = values.get("hops", 1)
    if not isinstance(hops, int) or isinstance(hops, bool) or hops < 0:
        raise EvaluationError(f"{at}: hops is {hops!r}; give a whole number")
    must = values.get("must") or []
    if not isinstance(must, list) or not all(isinstance(m, list) and m for m in must):
        raise EvaluationError(f"{at}: must is a list of lists of texts, each with one or more")
    return Question(
        question_id=_text(values, "question_id", at, required=True),
        question=_text(values, "question", at, required=True),
        answerable=answerable,
        aliases=_texts(values.get("aliases"), "aliases", at),
        must=tuple(_texts(inner, "must", at) for inner in must),
        evidence=_golds(values.get("evidence"), at),
        history=_texts(values.get("history"), "history", at),
        type=_text(values, "type", at),
        hops=hops,
        references=_texts(values.get("references"), "references", at),
        lies=_texts(values.get("lies"), "lies", at),
        rewrite=_text(values, "rewrite", at),
        publisher=_text(values, "publisher", at) or None,
        since=_day(values, "since", at),
        until=_day(values, "until", at),
        note=_text(values, "note", at),
        line=line,
    )


def check_quotes(questions: QuestionSet, articles: Iterable[Article]) -> None:
    """Check that every gold quote stands in its article.

    A gold article without a quote may be absent: such a question is counted as not in the corpus.

    Raises
    ------
    EvaluationError
        With file and line of the first that doesn't, and how many others there are.
    """
    texts = {article.article_id: article.text for article in articles}
    problems = []
    for question in questions.questions:
        at = f"{questions.source or questions.name}:{question.line}: {question.question_id}"
        for gold in question.evidence:
            if not gold.quote:
                continue
            if gold.article not in texts:
                problems.append(f"{at}: the corpus holds no article {gold.article!r}")
            elif gold.quote not in texts[gold.article]:
                problems.append(
                    f"{at}: the gold quote {gold.quote[:60]!r} no longer stands in {gold.article!r}"
                )
    if problems:
        more = f" (and {len(problems) - 1} more like it)" if len(problems) > 1 else ""
        raise EvaluationError(f"{problems[0]}{more}; correct the question file or the corpus")


def _gold_to_dict(gold: Gold) -> dict[str, Any]:
    values: dict[str, Any] = {"article": gold.article}
    if gold.quote:
        values["quote"] = gold.quote
    if gold.start is not None:
        values["start"] = gold.start
    return values


def _known_fields(values: Mapping[str, Any], known: set[str], at: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise EvaluationError(
            f"{at}: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )


def _text(values: Mapping[str, Any], name: str, at: str, *, required: bool = False) -> str:
    value = values.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise EvaluationError(f"{at}: {name} is {value!r}; give a text")
    return value


def _texts(value: object, name: str, at: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise EvaluationError(f"{at}: {name} is a list of texts, none of them empty")
    return tuple(value)


def _golds(value: object, at: str) -> tuple[Gold, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise EvaluationError(f"{at}: evidence is a list of objects with article and quote")
    golds = []
    for entry in value:
        _known_fields(entry, _GOLD_FIELDS, at)
        start = entry.get("start")
        if start is not None and (not isinstance(start, int) or start < 0):
            raise EvaluationError(f"{at}: start is {start!r}; give a whole number")
        golds.append(
            Gold(_text(entry, "article", at, required=True), _text(entry, "quote", at), start)
        )
    return tuple(golds)


def _day(values: Mapping[str, Any], name: str, at: str) -> date | None:
    text = _text(values, name, at)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise EvaluationError(f"{at}: {name} is {text!r}; give a day as YYYY-MM-DD") from error

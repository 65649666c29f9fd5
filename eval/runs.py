"""A run: the folder that holds what was asked, what was replied, and where it comes from.

::

    RUN/run.json           provenance; the same for two runs of the same thing
    RUN/questions.jsonl    the questions asked, with their gold answers
    RUN/predictions.jsonl  a reply a line, in the order of the questions
    RUN/articles.jsonl     the versions of articles that the replies point to
    RUN/timings.jsonl      seconds of each question; cost.json: the run as a whole
    RUN/scores.json        what `score` found; rows.jsonl: the same for each question
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from eval.jsonl import dump, read_json, read_objects, write_json, write_text
from eval.questions import Question, QuestionSet, read_questions
from eval.records import Reply, reply_from_dict
from rag import Article, EvaluationError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """One version of an article as the system held it."""

    article: Article
    version: str

    @property
    def text(self) -> str:
        """The stored text, of which quotes are cut."""
        return self.article.text


@dataclass(frozen=True, slots=True)
class Run:
    """A stored run, read back.

    Parameters
    ----------
    folder : pathlib.Path
    info : mapping
        What run.json holds.
    questions : QuestionSet
    replies : mapping of str to Reply
        By question id; one for each question.
    articles : mapping of (str, str) to StoredArticle
        By id and version.
    """

    folder: Path
    info: Mapping[str, Any]
    questions: QuestionSet
    replies: Mapping[str, Reply]
    articles: Mapping[tuple[str, str], StoredArticle]

    @property
    def name(self) -> str:
        """Name of the system that was asked."""
        return str(self.info["system"]["name"])


def start_run(folder: Path, info: Mapping[str, Any], questions: QuestionSet) -> bool:
    """Make the folder of a run, or find that it is to be resumed.

    Returns
    -------
    bool
        Whether an interrupted run stands there already.

    Raises
    ------
    EvaluationError
        If the folder holds a run of something else, or files that are no run.
    """
    path = folder / "run.json"
    if path.exists():
        old = read_info(folder)
        for part in ("set", "corpus", "system", "code"):
            if old.get(part) != info[part]:
                raise EvaluationError(
                    f"{folder}: holds a run with another {part} "
                    f"({_difference(old.get(part), info[part])}); choose another --out"
                )
        return True
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "predictions.jsonl").exists():
        raise EvaluationError(f"{folder}: has predictions but no run.json; choose another --out")
    lines = [dump(questions.header()), *(dump(q.to_dict()) for q in questions.questions)]
    write_text(folder / "questions.jsonl", "\n".join(lines))
    write_json(path, dict(info))
    return False


def read_info(folder: Path) -> dict[str, Any]:
    """Return what run.json holds.

    Raises
    ------
    EvaluationError
        If there is no run, or one of another format.
    """
    path = folder / "run.json"
    if not path.exists():
        raise EvaluationError(f"{folder}: no run there (no run.json); 'predict' makes one")
    info = read_json(path)
    if info.get("format") != FORMAT:
        raise EvaluationError(
            f"{path}:1: format {info.get('format')!r}, but this version reads {FORMAT}; "
            "predict again into a new folder"
        )
    missing = [part for part in ("set", "corpus", "system") if part not in info]
    if missing:
        raise EvaluationError(f"{path}:1: has no {missing[0]!r}; predict again into a new folder")
    return info


def read_replies(folder: Path, *, torn_end: bool = False) -> dict[str, Reply]:
    """Return the replies stored so far, by question id; raise `EvaluationError` on a bad line."""
    path = folder / "predictions.jsonl"
    replies: dict[str, Reply] = {}
    if not path.exists():
        return replies
    for number, values in read_objects(path, torn_end=torn_end):
        at = f"{path}:{number}"
        question_id = values.get("question_id")
        if not isinstance(question_id, str):
            raise EvaluationError(f"{at}: no question_id; the file is damaged, predict again")
        if question_id in replies:
            raise EvaluationError(f"{at}: a second reply to {question_id!r}; predict again")
        replies[question_id] = reply_from_dict(values, at)
    return replies


def read_articles(folder: Path, *, torn_end: bool = False) -> dict[tuple[str, str], StoredArticle]:
    """Return the article versions stored with a run, by id and version."""
    path = folder / "articles.jsonl"
    articles: dict[tuple[str, str], StoredArticle] = {}
    if not path.exists():
        return articles
    for number, values in read_objects(path, torn_end=torn_end):
        try:
            day = values["published"]
            article = Article(
                article_id=values["id"],
                title=values["title"],
                text=values["text"],
                publisher=values["publisher"],
                published=date.fromisoformat(day) if day else None,
                url=values["url"],
            )
            articles[article.article_id, values["version"]] = StoredArticle(
                article, values["version"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvaluationError(
                f"{path}:{number}: not an article of this version ({error}); predict again"
            ) from error
    return articles


def read_run(folder: Path) -> Run:
    """Read a complete run.

    Raises
    ------
    EvaluationError
        If it is missing, of another version, damaged, or not finished.
    """
    info = read_info(folder)
    questions = read_questions(folder / "questions.jsonl")
    recorded = info["set"].get("fingerprint")
    if questions.fingerprint != recorded:
        raise EvaluationError(
            f"{folder / 'questions.jsonl'}:1: these are not the questions of the run "
            f"({questions.fingerprint} instead of {recorded}); predict again"
        )
    replies = read_replies(folder, torn_end=True)
    asked = {question.question_id for question in questions.questions}
    unknown = sorted(set(replies) - asked)
    if unknown:
        raise EvaluationError(
            f"{folder / 'predictions.jsonl'}: a reply to {unknown[0]!r}, which was not asked"
        )
    if len(replies) < len(asked):
        raise EvaluationError(
            f"{folder}: interrupted after {len(replies)} of {len(asked)} questions; "
            "run the same 'predict' again to finish it"
        )
    return Run(folder, info, questions, replies, read_articles(folder))


def same_ground(first: Run, second: Run) -> None:
    """Raise `EvaluationError` unless two runs asked the same questions over the same corpus."""
    for part, what in (("set", "questions"), ("corpus", "corpora")):
        if first.info[part] != second.info[part]:
            raise EvaluationError(
                f"{first.folder} and {second.folder} differ in their {what} "
                f"({_difference(first.info[part], second.info[part])}), so their figures can't "
                "be compared; --force compares the questions they share"
            )


def question_text(question: Question) -> str:
    """Return the question with its history, as a table shows it."""
    return " / ".join((*question.history, question.question))


def _difference(first: object, second: object) -> str:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(set(first) | set(second)):
            if first.get(key) != second.get(key):
                return f"{key} {first.get(key)!r} and {second.get(key)!r}"
    return f"{first!r} and {second!r}"

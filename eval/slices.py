"""Figures of parts of a set: by question type, hops, age of the article, kind of answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from eval.intervals import Estimate
from eval.questions import Question
from eval.rows import Bucket, Row
from eval.score import Scored, aggregate
from eval.text import MONTHS, match_tokens

SMALL = 20
SHOWN = ("correct", "wrong", "missing", "refused", "gold_citation_recall", "recall_at_10")
_DRAWS = 2_000

_YES_OR_NO = frozenset(("yes", "no"))


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a set.

    Parameters
    ----------
    group, name : str
        Such as ``"type"`` and ``"who_said"``.
    n : int
        Questions in it; under `SMALL` its figures are mostly chance.
    scores : mapping of str to Estimate
    """

    group: str
    name: str
    n: int
    scores: Mapping[str, Estimate]

    @property
    def is_small(self) -> bool:
        """Whether it has too few questions to say much."""
        return self.n < SMALL


def slices(scored: Scored) -> tuple[Slice, ...]:
    """Return every slice that is not the whole set, by group and then by size."""
    last = scored.run.info["corpus"].get("last_published")
    newest = date.fromisoformat(last) if last else None
    days = {
        stored.article.article_id: stored.article.published
        for stored in scored.run.articles.values()
    }
    groups: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in scored.rows:
        question = scored.questions[row.question_id]
        groups["question type"][question.type or "none given"].append(row)
        if question.answerable:
            groups["evidence needed"][_hops(question)].append(row)
            groups["age of the article"][_age(question, days, newest)].append(row)
            groups["kind of answer"][answer_kind(question)].append(row)
    made = []
    for group, parts in groups.items():
        if len(parts) < 2:
            continue
        for name, rows in sorted(parts.items(), key=lambda part: (-len(part[1]), part[0])):
            scores = aggregate(rows, draws=_DRAWS)
            shown = {metric: scores[metric] for metric in SHOWN if metric in scores}
            made.append(Slice(group, name, len(rows), shown))
    return tuple(made)


def funnel(rows: Sequence[Row]) -> dict[Bucket, int]:
    """Return how many questions stand in each bucket; every scorable one is in exactly one."""
    counts = dict.fromkeys(Bucket, 0)
    for row in rows:
        if row.bucket is not None:
            counts[row.bucket] += 1
    return counts


def answer_kind(question: Question) -> str:
    """Return what kind of thing the first gold answer is."""
    answers = [inner[0] for inner in question.must] or list(question.aliases[:1])
    if not answers:
        return "prose"
    tokens = [token for answer in answers for token in match_tokens(answer)]
    if _YES_OR_NO & set(tokens[:1]) and len(tokens) == 1:
        return "yes or no"
    if MONTHS & set(tokens):
        return "date"
    if any(token[0].isdigit() for token in tokens):
        return "number"
    if all(answer[:1].isupper() for answer in answers):
        return "name"
    return "phrase"


def _hops(question: Question) -> str:
    if not question.evidence:
        return "none given"
    return "one sentence is enough" if question.hops <= 1 else "several together"


def _age(question: Question, days: Mapping[str, date | None], newest: date | None) -> str:
    known = [day for gold in question.evidence if (day := days.get(gold.article))]
    if newest is None or not known:
        return "not dated"
    age = (newest - max(known)).days
    for limit, name in ((7, "last week"), (30, "last month"), (365, "last year")):
        if age <= limit:
            return f"{name} of the corpus"
    return "older"

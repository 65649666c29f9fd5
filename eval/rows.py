"""The score of one question: outcome, bucket of the funnel, and its part of every metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from eval import citations as cite
from eval import ranking
from eval.citations import Articles, GoldPlaces, Judge, Share
from eval.facts import details, outside
from eval.questions import Question
from eval.records import Place, Reply
from eval.text import exact_match, holds_answer, token_f1

# An answer longer than this is not counted as correct, else a copied page would be (CRAG).
MAX_SENTENCES = 3


class Outcome(StrEnum):
    """What became of a question."""

    CORRECT = "correct"
    WRONG = "wrong"
    MISSING = "missing"  # answerable, refused
    REFUSED = "refused"  # unanswerable, refused: right
    ANSWERED = "answered"  # unanswerable, answered: not right
    UNSCORED = "unscored"  # answered, and the set has no short gold answer to compare with


class Bucket(StrEnum):
    """Where an answerable question was lost, or that it was not; exactly one each."""

    NOT_IN_CORPUS = "not in corpus"
    NOT_RETRIEVED = "not retrieved@10"
    NOT_SELECTED = "retrieved, not selected"
    WRONG_SENTENCE = "selected, wrong sentence"
    UNCITED = "right but uncited"
    CITED = "right and cited"


@dataclass(frozen=True, slots=True)
class Row:
    """The score of one question.

    Parameters
    ----------
    question_id : str
    outcome : Outcome
    bucket : Bucket or None
        `None` for a question without an answer, or without a gold answer or gold sentence.
    cluster : str
        Article that the question is about; questions that share one are drawn together.
    confidence : float or None
    right : bool
        Whether what was said is right, or, after a refusal, would have been: the first three
        sentences of evidence hold the answer. What confidence is calibrated against.
    values : mapping of str to (float, int)
        Sum and number of units of each metric that the question has a part in.
    notes : tuple of str
        What an engineer wants to see: invented numbers, violations.
    """

    question_id: str
    outcome: Outcome
    bucket: Bucket | None
    cluster: str
    confidence: float | None
    right: bool
    values: Mapping[str, Share]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return one line of rows.jsonl."""
        return {
            "question_id": self.question_id,
            "outcome": str(self.outcome),
            "bucket": str(self.bucket) if self.bucket else None,
            "cluster": self.cluster,
            "confidence": self.confidence,
            "right": self.right,
            "values": {
                name: [round(total, 6), count] for name, (total, count) in self.values.items()
            },
            "notes": list(self.notes),
        }


def score_question(
    question: Question,
    reply: Reply,
    articles: Articles,
    absent: Collection[str],
    judge: Judge,
    unit: str = "passage",
) -> Row:
    """Score one reply.

    Parameters
    ----------
    question : Question
    reply : Reply
    articles : mapping
        Stored versions that the reply points to.
    absent : collection of str
        Gold articles that the corpus doesn't hold, for the first bucket of the funnel.
    judge : callable
        Whether evidence texts support a sentence.
    unit : str
        What retrieval is scored on: ``"passage"`` or ``"article"``.
    """
    places = GoldPlaces(question.evidence, articles)
    outcome = _outcome(question, reply)
    covers, golds = _found(reply, places, unit)
    values: dict[str, Share] = {}
    notes: list[str] = []
    nearest = [evidence_text(e.place, articles) for e in reply.evidence[:MAX_SENTENCES]]
    _score_outcome(question, reply, outcome, nearest, values)
    if question.answerable and question.evidence:
        _score_retrieval(covers, golds, question.hops <= 1, values)
    if reply.answered:
        _score_citations(question, reply, places, judge, values, notes)
    _score_invariants(reply, articles, values, notes)
    if question.rewrite:
        rewrite = [question.rewrite]
        values["rewrite_f1"] = (token_f1(reply.standalone_question, rewrite), 1)
        values["raw_f1"] = (token_f1(question.question, rewrite), 1)
    return Row(
        question_id=question.question_id,
        outcome=outcome,
        bucket=_bucket(question, reply, outcome, covers, places, absent),
        cluster=question.evidence[0].article if question.evidence else question.question_id,
        confidence=reply.confidence,
        right=_right(question, reply, outcome, nearest, places),
        values=values,
        notes=tuple(notes),
    )


def _found(reply: Reply, places: GoldPlaces, unit: str) -> tuple[list[set[int]], int]:
    """Return the gold units that each hit holds, and how many there are."""
    if unit == "passage":
        return [places.held_by(hit.place) for hit in reply.hits], len(places.golds)
    articles = list(dict.fromkeys(gold.article for gold in places.golds))
    held = [
        {articles.index(hit.place.article)} if hit.place.article in articles else set[int]()
        for hit in reply.hits
    ]
    return held, len(articles)


def has_gold_answer(question: Question) -> bool:
    """Return whether an answer can be compared with a short gold answer."""
    return bool(question.aliases or question.must)


def _outcome(question: Question, reply: Reply) -> Outcome:
    if not question.answerable:
        return Outcome.ANSWERED if reply.answered else Outcome.REFUSED
    if not reply.answered:
        return Outcome.MISSING
    if not has_gold_answer(question):
        return Outcome.UNSCORED
    short = len(reply.sentences) <= MAX_SENTENCES
    right = short and holds_answer(reply.text, question.aliases, question.must)
    return Outcome.CORRECT if right else Outcome.WRONG


def _score_outcome(
    question: Question,
    reply: Reply,
    outcome: Outcome,
    nearest: list[str],
    values: dict[str, Share],
) -> None:
    values["coverage"] = (float(reply.answered), 1)
    if not question.answerable:
        values["refused"] = (float(outcome is Outcome.REFUSED), 1)
        values["token_f1"] = values["exact_match"] = (float(not reply.answered), 1)
        return
    values["over_refused"] = (float(not reply.answered), 1)
    golds = question.aliases or question.references
    if golds:
        values["token_f1"] = (token_f1(reply.text, golds), 1)
        values["exact_match"] = (exact_match(reply.text, golds), 1)
    if not has_gold_answer(question):
        return
    values["correct"] = (float(outcome is Outcome.CORRECT), 1)
    values["wrong"] = (float(outcome is Outcome.WRONG), 1)
    values["missing"] = (float(outcome is Outcome.MISSING), 1)
    values["truthfulness"] = (values["correct"][0] - values["wrong"][0], 1)
    said_or_nearest = [sentence.text for sentence in reply.sentences] or nearest
    for count in (1, 2, 3):
        said = " ".join(said_or_nearest[:count])
        held = holds_answer(said, question.aliases, question.must)
        values[f"selected_at_{count}"] = (float(held), 1)
    if question.lies:
        misled = holds_answer(reply.text, question.lies) and outcome is not Outcome.CORRECT
        values["misled"] = (float(misled), 1)


def _score_retrieval(
    covers: list[set[int]], golds: int, alternatives: bool, values: dict[str, Share]
) -> None:
    for k in ranking.CUTOFFS:
        found_any = ranking.any_found_at(covers, k)
        found_all = ranking.all_found_at(covers, golds, k)
        values[f"recall_at_{k}"] = (ranking.recall_at(covers, golds, k), 1)
        values[f"hit_at_{k}"] = (found_any, 1)
        # Golds that each answer the question alone: any of them is all the evidence it takes.
        values[f"all_evidence_at_{k}"] = (found_any if alternatives else found_all, 1)
    values["map_at_20"] = (ranking.average_precision_at(covers, golds), 1)
    values["mrr_at_10"] = (ranking.reciprocal_rank_at(covers), 1)
    values["ndcg_at_10"] = (ranking.ndcg_at(covers, golds), 1)


def _score_citations(
    question: Question,
    reply: Reply,
    places: GoldPlaces,
    judge: Judge,
    values: dict[str, Share],
    notes: list[str],
) -> None:
    offered = [evidence_text(e.place, places.articles) for e in reply.evidence]
    offered += [citation.quote for citation in reply.citations]
    offered = list(dict.fromkeys(text for text in offered if text))
    values["citation_recall"] = cite.recall(reply, judge)
    values["citation_precision"] = cite.precision(reply, judge)
    faithful = sum(_faithful(s.text, offered, judge) for s in reply.sentences)
    values["faithfulness"] = (float(faithful), len(reply.sentences))
    context = [*offered, *_headers(reply, places.articles), question.question]
    for kind, invented in outside(reply.text, context).items():
        stated = len(details(reply.text)[kind])
        if stated:
            values[f"{kind}_in_evidence"] = (float(stated - len(invented)), stated)
        if invented:
            notes.append(f"{kind} outside the evidence: {', '.join(sorted(invented))}")
    values["answer_sentences"] = (float(len(reply.sentences)), 1)
    values["answer_words"] = (float(len(reply.text.split())), 1)
    if question.answerable and question.evidence:
        held = cite.gold_recall(reply, places)
        values["gold_citation_recall"] = (float(held > 0) if question.hops <= 1 else held, 1)
        right, cited = cite.gold_precision(reply, places)
        # No citation at all is no evidence: 0, not left out.
        values["gold_citation_precision"] = (right / cited if cited else 0.0, 1)


def _faithful(sentence: str, offered: list[str], judge: Judge) -> bool:
    # Verbatim in one piece of evidence is settled; only the rest needs the whole of it.
    return any(sentence in text for text in offered) or judge(sentence, offered)


def _score_invariants(
    reply: Reply, articles: Articles, values: dict[str, Share], notes: list[str]
) -> None:
    exact, total = cite.exactness(reply, articles)
    if total:
        values["citation_exactness"] = (exact, total)
    if exact < total:
        notes.append(f"{total - int(exact)} of {total} citations are not exact")
    places = reply.places
    valid = sum(cite.has_valid_offsets(place, articles) for place in places)
    if places:
        values["valid_offsets"] = (float(valid), len(places))
    if valid < len(places):
        notes.append(f"{len(places) - valid} of {len(places)} offsets are not valid")


def evidence_text(place: Place, articles: Articles) -> str:
    """Return the words at `place`; empty if its article is not stored."""
    stored = articles.get((place.article, place.version))
    return stored.text[place.start : place.end] if stored else ""


def _headers(reply: Reply, articles: Articles) -> list[str]:
    headers = []
    for evidence in reply.evidence:
        stored = articles.get((evidence.place.article, evidence.place.version))
        if stored:
            day: date | None = stored.article.published
            written = f"{day.day} {day:%B} {day.year}" if day else ""
            headers.append(f"{stored.article.title} {stored.article.publisher} {written}")
    return headers


def _right(
    question: Question, reply: Reply, outcome: Outcome, nearest: list[str], places: GoldPlaces
) -> bool:
    if not question.answerable:
        return False
    if outcome in (Outcome.CORRECT, Outcome.WRONG):
        return outcome is Outcome.CORRECT
    if has_gold_answer(question):
        return holds_answer(" ".join(nearest), question.aliases, question.must)
    shown = cite.cited_places(reply) or [e.place for e in reply.evidence[:MAX_SENTENCES]]
    return any(places.held_by(place) for place in shown)


def _bucket(
    question: Question,
    reply: Reply,
    outcome: Outcome,
    covers: list[set[int]],
    places: GoldPlaces,
    absent: Collection[str],
) -> Bucket | None:
    if not question.answerable or not has_gold_answer(question) or not question.evidence:
        return None
    if outcome is Outcome.CORRECT:
        cited = any(
            places.held_by(citation.place) or holds_answer(citation.quote, question.aliases)
            for citation in reply.citations
        )
        return Bucket.CITED if cited else Bucket.UNCITED
    if all(gold.article in absent for gold in question.evidence):
        return Bucket.NOT_IN_CORPUS
    if not any(covers[:10]):
        return Bucket.NOT_RETRIEVED
    if not any(places.held_by(evidence.place) for evidence in reply.evidence):
        return Bucket.NOT_SELECTED
    return Bucket.WRONG_SENTENCE

"""The metrics measured themselves: systems whose figures are known beforehand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eval.intervals import SEED, Estimate, proportion
from eval.mutate import add_negation, change_number, take_name
from eval.questions import Question
from eval.records import Reply, StoredSentence
from eval.rows import Outcome, Row, score_question
from eval.score import Scored, aggregate
from eval.support import Supported, offline_check

_DRAWS = 200  # the figures are known; their intervals don't matter here


@dataclass(frozen=True, slots=True)
class SelfTest:
    """One figure of a known system.

    Parameters
    ----------
    name : str
    value : Estimate
    expected : str
        What it has to be; empty for a rate that is only printed.
    ok : bool
    """

    name: str
    value: Estimate
    expected: str
    ok: bool


def self_tests(scored: Scored) -> tuple[SelfTest, ...]:
    """Return the self-tests on the questions and the correct answers of a run.

    Gold answers have to score 1, no answers 0, the answers of other questions under 0.1, and
    always refusing a truthfulness of 0. In correct answers a changed number has to be caught in
    95 % or more; the rates for changed names and negations are printed.
    """
    questions = scored.run.questions.questions
    tests: list[SelfTest] = []
    golds = [question for question in questions if question.aliases or question.must]
    if golds:
        answers = [_gold_answer(question) for question in golds]
        other = answers[len(answers) // 2 :] + answers[: len(answers) // 2]
        made = {
            "gold answers: correct": (golds, answers, "correct"),
            "no answers: correct": (golds, [""] * len(golds), "correct"),
            "answers of other questions: correct": (golds, other, "correct"),
            "always refusing: truthfulness": (golds, [""] * len(golds), "truthfulness"),
        }
        bounds: dict[str, tuple[str, Callable[[float], bool]]] = {
            "gold answers: correct": ("1", lambda value: value == 1.0),
            "no answers: correct": ("0", lambda value: value == 0.0),
            "answers of other questions: correct": ("< 0.1", lambda value: value < 0.1),
            "always refusing: truthfulness": ("0", lambda value: value == 0.0),
        }
        for name, (asked, said, metric) in made.items():
            value = _known_system(asked, said)[metric]
            expected, holds = bounds[name]
            tests.append(SelfTest(name, value, expected, holds(value.value)))
    tests += _mutations(scored)
    return tuple(tests)


def _gold_answer(question: Question) -> str:
    return ", ".join(inner[0] for inner in question.must) or question.aliases[0]


def _known_system(questions: Sequence[Question], answers: Sequence[str]) -> dict[str, Estimate]:
    rows: list[Row] = []
    judge = Supported(offline_check())
    for question, answer in zip(questions, answers, strict=True):
        sentences = (StoredSentence(answer, ()),) if answer else ()
        reply = Reply(sentences, abstention="" if answer else "not_in_corpus")
        rows.append(score_question(question, reply, {}, (), judge))
    return aggregate(rows, draws=_DRAWS)


def _mutations(scored: Scored) -> list[SelfTest]:
    changes: dict[str, Any] = {
        "changed number": change_number,
        "changed name": take_name,
        "added negation": add_negation,
    }
    judge = Supported(offline_check())
    tests = []
    for name, change in changes.items():
        generator = random.Random(SEED)
        caught = total = 0
        for row in scored.rows:
            if row.outcome is not Outcome.CORRECT:
                continue
            reply = scored.run.replies[row.question_id]
            for sentence in reply.sentences:
                quotes = [citation.quote for citation in reply.citations_of(sentence)]
                if not judge(sentence.text, quotes):
                    continue
                texts = [
                    stored.text.split(". ")
                    for key, stored in scored.run.articles.items()
                    if key[0] in {c.place.article for c in reply.citations_of(sentence)}
                ]
                changed = change(sentence.text, [s for t in texts for s in t], generator)
                if changed is not None and changed != sentence.text:
                    total += 1
                    caught += not judge(changed, quotes)
        if total:
            value = proportion(float(caught), total)
            bound = "≥ 0.95" if name == "changed number" else ""
            ok = not bound or value.value >= 0.95
            tests.append(SelfTest(f"{name} in correct answers: caught", value, bound, ok))
    return tests

"""Follow-up questions: a bounded history, and the standalone question that is searched."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.errors import ModelError
from rag.followup import Turn, standalone_by_rules
from rag.lexicon import FUNCTION
from rag.llm import LLM, Budget
from rag.prompts import standalone_messages

__all__ = ["MAX_TURNS", "Turn", "bounded", "standalone_question"]

MAX_TURNS = 8
"""Turns that a conversation keeps; older ones are forgotten."""

MAX_ANSWER_CHARACTERS = 600
"""What is kept of an answer: about three sentences."""

_MAX_TOKENS = 96
# Seconds of the answer's budget that a rewrite may take, so that the draft keeps most of it.
_MAX_SECONDS = 8.0
_MAX_ADDED_CHARACTERS = 240
_PREFIX = re.compile(r"\s*(?:standalone\s+question|rewritten\s+question|question)\s*:\s*", re.I)
_WORD = re.compile(r"\w+")


def bounded(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the last `MAX_TURNS` turns, each answer cut to `MAX_ANSWER_CHARACTERS`."""
    return tuple(Turn(turn.question, turn.answer[:MAX_ANSWER_CHARACTERS]) for turn in turns)[
        -MAX_TURNS:
    ]


def standalone_question(
    question: str, turns: Sequence[Turn], *, llm: LLM | None = None, budget: Budget | None = None
) -> str:
    """Return the question that a follow-up stands for.

    The language model is asked where there is one. What it writes is used only if it is still
    the question that was asked, and names nothing that the conversation doesn't; else, and
    after any fault, the rules decide.

    Parameters
    ----------
    question : str
    turns : sequence of Turn
        Oldest first; see `bounded`. Without any, the question is returned as it is.
    llm : LLM, optional
    budget : Budget, optional
        Of the whole answer. A fault here is counted in it.
    """
    question = " ".join(question.split())
    turns = bounded(turns)
    if not turns or not question:
        return question
    by_rules = standalone_by_rules(question, turns)
    if llm is None:
        return by_rules
    budget = budget or Budget(_MAX_SECONDS, failures=1)
    try:
        written = _rewrite(question, turns, llm, budget)
    except ModelError:
        return by_rules
    return written if _is_faithful(written, question, turns) else by_rules


def _rewrite(question: str, turns: Sequence[Turn], llm: LLM, budget: Budget) -> str:
    share = Budget(min(_MAX_SECONDS, budget.remaining), failures=1)
    messages = standalone_messages(question, [(turn.question, turn.answer) for turn in turns])
    try:
        text = llm.complete(messages, max_tokens=_MAX_TOKENS, budget=share)
    except ModelError:
        budget.failures_left -= 1
        raise
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _PREFIX.sub("", lines[0], count=1).strip('"“”*` ') if len(lines) == 1 else ""


def _is_faithful(written: str, question: str, turns: Sequence[Turn]) -> bool:
    """Tell whether a rewrite keeps the question and adds only words of the conversation."""
    if not written or len(written) > len(question) + _MAX_ADDED_CHARACTERS:
        return False
    asked = _content(question)
    new = _content(written)
    known = asked.union(*(_content(f"{turn.question} {turn.answer}") for turn in turns))
    kept = len(asked & new) >= len(asked) / 2
    return kept and written.endswith("?") == question.endswith("?") and new <= known


def _content(text: str) -> set[str]:
    """Return the words of a text that carry content, in lower case."""
    return {word for word in _WORD.findall(text.lower()) if word not in FUNCTION}

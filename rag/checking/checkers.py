"""Checkers of support that may be plugged in beside the package's own: a model, or an LLM judge.

None is bundled. The setting ``RAG_CHECKER`` names one, or an instance goes to `Assistant.open`:
anything with a `name` and a `support` method.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from rag.checking.classifier import open_classifier
from rag.errors import ModelError, SettingsError
from rag.llm import LLM, Budget
from rag.prompts import addresses_model, support_messages

__all__ = ["Checker", "LlmChecker", "configured_checker"]

JUDGE_SECONDS = 15.0
"""Longest wait for all the votes of one call, where no budget is shared."""
_VOTE_TOKENS = 64
_VOTE = re.compile(r"\s{0,9}\**(\d{1,3})(?:\s?%|/100)?\**\.?\s{0,9}")


@runtime_checkable
class Checker(Protocol):
    """What judges support: anything with these attributes may be given to `Assistant.open`.

    It is asked only where no rule speaks against a sentence, so it can't overrule a missing
    number, name or date, or an opposite. Used from several threads if the assistant is.

    Attributes
    ----------
    name : str
        Shown in verdicts and reports; say which version.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def support(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """Return a probability of support in [0, 1] for each (sentence, evidence), in order.

        Evidence of several sentences comes one a line. Raise `rag.errors.ModelError` where there
        is no probability: it is never guessed.
        """
        ...


class LlmChecker:
    """A language model as a judge of support: asked for a probability, one pair a request.

    Parameters
    ----------
    llm : LLM
        Such as `rag.llm.endpoint_llm` gives, or a local one.
    budget : Budget, optional
        Time and failures that all requests share; by default `JUDGE_SECONDS` for each call.
    """

    def __init__(self, llm: LLM, *, budget: Budget | None = None) -> None:
        self._llm = llm
        self._budget = budget

    @property
    def name(self) -> str:
        """The name of the model, as a judge."""
        return f"judge {self._llm.name}"

    def within(self, budget: Budget) -> LlmChecker:
        """Return the same judge, held to a budget."""
        return LlmChecker(self._llm, budget=budget)

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a probability for each (sentence, evidence), in order.

        Evidence that gives orders to a model supports nothing, and isn't shown to the judge.

        Raises
        ------
        ModelError
            If a request fails, or its answer is no whole number from 0 to 100.
        """
        budget = self._budget or Budget(JUDGE_SECONDS)
        return [self._vote(sentence, evidence, budget) for sentence, evidence in pairs]

    def _vote(self, sentence: str, evidence: str, budget: Budget) -> float:
        if any(addresses_model(part) for part in (sentence, *evidence.splitlines())):
            return 0.0
        messages = support_messages(sentence, evidence)
        vote = self._llm.complete(messages, max_tokens=_VOTE_TOKENS, budget=budget)
        match = _VOTE.fullmatch(vote)
        if match is None or int(match[1]) > 100:
            raise ModelError(
                f"the {self.name} gave no number from 0 to 100; "
                "take another model, or unset RAG_CHECKER",
                model=self._llm.name,
            )
        return int(match[1]) / 100


def configured_checker(setting: str | None, llm: LLM | None, *, threads: int = 1) -> Checker | None:
    """Return the checker that ``RAG_CHECKER`` names, or None.

    Parameters
    ----------
    setting : str or None
        ``llm``, the path of a model (see `rag.checking.classifier.open_classifier`), or ``off``.
    llm : LLM or None
        The language model that words answers; ``llm`` makes it judge as well.
    threads : int
        For a model.

    Raises
    ------
    SettingsError
        If ``llm`` is named but there is none, or the model can't be used.
    """
    if not setting or setting == "off":
        return None
    if setting == "llm":
        if llm is None:
            raise SettingsError(
                "RAG_CHECKER=llm needs a language model; set RAG_LLM_MODEL or RAG_LLM"
            )
        return LlmChecker(llm)
    return open_classifier(Path(setting).expanduser(), threads=threads)

"""An optional judge: LlamaIndex's evaluators over any OpenAI-compatible endpoint.

Its figures stand apart, under the name of the model, and never enter scores.json: they are a
model's opinion. A vote that can't be read is not scored, and counted; votes are kept by content,
so that judging again asks only what is new.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eval.intervals import Estimate, proportion
from eval.jsonl import append, dump, open_for_append, read_objects, write_json
from eval.rows import Outcome, evidence_text, has_gold_answer
from eval.score import score
from rag import EvaluationError, ModelError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

# LlamaIndex's own bar for its correctness scale of 1 to 5.
_PASSING = 4.0
_YES_OR_NO = re.compile(r"\s{0,9}\W{0,3}(yes|no)\b", re.IGNORECASE)
_SCORE = re.compile(r"\s{0,9}(?:score\W{1,3})?([1-5](?:\.\d)?)(?:\s|$)", re.IGNORECASE)


class Judge(Protocol):
    """What votes on answers; `None` is a vote that can't be read."""

    @property
    def name(self) -> str:
        """Name of the model."""
        ...

    def faithful(self, question: str, answer: str, contexts: Sequence[str]) -> bool | None:
        """Return whether the contexts support the answer."""
        ...

    def correct(self, question: str, answer: str, reference: str) -> bool | None:
        """Return whether the answer says what the reference says."""
        ...


@dataclass(frozen=True, slots=True)
class LlamaIndexJudge:
    """Votes by LlamaIndex's `FaithfulnessEvaluator` and `CorrectnessEvaluator`.

    Both take anything that isn't a clear verdict for a bad one, or fail on it; here their raw
    text is read again, and what is no verdict stays one that isn't.
    """

    name: str
    llm: LLM

    def faithful(self, question: str, answer: str, contexts: Sequence[str]) -> bool | None:
        """Return whether the model says YES or NO; `None` for anything else."""
        from llama_index.core.evaluation import FaithfulnessEvaluator

        evaluator = FaithfulnessEvaluator(llm=self.llm)
        result = self._ask(evaluator, query=question, response=answer, contexts=list(contexts))
        match = _YES_OR_NO.match(result.feedback or "")
        return match[1].lower() == "yes" if match else None

    def correct(self, question: str, answer: str, reference: str) -> bool | None:
        """Return whether the model gives 4 or more of 5; `None` if it gives no score."""
        from llama_index.core.evaluation import CorrectnessEvaluator

        evaluator = CorrectnessEvaluator(
            llm=self.llm, score_threshold=_PASSING, parser_function=read_score
        )
        result = self._ask(evaluator, query=question, response=answer, reference=reference)
        return None if result.score is None else bool(result.score >= _PASSING)

    def _ask(self, evaluator: Any, **arguments: Any) -> Any:
        try:
            return evaluator.evaluate(**arguments)
        except Exception as error:  # the SDK's and LlamaIndex's errors share no base
            raise ModelError(
                f"the judge {self.name} did not answer ({type(error).__name__}: {error}); "
                "check OPENAI_BASE_URL and OPENAI_API_KEY",
                model=self.name,
            ) from error


def read_score(text: str) -> tuple[float | None, str | None]:
    r"""Read the score from 1 to 5 at the start of a correctness verdict; `None` if none stands.

    Examples
    --------
    >>> read_score("4.5\nFine.")[0]
    4.5
    >>> read_score("I would say it is great")[0] is None
    True
    """
    match = _SCORE.match(text)
    value = float(match[1]) if match else None
    return (value if value is not None and value <= 5.0 else None), text


def open_judge(model: str | None = None) -> LlamaIndexJudge:
    """Open the judge that the environment names: ``OPENAI_BASE_URL``, ``OPENAI_API_KEY``.

    Raises
    ------
    EvaluationError
        If no model or endpoint is named, or the extra ``llm`` is missing.
    """
    name = model or os.environ.get("RAG_LLM_MODEL", "")
    base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    key = os.environ.get("OPENAI_API_KEY", "")
    if not name or not (key or "OPENAI_BASE_URL" in os.environ):
        raise EvaluationError(
            "no judge: name a model with --model or RAG_LLM_MODEL, and its endpoint with "
            "OPENAI_BASE_URL or OPENAI_API_KEY"
        )
    try:
        from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-untyped]
    except ImportError as error:
        raise EvaluationError(
            "a judge needs LlamaIndex; install the extra: pip install 'dateline-rag[llm]'"
        ) from error
    llm = OpenAILike(
        model=name,
        api_base=base,
        api_key=key or "none",
        is_chat_model=True,
        context_window=16_384,
        temperature=0.0,
        timeout=60.0,
        max_retries=1,
    )
    return LlamaIndexJudge(name, llm)


def judge_run(
    folder: Path, judge: Judge, *, cache: Path | None = None, limit: int | None = None
) -> dict[str, Estimate]:
    """Let a judge vote on the answers of a run; writes judge.json there.

    Parameters
    ----------
    folder : pathlib.Path
    judge : Judge
    cache : pathlib.Path or None
        Votes by content; `None` for judge.jsonl in the run.
    limit : int or None
        Answers at most.

    Returns
    -------
    dict of str to Estimate
        ``judge_faithfulness`` and ``judge_correctness`` over the votes that could be read, and
        ``agreement_faithfulness`` and ``agreement_correctness`` with the offline verdicts.
    """
    scored = score(folder)
    votes = _Votes(cache or folder / "judge.jsonl", judge.name)
    faithful: list[tuple[bool, bool]] = []
    correct: list[tuple[bool, bool]] = []
    unscored = asked = 0
    for row in scored.rows:
        question, reply = scored.questions[row.question_id], scored.run.replies[row.question_id]
        if not reply.answered or (limit is not None and asked >= limit):
            continue
        asked += 1
        contexts = [evidence_text(e.place, scored.run.articles) for e in reply.evidence]
        contexts = [text for text in contexts if text] or [c.quote for c in reply.citations]
        vote = votes.get(
            ("faithful", question.question, reply.text, *contexts),
            lambda q=question.question, a=reply.text, c=contexts: judge.faithful(q, a, c),
        )
        supported, count = row.values["faithfulness"]
        if vote is None:
            unscored += 1
        else:
            faithful.append((vote, supported == count))
        if not has_gold_answer(question):
            continue
        reference = "; ".join(inner[0] for inner in question.must) or question.aliases[0]
        vote = votes.get(
            ("correct", question.question, reply.text, reference),
            lambda q=question.question, a=reply.text, r=reference: judge.correct(q, a, r),
        )
        if vote is None:
            unscored += 1
        elif row.outcome is not Outcome.UNSCORED:
            correct.append((vote, row.outcome is Outcome.CORRECT))
    made: dict[str, Estimate] = {}
    for name, pairs in (("faithfulness", faithful), ("correctness", correct)):
        if pairs:
            made[f"judge_{name}"] = proportion(float(sum(v for v, _ in pairs)), len(pairs))
            same = float(sum(v == offline for v, offline in pairs))
            made[f"agreement_{name}"] = proportion(same, len(pairs))
    write_json(
        folder / "judge.json",
        {
            "judge": judge.name,
            "asked": asked,
            "unscored": unscored,
            "scores": {name: estimate.to_dict() for name, estimate in made.items()},
        },
    )
    return made


class _Votes:
    """Votes by the hash of what was voted on, kept in a file as they come."""

    def __init__(self, path: Path, judge: str) -> None:
        self._path, self._judge = path, judge
        self._known: dict[str, bool | None] = {}
        if path.exists():
            for _, values in read_objects(path, torn_end=True):
                self._known[str(values["key"])] = values["vote"]

    def get(self, content: Sequence[str], ask: Any) -> bool | None:
        key = hashlib.sha256(dump([self._judge, *content]).encode("utf-8")).hexdigest()
        if key not in self._known:
            self._known[key] = ask()
            with open_for_append(self._path) as stream:
                append(stream, {"key": key, "judge": self._judge, "vote": self._known[key]})
        return self._known[key]

"""Public evaluation sets, read from a folder that the user names; nothing of them is kept here."""

from __future__ import annotations

from pathlib import Path

from eval.adapters import context, dialogue, passages, support
from eval.adapters.support import Pair
from eval.questions import Dataset
from rag import EvaluationError

QUESTION_SETS = (
    "beir",
    "canard",
    "clapnq",
    "multihop_rag",
    "realtimeqa",
    "rgb",
    "robustrag",
    "squad2",
)
CHECKER_SETS = ("expertqa", "qags", "ragtruth", "wice")


def load(name: str, data: Path) -> Dataset:
    """Read the question set `name` from the folder `data`.

    Raises
    ------
    EvaluationError
        If the name is unknown, or the folder doesn't hold the set.
    """
    match name:
        case "squad2":
            return passages.squad2(data)
        case "clapnq":
            return passages.clapnq(data)
        case "realtimeqa":
            return passages.realtimeqa(data)
        case "beir":
            return passages.beir(data)
        case "multihop_rag":
            return context.multihop_rag(data)
        case "robustrag":
            return context.robustrag(data)
        case "rgb":
            return context.rgb(data)
        case "canard":
            return dialogue.canard(data)
    if name in CHECKER_SETS:
        raise EvaluationError(f"{name} judges the support check; use 'checker --set {name}'")
    raise EvaluationError(f"no set {name!r}; known are {', '.join(QUESTION_SETS)}")


def load_pairs(name: str, data: Path) -> tuple[Pair, ...]:
    """Read the labelled (text, evidence) pairs of the checker set `name` from `data`.

    Raises
    ------
    EvaluationError
        If the name is unknown, or the folder doesn't hold the set.
    """
    match name:
        case "ragtruth":
            return support.ragtruth(data)
        case "expertqa":
            return support.expertqa(data)
        case "wice":
            return support.wice(data)
        case "qags":
            return support.qags(data)
    if name in QUESTION_SETS:
        raise EvaluationError(f"{name} holds questions; use 'predict --set {name}'")
    raise EvaluationError(f"no set {name!r}; known are {', '.join(CHECKER_SETS)}")


__all__ = ["CHECKER_SETS", "QUESTION_SETS", "Pair", "load", "load_pairs"]

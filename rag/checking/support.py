"""The support model: measures of a sentence against its evidence become a probability.

A logistic score over a handful of measures (`rag.checking.overlap.measures`), in two forms: with
the cosine of the sentence with its nearest evidence, and without. Its weights, what they were
fitted on and how they were calibrated stand in ``models/support.json``, written by
``python -m rag.models.fit_support``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

MODEL_FILE: Final = Path(__file__).parents[1] / "models" / "support.json"


@dataclass(frozen=True, slots=True)
class Logistic:
    """A calibrated logistic score.

    Parameters
    ----------
    bias : float
    weights : mapping of str to float
        By measure.
    slope, intercept : float
        Platt's: the probability is the logistic function of ``slope * logit + intercept``.
    """

    bias: float
    weights: Mapping[str, float]
    slope: float = 1.0
    intercept: float = 0.0

    def logit(self, values: Mapping[str, float]) -> float:
        """Return the score before calibration: any number, 0 where both outcomes are as likely."""
        return self.bias + sum(weight * values[name] for name, weight in self.weights.items())

    def probability(self, values: Mapping[str, float]) -> float:
        """Return the calibrated probability, in (0, 1)."""
        return logistic(self.slope * self.logit(values) + self.intercept)


@dataclass(frozen=True, slots=True)
class SupportModel:
    """Both forms of the score, and where they come from.

    Parameters
    ----------
    words : Logistic
        Where no vectors are at hand.
    vectors : Logistic
        With the measure ``similarity``.
    embedder : str
        Fingerprint of the embedder whose cosines `vectors` was fitted on; those of another one
        have another scale.
    threshold : float
        Probability with the best balanced accuracy on held-out training sets.
    version : str
        Name and a hash of the file.
    """

    words: Logistic
    vectors: Logistic
    embedder: str
    threshold: float
    version: str

    def probability(self, values: Mapping[str, float]) -> float:
        """Return the probability of support, by the form that `values` allow."""
        form = self.vectors if "similarity" in values else self.words
        return form.probability(values)


@cache
def support_model(without: str | None = None) -> SupportModel:
    """Return the model that the package brings.

    Parameters
    ----------
    without : str, optional
        One of the sets it was fitted on: the same model fitted without it, to be measured on it.
        A set that it wasn't fitted on changes nothing.
    """
    content = MODEL_FILE.read_bytes()
    stored = json.loads(content)
    held_out = stored["held_out"]
    forms = {
        name: held_out[name].get(without, stored[name]) if without else stored[name]
        for name in ("words", "vectors")
    }
    return SupportModel(
        words=read_logistic(forms["words"]),
        vectors=read_logistic(forms["vectors"]),
        embedder=stored["embedder"],
        threshold=stored["threshold"],
        version=f"{stored['version']} ({hashlib.sha256(content).hexdigest()[:8]})"
        + (f" fitted without {without}" if without in held_out["words"] else ""),
    )


def read_logistic(stored: Mapping[str, Any]) -> Logistic:
    """Return one form of the score, as ``support.json`` holds it."""
    return Logistic(stored["bias"], stored["weights"], stored["slope"], stored["intercept"])


def logistic(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)), also for logits that would overflow."""
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, logit))))


def blend(one: float, other: float) -> float:
    """Return the probability whose logit is the mean of two probabilities' logits.

    Each counts the same; one that is 0 or 1 is taken as .0001 off.

    Examples
    --------
    >>> round(blend(0.9, 0.5), 2)
    0.75
    >>> blend(0.2, 0.8)
    0.5
    """

    def logit(probability: float) -> float:
        kept = min(1 - 1e-4, max(1e-4, probability))
        return math.log(kept / (1 - kept))

    return logistic((logit(one) + logit(other)) / 2)

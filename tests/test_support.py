"""The support model: what it holds, what it was fitted on, and scores that stay probabilities."""

from __future__ import annotations

import json

import pytest
from doubles import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag.checking.nearness import MAX_COMPARED, Nearness
from rag.checking.support import MODEL_FILE, logistic, support_model
from rag.embed import fingerprint, read_manifest
from rag.verify import support_measures

EVIDENCE = "Japan issues 10,000 working holiday visas to Koreans a year."
STORED = json.loads(MODEL_FILE.read_text("utf-8"))


def test_model_weighs_exactly_the_measures_there_are() -> None:
    words = support_measures("Japan issues visas.", [EVIDENCE])
    near = support_measures("Japan issues visas.", [EVIDENCE], lambda _sentence, _evidence: 0.5)
    model = support_model()
    assert set(model.words.weights) == set(words)
    assert set(model.vectors.weights) == set(near)


def test_model_was_fitted_on_no_set_that_only_measures() -> None:
    told = json.dumps([STORED["fitted_on"], list(STORED["held_out"]["vectors"])]).lower()
    assert not any(name in told for name in ("ragtruth", "qags", "rgb", "robustrag"))
    assert sum(STORED["fitted_on"].values()) > 5_000


def test_model_knows_the_bundled_embedder_and_names_its_version() -> None:
    model = support_model()
    assert model.embedder == fingerprint(read_manifest())
    assert model.version.startswith(f"{STORED['version']} (")


def test_model_for_measuring_leaves_the_set_out_and_says_so() -> None:
    without = support_model("wice")
    assert without.vectors.weights != support_model().vectors.weights
    assert without.version.endswith("fitted without wice")
    assert support_model("ragtruth").vectors == support_model().vectors
    assert support_model("ragtruth").version == support_model().version


@pytest.mark.parametrize("form", ["words", "vectors"])
def test_model_goes_up_with_words_and_down_with_findings(form: str) -> None:
    weights = STORED[form]["weights"]
    assert all(weights[name] < 0 for name in ("missing", "opposed", "doubt"))
    assert all(weights[name] > 0 for name in weights if name not in ("missing", "opposed", "doubt"))
    assert STORED[form]["slope"] > 0


@given(st.floats(allow_nan=False))
def test_logistic_of_any_number_is_a_probability(logit: float) -> None:
    assert 0 <= logistic(logit) <= 1


def test_nearness_is_the_cosine_of_the_nearest_sentence() -> None:
    near = Nearness(HashingEmbedder())
    assert near(EVIDENCE, ["Rain fell.", EVIDENCE]) == pytest.approx(1.0)
    assert near("Rain fell.", [EVIDENCE]) < 0.9
    assert near("Rain fell.", []) == near("Rain fell.", [" "]) == 0.0


def test_nearness_embeds_each_sentence_once_and_of_long_evidence_the_likeliest() -> None:
    embedder = HashingEmbedder()
    near = Nearness(embedder)
    evidence = [f"Line number {number} of the list." for number in range(100)]
    assert near(EVIDENCE, [*evidence, EVIDENCE]) == pytest.approx(1.0)
    assert embedder.embedded == MAX_COMPARED
    near(EVIDENCE, [*evidence, EVIDENCE])
    assert embedder.embedded == MAX_COMPARED

"""The checker: exact quotes, and verdicts with the reason that decided them."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest
from doubles import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag.schema import Article, Citation, Evidence, Span, Support
from rag.verify import (
    MAX_SENTENCE_CHARACTERS,
    Verifier,
    check_sentence,
    is_exact,
    support_measures,
)

EVIDENCE = (
    "President Lee Jae Myung told Prime Minister Shigeru Ishiba in Tokyo on Aug. 23 that Japan"
    " would issue more than 10,000 working holiday visas a year, up from 8,500."
)
QUOTED = "“We will work together on hydrogen,” Ishiba said after the talks."


def support(sentence: str, *evidence: str, context: tuple[str, ...] = ()) -> Support:
    return check_sentence(sentence, evidence, context=context).support


def citation(text: str, start: int, end: int) -> Citation:
    article = Article("a", "Title", text, "Desk", date(2025, 8, 23), None)
    return Citation.of(Evidence(1, article, Span(start, end), 1.0))


def test_is_exact_of_a_cut_quote_is_true() -> None:
    text = "Größe zählt. Zwei Sätze."
    assert is_exact(citation(text, 0, 12), text)


def test_is_exact_after_any_change_is_false() -> None:
    text = "Japan issues 10,000 visas a year."
    cited = citation(text, 0, len(text))
    assert not is_exact(cited, text.replace("10,000", "12,000"))
    assert not is_exact(cited, text[:-1])
    assert not is_exact(cited, "")
    assert not is_exact(dataclasses.replace(cited, quote=cited.quote[:-1]), text)
    assert not is_exact(dataclasses.replace(cited, sha256="0" * 64), text)
    assert not is_exact(citation(text, 3, 3), text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.data())
def test_is_exact_of_any_span_holds_and_of_a_shifted_text_fails(
    text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    cited = citation(text, start, end)
    assert is_exact(cited, text) == (start < end)
    assert is_exact(cited, "\0" + text) == (start < end and ("\0" + text)[start:end] == cited.quote)


def test_check_of_the_evidence_itself_is_verbatim() -> None:
    verdict = check_sentence(EVIDENCE, [QUOTED, EVIDENCE])
    assert (verdict.support, verdict.reason, verdict.score) == (
        Support.SUPPORTED, "verbatim", 1.0,
    )  # fmt: skip


def test_check_of_a_part_is_verbatim_unless_negated_or_hedged_outside() -> None:
    assert check_sentence("The deal was signed in Tokyo.", ["Officials confirmed the deal was"
                          " signed in Tokyo."]).reason == "verbatim"  # fmt: skip
    assert support("The deal is dead.", "Lee denied the deal is dead.") is not Support.SUPPORTED
    assert support("The deal is dead.", "Perhaps the deal is dead.") is not Support.SUPPORTED


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("Japan issues 10,000 visas.", "Japan issues ten thousand visas."),
        ("Japan issues 10k visas.", "Japan issues 10,000 visas."),
        ("Exports fell 3.5%.", "Exports fell by 3.5 percent in July."),
        ("Two thirds of voters agreed.", "About two-thirds of voters agreed."),
        ("About 10,000 visas were issued.", "A total of 9,870 visas were issued."),
        ("More than 10,000 visas were issued.", "A total of 10,450 visas were issued."),
        ("The fund holds $1.2 million.", "The fund holds $1,234,567."),
        ("The talks opened on August 23.", "The talks opened on Aug. 23, 2025."),
        ("Lee visited Tokyo.", "President Lee Jae Myung visited Tokyo."),
        ("The United States raised tariffs.", "The U.S. raised tariffs."),
        ("American tariffs rose.", "Tariffs of the United States rose."),
        ("Lee didn't sign the pact.", "Lee did not sign the pact on Friday."),
        ("Lee refused to sign the pact.", "On Friday Lee refused to sign the pact."),
        ("Lee was criticized by Ishiba.", "Ishiba criticized Lee."),
        ("The WHO approved the vaccine.", "The World Health Organization approved the vaccine."),
        ("Ishiba said “We will work together”.", QUOTED),
    ],
)
def test_check_of_a_fair_rewording_is_supported(sentence: str, evidence: str) -> None:
    verdict = check_sentence(sentence, [evidence])
    assert verdict.support is Support.SUPPORTED, verdict.reason


@pytest.mark.parametrize(
    ("sentence", "evidence", "reason"),
    [
        ("Japan issues 12,000 visas.", "Japan issues 10,000 visas.", "12,000"),
        ("Japan issues twelve visas.", "Japan issues ten visas.", "twelve"),
        ("Exports fell 3.5 percentage points.", "Exports fell 3.5 percent.", "3.5"),
        ("It cost 500 dollars.", "It cost 500 euros.", "500 dollars"),
        ("About 96 percent agreed.", "About 97 percent agreed.", "96"),
        ("At least 23 women spoke.", "At least 25 women spoke.", "23"),
        ("The pact dates from 1998.", "The pact dates from 1965.", "1998"),
        ("The talks opened on Aug. 24.", "The talks opened on Aug. 23.", "Aug. 24"),
        ("The talks opened on Sunday.", "The talks opened on Saturday.", "Sunday"),
        ("Kishida visited Tokyo.", "Lee visited Tokyo.", "Kishida"),
        ("Ishiba said “We will fight together”.", QUOTED, "fight"),
        ("Trump said the cap is 10,000.", "Ishiba told Trump that the cap is 10,000.", "ishiba"),
    ],
)
def test_check_of_a_changed_fact_is_unsupported_and_names_it(
    sentence: str, evidence: str, reason: str
) -> None:
    verdict = check_sentence(sentence, [evidence])
    if "Trump" in sentence:
        assert verdict.support in (Support.UNSUPPORTED, Support.CONTRADICTED)
    else:
        assert verdict.support is Support.UNSUPPORTED
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("Lee agreed to the pact.", "Lee did not agree to the pact."),
        ("Lee did not sign the pact.", "Lee signed the pact."),
        ("Exports rose 3 percent.", "Exports fell 3 percent."),
        ("Lee won the election in June.", "Lee lost the election in June."),
        ("The talks came before the vote.", "The talks came after the vote."),
        ("Exports fell and imports rose.", "Exports rose and imports fell."),
        ("On Friday Lee criticized Ishiba.", "On Friday Ishiba criticized Lee."),
        ("Of the votes, 57 percent went to Lee and 22 percent to Kim.",
         "Of the votes, 22 percent went to Lee and 57 percent to Kim."),
    ],
)  # fmt: skip
def test_check_of_an_opposite_is_contradicted(sentence: str, evidence: str) -> None:
    verdict = check_sentence(sentence, [evidence])
    assert verdict.support is Support.CONTRADICTED, verdict.reason


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("Japan issues 10,000 visas.", "Japan issues nearly 10,000 visas."),
        ("Lee visited Seoul.", "Lee may visit Seoul."),
        ("Lee Jae Myung visited Seoul.", "On Friday Lee visited Seoul, a spokesman confirmed."),
    ],
)
def test_check_of_a_sentence_that_says_more_than_the_evidence_is_partly(
    sentence: str, evidence: str
) -> None:
    if "Jae" in sentence:
        assert support(sentence, evidence) is not Support.SUPPORTED
    else:
        assert support(sentence, evidence) is Support.PARTLY


def test_check_with_context_resolves_pronoun_surname_and_weekday() -> None:
    said = "He said the pact was signed on Saturday."
    near = ("President Lee Jae Myung arrived.", "2025-08-24")
    assert support("Lee said the pact was signed.", said) is not Support.SUPPORTED
    assert support("Lee said the pact was signed.", said, context=near) is Support.SUPPORTED
    dated = "The pact was signed on August 23."
    assert support(dated, said) is Support.UNSUPPORTED
    assert support(dated, said, context=near) is Support.SUPPORTED


def test_check_with_a_name_of_the_context_in_anothers_place_is_not_supported() -> None:
    near = ("Ishiba waited.",)
    assert support("Ishiba signed the pact.", "Lee signed the pact.", context=near) is (
        Support.UNSUPPORTED
    )


def test_check_over_several_sentences_joins_their_facts() -> None:
    sentence = "Lee visited Tokyo and Ishiba visited Seoul."
    parts = ("Lee visited Tokyo.", "Ishiba visited Seoul.")
    assert support(sentence, *parts) is Support.SUPPORTED
    assert support(sentence, parts[0]) is Support.UNSUPPORTED


@pytest.mark.parametrize("sentence", ["", "   ", "…", "x" * (MAX_SENTENCE_CHARACTERS + 1)])
def test_check_of_nothing_or_too_much_is_unsupported(sentence: str) -> None:
    verdict = check_sentence(sentence, [EVIDENCE])
    assert (verdict.support, verdict.score) == (Support.UNSUPPORTED, 0.0)


def test_check_without_evidence_is_unsupported() -> None:
    assert support("Lee visited Tokyo.") is Support.UNSUPPORTED
    assert support("Lee visited Tokyo.", "", " ") is Support.UNSUPPORTED


def test_check_with_a_cosine_moves_the_score_but_never_a_missing_number() -> None:
    sentence, evidence = "Seoul got 12,000 permits.", "Japan issues 10,000 visas to Koreans."
    scores = [check_sentence(sentence, [evidence], similarity=s).score for s in (-1.0, 0.4, 1.0)]
    assert scores == sorted(scores)
    assert scores[0] < scores[2]
    verdict = check_sentence(sentence, [evidence], similarity=1.0)
    assert verdict.support is Support.UNSUPPORTED


def test_scores_rank_a_true_sentence_above_a_changed_one() -> None:
    article = [EVIDENCE, QUOTED, "The talks went on."]
    true = "Japan issues more than 10,000 working holiday visas a year."
    false = "Japan issues fewer than 12,000 student permits a month."
    high, low = (check_sentence(text, article).score for text in (true, false))
    assert 0 < low < high < 1


def test_measures_of_any_pair_have_the_same_names_and_no_negatives() -> None:
    pairs = [(EVIDENCE, [EVIDENCE]), ("Kim left.", [EVIDENCE]), ("Kim left.", [""])]
    rows = [support_measures(sentence, evidence) for sentence, evidence in pairs]
    assert len({tuple(row) for row in rows}) == 1
    assert all(value >= 0 for row in rows for value in row.values())
    near = support_measures("Kim left.", [EVIDENCE], lambda _sentence, _evidence: -0.2)
    assert near == {**rows[1], "similarity": 0.0}


def test_verifier_uses_no_vectors_of_an_embedder_the_score_was_not_fitted_with() -> None:
    embedder = HashingEmbedder()
    verifier = Verifier(embedder)
    verdict = verifier("Japan would issue visas.", [EVIDENCE])
    assert verdict == check_sentence("Japan would issue visas.", [EVIDENCE])
    assert embedder.embedded == 0
    assert "vectors" not in verifier.name


def test_verifier_with_the_bundled_embedder_scores_by_meaning_as_well() -> None:
    verifier = Verifier.open("off")
    assert verifier.name.endswith("+ vectors")
    evidence = ["The central bank raised interest rates.", "Rain fell in the north."]
    near = verifier("Borrowing became more expensive.", evidence).score
    far = verifier("Penguins became more aggressive.", evidence).score
    assert near > far
    plain = Verifier()
    words = plain("Borrowing became more expensive.", evidence).score
    assert words == pytest.approx(plain("Penguins became more aggressive.", evidence).score)


@given(st.integers(2, 999_999), st.integers(2, 999_999))
def test_check_of_another_number_is_never_supported(one: int, other: int) -> None:
    evidence = f"The office counted {one:,} visas in Tokyo."
    verdict = check_sentence(f"The office counted {other:,} visas in Tokyo.", [evidence])
    assert (verdict.support is Support.SUPPORTED) == (one == other)


@given(st.text(max_size=200), st.lists(st.text(max_size=200), max_size=3))
def test_check_of_any_text_gives_a_reason_and_a_score_in_range(
    sentence: str, evidence: list[str]
) -> None:
    verdict = check_sentence(sentence, evidence, context=evidence[:1])
    assert verdict.reason
    assert 0 <= verdict.score <= 1


@given(st.text(min_size=1, max_size=200))
def test_check_of_any_sentence_against_itself_is_verbatim_or_empty(sentence: str) -> None:
    assert check_sentence(sentence, [sentence]).reason in ("verbatim", "the sentence is empty",
                                                           "no evidence is cited")  # fmt: skip


HOSTILE = (
    *("a ", "10 ", "not ", "Lee ", "“", '"', "1,", "said ", "Aug. ", "U.", "half a ", "than "),
    *("2025-08-23 Saturday ", "10-20 %, "),
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_check_against_a_long_hostile_text_returns(unit: str) -> None:
    hostile = unit * (100_000 // len(unit))
    assert check_sentence(EVIDENCE, [hostile]).support is not Support.SUPPORTED
    assert check_sentence(hostile[:MAX_SENTENCE_CHARACTERS], [hostile, EVIDENCE]).reason

"""SQuAD's rules by hand, and the answer match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.text import exact_match, holds_answer, match_tokens, squad_tokens, token_f1

TEXTS = st.text(alphabet="ab1 ,.'-%é", max_size=30)


def test_squad_tokens_drop_case_punctuation_and_articles() -> None:
    assert squad_tokens("An apple, THE pear; a-b.") == ["apple", "pear", "ab"]


@pytest.mark.parametrize(
    ("prediction", "golds", "expected"),
    [
        # Multisets: "to" twice is matched twice only if the gold has it twice.
        ("to be or not to be", ["to be"], 2 * 2 / (6 + 2)),
        ("to be to", ["to to be"], 1.0),
        ("the cat", ["a cat"], 1.0),
        ("cat dog", ["dog", "cat dog fox"], 2 * 2 / (2 + 3)),
        ("", [], 1.0),
        ("something", [], 0.0),
        ("", ["gold"], 0.0),
        ("the", ["a"], 1.0),
    ],
)
def test_token_f1_follows_squad_by_hand(prediction: str, golds: list[str], expected: float) -> None:
    assert token_f1(prediction, golds) == pytest.approx(expected)


def test_exact_match_takes_the_best_gold_and_agrees_on_no_answer() -> None:
    assert exact_match("The Tokyo summit.", ["Seoul", "tokyo summit"]) == 1.0
    assert exact_match("tokyo", ["tokyo summit"]) == 0.0
    assert exact_match("", []) == 1.0
    assert exact_match("x", []) == 0.0


@given(TEXTS, TEXTS)
def test_token_f1_is_symmetric_and_bounded(one: str, two: str) -> None:
    assert 0.0 <= token_f1(one, [two]) <= 1.0
    assert token_f1(one, [two]) == pytest.approx(token_f1(two, [one]))


@given(TEXTS)
def test_answer_match_finds_a_text_in_itself(text: str) -> None:
    assert holds_answer(f"before {text} after", [text]) == bool(match_tokens(text))


@pytest.mark.parametrize(
    ("text", "alias", "expected"),
    [
        ("capped at 10,000 a year", "10 000", True),
        ("capped at 100 a year", "10", False),
        ("grew by 22.9 percent", "22 percent", False),
        ("grew by 22.9%", "22.9 per cent", True),
        ("some 1.5 million won", "1,500,000", True),
        ("twelve envoys came", "12 envoys", True),
        ("Lee’s visit", "Lee", True),
        ("the Yen-Won rate", "yen won", True),
        ("São Paulo", "Sao Paulo", True),
        ("On Sept. 8. Later", "Sept. 8", True),
        ("Leeds", "Lee", False),
        ("signed on June 22, 1965", "22 June 1965", True),
        ("signed on June 23, 1965", "22 June 1965", False),
        ("anything", "the", False),
    ],
)
def test_answer_match_by_example(text: str, alias: str, expected: bool) -> None:
    assert holds_answer(text, [alias]) is expected


def test_answer_match_with_must_needs_one_of_each() -> None:
    must = [["two hours", "2 hours"], ["110 minutes"]]
    assert holds_answer("It took two hours, others say 110 minutes.", [], must)
    assert not holds_answer("It took two hours.", ["two hours"], must)

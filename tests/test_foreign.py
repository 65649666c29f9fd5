"""Names in a drafted sentence: each stands in what is cited, or it is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.foreign import foreign_name

EVIDENCE = (
    "The European Court of Justice, which sits in Luxembourg, ruled on the Dutch Pancake Day. "
    "South Korean President Lee Jae-myung met prime minister Shigeru Ishiba of the LDP."
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Chief Court of Justice ruled.", "Chief"),
        ("The ruling was made by Kishida.", "Kishida"),
        ("It ruled on the Netherlands.", "Netherlands"),
        ("President Lee met Shigeru Abe.", "Abe"),
        ("He met Lee Jae-yong in Luxembourg.", "Jae-yong"),
        ("It sat in Brussels.", "Brussels"),
    ],
)
def test_name_that_is_not_cited_is_found(text: str, name: str) -> None:
    assert foreign_name(text, [EVIDENCE]) == name


@pytest.mark.parametrize(
    "text",
    [
        "The European Court of Justice ruled on Dutch Pancake Day.",
        "The ECJ ruled.",
        "President Lee of South Korea met Prime Minister Ishiba.",
        "On Monday in August, Ishiba's party, the Liberal Democratic Party, met.",
        "Yesterday Lee spoke.",
        "1. Rulings: The court sits in Luxembourg.",
        "He said: “Today the court ruled.”",
        "lee met ishiba.",
        "",
    ],
)
def test_sentence_with_cited_names_only_is_let_through(text: str) -> None:
    assert foreign_name(text, [EVIDENCE]) is None


def test_context_counts_only_where_the_evidence_opens_with_a_pronoun() -> None:
    context = ["Shigeru Ishiba spoke in Tokyo."]
    assert foreign_name("The cap was set by Ishiba.", ["He set the cap."], context) is None
    assert foreign_name("The cap was set by Ishiba.", ["Officials set it."], context) == "Ishiba"


def test_word_in_small_letters_is_no_name() -> None:
    assert foreign_name("He taught at Science.", ["He taught science at school."]) == "Science"


@given(st.text(max_size=200))
def test_text_cited_word_for_word_holds_no_foreign_name(text: str) -> None:
    assert foreign_name(text, [text]) is None

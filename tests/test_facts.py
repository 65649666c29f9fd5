"""What is read in a sentence: numbers, dates, names, quotes, speakers and polarity."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.checking.days import find_days, resolve
from rag.checking.facts import Facts, read_facts
from rag.checking.quantities import Quantity
from rag.checking.tokens import flatten, stem, tokenize


def numbers(text: str) -> list[tuple[float, str, str]]:
    return [(q.value, q.unit, q.bound) for q in read_facts(text).quantities]


def names(text: str) -> list[str]:
    return [name.surface for name in read_facts(text).names]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ten thousand visas", (10_000, "", "")),
        ("10,000 visas", (10_000, "", "")),
        ("10k visas", (10_000, "", "")),
        ("two hundred and fifty thousand people", (250_000, "", "")),
        ("twenty-five people", (25, "", "")),
        ("a dozen people", (12, "", "")),
        ("half a million people", (500_000, "", "")),
        ("$3.5bn of aid", (3.5e9, "usd", "")),
        ("3.5 billion dollars of aid", (3.5e9, "usd", "")),
        ("a 15% tariff", (15, "%", "")),
        ("a 15 percent tariff", (15, "%", "")),
        ("a 15 per cent tariff", (15, "%", "")),
        ("up 2.5 percentage points", (2.5, "pp", "")),
        ("two-thirds of voters", (200 / 3, "%", "")),
        ("a quarter of voters", (25, "%", "")),
        ("a 13-year-old girl", (13, "year", "")),
        ("the twenty-first century", (21, "ordinal", "")),
        ("the 22nd meeting", (22, "ordinal", "")),
        ("in the 1990s", (1990, "decades", "")),
        ("at 10:30 p.m.", (22 * 60 + 30, "clock", "")),
        ("about 400 people", (400, "", "about")),
        ("more than 400 people", (400, "", "over")),
        ("at least 400 people", (400, "", "over")),
        ("fewer than 400 people", (400, "", "under")),
        ("nearly $400", (400, "usd", "under")),
        ("up to 400 people", (400, "", "under")),
    ],
)
def test_quantity_in_words_or_digits_gives_value_unit_and_bound(
    text: str, expected: tuple[float, str, str]
) -> None:
    (found,) = numbers(text)
    assert found[0] == pytest.approx(expected[0])
    assert found[1:] == expected[1:]


@pytest.mark.parametrize(
    ("text", "values", "unit"),
    [
        ("3 to 5 million yen", [3e6, 5e6], "jpy"),
        ("$3-5 million", [3e6, 5e6], "usd"),
        ("between 2 and 3 percent", [2, 3], "%"),
        ("10, 20 and 30 percent", [10, 20, 30], "%"),
        ("five to ten thousand", [5_000, 10_000], ""),
    ],
)
def test_quantities_of_a_range_or_list_share_unit_and_scale(
    text: str, values: list[float], unit: str
) -> None:
    found = numbers(text)
    assert [value for value, _, _ in found] == values
    assert {u for _, u, _ in found} == {unit}


@pytest.mark.parametrize("text", ["one of the leaders", "no one came", "he may go", "it won"])
def test_quantity_where_none_is_meant_finds_nothing(text: str) -> None:
    facts = read_facts(text)
    assert not facts.quantities
    assert not facts.days


@given(st.integers(0, 10**9))
def test_quantity_of_grouped_digits_is_the_number(value: int) -> None:
    (found,) = read_facts(f"They counted {value:,} votes there.").quantities
    assert isinstance(found, Quantity)
    assert found.value == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Aug. 23, 2025", (2025, 8, 23)),
        ("23 August 2025", (2025, 8, 23)),
        ("the 23rd of August", (None, 8, 23)),
        ("2025-08-23", (2025, 8, 23)),
        ("8/23/2025", (2025, 8, 23)),
        ("since May", (None, 5, None)),
        ("may 27", (None, 5, 27)),
        ("August 2025", (2025, 8, None)),
    ],
)
def test_day_in_many_spellings_gives_its_parts(
    text: str, expected: tuple[int | None, int | None, int | None]
) -> None:
    (day,) = find_days(tokenize(text))
    assert (day.year, day.month, day.day) == expected
    assert not read_facts(text).quantities


def test_resolve_of_a_weekday_gives_the_nearest_days_around_the_anchor() -> None:
    (day,) = find_days(tokenize("on Saturday"))
    friday = date(2025, 8, 22)
    assert resolve(day, [friday]) == (date(2025, 8, 16), date(2025, 8, 23))
    assert resolve(day, []) == ()


def test_day_that_does_not_exist_is_no_calendar_date() -> None:
    (day,) = find_days(tokenize("February 30, 2025"))
    assert day.full is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("President Lee Jae Myung met Shigeru Ishiba in Tokyo.",
         ["Lee Jae Myung", "Shigeru Ishiba", "Tokyo"]),
        ("Officials of the U.S. met at the University of Tokyo.", ["U.S.", "University of Tokyo"]),
        ("However, the talks went on.", []),
        ("On Monday, the talks went on in August.", []),
        ("New Deal Reached Between Seoul And Tokyo After Talks", []),
    ],
)  # fmt: skip
def test_names_without_titles_openers_and_headlines_are_found(
    text: str, expected: list[str]
) -> None:
    assert names(text) == expected


def test_names_of_a_country_and_its_people_share_a_stem() -> None:
    stems = [read_facts(text).words[0].stem for text in ("U.S.", "American", "United States")]
    assert set(stems) == {"united states"}
    assert not read_facts("they told us").names


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("Lee said the deal was done.", "lee"),
        ("“The deal is done,” said Prime Minister Ishiba.", "ishiba"),
        ("The deal is done, according to Yonhap.", "yonhap"),
        ("Lee, the president of South Korea, said the deal was done.", "lee"),
        ("She said the deal was done.", "she"),
        ("Officials said the deal was done.", "officials"),
    ],
)
def test_speaker_before_or_after_the_verb_is_found(text: str, speaker: str) -> None:
    ((*_, last),) = read_facts(text).speakers
    assert last == speaker


def test_quotes_of_every_kind_are_flattened() -> None:
    facts = read_facts('He said “We won’t go,” then "Never" and ‘Not now’, in "Maiden Heaven".')
    assert [quote.flat for quote in facts.quotes] == [
        " we will not go ", " never ", " not now ", " maiden heaven ",
    ]  # fmt: skip
    assert [quote.titled for quote in facts.quotes][-1]


def negated(facts: Facts) -> set[str]:
    return {word.stem for word in facts.words if word.negated}


def test_negation_reaches_to_the_end_of_its_clause() -> None:
    assert negated(read_facts("He did not sign the deal, but visited Seoul.")) == {"sign", "deal"}
    assert negated(read_facts("He refused to sign.")) == {"sign"}
    assert negated(read_facts("Not only Lee signed.")) == set()
    assert read_facts("The others didn't.").negators == 1


def test_roles_of_a_passive_sentence_equal_those_of_the_active_one() -> None:
    active = read_facts("Then Ishiba criticized Lee.").roles
    passive = read_facts("Then Lee was criticized by Ishiba.").roles
    assert active == passive == {(stem("criticized"), "ishiba", "lee")}


@pytest.mark.parametrize(
    "forms",
    [
        "agree agreed agreeing agrees",
        "rise rose risen rising",
        "elect elected election elections",
        "policy policies",
        "stop stopped stopping",
        "say said says saying",
    ],
)
def test_stem_of_forms_of_one_word_is_one(forms: str) -> None:
    assert len({stem(form) for form in forms.split()}) == 1


@given(st.text())
def test_read_facts_of_any_text_keeps_tokens_in_place(text: str) -> None:
    facts = read_facts(text)
    assert all(text[t.start : t.end] == t.text for t in facts.tokens)
    assert "".join(t.text for t in facts.tokens) == "".join(text.split())
    assert flatten(facts.flat) == facts.flat


MARKS = (
    'not no Lee said U.S. 10 million % $ , . “ ” " Aug. 23 half a dozen may the of more than - to'
    " and thousand second Saturday last year didn't ² ٢٠٢٥ ²²²² 2025-08-23 10:30 united states"
)


@given(st.lists(st.sampled_from(MARKS.split(" ")), max_size=30))
def test_read_facts_of_any_order_of_marks_stays_in_bounds(parts: list[str]) -> None:
    facts = read_facts(" ".join(parts))
    size = len(facts.tokens)
    for fact in (*facts.quantities, *facts.days, *facts.names):
        assert 0 <= fact.at < fact.end <= size

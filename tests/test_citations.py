"""Addresses of quotes, and labels in drafts: every spelling, cut anywhere, in linear time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citations import DraftParser, DraftSentence, parse_address
from rag.errors import UserError
from rag.schema import Article, Citation, Evidence, Span


def parse(draft: str, valid: int = 3, size: int | None = None) -> list[DraftSentence]:
    """Parse a draft, fed whole or in chunks of `size` characters."""
    parser = DraftParser(range(1, valid + 1))
    step = size or max(len(draft), 1)
    sentences: list[DraftSentence] = []
    for start in range(0, len(draft), step):
        sentences += parser.feed(draft[start : start + step])
    return sentences + parser.flush()


def shown(draft: str, valid: int = 3) -> list[tuple[str, tuple[int, ...]]]:
    return [(each.text, each.labels) for each in parse(draft, valid)]


# Addresses


def test_parse_address_of_a_citation_gives_its_parts() -> None:
    article = Article("desk/a@b:c-1", "Visas", "Tokyo caps visas. Seoul agrees.")
    evidence = Evidence(1, article, Span(18, 31), 0.9)
    address = Citation.of(evidence).address
    assert parse_address(address) == (article.article_id, article.version, Span(18, 31))


@given(st.text(max_size=60))
def test_parse_address_of_any_text_gives_parts_or_a_user_error(text: str) -> None:
    try:
        article_id, version, span = parse_address(text)
    except UserError:
        return
    assert f"{article_id}@{version}:{span.start}-{span.end}"
    assert len(version) == 16


@pytest.mark.parametrize(
    "address",
    [
        "",
        "news/a",
        "news/a@0123456789abcdef",
        "news/a@0123456789abcdef:9-3",
        "news/a@0123456789abcdeg:1-3",
        "news/a@0123456789ABCDEF:1-3",
        "news/a@0123456789abcdef:-1-3",
        "news/a@0123456789abcdef:1-" + "9" * 5000,
        "news/a@0123456789abcdef:١-٣",
        "@0123456789abcdef:1-3",
    ],
)
def test_parse_address_malformed_raises_user_error_with_an_example(address: str) -> None:
    with pytest.raises(UserError, match="copy one from an answer"):
        parse_address(address)


# Labels: where they stand and how they are written


@pytest.mark.parametrize(
    ("label", "numbers"),
    [
        ("[1]", (1,)),
        ("[1][2]", (1, 2)),
        ("[1] [2]", (1, 2)),
        ("[1, 2]", (1, 2)),
        ("[1,2]", (1, 2)),
        ("[1; 2]", (1, 2)),
        ("[1-3]", (1, 2, 3)),
        ("[1–3]", (1, 2, 3)),
        ("[1 to 3]", (1, 2, 3)),
        ("[1, 2 and 3]", (1, 2, 3)),
        ("[[1]]", (1,)),
        ("[[1], [2]]", (1, 2)),
        ("【1】", (1,)),
        ("［１］", (1,)),
        ("【1†source】", (1,)),
        ("[^1]", (1,)),
        ("[Source 2]", (2,)),
        ("[sources 1 and 2]", (1, 2)),
        ("[2][1][2]", (2, 1)),
    ],
)
@pytest.mark.parametrize("place", ["before", "after", "line start"])
def test_label_in_every_spelling_and_place_is_read(
    label: str, numbers: tuple[int, ...], place: str
) -> None:
    draft = {
        "before": f"Japan caps visas at 10,000 {label}.",
        "after": f"Japan caps visas at 10,000. {label}",
        "line start": f"{label} Japan caps visas at 10,000.",
    }[place]
    assert shown(draft) == [("Japan caps visas at 10,000.", numbers)]


@pytest.mark.parametrize(
    "draft",
    [
        "Japan caps visas. [1] Seoul agreed. [2]",
        "Japan caps visas [1]. Seoul agreed [2].",
        "Japan caps visas.[1] Seoul agreed.[2]",
        "[1] Japan caps visas. [2] Seoul agreed.",
        "[1] Japan caps visas.\n[2] Seoul agreed.",
        "- Japan caps visas. [1]\n- Seoul agreed. [2]",
        "1. Japan caps visas. [1]\n2. Seoul agreed. [2]",
        "Japan caps visas.\n[1]\n\nSeoul agreed.\n[2]",
        "Answer: **Japan** caps visas. [1]\nSeoul agreed. [2]\n",
        "<think>Is it [3]? Yes.</think>Japan caps visas. [1] Seoul agreed. [2]",
    ],
)
def test_labels_of_two_sentences_go_to_their_own(draft: str) -> None:
    assert shown(draft) == [("Japan caps visas.", (1,)), ("Seoul agreed.", (2,))]


def test_labels_inside_a_sentence_belong_to_it() -> None:
    draft = 'Japan [1] and "Korea" [2], said Lee [3], agreed.'
    assert shown(draft) == [('Japan and "Korea", said Lee, agreed.', (1, 2, 3))]


def test_sentence_without_labels_has_none() -> None:
    assert shown("Japan caps visas. Seoul agreed.") == [
        ("Japan caps visas.", ()),
        ("Seoul agreed.", ()),
    ]


@pytest.mark.parametrize(
    ("label", "labels", "dangling"),
    [("[9]", (), 1), ("[1][9]", (1,), 1), ("[0]", (), 1), ("[2-9]", (2, 3), 1), ("[7, 8]", (), 2)],
)
def test_label_out_of_range_is_counted_and_never_read(
    label: str, labels: tuple[int, ...], dangling: int
) -> None:
    (sentence,) = parse(f"Japan caps visas {label}.")
    assert (sentence.labels, sentence.dangling) == (labels, dangling)


@pytest.mark.parametrize(
    "text",
    [
        "The minister [Lee] agreed.",
        "He was given [10,000] visas.",
        "The law [sic] passed.",
        "It cost [5 percent] more.",
        "Two [] three.",
        "The interval [x] holds.",
        "The bracket [ stays.",
        "The code [123456789] is long.",
    ],
)
def test_bracketed_text_that_is_no_label_stays(text: str) -> None:
    assert shown(text) == [(text, ())]


def test_abbreviations_end_no_sentence() -> None:
    draft = "Gov. J. Smith met U.S. envoys at 9 a.m. on Jan. 5 [1]. He left [2]."
    assert shown(draft) == [
        ("Gov. J. Smith met U.S. envoys at 9 a.m. on Jan. 5.", (1,)),
        ("He left.", (2,)),
    ]


def test_line_broken_inside_a_sentence_is_joined() -> None:
    draft = "Japan caps visas\nat 10,000 a year [1].\nSeoul agreed [2]."
    assert shown(draft) == [("Japan caps visas at 10,000 a year.", (1,)), ("Seoul agreed.", (2,))]


def test_label_cut_off_at_the_end_points_nowhere() -> None:
    (sentence,) = parse("Japan caps visas. [1")
    assert (sentence.text, sentence.labels, sentence.dangling) == ("Japan caps visas.", (), 1)


def test_finished_sentence_is_given_before_the_draft_ends() -> None:
    parser = DraftParser({1})
    assert parser.feed("Japan caps visas. [1] Seoul ") == []
    assert [each.text for each in parser.feed("agreed to talks ")] == ["Japan caps visas."]


# Properties

PIECES = st.sampled_from(
    ["Japan caps visas", "Gov. Lee", "U.S. envoys", "agreed", ". ", ".", " ", "\n", "\n\n", "[1]",
     " [2]", "[1, 2]", "[1-3]", "[[3]]", "【2】", "[9]", "[", "]", '"', "”", "?", "! ", "- ", "1. ",
     "“Why?” Smith asked", "at 9 a.m.", " The", "**", "。", "10,000", "<think>", "</think>"]
)  # fmt: skip
DRAFTS = st.lists(PIECES, max_size=24).map("".join)


@given(DRAFTS, st.integers(1, 7))
def test_chunks_make_no_difference(draft: str, size: int) -> None:
    assert parse(draft, size=size) == parse(draft)


@given(DRAFTS)
def test_sentences_hold_every_word_in_order_and_no_label_of_the_evidence(draft: str) -> None:
    sentences = parse(draft)
    for sentence in sentences:
        assert set(sentence.labels) <= {1, 2, 3}
        assert len(set(sentence.labels)) == len(sentence.labels)
        assert "[1]" not in sentence.text
        assert sentence.text == sentence.text.strip()
        assert any(character.isalnum() for character in sentence.text)


@given(st.text(max_size=300))
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    parse(text, size=5)


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "[",
        "[1",
        "[1]",
        "a. ",
        "Mr. ",
        "[[1], ",
        ". ",
        "? ",
        "\n",
        "- ",
        "a.b ",
        "“Why?” ",
        "。",
    ],
)
def test_what_is_kept_of_a_long_draft_stays_small_so_that_time_is_linear(unit: str) -> None:
    parser = DraftParser({1, 2})
    draft = (unit * 20_000)[:20_000]
    for start in range(0, len(draft), 40):
        parser.feed(draft[start : start + 40])
        kept = len(parser._pending) + len(parser._text)
        assert kept <= 1_500
        assert len(parser._marks) + len(parser._line_marks) <= kept + 2


def test_random_cuts_of_a_long_draft_make_no_difference() -> None:
    draft = " ".join(
        f"Sentence {number} says that Mr. Lee met {number},000 envoys. [{number % 4}]"
        for number in range(80)
    )
    whole = parse(draft)
    assert len(whole) == 80
    generator = random.Random(7)
    for _ in range(20):
        parser, sentences, position = DraftParser({1, 2, 3}), [], 0
        while position < len(draft):
            step = generator.randint(1, 40)
            sentences += parser.feed(draft[position : position + step])
            position += step
        assert sentences + parser.flush() == whole

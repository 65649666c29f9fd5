"""Answers shown in four forms, with foreign text that tries to be more than text."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.present import (
    answer_to_dict,
    html_text,
    markdown_text,
    printable,
    to_html,
    to_markdown,
    web_link,
)
from rag.schema import (
    Abstention,
    AbstentionReason,
    Answer,
    Article,
    Citation,
    Evidence,
    Filter,
    Mode,
    Sentence,
    ShortAnswer,
    Span,
    Support,
    Timing,
    Verdict,
)
from rag.terminal import article_to_terminal, cells, paint, to_terminal, wrap

VERBATIM = Verdict(Support.SUPPORTED, "verbatim", 1.0)
HOSTILE = (
    "[x](javascript:alert(1)) ![](https://evil.example/a.png) <script>alert(1)</script> "
    "<img src=x onerror=y> **bold** `code` &copy; www.evil.example https://evil.example | ~~s~~ $x$"
)
ESCAPES = (
    "red \x1b[31mtext\x1b]0;title\x07 \x9b2J back\x08 bell\x07 \u202eoverride \U000e0041tag \ud800"
)


def article(text: str, **fields: object) -> Article:
    """Make an article of the Seoul desk, unless told otherwise."""
    values: dict[str, object] = {
        "article_id": "summit",
        "title": "Leaders meet",
        "publisher": "Seoul desk",
        "published": date(2025, 8, 23),
    }
    return Article(text=text, **(values | fields))  # type: ignore[arg-type]


def evidence(label: int, source: Article, start: int, end: int) -> Evidence:
    return Evidence(label, source, Span(start, end), 0.8)


def answer_of(*quoted: Evidence, **fields: object) -> Answer:
    """Make an extractive answer of one sentence for each piece of evidence."""
    values: dict[str, object] = {
        "question": "How many visas?",
        "standalone_question": "How many visas?",
        "sentences": tuple(
            Sentence(piece.text, (Citation.of(piece),), VERBATIM) for piece in quoted
        ),
        "evidence": quoted,
        "abstention": None,
        "confidence": 0.91,
        "mode": Mode.EXTRACTIVE,
        "model": "minilm",
        "settings_fingerprint": "0123456789ab",
    }
    return Answer(**(values | fields))  # type: ignore[arg-type]


def one() -> Answer:
    source = article("Intro. The cap is 10,000 a year. More.", url="https://example.org/a?b=1&c=2")
    return answer_of(
        evidence(1, source, 7, 32),
        filter=Filter("Seoul desk", date(2025, 1, 1), None),
        timings=(Timing("retrieve", 0.01),),
    )


def abstained() -> Answer:
    near = evidence(1, article("They talked about trade."), 0, 24)
    gone = Abstention(AbstentionReason.LOW_SUPPORT, "No article says what gift it was.")
    return answer_of(near, sentences=(), abstention=gone, confidence=0.1)


def rendered(markdown: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return parser.render(markdown)


class _Page(HTMLParser):
    """Collect the tags, links and words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


# --- JSON


def test_answer_to_dict_holds_all_of_the_answer() -> None:
    answer = one()
    given_back = json.loads(json.dumps(answer_to_dict(answer)))
    assert given_back["answered"] is True
    assert given_back["text"] == "The cap is 10,000 a year. [1]"
    assert given_back["filter"] == {"publisher": "Seoul desk", "since": "2025-01-01", "until": None}
    assert given_back["timings"] == [{"stage": "retrieve", "seconds": 0.01}]
    (citation,) = given_back["citations"]
    assert citation["address"] == answer.citations[0].address
    assert citation["quote"] == "The cap is 10,000 a year."
    assert citation["sha256"] == answer.citations[0].sha256
    assert citation["span"] == [7, 32]
    assert citation["published"] == "2025-08-23"
    fields = set(Answer.__dataclass_fields__)
    assert fields <= set(given_back), "a field of Answer is missing"


def test_answer_to_dict_orders_its_keys_alike_for_every_answer() -> None:
    assert list(answer_to_dict(one())) == list(answer_to_dict(abstained()))
    assert one().to_dict() == answer_to_dict(one())


def test_answer_to_dict_of_an_abstention_gives_reason_and_nearest_evidence() -> None:
    shown = answer_to_dict(abstained())
    assert shown["answered"] is False
    assert shown["abstention"]["reason"] == "low_support"
    assert shown["sentences"] == shown["citations"] == []
    assert shown["evidence"][0]["quote"] == "They talked about trade."


# --- gates


@given(st.text())
def test_printable_gives_one_line_without_anything_invisible(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == printable(shown)
    assert "  " not in shown


@given(st.text(alphabet=st.sampled_from("abw.:/-+=#1)[](){}<>!*_`~|&;$^\\\"' \n\t\u200b\x1b@http")))
def test_markdown_text_renders_to_the_same_words_and_no_markup(text: str) -> None:
    page = _Page(rendered(markdown_text(text)))
    assert set(page.tags) <= {"p"}
    assert page.text.strip() == printable(text)


@given(st.text(), st.sampled_from(["", "- ", "1. ", "# ", "> ", "    ", "```", "| a |\n|---|\n"]))
def test_markdown_text_with_a_block_marker_renders_no_block(text: str, marker: str) -> None:
    page = _Page(rendered(markdown_text(marker + text)))
    assert set(page.tags) <= {"p"}


@given(st.text())
def test_html_text_reads_back_as_the_same_words(text: str) -> None:
    assert html.unescape(html_text(text)) == html.unescape(html.escape(printable(text)))
    assert not set("<>\"'") & set(html_text(text))


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.org/x",
        "https:///nohost",
        "http://[broken",
        "java\nscript:alert(1)",
        "https://example.org/\x1b[2J",
    ],
)
def test_web_link_with_anything_but_a_web_address_is_none(url: str | None) -> None:
    assert web_link(url) is None


def test_web_link_encodes_what_could_leave_an_attribute_or_a_destination() -> None:
    link = web_link("https://example.org/a b\"'<>\\?q=ü&r=1#f")
    assert link == "https://example.org/a%20b%22%27%3C%3E%5C?q=%C3%BC&r=1#f"


# --- Markdown


def test_to_markdown_shows_sentences_with_footnotes() -> None:
    lines = to_markdown(one()).splitlines()
    assert lines[0] == "The cap is 10,000 a year.[^1]"
    assert lines[-1] == (
        "[^1]: [**Leaders meet**](<https://example.org/a?b=1&amp;c=2>), "
        "Seoul desk, 2025-08-23: “The cap is 10,000 a year.”"
    )
    assert "Sentences of the articles, word for word" in to_markdown(one())


def test_to_markdown_of_a_draft_names_the_model_and_counts_what_was_withheld() -> None:
    source = article("The cap is 10,000 a year.")
    piece = evidence(1, source, 0, 25)
    doubtful = Sentence(
        "It is 12,000.", (Citation.of(piece),), Verdict(Support.PARTLY, "number 12,000", 0.4)
    )
    answer = answer_of(
        piece,
        mode=Mode.LLM,
        model="small-llm",
        sentences=(doubtful,),
        withheld=(doubtful, doubtful),
        conflict="10,000 or 12,000",
        fault="the first draft was cut",
    )
    for shown in (
        to_markdown(answer),
        to_html(answer),
        to_terminal(answer, colour=False, width=80),
    ):
        text = " ".join(shown.replace("\\", "").split())
        assert "Written by small-llm" in text
        assert "2 drafted sentences were withheld" in text
        assert "The articles disagree: 10,000 or 12,000" in text
        assert "partly supported: number 12,000" in text
        assert "draft was not used: the first draft was cut" in html.unescape(text)


def test_to_markdown_of_an_abstention_says_why_and_shows_the_nearest() -> None:
    shown = to_markdown(abstained())
    assert shown.startswith("**No answer** (`low_support`): No article says what gift it was.")
    assert "“They talked about trade.”" in shown


def hostile_answer(**fields: object) -> Answer:
    source = article(
        HOSTILE, title=HOSTILE, publisher=HOSTILE, url="javascript:alert(1)", article_id=HOSTILE
    )
    piece = evidence(1, source, 0, len(HOSTILE))
    doubtful = Verdict(Support.PARTLY, HOSTILE, 0.5)
    return answer_of(
        piece,
        sentences=(Sentence(HOSTILE, (Citation.of(piece),), doubtful),),
        question=HOSTILE,
        model=HOSTILE,
        conflict=HOSTILE,
        fault=HOSTILE,
        withheld=(Sentence(HOSTILE, (), doubtful),),
        **fields,
    )


def hostile_abstention() -> Answer:
    why = Abstention(AbstentionReason.NOT_IN_CORPUS, HOSTILE)
    answer = hostile_answer(abstention=why)
    return answer_of(*answer.evidence, sentences=(), abstention=why, model=HOSTILE)


@pytest.mark.parametrize("answer", [hostile_answer(), hostile_abstention()])
def test_to_markdown_shows_hostile_markup_literally(answer: Answer) -> None:
    page = _Page(rendered(to_markdown(answer)))
    assert set(page.tags) <= {"p", "em", "strong", "ul", "li", "code"}
    assert page.links == []
    assert HOSTILE in page.text
    # GFM makes links of bare addresses as well: none is left bare.
    assert not re.search(r"https?://|(?i:www\.)", to_markdown(answer))


# --- HTML


@pytest.mark.parametrize("answer", [hostile_answer(), hostile_abstention()])
def test_to_html_shows_hostile_markup_literally(answer: Answer) -> None:
    page = _Page(to_html(answer))
    assert not {"script", "img", "iframe", "style", "b", "a"} & set(page.tags)
    assert page.attributes <= {"class", "data-reason", "data-address", "value"}
    assert HOSTILE in page.text


def test_to_html_links_a_web_address_and_carries_the_address_of_the_quote() -> None:
    answer = one()
    page = _Page(to_html(answer))
    assert page.links == ["https://example.org/a?b=1&c=2"]
    assert f'data-address="{answer.citations[0].address}"' in to_html(answer)
    assert page.tags.count("section") == 1


# --- terminal


def test_to_terminal_shows_each_source_once_and_a_verbatim_quote_only_as_sentence() -> None:
    shown = to_terminal(one(), colour=False, width=80)
    assert shown.startswith("The cap is 10,000 a year. [1]\n")
    assert "[1] Leaders meet (Seoul desk, 2025-08-23)\n" in shown
    assert shown.count("10,000") == 1


def test_to_terminal_shows_the_words_of_a_second_source() -> None:
    first = evidence(1, article("The cap is 10,000."), 0, 18)
    second = evidence(2, article("Japan issues 10,000.", title="Second"), 0, 20)
    sentence = Sentence(first.text, (Citation.of(first), Citation.of(second)), VERBATIM)
    shown = to_terminal(answer_of(first, second, sentences=(sentence,)), colour=False, width=80)
    assert "The cap is 10,000. [1][2]" in shown
    assert "    “Japan issues 10,000.”" in shown


def test_to_terminal_of_an_abstention_says_why_and_shows_the_nearest() -> None:
    shown = to_terminal(abstained(), colour=False, width=80)
    assert shown.startswith("No answer: No article says what gift it was.\n")
    assert "“They talked about trade.”" in shown


@pytest.mark.parametrize("colour", [True, False])
def test_to_terminal_lets_no_control_character_through(colour: bool) -> None:
    source = article(ESCAPES, title=ESCAPES, publisher=ESCAPES, article_id=ESCAPES)
    piece = evidence(1, source, 0, len(ESCAPES))
    sentence = Sentence(ESCAPES, (_unhashed(piece),), Verdict(Support.PARTLY, ESCAPES, 0.5))
    answer = answer_of(sentences=(sentence,), model=ESCAPES, conflict=ESCAPES, fault=ESCAPES)
    shown = to_terminal(answer, colour=colour, width=60)
    own = re.sub(r"\x1b\[[0-9;]*m", "", shown) if colour else shown
    assert all(character.isprintable() for character in own.replace("\n", ""))
    assert ("\x1b" in shown) is colour
    # Styles are ours alone: each is closed before the next begins.
    codes = re.findall(r"\x1b\[([0-9;]*)m", shown)
    assert codes[1::2] == ["0"] * (len(codes) // 2)
    assert "31" not in codes


def _unhashed(piece: Evidence) -> Citation:
    # A lone surrogate has no UTF-8 bytes to hash; only a bug of the corpus could bring one here.
    return Citation(piece, piece.text, "")


@given(
    st.lists(
        st.tuples(
            st.text(max_size=60) | st.text(st.sampled_from("ab [1]日"), max_size=60),
            st.sampled_from(["", "1", "2"]),
        ),
        max_size=6,
    ),
    st.integers(20, 100),
    st.integers(0, 4),
)
def test_wrap_keeps_every_word_and_the_width(
    parts: list[tuple[str, str]], width: int, indent: int
) -> None:
    lines = wrap(parts, width=width, indent=indent, colour=False).split("\n")
    shown = "".join("".join(lines).split())
    assert shown == "".join("".join(printable(text) for text, _ in parts).split())
    for line in lines:
        assert cells(line) <= max(width, 20 + indent) or len(line.strip()) == 1


def test_wrap_keeps_a_label_with_the_word_before_it() -> None:
    shown = wrap([("one two three four five", ""), ("[1]", "2")], width=24, colour=False)
    assert shown == "one two three four\nfive [1]"


def test_cells_counts_wide_and_combining_characters() -> None:
    assert cells("abc") == 3
    assert cells("日本") == 4
    assert cells("e\u0301") == 1


def test_paint_without_colour_is_the_text() -> None:
    assert paint("x", "1", colour=False) == "x"
    assert paint("x", "1", colour=True) == "\x1b[1mx\x1b[0m"


def test_article_to_terminal_marks_the_very_sentence() -> None:
    text = "First paragraph.\n\nIntro here. The cap is 10,000. The end.\nLast."
    start = text.index("The cap")
    span = Span(start, start + len("The cap is 10,000."))
    plain = article_to_terminal(article(text), span, colour=False, width=80)
    assert "Intro here. >>> The cap is 10,000. <<< The end." in plain
    assert plain.count(">>>") == 1
    coloured = article_to_terminal(article(text), span, colour=True, width=80)
    assert "\x1b[30;43mThe cap is 10,000.\x1b[0m" in coloured


def test_article_to_terminal_marks_a_span_across_paragraphs() -> None:
    text = "One two.\nThree four."
    shown = article_to_terminal(article(text), Span(4, 14), colour=False, width=80)
    assert "One >>> two. <<<" in shown
    assert ">>> Three <<< four." in shown


# --- the short answer


def shortened(text: str, words: str) -> Answer:
    """Make an answer whose one sentence is `text`, with some words of it as the short answer."""
    source = article(text)
    quoted = evidence(1, source, 0, len(text))
    start = text.index(words)
    return answer_of(
        quoted, short=ShortAnswer(Citation.of(quoted), Span(start, start + len(words)))
    )


def test_short_answer_is_bold_in_each_form_and_the_quote_stays_as_it_was() -> None:
    answer = shortened("The cap is 10,000 a year.", "10,000")
    assert "The cap is **10,000** a year.[^1]" in to_markdown(answer)
    assert "“The cap is 10,000 a year.”" in to_markdown(answer)
    assert "The cap is <strong>10,000</strong> a year.<sup" in to_html(answer)
    assert "<q>The cap is 10,000 a year.</q>" in to_html(answer)
    assert "is\x1b[0m \x1b[1;4m10,000\x1b[0m" in to_terminal(answer, colour=True, width=80)
    assert "The cap is 10,000 a year. [1]" in to_terminal(answer, colour=False, width=80)
    assert answer_to_dict(answer)["short"] == {"text": "10,000", "label": 1, "span": [11, 17]}
    assert answer_to_dict(answer)["citations"][0]["quote"] == "The cap is 10,000 a year."


def test_short_answer_beside_a_comma_is_underlined_as_a_whole_word() -> None:
    shown = to_terminal(shortened("In 2018, it rose.", "2018"), colour=True, width=80)
    assert "\x1b[1;4m2018,\x1b[0m" in shown


def test_short_answer_is_not_marked_in_words_that_are_no_quote() -> None:
    answer = shortened("The cap is 10,000 a year.", "10,000")
    drafted = Sentence("It is 10,000.", answer.sentences[0].citations, VERBATIM)
    answer = replace(answer, sentences=(drafted,))
    assert answer.short_place is None
    assert "It is 10,000.[^1]" in to_markdown(answer)


@given(
    st.text(alphabet=st.sampled_from("ab1. *_`[]<&\n\t"), max_size=12),
    st.text(alphabet=st.sampled_from("ab1$%*_`<&"), min_size=1, max_size=8),
    st.text(alphabet=st.sampled_from("ab1. *_`[]<&\n\t"), max_size=12),
)
def test_short_answer_changes_no_word_of_what_is_shown(before: str, words: str, after: str) -> None:
    text = f"x {before} {words} {after} y"
    start = len(f"x {before} ")
    quoted = evidence(1, article(text), 0, len(text))
    short = ShortAnswer(Citation.of(quoted), Span(start, start + len(words)))
    plain, marked = answer_of(quoted), answer_of(quoted, short=short)
    page = _Page(to_html(marked))
    assert page.text == _Page(to_html(plain)).text
    assert page.tags.count("strong") == 1
    assert _Page(rendered(to_markdown(marked))).text == _Page(rendered(to_markdown(plain))).text
    assert to_terminal(marked, colour=False, width=60) == to_terminal(plain, colour=False, width=60)

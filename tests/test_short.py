"""The words of a sentence that answer by themselves, and where there are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.schema import Article, Citation, Evidence, Sentence, ShortAnswer, Span, Support, Verdict
from rag.short import LONGEST, short_answer, shorten


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("How many visas does Japan issue?", "Japan issues at most 10,000 visas.", "10,000"),
        ("How long did they talk?", "The talks lasted about 140 minutes.", "140 minutes"),
        ("How much did it cost?", "It cost $3.5 million in all.", "$3.5 million"),
        ("What percentage backed him?", "Some 42 percent backed him.", "42 percent"),
        ("When did they meet?", "They met on 23 August 2025 in Tokyo.", "23 August 2025"),
        ("When did they meet?", "On August 23, 2025, they met.", "August 23, 2025"),
        ("In what year was it signed?", "The treaty was signed in 1965.", "1965"),
        ("Who hosted the talks?", "The host was Shigeru Ishiba, who won.", "Shigeru Ishiba"),
        ("Where did they meet?", "The two met in Busan.", "Busan"),
    ],
)
def test_shorten_with_one_thing_of_the_kind_returns_all_of_it(
    question: str, sentence: str, words: str
) -> None:
    found = shorten(question, sentence)
    assert found is not None
    assert found.cut(sentence) == words


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How many won?", "The party won 39 seats and its partner eight."),
        ("Who met?", "Lee Jae Myung met Shigeru Ishiba."),
        ("What did they agree on?", "They agreed on 10,000 visas."),
        ("Why did he resign?", "He resigned because of the vote."),
        ("Who is Ishiba?", "Prime Minister Ishiba spoke."),
        ("How many?", "They met in 1965."),
        ("How many?", ""),
    ],
)
def test_shorten_in_doubt_is_none(question: str, sentence: str) -> None:
    assert shorten(question, sentence) is None


def test_shorten_among_several_is_none_wherever_a_model_saw_it() -> None:
    sentence = "The party won 39 seats and its partner eight."
    near = Span(sentence.index("eight"), sentence.index("eight") + 5)
    assert shorten("How many seats did the partner win?", sentence, near) is None


def test_shorten_away_from_what_a_model_saw_is_none() -> None:
    sentence = "Japan issues at most 10,000 visas."
    assert shorten("How many visas does Japan issue?", sentence, Span(0, 5)) is None


@given(
    st.sampled_from(["Who?", "When?", "Where?", "How many?", "What year was it in Rome?", ""]),
    st.text(alphabet=st.sampled_from("aB 19,.-%$’'\"ofMay"), max_size=80),
)
def test_shorten_never_leaves_the_sentence_and_stays_short(question: str, sentence: str) -> None:
    found = shorten(question, sentence)
    assert found is None or (
        0 <= found.start < found.end <= len(sentence)
        and 1 <= len(found.cut(sentence).split()) <= LONGEST
    )


def quoted(text: str, quote: str) -> Sentence:
    """Return a sentence that quotes part of an article's text."""
    start = text.index(quote)
    evidence = Evidence(1, Article("a", "", text), Span(start, start + len(quote)), 0.9)
    return Sentence(quote, (Citation.of(evidence),), Verdict(Support.SUPPORTED, "verbatim", 1.0))


def test_short_answer_is_cut_from_the_article() -> None:
    text = "They met again. Japan issues at most 10,000 visas. More is planned."
    sentence = quoted(text, "Japan issues at most 10,000 visas.")
    short = short_answer("How many visas does Japan issue?", sentence, None)
    assert short is not None
    assert short.text == "10,000" == short.span.cut(text)
    assert short.within.cut(sentence.text) == "10,000"


def test_short_answer_ignores_what_was_seen_in_another_sentence() -> None:
    text = "They met again. Japan issues at most 10,000 visas."
    sentence = quoted(text, "Japan issues at most 10,000 visas.")
    short = short_answer("How many visas does Japan issue?", sentence, Span(0, 4))
    assert short is not None
    assert short.text == "10,000"


@pytest.mark.parametrize("span", [Span(0, 4), Span(16, 16), Span(40, 60)])
def test_short_answer_outside_of_its_sentence_is_refused(span: Span) -> None:
    text = "They met again. Japan issues at most 10,000 visas. More is planned."
    citation = quoted(text, "Japan issues at most 10,000 visas.").citations[0]
    with pytest.raises(ValueError, match="inside"):
        ShortAnswer(citation, span)

"""The parts of the page without a browser: pieces, turns, uploads, reports, messages."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from doubles import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag import (
    Abstention,
    AbstentionReason,
    Answer,
    Article,
    Assistant,
    Citation,
    Evidence,
    Filter,
    Mode,
    Sentence,
    ShortAnswer,
    Span,
    Support,
    UserError,
    Verdict,
)
from ui.articles import SORTS, Shelf, View, find, formats, more_pages, render_list, safe_name
from ui.ask import Filters, ask
from ui.evaluation import Runs, SampleSet, render_newest
from ui.evidence import Mark, open_article, open_evidence, paragraphs
from ui.health import render_settings
from ui.render import messages, render_turn
from ui.transcript import MAX_TURNS, Turn, read_shelf, read_turns, shelve, to_store

TEXT = "The ferry carried 431 passengers. It left at dawn.\n\nCrowds waved 👋 from the quay."
ARTICLE = Article(
    "ferry", "Ferry returns", TEXT, "Gazette", date(2025, 9, 20), "https://n.example/a"
)


def citation(label: int, start: int, end: int) -> Citation:
    return Citation.of(Evidence(label, ARTICLE, Span(start, end), 0.9))


def sentence(text: str, support: Support, *citations: Citation) -> Sentence:
    return Sentence(text, citations, Verdict(support, "the number 9", 0.5))


ANSWER = Answer(
    question="How many?",
    standalone_question="How many passengers did the ferry carry?",
    sentences=(sentence("It carried 431.", Support.SUPPORTED, citation(1, 0, 33)),),
    evidence=(Evidence(1, ARTICLE, Span(0, 33), 0.9), Evidence(2, ARTICLE, Span(34, 50), 0.2)),
    abstention=None,
    confidence=0.9,
    mode=Mode.LLM,
    model="scripted",
    settings_fingerprint="0" * 12,
    withheld=(sentence("It carried 9.", Support.CONTRADICTED, citation(2, 34, 50)),),
    conflict="431 in one, 430 in another",
    fault=None,
    filter=Filter("Gazette", date(2025, 1, 1)),
)

# --- evidence ----------------------------------------------------------------------------------


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[Mark]]:
    text = draw(st.text(alphabet="ab 👋é\n.", max_size=60))
    bounds = st.integers(0, len(text))
    pairs = draw(st.lists(st.tuples(bounds, bounds), max_size=4))
    return text, [Mark(n, Span(*sorted(pair))) for n, pair in enumerate(pairs, start=1)]


@given(marked_texts())
def test_pieces_join_to_the_text_and_those_of_a_label_to_its_quote(
    case: tuple[str, list[Mark]],
) -> None:
    text, marks = case
    pieces = [piece for paragraph in paragraphs(text, marks) for piece in paragraph]
    kept = "".join(line for line in text.split("\n") if line.strip())
    assert "".join(piece["text"] for piece in pieces) == kept
    for mark in marks:
        marked = "".join(p["text"] for p in pieces if mark.label in p["labels"])
        quote = mark.span.cut(text)
        assert re.sub(r"\s", "", marked) == re.sub(r"\s", "", quote)


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "ferry.md").write_text(
        "---\ntitle: Ferry returns\npublisher: Gazette\ndate: 2025-09-20\n"
        f"url: https://n.example/a\n---\n{TEXT}\n"
    )
    with Assistant.open(corpus, store=tmp_path / "store", embedder=HashingEmbedder()) as opened:
        opened.sync()
        yield opened


def test_evidence_marks_neighbours_of_the_same_article_only(assistant: Assistant) -> None:
    (article,) = assistant.articles()
    where = f"ferry@{article.version}"
    told = open_evidence(
        assistant,
        f"{where}:0-33",
        [(3, f"{where}:34-50"), (1, f"{where}:0-33"), (4, "other@0000000000000000:0-2"), (5, "?")],
    )
    labels = [piece["labels"] for paragraph in told["paragraphs"] for piece in paragraph]
    assert (told["label"], told["quote"]) == (1, "The ferry carried 431 passengers.")
    assert [label for each in labels for label in each] == [1, 3]
    assert told["host"] == "n.example"
    assert told["link"].startswith("https://n.example/a#:~:text=The%20ferry")
    assert open_article(assistant, "ferry")["link"] == "https://n.example/a"


# --- turns -------------------------------------------------------------------------------------


def test_turn_of_an_answer_comes_back_from_storage_as_it_was() -> None:
    turn = Turn.of(ANSWER, seconds=0.12)
    (back,) = read_turns(json.loads(json.dumps(to_store([turn]))))
    assert back == turn
    assert [quote.label for quote in turn.quotes] == [1, 2]
    assert turn.searched == "by Gazette from 2025-01-01"
    assert turn.told == "It carried 431."
    assert "[^1]:" in turn.markdown


@pytest.mark.parametrize("stored", [None, "", 7, {"a": 1}, [{"question": 3}], [[]], "x" * 9])
def test_storage_that_is_no_conversation_is_dropped(stored: object) -> None:
    assert read_turns(stored) == ()
    assert read_shelf(stored) == ()


def test_conversations_stay_bounded() -> None:
    many = to_store([Turn(question=str(n)) for n in range(MAX_TURNS + 5)])
    assert len(read_turns(many)) == MAX_TURNS
    shelf: tuple[tuple[Turn, ...], ...] = ()
    for number in range(40):
        shelf = shelve((Turn(question=str(number)),), shelf)
    assert [talk[0].question for talk in shelf] == [str(n) for n in range(39, 27, -1)]
    assert shelve((), shelf) == shelf


# --- messages ----------------------------------------------------------------------------------


def test_message_of_a_turn_is_one_block_that_markdown_leaves_alone() -> None:
    hostile = Turn.of(
        replace(ANSWER, question="a\n\n<b>&amp;\n# x", conflict="\n\n* one\n\n[x](y)")
    )
    for message in messages([hostile]):
        assert message["content"].startswith(("<div", "<section"))
        assert "\n" not in message["content"]
        assert "<b>" not in message["content"]


def test_markdown_to_copy_comes_back_as_it_was() -> None:
    turn = Turn.of(ANSWER)
    shown = render_turn(turn)
    kept = re.search(r'<span class="markdown" hidden>(.*?)</span>', shown)
    assert kept
    assert html.unescape(kept.group(1)) == turn.markdown.rstrip("\n")


def test_answer_shows_verdicts_chips_filter_and_the_withheld_behind_a_fold() -> None:
    shown = render_turn(Turn.of(ANSWER))
    assert shown.count('class="chip"') == 2
    assert "Gazette · 20 Sep 2025" in shown
    assert "1 sentence withheld" in shown
    assert "Contradicted" in shown
    assert "Supported, probability 0.50" in shown
    assert "The articles disagree" in shown
    assert "articles by Gazette from 2025-01-01" in shown
    assert "Written by scripted" in shown
    assert shown.index("It carried 431.") < shown.index("<details") < shown.index("It carried 9.")


def test_short_answer_is_bold_inside_its_sentence_and_survives_the_storage() -> None:
    cited = citation(1, 0, 33)
    answer = replace(
        ANSWER,
        mode=Mode.EXTRACTIVE,
        sentences=(sentence(cited.quote, Support.SUPPORTED, cited),),
        short=ShortAnswer(cited, Span(18, 21)),
    )
    (turn,) = read_turns(to_store([Turn.of(answer)]))
    assert "The ferry carried <strong>431</strong> passengers." in render_turn(turn)


def test_short_answer_of_a_draft_is_not_shown() -> None:
    answer = replace(ANSWER, short=ShortAnswer(citation(1, 0, 33), Span(18, 21)))
    assert "<strong>431" not in render_turn(Turn.of(answer))


@pytest.mark.parametrize("reason", list(AbstentionReason))
def test_abstention_of_each_reason_is_a_card_with_what_to_do(reason: AbstentionReason) -> None:
    answer = replace(
        ANSWER, sentences=(), withheld=(), abstention=Abstention(reason, "Because of that.")
    )
    shown = render_turn(Turn.of(answer))
    assert 'class="abstention"' in shown
    assert "Because of that." in shown
    assert shown.count('class="chip"') == 2
    assert 'class="hint"' in shown


def test_mistake_of_the_reader_becomes_a_turn_and_nothing_is_raised(assistant: Assistant) -> None:
    for question, filters, told in (
        ("x" * 4_001, Filters(), "4,001"),
        ("Which ferry?", Filters(since="soon"), "soon"),
    ):
        (turn,) = ask(assistant, question, (), filters)
        assert told in turn.problem
        assert not turn.lines


def test_fault_of_the_program_is_told_calmly_and_logged(
    assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    assistant.close()
    *_, turn = ask(assistant, "Which ferry?", (), Filters())
    assert turn.problem
    assert "Traceback" not in turn.problem


# --- articles ----------------------------------------------------------------------------------


@given(st.text(max_size=120))
def test_safe_name_of_anything_is_one_plain_file_name(name: str) -> None:
    made = safe_name(name)
    assert made == os.path.basename(made)
    assert made not in ("", ".", "..")
    assert not made.startswith(".")
    assert re.fullmatch(r"[\w.-]{1,100}", made)


def test_uploaded_file_is_indexed_once_and_removed_by_name(
    assistant: Assistant, tmp_path: Path
) -> None:
    shelf = Shelf(assistant, tmp_path / "corpus")
    given_file = tmp_path / "quay news.txt"
    given_file.write_text("The quay was rebuilt in 2024 by the town.\n")
    assert shelf.add([given_file]).added == 1
    assert shelf.uploaded() == ["quay-news.txt"]
    with pytest.raises(UserError, match="before"):
        shelf.add([given_file])
    with pytest.raises(UserError, match="not uploaded"):
        shelf.remove(["../ferry.md"])
    assert (tmp_path / "corpus" / "ferry.md").exists()
    assert shelf.remove(["quay-news.txt"]).removed == 1
    assert shelf.uploaded() == []


@pytest.mark.parametrize("name", ["page.exe", "noending", "x.md.py"])
def test_file_of_another_format_is_refused_and_not_kept(
    assistant: Assistant, tmp_path: Path, name: str
) -> None:
    shelf = Shelf(assistant, tmp_path / "corpus")
    (tmp_path / name).write_text("text")
    with pytest.raises(UserError, match=r"\.md"):
        shelf.add([tmp_path / name])
    assert shelf.uploaded() == []


def test_without_a_corpus_folder_nothing_can_be_uploaded(assistant: Assistant) -> None:
    shelf = Shelf(assistant, None)
    assert not shelf.can_upload
    with pytest.raises(UserError, match="--corpus"):
        shelf.add([Path("a.md")])


def articles(count: int) -> list[Article]:
    return [
        Article(
            f"a{n}", f"Title {n:03}", "Text. " * (n + 1), f"P{n % 3}", date(2025, 1, 1 + n % 28)
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("sort", SORTS)
def test_list_in_each_order_holds_every_article_once(sort: str) -> None:
    every = articles(60)
    found = find(every, View(sort=sort))
    assert sorted(article.article_id for article in found) == sorted(a.article_id for a in every)
    assert more_pages(every, View(sort=sort))
    assert not more_pages(every, View(sort=sort, pages=2))


def test_list_is_searched_by_words_of_title_and_publisher() -> None:
    found = find(articles(60), View(search="title p1 031"))
    assert [article.article_id for article in found] == ["a31"]
    assert "No title" in render_list(articles(3), View(search="nothing"), len)
    assert "No articles yet" in render_list([], View(), len)


def test_formats_offer_pdf_only_where_it_can_be_read() -> None:
    assert {".md", ".txt", ".html", ".jsonl"} <= set(formats())


# --- evaluation and settings -------------------------------------------------------------------


def make_run(folder: Path, name: str, age: float) -> None:
    (folder / name).mkdir(parents=True)
    report = folder / name / "report.html"
    report.write_text(name)
    os.utime(report, (1_700_000_000 - age,) * 2)


def test_newest_run_with_a_report_is_shown(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs", SampleSet(tmp_path, tmp_path))
    assert runs.newest() is None
    assert "No report yet" in render_newest(runs)
    make_run(tmp_path / "runs", "old", 50)
    make_run(tmp_path / "runs", "new", 5)
    (tmp_path / "runs" / "without").mkdir()
    assert runs.newest() == tmp_path / "runs" / "new"
    assert "can’t be read" in render_newest(runs)
    scores = {"correct": {"value": 0.75, "low": 0.5, "high": 0.9, "n": 12}}
    (tmp_path / "runs" / "new" / "scores.json").write_text(json.dumps(scores))
    assert "0.750" in render_newest(runs)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../x", "new/../..", "x" * 200, "\0"])
def test_report_of_a_name_that_is_no_run_is_none(tmp_path: Path, name: str) -> None:
    make_run(tmp_path / "runs", "new", 5)
    (tmp_path / "report.html").write_text("outside")
    runs = Runs(tmp_path / "runs", SampleSet(tmp_path, tmp_path))
    assert runs.report(name) is None
    assert runs.report("new") is not None


def test_run_of_the_sample_questions_without_the_sample_says_so(tmp_path: Path) -> None:
    runs = Runs(tmp_path, SampleSet(tmp_path / "no.jsonl", tmp_path / "no"))
    with pytest.raises(UserError):
        runs.run(lambda done, total: None)


def test_run_of_the_sample_questions_makes_a_report(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="reports need the extra 'eval'")
    root = Path(__file__).parents[1]
    lines = (root / "eval" / "questions" / "summit.jsonl").read_text("utf-8").splitlines()
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(lines[:4]) + "\n")
    runs = Runs(tmp_path / "runs", SampleSet(few, root / "corpus"))
    seen: list[tuple[int, int]] = []
    made = runs.run(lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 3)
    assert seen[-1] == (3, 3)
    assert runs.newest() == made
    assert "<table" in render_newest(runs)


def test_settings_shown_hold_no_path_address_or_key(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = render_settings(assistant.settings)
    assert "threshold" in shown
    for secret in ("store", "key", "url", str(assistant.settings.store)):
        assert secret not in shown

"""The whole path with the bundled model: from a folder to a cited answer, or a reasoned none."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag import (
    AbstentionReason,
    Answer,
    Assistant,
    CorpusError,
    QuestionError,
    SettingsError,
    StoreLockedError,
    UserError,
)

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
SHARED = ROOT.parent / "shared" / "articles"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    with Assistant.open(CORPUS, store=tmp_path_factory.mktemp("store")) as opened:
        opened.sync()
        yield opened


def test_ask_of_fact_told_by_two_articles_cites_both(assistant: Assistant) -> None:
    answer = assistant.ask("How many working holiday visas does Japan issue to Koreans each year?")
    assert answer.abstention is None
    assert "10,000" in answer.sentences[0].text
    cited = {c.evidence.article.article_id for c in answer.sentences[0].citations}
    assert len(cited) >= 2


def test_ask_for_a_number_gives_it_as_short_answer_cut_from_the_article(
    assistant: Assistant,
) -> None:
    answer = assistant.ask("How many working holiday visas does Japan issue to Koreans each year?")
    short = answer.short
    assert short is not None
    assert short.citation == answer.sentences[0].citations[0]
    evidence = short.citation.evidence
    stored = assistant.article(evidence.article.article_id, evidence.version)
    assert short.span.cut(stored.text) == short.text
    assert short.text.startswith("10,000")
    assert f"**{short.text}**" in answer.to_markdown()
    assert answer.to_dict()["short"]["text"] == short.text


def test_abstention_has_no_short_answer(assistant: Assistant) -> None:
    assert assistant.ask("What is the boiling point of tungsten?").short is None


@pytest.mark.parametrize("reader", ["on", "off"])
def test_more_caution_never_answers_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    questions = [
        "How many working holiday visas does Japan issue to Koreans each year?",
        "Who hosted the summit?",
        "What gift did Lee bring?",
        "How long did the talks take?",
        "What is the boiling point of tungsten?",
    ]
    monkeypatch.setenv("RAG_READER", reader)
    answered = {}
    for caution in ("low", "normal", "high"):
        monkeypatch.setenv("RAG_CAUTION", caution)
        with Assistant.open(CORPUS, store=tmp_path / "store") as opened:
            told = [opened.ask(question) for question in questions]
        answered[caution] = {a.question for a in told if a.abstention is None}
    assert answered["high"] <= answered["normal"] <= answered["low"]
    assert answered["low"]


def test_every_quote_of_an_answer_stands_in_the_stored_article(assistant: Assistant) -> None:
    for question in (
        "How many American troops are based in South Korea?",
        "How many working holiday visas does Japan issue to Koreans each year?",
    ):
        answer = assistant.ask(question)
        assert answer.citations, question
        for citation in answer.citations:
            evidence = citation.evidence
            stored = assistant.article(evidence.article.article_id, evidence.version)
            assert stored.text[evidence.span.start : evidence.span.end] == citation.quote
            digest = hashlib.sha256(citation.quote.encode()).hexdigest()
            assert citation.sha256 == digest
            assert assistant.citation(citation.address).quote == citation.quote


def test_ask_of_what_no_article_says_abstains_with_the_nearest(assistant: Assistant) -> None:
    answer = assistant.ask("What is the boiling point of tungsten?")
    assert answer.abstention is not None
    assert answer.sentences == ()
    assert answer.evidence
    assert answer.text == answer.abstention.explanation


def test_ask_twice_gives_the_same_answer(assistant: Assistant) -> None:
    def told(answer: Answer) -> dict[str, object]:
        return {k: v for k, v in answer.to_dict().items() if k != "timings"}

    question = "What did the leaders agree on artificial intelligence?"
    assert told(assistant.ask(question)) == told(assistant.ask(question))


def test_ask_from_many_threads_gives_what_one_thread_gives(assistant: Assistant) -> None:
    questions = ["Who hosted the summit?", "When did Lee take office?", "What is the tariff?"] * 4
    with ThreadPoolExecutor(6) as pool:
        together = [answer.text for answer in pool.map(assistant.ask, questions)]
    assert together == [assistant.ask(question).text for question in questions]


def test_ask_with_filters_says_why_nothing_is_left(assistant: Assistant) -> None:
    nobody = assistant.ask("Who hosted?", publisher="Nobody").abstention
    assert nobody is not None and nobody.reason is AbstentionReason.UNKNOWN_PUBLISHER
    never = assistant.ask("Who hosted?", since="1950-01-01", until="1950-12-31").abstention
    assert never is not None and never.reason is AbstentionReason.OUT_OF_DATE_RANGE
    publisher = assistant.status().publishers[0]
    answer = assistant.ask("What did the leaders agree?", publisher=publisher.upper())
    assert {e.article.publisher for e in answer.evidence} == {publisher}


@pytest.mark.parametrize("question", ["", "   \n", "x" * 4_001, "x" * 10_000])
def test_ask_of_empty_or_long_question_raises(assistant: Assistant, question: str) -> None:
    with pytest.raises(QuestionError):
        assistant.ask(question)


def test_ask_with_impossible_dates_raises(assistant: Assistant) -> None:
    with pytest.raises(QuestionError, match="2025-08-23"):
        assistant.ask("Who?", since="yesterday")
    with pytest.raises(QuestionError, match="swap"):
        assistant.ask("Who?", since="2025-02-01", until="2025-01-01")


def test_search_gives_passages_best_first(assistant: Assistant) -> None:
    hits = assistant.search("working holiday visas", k=4)
    assert len(hits) == 4
    assert "holiday" in hits[0].passage.text


def test_article_and_citation_that_do_not_exist_raise(assistant: Assistant) -> None:
    with pytest.raises(UserError, match="nothing-like-it"):
        assistant.article("nothing-like-it")
    address = (
        assistant.ask("How many American troops are based in South Korea?").citations[0].address
    )
    with pytest.raises(UserError, match="past the end"):
        assistant.citation(f"{address.rpartition(':')[0]}:0-9999999")


def test_status_and_doctor_of_synced_store_are_well(assistant: Assistant) -> None:
    status = assistant.status()
    assert status.articles == len(list(CORPUS.glob("20*.md")))
    assert status.passages > status.articles
    assert all(check.ok for check in assistant.doctor())


def test_open_of_store_in_use_raises(assistant: Assistant) -> None:
    with pytest.raises(StoreLockedError, match=str(os.getpid())):
        Assistant.open(store=assistant.status().store)


def test_ask_before_any_sync_says_what_to_run(tmp_path: Path) -> None:
    with Assistant.open(store=tmp_path) as empty:
        with pytest.raises(UserError, match="dateline sync"):
            empty.ask("Who?")
        with pytest.raises(UserError, match="dateline sync"):
            empty.sync()


def test_ask_about_missing_or_empty_folder_raises(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        with (
            Assistant.open(tmp_path / name, store=tmp_path / "store") as assistant,
            pytest.raises(CorpusError, match=name),
        ):
            assistant.ask("Who?")


def test_open_with_misspelt_setting_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_THREHOLD", "0.5")
    with pytest.raises(SettingsError, match="RAG_THRESHOLD"):
        Assistant.open(CORPUS, store=tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/articles")
def test_ask_about_real_articles_answers_with_both_and_abstains_on_the_gift(
    tmp_path: Path,
) -> None:
    with Assistant.open(SHARED, store=tmp_path) as assistant:
        answer = assistant.ask(
            "How many working holiday visas does Japan issue to Koreans each year?"
        )
        assert "10,000" in answer.sentences[0].text
        assert len({c.evidence.article.article_id for c in answer.sentences[0].citations}) == 2
        assert assistant.ask("What gift did Lee bring to Ishiba?").abstention is not None


def test_whole_journey_in_a_new_process_makes_no_connection(tmp_path: Path) -> None:
    # The guard of conftest.py watches children as well.
    code = (
        "import json, sys; from rag import Assistant\n"
        "with Assistant.open(sys.argv[1], store=sys.argv[2]) as a:\n"
        "    print(json.dumps(a.ask('How many visas a year?').to_dict()))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(CORPUS), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "abstention" in json.loads(child.stdout)

"""Adapters: small sets written here in each format, and the whole ones where they are found."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from eval.adapters import CHECKER_SETS, QUESTION_SETS, load, load_pairs
from eval.questions import check_quotes
from rag import EvaluationError
from rag.sources.clean import clean_text

SHARED = Path(__file__).parents[2] / "shared" / "bench"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the public evaluation sets are not beside this checkout"
)


def write_lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_squad2_asks_every_question_over_every_paragraph(tmp_path: Path) -> None:
    paragraph = {
        "context": "Snow fell. Then more snow fell.",
        "qas": [
            {"id": "1", "question": "What fell? ", "is_impossible": False,
             "answers": [{"text": "snow", "answer_start": 21},
                         {"text": "more snow", "answer_start": 16}]},
            {"id": "2", "question": "Who fell?", "is_impossible": True, "answers": []},
        ],
    }  # fmt: skip
    content = {"version": "v2.0", "data": [{"title": "A_day", "paragraphs": [paragraph]}]}
    (tmp_path / "squad2.json").write_text(json.dumps(content))
    made = load("squad2", tmp_path)
    first, second = made.questions.questions
    assert made.articles[0].title == "A day"
    assert first.aliases == ("snow", "more snow")
    assert [made.articles[0].text[g.start :][: len(g.quote)] for g in first.evidence] == [
        "snow", "more snow",
    ]  # fmt: skip
    assert (second.answerable, second.evidence) == (False, ())


def test_realtimeqa_hides_the_days_of_the_news_once_more(tmp_path: Path) -> None:
    articles = [
        {"id": "new", "text": "Lee won.", "publish_date": "2022/06/08", "publisher": "p"},
        {"id": "old", "text": "Lee may win.", "publish_date": "2022/01/01"},
        {"id": "undated", "text": "Lee sang.", "publish_date": None},
    ]
    questions = [
        {"question_id": "q1", "question_date": "2022/06/10", "question": "Who won?",
         "answer": "Lee", "gold_ids": ["new"], "weak_gold_ids": []},
        {"question_id": "q2", "question_date": "2022/06/10", "question": "Who may win?",
         "answer": "Lee", "gold_ids": ["old"]},
        {"question_id": "q3", "question_date": "2022/06/10", "question": "Who sang?",
         "answer": "Lee", "gold_ids": ["undated"]},
    ]  # fmt: skip
    write_lines(tmp_path / "articles.jsonl.gz", *articles)
    write_lines(tmp_path / "questions.jsonl", *questions)
    made = load("realtimeqa", tmp_path).questions.questions
    assert [q.question_id for q in made] == ["q1", "q1-hidden", "q2", "q3"]
    assert (made[1].answerable, made[1].until) == (False, date(2022, 5, 27))


def test_rgb_asks_over_noise_alone_and_over_lies(tmp_path: Path) -> None:
    row = {
        "id": 0, "query": "Who won?", "answer": [["Lee", "Lee Jae Myung"]], "fakeanswer": "Kim",
        "positive": ["Lee won it all."], "negative": ["It rained."],
        "positive_wrong": ["Kim won it all."],
    }  # fmt: skip
    write_lines(tmp_path / "en_fact.jsonl", row)
    made = load("rgb", tmp_path)
    noise, rejection, conflict = made.questions.questions
    assert noise.aliases == ("Lee", "Lee Jae Myung")
    assert not rejection.answerable
    assert conflict.lies == ("Kim",)
    seen = {q.type: [a.text for a in made.articles if a.publisher == q.publisher]
            for q in made.questions.questions}  # fmt: skip
    assert seen == {
        "noise": ["Lee won it all.", "It rained."],
        "rejection": ["It rained."],
        "conflict": ["Kim won it all.", "Lee won it all.", "It rained."],
    }


def test_robustrag_is_answerable_only_where_a_snippet_holds_the_answer(tmp_path: Path) -> None:
    rows = [
        {"id": i, "question": "Who won?", "correct answer": [answer], "incorrect answer": "Kim",
         "incorrect_context": ["Kim won it."], "context": [{"title": "T", "text": "Lee won it."}]}
        for i, answer in enumerate(["Lee", "Park"])
    ]  # fmt: skip
    write_lines(tmp_path / "questions.jsonl", *rows)
    made = load("robustrag", tmp_path).questions.questions
    assert [q.answerable for q in made] == [True, True, False, False]
    assert [q.type for q in made] == ["clean", "poisoned"] * 2


def test_multihop_rag_joins_the_facts_of_one_article(tmp_path: Path) -> None:
    def fact(text: str, url: str) -> dict[str, object]:
        return {"fact": text, "url": url, "title": "T", "source": "S",
                "published_at": "2023-09-26T17:01:22+00:00"}  # fmt: skip

    rows = [
        {"id": "0", "question": "Both?", "question_type": "comparison_query", "answer": "Yes",
         "evidence_list": [fact("One fact.", "u"), fact("Two facts.", "v")]},
        {"id": "1", "question": "One?", "question_type": "null_query",
         "answer": "Insufficient information.", "evidence_list": []},
        {"id": "2", "question": "More?", "question_type": "inference_query", "answer": "x",
         "evidence_list": [fact("A third.", "u")]},
    ]  # fmt: skip
    write_lines(tmp_path / "questions.jsonl", *rows)
    made = load("multihop_rag", tmp_path)
    assert [a.text for a in made.articles] == ["One fact.\n\nA third.", "Two facts."]
    assert [(q.answerable, q.hops) for q in made.questions.questions] == [
        (True, 2), (False, 1), (True, 1),
    ]  # fmt: skip
    check_quotes(made.questions, made.articles)


def test_a_beir_folder_is_read_with_its_qrels(tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus.jsonl", {"_id": "d1", "title": "T", "text": "One."},
                {"_id": "d2", "title": "U", "text": ""})  # fmt: skip
    write_lines(tmp_path / "queries.jsonl", {"_id": "q1", "text": "one?"},
                {"_id": "q2", "text": "not judged"})  # fmt: skip
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n"
    )
    made = load("beir", tmp_path)
    assert [q.question_id for q in made.questions.questions] == ["q1"]
    assert [g.article for g in made.questions.questions[0].evidence] == ["d1"]
    assert [a.text for a in made.articles] == ["One.", "U"]


def test_canard_gives_history_and_rewrite(tmp_path: Path) -> None:
    row = {"History": ["Zappa", "End", "What group?", "The Mothers"], "QuAC_dialog_id": "C1",
           "Question": "When did they disband?", "Question_no": 2,
           "Rewrite": "When did the Mothers disband?"}  # fmt: skip
    write_lines(tmp_path / "rewrites.jsonl", row)
    (question,) = load("canard", tmp_path).questions.questions
    assert question.history == ("Zappa, End", "What group?")
    assert question.rewrite == "When did the Mothers disband?"


def test_qags_takes_the_majority_and_wice_only_whole_support(tmp_path: Path) -> None:
    votes = [{"response": "yes"}, {"response": "no"}, {"response": "yes"}]
    summary = {"article": "Lee won. Kim lost.",
               "summary_sentences": [{"sentence": "Lee won.", "responses": votes}]}  # fmt: skip
    write_lines(tmp_path / "summaries.jsonl", summary)
    (pair,) = load_pairs("qags", tmp_path)
    assert (pair.supported, pair.evidence) == (True, ("Lee won.", "Kim lost."))
    claim = {"label": "partially_supported", "claim": "Lee won.", "evidence": ["Lee ran."],
             "meta": {"id": "1"}}  # fmt: skip
    write_lines(tmp_path / "claims.jsonl", claim)
    assert [p.supported for p in load_pairs("wice", tmp_path)] == [False]


@pytest.mark.parametrize("name", QUESTION_SETS)
def test_a_folder_without_the_set_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=f"no data of {name} there"):
        load(name, tmp_path)


def test_a_wrong_line_of_a_set_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "questions.jsonl", {"id": "0"})
    with pytest.raises(EvaluationError, match=r"\.jsonl:1: not a line of this set") as caught:
        load("multihop_rag", tmp_path)
    assert str(path) in str(caught.value)


def test_unknown_and_misplaced_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no set 'squad3'; known are"):
        load("squad3", tmp_path)
    with pytest.raises(EvaluationError, match="use 'checker --set wice'"):
        load("wice", tmp_path)
    with pytest.raises(EvaluationError, match="use 'predict --set squad2'"):
        load_pairs("squad2", tmp_path)


@needs_shared
@pytest.mark.parametrize("name", [name for name in QUESTION_SETS if name != "beir"])
def test_a_whole_set_is_read(name: str) -> None:
    made = load(name, SHARED)
    ids = Counter(question.question_id for question in made.questions.questions)
    assert max(ids.values()) == 1
    articles = Counter(article.article_id for article in made.articles)
    assert max(articles.values()) == 1
    # Quotes are looked for in what reading the corpus leaves of a text.
    check_quotes(made.questions, [replace(a, text=clean_text(a.text).text) for a in made.articles])


@needs_shared
@pytest.mark.parametrize("name", CHECKER_SETS)
def test_a_whole_checker_set_is_read(name: str) -> None:
    pairs = load_pairs(name, SHARED)
    assert len({pair.pair_id for pair in pairs}) == len(pairs)
    assert {pair.supported for pair in pairs} == {True, False}
    assert all(pair.claim.strip() and pair.evidence for pair in pairs)

"""Question files: what is read, and how a wrong one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eval_systems import corpus, summit

from eval.questions import Gold, check_quotes, read_questions
from rag import EvaluationError

HEADER = {"version": "1", "name": "small", "corpus": "corpus"}
GOOD: dict[str, Any] = {
    "question_id": "q1",
    "question": "Who came?",
    "history": [],
    "answerable": True,
    "aliases": ["Lee"],
    "evidence": [{"article": "a", "quote": "Lee came."}],
    "type": "single",
    "hops": 1,
}


def write(path: Path, *lines: object) -> Path:
    file = path / "questions.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_a_set_read_and_written_again_is_the_same(tmp_path: Path) -> None:
    whole = summit()
    file = write(tmp_path, whole.header(), *(q.to_dict() for q in whole.questions))
    again = read_questions(file)
    assert again.questions == whole.questions
    assert again.fingerprint == whole.fingerprint


def test_the_project_questions_stand_in_the_corpus() -> None:
    whole = summit()
    check_quotes(whole, corpus())
    assert len(whole.questions) >= 120
    assert sum(not question.answerable for question in whole.questions) >= 35


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anwers": []}, r":2: unknown field 'anwers'; known are aliases"),
        ({"answerable": "yes"}, r":2: answerable is 'yes'; give true or false"),
        ({"question": " "}, r":2: question is ' '; give a text"),
        ({"question_id": 7}, r":2: question_id is 7; give a text"),
        ({"aliases": "Lee"}, r":2: aliases is a list of texts"),
        ({"aliases": [""]}, r":2: aliases is a list of texts, none of them empty"),
        ({"must": [[]]}, r":2: must is a list of lists"),
        ({"hops": "two"}, r":2: hops is 'two'; give a whole number"),
        ({"evidence": [{"quote": "x"}]}, r":2: article is None; give a text"),
        ({"evidence": [{"article": "a", "page": 1}]}, r":2: unknown field 'page'"),
        ({"until": "June"}, r":2: until is 'June'; give a day as YYYY-MM-DD"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    file = write(tmp_path, HEADER, {**GOOD, **change})
    with pytest.raises(EvaluationError, match=message) as caught:
        read_questions(file)
    assert str(file) in str(caught.value)


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    file = write(tmp_path, HEADER, GOOD, {**GOOD, "question": "Who left?"})
    with pytest.raises(EvaluationError, match=r":3: question_id 'q1' stands already on line 2"):
        read_questions(file)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "empty; expected a header"),
        ([HEADER], "no questions after the header"),
        ([GOOD], ":1: expected a header"),
        ([{**HEADER, "unit": "page"}, GOOD], ":1: unit is 'page'"),
        ([{"name": "x"}, GOOD], ":1: version is None"),
        ([HEADER, ["no object"]], ":2: expected a JSON object"),
    ],
)
def test_an_empty_or_headless_file_is_refused(
    tmp_path: Path, lines: list[object], message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_questions(write(tmp_path, *lines))


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps(HEADER) + "\n{not json\n")
    with pytest.raises(EvaluationError, match=r"questions\.jsonl:2: not JSON"):
        read_questions(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no such file"):
        read_questions(tmp_path / "absent.jsonl")


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (Gold("no-such-article", "Lee came."), "holds no article 'no-such-article'"),
        (Gold("2025-08-23-tokyo-summit", "Lee never came."), "no longer stands in"),
    ],
)
def test_a_gold_quote_that_no_longer_stands_is_refused(gold: Gold, message: str) -> None:
    whole = summit()
    first = replace(whole.questions[0], evidence=(gold,))
    changed = replace(whole, questions=(first, *whole.questions[1:]))
    with pytest.raises(EvaluationError, match=message) as caught:
        check_quotes(changed, corpus())
    assert "summit.jsonl:2: summit-001" in str(caught.value)


def test_a_limit_spreads_over_the_set_in_its_order() -> None:
    whole = summit()
    few = whole.spread(10)
    places = [whole.questions.index(question) for question in few.questions]
    assert places == sorted(places)
    assert places[-1] > 150
    assert whole.spread(None) is whole
    with pytest.raises(EvaluationError, match="--limit 0"):
        whole.spread(0)

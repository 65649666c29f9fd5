"""The sample articles in corpus/ and the questions asked about them."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
QUESTIONS = ROOT / "eval" / "questions" / "summit.jsonl"
SHARED = ROOT.parent / "shared" / "articles"

ARTICLE_PATHS = sorted(p for p in CORPUS.glob("*.md") if p.name != "README.md")
COPIED_RUN_WORDS = 8  # the shortest run of words that counts as copied

LEAST_OF_TYPE = {
    "single": 25,
    "two_articles": 10,
    "differing_figures": 6,
    "superseded": 6,
    "date": 10,
    "who_said": 10,
    "list": 6,
    "yes_no": 8,
    "false_premise": 6,
    "follow_up": 8,
    "unanswerable": 37,
}


def parse_article(path: Path) -> tuple[dict[str, str], str]:
    """Return front matter and body of an article; deliberately not the project's own reader."""
    opening, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    assert opening == "", f"{path.name} does not open with front matter"
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    return fields, body.strip()


def words(text: str) -> list[str]:
    bare = text.lower().replace("’", "").replace("'", "")
    return re.findall(r"[0-9]+(?:[.,][0-9]+)*|[a-z0-9]+", bare)


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)}


def test_corpus_articles_number_twelve_or_more() -> None:
    assert len(ARTICLE_PATHS) >= 12


@pytest.mark.parametrize("path", ARTICLE_PATHS, ids=lambda p: p.stem)
def test_article_front_matter_is_complete(path: Path) -> None:
    fields, _ = parse_article(path)
    assert set(fields) - {"url"} == {"title", "publisher", "published"}
    assert all(value.strip() for value in fields.values())
    assert fields["publisher"].startswith("Dateline ")
    assert path.stem.startswith(date.fromisoformat(fields["published"]).isoformat())


@pytest.mark.parametrize("path", ARTICLE_PATHS, ids=lambda p: p.stem)
def test_article_body_has_250_to_700_words_in_plain_paragraphs(path: Path) -> None:
    _, body = parse_article(path)
    assert 250 <= len(body.split()) <= 700
    assert not re.search(r"^[#*>-]|  |\n{3}", body, flags=re.MULTILINE)


@pytest.mark.parametrize("path", ARTICLE_PATHS, ids=lambda p: p.stem)
def test_article_shares_no_run_of_eight_words_with_the_sources(path: Path) -> None:
    sources = sorted(SHARED.glob("*.txt"))
    if not sources:
        pytest.skip(f"no source articles in {SHARED}")
    ours = runs(path.read_text(encoding="utf-8"), COPIED_RUN_WORDS)
    for source in sources:
        shared = ours & runs(source.read_text(encoding="utf-8"), COPIED_RUN_WORDS)
        assert not shared, source.name


def test_corpus_readme_names_only_articles_that_exist() -> None:
    text = (CORPUS / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(20\d\d-[a-z0-9-]+)`", text))
    assert named
    assert named <= {path.stem for path in ARTICLE_PATHS}


def read_questions() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header, *rows = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    return header, rows


def bodies() -> dict[str, str]:
    return {path.stem: parse_article(path)[1] for path in ARTICLE_PATHS}


def test_questions_header_names_version_and_corpus() -> None:
    header, _ = read_questions()
    assert header["name"] == "summit"
    assert re.fullmatch(r"\d+\.\d+\.\d+", header["version"])
    assert (ROOT / header["corpus"]).is_dir()


def test_questions_are_130_or_more_with_enough_of_each_type() -> None:
    _, rows = read_questions()
    counts = Counter(row["type"] for row in rows)
    assert len(rows) >= 130
    assert set(counts) == set(LEAST_OF_TYPE)
    assert {t: n for t, n in LEAST_OF_TYPE.items() if counts[t] < n} == {}


def test_questions_have_the_documented_fields() -> None:
    required = {"question_id", "question", "history", "answerable", "aliases", "evidence"}
    required |= {"type", "hops"}
    for row in read_questions()[1]:
        assert required <= set(row) <= required | {"must", "note"}, row["question_id"]
        assert row["question"].strip() == row["question"]
        assert row["question"].endswith("?")
        assert row["hops"] in (1, 2)
        assert bool(row["history"]) == (row["type"] == "follow_up"), row["question_id"]


def test_questions_ids_and_questions_are_unique() -> None:
    _, rows = read_questions()
    ids = [row["question_id"] for row in rows]
    assert ids == [f"summit-{number:03d}" for number in range(1, len(rows) + 1)]
    asked = [(row["question"].lower(), tuple(row["history"])) for row in rows]
    assert len(set(asked)) == len(asked)


def test_answerable_questions_have_gold_and_the_others_have_none() -> None:
    for row in read_questions()[1]:
        unanswerable_type = row["type"] in ("unanswerable", "false_premise")
        assert row["answerable"] != unanswerable_type, row["question_id"]
        assert bool(row["aliases"] or row.get("must")) == row["answerable"], row["question_id"]
        if row["answerable"] or row["type"] == "false_premise":
            continue
        assert row["evidence"] == [], row["question_id"]


def test_evidence_quotes_are_whole_sentences_of_their_article() -> None:
    articles = bodies()
    for row in read_questions()[1]:
        assert row["evidence"] or not row["answerable"], row["question_id"]
        for gold in row["evidence"]:
            where = f"{row['question_id']}: {gold['article']}: {gold['quote']}"
            body = articles[gold["article"]]
            assert gold["quote"] in body, where
            start = body.index(gold["quote"])
            before = body[:start].rstrip(" ")
            assert before == "" or re.search(r'[.?!]"?$|\n$', before), where
            assert re.search(r'[.?!]"?$', gold["quote"]), where
            assert "\n" not in gold["quote"], where


def contains_words(text: str, part: str) -> bool:
    return f" {' '.join(words(part))} " in f" {' '.join(words(text))} "


def gold_groups(row: dict[str, Any]) -> list[list[str]]:
    return [group for group in [row["aliases"], *row.get("must", [])] if group]


def test_gold_aliases_stand_in_the_gold_quotes() -> None:
    for row in read_questions()[1]:
        if not row["answerable"]:
            continue
        quotes = [gold["quote"] for gold in row["evidence"]]
        # One hop: each gold sentence answers alone. Two hops: only together.
        for text in quotes if row["hops"] == 1 else [" ".join(quotes)]:
            for group in gold_groups(row):
                fits = any(contains_words(text, alias) for alias in group)
                assert fits, (row["question_id"], group, text)


def test_two_hop_questions_are_answered_by_no_single_gold_sentence() -> None:
    for row in read_questions()[1]:
        assert (row["hops"] == 2) == (row["type"] in ("two_articles", "differing_figures"))
        if row["hops"] == 2:
            assert len({gold["article"] for gold in row["evidence"]}) >= 2, row["question_id"]
            for gold in row["evidence"]:
                met = [any(contains_words(gold["quote"], a) for a in g) for g in gold_groups(row)]
                assert not all(met), (row["question_id"], gold["quote"])


def test_questions_readme_counts_are_those_of_the_file() -> None:
    _, rows = read_questions()
    text = (QUESTIONS.parent / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", text, flags=re.MULTILINE)
    assert {kind: int(n) for kind, n in table} == dict(Counter(row["type"] for row in rows))
    answerable = sum(row["answerable"] for row in rows)
    assert f"holds {len(rows)} questions" in text
    assert f"{answerable} that they answer and {len(rows) - answerable} that they" in text


def test_gold_alias_of_a_question_is_not_given_away_by_it() -> None:
    for row in read_questions()[1]:
        if row["type"] == "yes_no":
            continue
        for group in gold_groups(row):
            for alias in group:
                assert not contains_words(row["question"], alias), (row["question_id"], alias)

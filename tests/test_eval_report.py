"""Reports: the same bytes, nothing fetched, nothing injected, figures in the right place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from eval_systems import AlwaysRefuse, corpus, summit

from eval.bm25 import Bm25System
from eval.predict import predict
from eval.questions import Question, QuestionSet
from eval.report import report
from eval.score import score
from eval.slices import answer_kind, slices
from eval.tables import figure
from rag import Article, EvaluationError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predict(Bm25System(corpus()), summit(), tmp_path_factory.mktemp("report") / "run")


class Loads(HTMLParser):
    """Collects every address that a page would fetch by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.addresses.append(value or "")


def test_two_runs_give_the_same_report(run: Path, tmp_path: Path) -> None:
    again = predict(Bm25System(corpus()), summit(), tmp_path / "again")
    report(run)
    report(again)
    names = ["report.html", "report.md", "rows.md", "scores.json", "rows.jsonl"]
    plots = [f"plots/{p.name}" for p in (run / "plots").iterdir() if p.stem != "latency"]
    assert len(plots) >= 8
    for name in (*names, *plots):
        assert (run / name).read_bytes() == (again / name).read_bytes(), name


def test_html_fetches_nothing(run: Path) -> None:
    report(run)
    page = (run / "report.html").read_text()
    found = Loads()
    found.feed(page)
    assert found.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in found.addresses)
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|<link|<iframe", page)


def test_html_escapes_article_and_answer_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    article = Article("x", f"Title {bad}", f"The envoy {bad} came to Busan. Rain fell.", bad)
    question = Question(f"q{bad}", f"Who came to Busan {bad}?", True, (bad,), type=bad, note=bad)
    asked = QuestionSet(f"set {bad}", "1", (question,))
    run = predict(Bm25System([article]), asked, tmp_path / "run")
    report(run)
    found = Loads()
    found.feed((run / "report.html").read_text())
    assert found.scripts == 1
    assert all(address.startswith("data:image/svg+xml") for address in found.addresses)
    assert "<script" not in (run / "rows.md").read_text()
    assert "<img" not in (run / "rows.md").read_text()


def test_report_holds_no_time_unless_asked(run: Path) -> None:
    report(run)
    assert "Latency" not in (run / "report.md").read_text()
    assert "p50" in (run / "cost.md").read_text()
    report(run, with_timings=True)
    assert "p50" in (run / "report.md").read_text()
    assert "milliseconds" in (run / "plots" / "latency.csv").read_text()


def test_regressions_come_first(run: Path, tmp_path: Path) -> None:
    worse = predict(AlwaysRefuse(Bm25System(corpus())), summit(), tmp_path / "worse")
    report(worse, against=run)
    rows = (worse / "rows.md").read_text().splitlines()[4:]
    regressed = [row.split(" | ")[1].startswith("**") for row in rows]
    assert any(regressed)
    assert regressed == sorted(regressed, reverse=True)
    assert (worse / "plots" / "differences.csv").exists()
    assert "| correct | " in (worse / "report.md").read_text()


def test_citation_figures_never_stand_without_correctness_length_and_coverage(run: Path) -> None:
    report(run)
    headline = (run / "report.md").read_text().split("## Headline")[1].split("\n## ")[0]
    for name in ("citation_recall", "citation_precision", "correct", "answer_sentences",
                 "coverage"):  # fmt: skip
        assert f"| {name}" in headline


def test_every_headline_figure_has_an_interval_and_n(run: Path) -> None:
    report(run)
    headline = (run / "report.md").read_text().split("## Headline")[1].split("\n## ")[0]
    figures = [line for line in headline.splitlines() if re.match(r"\| [a-z]", line)][1:]
    assert len(figures) > 20
    for line in figures:
        assert re.search(r"\[[≥≤]? ?-?[\d.]+(, -?[\d.]+)?\] \| \d+ \|", line), line


def test_slices_under_twenty_carry_a_warning(run: Path) -> None:
    parts = slices(score(run))
    small = [part for part in parts if part.n < 20]
    assert small
    assert all(part.is_small for part in small)
    report(run)
    assert "under 20: mostly chance" in (run / "report.md").read_text()
    assert "mostly chance" in (run / "report.html").read_text()


def test_a_certain_figure_is_shown_with_its_bound(run: Path) -> None:
    exact = score(run).scores["citation_exactness"]
    assert exact.value == 1.0
    assert figure(exact) == "1.000 [≥ 0.979]"
    assert figure(replace(exact, n=0)) == "nothing to measure"


@pytest.mark.parametrize(
    ("alias", "kind"),
    [("10,000", "number"), ("23 August", "date"), ("yes", "yes or no"), ("Lee Jae Myung", "name"),
     ("freeze, then reduction", "phrase")],
)  # fmt: skip
def test_kind_of_answer_by_example(alias: str, kind: str) -> None:
    assert answer_kind(Question("q", "?", True, (alias,))) == kind


def test_a_report_of_a_missing_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no run there"):
        report(tmp_path / "absent")


def test_scores_json_has_only_metrics_at_the_top(run: Path) -> None:
    score(run)
    scores = json.loads((run / "scores.json").read_text())
    assert all(isinstance(value, dict) and "value" in value for value in scores.values())

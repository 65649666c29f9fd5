"""The commands: exit statuses, one-line mistakes, and the whole way with the real assistant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from doubles import HashingEmbedder
from eval_systems import QUESTIONS, ROOT, AlwaysRefuse, corpus, summit

from eval.bm25 import Bm25System
from eval.cli import app, write_corpus
from eval.gate import gate, passed
from eval.predict import predict
from eval.questions import Dataset
from eval.score import score
from eval.systems import DatelineSystem
from rag import Assistant, EvaluationError

BASELINE = ROOT / "eval" / "baselines" / "summit.json"


def call(*arguments: object) -> object:
    return app([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    system = Bm25System(corpus())
    return (
        predict(system, summit(), folder / "good"),
        predict(AlwaysRefuse(system), summit(), folder / "worse"),
    )


def test_score_compare_and_report_print_what_they_made(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good, worse = runs
    call("score", good)
    assert "| correct | " in capsys.readouterr().out
    call("compare", good, worse)
    assert "| truthfulness | " in capsys.readouterr().out
    call("report", worse, "--against", good)
    assert "report.html" in capsys.readouterr().out
    assert (worse / "report.html").stat().st_size > 50_000


def test_gate_exits_with_one_on_a_regression_and_zero_on_a_copy(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, worse = runs
    baseline = tmp_path / "baselines" / "summit.json"
    call("gate", good, "--baseline", baseline, "--write")
    assert not call("gate", good, "--baseline", baseline)
    assert call("gate", worse, "--baseline", baseline) == 1
    assert "FAIL correct" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "--out", "x"], "give either --questions FILE or --set NAME"),
        (["predict", "--set", "squad2", "--out", "x"], "needs --data"),
        (["predict", "--questions", "absent.jsonl", "--out", "x"], "absent.jsonl: no such file"),
        (["score", "absent"], "no run there"),
        (["gate", "absent", "--baseline", "absent.json"], "absent.json: no such file"),
        (["checker", "--set", "wice", "--data", "."], "no data of wice there"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "eval", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_set_becomes_a_corpus_that_the_assistant_reads(tmp_path: Path) -> None:
    articles = corpus()[:3]
    folder = write_corpus(Dataset(summit(), articles), tmp_path / "corpus")
    with Assistant.open(folder, store=tmp_path / "store", embedder=HashingEmbedder()) as assistant:
        assistant.sync()
        read = {article.article_id: article for article in assistant.articles()}
    assert read == {article.article_id: article for article in articles}


def test_the_assistant_is_predicted_twice_with_the_same_bytes(tmp_path: Path) -> None:
    asked = summit().spread(15)
    for name in ("one", "two"):
        store = tmp_path / f"store-{name}"
        with Assistant.open(ROOT / "corpus", store=store, embedder=HashingEmbedder()) as assistant:
            assistant.sync()
            predict(DatelineSystem(assistant), asked, tmp_path / name, workers=2)
        score(tmp_path / name)
    for file in ("predictions.jsonl", "articles.jsonl", "run.json", "scores.json", "rows.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    info = json.loads((tmp_path / "one" / "run.json").read_text())
    assert info["outbound"] == []
    assert info["complete"]


def test_a_gold_quote_that_is_gone_stops_before_the_first_question(tmp_path: Path) -> None:
    text = QUESTIONS.read_text()
    file = tmp_path / "changed.jsonl"
    file.write_text(text.replace("Japan issues at most 10,000", "Japan issues at most 11,000"))
    store = tmp_path / "store"
    with pytest.raises(EvaluationError, match=r"changed\.jsonl:2: summit-001: the gold quote"):
        call("predict", "--questions", file, "--corpus", ROOT / "corpus", "--store", store,
             "--out", tmp_path / "run")  # fmt: skip
    assert not (tmp_path / "run" / "predictions.jsonl").exists()


def test_the_assistant_passes_the_gate_of_the_project(tmp_path: Path) -> None:
    """Block a regression: after a wanted change, make the baseline again and say why.

    ``dateline eval predict --questions eval/questions/summit.jsonl --out runs/summit``, then
    ``dateline eval gate runs/summit --baseline eval/baselines/summit.json --write``.
    """
    with Assistant.open(ROOT / "corpus", store=tmp_path / "store") as assistant:
        assistant.sync()
        run = predict(DatelineSystem(assistant), summit(), tmp_path / "run")
    findings = gate(run, BASELINE)
    failed = [f"{finding.metric}: {finding.detail}" for finding in findings if not finding.ok]
    assert passed(findings), "\n".join(failed)


@pytest.mark.parametrize(("lexical", "article"), [(0.0, 0.0), (0.5, 0.5)])
def test_the_gate_fails_without_the_fusion(
    lexical: float, article: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors alone, and words alone."""
    monkeypatch.setattr("rag.retrieve.LEXICAL_SHARE", lexical)
    monkeypatch.setattr("rag.retrieve.ARTICLE_SHARE", article)
    with Assistant.open(ROOT / "corpus", store=tmp_path / "store") as assistant:
        assistant.sync()
        run = predict(DatelineSystem(assistant), summit(), tmp_path / "run")
    failed = {finding.metric for finding in gate(run, BASELINE) if not finding.ok}
    assert failed & {"ndcg_at_10", "map_at_20", "mrr_at_10", "recall_at_4"}

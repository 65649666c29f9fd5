"""Runs: predicted, killed, resumed, scored, compared, gated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eval_systems import (
    ROOT,
    AlwaysRefuse,
    Changed,
    Misquoting,
    RandomPassage,
    corpus,
    summit,
)

from eval.bm25 import Bm25System
from eval.compare import compare, compare_scored
from eval.gate import gate, passed, write_baseline
from eval.jsonl import append, open_for_append, read_objects
from eval.metrics import BY_NAME
from eval.predict import predict
from eval.rows import Bucket, Outcome
from eval.runs import read_run
from eval.score import score
from eval.selftest import self_tests
from eval.slices import funnel
from rag import EvaluationError

STORED = ("run.json", "questions.jsonl", "predictions.jsonl", "articles.jsonl")


@pytest.fixture(scope="module")
def system() -> Bm25System:
    return Bm25System(corpus())


@pytest.fixture(scope="module")
def good(system: Bm25System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predict(system, summit(), tmp_path_factory.mktemp("good") / "run")


@pytest.fixture(scope="module")
def baseline(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baselines") / "summit.json"
    write_baseline(score(good), path)
    return path


def same_bytes(one: Path, two: Path, names: tuple[str, ...] = STORED) -> None:
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_two_runs_and_their_scores_are_the_same_bytes(
    system: Bm25System, good: Path, tmp_path: Path
) -> None:
    again = predict(system, summit(), tmp_path / "again", workers=3)
    score(good)
    score(again)
    same_bytes(good, again, (*STORED, "scores.json", "rows.jsonl"))


@pytest.mark.parametrize("torn", [0, 1, 40])
def test_a_run_cut_anywhere_and_resumed_equals_a_whole_one(
    system: Bm25System, good: Path, tmp_path: Path, torn: int
) -> None:
    cut = predict(system, summit(), tmp_path / "cut")
    for name in ("predictions.jsonl", "articles.jsonl", "timings.jsonl"):
        lines = (cut / name).read_bytes().splitlines(keepends=True)
        # Articles and timings are written first, so a kill leaves them as long or longer.
        kept = len(lines) if name == "articles.jsonl" else 60
        rest = lines[kept][:torn] if kept < len(lines) else b""
        (cut / name).write_bytes(b"".join(lines[:kept]) + rest)
    info = json.loads((cut / "run.json").read_text())
    (cut / "run.json").write_text(json.dumps({**info, "complete": False}))
    with pytest.raises(EvaluationError, match="interrupted after 60 of 179"):
        read_run(cut)
    predict(system, summit(), cut)
    same_bytes(good, cut)


def test_a_run_killed_by_the_system_and_resumed_equals_a_whole_one(
    good: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    code = (
        "import time, sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from eval_systems import Changed, corpus, summit\n"
        "from eval.bm25 import Bm25System\n"
        "from eval.predict import predict\n"
        "class Slow(Changed):\n"
        "    def change(self, question, reply):\n"
        "        time.sleep(float(sys.argv[2])); return reply\n"
        "predict(Slow(Bm25System(corpus())), summit(), Path(sys.argv[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(out), "0.01"], cwd=ROOT, env=environment
        )
        begin = out / "predictions.jsonl"
        size = begin.stat().st_size if begin.exists() else 0
        while process.poll() is None:
            if begin.exists() and begin.stat().st_size > size + 20_000:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.005)
        assert process.returncode == -signal.SIGKILL
    assert 0 < len(list(read_objects(begin, torn_end=True))) < 179
    subprocess.run(
        [sys.executable, "-c", code, str(out), "0"], cwd=ROOT, env=environment, check=True
    )
    same_bytes(good, out)


def test_predicting_another_set_into_a_run_is_refused(system: Bm25System, good: Path) -> None:
    with pytest.raises(EvaluationError, match=r"another set .*choose another --out"):
        predict(system, summit().spread(10), good)


def test_every_miss_is_in_exactly_one_bucket(good: Path) -> None:
    scored = score(good)
    answerable = [q for q in scored.run.questions.questions if q.answerable]
    counts = funnel(scored.rows)
    assert sum(counts.values()) == len(answerable)
    correct = sum(row.outcome is Outcome.CORRECT for row in scored.rows)
    assert counts[Bucket.CITED] + counts[Bucket.UNCITED] == correct


def test_scores_carry_value_interval_and_n(good: Path) -> None:
    score(good)
    scores = json.loads((good / "scores.json").read_text())
    assert {"correct", "wrong", "missing", "refused", "truthfulness", "citation_exactness",
            "citation_recall", "citation_precision", "faithfulness", "recall_at_10", "mrr_at_10",
            "ndcg_at_10", "answerable_auroc"} <= set(scores)  # fmt: skip
    for name, figure in scores.items():
        assert set(figure) == {"value", "low", "high", "n"}
        assert figure["low"] <= figure["value"] <= figure["high"], name
        assert BY_NAME[name].floor <= figure["value"]
    parts = [scores[name]["value"] for name in ("correct", "wrong", "missing")]
    assert sum(parts) == pytest.approx(1.0, abs=1e-5)
    assert scores["truthfulness"]["value"] == pytest.approx(parts[0] - parts[1], abs=1e-5)


def test_scoring_again_needs_only_the_run(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = (score(good), (good / "scores.json").read_bytes())[1]
    monkeypatch.setattr(Bm25System, "reply", None)
    score(good)
    assert (good / "scores.json").read_bytes() == first


def test_self_tests_hold_on_the_project_questions(good: Path) -> None:
    tests = {test.name: test for test in self_tests(score(good))}
    assert tests["gold answers: correct"].value.value == 1.0
    assert tests["no answers: correct"].value.value == 0.0
    assert tests["answers of other questions: correct"].value.value < 0.1
    assert tests["always refusing: truthfulness"].value.value == 0.0
    assert tests["changed number in correct answers: caught"].value.value >= 0.95
    assert all(test.ok for test in tests.values())


def test_refusing_always_buys_nothing(system: Bm25System, tmp_path: Path) -> None:
    scored = score(predict(AlwaysRefuse(system), summit(), tmp_path / "run"))
    values = {name: estimate.value for name, estimate in scored.scores.items()}
    assert values["truthfulness"] == 0.0
    assert values["missing"] == 1.0
    assert values["refused"] == 1.0
    assert values["faithfulness"] == 0.0
    assert values["citation_recall"] == 0.0
    assert scored.scores["faithfulness"].n == 0


@pytest.mark.parametrize("worse", [AlwaysRefuse, RandomPassage])
def test_gate_fails_a_worse_system(
    system: Bm25System, baseline: Path, tmp_path: Path, worse: type[Changed]
) -> None:
    run = predict(worse(system), summit(), tmp_path / "run")
    findings = gate(run, baseline)
    assert not passed(findings)
    failed = {finding.metric for finding in findings if not finding.ok}
    assert "correct" in failed or "truthfulness" in failed


def test_gate_fails_on_one_wrong_quote(system: Bm25System, baseline: Path, tmp_path: Path) -> None:
    run = predict(Misquoting(system), summit(), tmp_path / "run")
    failed = [finding for finding in gate(run, baseline) if not finding.ok]
    assert "citation_exactness" in [finding.metric for finding in failed]
    assert "1 violations in 179" in next(
        f.detail for f in failed if f.metric == "citation_exactness"
    )


def test_gate_passes_a_copy_twenty_times(
    system: Bm25System, baseline: Path, tmp_path: Path
) -> None:
    for turn in range(20):
        run = predict(Changed(system), summit(), tmp_path / str(turn))
        assert passed(gate(run, baseline)), turn


def test_gate_refuses_a_baseline_of_other_questions(
    system: Bm25System, baseline: Path, tmp_path: Path
) -> None:
    run = predict(system, summit().spread(20), tmp_path / "run")
    with pytest.raises(EvaluationError, match="another set"):
        gate(run, baseline)
    assert passed(gate(run, baseline, force=True))


def test_compare_of_a_run_with_itself_finds_ties_only(good: Path) -> None:
    for difference in compare(good, good):
        assert (difference.wins, difference.losses) == (0, 0)
        assert difference.difference.value == 0.0
        assert difference.p == 1.0


def test_compare_counts_wins_for_the_better_side_whichever_way_a_metric_goes(
    system: Bm25System, good: Path, tmp_path: Path
) -> None:
    worse = score(predict(AlwaysRefuse(system), summit(), tmp_path / "worse"))
    found = {d.metric: d for d in compare_scored(worse, score(good))}
    assert found["correct"].losses == 0
    assert found["correct"].wins > 0
    assert found["missing"].wins == 124  # lower is better
    assert found["wrong"].losses > 0
    assert found["correct"].test == "McNemar"
    assert found["truthfulness"].test == "randomisation"
    assert all(d.adjusted_p >= d.p for d in found.values())


def test_compare_refuses_other_questions_and_other_corpora(
    system: Bm25System, good: Path, tmp_path: Path
) -> None:
    fewer = predict(system, summit().spread(50), tmp_path / "fewer")
    with pytest.raises(EvaluationError, match="differ in their questions"):
        compare(good, fewer)
    assert compare(good, fewer, force=True)
    other = predict(Bm25System(corpus()[:-1]), _without_last(), tmp_path / "other")
    again = predict(system, _without_last(), tmp_path / "again")
    with pytest.raises(EvaluationError, match="differ in their corpora"):
        compare(again, other)


def _without_last():  # type: ignore[no-untyped-def]
    from dataclasses import replace

    kept = {article.article_id for article in corpus()[:-1]}
    whole = summit()
    questions = tuple(q for q in whole.questions if all(g.article in kept for g in q.evidence))
    return replace(whole, questions=questions)


def test_a_run_of_another_version_is_refused(good: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    info = json.loads((good / "run.json").read_text())
    (old / "run.json").write_text(json.dumps({**info, "format": 0}))
    with pytest.raises(EvaluationError, match=r"run\.json:1: format 0, but this version reads 1"):
        score(old)


def test_a_damaged_prediction_is_named_by_file_and_line(good: Path, tmp_path: Path) -> None:
    import shutil

    bad = tmp_path / "bad"
    shutil.copytree(good, bad)
    lines = (bad / "predictions.jsonl").read_text().splitlines(keepends=True)
    lines[4] = '{"question_id": "summit-005"}\n'
    (bad / "predictions.jsonl").write_text("".join(lines))
    with pytest.raises(EvaluationError, match=r"predictions\.jsonl:5: not a prediction"):
        score(bad)


def test_appending_after_a_torn_line_drops_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":')
    with open_for_append(path) as stream:
        append(stream, {"a": 2})
    assert [values["a"] for _, values in read_objects(path)] == [1, 2]

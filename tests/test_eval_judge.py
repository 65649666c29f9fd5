"""The optional judge over a real local server, and the checker against labels."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from eval_systems import corpus, summit

from eval.adapters import Pair
from eval.bm25 import Bm25System
from eval.checker import run_checker
from eval.judge import judge_run, open_judge, read_score
from eval.predict import predict
from rag import EvaluationError, ModelError, Verifier


class Endpoint(BaseHTTPRequestHandler):
    """Says YES, then NO, then something that is no verdict; 4.0 to a request for a score."""

    asked = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        scored = "between 1 and 5" in body
        says = ["YES", "NO", "Hard to say."][type(self).asked % 3]
        type(self).asked += not scored
        message = {"role": "assistant", "content": "4.0\nFine." if scored else says}
        answer: dict[str, object] = {"id": "1", "object": "chat.completion", "created": 0}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer |= {"model": "m", "choices": [choice]}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Endpoint]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    Endpoint.asked = 0
    yield Endpoint
    server.shutdown()
    server.server_close()


def test_votes_are_counted_kept_and_never_guessed(endpoint: type[Endpoint], tmp_path: Path) -> None:
    run = predict(Bm25System(corpus()), summit().spread(6), tmp_path / "run")
    made = judge_run(run, open_judge("tiny"))
    stored = json.loads((run / "judge.json").read_text())
    assert stored["judge"] == "tiny"
    assert (stored["asked"], stored["unscored"]) == (6, 2)
    assert made["judge_faithfulness"].n == 4
    assert made["judge_faithfulness"].value == 0.5
    assert made["agreement_faithfulness"].n == 4
    assert made["judge_correctness"].value == 1.0
    before = endpoint.asked
    assert judge_run(run, open_judge("tiny")) == made
    assert endpoint.asked == before
    assert "judge_faithfulness" not in json.loads((run / "scores.json").read_text())


def test_a_judge_that_does_not_answer_is_a_model_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    run = predict(Bm25System(corpus()), summit().spread(1), tmp_path / "run")
    with pytest.raises(ModelError, match="the judge tiny did not answer"):
        judge_run(run, open_judge("tiny"))


def test_no_judge_is_a_clear_mistake() -> None:
    with pytest.raises(EvaluationError, match="no judge: name a model"):
        open_judge()


@pytest.mark.parametrize(
    ("text", "score"),
    [("4.0\nGood.", 4.0), ("Score: 3\n", 3.0), ("5", 5.0), ("9", None), ("", None),
     ("very good, 5", None), ("5.5 of 6", None)],
)  # fmt: skip
def test_a_score_is_read_only_where_it_stands_first(text: str, score: float | None) -> None:
    assert read_score(text)[0] == score


def test_checker_figures_are_measured_against_labels(tmp_path: Path) -> None:
    right, wrong = "Japan issued 7,444 visas in 2024.", "Japan issued 9,444 visas in 2024."
    pairs = [
        Pair(str(i), str(i % 7), right if i % 2 else wrong, (right,), bool(i % 2))
        for i in range(20)
    ]
    made = run_checker("tiny", pairs, tmp_path / "out")
    assert made["support_auroc"].value == 1.0
    assert made["verdict_balanced_accuracy"].value == 1.0
    assert made["overlap_auroc"].n == 20
    stored = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert set(stored["support_auroc"]) == {"value", "low", "high", "n"}
    assert len((tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()) == 20
    with pytest.raises(EvaluationError, match="no labelled pairs"):
        run_checker("tiny", [], tmp_path / "none")


class Moody:
    """A plugged-in checker that has no verdict on every other pair."""

    name = "moody"

    def __init__(self) -> None:
        self.asked = 0

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.asked += 1
        if self.asked % 2:
            raise ModelError("no verdict", model=self.name)
        return [0.9] * len(pairs)


def test_checker_without_a_verdict_leaves_pairs_unscored_and_counts_them(tmp_path: Path) -> None:
    evidence = ("Japan issued 7,444 visas in 2024.",)
    pairs = [Pair(str(i), str(i), "The country issued visas.", evidence, i > 4) for i in range(10)]
    made = run_checker("tiny", pairs, tmp_path / "out", check=Verifier(checker=Moody()))
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["unscored"] == 5
    assert told["checker"].endswith("+ moody")
    assert made["support_auroc"].n == 5

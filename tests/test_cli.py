"""The command line: what it prints where, and how it exits."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag import __version__
from rag.cli import LAST_ANSWER, main

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
QUESTION = "How many working holiday visas does Japan issue to Koreans each year?"
UNANSWERABLE = "Who won the chess olympiad in Budapest?"


@dataclass
class Run:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        (line,) = self.out.splitlines()
        value: dict[str, object] = json.loads(line)
        return value


Dateline = Callable[..., Run]


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the sample corpus, made once by the command itself."""
    store = tmp_path_factory.mktemp("synced") / "store"
    sync = child("sync", str(CORPUS), "--store", str(store))
    assert sync.returncode == 0, sync.stderr
    return store


@pytest.fixture
def store(synced: Path, tmp_path: Path) -> Path:
    """A copy of the synced store that a test may spoil."""
    return Path(shutil.copytree(synced, tmp_path / "store"))


@pytest.fixture
def dateline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dateline:
    """Run a command in this process."""

    def run(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["dateline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        status = ended.value.code
        assert status is None or isinstance(status, int)
        return Run(status or 0, captured.out, captured.err)

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rag.cli", *arguments]


def child(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=ROOT, input=stdin, capture_output=True, text=True
    )


@pytest.mark.parametrize("asked", [["ask", "Who?"], ["chat"], ["status"], ["show", "1"]])
def test_reading_where_nothing_was_synced_makes_no_folder(
    dateline: Dateline, tmp_path: Path, asked: list[str]
) -> None:
    run = dateline(*asked, "--store", str(tmp_path / "wrong"))
    assert run.status == 2
    assert "dateline sync PATH" in run.err and str(tmp_path / "wrong") in run.err
    assert not (tmp_path / "wrong").exists()


# --- sync


def test_sync_says_what_it_did_and_a_second_one_embeds_nothing(
    dateline: Dateline, store: Path
) -> None:
    again = dateline("sync", str(CORPUS), "--store", str(store))
    assert again.status == 0
    assert "0 added, 0 updated, 0 removed" in again.out
    assert "0 passages embedded" in again.out
    assert again.err == ""


def test_sync_without_a_path_takes_the_folder_synced_last(dateline: Dateline, store: Path) -> None:
    report = dateline("sync", "--store", str(store), "--json").json
    assert report["added"] == report["removed"] == report["passages"] == 0
    assert isinstance(report["unchanged"], int)
    assert report["unchanged"] >= 12


def test_sync_reports_a_file_that_cant_be_read(dateline: Dateline, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "good.txt").write_text("Leaders met in Tokyo on Saturday. They talked about visas.\n")
    (corpus / "broken.jsonl").write_text("{not json\n")
    run = dateline("sync", str(corpus), "--store", str(tmp_path / "store"))
    assert run.status == 0
    assert "1 added" in run.out
    assert re.search(r"^skipped .*broken\.jsonl", run.out, re.MULTILINE)


def test_sync_of_a_missing_folder_is_one_line_and_status_2(
    dateline: Dateline, tmp_path: Path
) -> None:
    run = dateline("sync", str(tmp_path / "nowhere"), "--store", str(tmp_path / "store"))
    assert_mistake(run, "nowhere")


def assert_mistake(run: Run, *words: str) -> None:
    assert run.status == 2, run
    assert run.out == ""
    assert run.err.startswith("dateline: ")
    assert run.err.count("\n") == 1
    for word in words:
        assert word in run.err


# --- ask


def test_ask_answers_with_a_citation_on_stdout(dateline: Dateline, store: Path) -> None:
    run = dateline("ask", QUESTION, "--store", str(store))
    assert run.status == 0
    assert "10,000" in run.out
    assert re.search(r"\[1\]", run.out)
    assert run.err == ""
    assert "\x1b" not in run.out


def test_ask_takes_the_store_from_the_environment(
    dateline: Dateline, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_STORE", str(store))
    assert dateline("ask", QUESTION).status == 0


def test_ask_json_is_one_line_with_quotes_and_addresses(dateline: Dateline, store: Path) -> None:
    run = dateline("ask", QUESTION, "--store", str(store), "--json")
    answer = run.json
    assert run.status == 0
    assert answer["answered"] is True
    citations = answer["citations"]
    assert isinstance(citations, list)
    assert citations[0]["quote"]
    assert citations[0]["address"].endswith("-".join(map(str, citations[0]["span"])))


def test_ask_without_an_answer_is_status_1_and_says_why(dateline: Dateline, store: Path) -> None:
    run = dateline("ask", UNANSWERABLE, "--store", str(store))
    assert run.status == 1
    assert run.out.startswith("No answer: ")
    assert dateline("ask", UNANSWERABLE, "--store", str(store), "--json").json["abstention"]


def test_ask_with_dates_searches_only_those_articles(dateline: Dateline, store: Path) -> None:
    arguments = ("--since", "2025-08-23", "--until", "2025-08-24", "--store", str(store), "--json")
    answer = dateline("ask", QUESTION, *arguments).json
    evidence = answer["evidence"]
    assert isinstance(evidence, list)
    assert all("2025-08-23" <= piece["published"] <= "2025-08-24" for piece in evidence)
    assert answer["filter"] == {"publisher": None, "since": "2025-08-23", "until": "2025-08-24"}


@pytest.mark.parametrize(
    "arguments", [("",), ("   ",), ("x" * 10_001,), (QUESTION, "--since", "yesterday")]
)
def test_ask_with_a_mistake_is_one_line_and_status_2(
    dateline: Dateline, store: Path, arguments: tuple[str, ...]
) -> None:
    assert_mistake(dateline("ask", *arguments, "--store", str(store)))


def test_ask_with_a_misspelt_setting_names_it(
    dateline: Dateline, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_STOER", "x")
    assert_mistake(dateline("ask", QUESTION, "--store", str(store)), "RAG_STOER", "RAG_STORE")


def test_ask_of_an_empty_store_says_to_sync(dateline: Dateline, tmp_path: Path) -> None:
    run = dateline("ask", QUESTION, "--store", str(tmp_path / "store"))
    assert_mistake(run, "sync")


def test_ask_while_another_process_holds_the_store_says_so(dateline: Dateline, store: Path) -> None:
    holder = subprocess.Popen(
        command("chat", "--store", str(store)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin and holder.stdout
    try:
        holder.stdin.write(QUESTION + "\n")
        holder.stdin.flush()
        assert holder.stdout.readline()  # it has answered, so it holds the store
        assert_mistake(dateline("ask", QUESTION, "--store", str(store)), str(store))
    finally:
        holder.communicate()
    assert holder.returncode == 0


def test_usage_error_is_status_2(dateline: Dateline) -> None:
    run = dateline("ask")
    assert run.status == 2
    assert "Traceback" not in run.err


# --- show


def test_show_prints_the_article_with_the_sentence_marked(dateline: Dateline, store: Path) -> None:
    asked = dateline("ask", QUESTION, "--store", str(store), "--json").json
    citations = asked["citations"]
    assert isinstance(citations, list)
    first = citations[0]
    for name in (str(first["label"]), first["address"]):
        run = dateline("show", name, "--store", str(store))
        assert run.status == 0
        marked = re.search(r">>> (.*?) <<<", run.out, re.DOTALL)
        assert marked
        assert " ".join(marked.group(1).split()) == " ".join(first["quote"].split())
        assert first["title"] in " ".join(run.out.split())
    shown = dateline("show", "1", "--store", str(store), "--json").json
    text, span = shown["text"], shown["span"]
    assert isinstance(text, str) and isinstance(span, list)
    assert text[span[0] : span[1]] == shown["quote"]


def test_show_of_what_isnt_there_is_one_line_and_status_2(dateline: Dateline, store: Path) -> None:
    (store / LAST_ANSWER).unlink(missing_ok=True)
    assert_mistake(dateline("show", "1", "--store", str(store)), "dateline ask")
    assert dateline("ask", QUESTION, "--store", str(store)).status == 0
    assert_mistake(dateline("show", "999", "--store", str(store)), "[999]")
    assert_mistake(dateline("show", "nonsense", "--store", str(store)))
    unknown = "nobody@0123456789abcdef:0-5"
    assert_mistake(dateline("show", unknown, "--store", str(store)))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"labels": 3}', "\x80"])
def test_show_with_a_spoilt_note_of_the_last_answer_says_to_ask_again(
    dateline: Dateline, store: Path, content: str
) -> None:
    (store / LAST_ANSWER).write_text(content)
    assert_mistake(dateline("show", "1", "--store", str(store)), "dateline ask")


# --- chat


def test_chat_reads_lines_until_the_input_ends(synced: Path) -> None:
    run = child("chat", "--store", str(synced), stdin=f"{QUESTION}\n\n1\n999\n{UNANSWERABLE}\n")
    assert run.returncode == 0
    assert "10,000" in run.stdout
    assert ">>> " in run.stdout
    assert "No answer: " in run.stdout
    assert run.stderr.startswith("dateline: the last answer has no citation [999]")
    assert run.stderr.count("\n") == 1


def test_chat_json_writes_one_line_an_answer(synced: Path) -> None:
    run = child("chat", "--json", "--store", str(synced), stdin=f"{QUESTION}\n{UNANSWERABLE}\n")
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [answer["answered"] for answer in answers] == [True, False]


# --- status and doctor


def test_status_says_what_the_store_holds(dateline: Dateline, store: Path) -> None:
    run = dateline("status", "--store", str(store))
    assert run.status == 0
    assert str(store) in run.out
    held = dateline("status", "--store", str(store), "--json").json
    assert isinstance(held["articles"], int) and held["articles"] >= 12
    assert held["mode"] == "extractive"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(held["first_published"]))


def test_doctor_of_a_sound_store_is_status_0(dateline: Dateline, store: Path) -> None:
    run = dateline("doctor", "--store", str(store))
    assert run.status == 0, run.out
    assert all(line.startswith("ok ") for line in run.out.splitlines())
    report = dateline("doctor", "--store", str(store), "--json").json
    assert report["ok"] is True
    assert report["checks"]


def test_doctor_of_a_spoilt_store_is_status_1_and_says_what(
    dateline: Dateline, store: Path
) -> None:
    for path in store.glob("catalogue*"):
        path.unlink()
    (store / "catalogue.sqlite3").write_bytes(b"this is no database, whatever its name says" * 50)
    run = dateline("doctor", "--store", str(store))
    assert run.status == 1
    assert "FAIL" in run.out
    assert dateline("doctor", "--store", str(store), "--json").json["ok"] is False


# --- eval


def test_eval_is_offered_exactly_where_it_is_installed(dateline: Dateline) -> None:
    offered = re.search(r"^  eval ", dateline("--help").out, re.MULTILINE) is not None
    assert offered == (ROOT / "eval" / "cli.py").is_file()


# --- the process


def test_version_and_help_load_nothing_heavy() -> None:
    script = (
        "import sys, rag.cli\n"
        "sys.argv = ['dateline', *sys.argv[1:]]\n"
        "try:\n    rag.cli.main()\n"
        "finally:\n"
        "    heavy = {'chromadb', 'llama_index', 'openvino', 'onnxruntime', 'numpy', 'rich'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    for argument in ("--version", "--help"):
        run = subprocess.run(
            [sys.executable, "-c", script, argument], cwd=ROOT, capture_output=True, text=True
        )
        assert run.returncode == 0
        assert run.stderr.strip() == "[]"
    assert __version__ in child("--version").stdout


def test_ask_loads_no_language_model_library_and_no_web_page(synced: Path) -> None:
    script = (
        "import sys, rag.cli\n"
        "try:\n    rag.cli.main()\n"
        "finally:\n"
        "    heavy = {'llama_index', 'openai', 'gradio', 'torch', 'pandas'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, "ask", QUESTION, "--store", str(synced)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0
    assert run.stderr.strip() == "[]"


def test_a_reader_that_goes_away_ends_the_program_quietly(synced: Path) -> None:
    process = subprocess.Popen(
        command("show", "1", "--store", str(synced)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    complaint = process.stderr.read().decode()
    process.wait()
    assert complaint == "" or complaint.startswith("dateline: ")
    assert process.returncode in (2, 141)


def in_terminal(*arguments: str, columns: int = 70) -> tuple[int, subprocess.Popen[bytes]]:
    """Start a command on a terminal of its own; return our end of it and the process."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm-256color", "NO_COLOR": ""},
        start_new_session=True,
    )
    os.close(theirs)
    return ours, process


def read_until(ours: int, wanted: bytes, *, seconds: float = 120) -> bytes:
    """Read a terminal until it shows `wanted`, or ends."""
    seen = b""
    end = time.monotonic() + seconds
    while wanted not in seen and time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end closes
            break
        if not data:
            break
        seen += data
    return seen


def test_ask_on_a_terminal_is_coloured_and_fits(synced: Path) -> None:
    ours, process = in_terminal("ask", QUESTION, "--store", str(synced), columns=50)
    shown = read_until(ours, b"never shown").decode()
    os.close(ours)
    assert process.wait() == 0
    assert "\x1b[1m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 50


def test_chat_on_a_terminal_prompts_and_ctrl_c_exits_130(synced: Path) -> None:
    ours, process = in_terminal("chat", "--store", str(synced))
    greeting = read_until(ours, b"> ")
    assert b"> " in greeting
    os.write(ours, QUESTION.encode() + b"\n")
    assert b"10,000" in read_until(ours, b"confidence")
    process.send_signal(signal.SIGINT)
    rest = read_until(ours, b"never shown")
    os.close(ours)
    assert process.wait() == 130
    assert b"Traceback" not in rest
    assert b"Aborted" not in rest


def test_sync_on_a_terminal_shows_progress(tmp_path: Path) -> None:
    ours, process = in_terminal("sync", str(CORPUS), "--store", str(tmp_path / "store"))
    shown = read_until(ours, b"never shown").decode()
    os.close(ours)
    assert process.wait() == 0
    assert "passages" in shown
    assert re.search(r"\d+/\d+", shown)

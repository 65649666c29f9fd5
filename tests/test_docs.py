"""The README is true: its commands and its Python run, its files and make targets exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"`((?:rag|eval|tests|corpus|locks)/[\w./-]*\w)`")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of the README in one language, in order."""
    assert README.is_file(), "README.md is missing"
    return [body for name, body in _FENCE.findall(README.read_text("utf-8")) if name == language]


def commands() -> list[list[str]]:
    """Return the `dateline` commands of the README's shell blocks, without prompts and comments."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    parsed = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [words for words in parsed if words and words[0] == "dateline"]


def environment(store: Path) -> dict[str, str]:
    """Return an environment in which `dateline` and `python` are ours and the store is `store`."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return os.environ | {"PATH": path, "RAG_STORE": str(store)}


def test_readme_commands_run(tmp_path: Path) -> None:
    found = commands()
    assert {"sync", "ask"} <= {words[1] for words in found}, "the README shows no sync and no ask"
    for words in found:
        # Question sets outside the project are not on every machine; `make bench` runs those.
        if any("shared/" in word for word in words):
            continue
        # A run is kept for the code that made it: none of an earlier commit may lie in its way.
        words = [re.sub(r"^runs/", f"{tmp_path}/runs/", word) for word in words]
        run = subprocess.run(
            [sys.executable, "-m", "rag.cli", *words[1:]],
            cwd=ROOT,
            env=environment(tmp_path / "store"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        allowed = {0, 1} if words[1] == "ask" else {0}
        assert run.returncode in allowed, f"{shlex.join(words)}\n{run.stdout}{run.stderr}"
        assert "Traceback" not in run.stderr


def test_readme_python_runs(tmp_path: Path) -> None:
    scripts = [body for body in blocks("python") if "from rag import" in body]
    assert scripts, "the README shows no Python"
    for script in scripts:
        run = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=environment(tmp_path / "store"),
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, f"{script}\n{run.stderr}"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_named_in_documents_exist(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)`", (ROOT / document).read_text("utf-8")))
    assert named
    assert named <= targets


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_files_named_in_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    missing = [name for name in _FILE.findall(text) if not (ROOT / name).exists()]
    # A `<module>` placeholder is no file name and doesn't match the pattern.
    assert not missing

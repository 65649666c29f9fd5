"""Nothing leaves the machine, seen from the kernel: native code is watched as well as Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from guard.sitecustomize import is_local

ROOT = Path(__file__).parents[1]
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


def traced(log: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command and write the system calls that name an address to `log`."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed; the guard in Python still holds")
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    run = subprocess.run(
        [strace, "-f", "-qq", "-e", calls, "-o", str(log), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if "PTRACE" in run.stderr or "Operation not permitted" in run.stderr:
        pytest.skip("this machine lets nothing be traced; the guard in Python still holds")
    return run


def outside(log: Path) -> list[str]:
    """Return the traced calls that name an address of another machine."""
    return [
        line
        for line in log.read_text("utf-8", "replace").splitlines()
        for first, second in _ADDRESS.findall(line)
        if not is_local(first or second)
    ]


def test_outside_finds_an_attempt_of_native_code(tmp_path: Path) -> None:
    # A socket made and connected by the C library, behind the back of Python's audit hooks.
    script = (
        "import ctypes, struct, socket\n"
        "libc = ctypes.CDLL(None)\n"
        "address = struct.pack('=HH4s8x', 2, socket.htons(9), bytes([192, 0, 2, 1]))\n"
        "libc.connect(libc.socket(2, 2, 0), address, len(address))\n"
    )
    traced(tmp_path / "log", sys.executable, "-c", script)
    (line,) = outside(tmp_path / "log")
    assert "192.0.2.1" in line


def test_sync_ask_and_doctor_reach_no_other_machine(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    question = "How many working holiday visas does Japan issue to Koreans each year?"
    for arguments in (("sync", str(ROOT / "corpus")), ("ask", question), ("doctor",)):
        log = tmp_path / arguments[0]
        run = traced(log, sys.executable, "-m", "rag.cli", *arguments, *store)
        assert run.returncode == 0, run.stderr
        assert outside(log) == []

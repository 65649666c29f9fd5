"""The guard itself: refused here, refused in a child, and recorded even when swallowed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from guard.sitecustomize import OutsideConnectionError, is_local

# Reserved for documentation (RFC 5737): it can't be anyone's machine.
ELSEWHERE = "192.0.2.1"


def test_connect_outside_is_refused_and_recorded(guard_log: Path) -> None:
    with socket.socket() as outside, pytest.raises(OutsideConnectionError):
        outside.connect((ELSEWHERE, 443))
    assert ELSEWHERE in guard_log.read_text()
    guard_log.write_text("")


def test_lookup_of_a_name_is_refused_and_recorded(guard_log: Path) -> None:
    with pytest.raises(OutsideConnectionError):
        socket.getaddrinfo("news.example", 443)
    assert "news.example" in guard_log.read_text()
    guard_log.write_text("")


def test_connect_in_a_child_that_swallows_errors_is_recorded(guard_log: Path) -> None:
    code = (
        "import socket, contextlib\n"
        "with contextlib.suppress(OSError):\n"
        f"    socket.create_connection(({ELSEWHERE!r}, 443), timeout=1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert ELSEWHERE in guard_log.read_text()
    guard_log.write_text("")


def test_connect_to_loopback_is_let_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("localhost", port), timeout=5) as client:
            assert client.getpeername()[1] == port


@pytest.mark.parametrize("host", [None, "", "localhost", b"localhost", "127.0.0.9", "::1", "::"])
def test_is_local_with_this_machine_is_true(host: object) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["news.example", "192.168.0.1", "10.0.0.1", "localhost.example"])
def test_is_local_with_another_machine_is_false(host: str) -> None:
    assert not is_local(host)

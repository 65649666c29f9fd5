"""Refuse and record every connection that leaves this machine.

The tests install the guard in their own process; child Pythons find this file on PYTHONPATH and
install it as they start. An attempt is refused as if there were no network, and written to the
file named by DATELINE_GUARD_LOG, so that a library that swallows the error is caught as well.

Audit hooks see what goes through Python's `socket`; native code is out of their reach.
"""

import ipaddress
import os
import sys

LOG_VARIABLE = "DATELINE_GUARD_LOG"
_WITH_ADDRESS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_WITH_HOST = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


class OutsideConnectionError(ConnectionRefusedError):
    """A test tried to reach another machine."""


def is_local(host: object) -> bool:
    """Tell whether `host`, a name or an address, is this machine."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _outside(event: str, arguments: tuple) -> object:
    """Return the host that `event` would reach, or None where it stays on this machine."""
    if event in _WITH_HOST:
        return None if is_local(arguments[0]) else arguments[0]
    address = arguments[1]
    # A path (Unix socket) or the kernel's own families never leave the machine.
    if not isinstance(address, tuple) or not address or isinstance(address[0], int):
        return None
    return None if is_local(address[0]) else address[0]


def _guard(event: str, arguments: tuple) -> None:
    if event not in _WITH_ADDRESS and event not in _WITH_HOST:
        return
    host = _outside(event, arguments)
    if host is None:
        return
    line = f"{event} {host!r} in process {os.getpid()}: {' '.join(sys.argv[:3])}\n"
    if path := os.environ.get(LOG_VARIABLE):
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(log, line.encode("utf-8", "replace"))
        os.close(log)
    raise OutsideConnectionError(f"tests stay on this machine: {line.strip()}")


def install() -> None:
    """Guard this process from now on; it can't be taken back."""
    sys.addaudithook(_guard)


if __name__ == "sitecustomize" and LOG_VARIABLE in os.environ:
    install()

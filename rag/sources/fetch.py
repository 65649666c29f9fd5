"""Fetch a page or a feed that the user names, and nothing that one names in turn.

Only ``https``, only public addresses: the host is resolved once, every address of it is checked,
and the connection goes to a checked one, so that a name can't point elsewhere a moment later.
Redirects are followed a few times, each under the same rules. No cookie, key or proxy is used.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import re
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from rag.corpus import MAX_FILE_BYTES
from rag.errors import CorpusError
from rag.sources.clean import clean_line

MAX_REDIRECTS = 4
TIMEOUT_SECONDS = 15.0
# From the first connection to the last byte, redirects included.
TOTAL_SECONDS = 60.0
_CHUNK = 64 * 1024
# The last label of no host name, but of 127.1, 0x7f000001 and other ways to write an address.
_NUMBER = re.compile(r"0x[0-9a-f]*|\d+", re.IGNORECASE)

# What a file is called by its kind, since addresses seldom tell.
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/rss+xml": ".rss",
    "application/atom+xml": ".atom",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave: the address after redirects, the kind of file, and its bytes."""

    url: str
    suffix: str
    data: bytes


def is_address(value: str) -> bool:
    """Tell whether an argument is a web address rather than a path."""
    return re.match(r"[a-z][a-z0-9+.-]+://", value, re.IGNORECASE) is not None


def fetch(url: str, *, loopback: bool = False) -> Fetched:
    """Fetch one file.

    Parameters
    ----------
    url : str
        An ``https`` address.
    loopback : bool, default False
        Allow this machine's own addresses, and ``http`` to them: for tests and local mirrors.

    Raises
    ------
    CorpusError
        If the address is not allowed, can't be reached, or gives no supported file.
    """
    until = time.monotonic() + TOTAL_SECONDS
    address = url
    for _ in range(MAX_REDIRECTS + 1):
        status, headers, data = _request(address, loopback, until)
        if status in (301, 302, 303, 307, 308) and headers.get("Location"):
            address = urljoin(address, headers["Location"])
            continue
        if status != 200:
            raise CorpusError(f"{_shown(address)} answers with status {status}")
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in _SUFFIXES:
            raise CorpusError(f"{_shown(address)} is {kind or 'of no known kind'}: no article")
        if not data:
            raise CorpusError(f"{_shown(address)} is empty")
        return Fetched(address, _SUFFIXES[kind], data)
    raise CorpusError(f"{_shown(url)} is redirected more than {MAX_REDIRECTS} times")


def save(fetched: Fetched, folder: Path) -> Path:
    """Write what was fetched below a folder, under a name that its address decides.

    Raises
    ------
    CorpusError
        If it can't be written.
    """
    parts = urlsplit(fetched.url)
    host = re.sub(r"[^a-z0-9.-]", "_", (parts.hostname or "").lower())[:100].strip(".") or "host"
    words = re.sub(r"[^\w-]+", "-", parts.path.rpartition("/")[2].partition(".")[0]).strip("-")
    digest = hashlib.sha256(fetched.url.encode("utf-8", "replace")).hexdigest()[:8]
    path = folder / host / f"{words[:60] or 'page'}-{digest}{fetched.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(fetched.data)
        new.replace(path)
    except OSError as error:
        raise CorpusError(f"can't write {path}: {error.strerror}") from error
    return path


def _request(url: str, loopback: bool, until: float) -> tuple[int, http.client.HTTPMessage, bytes]:
    scheme, host, port, target = _parse(url, loopback)
    connection = _Pinned(scheme, host, port, _checked_addresses(url, host, port, loopback))
    try:
        connection.request(
            "GET",
            target,
            headers={"User-Agent": "dateline", "Accept-Encoding": "identity", "Accept": "*/*"},
        )
        response = connection.getresponse()
        data = bytearray()
        while response.status == 200 and (block := response.read1(_CHUNK)):
            data += block
            if len(data) > MAX_FILE_BYTES:
                raise CorpusError(f"{_shown(url)} is larger than {MAX_FILE_BYTES // 2**20} MB")
            if time.monotonic() > until:
                raise CorpusError(f"{_shown(url)} took longer than {TOTAL_SECONDS:.0f} s")
        return response.status, response.headers, bytes(data)
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise CorpusError(f"can't fetch {_shown(url)}: {reason}") from error
    finally:
        connection.close()


def _parse(url: str, loopback: bool) -> tuple[str, str, int, str]:
    shown = _shown(url)
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except (ValueError, UnicodeError) as error:
        raise CorpusError(f"{shown} is no web address") from error
    if not host or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise CorpusError(f"{shown} is no web address")
    if parts.username or parts.password:
        raise CorpusError(f"{shown} holds a user name or password; leave them out")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise CorpusError(f"{shown} is not fetched: only https addresses are")
    if not loopback and port not in (None, 443):
        raise CorpusError(f"{shown} is not fetched: only port 443 is")
    port = port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port, target.encode("ascii", "backslashreplace").decode("ascii")


def _checked_addresses(url: str, host: str, port: int, loopback: bool) -> list[str]:
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        addresses = _resolved(url, host, port)
    for text in addresses:
        if not is_public(text) and not (loopback and ipaddress.ip_address(text).is_loopback):
            raise CorpusError(
                f"{_shown(url)} is not fetched: {host} is {text}, which is not a public address"
            )
    return addresses


def _resolved(url: str, host: str, port: int) -> list[str]:
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise CorpusError(f"{_shown(url)} is not fetched: {host} is an address in disguise")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CorpusError(f"can't fetch {_shown(url)}: its host is not known") from error
    return [str(entry[4][0]) for entry in found]


def is_public(text: str) -> bool:
    """Tell whether an IP address is one of the open internet, whatever it is wrapped in.

    Examples
    --------
    >>> is_public("1.1.1.1"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


class _Pinned(http.client.HTTPConnection):
    """A connection to addresses that were checked, under the name of their host."""

    def __init__(self, scheme: str, host: str, port: int, addresses: list[str]) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._addresses = addresses
        self._context = ssl.create_default_context() if scheme == "https" else None

    def connect(self) -> None:
        """Try each address in turn."""
        last: OSError | None = None
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, self.port), self.timeout)
            except OSError as error:
                last = error
                continue
            self.sock = (
                self._context.wrap_socket(plain, server_hostname=self.host)
                if self._context
                else plain
            )
            return
        raise last or OSError("no address")


def _shown(url: str) -> str:
    return clean_line(url)[:200]

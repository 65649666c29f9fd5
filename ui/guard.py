"""What every request passes: hosts, origins, passwords, paths, sizes, and the headers sent back.

The page works without inline script and without `eval`: Gradio's own inline scripts get a nonce
of the response, so markup that slipped through every other gate still couldn't run or fetch.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ui.limits import MAX_BODY_BYTES, UPLOADS, WRONG_PASSWORDS, Buckets, Rate

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOAD_PATH: Final = "/gradio_api/upload"

# What the page, the Python client and MCP need of Gradio, and our own; all else is not found.
# Left out on purpose: /gradio_api/file=…, /gradio_api/proxy=…, deep links, run history.
_PATHS: Final = re.compile(
    r"/|/(?:config|theme\.css|favicon\.ico|health|evidence|article|gradio_api/openapi\.json)/?"
    r"|/(?:assets|static|page|reports)/[\w./@-]+"
    r"|/gradio_api/(?:info|startup-events|app_id|upload|upload_progress|cancel|reset|login_check)/?"
    r"|/gradio_api/(?:queue|call|run|api|heartbeat|mcp)(?:/[\w./-]*)?"
)
_LOOPBACK_NAMES: Final = {"localhost", "127.0.0.1", "::1"}

_PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; frame-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
# Gradio's page names other hosts in these; none of them is needed.
_DROPPED: Final = re.compile(
    rb"<base [^>]*>|<meta\s+(?:property=\"og|name=\"twitter)[^>]*>|<link rel=\"manifest\"[^>]*>"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may ask what of the server.

    Parameters
    ----------
    loopback_only : bool
        Bound to this machine: only its own names are answered to, so that a foreign name that
        was made to point here (DNS rebinding) is refused.
    auth : str or None
        ``user:password`` that every request but /health must give (HTTP Basic).
    max_body_bytes : int
        Of a request that is no upload.
    uploads : Rate
        Uploads of one address.
    """

    loopback_only: bool = True
    auth: str | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    uploads: Rate = UPLOADS


class Guard:
    """An ASGI application that lets through what its policy allows to another one."""

    def __init__(self, app: App, policy: Policy, *, head: str = "") -> None:
        self._app = app
        self._policy = policy
        self._head = head.encode()
        self._uploads = Buckets(policy.uploads)
        self._wrong = Buckets(WRONG_PASSWORDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on and add the headers to what comes back."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # No web sockets are served.
        headers = {name.lower(): value for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await _refuse(send, *refusal)
            return
        if scope["path"] == "/":
            # What is compressed can't be given its nonces.
            scope = {
                **scope,
                "headers": [h for h in scope["headers"] if h[0].lower() != b"accept-encoding"],
            }
            await self._app(scope, receive, _PageSender(send, self._head))
            return
        if scope["path"].rstrip("/") != UPLOAD_PATH:
            receive = _bounded(receive, self._policy.max_body_bytes)
        try:
            await self._app(scope, receive, _with_headers(send))
        except _BodyTooLargeError:
            await _refuse(send, 413, "the request is too large")
        except asyncio.CancelledError:
            # The server ends while a page still listens: no fault to report.
            return

    def _refusal(
        self, scope: Scope, headers: dict[bytes, bytes]
    ) -> tuple[int, str] | tuple[int, str, dict[str, str]] | None:
        """Return status and reason of a request that may not pass, or None."""
        host = headers.get(b"host", b"").decode("latin-1")
        if self._policy.loopback_only and _host_name(host) not in _LOOPBACK_NAMES:
            return 421, "this server answers to localhost only"
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "a foreign origin is refused"
        if headers.get(b"sec-fetch-site") == b"cross-site" and scope["method"] != "GET":
            return 403, "a foreign origin is refused"
        path = scope["path"]
        if not _PATHS.fullmatch(path) or ".." in path or "//" in path:
            return 404, "not found"
        address = client_key(scope)
        if path != "/health" and (refused := self._unauthorized(headers, address)):
            return refused
        length = headers.get(b"content-length", b"0")
        if path.rstrip("/") == UPLOAD_PATH:
            if scope["method"] == "POST" and (wait := self._uploads.take(address)):
                return 429, "too many uploads", {"retry-after": str(int(wait) + 1)}
        elif not length.isdigit() or int(length) > self._policy.max_body_bytes:
            return 413, "the request is too large"
        return None

    def _unauthorized(
        self, headers: dict[bytes, bytes], address: str
    ) -> tuple[int, str, dict[str, str]] | None:
        if self._policy.auth is None:
            return None
        if wait := self._wrong.wait(address):
            return 429, "too many wrong passwords", {"retry-after": str(int(wait) + 1)}
        given = _credentials(headers.get(b"authorization", b""))
        if given is not None and hmac.compare_digest(given, self._policy.auth.encode()):
            return None
        if given is not None:
            self._wrong.take(address)
        challenge = 'Basic realm="Dateline", charset="UTF-8"'
        return 401, "a name and a password are needed", {"www-authenticate": challenge}


def client_key(scope: Scope) -> str:
    """Return the address that limits are counted for: of IPv6, the network of 64 bits."""
    host = (scope.get("client") or ("",))[0]
    return network_of(host)


def network_of(host: str) -> str:
    """Return an IPv4 address as it is, and an IPv6 address as its network of 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return host


def is_loopback(host: str) -> bool:
    """Tell whether a host to bind to is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _BodyTooLargeError(Exception):
    pass


def _bounded(receive: Receive, most: int) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _BodyTooLargeError
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            added = [*_HEADERS, (b"content-security-policy", REPORT_POLICY.encode())]
            extra = [header for header in added if header[0] not in names]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return sending


class _PageSender:
    """Collects the page, gives its scripts a nonce, and sends it with its policy."""

    def __init__(self, send: Send, head: bytes) -> None:
        self._send = send
        self._head = head
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        nonce = secrets.token_urlsafe(16)
        body = _DROPPED.sub(b"", self._body).replace(b"</head>", self._head + b"</head>", 1)
        body = _with_nonces(body, nonce.encode())
        dropped = {b"content-length", b"content-security-policy"}
        headers = [h for h in self._start["headers"] if h[0].lower() not in dropped]
        headers += [
            *_HEADERS,
            (b"content-security-policy", _PAGE_POLICY.format(nonce=nonce).encode()),
            (b"cache-control", b"no-store"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _with_nonces(page: bytes, nonce: bytes) -> bytes:
    """Give each script tag of the page its nonce.

    Values of the configuration stand inside a script as JSON in which ``<`` is escaped, so no
    text of an article can look like a tag here.
    """
    return page.replace(b"<script", b'<script nonce="' + nonce + b'"')


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _credentials(header: bytes) -> bytes | None:
    kind, _, value = header.partition(b" ")
    if kind.lower() != b"basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


async def _refuse(
    send: Send, status: int, reason: str, extra: dict[str, str] | Iterable[tuple[str, str]] = ()
) -> None:
    body = json.dumps({"error": reason, "detail": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", REPORT_POLICY.encode()),
        *_HEADERS,
        *((name.encode(), value.encode()) for name, value in dict(extra).items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

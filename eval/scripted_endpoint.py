"""An OpenAI-compatible endpoint on this machine that answers, lies or misbehaves as told.

The first part of the path names what goes wrong, so one server shows every fault:
``http://127.0.0.1:port/stall/v1``. What it says when nothing goes wrong is up to a script.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any]], str]
"""From the JSON of a request to the text of the answer."""

FAULTS = (
    "http-500",
    "http-429",
    "http-429-retry-after",
    "http-401",
    "http-404",
    "timeout",
    "stall",
    "drip",
    "drip-headers",
    "cut",
    "malformed-json",
    "html",
    "no-choices",
    "null-content",
    "length",
    "ten-megabytes",
    "context-too-long",
    "redirect",
    "loop",
    "compressed",
)
"""Every way to misbehave; ``ok`` and ``http-500-once`` are the ways that end well."""


class ScriptedEndpoint:
    """A server on a free port of 127.0.0.1, for use in a ``with`` statement.

    Parameters
    ----------
    script : callable
        Gives the text of each answer.
    patience_seconds : float, default 5
        How long a fault that never ends goes on before the server gives up by itself.

    Attributes
    ----------
    requests : list of (str, str or None)
        Fault and Authorization header of every request so far.
    elsewhere : list of (str, str or None)
        The same for requests that came in at the address that ``redirect`` points to.
    """

    def __init__(self, script: Script, *, patience_seconds: float = 5.0) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.elsewhere: list[tuple[str, str | None]] = []
        self._script = script
        self._patience_seconds = patience_seconds
        self._closed = threading.Event()

    def __enter__(self) -> ScriptedEndpoint:
        self._server = self._serve(self.requests)
        self._other = self._serve(self.elsewhere)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for server in (self._server, self._other):
            server.shutdown()
            server.server_close()

    def base_url(self, fault: str = "ok") -> str:
        """Return what to set as OPENAI_BASE_URL to meet a fault."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{fault}/v1"

    def _serve(self, log: list[tuple[str, str | None]]) -> ThreadingHTTPServer:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                fault = self.path.split("/")[1]
                seen = sum(name == fault for name, _ in log)
                log.append((fault, self.headers.get("Authorization")))
                with contextlib.suppress(OSError):
                    endpoint._answer(self, fault, body, seen)
                self.close_connection = True

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Keep the terminal quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _answer(
        self, handler: BaseHTTPRequestHandler, fault: str, body: dict[str, Any], seen: int
    ) -> None:
        stream = bool(body.get("stream"))
        if fault.startswith("http-"):
            if fault == "http-500-once" and seen:
                fault = "ok"
            else:
                headers = {"Retry-After": "1"} if fault == "http-429-retry-after" else {}
                code = fault.removeprefix("http-").split("-")[0]
                # Some endpoints repeat the key that they refuse.
                key = handler.headers.get("Authorization")
                error = {"error": {"message": f"refused {key}", "code": code}}
                return _send(handler, int(code), json.dumps(error).encode(), headers=headers)
        if fault == "context-too-long":
            error = {"error": {"message": "maximum context length exceeded", "code": "400"}}
            return _send(handler, 400, json.dumps(error).encode())
        if fault == "redirect":
            port = self._other.server_address[1]
            location = f"http://localhost:{port}/redirected/v1/chat/completions"
            return _send(handler, 307, b"", headers={"Location": location})
        if fault == "html":
            page = b"<html><body><h1>Welcome to the hotel network</h1></body></html>"
            return _send(handler, 200, page, kind="text/html")
        if fault == "timeout":
            return self._wait()
        if fault == "drip-headers":
            return self._drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000)
        text = self._text(fault, body)
        payload = b"".join(_events(text, fault)) if stream else _completion(text, fault)
        kind = "text/event-stream" if stream else "application/json"
        if fault == "compressed":
            packed = gzip.compress(payload)
            return _send(handler, 200, packed, kind=kind, headers={"Content-Encoding": "gzip"})
        if fault not in ("stall", "drip", "cut"):
            return _send(handler, 200, payload, kind=kind)
        _start(handler, 200, kind, len(payload))
        if fault == "drip":
            return self._drip(handler, payload)
        handler.wfile.write(payload[: len(payload) // 2])
        handler.wfile.flush()
        if fault == "stall":
            self._wait()
        else:
            handler.connection.shutdown(socket.SHUT_RDWR)
        return None

    def _text(self, fault: str, body: dict[str, Any]) -> str:
        if fault == "ten-megabytes":
            return "".join(f"Sentence {number} is another one [1]. " for number in range(280_000))
        if fault == "loop":
            return "The minister said that the visas are capped at that number [1]. " * 40
        return self._script(body)

    def _wait(self) -> None:
        self._closed.wait(self._patience_seconds)

    def _drip(self, handler: BaseHTTPRequestHandler, payload: bytes) -> None:
        """Send one byte ten times a second: no wait is long, and it never ends."""
        end = time.monotonic() + self._patience_seconds
        for byte in payload:
            if time.monotonic() > end or self._closed.wait(0.1):
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()


def _start(
    handler: BaseHTTPRequestHandler,
    status: int,
    kind: str,
    length: int,
    headers: dict[str, str] | None = None,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(length))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    payload: bytes,
    *,
    kind: str = "application/json",
    headers: dict[str, str] | None = None,
) -> None:
    _start(handler, status, kind, len(payload), headers)
    handler.wfile.write(payload)
    handler.wfile.flush()


def _completion(text: str, fault: str) -> bytes:
    """Return the JSON of a whole answer."""
    message = {"role": "assistant", "content": None if fault == "null-content" else text}
    reason = "length" if fault == "length" else "stop"
    choices = [{"index": 0, "message": message, "finish_reason": reason}]
    payload = json.dumps(
        {
            "id": "scripted",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [] if fault == "no-choices" else choices,
        }
    ).encode()
    return payload[:-20] if fault == "malformed-json" else payload


def _events(text: str, fault: str) -> Iterator[bytes]:
    """Yield the server-sent events of a streamed answer."""

    def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        chunk = {
            "id": "scripted",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "scripted",
            "choices": [] if fault == "no-choices" else choices,
        }
        data = json.dumps(chunk)
        return f"data: {data[:-9] if fault == 'malformed-json' else data}\n\n".encode()

    yield event({"role": "assistant", "content": None})
    step = 4096 if len(text) > 100_000 else 7
    if fault != "null-content":
        for start in range(0, len(text), step):
            yield event({"content": text[start : start + step]})
    yield event({}, "length" if fault == "length" else "stop")
    yield b"data: [DONE]\n\n"

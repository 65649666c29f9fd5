"""A language model behind an OpenAI-compatible endpoint, reached through LlamaIndex."""

from __future__ import annotations

import contextlib
import email.utils
import importlib.util
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from rag.calls import Call, Fault
from rag.errors import SettingsError
from rag.prompts import Message
from rag.trace import listen_to_llama_index

if TYPE_CHECKING:
    import httpx
    from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-untyped]

OPENAI_BASE_URL = "https://api.openai.com/v1"
"""Used where a key but no address is given."""

_PASSING = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
_MEANINGS = {
    400: "refused the request (HTTP 400)",
    401: "refused the key (HTTP 401); check OPENAI_API_KEY",
    403: "refused the key (HTTP 403); check OPENAI_API_KEY",
    404: "is not known there (HTTP 404); check OPENAI_BASE_URL and RAG_LLM_MODEL",
    413: "was given more text than it takes (HTTP 413)",
    429: "is busy or its quota is used up (HTTP 429)",
}
# Refusals of this one prompt, which say nothing about the endpoint's health.
_OWN_FAULT = frozenset((400, 413, 422))

_running: ContextVar[Call] = ContextVar("_running")


class EndpointSource:
    """Chat completions of an OpenAI-compatible endpoint.

    LlamaIndex and the SDK are loaded on first use, which takes some seconds. Neither retries:
    `rag.calls` does. Redirects are refused, so the key goes to no other host, and so are
    compressed responses, so the limit on bytes is one on memory.

    Parameters
    ----------
    model : str
        As the endpoint knows it.
    base_url : str
        Such as ``http://localhost:8080/v1``.
    api_key : SecretStr
        Local servers mostly accept any.
    timeout_seconds : float
        For each wait on the socket.
    response_bytes : int
        Longest response.

    Raises
    ------
    SettingsError
        If the address is no http(s) one, the model's name is empty, or the extra ``llm`` is not
        installed.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key: SecretStr,
        *,
        timeout_seconds: float = 30.0,
        response_bytes: int = 4_000_000,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not model:
            raise SettingsError(
                "a language model endpoint needs an http(s) address (OPENAI_BASE_URL) and a model "
                f"(RAG_LLM_MODEL), not {parts.scheme}://{parts.hostname or ''} and {model!r}"
            )
        for package in ("openai", "llama_index.llms"):
            with contextlib.suppress(ModuleNotFoundError):
                if importlib.util.find_spec(package) is not None:
                    continue
            raise SettingsError(
                "a language model endpoint needs the extra llm: pip install 'dateline-rag[llm]'"
            )
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_seconds = timeout_seconds
        self._response_bytes = response_bytes
        self._lock = threading.Lock()
        self._llm: OpenAILike | None = None

    def __repr__(self) -> str:
        return f"EndpointSource({self._model!r}, {urlsplit(self._base_url).hostname!r})"

    def prepare(self) -> None:
        """Load LlamaIndex and build its client; no connection is made."""
        self._loaded()

    def run(self, messages: Sequence[Message], max_tokens: int, stream: bool, call: Call) -> None:
        """Send one request and emit what comes back.

        Raises
        ------
        Fault
            Whatever went wrong, in words that hold nothing the endpoint wrote.
        """
        from llama_index.core.base.llms.types import ChatMessage

        self.prepare()
        listen_to_llama_index()
        chat = [ChatMessage(role=message.role, content=message.content) for message in messages]
        token = _running.set(call)
        try:
            self._chat(chat, max_tokens, stream, call)
            return
        except Exception as error:
            fault = _fault(error)
            # What an endpoint writes may hold the key that it was sent.
            cause = None if _holds(error, self._api_key.get_secret_value()) else error
        finally:
            _running.reset(token)
        # Raised here, so that an error which holds the key is not even its context.
        raise fault from cause

    def _chat(self, chat: list[Any], max_tokens: int, stream: bool, call: Call) -> None:
        if not stream:
            response = self._loaded().chat(chat, max_tokens=max_tokens)
            call.emit(response.message.content or "")
            call.finish(_finish_reason(response.raw))
            return
        reason = None
        for response in self._loaded().stream_chat(chat, max_tokens=max_tokens):
            if call.cancelled:
                return
            call.emit(response.delta or "")
            reason = _finish_reason(response.raw) or reason
        call.finish(reason)

    def _loaded(self) -> OpenAILike:
        with self._lock:
            if self._llm is None:
                import httpx
                import openai.resources.chat.completions  # noqa: F401 - else the first call does
                from llama_index.llms.openai_like import OpenAILike

                transport = _transport(self._response_bytes)
                self._llm = OpenAILike(
                    model=self._model,
                    api_base=self._base_url,
                    api_key=self._api_key.get_secret_value(),
                    is_chat_model=True,
                    temperature=0.0,
                    max_retries=0,
                    timeout=self._timeout_seconds,
                    default_headers={"Accept-Encoding": "identity"},
                    http_client=httpx.Client(
                        transport=transport,
                        timeout=self._timeout_seconds,
                        follow_redirects=False,
                    ),
                )
            return self._llm


def _finish_reason(raw: Any) -> str | None:
    """Return why the model stopped, from a response or chunk of the SDK."""
    choices = getattr(raw, "choices", None)
    reason = getattr(choices[0], "finish_reason", None) if choices else None
    return reason if isinstance(reason, str) else None


def _fault(error: BaseException) -> Fault:
    """Translate whatever LlamaIndex, the SDK or the transport raised."""
    import httpx
    import openai

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Fault):
            return Fault(str(cause), retryable=cause.retryable)
        if isinstance(cause, (httpx.RemoteProtocolError, httpx.ReadError)):
            return Fault("sent half an answer: the connection was cut", retryable=True)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, openai.APIStatusError):
        return _status_fault(error)
    if isinstance(error, (openai.APITimeoutError, httpx.TimeoutException)):
        return Fault("did not answer in time")
    if isinstance(error, (openai.APIConnectionError, httpx.TransportError)):
        return Fault("can't be reached; check OPENAI_BASE_URL", retryable=True)
    return Fault("did not return a chat completion", retryable=True)


def _status_fault(error: Any) -> Fault:
    status = error.status_code
    if 300 <= status < 400:
        return Fault(f"redirects to another address (HTTP {status}), which is not followed")
    message = _MEANINGS.get(status, f"failed (HTTP {status})")
    if status == 400 and "context" in str(error.body).lower():
        message = "was given more text than it takes (HTTP 400)"
    return Fault(
        message,
        retryable=status in _PASSING,
        retry_after_seconds=_retry_after(error.response.headers.get("retry-after")),
        counts=status not in _OWN_FAULT,
    )


def _retry_after(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which may also hold a date."""
    if not header:
        return None
    with contextlib.suppress(ValueError):
        seconds = float(header)
        return max(seconds, 0.0) if seconds == seconds else None
    with contextlib.suppress(ValueError, TypeError):
        return max(email.utils.parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    return None


def _holds(error: BaseException, secret: str) -> bool:
    """Tell whether a traceback of `error` would show the secret."""
    seen: BaseException | None = error
    while seen is not None:
        if secret in f"{seen!s} {seen!r}":
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _transport(response_bytes: int) -> httpx.BaseTransport:
    """Return a transport whose responses are limited and whose waits a `Call` can end."""
    import httpx

    class Limited(httpx.SyncByteStream):
        """The body of a response, up to the limit."""

        def __init__(self, stream: httpx.SyncByteStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for chunk in self._stream:
                size += len(chunk)
                if size > response_bytes:
                    raise Fault(f"sent more than {response_bytes} bytes")
                yield chunk

        def close(self) -> None:
            self._stream.close()

    class Transport(httpx.BaseTransport):
        def __init__(self) -> None:
            # A connection of its own for each request: closing it ends that request and no other.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._inner = httpx.HTTPTransport(limits=limits)

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            call = _running.get()
            request.extensions["trace"] = lambda event, info: _watch(call, event, info)
            response = self._inner.handle_request(request)
            encoding = response.headers.get("content-encoding", "identity")
            length = response.headers.get("content-length", "0")
            refused = encoding.lower() not in ("", "identity")
            if refused or (length.isdigit() and int(length) > response_bytes):
                response.close()
                what = "a compressed response" if refused else f"more than {response_bytes} bytes"
                raise Fault(f"sent {what}")
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                stream=Limited(response.stream),  # type: ignore[arg-type]
                extensions=response.extensions,
            )

        def close(self) -> None:
            self._inner.close()

    return Transport()


def _watch(call: Call, event: str, info: dict[str, Any]) -> None:
    """Let the call close each connection as soon as there is one."""
    if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
        connection = info["return_value"].get_extra_info("socket")
        call.on_cancel(lambda: connection.shutdown(socket.SHUT_RDWR))

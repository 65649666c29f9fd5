"""Serve the page: one FastAPI application behind one guard."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rag import Assistant, SettingsError, UserError

AUTH_VARIABLE = "DATELINE_AUTH"

_HEAD = (
    '<link rel="stylesheet" href="page/page.css"><link rel="icon" href="page/icon.svg">'
    '<script src="page/page.js"></script>'
)


@dataclass(frozen=True, slots=True)
class Options:
    """How the page is served.

    Parameters
    ----------
    corpus : Path or None
        Folder of articles; without one the store answers from what it holds.
    store : Path or None
        Data folder; by default that of the settings.
    host : str
        Address to bind to.
    port : int
        0 for any that is free.
    auth : str or None
        ``user:password`` that readers must give.
    runs : Path
        Folder of evaluation runs.
    mcp : bool
        Whether MCP clients are served as well.
    open_browser : bool
    """

    corpus: Path | None = None
    store: Path | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    auth: str | None = None
    runs: Path = Path("runs")
    mcp: bool = False
    open_browser: bool = False


def serve(options: Options) -> None:
    """Sync the corpus, serve the page until interrupted, and print its address.

    Raises
    ------
    UserError
        If Gradio isn't installed, the port is taken, or the corpus or store can't be used.
    """
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio; install dateline-rag[ui]")
    if options.mcp and find_spec("mcp") is None:
        raise UserError("MCP needs its library; install gradio[mcp]")
    with _bound(options.host, options.port) as listener, _scratch():
        # Gradio takes seconds to import, and so does a first sync: side by side.
        importing = threading.Thread(target=import_module, args=("ui.page",), daemon=True)
        importing.start()
        with Assistant.open(options.corpus, store=options.store) as assistant:
            if options.corpus is not None:
                report = assistant.sync()
                for skip in report.skipped:
                    print(f"skipped {skip.source}: {skip.reason}", file=sys.stderr)
            importing.join()
            _run(assistant, options, listener)


def _run(assistant: Assistant, options: Options, listener: socket.socket) -> None:
    import uvicorn

    from ui.desk import Desk
    from ui.guard import is_loopback

    desk = Desk(assistant, options.corpus, options.runs)
    application = make_app(
        desk, auth=options.auth, loopback_only=is_loopback(options.host), mcp=options.mcp
    )
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            log_level="warning",
            # Behind a proxy's word for it, any client could choose its address, and its limits.
            proxy_headers=False,
            server_header=False,
            limit_concurrency=2_000,
            timeout_graceful_shutdown=2,
        )
    )
    address = address_of(listener)
    if not is_loopback(options.host) and options.auth is None:
        print(
            f"warning: anyone who reaches {options.host} can read and add articles; "
            "set --auth-file",
            file=sys.stderr,
        )
    print(f"Dateline is at {address}  (Ctrl-C ends)", flush=True)
    threading.Thread(target=_warm, args=(assistant,), daemon=True).start()
    if options.open_browser:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    server.run(sockets=[listener])


def make_app(
    desk: Any, *, auth: str | None = None, loopback_only: bool = True, mcp: bool = False
) -> Any:
    """Return the ASGI application of a `ui.desk.Desk`, guarded."""
    import gradio as gr

    from ui.guard import Guard, Policy
    from ui.limits import MAX_UPLOAD_BYTES
    from ui.page import build_page
    from ui.routes import make_routes
    from ui.theme import newspaper

    application = make_routes(desk)
    gr.mount_gradio_app(
        application,
        build_page(desk),
        path="",
        allowed_paths=[],
        max_file_size=MAX_UPLOAD_BYTES,
        show_error=False,
        ssr_mode=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=mcp,
        theme=newspaper(),
    )
    return Guard(application, Policy(loopback_only=loopback_only, auth=auth), head=_HEAD)


def read_auth(text: str | None, file: Path | None) -> str | None:
    """Return ``user:password`` of an option, of a file's first line, or of the environment.

    Raises
    ------
    SettingsError
        If it has no colon, an empty name or an empty password, or the file can't be read.
    """
    if file is not None:
        try:
            text = file.read_text("utf-8").strip().partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"can't read {file}: {error}") from error
    found = text if text is not None else os.environ.get(AUTH_VARIABLE)
    if found is None:
        return None
    name, colon, password = found.partition(":")
    if not (name and colon and password):
        raise SettingsError("a login is given as user:password")
    return found


def address_of(listener: socket.socket) -> str:
    """Return the address that a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything slow is done, so that a taken one is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            # Whoever comes before the server is ready waits a moment instead of being refused.
            listener.listen(2_048)
        except OSError as error:
            raise UserError(
                f"can't use port {port} of {host}: {error.strerror}; choose another with --port"
            ) from error
        yield listener
    finally:
        listener.close()


@contextmanager
def _scratch() -> Iterator[None]:
    """Give uploads a folder of their own that goes with the server."""
    with tempfile.TemporaryDirectory(prefix="dateline-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield


def _warm(assistant: Assistant) -> None:
    """Load the models before the first question needs them."""
    if assistant.status().articles:
        assistant.search("What is in the articles?", k=1)

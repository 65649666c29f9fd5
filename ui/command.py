"""The command that serves the page: its options, and what its mistakes look like."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rag import DatelineError, UserError
from ui.serve import AUTH_VARIABLE, Options, read_auth, serve


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(prog="dateline ui", description="Open the page.")
    parser.add_argument("--corpus", type=Path, help="Folder of articles, synced at the start.")
    parser.add_argument("--store", type=Path, help="Data folder. Default: RAG_STORE or .dateline.")
    parser.add_argument("--host", default="127.0.0.1", help="Address to bind to.")
    parser.add_argument("--port", type=int, default=7860, help="0 for any that is free.")
    parser.add_argument(
        "--auth",
        help=f"user:password that readers must give. Others on this machine can see it: better "
        f"use --auth-file, or {AUTH_VARIABLE} in the environment.",
    )
    parser.add_argument("--auth-file", type=Path, help="File that holds user:password.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Evaluation runs.")
    parser.add_argument("--mcp", action="store_true", help="Serve MCP clients as well.")
    parser.add_argument("--open", action="store_true", help="Open the page in the browser.")
    given = parser.parse_args(arguments)
    return Options(
        corpus=given.corpus,
        store=given.store,
        host=given.host,
        port=given.port,
        auth=read_auth(given.auth, given.auth_file),
        runs=given.runs,
        mcp=given.mcp,
        open_browser=given.open,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is interrupted; return the exit status."""
    try:
        serve(parse(arguments))
    except KeyboardInterrupt:
        return 0
    except DatelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 3
    return 0

"""The `dateline` command.

Results go to stdout, progress and complaints to stderr. Exit status: 0 answered or all well;
1 no answer, or `doctor` found something wrong; 2 a mistake that the user can fix, told in one
line; 3 a model, stored data or the program itself failed; 130 interrupted; 141 the reader of a
pipe went away.

Nothing heavy is imported before a command needs it: `dateline --help` loads no model.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rag import __version__
from rag.citations import parse_address
from rag.console import (
    columns,
    complain,
    has_colour,
    progress_bar,
    steady_output,
    typed_lines,
    write_json,
)
from rag.errors import DatelineError, IntegrityError, ModelError, StoreError, UserError
from rag.present import answer_to_dict, citation_to_dict, history_to_dict, printable
from rag.schema import Answer, Check, Citation, SyncReport
from rag.terminal import (
    BOLD,
    DIM,
    RED,
    YELLOW,
    article_to_terminal,
    history_to_terminal,
    paint,
    to_terminal,
)
from rag.watch import follow

if TYPE_CHECKING:
    from rag.pipeline import Assistant

ABSTAINED = 1
USER_MISTAKE = 2
FAILED = 3
INTERRUPTED = 130
PIPE_CLOSED = 141

LAST_ANSWER = "last_answer.json"
"""In the store: the addresses that the labels of its last answer stand for."""


class _Commands(TyperGroup):
    """Turn exceptions into one line and an exit status, for every command alike."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DatelineError as error:
            complain(error)
            raise typer.Exit(USER_MISTAKE if isinstance(error, UserError) else FAILED) from error
        except BrokenPipeError as error:
            raise typer.Exit(PIPE_CLOSED) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="dateline",
    cls=_Commands,
    help="Answers over a folder of articles, each sentence pinned to words in them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Store = Annotated[
    Path | None,
    typer.Option("--store", help="Data folder. Default: RAG_STORE, or .dateline here."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")]
Publisher = Annotated[
    str | None, typer.Option("--publisher", help="Only articles of this publisher.")
]
Since = Annotated[
    str | None, typer.Option("--since", help="Only articles from this day on, such as 2025-08-23.")
]
Until = Annotated[str | None, typer.Option("--until", help="Only articles up to this day.")]


def _write_version(wanted: bool) -> None:
    if wanted:
        print(f"dateline {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_write_version, is_eager=True, help="Write the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that belong to no command."""


@app.command()
def sync(
    path: Annotated[
        str | None,
        typer.Argument(
            help="Folder of articles, or an https address to fetch into the store. "
            "Default: the folder synced last."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and sync whenever the folder changes.")
    ] = False,
    allow_network: Annotated[
        bool, typer.Option("--allow-network", help="Let the address be fetched.")
    ] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Bring the store in line with a folder of articles."""
    corpus = None if path is None else _corpus(path, store, allow_network=allow_network)

    def once() -> None:
        with _assistant(store, corpus=corpus) as assistant:
            try:
                with progress_bar() as progress:
                    report = assistant.sync(progress=progress)
            except KeyboardInterrupt:
                kept = assistant.status().articles
                print(
                    f"interrupted; {kept:,} articles are kept, sync again to go on", file=sys.stderr
                )
                raise
        if as_json:
            write_json(dataclasses.asdict(report))
        else:
            print(_sync_text(report), flush=True)

    if not watch:
        once()
        return
    if corpus is None:
        raise UserError("--watch needs a folder: dateline sync PATH --watch")
    follow(corpus, once, complain=complain)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question in plain words.")],
    publisher: Publisher = None,
    since: Since = None,
    until: Until = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question, or say why there is no answer."""
    with _existing(store) as assistant:
        answer = assistant.ask(question, publisher=publisher, since=since, until=until)
        _remember(answer, _folder(store))
    _write_answer(answer, as_json=as_json)
    raise typer.Exit(0 if answer.abstention is None else ABSTAINED)


@app.command()
def chat(
    publisher: Publisher = None,
    since: Since = None,
    until: Until = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question a line until the input ends; a question may build on those before it.

    A number shows the article that the last answer cites under it.
    """
    with _existing(store) as assistant:
        folder = _folder(store)
        talk = assistant.chat()
        for line in typed_lines("Ask, or type the number of a citation. Ctrl-D ends."):
            try:
                if line.isdecimal():
                    citation = assistant.citation(_address(line, folder))
                    _write_citation(citation, as_json=as_json)
                else:
                    answer = talk.ask(line, publisher=publisher, since=since, until=until)
                    _remember(answer, folder)
                    _write_answer(answer, as_json=as_json)
            except UserError as error:
                # One bad question doesn't end a conversation.
                complain(error)
            if not as_json:
                print(flush=True)


@app.command()
def show(
    citation: Annotated[
        str, typer.Argument(help="A number of the last answer, or an address from its JSON.")
    ],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Print a cited article, the quoted sentence marked."""
    with _existing(store) as assistant:
        address = _address(citation, _folder(store)) if citation.isdecimal() else citation
        cited = assistant.citation(address)
        standing = assistant.standing(cited.evidence.article)
    _write_citation(cited, as_json=as_json, standing=standing)


@app.command()
def history(
    article: Annotated[str, typer.Argument(help="Id of an article, or the number of a citation.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of an article, where else its text stands, and its copies."""
    with _existing(store) as assistant:
        if article.isdecimal():
            article = parse_address(_address(article, _folder(store)))[0]
        versions = assistant.history(article)
        sources = assistant.sources(article)
        copies = assistant.copies(article)
    if as_json:
        write_json(history_to_dict(versions, sources, copies))
    else:
        print(history_to_terminal(versions, sources, copies))


@app.command()
def compact(
    forget_days: Annotated[
        int | None,
        typer.Option(min=0, help="Forget old versions stored before so many days. Default: none."),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite the store without what is no longer needed."""
    with _existing(store) as assistant:
        before, after = assistant.compact(forget_days=forget_days)
    if as_json:
        write_json({"bytes_before": before, "bytes_after": after})
    else:
        print(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")


@app.command()
def status(store: Store = None, as_json: AsJson = False) -> None:
    """Say what the store holds."""
    with _existing(store) as assistant:
        held = assistant.status()
    if as_json:
        write_json(dataclasses.asdict(held))
        return
    days = [day.isoformat() for day in (held.first_published, held.last_published) if day]
    rows = {
        "store": f"{held.store} ({held.bytes_on_disk / 1e6:.1f} MB)",
        "corpus": held.corpus or "none yet: run `dateline sync PATH`",
        "articles": f"{held.articles:,}",
        "passages": f"{held.passages:,}",
        "publishers": ", ".join(held.publishers) or "none named",
        "published": " to ".join(days) or "no dates",
        "embedder": held.embedder,
        "answers": " by ".join(dict.fromkeys((held.mode.value, held.model))),
        "settings": held.settings_fingerprint,
    }
    for name, value in rows.items():
        print(f"{paint(f'{name:<10}', DIM, colour=has_colour())} {printable(value)}")


@app.command()
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended from the store itself.")
    ] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Check the store, the models and the lock."""
    try:
        if repair:
            from rag.pipeline import Assistant

            for done in Assistant.repair(store=store):
                print(f"mended {printable(done.name)}: {printable(done.detail)}", file=sys.stderr)
        with _assistant(store) as assistant:
            checks = assistant.doctor()
    except (StoreError, ModelError, IntegrityError) as error:
        # What keeps everything else from being checked is the finding.
        checks = (Check("open the store", False, str(error)),)
    well = all(check.ok for check in checks)
    if as_json:
        write_json({"ok": well, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        for check in checks:
            mark = "ok  " if check.ok else paint("FAIL", f"{BOLD};{RED}", colour=has_colour())
            print(f"{mark} {printable(check.name)}: {printable(check.detail)}")
    raise typer.Exit(0 if well else 1)


def _mount_evaluation() -> None:
    """Offer `dateline eval` where the evaluation is installed, importing it only when called."""
    if not (Path(__file__).parents[1] / "eval" / "cli.py").is_file():
        return

    @app.command(
        "eval",
        help="Measure answers and retrieval; `dateline eval --help` lists how.",
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def evaluate(context: typer.Context) -> None:
        measure = import_module("eval.cli").app
        code = measure(context.args, prog_name="dateline eval", standalone_mode=False)
        raise typer.Exit(code if isinstance(code, int) else 0)


_mount_evaluation()


def _mount_page() -> None:
    """Offer `dateline ui` where the page is installed, importing it only when called."""
    if not (Path(__file__).parents[1] / "ui" / "command.py").is_file():
        return

    @app.command(
        "ui",
        help="Open the page in a browser; `dateline ui --help` lists its options.",
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def page(context: typer.Context) -> None:
        raise typer.Exit(import_module("ui.command").main(context.args))


_mount_page()


@contextmanager
def _assistant(store: Path | None, *, corpus: Path | None = None) -> Iterator[Assistant]:
    from rag.pipeline import Assistant

    with Assistant.open(corpus, store=store) as assistant:
        yield assistant


@contextmanager
def _existing(store: Path | None) -> Iterator[Assistant]:
    """Open a store that was synced before; a question asked in the wrong place makes no folder."""
    from rag.store import CATALOGUE

    folder = _folder(store)
    if not (folder / CATALOGUE).is_file():
        raise UserError(f"nothing is indexed in {folder} yet; run: dateline sync PATH")
    with _assistant(store) as assistant:
        yield assistant


def _folder(store: Path | None) -> Path:
    from rag.settings import Settings

    return Settings.load(store=store).store


def _remember(answer: Answer, folder: Path) -> None:
    """Note the labels of an answer in the store, so that `show 2` knows what 2 is."""
    citations = [Citation.of(evidence) for evidence in answer.evidence]
    labels = {str(citation.label): citation.address for citation in (*citations, *answer.citations)}
    target = folder / LAST_ANSWER
    written = target.with_suffix(".new")
    try:
        written.write_text(json.dumps({"question": answer.question, "labels": labels}), "utf-8")
        written.replace(target)
    except OSError as error:
        raise StoreError(
            f"can't write {target}: {error.strerror}; make the store writable"
        ) from error


def _address(label: str, folder: Path) -> str:
    """Return the address behind a label of the last answer."""
    note = folder / LAST_ANSWER
    try:
        noted = json.loads(note.read_text("utf-8"))["labels"].items()
        labels = {str(number): str(address) for number, address in noted}
    except FileNotFoundError as error:
        raise UserError(f"{folder} has no answer yet; run `dateline ask` first") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"can't read {note}; run `dateline ask` again") from error
    number = str(int(label))
    if number not in labels:
        known = ", ".join(labels) or "none"
        raise UserError(f"the last answer has no citation [{number}]; it has: {known}")
    return labels[number]


def _write_answer(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        write_json(answer_to_dict(answer))
    else:
        shown = to_terminal(answer, colour=has_colour(), width=columns())
        print(shown, end="", flush=True)


def _write_citation(citation: Citation, *, as_json: bool, standing: str = "current") -> None:
    article = citation.evidence.article
    if as_json:
        write_json({**citation_to_dict(citation), "text": article.text, "standing": standing})
    else:
        span = citation.evidence.span
        shown = article_to_terminal(article, span, colour=has_colour(), width=columns())
        print(shown, end="", flush=True)
        if standing != "current":
            since = "has changed since" if standing == "changed" else "is no longer in the corpus"
            command = f"dateline history {shlex.quote(article.article_id)}"
            note = f"This is an earlier version: the article {since}; see: {command}"
            print("\n" + paint(printable(note), YELLOW, colour=has_colour()))


def _corpus(path: str, store: Path | None, *, allow_network: bool) -> Path | None:
    """Return the folder to sync; what an address gives is fetched into the store first."""
    from rag.sources.fetch import fetch, is_address, save

    if not is_address(path):
        return Path(path)
    if not allow_network:
        raise UserError(f"{path} lies outside this machine; to fetch it, add --allow-network")
    from rag.index import DOWNLOADS

    save(fetch(path), _folder(store) / DOWNLOADS)
    return None


def _sync_text(report: SyncReport) -> str:
    text = (
        f"{report.added} added, {report.updated} updated, {report.removed} removed, "
        f"{report.unchanged} unchanged; {report.passages} passages embedded "
        f"in {report.seconds:.1f} s"
    )
    skipped = [
        f"skipped {printable(skip.source)}: {printable(skip.reason)}" for skip in report.skipped
    ]
    return "\n".join([text, *skipped])


def main() -> None:
    """Run the command line and exit with its status."""
    with steady_output():
        try:
            app(prog_name="dateline")
        except Exception:
            # A bug: told in full, and with another status than the 1 that means "no answer".
            traceback.print_exc()
            sys.exit(FAILED)


if __name__ == "__main__":
    main()

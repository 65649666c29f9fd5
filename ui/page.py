"""The widgets of the page and what each of them calls."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from rag import Mode
from ui.api import add_api
from ui.articles import SORTS, View, formats
from ui.ask import Filters
from ui.desk import Desk
from ui.limits import AT_WORK, MAX_QUESTION_CHARACTERS, QUEUE_SIZE
from ui.markup import foreign
from ui.render import messages
from ui.transcript import Turn, read_shelf, read_turns, shelve, to_store

# What the browser's storage is encrypted with. It is no secret: the browser holds both. It is
# fixed so that a conversation outlives a restart of the server.
_STORAGE_SECRET = "dateline"

_HOW = (
    "<ol><li><strong>Ask</strong> in plain words. The answer is made of sentences of your "
    "articles.</li><li><strong>Click a number</strong> to see the very sentence, highlighted in "
    "its article.</li><li><strong>Mind the marks:</strong> ✓ stands word for word in an article "
    "or is supported by it, ◐ is supported in part. What isn’t supported is withheld, and where "
    "the articles don’t say, you are told so.</li></ol>"
)

_private = functools.partial(dict, api_visibility="private", show_progress="hidden")


def build_page(desk: Desk) -> gr.Blocks:
    """Return the page; nothing is served yet."""
    with gr.Blocks(title="Dateline", analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="masthead"):
            gr.Markdown('<h1 class="name">Dateline</h1>', elem_id="name")
            held = gr.Markdown(_held(desk), elem_id="held")
            gr.Markdown(
                '<button type="button" class="theme" title="Light or dark">'
                '<span class="unseen">Switch between light and dark</span>◐</button>',
                elem_id="theme",
            )
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="main"), gr.Tabs(elem_id="tabs"):
                with gr.Tab("Ask", id="ask"):
                    publisher = _ask_tab(desk, page)
                with gr.Tab("Articles", id="articles") as articles:
                    _articles_tab(desk, page, articles, held, publisher)
                with gr.Tab("Evaluation", id="evaluation") as evaluation:
                    _evaluation_tab(desk, page, evaluation)
                with gr.Tab("Settings", id="settings") as settings:
                    _settings_tab(desk, settings)
            with gr.Column(elem_id="pane"):
                gr.Markdown(
                    '<div class="hint"><h2>Evidence</h2><p>Click a number in an answer. Its '
                    "sentence opens here, highlighted in the article it stands in.</p></div>",
                    elem_id="pane-hint",
                )
        add_api(desk.assistant, desk.buckets)
    page.queue(max_size=QUEUE_SIZE, default_concurrency_limit=AT_WORK, api_open=False)
    return page


def _held(desk: Desk) -> str:
    return f'<p class="held">{foreign(desk.masthead())}</p>'


def _welcome(desk: Desk) -> str:
    count = desk.assistant.status().articles
    if not count:
        return (
            '<div class="welcome"><h2>No articles yet</h2><p>Open the tab <strong>Articles'
            "</strong> and upload some, or put files into the corpus folder and press Sync there."
            "</p></div>"
        )
    noun = "the article" if count == 1 else f"{count:,} articles"
    return f'<div class="welcome"><h2>Ask {noun}</h2>{_HOW}</div>'


# --- Ask ---------------------------------------------------------------------------------------


def _ask_tab(desk: Desk, page: gr.Blocks) -> gr.Dropdown:
    streams = desk.assistant.status().mode is Mode.LLM
    turns = gr.BrowserState([], storage_key="dateline.turns", secret=_STORAGE_SECRET)
    shelf = gr.BrowserState([], storage_key="dateline.shelf", secret=_STORAGE_SECRET)
    chat = gr.Chatbot(
        elem_id="chat",
        label="Conversation",
        show_label=False,
        container=False,
        height="100%",
        layout="panel",
        latex_delimiters=[],
        allow_tags=False,
        buttons=[],
        group_consecutive_messages=False,
        autoscroll=False,
        feedback_options=None,
        placeholder=_welcome(desk),
        examples=[{"text": text} for text in desk.examples()],
    )
    with gr.Column(elem_id="composer"):
        with gr.Row(elem_id="ask-row"):
            question = gr.Textbox(
                elem_id="question",
                label="Question",
                show_label=False,
                container=False,
                placeholder="Ask the articles",
                lines=1,
                max_lines=6,
                max_length=MAX_QUESTION_CHARACTERS,
                autofocus=True,
                scale=1,
            )
            send = gr.Button("Ask", variant="primary", elem_id="send", scale=0, min_width=88)
            stop = gr.Button(
                "Stop", variant="stop", elem_id="stop", scale=0, min_width=88, visible=False
            )
        with gr.Accordion(_filter_label(Filters()), open=False, elem_id="filters") as fold, gr.Row():
            publisher = gr.Dropdown(
                choices=_publisher_choices(desk),
                value="",
                label="Publisher",
                elem_id="publisher",
                min_width=160,
            )
            since = gr.Textbox(
                label="From", placeholder="2025-08-23", elem_id="since", max_lines=1, min_width=120
            )
            until = gr.Textbox(
                label="Until", placeholder="2025-08-31", elem_id="until", max_lines=1, min_width=120
            )
            clear_filters = gr.Button("Clear filters", size="sm", elem_id="clear-filters", scale=0)
    with gr.Row(elem_id="actions"):
        retry = gr.Button("Retry", size="sm", elem_id="retry", interactive=False)
        edit = gr.Button("Edit question", size="sm", elem_id="edit", interactive=False)
        fresh = gr.Button("New chat", size="sm", elem_id="fresh", interactive=False)
        earlier = gr.Dropdown(
            choices=[],
            value=None,
            label="Earlier chats",
            show_label=False,
            container=False,
            elem_id="earlier",
            visible=False,
            min_width=160,
        )
        erase = gr.Button("Erase all", size="sm", elem_id="erase", visible=False)

    buttons = [retry, edit, fresh]
    asked = [question, turns, publisher, since, until]
    shown = [chat, turns, question, send, stop, *buttons]

    def answer(
        text: str,
        stored: object,
        name: str,
        first: str,
        last: str,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:
        before = read_turns(stored)
        if not (text or "").strip():
            yield {question: ""}
            return
        address = request.client.host if request.client else ""
        running = False
        coming: Iterator[Turn] = desk.ask(text, before, Filters(name or "", first or "", last or ""), address)
        for turn in coming:
            now = (*before, turn)
            update: dict[Any, Any] = {chat: messages(now)}
            if not running:
                update[question] = ""
            if turn.done:
                update |= {turns: to_store(now), **_ready(True)}
                if running:
                    update |= {send: gr.update(visible=True), stop: gr.update(visible=False)}
            elif not streams:
                # All sentences are there within a moment: one message, and no flicker.
                continue
            elif not running:
                update |= {send: gr.update(visible=False), stop: gr.update(visible=True)}
                running = True
            yield update

    def _ready(any_turns: bool) -> dict[Any, Any]:
        return {button: gr.update(interactive=any_turns) for button in buttons}

    def again(stored: object, *rest: Any) -> Iterator[dict[Any, Any]]:
        kept = read_turns(stored)
        if kept:
            yield from answer(kept[-1].question, to_store(kept[:-1]), *rest)

    def take_back(stored: object) -> dict[Any, Any]:
        kept = read_turns(stored)
        if not kept:
            return {question: ""}
        before = kept[:-1]
        return {
            chat: messages(before),
            turns: to_store(before),
            question: kept[-1].question,
            **_ready(bool(before)),
        }

    def stopped(stored: object) -> dict[Any, Any]:
        kept = read_turns(stored)
        return {
            chat: messages(kept),
            send: gr.update(visible=True),
            stop: gr.update(visible=False),
            **_ready(bool(kept)),
        }

    def restore(stored: object, kept: object) -> dict[Any, Any]:
        now = read_turns(stored)
        return {chat: messages(now), **_ready(bool(now)), **_shelf_updates(read_shelf(kept))}

    def _shelf_updates(conversations: tuple[tuple[Turn, ...], ...]) -> dict[Any, Any]:
        choices = [
            (f"{talk[0].question[:60]}", index) for index, talk in enumerate(conversations)
        ]
        some = bool(choices)
        return {
            earlier: gr.update(choices=choices, value=None, visible=some),
            erase: gr.update(visible=some),
        }

    def begin(stored: object, kept: object) -> dict[Any, Any]:
        conversations = shelve(read_turns(stored), read_shelf(kept))
        return {
            chat: [],
            turns: [],
            shelf: [to_store(talk) for talk in conversations],
            question: "",
            **_ready(False),
            **_shelf_updates(conversations),
        }

    def reopen(index: int | None, stored: object, kept: object) -> dict[Any, Any]:
        conversations = read_shelf(kept)
        if index is None or not 0 <= index < len(conversations):
            return {earlier: None}
        chosen = conversations[index]
        rest = conversations[:index] + conversations[index + 1 :]
        rest = shelve(read_turns(stored), rest)
        return {
            chat: messages(chosen),
            turns: to_store(chosen),
            shelf: [to_store(talk) for talk in rest],
            **_ready(True),
            **_shelf_updates(rest),
        }

    def forget() -> dict[Any, Any]:
        return {chat: [], turns: [], shelf: [], **_ready(False), **_shelf_updates(())}

    def example(chosen: gr.SelectData) -> str:
        return str(chosen.value["text"])

    work: Any = {"concurrency_id": "work", "concurrency_limit": AT_WORK, **_private()}
    light: Any = {"concurrency_id": "light", "concurrency_limit": 4, **_private()}
    running = [
        gr.on([send.click, question.submit], answer, asked, shown, **work),
        retry.click(again, asked[1:], shown, **work),
    ]
    chat.example_select(example, None, question, **light).then(answer, asked, shown, **work)
    stop.click(stopped, turns, [chat, send, stop, *buttons], cancels=running, **light)
    edit.click(take_back, turns, [chat, turns, question, *buttons], **light)
    everything = [chat, turns, shelf, question, *buttons, earlier, erase]
    fresh.click(begin, [turns, shelf], everything, **light)
    earlier.input(reopen, [earlier, turns, shelf], everything, **light)
    erase.click(forget, None, everything, **light)
    filters = [publisher, since, until]
    clear_filters.click(lambda: ("", "", ""), None, filters, **light)
    # Not `input`: a date that was picked or pasted changes the value without a key.
    gr.on(
        [publisher.change, since.change, until.change],
        lambda *chosen: gr.update(label=_filter_label(Filters(*(part or "" for part in chosen)))),
        filters, fold, trigger_mode="always_last", **light,
    )  # fmt: skip
    page.load(restore, [turns, shelf], [chat, *buttons, earlier, erase], **light)
    return publisher


def _filter_label(filters: Filters) -> str:
    """Name the filters that are on, so that a folded one is not forgotten."""
    parts = [filters.publisher]
    if filters.since:
        parts.append(f"from {filters.since}")
    if filters.until:
        parts.append(f"until {filters.until}")
    named = ", ".join(part for part in parts if part)
    return f"Filters: {named}" if named else "Filters: none, all articles are searched"


def _publisher_choices(desk: Desk) -> list[tuple[str, str]]:
    return [("All publishers", ""), *((name, name) for name in desk.publishers())]


# --- Articles ----------------------------------------------------------------------------------


def _articles_tab(
    desk: Desk, page: gr.Blocks, tab: gr.Tab, held: gr.Markdown, publisher: gr.Dropdown
) -> None:
    with gr.Row(elem_id="article-tools"):
        search = gr.Textbox(
            label="Search titles and publishers", elem_id="article-search", max_lines=1
        )
        sort = gr.Dropdown(
            choices=list(SORTS), value=SORTS[0], label="Order", elem_id="article-sort"
        )
    pages = gr.State(1)
    listed = gr.Markdown(elem_id="article-list")
    more = gr.Button("Show more", size="sm", elem_id="more", visible=False)
    with gr.Column(elem_id="change-articles"):
        gr.Markdown('<h2 class="part">Add or remove</h2>')
        files = gr.File(
            label=f"Upload articles ({', '.join(ending[1:] for ending in formats())})",
            file_count="multiple",
            file_types=list(formats()),
            elem_id="upload",
            height=120,
            visible=desk.shelf.can_upload,
        )
        with gr.Row():
            uploaded = gr.Dropdown(
                choices=desk.shelf.uploaded(),
                multiselect=True,
                label="Uploaded files to remove",
                elem_id="uploaded",
                visible=desk.shelf.can_upload,
            )
        with gr.Row(elem_id="change-buttons"):
            sync = gr.Button("Sync with the corpus folder", size="sm", elem_id="sync")
            remove = gr.Button(
                "Remove", size="sm", elem_id="remove", visible=desk.shelf.can_upload
            )
            sure = gr.Button("Delete these files", variant="stop", size="sm", visible=False,
                             elem_id="sure")  # fmt: skip
            keep = gr.Button("Keep them", size="sm", visible=False, elem_id="keep")
        told = gr.Markdown(elem_id="sync-report", min_height=32)

    def lists(text: str, order: str, count: int) -> dict[Any, Any]:
        html, is_more = desk.article_list(View(text or "", order, count))
        return {listed: html, more: gr.update(visible=is_more), pages: count}

    def changed(text: str, order: str, report: str) -> dict[Any, Any]:
        return {
            told: report,
            files: None,
            uploaded: gr.update(choices=desk.shelf.uploaded(), value=[]),
            sure: gr.update(visible=False),
            keep: gr.update(visible=False),
            remove: gr.update(visible=desk.shelf.can_upload),
            held: _held(desk),
            publisher: gr.update(choices=_publisher_choices(desk)),
            **lists(text, order, 1),
        }

    def upload(
        paths: list[str] | None, text: str, order: str, progress: gr.Progress = gr.Progress()  # noqa: B008
    ) -> dict[Any, Any]:
        if not paths:
            return {files: None}
        given = [Path(path) for path in paths]
        try:
            report = desk.change(lambda tell: desk.shelf.add(given, tell), progress)
        finally:
            for path in given:
                path.unlink(missing_ok=True)
        return changed(text, order, report)

    def synced(
        text: str, order: str, progress: gr.Progress = gr.Progress()  # noqa: B008
    ) -> dict[Any, Any]:
        return changed(text, order, desk.change(desk.shelf.sync, progress))

    def removed(
        names: list[str], text: str, order: str, progress: gr.Progress = gr.Progress()  # noqa: B008
    ) -> dict[Any, Any]:
        report = desk.change(lambda tell: desk.shelf.remove(names or [], tell), progress)
        return changed(text, order, report)

    def ask_first(names: list[str]) -> dict[Any, Any]:
        if not names:
            return {told: '<p class="count">Choose uploaded files above first.</p>'}
        return {
            remove: gr.update(visible=False),
            sure: gr.update(visible=True),
            keep: gr.update(visible=True),
            told: "",
        }

    light: Any = {"concurrency_id": "light", "concurrency_limit": 4, **_private()}
    heavy: Any = {
        "concurrency_id": "change",
        "concurrency_limit": 1,
        **_private(show_progress="full", show_progress_on=told),
    }
    view = [search, sort]
    shown = [listed, more, pages]
    every = [told, files, uploaded, sure, keep, remove, held, publisher, *shown]
    first: Any = lambda text, order: lists(text, order, 1)  # noqa: E731
    tab.select(first, view, shown, **light)
    search.change(first, view, shown, trigger_mode="always_last", **light)
    sort.input(first, view, shown, **light)
    more.click(lambda t, o, n: lists(t, o, n + 1), [*view, pages], shown, **light)
    files.upload(upload, [files, *view], every, **heavy)
    sync.click(synced, view, every, **heavy)
    remove.click(ask_first, uploaded, [remove, sure, keep, told], **light)
    keep.click(
        lambda: {remove: gr.update(visible=True), sure: gr.update(visible=False),
                 keep: gr.update(visible=False)},
        None, [remove, sure, keep], **light,
    )  # fmt: skip
    sure.click(removed, [uploaded, *view], every, **heavy)


# --- Evaluation and Settings -------------------------------------------------------------------


def _evaluation_tab(desk: Desk, page: gr.Blocks, tab: gr.Tab) -> None:
    gr.Markdown(
        '<h2 class="part">How good are the answers?</h2><p>Questions with known answers are '
        "asked about the sample articles, offline, and every figure comes with its 95 % interval. "
        "A run takes about a minute.</p>"
    )
    run = gr.Button("Run the sample questions", variant="primary", elem_id="run-eval", size="sm")
    newest = gr.Markdown(elem_id="newest", min_height=80)

    def measured(progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        return desk.evaluate(progress)

    tab.select(desk.newest, None, newest, concurrency_id="light", **_private())
    run.click(
        measured, None, newest, concurrency_id="change", **_private(show_progress="full")
    )


def _settings_tab(desk: Desk, tab: gr.Tab) -> None:
    gr.Markdown('<h2 class="part">What is indexed</h2>')
    status = gr.Markdown(elem_id="status")
    gr.Markdown('<h2 class="part">Health</h2>')
    check = gr.Button("Check now", size="sm", elem_id="check")
    checks = gr.Markdown(elem_id="checks", min_height=40)
    gr.Markdown(
        '<h2 class="part">Settings that shape answers</h2><p class="count">Set them as '
        "<code>RAG_…</code> variables before the start.</p>"
    )
    gr.Markdown(desk.settings(), elem_id="settings-list")
    tab.select(desk.status, None, status, concurrency_id="light", **_private())
    check.click(
        desk.checks, None, checks, concurrency_id="change", **_private(show_progress="minimal")
    )

"""The tab Ask: the conversation, what is typed, the filters, and conversations kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.components.chatbot import ExampleMessage

from rag import Mode
from ui.ask import Filters
from ui.desk import Desk
from ui.limits import MAX_QUESTION_CHARACTERS
from ui.render import messages
from ui.transcript import Turn, read_shelf, read_turns, shelve, to_store
from ui.widgets import LIGHT, WORK, Updates, open_to_any_choice, publisher_choices

# What the browser's storage is encrypted with. It is no secret: the browser holds both. It is
# fixed so that a conversation outlives a restart of the server.
STORAGE_SECRET = "dateline"

_HOW = (
    "<ol><li><strong>Ask</strong> in plain words. The answer is made of sentences of your "
    "articles.</li><li><strong>Click a number</strong> to see the very sentence, highlighted in "
    "its article.</li><li><strong>Mind the marks:</strong> ✓ stands word for word in an article "
    "or is supported by it, ◐ is supported in part. What isn’t supported is withheld, and where "
    "the articles don’t say, you are told so.</li></ol>"
)


def ask_tab(desk: Desk, page: gr.Blocks) -> gr.Dropdown:
    """Lay out the tab; return its filter of publishers, whose choices change with uploads."""
    streams = desk.assistant.status().mode is Mode.LLM
    turns = gr.BrowserState([], storage_key="dateline.turns", secret=STORAGE_SECRET)
    shelf = gr.BrowserState([], storage_key="dateline.shelf", secret=STORAGE_SECRET)
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
        examples=_examples(desk),
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
        with (
            gr.Accordion(_filter_label(Filters()), open=False, elem_id="filters") as fold,
            gr.Row(),
        ):
            publisher = gr.Dropdown(
                choices=publisher_choices(desk),
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

    for dropdown in (publisher, earlier):
        open_to_any_choice(dropdown)
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
    ) -> Iterator[Updates]:
        before = read_turns(stored)
        if not (text or "").strip():
            yield {question: ""}
            return
        running = False
        coming = desk.answer(
            text,
            before,
            Filters(str(name or ""), first or "", last or ""),
            address=request.client.host if request.client else "",
            session=request.session_hash or "",
        )
        for turn in coming:
            now = (*before, turn)
            update: Updates = {chat: messages(now)}
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

    def _ready(any_turns: bool) -> Updates:
        return {button: gr.update(interactive=any_turns) for button in buttons}

    def again(stored: object, *rest: Any) -> Iterator[Updates]:
        kept = read_turns(stored)
        if kept:
            yield from answer(kept[-1].question, to_store(kept[:-1]), *rest)

    def take_back(stored: object) -> Updates:
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

    def stopped(stored: object, request: gr.Request) -> Updates:
        desk.stop(request.session_hash or "")
        kept = read_turns(stored)
        return {
            chat: messages(kept),
            send: gr.update(visible=True),
            stop: gr.update(visible=False),
            **_ready(bool(kept)),
        }

    def restore(stored: object, kept: object) -> Updates:
        now = read_turns(stored)
        # What the empty page says may have changed since the server started.
        empty = gr.update(placeholder=_welcome(desk), examples=_examples(desk))
        return {
            chat: {**empty, "value": messages(now)},
            **_ready(bool(now)),
            **_shelf_updates(read_shelf(kept)),
        }

    def _shelf_updates(conversations: tuple[tuple[Turn, ...], ...]) -> Updates:
        choices = [(f"{talk[0].question[:60]}", index) for index, talk in enumerate(conversations)]
        some = bool(choices)
        return {
            earlier: gr.update(choices=choices, value=None, visible=some),
            erase: gr.update(visible=some),
        }

    def begin(stored: object, kept: object) -> Updates:
        conversations = shelve(read_turns(stored), read_shelf(kept))
        return {
            chat: [],
            turns: [],
            shelf: [to_store(talk) for talk in conversations],
            question: "",
            **_ready(False),
            **_shelf_updates(conversations),
        }

    def reopen(index: object, stored: object, kept: object) -> Updates:
        conversations = read_shelf(kept)
        if not isinstance(index, int) or not 0 <= index < len(conversations):
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

    def forget() -> Updates:
        return {chat: [], turns: [], shelf: [], **_ready(False), **_shelf_updates(())}

    def example(chosen: gr.SelectData) -> str:
        return str(chosen.value["text"])

    # Not "once": the page would drop a question without a word while a stopped one still ends.
    # That one is answered at a time is seen to by the desk.
    ask_now: Any = {**WORK, "trigger_mode": "multiple"}
    running = [
        gr.on([send.click, question.submit], answer, asked, shown, **ask_now),
        retry.click(again, asked[1:], shown, **ask_now),
        chat.example_select(example, None, question, **LIGHT).then(answer, asked, shown, **ask_now),
    ]
    stop.click(stopped, turns, [chat, send, stop, *buttons], cancels=running, **LIGHT)
    edit.click(take_back, turns, [chat, turns, question, *buttons], **LIGHT)
    everything = [chat, turns, shelf, question, *buttons, earlier, erase]
    fresh.click(begin, [turns, shelf], everything, **LIGHT)
    earlier.input(reopen, [earlier, turns, shelf], everything, **LIGHT)
    erase.click(forget, None, everything, **LIGHT)
    filters = [publisher, since, until]
    clear_filters.click(lambda: ("", "", ""), None, filters, **LIGHT)
    # Not `input`: a date that was picked or pasted changes the value without a key.
    gr.on(
        [publisher.change, since.change, until.change],
        lambda *chosen: gr.update(label=_filter_label(Filters(*(part or "" for part in chosen)))),
        filters, fold, trigger_mode="always_last", **LIGHT,
    )  # fmt: skip
    page.load(restore, [turns, shelf], [chat, *buttons, earlier, erase], **LIGHT)
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


def _examples(desk: Desk) -> list[ExampleMessage]:
    return [{"text": text} for text in desk.examples()]


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

"""The widgets of the page and what each of them calls."""

from __future__ import annotations

import gradio as gr

from ui.api import add_api
from ui.articles_tab import articles_tab
from ui.ask_tab import ask_tab
from ui.desk import Desk
from ui.limits import AT_WORK, QUEUE_SIZE
from ui.widgets import CHANGE, LIGHT, held_line, publisher_choices

# Gradio keeps a copy of the page's state for each session: about 0.1 MB. Nothing here relies on
# it, so that few are kept; the conversation itself is the browser's.
_SESSIONS = 200


def build_page(desk: Desk) -> gr.Blocks:
    """Return the page; nothing is served yet."""
    page = gr.Blocks(title="Dateline", analytics_enabled=False, fill_width=True)
    with page:
        with gr.Row(elem_id="masthead"):
            gr.Markdown('<h1 class="name">Dateline</h1>', elem_id="name")
            held = gr.Markdown(held_line(desk), elem_id="held")
            gr.Markdown(
                '<button type="button" class="theme" title="Light or dark">'
                '<span class="unseen">Switch between light and dark</span>◐</button>',
                elem_id="theme",
            )
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="main"), gr.Tabs(elem_id="tabs"):
                with gr.Tab("Ask", id="ask"):
                    publisher = ask_tab(desk, page)
                with gr.Tab("Articles", id="articles") as articles:
                    articles_tab(desk, articles, held, publisher)
                with gr.Tab("Evaluation", id="evaluation") as evaluation:
                    _evaluation_tab(desk, evaluation)
                with gr.Tab("Settings", id="settings") as settings:
                    _settings_tab(desk, settings)
            with gr.Column(elem_id="pane"):
                gr.Markdown(
                    '<div class="hint"><h2>Evidence</h2><p>Click a number in an answer. Its '
                    "sentence opens here, highlighted in the article it stands in.</p></div>",
                    elem_id="pane-hint",
                )
        page.load(
            lambda: (held_line(desk), gr.update(choices=publisher_choices(desk))),
            None,
            [held, publisher],
            **LIGHT,
        )
        add_api(desk.assistant, desk.buckets)
    page.state_session_capacity = _SESSIONS
    page.queue(max_size=QUEUE_SIZE, default_concurrency_limit=AT_WORK, api_open=False)
    return page


def _evaluation_tab(desk: Desk, tab: gr.Tab) -> None:
    gr.Markdown(
        '<h2 class="part">How good are the answers?</h2><p>Questions with known answers are '
        "asked about the sample articles, offline, and every figure comes with its 95 % interval. "
        "A run takes about a minute.</p>"
    )
    run = gr.Button("Run the sample questions", variant="primary", elem_id="run-eval", size="sm")
    newest = gr.Markdown(elem_id="newest", min_height=80)

    def measured(progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        return desk.evaluate(progress)

    tab.select(desk.newest, None, newest, **LIGHT)
    run.click(measured, None, newest, **CHANGE)


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
    tab.select(desk.status, None, status, **LIGHT)
    check.click(desk.checks, None, checks, **CHANGE)

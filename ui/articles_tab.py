"""The tab Articles: what is indexed, uploads, removal and sync."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from ui.articles import SORTS, View, formats
from ui.desk import Desk
from ui.widgets import CHANGE, LIGHT, Updates, held_line, open_to_any_choice, publisher_choices


def articles_tab(desk: Desk, tab: gr.Tab, held: gr.Markdown, publisher: gr.Dropdown) -> None:
    """Lay out the tab; a change of the articles is shown in `held` and `publisher` as well."""
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
            remove = gr.Button("Remove", size="sm", elem_id="remove", visible=desk.shelf.can_upload)
            sure = gr.Button("Delete these files", variant="stop", size="sm", visible=False,
                             elem_id="sure")  # fmt: skip
            keep = gr.Button("Keep them", size="sm", visible=False, elem_id="keep")
        told = gr.Markdown(elem_id="sync-report", min_height=32)

    open_to_any_choice(uploaded)

    def lists(text: str, order: str, count: int) -> Updates:
        html, is_more = desk.article_list(View(text or "", order, count))
        return {listed: html, more: gr.update(visible=is_more), pages: count}

    def changed(text: str, order: str, report: str) -> Updates:
        return {
            told: report,
            files: None,
            uploaded: gr.update(choices=desk.shelf.uploaded(), value=[]),
            sure: gr.update(visible=False),
            keep: gr.update(visible=False),
            remove: gr.update(visible=desk.shelf.can_upload),
            held: held_line(desk),
            publisher: gr.update(choices=publisher_choices(desk)),
            **lists(text, order, 1),
        }

    def upload(
        paths: list[str] | None,
        text: str,
        order: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
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
        text: str,
        order: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        return changed(text, order, desk.change(desk.shelf.sync, progress))

    def removed(
        names: object,
        text: str,
        order: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        chosen = [str(name) for name in names] if isinstance(names, list) else []
        report = desk.change(lambda tell: desk.shelf.remove(chosen, tell), progress)
        return changed(text, order, report)

    def ask_first(names: list[str]) -> Updates:
        if not names:
            return {told: '<p class="count">Choose uploaded files above first.</p>'}
        return {
            remove: gr.update(visible=False),
            sure: gr.update(visible=True),
            keep: gr.update(visible=True),
            told: "",
        }

    view = [search, sort]
    shown = [listed, more, pages]
    every = [told, files, uploaded, sure, keep, remove, held, publisher, *shown]

    def first(text: str, order: str) -> Updates:
        return lists(text, order, 1)

    tab.select(first, view, shown, **LIGHT)
    search.change(first, view, shown, trigger_mode="always_last", **LIGHT)
    sort.input(first, view, shown, **LIGHT)
    more.click(lambda t, o, n: lists(t, o, n + 1), [*view, pages], shown, **LIGHT)
    files.upload(upload, [files, *view], every, **CHANGE, show_progress_on=told)
    sync.click(synced, view, every, **CHANGE, show_progress_on=told)
    remove.click(ask_first, uploaded, [remove, sure, keep, told], **LIGHT)
    keep.click(
        lambda: {remove: gr.update(visible=True), sure: gr.update(visible=False),
                 keep: gr.update(visible=False)},
        None, [remove, sure, keep], **LIGHT,
    )  # fmt: skip
    sure.click(removed, [uploaded, *view], every, **CHANGE, show_progress_on=told)

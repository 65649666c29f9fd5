"""What the tabs share: how the page's own events are run, and what shows in two of them."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from ui.desk import Desk
from ui.limits import AT_WORK
from ui.markup import foreign

# The page's own events are no part of the API. Work waits in one line, of which two are at work;
# what takes a moment has a line of its own, and changes of the articles come one at a time.
_OWN: Final[dict[str, Any]] = {"api_visibility": "private", "show_progress": "hidden"}
WORK: Final[dict[str, Any]] = {"concurrency_id": "work", "concurrency_limit": AT_WORK, **_OWN}
LIGHT: Final[dict[str, Any]] = {"concurrency_id": "light", "concurrency_limit": 4, **_OWN}
CHANGE: Final[dict[str, Any]] = {
    "concurrency_id": "change",
    "concurrency_limit": 1,
    **_OWN,
    "show_progress": "full",
}

Updates = dict[Any, Any]
"""From a widget to its new value or properties."""


def held_line(desk: Desk) -> str:
    """Return the line of the masthead: how much there is to ask about."""
    return f'<p class="held">{foreign(desk.masthead())}</p>'


def publisher_choices(desk: Desk) -> list[tuple[str, str]]:
    """Return what the publisher filter offers."""
    return [("All publishers", ""), *((name, name) for name in desk.publishers())]


def open_to_any_choice(dropdown: gr.Dropdown) -> gr.Dropdown:
    """Let a dropdown pass on what was chosen as it came.

    Gradio would check it against the choices of a session that it may have forgotten since; here
    what uses a choice checks it.
    """
    dropdown.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return dropdown

"""A newspaper's look: paper and ink, serif headlines, one blue, light and dark.

Colours are named once here, for Gradio's variables; `static/page.css` uses the same ones for what
the page draws itself. Contrasts of text are at least 4.5 : 1 in both (WCAG 2.2, AA).
"""

from __future__ import annotations

import gradio as gr

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
_MONO = ("ui-monospace", "Cascadia Mono", "DejaVu Sans Mono", "monospace")

_LIGHT = {
    "paper": "#fbfaf6",
    "sheet": "#ffffff",
    "tint": "#f3f1ea",
    "ink": "#1b1b18",
    "muted": "#5b5a52",
    "rule": "#d9d6cb",
    "edge": "#8a877b",
    "blue": "#1f4e79",
    "blue_deep": "#163a5b",
    "on_blue": "#ffffff",
}
_DARK = {
    "paper": "#161714",
    "sheet": "#1d1e1a",
    "tint": "#262722",
    "ink": "#ebe8df",
    "muted": "#aeab9d",
    "rule": "#3a3b35",
    "edge": "#7d7c70",
    "blue": "#8db8e2",
    "blue_deep": "#b4d2ee",
    "on_blue": "#10202e",
}

# Gradio's variable -> our colour.
_USES = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "muted",
    "background_fill_primary": "sheet",
    "background_fill_secondary": "paper",
    "border_color_primary": "rule",
    "border_color_accent": "blue",
    "border_color_accent_subdued": "rule",
    "link_text_color": "blue",
    "link_text_color_active": "blue_deep",
    "link_text_color_hover": "blue_deep",
    "link_text_color_visited": "blue",
    "block_background_fill": "sheet",
    "block_border_color": "rule",
    "block_info_text_color": "muted",
    "block_label_background_fill": "sheet",
    "block_label_text_color": "muted",
    "block_title_text_color": "muted",
    "panel_background_fill": "paper",
    "panel_border_color": "rule",
    "accordion_text_color": "ink",
    "input_background_fill": "sheet",
    "input_background_fill_focus": "sheet",
    "input_border_color": "edge",
    "input_border_color_focus": "blue",
    "input_placeholder_color": "muted",
    "loader_color": "blue",
    "button_primary_background_fill": "blue",
    "button_primary_background_fill_hover": "blue_deep",
    "button_primary_border_color": "blue",
    "button_primary_border_color_hover": "blue_deep",
    "button_primary_text_color": "on_blue",
    "button_primary_text_color_hover": "on_blue",
    "button_secondary_background_fill": "sheet",
    "button_secondary_background_fill_hover": "tint",
    "button_secondary_border_color": "edge",
    "button_secondary_border_color_hover": "blue",
    "button_secondary_text_color": "ink",
    "button_secondary_text_color_hover": "ink",
    "button_cancel_background_fill": "sheet",
    "button_cancel_background_fill_hover": "tint",
    "button_cancel_border_color": "edge",
    "button_cancel_text_color": "ink",
    "button_cancel_text_color_hover": "ink",
    "table_text_color": "ink",
    "code_background_fill": "tint",
}


def newspaper() -> gr.themes.Base:
    """Return the theme; every font is one that the reader's machine has."""
    theme = gr.themes.Base(
        font=_SANS,
        font_mono=_MONO,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
    )
    values = {name: _LIGHT[colour] for name, colour in _USES.items()}
    values |= {f"{name}_dark": _DARK[colour] for name, colour in _USES.items()}
    theme.set(
        **values,
        color_accent=_LIGHT["blue"],
        color_accent_soft=_LIGHT["tint"],
        color_accent_soft_dark=_DARK["tint"],
        block_shadow="none",
        block_border_width="0px",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        input_shadow="none",
        input_shadow_focus="none",
        input_border_width="1px",
        block_padding="0px",
        block_label_text_weight="600",
        button_transition="background-color 120ms ease, border-color 120ms ease",
    )
    return theme

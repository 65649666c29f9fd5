"""Turns of a conversation as messages of the chat: HTML without script, style, image or fetch.

Each message is one HTML block without a blank line, which the chat's Markdown leaves as it is;
what is foreign in it went through `ui.markup.foreign`. The chat's sanitizer keeps buttons, their
`value` and `title`, and drops anything else that could act.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ui.markup import foreign, foreign_lines
from ui.transcript import Line, Quote, Turn

_MARKS = {
    "supported": ("✓", "Supported"),
    "partly": ("◐", "Partly supported"),
    "unsupported": ("✗", "Not supported"),
    "contradicted": ("✗", "Contradicted"),
}

_ABSTENTIONS = {
    "not_in_corpus": ("No answer in these articles", "Add articles about it, or ask otherwise."),
    "low_support": ("No answer in these articles", "Try other words, or fewer filters."),
    "conflicting": ("The articles disagree", "Read both below before you rely on either."),
    "out_of_date_range": (
        "No article from that time",
        "Widen the dates in the filters, or clear them.",
    ),
    "unknown_publisher": ("No article by that publisher", "Choose another one in the filters."),
}

# Not strftime, which follows the machine's language.
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

Message = dict[str, str]


def messages(turns: Sequence[Turn]) -> list[Message]:
    """Return the messages of a conversation, question and answer in turn."""
    shown: list[Message] = []
    for turn in turns:
        asked = f'<div class="asked">{foreign_lines(turn.question) or "…"}</div>'
        shown += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": render_turn(turn)},
        ]
    return shown


def render_turn(turn: Turn) -> str:
    """Return what came of a question as one block of HTML."""
    if turn.problem:
        return f'<section class="turn problem"><p>{foreign(turn.problem)}</p></section>'
    body = _answer(turn) if turn.reason is None else _abstention(turn)
    return f'<section class="turn {"done" if turn.done else "coming"}">{body}</section>'


def _answer(turn: Turn) -> str:
    quotes = {quote.label: quote for quote in turn.quotes}
    parts = [_sentence(line, quotes) for line in turn.lines]
    if not turn.done:
        what = "Reading the articles…" if not turn.lines else "Checking the next sentence…"
        parts.append(f'<p class="waiting">{what}</p>')
        return "".join(parts)
    if turn.conflict:
        parts.append(
            f'<p class="remark conflict"><strong>The articles disagree:</strong> '
            f"{foreign(turn.conflict)}</p>"
        )
    if turn.fault:
        parts.append(
            '<p class="remark fault"><strong>Shown instead of the model’s draft:</strong> '
            f"sentences of the articles. {foreign(turn.fault)}</p>"
        )
    parts.append(_withheld(turn.withheld, quotes))
    parts.append(_foot(turn))
    return "".join(parts)


def _sentence(line: Line, quotes: dict[int, Quote]) -> str:
    chips = "".join(chip(quotes[label]) for label in line.labels if label in quotes)
    return (
        f'<p class="sentence {_known(line.support)}"><span class="words">{_words(line)}'
        f"</span> {verdict(line)} {chips}</p>"
    )


def _words(line: Line) -> str:
    """Return the words of a sentence, its short answer bold."""
    if line.short is None:
        return foreign(line.text)
    start, end = line.short
    before, words, after = line.text[:start], line.text[start:end], line.text[end:]
    if not foreign(words):
        return foreign(line.text)
    # `foreign` strips white space at either end.
    gaps = [" " if edge.isspace() else "" for edge in (before[-1:], after[:1])]
    return f"{foreign(before)}{gaps[0]}<strong>{foreign(words)}</strong>{gaps[1]}{foreign(after)}"


def verdict(line: Line) -> str:
    """Return the mark of a verdict, its reason as text where it is in doubt."""
    mark, name = _MARKS[_known(line.support)]
    if line.support == "supported":
        likely = "" if line.score is None else f", probability {line.score:.2f}"
        meaning = "Word for word" if line.reason == "verbatim" else f"{name}{likely}"
        return (
            f'<span class="verdict supported" title="{meaning}">{mark}'
            f'<span class="unseen"> {meaning}.</span></span>'
        )
    reason = f": {foreign(line.reason)}" if line.reason else ""
    return f'<span class="verdict {_known(line.support)}">{mark} {name}{reason}</span>'


def _known(support: str) -> str:
    return support if support in _MARKS else "unsupported"


def chip(quote: Quote) -> str:
    """Return the button that opens a quote in its article."""
    byline = " · ".join(part for part in (quote.publisher, day(quote.published)) if part)
    return (
        f'<button type="button" class="chip" name="{quote.label}" '
        f'value="{foreign(quote.address)}" title="{foreign(quote.title)}">'
        f'<span class="label">{quote.label}</span>'
        f'<span class="byline">{foreign(byline or quote.title)}</span></button>'
    )


def day(text: str) -> str:
    """Return an ISO date as ``23 Aug 2025``; what is no date, as it is."""
    try:
        value = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{value.day} {_MONTHS[3 * value.month - 3 : 3 * value.month]} {value.year}"


def _withheld(lines: Sequence[Line], quotes: dict[int, Quote]) -> str:
    if not lines:
        return ""
    count = "1 sentence" if len(lines) == 1 else f"{len(lines)} sentences"
    items = []
    for line in lines:
        chips = "".join(chip(quotes[label]) for label in line.labels if label in quotes)
        items.append(f"<li>{foreign(line.text)} {verdict(line)} {chips}</li>")
    return (
        f'<details class="withheld"><summary>{count} withheld: the articles don’t support what '
        f"the model wrote</summary><ul>{''.join(items)}</ul></details>"
    )


def _abstention(turn: Turn) -> str:
    title, hint = _ABSTENTIONS.get(turn.reason or "", _ABSTENTIONS["not_in_corpus"])
    parts = [
        f'<div class="abstention"><h3>{title}</h3><p>{foreign(turn.explanation)}</p>'
        f'<p class="hint">{hint}</p>'
    ]
    if turn.quotes:
        nearest = "".join(
            f"<li><q>{foreign(quote.text)}</q> {chip(quote)}</li>" for quote in turn.quotes
        )
        parts.append(f'<p class="nearest">The nearest that was found:</p><ul>{nearest}</ul>')
    parts.append("</div>")
    parts.append(_foot(turn))
    return "".join(parts)


def _foot(turn: Turn) -> str:
    notes = []
    if turn.reason is None:
        notes.append(
            f"Written by {foreign(turn.model)}, each sentence checked"
            if turn.mode == "llm"
            else "Sentences of the articles, word for word"
        )
    if turn.searched:
        notes.append(f"searched: articles {foreign(turn.searched)}")
    if turn.standalone and turn.standalone != turn.question:
        notes.append(f"asked as: <em>{foreign(turn.standalone)}</em>")
    if turn.seconds:
        notes.append(f"{turn.seconds:.2f} s")
    text = '<span class="dot"> · </span>'.join(f"<span>{note}</span>" for note in notes)
    # Text of its own lines can't be told from a blank line in Markdown: they go as references.
    kept = "&#10;".join(_literal(line) for line in turn.markdown.splitlines())
    return (
        f'<footer class="foot"><span class="notes {turn.mode}">{text}</span>'
        '<button type="button" class="copy" title="Copy this answer as Markdown with footnotes">'
        f'Copy as Markdown</button><span class="markdown" hidden>{kept}</span></footer>'
    )


def _literal(line: str) -> str:
    """Return a line of Markdown so that its very characters come back when it is copied."""
    return "".join(
        character if character.isalnum() or character == " " else f"&#{ord(character)};"
        for character in line
        if character.isprintable()
    )

"""Show an answer or an article as text for a terminal: wrapped, and coloured if wanted.

Only styles written here reach the terminal: foreign text passes `rag.present.printable` first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rag.present import around_short, doubt_about, how_written, printable, remarks_on, source
from rag.schema import Answer, Article, Citation, Sentence, Span, Version

PLAIN: Final = ""
BOLD: Final = "1"
DIM: Final = "2"
RED: Final = "31"
YELLOW: Final = "33"
MARKED: Final = "30;43"
SHORT: Final = "1;4"

MIN_WIDTH: Final = 20
"""Narrowest text that is laid out, in cells; a narrower terminal breaks the lines itself."""

Part = tuple[str, str]
"""Words, and the style (SGR parameters) they are shown in."""


def cells(text: str) -> int:
    """Return how many columns of a terminal `text` takes: wide characters two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def paint(text: str, style: str, *, colour: bool) -> str:
    """Return `text` in a style, or as it is where there is no colour."""
    return f"\x1b[{style}m{text}\x1b[0m" if colour and style and text else text


def _pieces(word: str, width: int) -> Iterable[str]:
    """Cut a word that is wider than a line; Chinese or Japanese text is one such word."""
    piece, used = "", 0
    for character in word:
        wide = cells(character)
        if piece and used + wide > width:
            yield piece
            piece, used = "", 0
        piece += character
        used += wide
    yield piece


def wrap(parts: Sequence[Part], *, width: int, indent: int = 0, colour: bool) -> str:
    """Lay out words in lines of at most `width` cells.

    Parameters
    ----------
    parts : sequence of (str, str)
        Words and their style; parts are separated by a space.
    width : int
        Cells of a line, the indent included; at least `MIN_WIDTH` are used beside it.
    indent : int, default 0
        Cells before every line but the first.
    colour : bool
        Whether styles are written.
    """
    room = max(width - indent, MIN_WIDTH)
    lines: list[list[Part]] = [[]]
    used = 0
    for text, style in parts:
        for word in printable(text).split(" "):
            for piece in _pieces(word, room) if word else ():
                needed = cells(piece) + (1 if lines[-1] else 0)
                if lines[-1] and used + needed > room:
                    # A label goes with the word before it.
                    before = cells(lines[-1][-1][0])
                    kept = piece.startswith("[") and len(lines[-1]) > 1 and before + needed <= room
                    lines.append([lines[-1].pop()] if kept else [])
                    used = before if kept else 0
                    needed -= not kept
                lines[-1].append((piece, style))
                used += needed
    shown = []
    for line in lines:
        runs = groupby(line, key=lambda part: part[1])
        shown.append(
            " ".join(
                paint(" ".join(word for word, _ in run), style, colour=colour)
                for style, run in runs
            )
        )
    return ("\n" + " " * indent).join(shown)


def _quote(citation: Citation, repeated: bool, width: int, colour: bool) -> str:
    """Return one footnote: label, source, and the quote unless it was just read."""
    title, byline = source(citation.evidence.article)
    label = f"[{citation.label}]"
    indent = len(label) + 1
    parts = [(label, DIM), (title, PLAIN)]
    if byline:
        parts.append((f"({byline})", DIM))
    lines = [wrap(parts, width=width, indent=indent, colour=colour)]
    if not repeated:
        quote = wrap([(f"“{citation.quote}”", DIM)], width=width, indent=indent, colour=colour)
        lines.append(" " * indent + quote)
    return "\n".join(lines)


def _sentence(answer: Answer, sentence: Sentence) -> list[Part]:
    """Return the words of a sentence, those of the short answer underlined as whole words."""
    cut = around_short(answer, sentence)
    if cut is None:
        return [(sentence.text, BOLD)]
    before, words, after = cut
    head, tail = before.split(), after.split()
    if head and not before[-1].isspace():
        words = head.pop() + words
    if tail and not after[0].isspace():
        words += tail.pop(0)
    return [(" ".join(head), BOLD), (words, SHORT), (" ".join(tail), BOLD)]


def to_terminal(answer: Answer, *, colour: bool, width: int) -> str:
    """Return an answer for a terminal: sentences, remarks, then a footnote for each citation.

    Parameters
    ----------
    answer : Answer
    colour : bool
        Whether to write styles; without it the text holds no escape sequence at all.
    width : int
        Columns of the terminal.

    Returns
    -------
    str
        Ends with a newline. A quote that is the sentence itself isn't shown twice.
    """
    blocks = []
    if answer.abstention is not None:
        explanation = answer.abstention.explanation
        parts = [("No answer:", f"{BOLD};{YELLOW}"), (explanation, PLAIN)]
        blocks.append(wrap(parts, width=width, colour=colour))
        quotes = [Citation.of(evidence) for evidence in answer.evidence]
        if quotes:
            blocks.append(paint("The nearest that was found:", DIM, colour=colour))
    else:
        parts = []
        for sentence in answer.sentences:
            parts += _sentence(answer, sentence)
            parts.append(("".join(f"[{citation.label}]" for citation in sentence.citations), DIM))
            parts.append((doubt_about(sentence), YELLOW))
        blocks.append(wrap(parts, width=width, colour=colour))
        quotes = list(answer.citations)
    blocks += [
        wrap([(remark, YELLOW)], width=width, colour=colour) for remark in remarks_on(answer)
    ]
    read = {printable(sentence.text) for sentence in answer.sentences}
    if quotes:
        blocks.append(
            "\n".join(
                _quote(citation, printable(citation.quote) in read, width, colour)
                for citation in quotes
            )
        )
    if answer.abstention is None:
        note = f"{how_written(answer)}; confidence {answer.confidence:.2f}."
        blocks.append(wrap([(note, DIM)], width=width, colour=colour))
    return "\n\n".join(blocks) + "\n"


def history_to_terminal(
    versions: Sequence[Version], sources: Sequence[Article], copies: Sequence[str]
) -> str:
    """Return the versions of an article, oldest first, a line each; then sources and copies."""
    lines = []
    for version in versions:
        article = version.article
        title, byline = source(article)
        parts = [version.stored.strftime("%Y-%m-%d %H:%M"), article.article_id, article.version]
        told = " | ".join([*parts, title, *filter(None, [byline])])
        lines.append(told + (" | current" if version.current else ""))
    for other in sources:
        title, byline = source(other)
        lines.append(" | ".join(["same text as", other.article_id, title, *filter(None, [byline])]))
    lines += [f"copy of this report | {article_id}" for article_id in copies]
    return "\n".join(map(printable, lines))


def article_to_terminal(article: Article, span: Span, *, colour: bool, width: int) -> str:
    """Return an article for a terminal with the characters of `span` marked.

    Without colour the marked words stand between ``>>>`` and ``<<<``.

    Parameters
    ----------
    article : Article
    span : Span
        What to mark in ``article.text``.
    colour : bool
    width : int
        Columns of the terminal.
    """
    title, byline = source(article)
    head = [wrap([(title, BOLD)], width=width, colour=colour)]
    head += [
        wrap([(line, DIM)], width=width, colour=colour)
        for line in (byline, article.url or "")
        if line
    ]
    blocks = ["\n".join(head)]
    start = 0
    for paragraph in article.text.splitlines(keepends=True):
        # Where the paragraph overlaps the span, in characters of the paragraph.
        first = min(max(span.start - start, 0), len(paragraph))
        last = min(max(span.end - start, 0), len(paragraph))
        start += len(paragraph)
        marked = paragraph[first:last]
        if marked.strip() and not colour:
            marked = f">>> {marked.strip()} <<<"
        parts = [(paragraph[:first], PLAIN), (marked, MARKED), (paragraph[last:], PLAIN)]
        if any(text.strip() for text, _ in parts):
            blocks.append(wrap(parts, width=width, colour=colour))
    return "\n\n".join(blocks) + "\n"

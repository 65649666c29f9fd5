"""Addresses of quotes, and the labels that a language model writes into its draft."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rag.errors import UserError
from rag.labels import read_label
from rag.schema import Span
from rag.sentences import MAX_SENTENCE_CHARACTERS, split_sentences

VERSION_DIGITS = 16
"""Hexadecimal digits of an article version, as `rag.schema.Article.version` gives them."""

OFFSET_DIGITS = 12
"""Longest accepted offset: no article comes near 10**12 characters."""


def parse_address(address: str) -> tuple[str, str, Span]:
    """Read an address as `rag.schema.Citation.address` writes it.

    Parameters
    ----------
    address : str
        ``article_id@version:start-end``; the id itself may hold ``@`` and ``:``.

    Returns
    -------
    article_id : str
    version : str
        16 hexadecimal digits.
    span : Span

    Raises
    ------
    UserError
        If the address has another shape.

    Examples
    --------
    >>> parse_address("korea/visas@0123456789abcdef:120-310")
    ('korea/visas', '0123456789abcdef', Span(start=120, end=310))
    """
    article_id, at, rest = address.strip().rpartition("@")
    version, colon, offsets = rest.partition(":")
    start, dash, end = offsets.partition("-")
    well_formed = (
        article_id
        and at
        and colon
        and dash
        and len(version) == VERSION_DIGITS
        and all(digit in "0123456789abcdef" for digit in version)
        and all(
            offset.isascii() and offset.isdigit() and len(offset) <= OFFSET_DIGITS
            for offset in (start, end)
        )
        and int(start) <= int(end)
    )
    if not well_formed:
        shown = address if len(address) <= 100 else address[:99] + "…"
        raise UserError(
            f"{shown!r} is not the address of a quote; copy one from an answer, "
            "such as news/summit@0123456789abcdef:120-310"
        )
    return article_id, version, Span(int(start), int(end))


_SPECIAL = re.compile(r"[\[【［〔\n\r]")
_CLOSING_MARKS = ".,;:!?…。，！？)）%"
_QUOTES = "'\"”’"
_TERMINATED = re.compile(r"[.!?…。！？:]['\"”’)）]*$")
# A boundary is looked for once a terminator is followed by the two words that decide it.
_BOUNDARY = re.compile(r"[.!?…‽。！？][^\s\w]{0,8}\s*(?:\S{1,60}\s+){2}|[。！？]")
_SETTLED = re.compile(r"\s*(?:\S*\w\S*\s+){2}")
_QUESTION_IN_QUOTES = re.compile(r"[!?‽]['\"”’]+$")
# What a speaker's name and verb after a quoted question can take at most.
_SETTLED_CHARACTERS = 160
_LINE_START = re.compile(r"\s*(?:#{1,6}\s+|[-*•‣–]\s+|\(?\d{1,2}[.)]\s+)?(?:Answer:\s+)?")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Labels that stood at an offset of the text."""

    offset: int
    labels: tuple[int, ...]
    dangling: int


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """One finished sentence of a draft.

    Parameters
    ----------
    text : str
        Without labels, list marks and emphasis.
    labels : tuple of int
        Labels that stand in the evidence, once each, in the order written.
    dangling : int
        Number of labels that stand in no evidence.
    """

    text: str
    labels: tuple[int, ...]
    dangling: int


class DraftParser:
    """Read a draft as it arrives: sentences, and the labels that belong to each.

    Labels may be written as ``[1]``, ``[1, 2]``, ``[1-3]``, ``[[1]]``, ``[Source 1]`` or in
    full-width brackets, before or after the full stop, or in front of the sentence at the
    start of a line. How the draft is cut into chunks makes no difference. Time is linear in
    the length of the draft.

    Parameters
    ----------
    labels : collection of int
        Labels of the evidence that the draft may point to.

    Examples
    --------
    >>> parser = DraftParser({1, 2})
    >>> parser.feed("Japan caps visas at 10,000 a year [1")
    []
    >>> parser.feed("]. Seoul agreed. [2][9]")
    [DraftSentence(text='Japan caps visas at 10,000 a year.', labels=(1,), dangling=0)]
    >>> parser.flush()
    [DraftSentence(text='Seoul agreed.', labels=(2,), dangling=1)]
    """

    def __init__(self, labels: Collection[int]) -> None:
        self._valid = frozenset(labels)
        self._pending = ""  # read, but perhaps half a label
        self._text = ""  # of the unfinished sentences of the line, without labels
        self._marks: list[_Mark] = []  # where labels stood in that text
        self._line_marks: list[_Mark] = []  # labels read since a line break, before any word
        self._fresh_line = True
        self._after_label = False  # a label was read, and no word since
        self._gap = False  # white space stood after that label
        self._leading = True  # nothing of the line was handed out yet
        self._labels_first = False  # the line puts labels in front of its sentences
        self._checked = 0  # no boundary before this offset of the text
        self._thinking: bool | None = None  # None: the draft has not begun

    def feed(self, chunk: str) -> list[DraftSentence]:
        """Take the next part of the draft and return the sentences that it finished."""
        self._pending += chunk
        if self._thinking is not False and not self._skip_thoughts():
            return []
        return self._read(final=False)

    def flush(self) -> list[DraftSentence]:
        """Return what is left, at the end of the draft."""
        if self._thinking:
            self._pending = ""
        self._thinking = False
        sentences = self._read(final=True)
        self._settle_line_marks()
        return sentences + self._take(complete=True)

    def _skip_thoughts(self) -> bool:
        """Drop what a reasoning model thinks aloud first; tell whether the draft has begun."""
        opening, closing = "<think>", "</think>"
        if self._thinking is None:
            self._pending = start = self._pending.lstrip()
            if len(start) < len(opening) and opening.startswith(start):
                return False
            self._thinking = start.startswith(opening)
        if self._thinking:
            _, found, rest = self._pending.partition(closing)
            if not found:
                self._pending = self._pending[-len(closing) :]
                return False
            self._pending = rest
            self._thinking = False
        return True

    def _read(self, *, final: bool) -> list[DraftSentence]:
        """Consume what is pending, except for half a label."""
        sentences: list[DraftSentence] = []
        text, position = self._pending, 0
        while position < len(text):
            found = _SPECIAL.search(text, position)
            stop = found.start() if found else len(text)
            if stop > position:
                sentences += self._add_text(text[position:stop])
            position = stop
            if found is None:
                break
            if found.group() in "\n\r":
                self._settle_line_marks()
                self._fresh_line = True
                position += 1
                continue
            label = read_label(text, position, self._valid, final=final)
            if label is None:
                break
            end, labels, dangling = label
            if labels or dangling:
                self._add_label(_Mark(0, labels, dangling))
            else:
                sentences += self._add_text(text[position:end])
            position = end
        self._pending = text[position:]
        return sentences

    def _add_label(self, mark: _Mark) -> None:
        if self._fresh_line:
            self._line_marks = _with_mark(self._line_marks, mark)
        else:
            self._text = self._text.rstrip()
            self._marks = _with_mark(self._marks, replace(mark, offset=len(self._text)))
            self._after_label = True

    def _settle_line_marks(self) -> None:
        """Give a line that held only labels to the sentence before it."""
        offset = len(self._text.rstrip())
        if offset:
            for mark in self._line_marks:
                self._marks = _with_mark(self._marks, replace(mark, offset=offset))
            self._line_marks = []

    def _add_text(self, piece: str) -> list[DraftSentence]:
        sentences: list[DraftSentence] = []
        if self._fresh_line:
            piece = piece.lstrip()
            if not piece:
                return sentences
            before = self._text.rstrip()
            if before and piece[0].islower() and not _TERMINATED.search(before):
                # A line broken inside a sentence.
                self._settle_line_marks()
                self._text = before + " "
            else:
                sentences += self._take(complete=True)
                self._labels_first = bool(self._line_marks)
                self._marks, self._line_marks = self._line_marks, []
                self._leading = True
            self._fresh_line = self._after_label = self._gap = False
        if self._after_label:
            words = piece.lstrip()
            self._gap = self._gap or len(words) < len(piece)
            if not words:
                return sentences
            glued = words[0] in _CLOSING_MARKS or (words[0] in _QUOTES and not self._gap)
            piece = words if glued else " " + words
            self._after_label = self._gap = False
        self._text += piece
        return sentences + self._take(complete=False)

    def _take(self, *, complete: bool) -> list[DraftSentence]:
        """Take finished sentences out of the line: all of them if the line is complete."""
        if not complete and len(self._text) <= MAX_SENTENCE_CHARACTERS + _SETTLED_CHARACTERS:
            found = _BOUNDARY.search(self._text, self._checked)
            if found is None:
                return []
            self._checked = found.start() + 1
        spans = split_sentences(self._text)
        done = len(spans)
        if not complete:
            done = max(done - 1, 0)
            while done and not self._is_settled(spans[done - 1]):
                done -= 1
            if done == 0:
                return []
        owners = [self._owner(mark, spans) for mark in self._marks]
        sentences = []
        for index in range(done):
            marks = [m for m, owner in zip(self._marks, owners, strict=True) if owner == index]
            text = spans[index].cut(self._text)
            if self._leading:
                text = text[_LINE_START.match(text).end() :]  # type: ignore[union-attr]
            text = " ".join(text.replace("**", "").split())
            self._leading = False
            if any(character.isalnum() for character in text):
                labels = dict.fromkeys(label for mark in marks for label in mark.labels)
                dangling = sum(mark.dangling for mark in marks)
                sentences.append(DraftSentence(text, tuple(labels), dangling))
        cut = len(self._text) if complete else spans[done].start
        self._marks = [
            replace(mark, offset=max(mark.offset - cut, 0))
            for mark, owner in zip(self._marks, owners, strict=True)
            if owner >= done
        ]
        self._text = self._text[cut:]
        self._checked = 0
        return sentences

    def _is_settled(self, span: Span) -> bool:
        """Tell whether more text can't change that a sentence ends with `span`."""
        rest = self._text[span.end :]
        if len(rest) >= _SETTLED_CHARACTERS:
            return True
        quoted = _QUESTION_IN_QUOTES.search(self._text[span.start : span.end][-12:])
        return not quoted and _SETTLED.match(rest) is not None

    def _owner(self, mark: _Mark, spans: Sequence[Span]) -> int:
        """Return the index of the sentence that a mark belongs to."""
        owner = 0
        for index, span in enumerate(spans):
            if span.start < mark.offset:
                owner = index
        after = bool(spans) and mark.offset >= spans[owner].end
        if self._labels_first and after and mark.offset:
            return min(owner + 1, len(spans) - 1)
        return owner


def _with_mark(marks: list[_Mark], mark: _Mark) -> list[_Mark]:
    """Add a mark, merged with the last one if both stand at the same place."""
    if not marks or marks[-1].offset != mark.offset:
        return [*marks, mark]
    last = marks[-1]
    labels = tuple(dict.fromkeys(last.labels + mark.labels))
    return [*marks[:-1], _Mark(mark.offset, labels, last.dangling + mark.dangling)]

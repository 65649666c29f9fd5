"""Make text safe to store: decode bytes, drop characters nobody can see, map offsets back.

Invisible characters can hide instructions, reverse what a reader sees, or stop the vector store
(a lone surrogate does), so none reaches the catalogue. White space is made regular on the way.
Letters are never changed: a quote stays what the file says.
"""

from __future__ import annotations

import codecs
import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field

from rag.errors import CorpusError

# C0 and C1 controls, soft hyphen, grapheme joiner, bidi controls, zero-width and invisible
# characters, fillers, variation selectors, byte order marks, annotations, non-characters, lone
# surrogates, tag characters.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffc\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
    )
)
_ODD_SPACE = "\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# A maximal run of what is dropped or made regular; a lone ordinary space matches nowhere.
_RUN = re.compile(
    f" ?[{_INVISIBLE}{_ODD_SPACE}][{_INVISIBLE}{_ODD_SPACE} ]*+|  [{_INVISIBLE}{_ODD_SPACE} ]*+"
)
_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANK = re.compile(r"\s")
# Joiners that Persian, Hindi and emoji need, and the selectors of text and emoji form.
_JOINERS = frozenset("\u200c\u200d")
_JOINING = frozenset(("\u200c", "\u200d", "\ufe0e", "\ufe0f", "\ufe0f\u200d"))
_JOINABLE_FROM = "\u0600"

_MAGIC = (b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
# Text has none; compressed data has about 10 % of them.
_MAX_CONTROLS = 0.01
# Enough for a detector to tell scripts apart, and bounded in time.
_DETECTED_BYTES = 65536
_LEGACY = ("cp1251", "cp1253", "cp949", "cp932", "gb18030", "big5")
# English or French in Windows-1252 has a few such bytes in a hundred, other scripts half.
_MIN_FOREIGN_BYTES = 0.2


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A cleaned text and where each of its characters stood in the raw one.

    Parameters
    ----------
    text : str
        What may be stored.
    """

    text: str
    _starts: array[int] = field(repr=False, compare=False)
    _offsets: array[int] = field(repr=False, compare=False)

    def raw_offset(self, index: int) -> int:
        r"""Return the position in the raw text of the character at `index` of `text`.

        A kept character equals the raw one there; a space or ``"\n"`` may stand for a run of
        white space and dropped characters, and maps into that run. ``len(text)`` maps to the
        end of the last character.

        Raises
        ------
        IndexError
            If not ``0 <= index <= len(text)``.

        Examples
        --------
        >>> cleaned = clean_text("To\u200bkyo,\u00a0 2025")
        >>> cleaned.text, cleaned.raw_offset(7)
        ('Tokyo, 2025', 9)
        """
        if not 0 <= index <= len(self.text):
            raise IndexError(f"no character {index} in a text of {len(self.text)}")
        if index == len(self.text):
            return self.raw_offset(index - 1) + 1 if index else 0
        piece = bisect_right(self._starts, index) - 1
        return self._offsets[piece] + index - self._starts[piece]


def clean_text(raw: str) -> Cleaned:
    r"""Drop invisible characters and make white space regular.

    Every run of white space becomes one space, one ``"\n"`` if it holds a line break, or
    ``"\n\n"`` if it holds several; none stays at either end. Controls, bidi controls, tag
    characters, variation selectors, zero-width characters and lone surrogates go, but a joiner
    between two letters or symbols that need it stays.

    Parameters
    ----------
    raw : str
        Any text, lone surrogates included.

    Returns
    -------
    Cleaned
        Cleaning its text again changes nothing.
    """
    pieces: list[str] = []
    starts, offsets = array("q"), array("q")
    length = done = 0

    def keep(piece: str, offset: int) -> None:
        nonlocal length
        if piece:
            starts.append(length)
            offsets.append(offset)
            pieces.append(piece)
            length += len(piece)

    raw_start = len(raw) - len(raw.lstrip(" "))
    raw_end = len(raw.rstrip(" "))
    done = raw_start
    for run in _RUN.finditer(raw, raw_start, raw_end):
        keep(raw[done : run.start()], done)
        done = run.end()
        at_edge = not length or done == raw_end
        keep(_replacement(raw, run, at_edge=at_edge), run.start())
    keep(raw[done:raw_end], done)
    return Cleaned("".join(pieces), starts, offsets)


def clean_line(raw: str) -> str:
    """Clean a text that must stay on one line, such as a title."""
    return " ".join(clean_text(raw).text.split())


def decode(data: bytes) -> str:
    """Decode the bytes of a text file.

    A byte order mark decides; else UTF-8, even with a few broken characters; else, for text
    mostly in other than Latin letters, the legacy encoding it looks like; else Windows-1252.

    Raises
    ------
    CorpusError
        If the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    refuse_binary(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    repaired = data.decode("utf-8", errors="replace")
    broken = repaired.count("\ufffd")
    whole = len(data) - len(repaired)  # grows with each multi-byte character that is valid
    if broken * 10 <= whole:
        return repaired
    return data.decode(_legacy_encoding(data), errors="replace")


def refuse_binary(data: bytes) -> None:
    """Raise `CorpusError` if `data` is the start of a file that holds no 8-bit text."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if data.startswith(_MAGIC) or controls > _MAX_CONTROLS * len(data):
        raise CorpusError("is a binary file, not text")


def _legacy_encoding(data: bytes) -> str:
    ascii_bytes = len(data.decode("ascii", errors="ignore"))
    if len(data) - ascii_bytes < _MIN_FOREIGN_BYTES * len(data):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_DETECTED_BYTES], cp_isolation=list(_LEGACY)).best()
    return best.encoding if best is not None else "cp1252"


def _replacement(raw: str, run: re.Match[str], *, at_edge: bool) -> str:
    """Return what a run of white space and invisible characters becomes."""
    found = run.group()
    if at_edge:
        return ""
    if found in _JOINING and raw[run.start() - 1] >= _JOINABLE_FROM:
        following = raw[run.end()]
        if found[-1] not in _JOINERS or following >= _JOINABLE_FROM:
            return found
    breaks = len(_LINE_BREAK.findall(found))
    if breaks:
        return "\n" if breaks == 1 else "\n\n"
    return " " if _BLANK.search(found) else ""

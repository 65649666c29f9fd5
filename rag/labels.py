"""Labels such as ``[1]`` in a draft: where one ends, and which evidence it points to."""

from __future__ import annotations

import re
from collections.abc import Collection

# Longest text between an opening and its closing bracket that is still read as labels.
_MAX_LABEL = 80
# Longest number read as a label; no evidence has more lines than this can count.
_MAX_DIGITS = 5
_OPENERS = "[【［〔"
_CLOSERS = "]】］〕"
_DASHES = "-–—‑−~～"
_SEPARATORS = " \t\u00a0\u202f,;，；、&+/^#:："
# Words that models put into a label, such as [Source 1] or [1 and 2].
_LABEL_WORDS = frozenset(
    (
        "and",
        "to",
        "source",
        "sources",
        "evidence",
        "citation",
        "citations",
        "ref",
        "refs",
        "line",
        "lines",
        "sentence",
        "sentences",
    )
)
_GROUPED_NUMBER = re.compile(r"[\[［]\d{1,3}(?:,\d{3})+[\]］]")


def read_label(
    text: str, start: int, valid: Collection[int], *, final: bool
) -> tuple[int, tuple[int, ...], int] | None:
    """Read the label that may begin with the bracket at ``text[start]``.

    Parameters
    ----------
    text : str
    start : int
        Offset of an opening bracket, of any width.
    valid : collection of int
        Labels of the evidence.
    final : bool
        Whether nothing more of the text will come. A label cut off there points nowhere.

    Returns
    -------
    end : int
        Where the label ends; where there is none, up to where the text is just text.
    labels : tuple of int
        Those that stand in the evidence, as often as written; a range stands for all in it.
    dangling : int
        Number of those that don't. With no labels and nothing dangling there is no label.

        None instead of all three where the text stops inside what may become a label.

    Examples
    --------
    >>> read_label("visas [1, 9].", 6, {1, 2}, final=True)
    (12, (1,), 1)
    >>> read_label("the [sic] law", 4, {1, 2}, final=True)
    (5, (), 0)
    """
    depth, digits, word, ranged, position = 0, "", "", False, start
    numbers: list[tuple[int, bool]] = []  # each with whether it ends a range
    no_label: tuple[int, tuple[int, ...], int] = (start + 1, (), 0)
    for position in range(start, min(len(text), start + _MAX_LABEL)):
        character = text[position]
        if character.isdecimal() and not word:
            digits += character
            if len(digits) > _MAX_DIGITS:
                return no_label
            continue
        if digits:
            numbers.append((int(digits), ranged))
            digits, ranged = "", False
        if character.isalpha() or character == "†":
            word += character.lower()
            continue
        if word and not (word in _LABEL_WORDS or word[0] == "†"):
            return no_label
        ranged = ranged or word == "to"
        word = ""
        if character in _OPENERS:
            depth += 1
            if depth > 2:
                return no_label
        elif character in _CLOSERS:
            depth -= 1
            if depth == 0:
                break
        elif character in _DASHES:
            ranged = bool(numbers)
        elif character not in _SEPARATORS:
            return no_label
    else:
        if len(text) - start >= _MAX_LABEL:
            return no_label
        return (len(text), (), 1) if final else None
    if not numbers or _GROUPED_NUMBER.fullmatch(text, start, position + 1):
        return no_label
    return position + 1, *_resolve(numbers, valid)


def _resolve(
    numbers: list[tuple[int, bool]], valid: Collection[int]
) -> tuple[tuple[int, ...], int]:
    """Return the numbers that stand in the evidence, ranges filled, and how many don't."""
    labels: list[int] = []
    dangling = 0
    previous = 0
    for number, ranged in numbers:
        if ranged:
            labels += sorted(label for label in valid if previous < label < number)
        if number in valid:
            labels.append(number)
        else:
            dangling += 1
        previous = number
    return tuple(labels), dangling

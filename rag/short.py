"""Find the words of a sentence that answer by themselves: one name, number, date or place.

Only a question that asks for such a thing has a short answer, and only where there is no doubt
which words it is: a reader is better served by the whole sentence than by the wrong words of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.answertype import AnswerType, answer_type, things
from rag.lexicon import CONNECTORS, CURRENCY_SIGNS, FUNCTION, MONTHS, SCALES, TITLES, UNITS
from rag.schema import Sentence, ShortAnswer, Span

_WORD: Final = re.compile(r"\w[\w'’.,-]*\w|\w")
_DAY: Final = re.compile(r"\d{1,2}(?:st|nd|rd|th)?")
_PERCENT: Final = frozenset({"percent", "per", "cent", "percentage", "points"})
LONGEST: Final = 8
"""Words of a short answer at most."""


def shorten(question: str, sentence: str, near: Span | None = None) -> Span | None:
    """Return where the short answer stands in a sentence; None where that is not certain.

    Parameters
    ----------
    question : str
    sentence : str
        One that answers it.
    near : Span, optional
        Where a model saw the answer; it must agree.

    Examples
    --------
    >>> sentence = "Japan issues at most 10,000 visas."
    >>> shorten("How many visas does Japan issue?", sentence).cut(sentence)
    '10,000'
    """
    kind = answer_type(question)
    if kind in (AnswerType.OTHER, AnswerType.REASON):
        return None
    # Among several the model errs too often: "122 of the 248 seats; a majority is 125".
    found = _phrases(kind, sentence, question)
    if len(found) != 1 or len(found[0].cut(sentence).split()) > LONGEST:
        return None
    agreed = near is None or (found[0].start < near.end and near.start < found[0].end)
    return found[0] if agreed else None


def short_answer(question: str, sentence: Sentence, seen: Span | None) -> ShortAnswer | None:
    """Return the short answer in a sentence quoted word for word; None where there is none.

    Parameters
    ----------
    question : str
    sentence : Sentence
        Its first citation is the quote.
    seen : Span or None
        Where a model saw the answer, in the text of the article.
    """
    citation = sentence.citations[0]
    place = citation.evidence.span
    near = None
    if seen is not None and place.start <= seen.start < seen.end <= place.end:
        near = Span(seen.start - place.start, seen.end - place.start)
    found = shorten(question, citation.quote, near)
    if found is None:
        return None
    return ShortAnswer(citation, Span(place.start + found.start, place.start + found.end))


def _phrases(kind: AnswerType, sentence: str, question: str) -> list[Span]:
    """Return the things of a kind as whole phrases: both names of a person, day and month."""
    words = [Span(*match.span()) for match in _WORD.finditer(sentence)]
    held = things(kind, sentence, question)
    marked = [any(w.start < t.end and t.start < w.end for t in held) for w in words]
    match kind:
        case AnswerType.NUMBER:
            groups = _numbers(words, marked, sentence)
        case AnswerType.DATE:
            groups = _dates(words, marked, sentence)
        case _:
            groups = _names(words, marked, sentence)
    return groups


def _numbers(words: Sequence[Span], marked: Sequence[bool], sentence: str) -> list[Span]:
    found: list[Span] = []
    for i, span in enumerate(words):
        if not marked[i] or (found and span.start < found[-1].end):
            continue
        before = sentence[max(0, span.start - 2) : span.start]
        # A day or a year is no amount.
        neighbours = [sentence[w.start : w.end].lower() for w in words[max(0, i - 1) : i + 2]]
        if any(word in MONTHS for word in neighbours) or _is_year(span.cut(sentence)):
            continue
        start = span.start - (before[-1:] in CURRENCY_SIGNS)
        end = span.end
        for following in words[i + 1 : i + 4]:
            word = following.cut(sentence).lower()
            if sentence[end : following.start] not in (" ", "-"):
                break
            if word not in SCALES and word not in _PERCENT and word not in UNITS:
                break
            end = following.end
        if sentence[end : end + 1] == "%":
            end += 1
        found.append(Span(start, end))
    return found


def _dates(words: Sequence[Span], marked: Sequence[bool], sentence: str) -> list[Span]:
    texts = [span.cut(sentence).strip(".,").lower() for span in words]
    part = list(marked)
    for i, text in enumerate(texts):
        by_month = any(0 <= j < len(texts) and texts[j] in MONTHS for j in (i - 1, i + 1))
        if _DAY.fullmatch(text) and by_month:
            part[i] = True
    return _joined(words, part, sentence, ("", ", ", " ", " of "))


def _names(words: Sequence[Span], marked: Sequence[bool], sentence: str) -> list[Span]:
    found = []
    for group in _joined(words, marked, sentence, (" ", *(f" {c} " for c in CONNECTORS))):
        text = group.cut(sentence)
        before, after = _word_before(words, group, sentence), _word_after(words, group, sentence)
        # What is left of a name that the question has in part is no name of its own.
        if any(w and w[0].isupper() and w.lower() not in FUNCTION for w in (before, after)):
            continue
        # The first word of a sentence has its capital from there.
        if group.start == words[0].start and " " not in text:
            continue
        if all(word.lower().strip(".") in TITLES for word in text.split()):
            continue
        found.append(group)
    return found


def _joined(
    words: Sequence[Span], part: Sequence[bool], sentence: str, between: Sequence[str]
) -> list[Span]:
    groups: list[Span] = []
    for span, is_part in zip(words, part, strict=True):
        if not is_part:
            continue
        if groups and sentence[groups[-1].end : span.start] in between:
            groups[-1] = Span(groups[-1].start, span.end)
        else:
            groups.append(span)
    return groups


def _word_before(words: Sequence[Span], group: Span, sentence: str) -> str:
    previous = [w for w in words if w.end <= group.start and group.start - w.end == 1]
    # Across the start of the sentence a capital says nothing.
    return previous[-1].cut(sentence) if previous and previous[-1].start else ""


def _word_after(words: Sequence[Span], group: Span, sentence: str) -> str:
    following = [w for w in words if w.start - group.end == 1]
    return following[0].cut(sentence) if following else ""


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word[:2] in ("18", "19", "20")

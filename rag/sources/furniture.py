"""What a web page prints around an article: labels, copyright, other headlines, dateline.

Only whole lines go, and only short ones that no article would say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from rag.sources.dates import find_day, locate_day

_GLUED = re.compile(r"Comments(?=[A-Z“\"])")
_FURNITURE = re.compile(
    r"(?:(?:published|posted|filed) (?:in|under)\b|distributed by\b|©|\(c\) ?\d{4}|copyright\b"
    r"|all rights reserved|tags?:|topics?:|story continues below|article continues"
    r"|sign up for\b|subscribe to\b|follow us\b|click here\b|this article (?:first|originally) "
    r"appeared\b|visit \S+ for more\b)",
    re.IGNORECASE,
)


def _phrases(text: str) -> frozenset[str]:
    return frozenset(text.split("|"))


# Whole lines; those of the second set head a list of other articles.
_LABELS = _phrases(
    "comments|comment|advertisement|ad|share|share this|share this article|share this story|print|"
    "email|subscribe|sign up|log in|save|tweet|listen|copy link|view comments|leave a comment|"
    "0 comments|skip to content|skip to main content"
)
_LIST_LABELS = _phrases(
    "don't miss|don’t miss|related|related articles|related stories|related posts|"
    "related coverage|read more|read next|most popular|most read|recommended|more stories|"
    "more from this section|top stories|trending|you may also like|you might also like|"
    "editors' picks|editor's picks|editors’ picks|editor’s picks|latest news"
)
_MAX_FURNITURE = 200
_MAX_HEADLINE = 140
# A terminator and its closing quotes at the end of a line.
ENDS_SENTENCE = re.compile(r"[.!?…][\"'”’)]*$")
_OWNER = re.compile(
    r"(?:©|\(c\)|copyright)(?: ?©)?[ ,]*(?:\d{4}(?:[-–]\d{4})?)?[ ,]*(?:by )?(?P<name>[^|;]*)",
    re.IGNORECASE,
)
_OWNER_ENDS = re.compile(
    r",? (?:visit|all rights|distributed|reprinted|published|used with)\b.*", re.IGNORECASE
)
_BYLINE = re.compile(r"by +[A-Z“]", re.IGNORECASE)
_DATELINE_LEAD = re.compile(
    r"(?:by|published|updated|posted|first published|date)\b", re.IGNORECASE
)
# What may stand beside the day on a line that only dates an article: names, times, "at".
_BESIDE_DAY = re.compile(r"(?:[^\w\s]|[A-Z\d]|at\b|on\b|by\b|and\b|[ap]\.?m\b|last\b|updated\b)\S*")
# "TOKYO, Aug. 23, 2025 (Kyodo) —" at the start of a paragraph.
_PLACE_AND_DAY = re.compile(r"(?P<head>[A-Z][A-Z .,'’/]{2,60}.{0,60}?)(?:—|–|--| - )")
# Lines at the top among which a byline or dateline stands.
_TOP_LINES = 6


def drop_furniture(lines: Iterable[str]) -> tuple[list[str], str]:
    """Return the lines that belong to the article, and the owner that a copyright line names.

    Parameters
    ----------
    lines : iterable of str
        Cleaned lines of a page; empty ones separate paragraphs and are kept.

    Returns
    -------
    kept : list of str
    owner : str
        Empty if no line names one.

    Examples
    --------
    >>> drop_furniture(["They met.", "Don't Miss", "Ten best lakes", "© 2025 Daily Desk."])
    (['They met.'], 'Daily Desk')
    """
    kept: list[str] = []
    owner = ""
    in_list = False
    for line in lines:
        line = _GLUED.sub("", line, count=1) if line.startswith("Comments") else line
        label = line.casefold().rstrip(" :.…»>")
        if not line:
            kept.append(line)
        elif label in _LIST_LABELS:
            in_list = True
        elif label in _LABELS:
            continue
        elif len(line) <= _MAX_FURNITURE and _FURNITURE.match(line):
            found = _OWNER.match(line)
            if found:
                owner = owner or _OWNER_ENDS.sub("", found["name"]).strip(" ,")
                if owner.endswith(".") and "." not in owner.split()[-1][:-1]:
                    owner = owner[:-1]
        elif in_list and len(line) <= _MAX_HEADLINE and not ENDS_SENTENCE.search(line):
            continue
        else:
            in_list = False
            kept.append(line)
    return kept, owner


def take_dateline(lines: list[str]) -> tuple[list[str], date | None]:
    """Drop a byline and a line that only dates the article, both among the first lines.

    Parameters
    ----------
    lines : list of str
        The first that isn't empty is the title.

    Returns
    -------
    kept : list of str
    published : datetime.date or None
        From such a line, or from a place and day before a dash; `None` if there is neither.

    Examples
    --------
    >>> take_dateline(["Leaders meet", "by August 23, 2025", "They met."])
    (['Leaders meet', 'They met.'], datetime.date(2025, 8, 23))
    """
    published = None
    kept: list[str] = []
    seen = 0
    for line in lines:
        seen += bool(line)
        if line and seen <= _TOP_LINES:
            day = _dateline(line, first=seen == 1)
            if day:
                published = published or day
                continue
            if seen > 1 and len(line) <= 80 and _is_byline(line):
                continue
            opening = _PLACE_AND_DAY.match(line)
            if opening:
                published = published or find_day(opening["head"])
        kept.append(line)
    return kept, published


def _dateline(line: str, *, first: bool) -> date | None:
    """Return the day of a line that says no more than when, where and by whom."""
    found = locate_day(line) if len(line) <= 120 else None
    if found is None:
        return None
    day, start, end = found
    beside = f"{line[:start]} {line[end:]}".split()
    if _DATELINE_LEAD.match(line):
        return day if len(beside) <= 12 and not line.endswith((".", "!", "?")) else None
    if first and any(any(map(str.isalpha, word)) for word in beside):
        return None
    return day if len(beside) <= 8 and all(map(_BESIDE_DAY.match, beside)) else None


def _is_byline(line: str) -> bool:
    return bool(_BYLINE.match(line)) and not ENDS_SENTENCE.search(line)

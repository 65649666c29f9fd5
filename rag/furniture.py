"""What a web page prints around an article: labels, sharing links, copyright, other headlines.

Only whole lines go, and only short ones that no article would say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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

"""Days of publication, in the spellings that articles and feeds use."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<!\d){_YEAR}(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark){_DAY}(?!\d)",
        rf"\b{_MONTH} {_DAY},? {_YEAR}",
        rf"(?<!\d){_DAY}(?: of)? {_MONTH},? {_YEAR}",
    )
)
# 23/8/2025 or 8/23/2025: read only where one of the numbers can't be a month.
_SLASHED = re.compile(r"(?<!\d)(\d{1,2})/(\d{1,2})/(\d{4})(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T.*)?")
# Where find_day looks: a dateline stands at the start of a line.
_MAX_SEARCHED = 300
_FIRST_YEAR, _LAST_YEAR = 1600, 2200


def locate_day(text: str) -> tuple[date, int, int] | None:
    """Return the first full date (day, month and year) in a line, and where it stands.

    Returns
    -------
    tuple or None
        The day, and the half-open range of its characters. Only the first 300 characters are
        searched.
    """
    text = text[:_MAX_SEARCHED]
    found = []
    for pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            day = _date(match["year"], match["month"], match["day"])
            if day:
                found.append((*match.span(), day))
    match = _SLASHED.search(text)
    if match:
        first, second, year = match.groups()
        month, number = (second, first) if int(first) > 12 else (first, second)
        day = _date(year, month, number) if max(int(first), int(second)) > 12 else None
        if day:
            found.append((*match.span(), day))
    if not found:
        return None
    start, end, day = min(found)
    return day, start, end


def find_day(text: str) -> date | None:
    """Return the first full date written in a line, or `None`.

    Examples
    --------
    >>> find_day("by August 23, 2025")
    datetime.date(2025, 8, 23)
    >>> find_day("TOKYO, 23 Aug. 2025")
    datetime.date(2025, 8, 23)
    """
    found = locate_day(text)
    return found[0] if found else None


def parse_day(value: object) -> date | None:
    """Return the day that a field of an article names, or `None` if it names none.

    ISO dates and datetimes, ``2020/03/28``, ``20200328``, RFC 2822, dates in English words and
    Unix seconds or milliseconds are read. A time zone does not move the day: it is the one
    that the publisher wrote.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_unix(float(value))
    text = " ".join(str(value)[:_MAX_SEARCHED].split())
    compact = _COMPACT.fullmatch(text)
    if compact:
        return _date(*compact.groups())
    if text.isdecimal() and len(text) >= 9:
        return _from_unix(float(text))
    day = find_day(text)
    if day is None and text:
        try:
            day = parsedate_to_datetime(text).date()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return day


def _date(year: str, month: str, day: str) -> date | None:
    number = int(month) if month.isdecimal() else _MONTHS.index(month[:3].lower()) + 1
    try:
        found = date(int(year), number, int(day))
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _from_unix(seconds: float) -> date | None:
    if seconds > 1e11:
        seconds /= 1000
    if not 1e8 < seconds < 1e10:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).date()

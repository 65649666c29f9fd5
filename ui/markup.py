"""The one gate through which foreign text comes onto the page.

Articles, questions, titles and model output are foreign. The widgets read their value as
Markdown first and as HTML second, so both must be made harmless: every character that could
begin markup in either is written as a numeric reference, which neither acts upon.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

# Letters, digits, blanks and the punctuation that starts no markup; all else becomes `&#…;`.
_ACTIVE: Final = re.compile(r"[^\w\s.,;'’“”‘–—…?()/%-]|_", re.ASCII)
_SAFE_IN_URL: Final = ":/?#@!$&'*+,;=%~-._[]"
# What a text fragment gives a meaning of its own (WICG Scroll To Text Fragment, section 3.2).
_FRAGMENT_WORDS: Final = 6


def printable(text: str) -> str:
    r"""Return `text` on one line: white space as single blanks, anything unprintable dropped.

    Examples
    --------
    >>> printable("a\n b\x1b[31mc")
    'a b[31mc'
    """
    kept = (character for character in text if character.isprintable() or character.isspace())
    return " ".join("".join(kept).split())


def foreign(text: str) -> str:
    """Return foreign text so that it shows literally, in Markdown, HTML or a quoted attribute.

    Examples
    --------
    >>> foreign("<b>*x*")
    '&#60;b&#62;&#42;x&#42;'
    """
    return _ACTIVE.sub(_reference, printable(text))


def foreign_lines(text: str) -> str:
    """Return foreign text as `foreign` does, with its line breaks kept."""
    return "<br>".join(foreign(line) for line in text.strip().splitlines() if line.strip())


def _reference(match: re.Match[str]) -> str:
    character = match.group()
    return character if ord(character) > 127 else f"&#{ord(character)};"


def web_link(url: str | None) -> str | None:
    """Return `url` percent-encoded if it is an http(s) address with a host, else None."""
    if not url or not url.isprintable() or any(character.isspace() for character in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or ascii_host(url) is None:
        return None
    return percent_encode(url, safe=_SAFE_IN_URL)


def ascii_host(url: str) -> str | None:
    """Return the host of an address in ASCII, so that look-alike letters show; None if it has none.

    Examples
    --------
    >>> ascii_host("https://news.example/a")
    'news.example'
    """
    try:
        host = urlsplit(url).hostname
        return host.encode("idna").decode("ascii") if host else None
    except (ValueError, UnicodeError):
        return None


def quote_link(url: str | None, quote: str) -> str | None:
    """Return a link that makes the publisher's page show `quote` highlighted, or None.

    It ends in a text fragment: a long quote is named by its first and last words.
    """
    link = web_link(url)
    words = quote.split()
    if link is None or not words:
        return link
    if len(words) > 2 * _FRAGMENT_WORDS:
        ends = (words[:_FRAGMENT_WORDS], words[-_FRAGMENT_WORDS:])
        text = ",".join(_fragment(" ".join(part)) for part in ends)
    else:
        text = _fragment(" ".join(words))
    return f"{link}{'' if '#' in link else '#'}:~:text={text}"


def _fragment(text: str) -> str:
    return percent_encode(text, safe="").replace("-", "%2D")

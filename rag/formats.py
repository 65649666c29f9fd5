"""The text of one file -> title, body, publisher, day: Markdown, plain text and web pages.

Each function takes decoded text and returns a `Content`; it raises `CorpusError`, whose message
completes "file.md: …", where the file is not usable. Nothing here opens a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from rag.clean import clean_line, clean_text
from rag.dates import find_day, parse_day
from rag.errors import CorpusError

# Names under which articles carry their parts, best first; JSON lines and front matter share them.
FIELDS = {
    "article_id": ("id", "article_id"),
    "title": ("title", "headline"),
    "text": ("text", "body", "content"),
    "publisher": ("publisher", "source", "outlet", "site"),
    "published": ("published", "publish_date", "date", "published_at"),
    "url": ("url", "link"),
}
# A parser of Markdown or HTML needs a hundred times the memory of its text: one of this size
# stays below 256 MB and ten seconds, whatever it holds.
MAX_MARKUP_CHARACTERS = 1_000_000

_MAX_FRONT_MATTER_LINES = 100
_MAX_TITLE = 200
_FRONT_MATTER_LINE = re.compile(r"(?P<key>[A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(?P<value>.*))?$")
_UNKNOWN = frozenset(("", "none", "null", "~", "n/a"))

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
_HEADLINE = 140
_ENDS_SENTENCE = re.compile(r"[.!?…][\"'”’)]*$")
_OWNER = re.compile(
    r"(?:©|\(c\)|copyright)(?: ?©)?[ ,]*(?:\d{4}(?:[-–]\d{4})?)?[ ,]*(?:by )?(?P<name>[^|;]*)",
    re.IGNORECASE,
)
_OWNER_ENDS = re.compile(
    r",? (?:visit|all rights|distributed|reprinted|published|used with)\b.*", re.IGNORECASE
)
_BYLINE = re.compile(r"(?:by|from) +[A-Z“]")
_DATELINE_LEAD = re.compile(
    r"(?:by|on|published|updated|posted|last updated|first published|date)\b", re.IGNORECASE
)
_PLACE_AND_DAY = re.compile(r"(?P<head>[^—–\n]{4,80}?)(?:—|–|--| - )")
# Lines at the top among which a byline or dateline stands.
_TOP_LINES = 6


@dataclass(frozen=True, slots=True)
class Content:
    """What one file says: cleaned, but not yet an article.

    Parameters
    ----------
    text, title, publisher : str
        Empty if not found.
    published : datetime.date or None
    url : str or None
        With http or https.
    """

    text: str
    title: str = ""
    publisher: str = ""
    published: date | None = None
    url: str | None = None


def parse_markdown(source: str) -> Content:
    """Read Markdown with or without front matter; the text keeps paragraphs, not markup.

    Front matter is lines of ``key: value`` between two lines ``---``. Without a title there,
    the first heading of level 1 is the title, and not repeated in the text.

    Raises
    ------
    CorpusError
        If the front matter is broken, or the file is too large to parse safely.
    """
    _check_size(source, "Markdown")
    source = source.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n")
    fields, body = _front_matter(source)
    found_title, text = _markdown_text(body)
    given = fields.get("published", "")
    published = parse_day(given)
    if given and published is None:
        raise CorpusError(f"front matter: the day {given[:40]!r} isn't a date such as 2025-08-23")
    title = clean_line(fields.get("title", ""))
    if found_title and title:
        # The heading was only a repetition if it says the same.
        text = text if found_title.casefold() == title.casefold() else f"{found_title}\n{text}"
    return Content(
        text=clean_text(text).text,
        title=title or clean_line(found_title),
        publisher=clean_line(fields.get("publisher", "")),
        published=published,
        url=web_address(fields.get("url", "")),
    )


def parse_plain(source: str) -> Content:
    """Read plain text: title from the first line, day from a dateline, page furniture dropped.

    A first line that is a whole sentence is the title and stays in the text too, since it may
    be the article's lead. The publisher comes from a copyright line.
    """
    lines = _join_wrapped(clean_text(source).text.split("\n"))
    lines, owner = _drop_furniture(lines)
    lines, published = _take_dateline(lines)
    title = next((line for line in lines if line), "")
    if len(title) > _MAX_TITLE:
        title = ""
    elif title and not _ENDS_SENTENCE.search(title):
        rest = lines[lines.index(title) + 1 :]
        lines = rest if any(rest) else lines
    return Content(
        text=clean_text("\n".join(lines)).text, title=title, publisher=owner, published=published
    )


def parse_html(source: str) -> Content:
    """Read a saved web page: the article's text without menus, comments and scripts.

    Raises
    ------
    CorpusError
        If no article text is found, or the page is too large or nested too deeply.
    """
    _check_size(source, "HTML")
    import trafilatura

    try:
        found = trafilatura.bare_extraction(
            source, with_metadata=True, include_comments=False, include_tables=True
        )
    except (RecursionError, ValueError, AssertionError) as error:
        raise CorpusError(f"could not be parsed as HTML ({type(error).__name__})") from error
    if found is None:
        raise CorpusError("holds no article text that could be told from the page around it")
    page = found.as_dict() if not isinstance(found, dict) else found
    lines, owner = _drop_furniture(clean_text(page.get("text") or "").text.split("\n"))
    title = clean_line(page.get("title") or "")
    if title and lines and lines[0] == title:
        lines = lines[1:]
    return Content(
        text="\n".join(lines),
        title=title,
        publisher=clean_line(page.get("sitename") or "") or owner,
        published=parse_day(page.get("date") or ""),
        url=web_address(page.get("url") or ""),
    )


def field(values: Mapping[str, object], name: str) -> object:
    """Return the first value of `values` that stands under a known name of the field `name`."""
    for key in FIELDS[name]:
        value = values.get(key)
        if value not in (None, "", [], {}):
            return value
    return None


def web_address(value: str) -> str | None:
    """Return an http or https address, `None` for anything else."""
    address = "".join(clean_text(value).text.split())
    return address if re.match(r"https?://[^\s/]", address, re.IGNORECASE) else None


def _check_size(source: str, kind: str) -> None:
    if len(source) > MAX_MARKUP_CHARACTERS:
        raise CorpusError(
            f"has {len(source):,} characters of {kind}, more than {MAX_MARKUP_CHARACTERS:,}: "
            "save it as plain text"
        )


def _front_matter(source: str) -> tuple[dict[str, str], str]:
    """Split front matter off; its fields come under the names of `FIELDS`, cleaned of quotes."""
    lines = source.split("\n", _MAX_FRONT_MATTER_LINES + 2)
    if lines[0].rstrip() == "+++":
        raise CorpusError("line 1: TOML front matter isn't read; put YAML lines between ---")
    if lines[0].rstrip() != "---" or len(lines) < 2 or not lines[1].strip():
        return {}, source  # no front matter: a rule between paragraphs
    values: dict[str, str] = {}
    key = ""
    for number, line in enumerate(lines[1 : _MAX_FRONT_MATTER_LINES + 2], start=2):
        if line.rstrip() in ("---", "..."):
            fields = {name: str(field(values, name) or "") for name in FIELDS}
            return fields, "\n".join(lines[number:])
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t-":  # a folded value or a list; neither is a key of ours
            if values.get(key) in (">", "|", ">-", "|-"):
                values[key] = ""
            if key and not line.lstrip().startswith("-"):
                values[key] = f"{values[key]} {line.strip()}".strip()
            continue
        match = _FRONT_MATTER_LINE.match(line.rstrip())
        if match is None:
            raise CorpusError(f"line {number}: front matter needs 'key: value', not {line[:40]!r}")
        key = match["key"].lower()
        values[key] = _unquote(match["value"] or "", number)
    raise CorpusError("line 1: front matter is opened with --- and never closed")


def _unquote(value: str, number: int) -> str:
    value = value.strip()
    if value[:1] in ("'", '"'):
        end = value.rfind(value[0])
        if end == 0:
            raise CorpusError(
                f"line {number}: front matter has an opening quote and no closing one"
            )
        inner = value[1:end]
        return inner.replace("''", "'") if value[0] == "'" else inner.replace('\\"', '"')
    value = value.split(" #", 1)[0].rstrip()
    return "" if value.lower() in _UNKNOWN else value


def _markdown_text(source: str) -> tuple[str, str]:
    """Return the first heading of level 1 and the text without it and without markup."""
    from markdown_it import MarkdownIt

    blocks: list[str] = []
    title = ""
    heading_level = ""
    for token in MarkdownIt("commonmark").enable("table").parse(source):
        if token.type == "heading_open":
            heading_level = token.tag
        elif token.type == "inline":
            parts = []
            for child in token.children or ():
                if child.type in ("text", "code_inline", "text_special"):
                    parts.append(child.content)
                elif child.type in ("softbreak", "hardbreak"):
                    parts.append(" ")
            block = "".join(parts).strip()
            if heading_level == "h1" and not title:
                title = block
            elif block:
                blocks.append(block)
            heading_level = ""
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content.strip())
        elif token.type == "html_block":
            blocks.append(
                re.sub(
                    r"<[^<>]*>", " ", re.sub(r"<!--.*?(?:-->|\Z)", " ", token.content, flags=re.S)
                ).strip()
            )
    return title, "\n".join(block for block in blocks if block)


def _join_wrapped(lines: list[str]) -> list[str]:
    """Join the lines of paragraphs that were wrapped at a fixed width, as in old e-mail."""
    if max(map(len, lines)) > 100:
        return lines
    pairs = [(a, b) for a, b in pairwise(lines) if a and b]
    wrapped = sum(len(a) >= 45 and not _ENDS_SENTENCE.search(a) for a, b in pairs)
    if len(pairs) < 3 or wrapped < 0.6 * len(pairs):
        return lines
    joined: list[str] = []
    for line, before in zip(lines, ["", *lines], strict=False):
        if line and before and len(before) >= 45 and joined:
            joined[-1] = f"{joined[-1]} {line}"
        else:
            joined.append(line)
    return joined


def _drop_furniture(lines: Iterable[str]) -> tuple[list[str], str]:
    """Return the lines without labels of the page around an article, and the copyright's owner."""
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
        elif in_list and len(line) <= _HEADLINE and not _ENDS_SENTENCE.search(line):
            continue
        else:
            in_list = False
            kept.append(line)
    return kept, owner


def _take_dateline(lines: list[str]) -> tuple[list[str], date | None]:
    """Drop a byline and a line that only dates the article, and return the day if it has one."""
    published = None
    kept: list[str] = []
    seen = 0
    for line in lines:
        seen += bool(line)
        if line and seen <= _TOP_LINES and len(line) <= 120:
            day = find_day(line)
            rest = line.rstrip(".")
            is_sentence = bool(_ENDS_SENTENCE.search(line)) and parse_day(rest) is None
            if (
                day
                and not is_sentence
                and (seen > 1 or _DATELINE_LEAD.match(line) or parse_day(rest))
            ):
                published = published or day
                continue
            if seen > 1 and not is_sentence and _BYLINE.match(line) and not day:
                continue
            if seen > 1 and _BYLINE.match(line) and line[0] == "B" and len(line.split()) <= 8:
                continue
        elif line and published is None and seen <= _TOP_LINES:
            head = _PLACE_AND_DAY.match(line)
            published = find_day(head["head"]) if head else None
        kept.append(line)
    return kept, published

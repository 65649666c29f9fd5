"""The text of one file -> title, body, publisher, day: Markdown, plain text and web pages.

Each function takes decoded text and returns a `Content`; it raises `CorpusError`, whose message
completes "file.md: …", where the file is not usable. Nothing here opens a file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.errors import CorpusError
from rag.sources.clean import clean_line, clean_text
from rag.sources.dates import parse_day
from rag.sources.furniture import ENDS_SENTENCE, drop_furniture, take_dateline

if TYPE_CHECKING:
    from markdown_it.token import Token

# Names under which articles carry their parts, best first; JSON lines and front matter share them.
FIELDS = {
    "article_id": ("id", "article_id"),
    "title": ("title", "headline"),
    "text": ("text", "body", "content"),
    "publisher": ("publisher", "source", "outlet", "site"),
    "published": ("published", "publish_date", "date", "published_at"),
    "url": ("url", "link"),
}
# A parser needs some hundred times the memory of its text: of this size, even text made to hurt
# it stays below 256 MB and ten seconds.
MAX_MARKDOWN_CHARACTERS = 300_000
MAX_HTML_CHARACTERS = 600_000

_TAG = re.compile(r"<[^<>]*>")
_CODE = re.compile(r"<!--|<(?P<name>script|style|svg)\b[^<>]{0,500}>?", re.IGNORECASE)
_CODE_ENDS = {
    name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "svg")
} | {"comment": re.compile("-->")}
# What a reader of the page doesn't see must not be quoted.
_HIDDEN_ELEMENTS = (
    "//*[@hidden]",
    "//template",
    "//noscript",
    "//*[contains(translate(@style, 'DISPLAYNOE ', 'displaynoe'), 'display:none')]",
    "//*[contains(translate(@style, 'VISBLTYHDEN ', 'visbltyhden'), 'visibility:hidden')]",
)
_MAX_FRONT_MATTER_LINES = 100
_MAX_TITLE = 200
_MAX_ADDRESS = 4000
_FRONT_MATTER_LINE = re.compile(r"(?P<key>[A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(?P<value>.*))?$")
_UNKNOWN = frozenset(("", "none", "null", "~", "n/a"))


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
    _check_size(source, "Markdown", MAX_MARKDOWN_CHARACTERS)
    source = source.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n")
    fields, body = _front_matter(source)
    title, text = _markdown_text(body, clean_line(fields.get("title", "")))
    return Content(
        text=clean_text(text).text,
        title=title,
        publisher=clean_line(fields.get("publisher", "")),
        published=parse_day(fields.get("published", "")),
        url=web_address(fields.get("url", "")),
    )


def parse_plain(source: str) -> Content:
    """Read plain text: title from the first line, day from a dateline, page furniture dropped.

    A first line that is a whole sentence is the title and stays in the text too, since it may
    be the article's lead. The publisher comes from a copyright line.
    """
    lines = _join_wrapped(clean_text(source).text.split("\n"))
    lines, owner = drop_furniture(lines)
    lines, published = take_dateline(lines)
    title = next((line for line in lines if line), "")
    if len(title) > _MAX_TITLE:
        title = ""
    elif title and not ENDS_SENTENCE.search(title):
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
    source = _without_code(source)
    _check_size(source, "HTML", MAX_HTML_CHARACTERS)
    import trafilatura
    from trafilatura.settings import use_config

    config = use_config()
    # Below this length trafilatura takes all text of the page instead; news can be short.
    config["DEFAULT"]["MIN_EXTRACTED_SIZE"] = "50"
    try:
        found = trafilatura.bare_extraction(
            source,
            with_metadata=True,
            include_comments=False,
            prune_xpath=list(_HIDDEN_ELEMENTS),
            config=config,
            # Only a date that the page declares: one from its text may be any day.
            date_extraction_params={"extensive_search": False, "original_date": True},
        )
    except (RecursionError, ValueError, AssertionError) as error:
        raise CorpusError(f"could not be parsed as HTML ({type(error).__name__})") from error
    if found is None:
        raise CorpusError("holds no article text that could be told from the page around it")
    page = found.as_dict() if not isinstance(found, dict) else found
    lines, owner = drop_furniture(clean_text(page.get("text") or "").text.split("\n"))
    title = clean_line(page.get("title") or "")
    if lines[0] == title:
        lines = lines[1:]
    (_, *lines), _ = take_dateline([title or "-", *lines])
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
    known = re.match(r"https?://[^/]", address, re.IGNORECASE)
    return address if known and len(address) <= _MAX_ADDRESS else None


def _check_size(source: str, kind: str, limit: int) -> None:
    if len(source) > limit:
        raise CorpusError(
            f"has {len(source):,} characters of {kind}, more than {limit:,}: save it as .txt"
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
        values[key] = value = _unquote(match["value"] or "", number)
        if key in FIELDS["published"] and value and parse_day(value) is None:
            raise CorpusError(f"line {number}: {value[:40]!r} isn't a date such as 2025-08-23")
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


def _markdown_text(source: str, title: str) -> tuple[str, str]:
    """Return the title and the text without markup, one block a line.

    Without a `title`, the first heading of level 1 is it. The title's heading is left out.
    """
    from markdown_it import MarkdownIt

    blocks: list[str] = []
    heading = ""
    row: list[str] | None = None
    for token in MarkdownIt("commonmark").enable("table").parse(source):
        if token.type == "heading_open":
            heading = token.tag
        elif token.type == "heading_close":
            heading = ""
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            blocks.append(" | ".join(row or ()))
            row = None
        elif token.type == "inline":
            block = clean_line(_inline_text(token.children or ()))
            if row is not None:
                row.append(block)
            elif heading == "h1" and title.casefold() in ("", block.casefold()):
                title = title or block
            else:
                blocks.append(block)
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content)
        elif token.type == "html_block":
            blocks.append(html.unescape(_TAG.sub(" ", _without_code(token.content))))
    return title, "\n".join(filter(None, map(str.strip, blocks)))


def _inline_text(children: Iterable[Token]) -> str:
    """Return the words of inline Markdown: of links the text, of images nothing."""
    parts = []
    for child in children:
        if child.type in ("text", "text_special", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or child.content.lower().startswith("<br"):
            parts.append(" ")
    return "".join(parts)


def _without_code(source: str) -> str:
    """Drop comments, scripts but JSON-LD, and styles, which often are most of a saved page."""
    kept = []
    position = 0
    while opening := _CODE.search(source, position):
        name = (opening["name"] or "comment").lower()
        closing = _CODE_ENDS[name].search(source, opening.end())
        end = closing.end() if closing else len(source)
        metadata = name == "script" and "ld+json" in opening.group().lower()
        kept.append(source[position : end if metadata else opening.start()])
        position = end
    kept.append(source[position:])
    return "".join(kept)


def _join_wrapped(lines: list[str]) -> list[str]:
    """Join the lines of paragraphs that were wrapped at a fixed width, as in old e-mail."""
    if max(map(len, lines)) > 100:
        return lines
    pairs = [(a, b) for a, b in pairwise(lines) if a and b]
    wrapped = sum(len(a) >= 45 and not ENDS_SENTENCE.search(a) for a, b in pairs)
    if "" not in lines or len(pairs) < 3 or wrapped < 0.6 * len(pairs):
        return lines
    joined: list[str] = []
    for line, before in zip(lines, ["", *lines], strict=False):
        if line and before and len(before) >= 45 and joined:
            joined[-1] = f"{joined[-1]} {line}"
        else:
            joined.append(line)
    return joined

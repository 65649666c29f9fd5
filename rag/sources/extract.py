"""The child process that reads PDF, Word and feed files: ``python -m rag.sources.extract .pdf``.

Such parsers are large and meet files made to hurt them, so they run apart, with little memory and
time. The file comes on stdin; what was found goes to stdout as one line of JSON: a list of
documents, or a reason. Nothing here opens a file or a connection.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any

# Memory that a parser may take beside what it was loaded with, and seconds of processor time.
MEMORY_BYTES = 256 * 2**20
CPU_SECONDS = 8
MAX_PAGES = 3_000
# Unpacked size of the one part of a Word file that holds its text.
MAX_PART_BYTES = 48 * 2**20
MAX_ENTRIES = 5_000
MAX_DEPTH = 200

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CORE = {"dc": "http://purl.org/dc/elements/1.1/", "dcterms": "http://purl.org/dc/terms/"}
_ENDS = re.compile(r"[.!?:;][\"'”’)]?$")
_HYPHEN = re.compile(r"\w-$")
_BLOCKS = frozenset(("address", "article", "blockquote", "br", "dd", "div", "dt", "figcaption"))
_BLOCKS |= {"h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "pre", "section", "tr"}
_HIDDEN = frozenset(("script", "style", "template", "noscript", "svg"))

Document = dict[str, str]


class UnusableError(Exception):
    """The file can't be read; the message completes "file.pdf: …"."""


def read_pdf(data: bytes) -> list[Document]:
    """Return the text of a PDF, paragraphs rejoined; its own title and day where it has them."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnusableError("is encrypted: save it without a password")
        if len(reader.pages) > MAX_PAGES:
            raise UnusableError(f"has {len(reader.pages):,} pages, more than {MAX_PAGES:,}")
        pages = [page.extract_text() for page in reader.pages]
        about = reader.metadata
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UnusableError(f"is a damaged PDF ({type(error).__name__})") from error
    text = join_lines(line for page in pages for line in [*page.splitlines(), ""])
    if not text:
        raise UnusableError("holds no text: scanned pages need character recognition first")
    title = str(about.title or "") if about else ""
    day = str(about.get("/CreationDate") or "") if about else ""
    return [{"text": text, "title": title, "published": re.sub(r"^D:(\d{8}).*", r"\1", day)}]


def join_lines(lines: Iterable[str]) -> str:
    """Join the lines of a column of text into paragraphs.

    A paragraph ends where a sentence ends on a line shorter than the column.

    Examples
    --------
    >>> join_lines(["Leaders met in Tokyo on Sat-", "urday.", "They talked."])
    'Leaders met in Tokyo on Saturday. They talked.'
    """
    kept = [line.strip() for line in lines]
    width = sorted(map(len, kept))[int(len(kept) * 0.9)] if kept else 0
    paragraphs: list[str] = []
    open_one = False
    for line in kept:
        if not line:
            open_one = open_one and not _ENDS.search(paragraphs[-1])
            continue
        if not open_one:
            paragraphs.append(line)
        elif _HYPHEN.search(paragraphs[-1]) and line[0].islower():
            paragraphs[-1] = paragraphs[-1][:-1] + line
        else:
            paragraphs[-1] += " " + line
        ended = _ENDS.search(line) is not None and len(line) < 0.8 * width
        # The first line is mostly the title, unless it runs to the end of the column.
        title = len(paragraphs) == 1 and len(line) < 0.8 * width
        open_one = not (ended or title)
    return "\n".join(paragraphs)


def read_docx(data: bytes) -> list[Document]:
    """Return the text of a Word file, one paragraph a line; its own title and day."""

    def part(archive: zipfile.ZipFile, name: str) -> Any:
        with archive.open(name) as file:
            content = file.read(MAX_PART_BYTES + 1)
        if len(content) > MAX_PART_BYTES:
            raise UnusableError(f"unpacks to more than {MAX_PART_BYTES // 2**20} MB")
        return parse_xml(content)

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            body = part(archive, "word/document.xml")
            names = archive.namelist()
            core = part(archive, "docProps/core.xml") if "docProps/core.xml" in names else None
    except KeyError as error:
        raise UnusableError("is no Word document") from error
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise UnusableError(f"is a damaged Word document ({type(error).__name__})") from error
    lines, title = [], ""
    for paragraph in body.iter(f"{_WORD}p"):
        line = "".join(_runs(paragraph)).strip()
        style = paragraph.find(f"{_WORD}pPr/{_WORD}pStyle")
        named = style is not None and style.get(f"{_WORD}val", "").lower() == "title"
        if named and not title:
            title = line
        elif line:
            lines.append(line)
    about: Document = {}
    if core is not None:
        title = title or core.findtext("dc:title", "", _CORE)
        about["published"] = core.findtext("dcterms:created", "", _CORE)
    if not lines:
        raise UnusableError("holds no text")
    return [{"text": "\n".join(lines), "title": title, **about}]


def _runs(paragraph: Any) -> Iterable[str]:
    for node in paragraph.iter():
        if node.tag == f"{_WORD}t":
            yield node.text or ""
        elif node.tag in (f"{_WORD}tab", f"{_WORD}br", f"{_WORD}cr"):
            yield " "


def read_feed(data: bytes) -> list[Document]:
    """Return the entries of an RSS or Atom feed that hold text."""
    if parse_xml(data).tag.rpartition("}")[2].lower() not in ("rss", "feed", "rdf"):
        raise UnusableError("is XML, but no RSS or Atom feed")
    import feedparser  # type: ignore[import-untyped]

    # A stream, because a string would be taken for an address and fetched.
    feed = feedparser.parse(io.BytesIO(data))
    publisher = str(feed.feed.get("title", ""))
    found = []
    for entry in feed.entries[:MAX_ENTRIES]:
        bodies = [str(part.get("value", "")) for part in entry.get("content", ())]
        body = max([*bodies, str(entry.get("summary", ""))], key=len)
        text = html_text(body)
        link = str(entry.get("link", ""))
        title = html_text(str(entry.get("title", "")))
        if not text:
            continue
        found.append(
            {
                "key": str(entry.get("id") or link or title),
                "title": title,
                "text": text,
                "publisher": str(entry.get("source", {}).get("title", "") or publisher),
                "published": str(entry.get("published") or entry.get("updated") or ""),
                "url": link,
            }
        )
    if not found:
        raise UnusableError("is a feed without texts")
    return found


def parse_xml(data: bytes) -> Any:
    """Return the root of an XML document without entities of its own, of bounded depth.

    Raises
    ------
    UnusableError
        If it is malformed, declares entities or is nested deeper than any real document.
    """
    from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import ParseError, iterparse  # type: ignore[import-untyped]

    depth, root = 0, None
    try:
        for event, element in iterparse(io.BytesIO(data), events=("start", "end")):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise UnusableError(f"is nested more than {MAX_DEPTH} deep")
    except DefusedXmlException as error:
        raise UnusableError("declares XML entities, which no article needs") from error
    except (ParseError, ValueError, LookupError) as error:
        raise UnusableError(f"is not well-formed XML ({error})") from error
    return root


class _Text(HTMLParser):
    """Collects what a reader sees, a line for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        self._hidden += tag in _HIDDEN

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def html_text(source: str) -> str:
    r"""Return the words of a fragment of HTML, one block a line.

    Examples
    --------
    >>> html_text("<p>Leaders <b>met</b>.</p><script>x</script><p>They talked.</p>")
    'Leaders met.\nThey talked.'
    """
    parser = _Text()
    parser.feed(source)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(filter(None, lines))


READERS = {".pdf": read_pdf, ".docx": read_docx, ".feed": read_feed}


def limit_self() -> None:
    """Take a bound of memory, time, files and processes; where the system knows such bounds."""
    try:
        import resource
    except ImportError:
        return
    with suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, held + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main(suffix: str) -> None:
    """Read stdin, write JSON to stdout."""
    logging.disable(logging.CRITICAL)
    data = sys.stdin.buffer.read()
    answer: dict[str, object]
    try:
        limit_self()
        answer = {"documents": READERS[suffix](data)}
    except UnusableError as error:
        answer = {"reason": str(error)}
    except ImportError as error:
        package = str(error.name).partition(".")[0]
        answer = {"reason": f"needs the package {package}: pip install 'dateline-rag[files]'"}
    except MemoryError:
        answer = {"reason": f"needs more than {MEMORY_BYTES // 2**20} MB of memory to be read"}
    except RecursionError:
        answer = {"reason": "is nested too deeply"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])

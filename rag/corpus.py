"""Files of a folder -> articles.

A file or line that can't be read becomes a `Skip` with the reason, and the rest is still read:
one broken download never stops a sync.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from rag.errors import CorpusError
from rag.schema import Article, Skip
from rag.sources.archive import members
from rag.sources.clean import clean_line, clean_text, decode, refuse_binary
from rag.sources.dates import parse_day
from rag.sources.formats import Content, field, parse_html, parse_markdown, parse_plain, web_address
from rag.sources.isolate import KINDS, extract

# A file that holds one article; above it the file is no article.
MAX_FILE_BYTES = 32 * 2**20
# Longest text of one article, in characters: a thick book.
MAX_TEXT_CHARACTERS = 6_000_000
# One line of JSON; its parsed form may need ten times as much memory.
MAX_LINE_BYTES = 16 * 2**20
# All lines of one file, decompressed.
MAX_EXPANDED_BYTES = 2 * 2**30
# Text compresses to a third or a fifth; only a bomb reaches a hundredth.
_MAX_EXPANSION = 100
_MIN_EXPANDED_BYTES = 64 * 2**20
# Brackets and quotes in a line: what bounds the objects that parsing makes.
_MAX_BRACKETS, _MAX_QUOTES = 100_000, 1_000_000
# Fewer letters and digits than this are no sentence.
_MIN_WORD_CHARACTERS = 3
_MAX_LINE_SKIPS = 100
_MAX_UNSUPPORTED = 20
_MAX_ID = 200
# Longer ones are cut: no publisher prints such a line.
_MAX_TITLE, _MAX_PUBLISHER = 500, 100
_CHUNK = 2**20

_PARSERS: dict[str, Callable[[str], Content]] = {
    ".md": parse_markdown,
    ".txt": parse_plain,
    ".html": parse_html,
    ".htm": parse_html,
}
_LINES = (".jsonl", ".jsonl.gz")
_ARCHIVE = ".zip"
SUPPORTED = (*_PARSERS, *_LINES, *KINDS, _ARCHIVE)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a corpus, as found on disk.

    Parameters
    ----------
    path : Path
    relative : str
        Path below the corpus folder, with ``/`` between its parts.
    size : int
        Bytes.
    modified_ns : int
        Time of the last change, in nanoseconds since 1970.
    """

    path: Path
    relative: str
    size: int
    modified_ns: int


Reading = tuple[tuple[Article, ...], tuple[Skip, ...]]


def find_sources(corpus: Path) -> tuple[Source, ...]:
    """Return the supported files of a folder; takes and raises what `look_through` does."""
    return look_through(corpus)[0]


def look_through(corpus: Path) -> tuple[tuple[Source, ...], tuple[Skip, ...]]:
    """Find the files of a folder and its subfolders, sorted by relative path.

    Hidden files and folders, ``README.md`` and links that lead out of the folder are left out.

    Parameters
    ----------
    corpus : Path
        A folder, or a single file.

    Returns
    -------
    sources : tuple of Source
        Those that a reader is for.
    skips : tuple of Skip
        The others; beyond a few, their number.

    Raises
    ------
    CorpusError
        If it is missing, can't be read, or holds no supported file.
    """
    supported = ", ".join(SUPPORTED)
    try:
        if corpus.is_file():
            if not _suffix(corpus.name):
                raise CorpusError(f"{corpus} is not one of the supported files: {supported}")
            return (_source(corpus, corpus.name),), ()
        if not corpus.is_dir():
            raise CorpusError(f"there is no folder {corpus}: name the folder with your articles")
        files = sorted(_walk(corpus, corpus.resolve()), key=lambda source: source.relative)
    except OSError as error:
        raise CorpusError(f"can't read {error.filename or corpus}: {error.strerror}") from error
    found = tuple(source for source in files if _suffix(source.path.name))
    if not found:
        raise CorpusError(f"{corpus} holds no articles: supported files are {supported}")
    names = [source.relative for source in files if not _suffix(source.path.name)]
    skips = [Skip(name, f"is not one of {supported}") for name in names]
    more = len(skips) - _MAX_UNSUPPORTED
    if more > 0:
        skips[_MAX_UNSUPPORTED:] = [Skip(corpus.name, f"holds {more} more unsupported files")]
    return found, tuple(skips)


def read_source(source: Source) -> Reading:
    """Read the articles of one file.

    The id of an article is its relative path without the extension; in a ``.jsonl`` file it is
    the line's ``id`` or ``article_id``, else the file's name and the line's number; in a feed the
    file's name and a hash of the entry's own id. Files in a ``.zip`` stand below its name.

    Returns
    -------
    articles : tuple of Article
        In the order of the file; ids are unique in it.
    skips : tuple of Skip
        What could not be read and why, with line numbers. Nothing is raised.
    """
    try:
        with source.path.open("rb") as raw:
            if _suffix(source.path.name) == _ARCHIVE:
                return _read_archive(raw, source)
            return _read_open(raw, source)
    except OSError as error:
        reason = f"can't be read: {error.strerror or error}"
    return (), (Skip(source.relative, reason),)


def _walk(corpus: Path, root: Path) -> Iterator[Source]:
    def fail(error: OSError) -> None:
        # A folder that can't be listed must not look like one whose articles were deleted.
        raise error

    for folder, folders, files in os.walk(corpus, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.startswith(".") or name.lower() == "readme.md":
                continue
            path = Path(folder, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                continue
            try:
                source = _source(path, path.relative_to(corpus).as_posix())
            except FileNotFoundError:  # a dangling link, or deleted a moment ago
                continue
            if stat.S_ISREG(path.stat().st_mode):
                yield source


def _source(path: Path, relative: str) -> Source:
    status = path.stat()
    # Names that aren't UTF-8 arrive with lone surrogates, which no store takes.
    printable = relative.encode("utf-8", "backslashreplace").decode("utf-8")
    return Source(path, printable, status.st_size, status.st_mtime_ns)


def _suffix(name: str) -> str:
    """Return the supported extension of a file name, or an empty string."""
    lowered = name.lower()
    return next((suffix for suffix in SUPPORTED if lowered.endswith(suffix)), "")


def _stem(source: Source) -> str:
    return source.relative[: -len(_suffix(source.path.name))]


def _read_open(raw: BinaryIO, source: Source) -> Reading:
    try:
        if _suffix(source.path.name) in _LINES:
            return _read_lines(raw, source)
        return tuple(_read_articles(raw, source)), ()
    except CorpusError as error:
        return (), (Skip(source.relative, str(error)),)


def _read_archive(raw: BinaryIO, source: Source) -> Reading:
    articles: list[Article] = []
    skips: list[Skip] = []
    try:
        for name, data in members(raw, source.size, limit=MAX_FILE_BYTES):
            relative = f"{source.relative}/{name}"
            suffix = _suffix(name)
            if Path(name).name.lower() == "readme.md" or "/." in f"/{name}":
                continue
            if isinstance(data, CorpusError):
                skips.append(Skip(relative, str(data)))
            elif not suffix or suffix in (_ARCHIVE, ".jsonl.gz"):
                reason = "is packed once more: unpack it first" if suffix else "is not supported"
                skips.append(Skip(relative, reason))
            else:
                member = Source(Path(name), relative, len(data), source.modified_ns)
                read, read_skips = _read_open(io.BytesIO(data), member)
                articles += read
                skips += read_skips
    except CorpusError as error:
        skips.append(Skip(source.relative, str(error)))
    if not articles and not skips:
        skips.append(Skip(source.relative, "holds no files"))
    more = len(skips) - _MAX_LINE_SKIPS
    if more > 0:
        skips[_MAX_LINE_SKIPS:] = [Skip(source.relative, f"{more} more could not be read")]
    return _each_once(articles, skips, source)


def _each_once(articles: list[Article], skips: list[Skip], source: Source) -> Reading:
    known: dict[str, Article] = {}
    for article in articles:
        if known.setdefault(article.article_id, article) is not article:
            skips.append(Skip(source.relative, f"repeats the id {article.article_id!r}"))
    return tuple(known.values()), tuple(skips)


def _read_articles(raw: BinaryIO, source: Source) -> list[Article]:
    data = raw.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise CorpusError(f"is larger than {MAX_FILE_BYTES // 2**20} MB: split it into articles")
    if not data.strip():
        raise CorpusError("is empty")
    suffix = _suffix(source.path.name)
    stem = clean_line(_stem(source))
    title = clean_line(Path(stem).name.replace("_", " ").replace("-", " "))
    if suffix in _PARSERS:
        content = _PARSERS[suffix](decode(data))
        return [_article(stem, content.title or title, content)]
    found: dict[str, Article] = {}
    for part in extract(suffix, data):
        article_id = f"{stem}#{part.key}" if part.key else stem
        try:
            article = _article(article_id, part.content.title or title, part.content)
        except CorpusError:
            if not part.key:
                raise
            continue  # an entry of a feed without a sentence
        found.setdefault(article_id, article)
    if not found:
        raise CorpusError("has no text")
    return list(found.values())


def _article(article_id: str, title: str, content: Content) -> Article:
    """Return an article, refusing texts that hold no sentence or are no article."""
    if len(content.text) > MAX_TEXT_CHARACTERS:
        raise CorpusError(
            f"has a text of {len(content.text):,} characters, more than {MAX_TEXT_CHARACTERS:,}"
        )
    letters = sum(1 for _ in islice(filter(str.isalnum, content.text), _MIN_WORD_CHARACTERS))
    if letters < _MIN_WORD_CHARACTERS:
        raise CorpusError(f"has no text: {letters} letters or digits make no sentence")
    return Article(
        article_id,
        _shorten(title, _MAX_TITLE),
        content.text,
        _shorten(content.publisher, _MAX_PUBLISHER),
        content.published,
        content.url,
    )


def _shorten(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 2] + " …"


def _read_lines(raw: BinaryIO, source: Source) -> Reading:
    articles: list[Article] = []
    skips: list[Skip] = []
    first_lines: dict[str, int] = {}
    more = 0

    def skip(reason: str) -> None:
        nonlocal more
        if len(skips) < _MAX_LINE_SKIPS:
            skips.append(Skip(source.relative, reason))
        else:
            more += 1

    try:
        for number, line in _lines(raw, source):
            try:
                if line is None:
                    limit = MAX_LINE_BYTES // 2**20
                    raise CorpusError(f"is longer than {limit} MB")
                article = _parse_line(line, f"{_stem(source)}#{number}")
                first = first_lines.setdefault(article.article_id, number)
                if first != number:
                    raise CorpusError(
                        f"repeats the id {article.article_id!r} of line {first}, which is kept"
                    )
                articles.append(article)
            except CorpusError as error:
                skip(f"line {number}: {error}")
    except CorpusError as error:
        skip(str(error))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        skip(f"is damaged: {len(articles)} articles could be unpacked ({error})")
    except OSError as error:
        skip(f"can't be read: {error.strerror or error}")
    if not articles and not skips:
        skip("is empty")
    if more:
        skips.append(Skip(source.relative, f"{more} more lines could not be read"))
    return tuple(articles), tuple(skips)


def _lines(raw: BinaryIO, source: Source) -> Iterator[tuple[int, bytes | None]]:
    """Yield the numbered lines that aren't blank; `None` stands for one that is too long."""
    packed = source.path.name.lower().endswith(".gz")
    file = gzip.GzipFile(fileobj=raw) if packed else raw
    limit = MAX_EXPANDED_BYTES
    if packed:
        limit = min(limit, max(_MIN_EXPANDED_BYTES, _MAX_EXPANSION * source.size))
    total = number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        total += len(line)
        too_long = len(line) > MAX_LINE_BYTES
        while too_long and not line.endswith(b"\n") and total <= limit:
            line = file.readline(_CHUNK)
            total += len(line)
            if not line:
                break
        if total > limit:
            raise CorpusError(
                f"line {number}: the file unpacks to more than {limit // 2**20} MB; "
                "the lines from here on are not read"
            )
        if number == 1:
            _check_first_line(line[:_CHUNK])
        if too_long:
            yield number, None
        elif line.strip():
            yield number, line


def _check_first_line(line: bytes) -> None:
    """Refuse in one sentence what would give a bad line after the other."""
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CorpusError("is UTF-16: JSON Lines must be UTF-8")
    refuse_binary(line)
    if line.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        raise CorpusError("is one JSON array: write one article a line (JSON Lines)")


def _parse_line(line: bytes, default_id: str) -> Article:
    if line.count(b"{") + line.count(b"[") > _MAX_BRACKETS or line.count(b'"') > _MAX_QUOTES:
        raise CorpusError("holds too many nested values to be an article")
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CorpusError(f"is not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise CorpusError(f"is not valid JSON: {error.msg} at column {error.colno}") from error
    except (RecursionError, ValueError) as error:
        raise CorpusError(f"is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise CorpusError("is no JSON object with a text")
    text = field(values, "text")
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        text = "\n".join(text)
    if not isinstance(text, str):
        raise CorpusError('has no "text" (nor "body" or "content")')
    if len(text) > MAX_TEXT_CHARACTERS:
        raise CorpusError(
            f"has a text of {len(text):,} characters, more than {MAX_TEXT_CHARACTERS:,}"
        )
    content = Content(
        text=clean_text(text).text,
        title=_string(field(values, "title")),
        publisher=_string(field(values, "publisher")),
        published=parse_day(field(values, "published")),
        url=web_address(_string(field(values, "url"))),
    )
    given = field(values, "article_id")
    article_id = _string(given) if isinstance(given, str | int) else ""
    if len(article_id) > _MAX_ID:
        raise CorpusError(f"has an id of {len(article_id)} characters, more than {_MAX_ID}")
    return _article(article_id or clean_line(default_id), content.title, content)


def _string(value: object) -> str:
    """Return a value as one clean line; of an object its name, as feeds write a publisher."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return clean_line(str(value))

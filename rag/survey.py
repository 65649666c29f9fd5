"""Compare the files of a corpus with the catalogue: which articles are new, which have gone.

Files that haven't changed since the last sync aren't read again. Where two files tell of the same
thing, one of them yields: the same id or the same text to the file that comes first by name, the
same web page to the version published last.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

from rag.catalogue import SourceOf
from rag.corpus import Source, read_source
from rag.holdings import FileRecord, Live
from rag.lineage import page_key, text_hash
from rag.schema import Article, Skip
from rag.sources.isolate import MISSING_PACKAGE

Reading = tuple[tuple[Article, ...], tuple[Skip, ...]]

# Files read ahead of the embedder, each in a thread: those of PDF and the like wait for a child
# process, so that several are parsed at once. Small, since what was read ahead is held in memory.
READERS = 2
AHEAD = 4


@dataclass(slots=True)
class _Page:
    """The version of a web page that stands so far."""

    article_id: str
    relative: str
    text_hash: bytes
    rank: tuple[date, int, str]


@dataclass(slots=True)
class Survey:
    """What the corpus holds now; complete once `changed` has been walked to its end.

    Parameters
    ----------
    found : sequence of Source
        Files in the order in which they take precedence.
    before : mapping of str to FileRecord
        What was read from each file at the last sync; empty to read all.
    live : mapping of str to Live
        What the catalogue holds; empty to write all.
    """

    found: Sequence[Source]
    before: Mapping[str, FileRecord]
    live: Mapping[str, Live]
    files: dict[str, FileRecord] = field(default_factory=dict)
    sources: list[SourceOf] = field(default_factory=list)
    same: bool = False
    """Whether no file has changed, come or gone."""
    _to_read: int = 0
    _read: int = 0
    _waiting: int = 0
    _owners: dict[str, str] = field(default_factory=dict)
    _texts: dict[bytes, str] = field(default_factory=dict)
    _pages: dict[str, _Page] = field(default_factory=dict)
    _by_page: dict[str, str] = field(default_factory=dict)

    @property
    def article_ids(self) -> set[str]:
        """The articles that the corpus holds."""
        return {article_id for file in self.files.values() for article_id in file.article_ids}

    @property
    def skips(self) -> tuple[Skip, ...]:
        """What could not be read or has yielded, and why."""
        return tuple(skip for file in self.files.values() for skip in file.skips)

    @property
    def expected(self) -> int:
        """How many articles must be written in all: an estimate by bytes until all are read."""
        return round(self._waiting * self._to_read / self._read) if self._read else 0

    def changed(self) -> Iterator[Article]:
        """Yield the articles that must be written, as files are read.

        An article that turns out to be an earlier version of a later one is yielded all the
        same; it is not among `article_ids` in the end.
        """
        digests = {source.relative: _digest(source) for source in self.found}
        known = {relative: record.sha256 for relative, record in self.before.items()}
        self.same = bool(known) and digests == known and not any(map(_lacked, self.before.values()))
        if self.same:
            self.files = dict(self.before)
            return
        self._by_page = {live.page: name for name, live in self.live.items() if live.page}
        must = {source.relative: self._must_read(source, digests) for source in self.found}
        self._to_read = sum(source.size for source in self.found if must[source.relative])
        later: list[tuple[Source, Article]] = []
        for source, reading in _read_ahead(self.found, must):
            digest = digests[source.relative]
            record = self.before.get(source.relative)
            if reading is None and record is not None and self._still_stands(record):
                # A file that can't be opened for the moment keeps what was read from it before.
                skips = record.skips if digest else (Skip(source.relative, "can't be opened now"),)
                self.files[source.relative] = FileRecord(digest or "", record.article_ids, skips)
                for article_id in record.article_ids:
                    self._take(source, article_id, self.live[article_id])
                continue
            if reading is None:
                self._to_read += source.size
                reading = read_source(source)
            articles, skips = reading
            self._read += source.size
            self._waiting += len(articles)
            self.files[source.relative] = FileRecord(digest or "", (), skips)
            for article in articles:
                if self._may_yet_come(article):
                    later.append((source, article))
                elif self._keep(source, article):
                    yield article
                else:
                    self._waiting -= 1
        for source, article in later:
            if self._keep(source, article):
                yield article
            else:
                self._waiting -= 1

    def _must_read(self, source: Source, digests: Mapping[str, str | None]) -> bool:
        record = self.before.get(source.relative)
        digest = digests[source.relative]
        if record is None or record.yields or _lacked(record):
            return True
        return digest not in (record.sha256, None)

    def _still_stands(self, record: FileRecord) -> bool:
        """Tell whether nothing in an unchanged file has to yield to an earlier one."""
        return all(
            article_id in self.live
            and article_id not in self._owners
            and self.live[article_id].text_hash not in self._texts
            and (self.live[article_id].page or "") not in self._pages
            for article_id in record.article_ids
        )

    def _take(self, source: Source, article_id: str, article: Live) -> None:
        self._owners[article_id] = source.relative
        self._texts[article.text_hash] = article_id
        if article.page:
            rank = _rank(source, article.published)
            self._pages[article.page] = _Page(article_id, source.relative, article.text_hash, rank)

    def _may_yet_come(self, article: Article) -> bool:
        """Tell whether the article's page is live under another id, not met in this survey yet."""
        holder = self._by_page.get(page_key(article.url) or "")
        return holder not in (None, article.article_id) and holder not in self._owners

    def _keep(self, source: Source, article: Article) -> bool:
        """Note an article of a file; return whether it must be written."""
        article_id, relative = article.article_id, source.relative
        now = Live(
            article.version, text_hash(article.text), page_key(article.url), article.published
        )
        if other := self._owners.get(article_id):
            reason = f"its id {article_id!r} is already used by {other}; rename one"
            return self._yield(relative, reason)
        if twin := self._texts.get(now.text_hash):
            self.sources.append(SourceOf(twin, article))
            self._owners[article_id] = relative
            return self._yield(relative, f"{article_id!r} has the text of {twin!r}: a source of it")
        page = self._pages.get(now.page) if now.page else None
        if page is not None:
            if _rank(source, article.published) < page.rank:
                reason = f"{article_id!r} is an earlier version of {page.article_id!r}"
                return self._yield(relative, f"{reason}, at the same address")
            reason = f"{page.article_id!r} is an earlier version of {article_id!r}"
            self._yield(page.relative, f"{reason}, at the same address", page.article_id)
            self._texts.pop(page.text_hash, None)
        self._take(source, article_id, now)
        self._change(relative, add=article_id)
        stood = self.live.get(article_id)
        return stood is None or stood.version != article.version

    def _yield(self, relative: str, reason: str, article_id: str | None = None) -> bool:
        self._change(relative, remove=article_id, skip=Skip(relative, reason), yields=True)
        return False

    def _change(
        self,
        relative: str,
        *,
        add: str | None = None,
        remove: str | None = None,
        skip: Skip | None = None,
        yields: bool = False,
    ) -> None:
        record = self.files[relative]
        ids = tuple(i for i in record.article_ids if i != remove)
        self.files[relative] = FileRecord(
            record.sha256,
            (*ids, add) if add is not None else ids,
            (*record.skips, skip) if skip is not None else record.skips,
            record.yields or yields,
        )


def _read_ahead(
    found: Sequence[Source], must: Mapping[str, bool]
) -> Iterator[tuple[Source, Reading | None]]:
    """Yield each file with what was read from it, in order; None where nothing must be read."""
    waiting: deque[tuple[Source, Future[Reading] | None]] = deque()
    with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as pool:
        try:
            for source in found:
                future = pool.submit(read_source, source) if must[source.relative] else None
                waiting.append((source, future))
                while len(waiting) > AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result() if future else None
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result() if future else None
        finally:
            pool.shutdown(cancel_futures=True)


def _rank(source: Source, published: date | None) -> tuple[date, int, str]:
    return (published or date.min, source.modified_ns, source.relative)


def _lacked(record: FileRecord) -> bool:
    """Tell whether a file could not be read for want of a package, which may be there now."""
    return any(MISSING_PACKAGE in skip.reason for skip in record.skips)


def _digest(source: Source) -> str | None:
    try:
        with source.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None

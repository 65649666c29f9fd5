"""What a catalogue holds: articles and their versions, passages, vectors, files read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from rag.database import Database, ints, marks, parts
from rag.schema import Article, Filter, Passage, Skip, Span

# Vectors are kept as float16: half the bytes, and a cosine moves by less than 0.0005.
STORED = np.dtype("<f2")

LIVE = "SELECT version_id FROM versions WHERE state = 'live'"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What was read from one file of the corpus: its hash, its articles and its skips.

    It `yields` if something in it gave way to another file, and must be read again should any
    file change.
    """

    sha256: str
    article_ids: tuple[str, ...]
    skips: tuple[Skip, ...]
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """What tells whether a live article is still the same: its version, text, page and day."""

    version: str
    text_hash: bytes
    page: str | None
    published: date | None


class Holdings(Database):
    """Reads a catalogue's file."""

    def live(self) -> dict[str, Live]:
        """Return what tells whether an article has changed, for every live article by id."""
        rows = self._rows(
            "SELECT article_id, version, text_hash, page, published FROM versions "
            "WHERE state = 'live'"
        )
        return {
            article_id: Live(version, text, page, _day(day))
            for article_id, version, text, page, day in rows
        }

    def files(self) -> dict[str, FileRecord]:
        """Return what was read from each file at the last sync, by relative path."""
        return {
            relative: FileRecord(
                sha256,
                tuple(json.loads(ids)),
                tuple(Skip(*skip) for skip in json.loads(skips)),
                bool(yields),
            )
            for relative, sha256, ids, skips, yields in self._rows("SELECT * FROM files")
        }

    def versions(self, article_id: str) -> list[tuple[Article, bool, int]]:
        """Return every kept version of an article, oldest first.

        Versions that stood under another id at the same address are part of it, and so is the
        article whose further source has this id.

        Returns
        -------
        list of (Article, bool, int)
            With whether it is live, and when it was stored, in seconds since 1970.
        """
        rows = self._rows(
            "SELECT article_id, title, text, publisher, published, url, state = 'live', stored "
            "FROM versions WHERE state != 'pending' AND (article_id IN (SELECT ? UNION "
            "SELECT article_id FROM sources WHERE source_id = ? AND current) OR page IN "
            "(SELECT page FROM versions WHERE article_id = ? AND page IS NOT NULL)) "
            "ORDER BY version_id",
            (article_id, article_id, article_id),
        )
        return [(_article(*row[:6]), bool(row[6]), row[7]) for row in rows]

    def sources(self, article_id: str) -> tuple[Article, ...]:
        """Return the further sources of a live article, as articles of the same text, by id."""
        return self._sources("article_id = ? AND current", (article_id,))

    def _sources(self, where: str, values: Sequence[object]) -> tuple[Article, ...]:
        rows = self._rows(
            "SELECT source_id, title, (SELECT text FROM versions "
            "WHERE versions.text_hash = sources.text_hash LIMIT 1), publisher, published, url "
            f"FROM sources WHERE {where} ORDER BY source_id",
            values,
        )
        return tuple(_article(*row) for row in rows if row[2] is not None)

    def as_allowed(self, article: Article, allowed: Filter) -> Article:
        """Return an article as the source of it that a filter lets through."""
        if _allows(allowed, article):
            return article
        others = (other for other in self.sources(article.article_id) if _allows(allowed, other))
        return next(others, article)

    def copies(self, article_ids: Sequence[str]) -> dict[str, set[str]]:
        """Return for each live article the ids of live articles that are copies of it."""
        found: dict[str, set[str]] = {}
        for part in parts(article_ids):
            for a, b in self._rows(
                "SELECT a.article_id, b.article_id FROM copies JOIN versions AS a "
                "USING (version_id) JOIN versions AS b ON b.version_id = copy_id "
                f"WHERE a.article_id IN ({marks(part)}) OR b.article_id IN ({marks(part)})",
                (*part, *part),
            ):
                found.setdefault(a, set()).add(b)
                found.setdefault(b, set()).add(a)
        return found

    def article(self, article_id: str, version: str | None = None) -> Article | None:
        """Return one version of an article, live or old; by default the live one.

        The id may be that of a further source.
        """
        found = self._articles(
            "WHERE article_id = ? AND (version = ? OR (? IS NULL AND state = 'live')) "
            "AND state != 'pending' ORDER BY version_id DESC LIMIT 1",
            (article_id, version, version),
        )
        if found:
            return found[0]
        sources = self._sources("source_id = ? AND (current OR ? NOTNULL)", (article_id, version))
        return next((a for a in sources if version in (None, a.version)), None)

    def articles(self) -> tuple[Article, ...]:
        """Return every live article, by title."""
        return tuple(self._articles("WHERE state = 'live' ORDER BY title, article_id", ()))

    def _articles(self, where: str, values: Sequence[object]) -> list[Article]:
        rows = self._rows(
            "SELECT article_id, title, text, publisher, published, url FROM versions " + where,
            values,
        )
        return [_article(*row) for row in rows]

    def passages(self, passage_ids: Sequence[int]) -> dict[int, Passage]:
        """Return live passages by id; ids that are not live are left out."""
        found: dict[int, Passage] = {}
        for ids in parts(passage_ids):
            found |= self._passages(f"WHERE state = 'live' AND passage_id IN ({marks(ids)})", ids)
        return found

    def _passages(self, where: str, values: Sequence[object]) -> dict[int, Passage]:
        rows = self._rows(
            "SELECT passage_id, version_id, sentences, article_id, title, text, publisher, "
            f"published, url FROM passages CROSS JOIN versions USING (version_id) {where} "
            "ORDER BY passage_id",
            values,
        )
        articles: dict[int, Article] = {}
        found = {}
        for passage_id, version_id, sentences, *article in rows:
            if version_id not in articles:
                articles[version_id] = _article(*article)
            spans = _unpack_spans(sentences)
            found[passage_id] = Passage(
                articles[version_id], Span(spans[0].start, spans[-1].end), spans
            )
        return found

    def live_version_ids(self, allowed: Filter | None = None) -> set[int]:
        """Return the ids of all live versions, or of those that are allowed."""
        chosen, values = live_query(allowed)
        return set(ints(self._rows(chosen, values)))

    def version_ids(self, passage_ids: Sequence[int]) -> dict[int, int]:
        """Return the version that each live passage is of; ids that are not live are left out."""
        found: dict[int, int] = {}
        for part in parts(passage_ids):
            found |= dict(
                self._rows(
                    "SELECT passage_id, version_id FROM passages CROSS JOIN versions "
                    f"USING (version_id) WHERE state = 'live' AND passage_id IN ({marks(part)})",
                    part,
                )
            )
        return found

    def passage_ids(self, allowed: Filter | None = None) -> list[int]:
        """Return the ids of all live passages, or of those in the articles that are allowed."""
        chosen, values = live_query(allowed)
        rows = self._rows(f"SELECT passage_id FROM passages WHERE version_id IN ({chosen})", values)
        return sorted(ints(rows))

    def vectors(self, passage_ids: Sequence[int]) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Return the ids that are stored, in ascending order, and their vectors, a row each."""
        ids: list[int] = []
        blobs: list[bytes] = []
        for part in parts(passage_ids):
            for passage_id, vector in self._rows(
                f"SELECT passage_id, vector FROM passages WHERE passage_id IN ({marks(part)}) "
                "ORDER BY passage_id",
                part,
            ):
                ids.append(passage_id)
                blobs.append(vector)
        flat = np.frombuffer(b"".join(blobs), dtype=STORED).astype(np.float32)
        return ids, flat.reshape(len(ids), -1 if ids else 0)

    def known_vectors(self, hashes: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        """Return vectors that are stored for these hashes of embedded text, so as to reuse them."""
        known: dict[bytes, npt.NDArray[np.float32]] = {}
        for part in parts(hashes):
            for content_hash, vector in self._rows(
                f"SELECT content_hash, vector FROM passages WHERE content_hash IN ({marks(part)})",
                part,
            ):
                known[content_hash] = np.frombuffer(vector, dtype=STORED).astype(np.float32)
        return known

    def count_passages(self) -> int:
        """Return how many live passages there are."""
        return self._counted(f"SELECT count(*) FROM passages WHERE version_id IN ({LIVE})")

    def count_gone(self) -> int:
        """Return how many passages were ever stored and are live no longer."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'passages'")
        return (rows[0][0] if rows else 0) - self.count_passages()

    def count_articles(self, allowed: Filter | None = None) -> int:
        """Return how many live articles there are, or how many are allowed."""
        chosen, values = live_query(allowed)
        return int(self._rows(f"SELECT count(*) FROM ({chosen})", values)[0][0])

    def publishers(self) -> tuple[str, ...]:
        """Return the publishers of live articles in alphabetical order."""
        rows = self._rows(
            "SELECT publisher FROM versions WHERE state = 'live' AND publisher != '' "
            "UNION SELECT publisher FROM sources WHERE current AND publisher != '' "
            "ORDER BY publisher"
        )
        return tuple(publisher for (publisher,) in rows)

    def published_range(self) -> tuple[date | None, date | None]:
        """Return the first and the last day of publication of live articles."""
        rows = self._rows(
            "SELECT min(published), max(published) FROM versions WHERE state = 'live'"
        )
        first, last = rows[0]
        return _day(first), _day(last)


def live_query(allowed: Filter | None) -> tuple[str, list[object]]:
    """Return a query for the ids of live versions that are allowed by any of their sources."""
    if not allowed:
        return LIVE, []
    parts: list[str] = []
    values: list[object] = []
    if allowed.publisher is not None:
        parts.append("AND {0}.publisher = ?")
        values.append(allowed.publisher)
    if allowed.since is not None:
        parts.append("AND {0}.published >= ?")
        values.append(allowed.since.toordinal())
    if allowed.until is not None:
        parts.append("AND {0}.published <= ?")
        values.append(allowed.until.toordinal())
    condition = " ".join(parts)
    return (
        f"{LIVE} {condition.format('versions')} UNION SELECT version_id FROM sources "
        f"CROSS JOIN versions USING (article_id) WHERE state = 'live' AND current "
        f"{condition.format('sources')}",
        [*values, *values],
    )


def _allows(allowed: Filter, article: Article) -> bool:
    day = article.published
    return (
        (allowed.publisher or article.publisher).lower() == article.publisher.lower()
        and (allowed.since is None or (day is not None and day >= allowed.since))
        and (allowed.until is None or (day is not None and day <= allowed.until))
    )


def _article(
    article_id: str, title: str, text: str, publisher: str, day: int | None, url: str | None
) -> Article:
    return Article(article_id, title, text, publisher, _day(day), url)


def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _unpack_spans(packed: bytes) -> tuple[Span, ...]:
    bounds = np.frombuffer(packed, dtype="<u4").reshape(-1, 2)
    return tuple(Span(int(start), int(end)) for start, end in bounds)

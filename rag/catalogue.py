"""The catalogue (SQLite): articles, their versions, passages, vectors and full-text index.

It is the one source of truth. A version of an article is ``pending`` while its passages are
being written to the vector index, ``live`` when it can be found, and ``old`` once a newer one
has taken its place or the article has gone; the text of an old version stays readable, because a
citation may point to it. Words of live passages, and only those, stand in the full-text index,
which is changed in the same transaction as the state.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rag.errors import StoreError, StoreMismatchError
from rag.lineage import are_copies, bands, page_key, shingles, text_hash
from rag.schema import Article, Filter, Passage, Skip, Span
from rag.words import TOKENIZER, Stemmer

SCHEMA_VERSION = 2

# A title names what an article is about in few words, so a match there counts more than one in
# the body; 2 was the best of 1, 2, 3, 5 on the realtimeqa questions (see eval/bench_retrieval.py).
TITLE_WEIGHT, BODY_WEIGHT = 2.0, 1.0

# Vectors are kept as float16: half the bytes, and a cosine moves by less than 0.0005.
STORED = np.dtype("<f2")

# SQLite binds at most 32,766 values a statement; longer lists are taken in parts.
IDS_PER_STATEMENT = 10_000

# Most passages that one search by words scores.
MAX_SCORED = 30_000

# Candidates whose wording is compared with a new article's; more share boilerplate alone.
MOST_COPIES = 50

LIVE = "SELECT version_id FROM versions WHERE state = 'live'"

T = TypeVar("T")

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    relative TEXT PRIMARY KEY, sha256 TEXT NOT NULL, article_ids TEXT NOT NULL,
    skips TEXT NOT NULL, yields INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE versions (
    version_id INTEGER PRIMARY KEY AUTOINCREMENT,
    article_id TEXT NOT NULL,
    version TEXT NOT NULL,
    title TEXT NOT NULL,
    publisher TEXT NOT NULL COLLATE NOCASE,
    published INTEGER,
    url TEXT,
    page TEXT,
    text_hash BLOB NOT NULL,
    stored INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'live', 'old')),
    text TEXT NOT NULL
);
CREATE INDEX versions_by_article ON versions (article_id, version);
CREATE INDEX versions_by_text ON versions (text_hash);
CREATE INDEX versions_by_page ON versions (page) WHERE page IS NOT NULL;
CREATE INDEX versions_by_publisher ON versions (state, publisher, published);
CREATE INDEX versions_by_day ON versions (state, published);
CREATE UNIQUE INDEX one_live_version ON versions (article_id) WHERE state = 'live';
CREATE TABLE sources (
    source_id TEXT NOT NULL, article_id TEXT NOT NULL, title TEXT NOT NULL,
    publisher TEXT NOT NULL COLLATE NOCASE, published INTEGER, url TEXT, text_hash BLOB NOT NULL,
    current INTEGER NOT NULL,
    PRIMARY KEY (source_id, text_hash)
) WITHOUT ROWID;
CREATE INDEX sources_by_article ON sources (article_id);
CREATE TABLE bands (
    band INTEGER NOT NULL, version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    PRIMARY KEY (band, version_id)
) WITHOUT ROWID;
CREATE INDEX bands_by_version ON bands (version_id);
CREATE TABLE copies (
    version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    copy_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    PRIMARY KEY (version_id, copy_id)
) WITHOUT ROWID;
CREATE INDEX copies_by_copy ON copies (copy_id);
CREATE TABLE passages (
    passage_id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    sentences BLOB NOT NULL,
    content_hash BLOB NOT NULL,
    vector BLOB NOT NULL
);
CREATE INDEX passages_by_version ON passages (version_id);
CREATE INDEX passages_by_content ON passages (content_hash);
CREATE VIRTUAL TABLE passage_words USING fts5 (
    title, body, content = '', tokenize = '{TOKENIZER}'
);
CREATE VIRTUAL TABLE article_words USING fts5 (
    title, body, content = '', tokenize = '{TOKENIZER}'
);
CREATE VIRTUAL TABLE stems USING fts5vocab (passage_words, row)
"""


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


@dataclass(frozen=True, slots=True)
class SourceOf:
    """Another source of the text of a live article: what it would be if it stood alone."""

    article_id: str
    source: Article


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to be stored: its sentences, a hash of the embedded text, and its vector."""

    passage: Passage
    content_hash: bytes
    vector: npt.NDArray[np.float32]


class Catalogue:
    """One SQLite file, used by one process; safe to share between its threads.

    Parameters
    ----------
    path : Path
        The file; made if missing.
    embedder : str or None
        Fingerprint of the embedding model whose vectors it holds; None takes any.
    read_only : bool, default False
        Open a file in a folder that can't be written.

    Raises
    ------
    StoreMismatchError
        If the file was made by another embedding model or schema version.
    StoreError
        If the file can't be opened or is not a catalogue.
    """

    def __init__(self, path: Path, *, embedder: str | None, read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._stemmer = Stemmer()
        self._counts: dict[str, tuple[int, int]] = {}
        try:
            self._db = self._connect(read_only)
            if not read_only and self._is_new():
                with self.transaction():
                    for statement in SCHEMA.split(";\n"):
                        self._db.execute(statement)
                    self.set_meta("schema", str(SCHEMA_VERSION))
                    self.set_meta("embedder", embedder or "")
            self._check_made_by(embedder)
        except sqlite3.Error as error:
            raise StoreError(
                f"can't use the catalogue {path}: {error}; check the disk and the folder's "
                "permissions, or delete the data folder and sync again"
            ) from error

    def _connect(self, read_only: bool) -> sqlite3.Connection:
        if read_only:
            # Immutable: SQLite would otherwise make a file beside it even to read. What a killed
            # writer left in its log is then not seen; the state before it is whole.
            address = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
            return sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _is_new(self) -> bool:
        return not self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()

    def _check_made_by(self, embedder: str | None) -> None:
        schema, model = self.get_meta("schema"), self.get_meta("embedder")
        if schema != str(SCHEMA_VERSION):
            raise StoreMismatchError(
                f"the store {self.path.parent} has schema version {schema}, this Dateline needs "
                f"{SCHEMA_VERSION}; run: dateline doctor --repair, then: dateline sync PATH"
            )
        if embedder is not None and model != embedder:
            raise StoreMismatchError(
                f"the store {self.path.parent} holds vectors of the embedding model {model}, not "
                f"of {embedder}; to embed all again, run: dateline doctor --repair"
            )

    def close(self) -> None:
        """Close the file; the catalogue can't be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside visible at once, or nothing of it.

        Raises
        ------
        StoreError
            If SQLite can't write, for instance because the disk is full.
        """
        with self._lock:
            try:
                if self._db.in_transaction:  # a part of a larger one
                    yield
                    return
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise self._unwritten(error) from error
                raise

    def _unwritten(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"can't write to {self.path}: {error}; nothing was changed by this step; "
            "free some space or check permissions, then sync again"
        )

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Hold off writers, so that several reads see the same state."""
        with self._lock:
            yield

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise StoreError(
                    f"can't read {self.path}: {error}; run: dateline doctor --repair"
                ) from error

    # -- small facts -------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """Return a stored fact, or None."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def set_meta(self, key: str, value: str) -> None:
        """Store a fact.

        Raises
        ------
        StoreError
            If SQLite can't write.
        """
        with self._lock:
            try:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
            except sqlite3.Error as error:
                raise self._unwritten(error) from error

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

    def set_files(self, files: Mapping[str, FileRecord], sources: Iterable[SourceOf] = ()) -> None:
        """Replace what is known about every file, and about further sources of articles."""
        rows = [
            (
                relative,
                record.sha256,
                json.dumps(record.article_ids),
                json.dumps([(skip.source, skip.reason) for skip in record.skips]),
                record.yields,
            )
            for relative, record in files.items()
        ]
        with self.transaction():
            self._db.execute("DELETE FROM files")
            self._db.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", rows)
            # Those that have gone stay: a citation may point to them.
            self._db.execute("UPDATE sources SET current = 0")
            self._db.executemany(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
                [
                    (
                        article.article_id,
                        of.article_id,
                        article.title,
                        article.publisher,
                        _ordinal(article.published),
                        article.url,
                        text_hash(article.text),
                    )
                    for of in sources
                    for article in [of.source]
                ],
            )

    # -- writing: pending -> live -> old -> gone ---------------------------------------------

    def add_pending(
        self, articles: Iterable[tuple[Article, Sequence[NewPassage]]]
    ) -> dict[int, list[int]]:
        """Store versions that can't be found yet.

        Returns
        -------
        dict of int to list of int
            The passage ids of each new version id, in order.
        """
        added: dict[int, list[int]] = {}
        with self.transaction():
            for article, passages in articles:
                version_id = self._insert(
                    "INSERT INTO versions (article_id, version, title, text, publisher, "
                    "published, url, page, text_hash, stored, state) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
                    (
                        article.article_id,
                        article.version,
                        article.title,
                        article.text,
                        article.publisher,
                        _ordinal(article.published),
                        article.url,
                        page_key(article.url),
                        text_hash(article.text),
                        int(time.time()),
                    ),
                )
                added[version_id] = [
                    self._insert(
                        "INSERT INTO passages (version_id, sentences, content_hash, vector) "
                        "VALUES (?, ?, ?, ?)",
                        (
                            version_id,
                            _pack_spans(new.passage.sentences),
                            new.content_hash,
                            new.vector.astype(STORED).tobytes(),
                        ),
                    )
                    for new in passages
                ]
        return added

    def _insert(self, sql: str, values: Sequence[object]) -> int:
        row = self._db.execute(sql, values).lastrowid
        assert row is not None
        return row

    def make_live(self, version_ids: Iterable[int]) -> None:
        """Let pending versions be found, and the versions that they replace no longer."""
        with self.transaction():
            for version_id in version_ids:
                ((article_id, version, text, page),) = self._rows(
                    "SELECT article_id, version, text_hash, page FROM versions "
                    "WHERE version_id = ?",
                    (version_id,),
                )
                # A renamed article, too, must never be found twice.
                for (name,) in self._rows(
                    "SELECT article_id FROM versions WHERE state = 'live' AND article_id = ? "
                    "UNION SELECT article_id FROM versions WHERE +state = 'live' AND text_hash = ? "
                    "UNION SELECT article_id FROM versions WHERE +state = 'live' AND page = ?",
                    (article_id, text, page),
                ):
                    self._retire(name)
                # An article that went back to an earlier text: one row of that version is enough.
                self._db.execute(
                    "DELETE FROM versions WHERE article_id = ? AND version = ? AND state = 'old' "
                    "AND version_id NOT IN (SELECT version_id FROM passages)",
                    (article_id, version),
                )
                self._db.execute(
                    "UPDATE versions SET state = 'live' WHERE version_id = ?", (version_id,)
                )
                self._add_words(version_id)
                self._link(version_id)

    def _add_words(self, version_id: int) -> None:
        for table, words in self._words_of(version_id):
            self._db.executemany(
                f"INSERT INTO {table} (rowid, title, body) VALUES (?, ?, ?)", words
            )

    def _link(self, version_id: int) -> None:
        """Note which live versions are copies of this one."""
        ((text,),) = self._rows("SELECT text FROM versions WHERE version_id = ?", (version_id,))
        numbers = bands(shingles(text))
        if not numbers:
            return
        near = self._rows(
            f"SELECT version_id, text FROM bands CROSS JOIN versions USING (version_id) "
            f"WHERE band IN ({_marks(numbers)}) GROUP BY version_id "
            "ORDER BY count(*) DESC, version_id LIMIT ?",
            (*numbers, MOST_COPIES),
        )
        self._db.executemany(
            "INSERT INTO copies VALUES (?, ?)",
            [(version_id, other) for other, other_text in near if are_copies(text, other_text)],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO bands VALUES (?, ?)", [(band, version_id) for band in numbers]
        )

    def retire(self, article_ids: Iterable[str]) -> None:
        """Let these articles no longer be found."""
        with self.transaction():
            for article_id in article_ids:
                self._retire(article_id)

    def _retire(self, article_id: str) -> None:
        for (version_id,) in self._rows(
            "SELECT version_id FROM versions WHERE article_id = ? AND state = 'live'",
            (article_id,),
        ):
            for table, words in self._words_of(version_id):
                self._db.executemany(
                    f"INSERT INTO {table} ({table}, rowid, title, body) VALUES ('delete', ?, ?, ?)",
                    words,
                )
            self._db.execute("DELETE FROM bands WHERE version_id = ?", (version_id,))
            self._db.execute(
                "DELETE FROM copies WHERE version_id = ? OR copy_id = ?",
                (version_id, version_id),
            )
            self._db.execute(
                "UPDATE versions SET state = 'old' WHERE version_id = ?", (version_id,)
            )

    def _words_of(self, version_id: int) -> tuple[tuple[str, list[tuple[int, str, str]]], ...]:
        # A contentless full-text index forgets a row only when given the very words it was
        # given before; they are derived from the stored text both times.
        (article,) = self._articles("WHERE version_id = ?", (version_id,))
        passages = self._passages("WHERE passages.version_id = ?", (version_id,))
        return (
            ("article_words", [(version_id, article.title, article.text)]),
            ("passage_words", [(i, article.title, p.text) for i, p in passages.items()]),
        )

    def drop_pending(self) -> int:
        """Forget versions whose sync was cut short; return how many there were."""
        with self.transaction():
            return self._db.execute("DELETE FROM versions WHERE state = 'pending'").rowcount

    def old_passage_ids(self) -> list[int]:
        """Return the passages of old versions, which can be dropped."""
        return _ints(
            self._rows(
                "SELECT passage_id FROM passages JOIN versions USING (version_id) "
                "WHERE state = 'old'"
            )
        )

    def drop_passages(self, passage_ids: Sequence[int]) -> None:
        """Forget passages of old versions; the text of the version stays."""
        with self.transaction():
            self._db.executemany(
                "DELETE FROM passages WHERE passage_id = ?", [(i,) for i in passage_ids]
            )

    def set_vectors(self, vectors: Mapping[int, npt.NDArray[np.float32]]) -> None:
        """Replace the vectors of passages by id."""
        with self._lock:
            self._db.executemany(
                "UPDATE passages SET vector = ? WHERE passage_id = ?",
                [(row.astype(STORED).tobytes(), i) for i, row in vectors.items()],
            )

    def forget_versions(self, *, before: int) -> None:
        """Delete old versions that were stored before a time in seconds since 1970."""
        with self.transaction():
            self._db.execute("DELETE FROM versions WHERE state = 'old' AND stored < ?", (before,))

    def rebuild_words(self) -> None:
        """Make the full-text index anew from the stored texts."""
        with self.transaction():
            for table in ("article_words", "passage_words"):
                self._db.execute(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")
            for (version_id,) in self._rows(LIVE):
                self._add_words(version_id)

    def compact(self) -> None:
        """Merge the full-text index and give free pages back to the disk.

        Raises
        ------
        StoreError
            If there is no room for a copy of the file.
        """
        with self._lock:
            try:
                for table in ("article_words", "passage_words"):
                    self._db.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
                self._db.execute("VACUUM")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise self._unwritten(error) from error

    # -- reading -----------------------------------------------------------------------------

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
        for part in _parts(article_ids):
            for a, b in self._rows(
                "SELECT a.article_id, b.article_id FROM copies JOIN versions AS a "
                "USING (version_id) JOIN versions AS b ON b.version_id = copy_id "
                f"WHERE a.article_id IN ({_marks(part)}) OR b.article_id IN ({_marks(part)})",
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
        for ids in _parts(passage_ids):
            found |= self._passages(f"WHERE state = 'live' AND passage_id IN ({_marks(ids)})", ids)
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
        chosen, values = _live(allowed)
        return set(_ints(self._rows(chosen, values)))

    def passage_ids(self, allowed: Filter | None = None) -> list[int]:
        """Return the ids of all live passages, or of those in the articles that are allowed."""
        chosen, values = _live(allowed)
        rows = self._rows(f"SELECT passage_id FROM passages WHERE version_id IN ({chosen})", values)
        return sorted(_ints(rows))

    def vectors(self, passage_ids: Sequence[int]) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Return the ids that are stored, in ascending order, and their vectors, a row each."""
        ids: list[int] = []
        blobs: list[bytes] = []
        for part in _parts(passage_ids):
            for passage_id, vector in self._rows(
                f"SELECT passage_id, vector FROM passages WHERE passage_id IN ({_marks(part)}) "
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
        for part in _parts(hashes):
            for content_hash, vector in self._rows(
                f"SELECT content_hash, vector FROM passages WHERE content_hash IN ({_marks(part)})",
                part,
            ):
                known[content_hash] = np.frombuffer(vector, dtype=STORED).astype(np.float32)
        return known

    def search_passages(
        self, terms: Sequence[str], *, k: int, allowed: Filter | None = None
    ) -> dict[int, float]:
        """Find live passages by BM25 over title and body.

        Parameters
        ----------
        terms : sequence of str
            Words to search; a passage need hold only one of them.
        k : int
            How many to return at most.
        allowed : Filter, optional
            Which articles may be searched.

        Returns
        -------
        dict of int to float
            BM25 score (above 0, higher is better) by passage id, best first; empty without
            terms.
        """
        among = "SELECT passage_id FROM passages WHERE version_id IN ({})"
        return self._search("passage_words", among, terms, k, allowed)

    def search_articles(
        self, terms: Sequence[str], *, k: int, allowed: Filter | None = None
    ) -> dict[int, float]:
        """Find live articles by BM25, like `search_passages`, by version id."""
        return self._search("article_words", "{}", terms, k, allowed)

    def _search(
        self, table: str, among: str, terms: Sequence[str], k: int, allowed: Filter | None
    ) -> dict[int, float]:
        if not terms:
            return {}
        query = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)
        chosen, values = _live(allowed)
        # The plus keeps SQLite from running the search once for every allowed row.
        only = f"AND +rowid IN ({among.format(chosen)}) " if allowed else ""
        rows = self._rows(
            f"SELECT rowid, rank FROM {table} WHERE {table} MATCH ? {only}"
            f"AND rank MATCH 'bm25({TITLE_WEIGHT}, {BODY_WEIGHT})' ORDER BY rank LIMIT ?",
            (query, *(values if allowed else ()), k),
        )
        return {rowid: -rank for rowid, rank in rows}

    def version_ids(self, passage_ids: Sequence[int]) -> dict[int, int]:
        """Return the version that each live passage is of; ids that are not live are left out."""
        found: dict[int, int] = {}
        for part in _parts(passage_ids):
            found |= dict(
                self._rows(
                    "SELECT passage_id, version_id FROM passages CROSS JOIN versions "
                    f"USING (version_id) WHERE state = 'live' AND passage_id IN ({_marks(part)})",
                    part,
                )
            )
        return found

    def affordable(self, terms: Sequence[str]) -> tuple[str, ...]:
        """Return the terms to search for: the rarest, as far as they can be ranked in time.

        Each passage that holds a term is scored, about a thousand in a millisecond. Common words
        tell little about a passage and would take most of that time: without them, the ten best
        of 100,000 passages are still among the hundred best in 99.6 % of cases
        (100 questions of realtimeqa).
        """
        if len(terms) * self.count_words() <= MAX_SCORED:
            return tuple(terms)
        stems = self._stemmer.stems(list(terms))
        known = self.document_frequencies([stem for found in stems for stem in found])
        held = [max((known.get(stem, 0) for stem in found), default=0) for found in stems]
        kept: set[int] = set()
        total = 0
        for place in sorted(range(len(terms)), key=held.__getitem__):
            total += held[place]
            if kept and total > MAX_SCORED:
                break
            kept.add(place)
        return tuple(term for place, term in enumerate(terms) if place in kept)

    def document_frequencies(self, stems: Sequence[str]) -> dict[str, int]:
        """Return in how many live passages each stem stands; those in none are left out."""
        return dict(
            self._rows(f"SELECT term, doc FROM stems WHERE term IN ({_marks(stems)})", stems)
        )

    def count_passages(self) -> int:
        """Return how many live passages there are."""
        return self._counted(f"SELECT count(*) FROM passages WHERE version_id IN ({LIVE})")

    def _counted(self, sql: str) -> int:
        """Count rows, but not again before something was written: it takes milliseconds."""
        with self._lock:
            changes = self._db.total_changes
            known = self._counts.get(sql)
            if known is None or known[0] != changes:
                known = self._counts[sql] = (changes, int(self._rows(sql)[0][0]))
            return known[1]

    def count_words(self) -> int:
        """Return how many passages stand in the full-text index."""
        return self._counted("SELECT count(*) FROM passage_words")

    def integrity_fault(self) -> str | None:
        """Return what SQLite finds wrong with the file, or None."""
        try:
            result = self._rows("PRAGMA quick_check(1)")[0][0]
        except StoreError as error:
            return str(error)
        return None if result == "ok" else str(result)

    def count_articles(self, allowed: Filter | None = None) -> int:
        """Return how many live articles there are, or how many are allowed."""
        chosen, values = _live(allowed)
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


def _live(allowed: Filter | None) -> tuple[str, list[object]]:
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


def _ordinal(day: date | None) -> int | None:
    return day.toordinal() if day else None


def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _ints(rows: Iterable[tuple[Any, ...]]) -> list[int]:
    return [row[0] for row in rows]


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), IDS_PER_STATEMENT):
        yield values[start : start + IDS_PER_STATEMENT]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _pack_spans(spans: Sequence[Span]) -> bytes:
    return np.array([(span.start, span.end) for span in spans], dtype="<u4").tobytes()


def _unpack_spans(packed: bytes) -> tuple[Span, ...]:
    bounds = np.frombuffer(packed, dtype="<u4").reshape(-1, 2)
    return tuple(Span(int(start), int(end)) for start, end in bounds)

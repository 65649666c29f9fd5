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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rag.errors import StoreError, StoreMismatchError
from rag.schema import Article, Filter, Passage, Skip, Span
from rag.words import TOKENIZER

SCHEMA_VERSION = 1

# A title names what an article is about in few words, so a match there counts more than one in
# the body; 2 was the best of 1, 2, 3, 5 on the realtimeqa questions (see eval/bench_retrieval.py).
TITLE_WEIGHT, BODY_WEIGHT = 2.0, 1.0

# Vectors are kept as float16: half the bytes, and a cosine moves by less than 0.0005.
STORED = np.dtype("<f2")

# SQLite binds at most 32,766 values a statement; longer lists are taken in parts.
IDS_PER_STATEMENT = 10_000

T = TypeVar("T")

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    relative TEXT PRIMARY KEY, sha256 TEXT NOT NULL, article_ids TEXT NOT NULL, skips TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE versions (
    version_id INTEGER PRIMARY KEY AUTOINCREMENT,
    article_id TEXT NOT NULL,
    version TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    publisher TEXT NOT NULL COLLATE NOCASE,
    published INTEGER,
    url TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'live', 'old'))
);
CREATE INDEX versions_by_article ON versions (article_id, version);
CREATE UNIQUE INDEX one_live_version ON versions (article_id) WHERE state = 'live';
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
    """What was read from one file of the corpus: its hash, its articles and its skips."""

    sha256: str
    article_ids: tuple[str, ...]
    skips: tuple[Skip, ...]


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
    embedder : str
        Fingerprint of the embedding model whose vectors it holds.

    Raises
    ------
    StoreMismatchError
        If the file was made by another embedding model or schema version.
    StoreError
        If the file can't be opened or is not a catalogue.
    """

    def __init__(self, path: Path, *, embedder: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            if not self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                with self.transaction():
                    for statement in SCHEMA.split(";\n"):
                        self._db.execute(statement)
                    self.set_meta("schema", str(SCHEMA_VERSION))
                    self.set_meta("embedder", embedder)
            self._check_made_by(embedder)
        except sqlite3.Error as error:
            raise StoreError(
                f"can't use the catalogue {path}: {error}; check the disk and the folder's "
                "permissions, or delete the data folder and sync again"
            ) from error

    def _check_made_by(self, embedder: str) -> None:
        schema, model = self.get_meta("schema"), self.get_meta("embedder")
        if schema != str(SCHEMA_VERSION):
            raise StoreMismatchError(
                f"the store {self.path.parent} has schema version {schema}, this Dateline needs "
                f"{SCHEMA_VERSION}; delete the folder and run: dateline sync"
            )
        if model != embedder:
            raise StoreMismatchError(
                f"the store {self.path.parent} holds vectors of the embedding model {model}, not "
                f"of {embedder}; delete the folder and run: dateline sync"
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
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise StoreError(
                        f"can't write to {self.path}: {error}; nothing was changed by this step; "
                        "free some space or check permissions, then sync again"
                    ) from error
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Hold off writers, so that several reads see the same state."""
        with self._lock:
            yield

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # -- small facts -------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """Return a stored fact, or None."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def set_meta(self, key: str, value: str) -> None:
        """Store a fact."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def files(self) -> dict[str, FileRecord]:
        """Return what was read from each file at the last sync, by relative path."""
        return {
            relative: FileRecord(
                sha256,
                tuple(json.loads(ids)),
                tuple(Skip(*skip) for skip in json.loads(skips)),
            )
            for relative, sha256, ids, skips in self._rows("SELECT * FROM files")
        }

    def set_files(self, files: Mapping[str, FileRecord]) -> None:
        """Replace what is known about every file."""
        rows = [
            (
                relative,
                record.sha256,
                json.dumps(record.article_ids),
                json.dumps([(skip.source, skip.reason) for skip in record.skips]),
            )
            for relative, record in files.items()
        ]
        with self.transaction():
            self._db.execute("DELETE FROM files")
            self._db.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", rows)

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
                    "published, url, state) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')",
                    (
                        article.article_id,
                        article.version,
                        article.title,
                        article.text,
                        article.publisher,
                        article.published.toordinal() if article.published else None,
                        article.url,
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
                ((article_id, version),) = self._rows(
                    "SELECT article_id, version FROM versions WHERE version_id = ?", (version_id,)
                )
                self._retire(article_id)
                # An article that went back to an earlier text: one row of that version is enough.
                self._db.execute(
                    "DELETE FROM versions WHERE article_id = ? AND version = ? AND state = 'old' "
                    "AND version_id NOT IN (SELECT version_id FROM passages)",
                    (article_id, version),
                )
                self._db.execute(
                    "UPDATE versions SET state = 'live' WHERE version_id = ?", (version_id,)
                )
                for table, words in self._words_of(version_id):
                    self._db.executemany(
                        f"INSERT INTO {table} (rowid, title, body) VALUES (?, ?, ?)", words
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

    # -- reading -----------------------------------------------------------------------------

    def live_versions(self) -> dict[str, str]:
        """Return the version of every live article, by article id."""
        rows = self._rows("SELECT article_id, version FROM versions WHERE state = 'live'")
        return dict(rows)

    def article(self, article_id: str, version: str | None = None) -> Article | None:
        """Return one version of an article, live or old; by default the live one."""
        found = self._articles(
            "WHERE article_id = ? AND (version = ? OR (? IS NULL AND state = 'live')) "
            "AND state != 'pending' ORDER BY version_id DESC LIMIT 1",
            (article_id, version, version),
        )
        return found[0] if found else None

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
            f"published, url FROM passages JOIN versions USING (version_id) {where} "
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

    def passage_ids(self, allowed: Filter | None = None) -> list[int]:
        """Return the ids of all live passages, or of those in the articles that are allowed."""
        condition, values = _condition(allowed or Filter())
        return _ints(
            self._rows(
                "SELECT passage_id FROM passages JOIN versions USING (version_id) "
                f"WHERE state = 'live' {condition} ORDER BY passage_id",
                values,
            )
        )

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
        among = "SELECT passage_id FROM passages JOIN versions USING (version_id) WHERE state"
        return self._search("passage_words", among, terms, k, allowed)

    def search_articles(
        self, terms: Sequence[str], *, k: int, allowed: Filter | None = None
    ) -> dict[int, float]:
        """Find live articles by BM25, like `search_passages`, by version id."""
        among = "SELECT version_id FROM versions WHERE state"
        return self._search("article_words", among, terms, k, allowed)

    def _search(
        self, table: str, among: str, terms: Sequence[str], k: int, allowed: Filter | None
    ) -> dict[int, float]:
        if not terms:
            return {}
        query = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)
        condition, values = _condition(allowed or Filter())
        chosen = f"AND rowid IN ({among} = 'live' {condition}) " if condition else ""
        rows = self._rows(
            f"SELECT rowid, rank FROM {table} WHERE {table} MATCH ? {chosen}"
            f"AND rank MATCH 'bm25({TITLE_WEIGHT}, {BODY_WEIGHT})' ORDER BY rank LIMIT ?",
            (query, *values, k),
        )
        return {rowid: -rank for rowid, rank in rows}

    def version_ids(self, passage_ids: Sequence[int]) -> dict[int, int]:
        """Return the version that each live passage is of; ids that are not live are left out."""
        found: dict[int, int] = {}
        for part in _parts(passage_ids):
            found |= dict(
                self._rows(
                    "SELECT passage_id, version_id FROM passages JOIN versions USING (version_id) "
                    f"WHERE state = 'live' AND passage_id IN ({_marks(part)})",
                    part,
                )
            )
        return found

    def document_frequencies(self, stems: Sequence[str]) -> dict[str, int]:
        """Return in how many live passages each stem stands; those in none are left out."""
        return dict(
            self._rows(f"SELECT term, doc FROM stems WHERE term IN ({_marks(stems)})", stems)
        )

    def count_words(self) -> int:
        """Return how many passages stand in the full-text index."""
        return int(self._rows("SELECT count(*) FROM passage_words")[0][0])

    def integrity_fault(self) -> str | None:
        """Return what SQLite finds wrong with the file, or None."""
        try:
            result = self._rows("PRAGMA quick_check(1)")[0][0]
        except sqlite3.DatabaseError as error:
            return str(error)
        return None if result == "ok" else str(result)

    def count_articles(self, allowed: Filter | None = None) -> int:
        """Return how many live articles there are, or how many are allowed."""
        condition, values = _condition(allowed or Filter())
        sql = f"SELECT count(*) FROM versions WHERE state = 'live' {condition}"
        return int(self._rows(sql, values)[0][0])

    def publishers(self) -> tuple[str, ...]:
        """Return the publishers of live articles in alphabetical order."""
        rows = self._rows(
            "SELECT DISTINCT publisher FROM versions WHERE state = 'live' AND publisher != '' "
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


def _condition(allowed: Filter) -> tuple[str, list[object]]:
    parts: list[str] = []
    values: list[object] = []
    if allowed.publisher is not None:
        parts.append("AND publisher = ?")
        values.append(allowed.publisher)
    if allowed.since is not None:
        parts.append("AND published >= ?")
        values.append(allowed.since.toordinal())
    if allowed.until is not None:
        parts.append("AND published <= ?")
        values.append(allowed.until.toordinal())
    return " ".join(parts), values


def _article(
    article_id: str, title: str, text: str, publisher: str, day: int | None, url: str | None
) -> Article:
    return Article(article_id, title, text, publisher, _day(day), url)


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

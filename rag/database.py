"""One SQLite file: its schema, its transactions, its small facts."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import StoreError, StoreMismatchError
from rag.words import TOKENIZER

SCHEMA_VERSION = 2

# SQLite binds at most 32,766 values a statement; longer lists are taken in parts.
IDS_PER_STATEMENT = 10_000

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


class Database:
    """The file of a catalogue, used by one process; safe to share between its threads.

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

    def _insert(self, sql: str, values: Sequence[object]) -> int:
        row = self._db.execute(sql, values).lastrowid
        assert row is not None
        return row

    def _counted(self, sql: str) -> int:
        """Count rows, but not again before something was written: it takes milliseconds."""
        with self._lock:
            changes = self._db.total_changes
            known = self._counts.get(sql)
            if known is None or known[0] != changes:
                known = self._counts[sql] = (changes, int(self._rows(sql)[0][0]))
            return known[1]

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

    def integrity_fault(self) -> str | None:
        """Return what SQLite finds wrong with the file, or None."""
        try:
            result = self._rows("PRAGMA quick_check(1)")[0][0]
        except StoreError as error:
            return str(error)
        return None if result == "ok" else str(result)


def ints(rows: Iterable[tuple[Any, ...]]) -> list[int]:
    """Return the first value of each row."""
    return [row[0] for row in rows]


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in parts that one statement can take."""
    for start in range(0, len(values), IDS_PER_STATEMENT):
        yield values[start : start + IDS_PER_STATEMENT]


def marks(values: Sequence[object]) -> str:
    """Return a question mark for each value, to stand in a statement."""
    return ",".join("?" * len(values))

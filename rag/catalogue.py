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
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from rag.database import ints, marks
from rag.holdings import LIVE, STORED, FileRecord
from rag.lineage import are_copies, bands, page_key, shingles, text_hash
from rag.schema import Article, Passage, Span
from rag.wordsearch import WordSearch

# Candidates whose wording is compared with a new article's; more share boilerplate alone.
MOST_COPIES = 50


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


class Catalogue(WordSearch):
    """Changes a catalogue's file: versions go from pending to live to old.

    Takes and raises what `rag.database.Database` does.
    """

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
            f"WHERE band IN ({marks(numbers)}) GROUP BY version_id "
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
        return ints(
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


def _ordinal(day: date | None) -> int | None:
    return day.toordinal() if day else None


def _pack_spans(spans: Sequence[Span]) -> bytes:
    return np.array([(span.start, span.end) for span in spans], dtype="<u4").tobytes()

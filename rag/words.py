"""Words as the full-text index sees them: search terms of a question, and stems of a text.

SQLite's own tokenizer makes the stems, so that a word of a question, of a sentence and of the
index are the same word, or not, by one rule.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence

from rag.lexicon import FUNCTION

TOKENIZER = "porter unicode61 remove_diacritics 2"

WORD = re.compile(r"\w+")


def search_terms(question: str) -> tuple[str, ...]:
    """Return the lower-case words to search for: those that carry content, each once, in order.

    A question of function words alone gives all of its words.

    Examples
    --------
    >>> search_terms("How many visas does Japan issue to Koreans?")
    ('many', 'visas', 'japan', 'issue', 'koreans')
    """
    words = dict.fromkeys(WORD.findall(question.lower()))
    return tuple(word for word in words if word not in FUNCTION) or tuple(words)


class Stemmer:
    """Stems texts with SQLite's tokenizer, in memory; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute(
            f"CREATE VIRTUAL TABLE texts USING fts5 (body, content = '', tokenize = '{TOKENIZER}')"
        )
        self._db.execute("CREATE VIRTUAL TABLE stems USING fts5vocab (texts, instance)")

    def stems(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the stems of each text, in order of appearance.

        Examples
        --------
        >>> Stemmer().stems(["Leaders agreed.", ""])
        [['leader', 'agre'], []]
        """
        found: list[list[str]] = [[] for _ in texts]
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO texts (rowid, body) VALUES (?, ?)", enumerate(texts))
            for text, stem in self._db.execute("SELECT doc, term FROM stems ORDER BY doc, offset"):
                found[text].append(stem)
            # Cheaper than deleting from a contentless index, which needs the texts once more.
            self._db.execute("ROLLBACK")
        return found

"""Search by words: BM25 over the live passages and articles of a catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.database import marks
from rag.holdings import Holdings, live_query
from rag.schema import Filter
from rag.words import Stemmer

# A title names what an article is about in few words, so a match there counts more than one in
# the body; 2 was the best of 1, 2, 3, 5 on the realtimeqa questions (see eval/bench_retrieval.py).
TITLE_WEIGHT, BODY_WEIGHT = 2.0, 1.0

# Most passages that one search by words scores.
MAX_SCORED = 30_000


class WordSearch(Holdings):
    """Searches a catalogue's file by words; takes and raises what `Database` does."""

    def __init__(self, path: Path, *, embedder: str | None, read_only: bool = False) -> None:
        self._stemmer = Stemmer()
        super().__init__(path, embedder=embedder, read_only=read_only)

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
        chosen, values = live_query(allowed)
        # The plus keeps SQLite from running the search once for every allowed row.
        only = f"AND +rowid IN ({among.format(chosen)}) " if allowed else ""
        rows = self._rows(
            f"SELECT rowid, rank FROM {table} WHERE {table} MATCH ? {only}"
            f"AND rank MATCH 'bm25({TITLE_WEIGHT}, {BODY_WEIGHT})' ORDER BY rank LIMIT ?",
            (query, *(values if allowed else ()), k),
        )
        return {rowid: -rank for rowid, rank in rows}

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
            self._rows(f"SELECT term, doc FROM stems WHERE term IN ({marks(stems)})", stems)
        )

    def count_words(self) -> int:
        """Return how many passages stand in the full-text index."""
        return self._counted("SELECT count(*) FROM passage_words")

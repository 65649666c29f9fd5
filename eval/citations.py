"""Citation metrics of one reply: exactness, recall and precision, also against gold sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eval.questions import Gold
from eval.records import Place, Reply, StoredCitation, StoredSentence
from eval.runs import StoredArticle

Articles = Mapping[tuple[str, str], StoredArticle]
Judge = Callable[[str, Sequence[str]], bool]
Share = tuple[float, int]  # successes or sum of values, and units


def is_exact(citation: StoredCitation, articles: Articles) -> bool:
    """Return whether the span, cut from the stored article, is the quote, and the hash is its.

    Byte for byte: a lone surrogate or another normal form is a difference.
    """
    stored = articles.get((citation.place.article, citation.place.version))
    if stored is None or not has_valid_offsets(citation.place, articles):
        return False
    cut = stored.text[citation.place.start : citation.place.end].encode("utf-8", "surrogatepass")
    quote = citation.quote.encode("utf-8", "surrogatepass")
    return cut == quote and hashlib.sha256(cut).hexdigest() == citation.sha256


def has_valid_offsets(place: Place, articles: Articles) -> bool:
    """Return whether a place lies inside its stored article, which is of the version it names."""
    stored = articles.get((place.article, place.version))
    if stored is None or stored.article.version != stored.version:
        return False
    return 0 <= place.start < place.end <= len(stored.text)


def exactness(reply: Reply, articles: Articles) -> Share:
    """Return how many citations are exact, of how many; a dangling label is one that is not."""
    known = {citation.label for citation in reply.citations}
    dangling = {label for s in reply.sentences for label in s.labels} - known
    exact = sum(is_exact(citation, articles) for citation in reply.citations)
    return float(exact), len(reply.citations) + len(dangling)


def recall(reply: Reply, judge: Judge) -> Share:
    """Return how many shown sentences their cited quotes together support, of how many.

    A sentence without a citation, or with labels out of range alone, is not supported (ALCE,
    Gao et al. 2023).
    """
    supported = sum(
        judge(sentence.text, [c.quote for c in reply.citations_of(sentence)])
        for sentence in reply.sentences
    )
    return float(supported), len(reply.sentences)


def precision(reply: Reply, judge: Judge) -> Share:
    """Return how many citations are needed, of how many (ALCE).

    A citation is needed if the sentence is supported by its citations together, and the citation
    supports it alone or the others don't support it without it. A label out of range is never
    needed.
    """
    needed = total = 0
    for sentence in reply.sentences:
        cited = reply.citations_of(sentence)
        total += len(sentence.labels)
        if not judge(sentence.text, [citation.quote for citation in cited]):
            continue
        for citation in cited:
            others = [other.quote for other in cited if other is not citation]
            alone = judge(sentence.text, [citation.quote])
            needed += alone or not judge(sentence.text, others)
    return float(needed), total


@dataclass(frozen=True, slots=True)
class GoldPlaces:
    """Where the gold sentences of a question stand, per stored version of their articles."""

    golds: Sequence[Gold]
    articles: Articles

    def held_by(self, place: Place) -> set[int]:
        """Return the indexes of the golds that `place` holds.

        A gold quote is held if the overlap is half or more of the shorter of the two; a gold
        article by any place in it.
        """
        held = set()
        for index, gold in enumerate(self.golds):
            if gold.article != place.article:
                continue
            if not gold.quote:
                held.add(index)
                continue
            start = self._start(gold, place)
            if start < 0:
                continue
            end = start + len(gold.quote)
            shared = min(end, place.end) - max(start, place.start)
            shorter = min(len(gold.quote), place.end - place.start)
            if shared > 0 and 2 * shared >= shorter:
                held.add(index)
        return held

    def _start(self, gold: Gold, place: Place) -> int:
        stored = self.articles.get((place.article, place.version))
        if stored is None:
            return -1
        if gold.start is None:
            inside = stored.text.find(gold.quote, place.start, place.end)
            return inside if inside >= 0 else stored.text.find(gold.quote)
        if stored.text.startswith(gold.quote, gold.start):
            return gold.start
        return stored.text.find(gold.quote)


def gold_recall(reply: Reply, places: GoldPlaces) -> float:
    """Return the share of gold sentences that a citation of a shown sentence holds."""
    held = {index for place in cited_places(reply) for index in places.held_by(place)}
    return len(held) / len(places.golds)


def gold_precision(reply: Reply, places: GoldPlaces) -> Share:
    """Return how many cited sentences are gold, of how many."""
    cited = cited_places(reply)
    return float(sum(bool(places.held_by(place)) for place in cited)), len(cited)


def cited_places(reply: Reply) -> list[Place]:
    """Return the places that the shown sentences cite, once each."""
    return list(dict.fromkeys(c.place for s in reply.sentences for c in reply.citations_of(s)))


def sentence_cites(reply: Reply, sentence: StoredSentence) -> bool:
    """Return whether a label of `sentence` resolves to a citation."""
    return bool(reply.citations_of(sentence))

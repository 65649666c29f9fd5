"""Evidence to answer, extractively: the sentences that answer, word for word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.checking.facts import Facts, read_facts
from rag.schema import Citation, Evidence, Sentence, Support, Verdict
from rag.select import Candidate
from rag.verify import check_sentence

# Cosine of two sentences from which they are taken to speak of the same thing.
SAME_STATEMENT = 0.75

# Share of common words from which two figures are taken to be of the same thing: "The talks lasted
# two hours" and "The talks lasted an hour and 50 minutes" share .43.
SAME_WORDS = 0.4

# A further sentence is added only while its probability is at least this share of the first's: of
# those, one in four or more answers (squad2, unseen titles); below, one in eight.
FURTHER_SHARE = 0.1

NEAREST = 3
VERBATIM = Verdict(Support.SUPPORTED, "verbatim", 1.0)


@dataclass(frozen=True, slots=True)
class Extract:
    """Sentences to show, all evidence by label, and in what the sentences disagree."""

    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    conflict: str | None


def extract(candidates: Sequence[Candidate], *, max_sentences: int) -> Extract:
    """Make an answer of the best candidates.

    The first sentence is the best candidate. A sentence of another article that says the same is
    a further citation of it, not a further sentence; one that says the same with another figure
    is shown next, and named as a conflict.

    Parameters
    ----------
    candidates : sequence of Candidate
        Best first, at least one.
    max_sentences : int
        From 1 to 4; a conflict may add one.
    """
    enough = FURTHER_SHARE * candidates[0].probability
    groups: list[list[Candidate]] = []
    rival: Candidate | None = None
    for candidate in candidates:
        group = next((group for group in groups if _same(group[0], candidate)), None)
        if group is None:
            if candidate.probability >= enough:
                groups.append([candidate])
        elif any(candidate.article.article_id == c.article.article_id for c in group):
            continue
        elif _supports(candidate, group[0]):
            group.append(candidate)
        elif rival is None and group is groups[0] and _figures_differ(group[0], candidate):
            rival = candidate
    conflict = None
    if rival is not None:
        groups.insert(1, [rival])
        conflict = f"{_voice(groups[0][0])} and {_voice(rival)} give different figures"
    shown = groups[: max_sentences + (rival is not None)]
    evidence: list[Evidence] = []
    sentences = []
    for group in shown:
        cited = [_evidence(len(evidence) + i, c) for i, c in enumerate(group, start=1)]
        evidence += cited
        citations = tuple(Citation.of(item) for item in cited)
        sentences.append(Sentence(group[0].text, citations, VERBATIM))
    return Extract(tuple(sentences), tuple(evidence), conflict)


def without_copies(
    candidates: Sequence[Candidate], copies: Mapping[str, Collection[str]]
) -> tuple[Candidate, ...]:
    """Leave out what only repeats a better candidate in another copy of the same report.

    A wire copy is no second voice; where it tells another figure it stays, as a conflict.

    Parameters
    ----------
    candidates : sequence of Candidate
        Best first.
    copies : mapping of str to collection of str
        For each article id those of its copies.
    """
    kept: list[Candidate] = []
    for candidate in candidates:
        others = copies.get(candidate.article.article_id, ())
        if not any(
            other.article.article_id in others
            and _same(other, candidate)
            and _supports(candidate, other)
            for other in kept
        ):
            kept.append(candidate)
    return tuple(kept)


def nearest(candidates: Iterable[Candidate]) -> tuple[Evidence, ...]:
    """Return the first few candidates as evidence, to show beside an abstention."""
    return tuple(
        _evidence(label, candidate)
        for label, candidate in zip(range(1, NEAREST + 1), candidates, strict=False)
    )


def _evidence(label: int, candidate: Candidate) -> Evidence:
    return Evidence(label, candidate.article, candidate.span, candidate.probability)


def _same(a: Candidate, b: Candidate) -> bool:
    return float(a.vector @ b.vector) >= SAME_STATEMENT


def _supports(candidate: Candidate, stated: Candidate) -> bool:
    verdict = check_sentence(stated.text, [candidate.text], context=[candidate.article.title])
    return verdict.support in (Support.SUPPORTED, Support.PARTLY)


def _figures_differ(a: Candidate, b: Candidate) -> bool:
    first, second = read_facts(a.text), read_facts(b.text)
    words, others = _content(first), _content(second)
    if len(words & others) < SAME_WORDS * len(words | others):
        return False
    figures, rivals = _figures(first), _figures(second)
    return bool(figures and rivals) and not (figures <= rivals or rivals <= figures)


def _content(facts: Facts) -> set[str]:
    return {word.stem for word in facts.words if not word.stem.startswith("#")}


def _figures(facts: Facts) -> set[tuple[float, str]]:
    return {(q.value, q.unit) for q in facts.quantities if q.unit not in ("year", "ordinal")}


def _voice(candidate: Candidate) -> str:
    return candidate.article.byline or candidate.article.title or candidate.article.article_id

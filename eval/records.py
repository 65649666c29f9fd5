"""What a run stores of each question: the reply of a system, as plain JSON values.

A reply holds addresses (article, version, characters), never copies of article text but for the
quote, which the score compares with the stored article.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag import Answer, Article, EvaluationError, Evidence, Hit


@dataclass(frozen=True, slots=True)
class Place:
    """Characters of one version of an article."""

    article: str
    version: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """A sentence that was offered as support."""

    label: int
    place: Place
    score: float


@dataclass(frozen=True, slots=True)
class StoredCitation:
    """A label resolved to a quote."""

    label: int
    place: Place
    quote: str
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredSentence:
    """A sentence that was shown or withheld, its labels (dangling ones too), its own verdict."""

    text: str
    labels: tuple[int, ...]
    support: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredHit:
    """A passage that retrieval found."""

    place: Place
    score: float
    lexical: float = 0.0
    dense: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system said to one question.

    Parameters
    ----------
    sentences : tuple of StoredSentence
        Shown; empty after an abstention.
    abstention, explanation : str
        The reason, empty if answered, and its sentence.
    confidence : float or None
        That the evidence answers the question; `None` if the system gives none.
    evidence, citations, hits, withheld : tuple
        Hits best first, at most as many as were asked for.
    standalone_question : str
        As it was searched.
    mode, model, conflict, fault : str
    """

    sentences: tuple[StoredSentence, ...]
    abstention: str = ""
    explanation: str = ""
    confidence: float | None = None
    evidence: tuple[StoredEvidence, ...] = ()
    citations: tuple[StoredCitation, ...] = ()
    hits: tuple[StoredHit, ...] = ()
    withheld: tuple[StoredSentence, ...] = ()
    standalone_question: str = ""
    mode: str = ""
    model: str = ""
    conflict: str = ""
    fault: str = ""

    @property
    def text(self) -> str:
        """The shown sentences without labels; empty after an abstention."""
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def answered(self) -> bool:
        """Whether anything was said."""
        return bool(self.sentences)

    @property
    def places(self) -> tuple[Place, ...]:
        """Everything that the reply points to: citations, evidence, hits."""
        return (
            *(citation.place for citation in self.citations),
            *(evidence.place for evidence in self.evidence),
            *(hit.place for hit in self.hits),
        )

    def citations_of(self, sentence: StoredSentence) -> tuple[StoredCitation, ...]:
        """Return the citations that the labels of `sentence` resolve to; dangling ones don't."""
        by_label = {citation.label: citation for citation in self.citations}
        return tuple(by_label[label] for label in sentence.labels if label in by_label)


def reply_from_answer(answer: Answer, hits: tuple[Hit, ...]) -> Reply:
    """Turn an answer, and what the search for its question found, into a stored reply."""
    return Reply(
        sentences=tuple(
            StoredSentence(
                sentence.text,
                tuple(citation.label for citation in sentence.citations),
                str(sentence.verdict.support),
                sentence.verdict.reason,
            )
            for sentence in answer.sentences
        ),
        abstention=str(answer.abstention.reason) if answer.abstention else "",
        explanation=answer.abstention.explanation if answer.abstention else "",
        confidence=_rounded(answer.confidence),
        evidence=tuple(
            StoredEvidence(evidence.label, place_of(evidence), _rounded(evidence.score))
            for evidence in answer.evidence
        ),
        citations=tuple(
            StoredCitation(
                citation.label, place_of(citation.evidence), citation.quote, citation.sha256
            )
            for citation in answer.citations
        ),
        hits=tuple(stored_hit(hit) for hit in hits),
        withheld=tuple(
            StoredSentence(
                sentence.text,
                tuple(citation.label for citation in sentence.citations),
                str(sentence.verdict.support),
                sentence.verdict.reason,
            )
            for sentence in answer.withheld
        ),
        standalone_question=answer.standalone_question,
        mode=str(answer.mode),
        model=answer.model,
        conflict=answer.conflict or "",
        fault=answer.fault or "",
    )


def place_of(evidence: Evidence) -> Place:
    """Return where a piece of evidence stands."""
    return Place(
        evidence.article.article_id, evidence.version, evidence.span.start, evidence.span.end
    )


def stored_hit(hit: Hit) -> StoredHit:
    """Return a hit of the search as it is stored."""
    article, span = hit.passage.article, hit.passage.span
    return StoredHit(
        Place(article.article_id, article.version, span.start, span.end),
        _rounded(hit.score),
        _rounded(hit.lexical),
        _rounded(hit.dense),
    )


def _rounded(value: float) -> float:
    # Six decimals: far below any difference that matters, above the noise of another CPU.
    return round(float(value), 6) + 0.0


def reply_to_dict(question_id: str, reply: Reply) -> dict[str, Any]:
    """Return one line of predictions.jsonl."""
    return {
        "question_id": question_id,
        "standalone_question": reply.standalone_question,
        "sentences": [_sentence(sentence) for sentence in reply.sentences],
        "withheld": [_sentence(sentence) for sentence in reply.withheld],
        "abstention": reply.abstention,
        "explanation": reply.explanation,
        "confidence": reply.confidence,
        "evidence": [
            {"label": e.label, **_place(e.place), "score": e.score} for e in reply.evidence
        ],
        "citations": [
            {"label": c.label, **_place(c.place), "quote": c.quote, "sha256": c.sha256}
            for c in reply.citations
        ],
        "hits": [
            {**_place(h.place), "score": h.score, "lexical": h.lexical, "dense": h.dense}
            for h in reply.hits
        ],
        "mode": reply.mode,
        "model": reply.model,
        "conflict": reply.conflict,
        "fault": reply.fault,
    }


def reply_from_dict(values: Mapping[str, Any], at: str) -> Reply:
    """Read one line of predictions.jsonl; `at` is ``file:line`` for messages.

    Raises
    ------
    EvaluationError
        If a field is missing or of the wrong kind.
    """
    try:
        return Reply(
            sentences=tuple(_read_sentence(s) for s in values["sentences"]),
            withheld=tuple(_read_sentence(s) for s in values["withheld"]),
            abstention=str(values["abstention"]),
            explanation=str(values["explanation"]),
            confidence=None if values["confidence"] is None else float(values["confidence"]),
            evidence=tuple(
                StoredEvidence(int(e["label"]), _read_place(e), float(e["score"]))
                for e in values["evidence"]
            ),
            citations=tuple(
                StoredCitation(int(c["label"]), _read_place(c), str(c["quote"]), str(c["sha256"]))
                for c in values["citations"]
            ),
            hits=tuple(
                StoredHit(_read_place(h), float(h["score"]), float(h["lexical"]), float(h["dense"]))
                for h in values["hits"]
            ),
            standalone_question=str(values["standalone_question"]),
            mode=str(values["mode"]),
            model=str(values["model"]),
            conflict=str(values["conflict"]),
            fault=str(values["fault"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluationError(
            f"{at}: not a prediction of this version ({type(error).__name__}: {error}); "
            "predict again into a new folder"
        ) from error


def article_to_dict(article: Article) -> dict[str, Any]:
    """Return an article as one line of JSON, which `rag` reads as a corpus too."""
    return {
        "id": article.article_id,
        "title": article.title,
        "text": article.text,
        "publisher": article.publisher,
        "published": article.published.isoformat() if article.published else None,
        "url": article.url,
    }


def _sentence(sentence: StoredSentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "labels": list(sentence.labels),
        "support": sentence.support,
        "reason": sentence.reason,
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "article": place.article,
        "version": place.version,
        "start": place.start,
        "end": place.end,
    }


def _read_sentence(values: Mapping[str, Any]) -> StoredSentence:
    return StoredSentence(
        str(values["text"]),
        tuple(int(label) for label in values["labels"]),
        str(values["support"]),
        str(values["reason"]),
    )


def _read_place(values: Mapping[str, Any]) -> Place:
    return Place(
        str(values["article"]), str(values["version"]), int(values["start"]), int(values["end"])
    )

"""The nouns of Dateline: frozen values that every stage takes and returns.

Only the standard library is imported here. Collections are tuples, and what can be derived is
a property, so a value can't disagree with itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range ``[start, end)`` of characters (code points) of a text.

    Parameters
    ----------
    start, end : int
        ``0 <= start <= end``.

    Raises
    ------
    ValueError
        If the bounds are negative or reversed.

    Examples
    --------
    >>> Span(0, 5).cut("Tokyo summit")
    'Tokyo'
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span needs 0 <= start <= end, not [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def cut(self, text: str) -> str:
        """Return the characters of `text` inside the span."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Article:
    """One article as stored: what is quoted is cut from `text`.

    Parameters
    ----------
    article_id : str
        Unique in a corpus; stable over edits of the article.
    title : str
        Headline; may be empty.
    text : str
        Cleaned body, paragraphs separated by newlines.
    publisher : str
        Who published it; may be empty.
    published : datetime.date or None
        Day of publication, if known.
    url : str or None
        Where it was published, if known.
    """

    article_id: str
    title: str
    text: str
    publisher: str = ""
    published: date | None = None
    url: str | None = None

    @property
    def version(self) -> str:
        """First 16 hexadecimal digits of a sha256 over everything but the id."""
        day = self.published.isoformat() if self.published else ""
        content = "\0".join((self.title, self.text, self.publisher, day, self.url or ""))
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]

    @property
    def byline(self) -> str:
        """Publisher and day, such as ``Seoul desk, 2025-08-23``; empty if neither is known."""
        day = self.published.isoformat() if self.published else ""
        return ", ".join(part for part in (self.publisher, day) if part)


@dataclass(frozen=True, slots=True)
class Passage:
    """The unit of retrieval: some whole sentences of one article.

    Parameters
    ----------
    article : Article
    span : Span
        Where the passage stands in ``article.text``.
    sentences : tuple of Span
        The sentences inside, in order, as spans of ``article.text``.
    """

    article: Article
    span: Span
    sentences: tuple[Span, ...]

    @property
    def text(self) -> str:
        """The words of the passage, cut from its article."""
        return self.span.cut(self.article.text)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that retrieval found.

    Parameters
    ----------
    passage : Passage
    score : float
        Fused score, higher is better; comparable within one search only.
    lexical : float
        BM25 score, 0 if no word matched.
    dense : float
        Cosine of question and passage vectors, in [-1, 1].
    copies : tuple of Passage
        Passages found further down that say nearly the same, such as wire copy in another paper.
    """

    passage: Passage
    score: float
    lexical: float
    dense: float
    copies: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence of an article, offered as support.

    Parameters
    ----------
    label : int
        Its number in an answer: 1, 2, …
    article : Article
    span : Span
        Where the sentence stands in ``article.text``.
    score : float
        Probability in [0, 1] that the sentence answers the question.
    """

    label: int
    article: Article
    span: Span
    score: float

    @property
    def version(self) -> str:
        """Version of the article that the span refers to."""
        return self.article.version

    @property
    def text(self) -> str:
        """The sentence, cut from its article."""
        return self.span.cut(self.article.text)


@dataclass(frozen=True, slots=True)
class Citation:
    """A resolved label: evidence, the quote cut from the article, and the quote's hash.

    Make it with `Citation.of`, which cuts the quote; nothing else writes one.
    """

    evidence: Evidence
    quote: str
    sha256: str

    @classmethod
    def of(cls, evidence: Evidence) -> Citation:
        """Cut the quote of `evidence` from its article and hash its UTF-8 bytes."""
        quote = evidence.text
        return cls(evidence, quote, hashlib.sha256(quote.encode("utf-8")).hexdigest())

    @property
    def label(self) -> int:
        """Number of the evidence in its answer."""
        return self.evidence.label

    @property
    def address(self) -> str:
        """Where the quote stands, for good: ``article_id@version:start-end``."""
        evidence = self.evidence
        span = evidence.span
        return f"{evidence.article.article_id}@{evidence.version}:{span.start}-{span.end}"


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """The words of a cited sentence that answer by themselves: a name, number, date or place.

    Parameters
    ----------
    citation : Citation
        The sentence.
    span : Span
        Where the words stand in the text of its article.

    Raises
    ------
    ValueError
        If the span is empty or does not lie inside the sentence.
    """

    citation: Citation
    span: Span

    def __post_init__(self) -> None:
        sentence = self.citation.evidence.span
        if not sentence.start <= self.span.start < self.span.end <= sentence.end:
            raise ValueError(f"{self.span} does not lie inside the sentence at {sentence}")

    @property
    def text(self) -> str:
        """The words, cut from the article."""
        return self.span.cut(self.citation.evidence.article.text)

    @property
    def within(self) -> Span:
        """Where the words stand in the quote."""
        start = self.citation.evidence.span.start
        return Span(self.span.start - start, self.span.end - start)


class Support(StrEnum):
    """How far cited evidence supports a sentence."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of checking one sentence against its cited evidence.

    Parameters
    ----------
    support : Support
    reason : str
        What decided it: which number, name, date or negation; ``"verbatim"`` for a quote.
    score : float
        Probability in [0, 1] that people would call the sentence supported: 1 for a quote, and
        calibrated otherwise (`rag.checking.support`; fitted where 53 % of claims were). The
        verdict is stricter: a missing number counts whatever the score.
    """

    support: Support
    reason: str
    score: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer, with what it rests on.

    Parameters
    ----------
    text : str
        Without labels.
    citations : tuple of Citation
    verdict : Verdict
    """

    text: str
    citations: tuple[Citation, ...]
    verdict: Verdict

    @property
    def labelled(self) -> str:
        """The sentence followed by its labels, such as ``… a year. [1][2]``."""
        labels = "".join(f"[{citation.label}]" for citation in self.citations)
        return f"{self.text} {labels}" if labels else self.text


class AbstentionReason(StrEnum):
    """Why there is no answer."""

    NOT_IN_CORPUS = "not_in_corpus"
    LOW_SUPPORT = "low_support"
    CONFLICTING = "conflicting"
    OUT_OF_DATE_RANGE = "out_of_date_range"
    UNKNOWN_PUBLISHER = "unknown_publisher"


@dataclass(frozen=True, slots=True)
class Abstention:
    """Why there is no answer, as a reason to branch on and a sentence to show."""

    reason: AbstentionReason
    explanation: str


class Mode(StrEnum):
    """What wrote the sentences of an answer."""

    EXTRACTIVE = "extractive"
    LLM = "llm"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which articles may be searched; `None` everywhere means all of them.

    Parameters
    ----------
    publisher : str or None
        Exact publisher, compared without regard to case.
    since, until : datetime.date or None
        First and last day of publication, both included. Articles without a date are left out
        as soon as either is given.
    """

    publisher: str | None = None
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.publisher, self.since, self.until))


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that one stage took."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A question and what the articles say about it.

    Parameters
    ----------
    question : str
        As the user asked it.
    standalone_question : str
        As it was searched: a follow-up with its history resolved.
    sentences : tuple of Sentence
        What is shown; empty if and only if `abstention` is set.
    withheld : tuple of Sentence
        Drafted sentences that failed their check.
    evidence : tuple of Evidence
        Every sentence offered as support, by label; after an abstention, the nearest ones.
    abstention : Abstention or None
        Why there is no answer; `None` means answered.
    confidence : float
        Calibrated probability in [0, 1] that the evidence answers the question.
    conflict : str or None
        In what the cited articles disagree, if they do.
    mode : Mode
        What wrote the sentences.
    model : str
        Name of the model that wrote or chose them.
    fault : str or None
        Why a language model's draft was not used, if one was asked for and failed.
    search_fault : str or None
        Why the vector index was not used, if it failed; the stored vectors were compared instead.
    short : ShortAnswer or None
        The words of the first sentence that answer by themselves, where there surely are some;
        only of sentences quoted word for word.
    filter : Filter
        Which articles were searched.
    timings : tuple of Timing
        Seconds per stage, in order.
    settings_fingerprint : str
        Identifies the settings that produced the answer.
    """

    question: str
    standalone_question: str
    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    abstention: Abstention | None
    confidence: float
    mode: Mode
    model: str
    settings_fingerprint: str
    withheld: tuple[Sentence, ...] = ()
    conflict: str | None = None
    short: ShortAnswer | None = None
    fault: str | None = None
    search_fault: str | None = None
    filter: Filter = field(default_factory=Filter)
    timings: tuple[Timing, ...] = ()

    @property
    def text(self) -> str:
        """The sentences with their labels, or the explanation of the abstention."""
        if self.abstention is not None:
            return self.abstention.explanation
        return " ".join(sentence.labelled for sentence in self.sentences)

    @property
    def short_place(self) -> Span | None:
        """Where the short answer stands in the first sentence, as long as that is the quote."""
        if self.short is None or self.sentences[0].text != self.short.citation.quote:
            return None
        return self.short.within

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every citation of the answer once, in order of first use."""
        seen: dict[int, Citation] = {}
        for sentence in self.sentences:
            for citation in sentence.citations:
                seen.setdefault(citation.label, citation)
        return tuple(seen.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON-ready values; see `rag.present.answer_to_dict`."""
        from rag.present import answer_to_dict

        return answer_to_dict(self)

    def to_markdown(self) -> str:
        """Return the answer as Markdown with footnotes; see `rag.present.to_markdown`."""
        from rag.present import to_markdown

        return to_markdown(self)


@dataclass(frozen=True, slots=True)
class Skip:
    """A file, or a line of one, that was not indexed, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did.

    Parameters
    ----------
    added, updated, removed, unchanged : int
        Numbers of articles.
    passages : int
        Passages embedded by this sync.
    skipped : tuple of Skip
        Files and lines that could not be indexed.
    seconds : float
    """

    added: int
    updated: int
    removed: int
    unchanged: int
    passages: int
    skipped: tuple[Skip, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sync has come: articles done of articles to do, and passages embedded so far."""

    done: int
    total: int
    passages: int


@dataclass(frozen=True, slots=True)
class Status:
    """What a store holds.

    Parameters
    ----------
    store : str
        Data folder.
    corpus : str or None
        Folder it was last synced with.
    articles, passages : int
        What is live now.
    publishers : tuple of str
        In alphabetical order.
    first_published, last_published : datetime.date or None
    embedder : str
        Name of the embedding model.
    mode : Mode
        What writes answers now.
    model : str
        Name of what writes them.
    bytes_on_disk : int
    settings_fingerprint : str
    """

    store: str
    corpus: str | None
    articles: int
    passages: int
    publishers: tuple[str, ...]
    first_published: date | None
    last_published: date | None
    embedder: str
    mode: Mode
    model: str
    bytes_on_disk: int
    settings_fingerprint: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an article that the store keeps.

    Parameters
    ----------
    article : Article
        As it was; its id differs from the present one if its page was kept under another name.
    current : bool
        Whether it is what can be found now.
    stored : datetime.datetime
        When a sync stored it, in UTC.
    """

    article: Article
    current: bool
    stored: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """One health check: what was looked at, whether it is well, and what was seen or to do."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The first event of a streamed answer: the sentences that it may rest on."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class SentenceChecked:
    """A sentence that passed its check, to be shown now."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class SentenceWithheld:
    """A drafted sentence that failed its check: not part of the answer."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class DraftDropped:
    """The draft can't be used after all: forget its sentences, the next ones take their place."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a streamed answer: the whole of it, which is what counts."""

    answer: Answer


Event = EvidenceFound | SentenceChecked | SentenceWithheld | DraftDropped | Done
"""What `Assistant.stream` yields, in this order; exactly one `Done`, at the end."""

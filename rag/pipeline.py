"""The assistant: the only module that knows all stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

from rag import index, upkeep
from rag.answer import extract, nearest, without_copies
from rag.calls import Budget, GuardedModel, Limits
from rag.chat import Chat
from rag.checking.checkers import Checker, LlmChecker, configured_checker
from rag.citations import parse_address
from rag.compose import compose, recite
from rag.conversation import Turn, standalone_question
from rag.embed import BundledEmbedder, Embedder, EndpointEmbedder, Vectors
from rag.errors import IntegrityError, ModelError, QuestionError, UserError
from rag.features import describe
from rag.filtered import NearestSearch
from rag.health import check_checker, check_embedder, check_llm, check_reader
from rag.llm import LLM, configured_llm
from rag.reader import Reader
from rag.retrieve import retrieve
from rag.schema import (
    Abstention,
    AbstentionReason,
    Answer,
    Article,
    Check,
    Citation,
    Done,
    Event,
    Evidence,
    Filter,
    Hit,
    Mode,
    Progress,
    Sentence,
    ShortAnswer,
    Span,
    Status,
    SyncReport,
    Timing,
    Version,
)
from rag.select import Candidate, Caution, select, selection_model
from rag.sentences import split_sentences
from rag.settings import Settings
from rag.short import short_answer
from rag.store import Store
from rag.trace import Recorder, enable, stage, traced
from rag.vectors import Server, VectorIndexError
from rag.verify import Verifier, is_exact
from rag.words import Stemmer, search_terms

MAX_QUESTION = 4_000

EXTRACTIVE_MODEL = "extractive"


class Assistant:
    """Answers questions over a folder of articles; use `open` to make one.

    It holds the lock of its data folder until it is closed, and may be shared between threads.

    Examples
    --------
    >>> with Assistant.open("corpus") as assistant:  # doctest: +SKIP
    ...     answer = assistant.ask("How many working-holiday visas does Japan issue a year?")
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        store: Store,
        corpus: Path | None,
        llm: LLM | None = None,
        checker: Checker | None = None,
    ) -> None:
        self.settings = settings
        self._embedder = embedder
        self._llm = llm
        self._checker = checker
        self._verifier = Verifier(embedder, checker)
        self._store = store
        self._corpus = corpus
        self._synced = False
        self._stemmer = Stemmer()
        self._reader = Reader(settings.threads) if settings.reader else None
        self._selection = selection_model(with_reader=settings.reader)
        self._warm = False

    @classmethod
    def open(
        cls,
        corpus: str | Path | None = None,
        *,
        store: str | Path | None = None,
        llm: LLM | None = None,
        embedder: Embedder | None = None,
        checker: Checker | None = None,
    ) -> Assistant:
        """Open a data folder, to ask about a corpus.

        Parameters
        ----------
        corpus : str or Path, optional
            Folder of articles, or one file. The first question syncs it, unless `sync` was
            called before. Without it, the store answers from what it holds.
        store : str or Path, optional
            Data folder, made if missing; by default ``RAG_STORE``, else ``.dateline``.
        llm : LLM, optional
            What words answers: anything with `name`, `complete` and `stream` as in
            `rag.llm.LLM`. By default the model of the settings, and without one answers are
            extracted.
        embedder : Embedder, optional
            What embeds texts; by default the bundled model, or the endpoint of the settings.
        checker : Checker, optional
            What judges, beside the package's own rules and score, whether evidence supports a
            drafted sentence: anything with `name` and `support` as in
            `rag.checking.checkers.Checker`. By default the one that ``RAG_CHECKER`` names, if any.

        Raises
        ------
        SettingsError
            If a ``RAG_…`` variable is unknown or out of range, or names a model that can't be
            used.
        StoreError
            If the data folder is in use, not writable, or made by another model or schema.
        """
        settings = Settings.load(store=store)
        if settings.trace != "off":
            enable(exporter=settings.trace)
        embedder = embedder or _embedder(settings)
        llm = llm or configured_llm(
            settings.llm,
            settings.llm_model,
            context_tokens=settings.llm_context_tokens,
            threads=settings.threads,
            limits=Limits(seconds=settings.llm_seconds),
        )
        checker = checker or configured_checker(settings.checker, llm, threads=settings.threads)
        return cls(
            settings,
            embedder,
            Store(settings.store, embedder=embedder.fingerprint, server=_server(settings)),
            None if corpus is None else Path(corpus),
            llm,
            checker,
        )

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes use the data folder; may be called twice."""
        self._store.close()

    def sync(self, *, progress: Callable[[Progress], None] | None = None) -> SyncReport:
        """Make the index hold what the corpus holds: add, update, remove.

        Parameters
        ----------
        progress : callable, optional
            Told from time to time how far it has come.

        Returns
        -------
        SyncReport

        Raises
        ------
        UserError
            If no corpus was given and none was synced before.
        CorpusError
            If the corpus is missing or nothing in it can be read; the index is kept.
        StoreError
            If the data folder can't be written; what could be found before still can.
        """
        known = self._store.catalogue.get_meta("corpus")
        corpus = self._corpus or (Path(known) if known else None)
        if corpus is None and not index.has_downloads(self._store.folder):
            raise UserError("no corpus to sync; give a folder of articles: dateline sync PATH")
        report = index.sync(
            corpus,
            self._store,
            self._embedder,
            max_tokens=self.settings.passage_tokens,
            overlap=self.settings.passage_overlap,
            progress=progress,
        )
        self._synced = True
        return report

    def ask(
        self,
        question: str,
        *,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Answer:
        """Answer a question from the articles, or say why not.

        Parameters
        ----------
        question : str
            Of 1 to 4,000 characters.
        publisher : str, optional
            Search this publisher's articles only, compared without regard to case.
        since, until : date or str, optional
            Search articles published on these days or between; text as ``2025-08-23``.

        Returns
        -------
        Answer
            ``answer.abstention`` is None if there is an answer.

        Raises
        ------
        QuestionError
            If the question is empty or too long, or a date can't be read.
        UserError
            If nothing is indexed yet.
        """
        events = self._respond(
            question, (), publisher=publisher, since=since, until=until, stream=False
        )
        return next(event.answer for event in events if isinstance(event, Done))

    def stream(
        self,
        question: str,
        *,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Iterator[Event]:
        """Answer a question in steps; takes and raises what `ask` does.

        Yields
        ------
        Event
            `EvidenceFound`, then each sentence once it passed its check (`SentenceChecked`) or
            failed it (`SentenceWithheld`), then `Done`. `DraftDropped` takes the sentences
            before it back.
        """
        return self._respond(
            question, (), publisher=publisher, since=since, until=until, stream=True
        )

    def chat(self, turns: Iterable[tuple[str, str]] = ()) -> Chat:
        """Begin a conversation, in which a question may build on those before it.

        Parameters
        ----------
        turns : iterable of (str, str), optional
            Standalone questions and their answers' text, oldest first, to take up a conversation
            that was kept elsewhere. The last few are remembered.
        """
        return Chat(self._respond, turns)

    def _respond(
        self,
        question: str,
        turns: tuple[Turn, ...],
        *,
        publisher: str | None,
        since: date | str | None,
        until: date | str | None,
        stream: bool,
    ) -> Iterator[Event]:
        question = _checked_question(question)
        allowed = _filter(publisher, since, until)
        steps = self._steps(question, turns, allowed, stream=stream)
        return traced("ask", steps, input__value=question)

    def _steps(
        self, question: str, turns: tuple[Turn, ...], allowed: Filter, *, stream: bool
    ) -> Generator[Event, None, None]:
        clock = _Clock()
        self._ready()
        # One budget for all that a language model does for this answer.
        budget = Budget(self.settings.llm_seconds)
        if isinstance(self._llm, GuardedModel):
            with suppress(ModelError):  # told when the draft fails
                self._llm.prepare()
            budget = self._llm.budget()
        standalone = question
        if turns:
            with clock("rewrite") as recorder:
                standalone = standalone_question(question, turns, llm=self._llm, budget=budget)
                recorder.set(input__value=question, output__value=standalone)
        extract, candidates = self._extract(question, standalone[:MAX_QUESTION], allowed, clock)
        if self._llm is None:
            yield from recite(extract)
            return
        for event in compose(
            extract,
            candidates,
            self._llm,
            budget=budget,
            context_tokens=self.settings.llm_context_tokens,
            stream=stream,
            verifier=self._verifier_within(budget),
        ):
            if isinstance(event, Done):
                self._require_exact(event.answer.sentences)
            yield event

    def _verifier_within(self, budget: Budget) -> Verifier:
        """Return what checks drafts; a judge that is a language model shares the budget."""
        if isinstance(self._checker, LlmChecker):
            return self._verifier.with_checker(self._checker.within(budget))
        return self._verifier

    def _extract(
        self, question: str, standalone: str, allowed: Filter, clock: _Clock
    ) -> tuple[Answer, tuple[Candidate, ...]]:
        """Return the extractive answer, and every sentence that was considered."""

        def answer(
            sentences: tuple[Sentence, ...],
            evidence: tuple[Evidence, ...],
            abstention: Abstention | None,
            confidence: float,
            conflict: str | None = None,
            short: ShortAnswer | None = None,
        ) -> Answer:
            return Answer(
                question=question,
                standalone_question=standalone,
                sentences=sentences,
                evidence=evidence,
                abstention=abstention,
                confidence=confidence,
                mode=Mode.EXTRACTIVE,
                model=EXTRACTIVE_MODEL,
                settings_fingerprint=self.settings.fingerprint,
                conflict=conflict,
                short=short,
                filter=allowed,
                search_fault=fault,
                timings=tuple(clock.timings),
            )

        fault = None
        abstention = self._nothing_allowed(allowed)
        if abstention:
            return answer((), (), abstention, 0.0), ()
        with clock("embed"):
            vector = self._embed_question(standalone)
        with clock("retrieve") as recorder:
            hits, fault = self._retrieve(standalone, vector, allowed, k=self.settings.passages_read)
            recorder.set(input__value=standalone)
            recorder.set_documents(
                [(hit.passage.article.article_id, hit.passage.text, hit.score) for hit in hits]
            )
        with clock("select"):
            candidates = self._select(standalone, vector, hits)
            ids = list({candidate.article.article_id for candidate in candidates})
            candidates = without_copies(candidates, self._store.catalogue.copies(ids))
        confidence = candidates[0].probability if candidates else 0.0
        threshold = self.settings.threshold
        if threshold is None:
            threshold = self._selection.thresholds[Caution(self.settings.caution)]
        if confidence < threshold:
            return answer((), nearest(candidates), _too_weak(candidates), confidence), candidates
        with clock("answer"):
            found = extract(candidates, max_sentences=self.settings.max_sentences)
            self._require_exact(found.sentences)
            short = short_answer(standalone, found.sentences[0], candidates[0].words)
        shown = answer(found.sentences, found.evidence, None, confidence, found.conflict, short)
        return shown, candidates

    def search(
        self,
        question: str,
        *,
        k: int = 10,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> tuple[Hit, ...]:
        """Find the passages that bear on a question, best first; takes what `ask` takes.

        Parameters
        ----------
        k : int, default 10
            How many to return at most.
        """
        question = _checked_question(question)
        allowed = _filter(publisher, since, until)
        self._ready()
        hits, _ = self._retrieve(question, self._embed_question(question), allowed, k=k)
        return hits

    def article(self, article_id: str, version: str | None = None) -> Article:
        """Return an article, by default as it is now.

        Raises
        ------
        UserError
            If there is no such article or version.
        """
        article = self._store.catalogue.article(article_id, version)
        if article is None:
            what = f"{article_id}@{version}" if version else article_id
            raise UserError(f"no article {what!r} in the store; see: dateline status")
        return article

    def articles(self) -> tuple[Article, ...]:
        """Return every article that can be found, by title."""
        return self._store.catalogue.articles()

    def sentences(self, article: Article) -> tuple[Span, ...]:
        """Return the sentences of an article, as the spans that evidence is made of."""
        return split_sentences(article.text)

    def citation(self, address: str) -> Citation:
        """Return the citation that stands at an address, as `Citation.address` gives it.

        Raises
        ------
        UserError
            If the address can't be read or points to nothing.
        """
        article_id, version, span = parse_address(address)
        article = self.article(article_id, version)
        if span.end > len(article.text):
            raise UserError(f"{address!r} points past the end of its article")
        return Citation.of(Evidence(1, article, span, 1.0))

    def history(self, article_id: str) -> tuple[Version, ...]:
        """Return every version of an article that is kept, oldest first.

        What stood at the same web address under another id belongs to it.

        Raises
        ------
        UserError
            If there is no such article.
        """
        rows = self._store.catalogue.versions(article_id)
        if not rows:
            raise UserError(f"no article {article_id!r} in the store; see: dateline status")
        return tuple(
            Version(article, current, datetime.fromtimestamp(stored, UTC))
            for article, current, stored in rows
        )

    def sources(self, article_id: str) -> tuple[Article, ...]:
        """Return where else an article's very text was published, as articles of their own."""
        return self._store.catalogue.sources(article_id)

    def copies(self, article_id: str) -> tuple[str, ...]:
        """Return the ids of the articles that share much of an article's wording."""
        return tuple(sorted(self._store.catalogue.copies([article_id]).get(article_id, ())))

    def standing(self, article: Article) -> Literal["current", "changed", "gone"]:
        """Tell whether a version of an article still stands, was replaced, or has gone."""
        catalogue = self._store.catalogue
        now = catalogue.article(article.article_id)
        if now == article:
            return "current"
        replaced = now or any(current for _, current, _ in catalogue.versions(article.article_id))
        return "changed" if replaced else "gone"

    def compact(self, *, forget_days: int | None = None) -> tuple[int, int]:
        """Rewrite the data folder without what is no longer needed.

        Parameters
        ----------
        forget_days : int, optional
            Forget old versions that were stored before so many days; by default all are kept,
            since a citation may point to them.

        Returns
        -------
        tuple of int
            Bytes on disk before and after.
        """
        return upkeep.compact(self._store, forget_days=forget_days)

    @staticmethod
    def repair(
        *, store: str | Path | None = None, embedder: Embedder | None = None
    ) -> tuple[Check, ...]:
        """Mend a data folder that can't be opened or whose `doctor` complains.

        Returns
        -------
        tuple of Check
            What was done; nothing where all was well.

        Raises
        ------
        StoreError
            If it is in use or can't be written.
        """
        settings = Settings.load(store=store)
        embedder = embedder or _embedder(settings)
        return upkeep.repair(settings.store, embedder, _server(settings))

    def status(self) -> Status:
        """Return what the store holds."""
        catalogue = self._store.catalogue
        first, last = catalogue.published_range()
        return Status(
            store=str(self._store.folder),
            corpus=catalogue.get_meta("corpus"),
            articles=catalogue.count_articles(),
            passages=catalogue.count_passages(),
            publishers=catalogue.publishers(),
            first_published=first,
            last_published=last,
            embedder=self._embedder.name,
            mode=Mode.LLM if self._llm else Mode.EXTRACTIVE,
            model=self._llm.name if self._llm else EXTRACTIVE_MODEL,
            bytes_on_disk=self._store.bytes_on_disk(),
            settings_fingerprint=self.settings.fingerprint,
        )

    def doctor(self) -> tuple[Check, ...]:
        """Check the store and the model; every check is made, whatever the others find."""
        return (
            *self._store.check(),
            check_embedder(self._embedder),
            check_reader(self._reader),
            check_llm(self._llm, Budget(self.settings.llm_seconds)),
            *([check_checker(self._checker)] if self._checker else []),
        )

    def _ready(self) -> None:
        if self._corpus is not None and not self._synced:
            self.sync()
        if not self._store.catalogue.count_articles():
            raise UserError("nothing is indexed yet; run: dateline sync PATH")

    def _nothing_allowed(self, allowed: Filter) -> Abstention | None:
        catalogue = self._store.catalogue
        if not allowed or catalogue.count_articles(allowed):
            return None
        if allowed.publisher and not catalogue.count_articles(Filter(allowed.publisher)):
            return Abstention(
                AbstentionReason.UNKNOWN_PUBLISHER,
                f"No article by {allowed.publisher!r} is indexed.",
            )
        return Abstention(
            AbstentionReason.OUT_OF_DATE_RANGE, "No article was published in that time."
        )

    def _embed_question(self, question: str) -> Vectors:
        if self._warm:
            vector: Vectors = self._embedder.embed([question])[0]
            return vector
        # At the first question the models and Chroma load side by side: it halves the wait.
        with ThreadPoolExecutor(2) as pool:
            opening: list[Future[object]] = [pool.submit(self._store.searchable)]
            if self._reader is not None:
                opening.append(pool.submit(self._reader.load))
            vector = self._embedder.embed([question])[0]
            for each in opening:
                each.result()
        self._warm = True
        return vector

    def _retrieve(
        self, question: str, vector: Vectors, allowed: Filter, *, k: int
    ) -> tuple[tuple[Hit, ...], str | None]:
        """Return the hits, and why they were found without the vector index, if so."""

        def find(vectors: NearestSearch) -> tuple[Hit, ...]:
            return retrieve(
                question,
                vector,
                self._store.catalogue,
                vectors,
                k=k,
                candidates=self.settings.candidates,
                per_article=self.settings.passages_per_article,
                allowed=allowed,
            )

        vectors, fault = self._store.searchable()
        try:
            return find(vectors), fault
        except VectorIndexError as error:
            return find(self._store.without_index(error)), str(error)

    def _select(
        self, question: str, vector: Vectors, hits: tuple[Hit, ...]
    ) -> tuple[Candidate, ...]:
        catalogue = self._store.catalogue
        (asked,) = self._stemmer.stems([" ".join(search_terms(question))])
        passages = [hit.passage for hit in hits]
        found = describe(
            question,
            vector,
            hits,
            embedder=self._embedder,
            stemmer=self._stemmer,
            frequencies=catalogue.document_frequencies(asked),
            passages=catalogue.count_words(),
            readings=self._reader.read(question, passages) if self._reader else None,
        )
        return select(found, self._selection)

    def _require_exact(self, sentences: tuple[Sentence, ...]) -> None:
        for sentence in sentences:
            for citation in sentence.citations:
                evidence = citation.evidence
                stored = self.article(evidence.article.article_id, evidence.version)
                if not is_exact(citation, stored.text):
                    raise IntegrityError(
                        f"the quote at {citation.address} is not what the stored article says; "
                        "run: dateline doctor"
                    )


class _Clock:
    """Collects how long each stage takes."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[Recorder]:
        started = time.perf_counter()
        with stage(name) as recorder:
            yield recorder
        self.timings.append(Timing(name, time.perf_counter() - started))


def _embedder(settings: Settings) -> Embedder:
    if settings.embedding_base_url is None:
        return BundledEmbedder(settings.threads)
    key = settings.embedding_api_key
    return EndpointEmbedder(
        settings.embedding_base_url,
        settings.embedding_model or "",
        key.get_secret_value() if key else "none",
    )


def _server(settings: Settings) -> Server | None:
    if settings.chroma_url is None:
        return None
    token = settings.chroma_token
    return Server(settings.chroma_url, token.get_secret_value() if token else None)


def _checked_question(question: str) -> str:
    question = question.strip()
    if not question:
        raise QuestionError("the question is empty; ask something")
    if len(question) > MAX_QUESTION:
        raise QuestionError(
            f"the question has {len(question):,} characters, the limit is {MAX_QUESTION:,}; "
            "ask a shorter one"
        )
    return question


def _filter(publisher: str | None, since: date | str | None, until: date | str | None) -> Filter:
    first, last = _day("since", since), _day("until", until)
    if first and last and first > last:
        raise QuestionError(f"since ({first}) lies after until ({last}); swap them")
    return Filter(publisher or None, first, last)


def _day(name: str, value: date | str | None) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise QuestionError(
            f"{name} is {value!r}, which is no date; give it as 2025-08-23"
        ) from error


def _too_weak(candidates: tuple[Candidate, ...]) -> Abstention:
    if not candidates:
        return Abstention(
            AbstentionReason.NOT_IN_CORPUS, "The articles hold nothing on this question."
        )
    return Abstention(
        AbstentionReason.LOW_SUPPORT,
        "The articles don't say. The nearest sentences are shown, but none of them answers.",
    )

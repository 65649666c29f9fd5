"""Sync: compare the corpus with the catalogue, apply the difference, survive being killed.

An update is never visible half-way. A batch of new versions goes through these steps, and a
process may be killed after any of them:

``embedded``
    vectors are made, nothing is stored;
``pending``
    text and vectors are in the catalogue, where no search sees them;
``indexed``
    vectors are in Chroma as well;
``live``
    in one transaction, the new versions can be found and those before them no longer;
``dropped``
    passages of old versions are gone from Chroma and the catalogue; their text stays.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.catalogue import FileRecord, NewPassage
from rag.corpus import Source, find_sources, read_source
from rag.embed import Embedder
from rag.errors import CorpusError
from rag.schema import Article, Passage, Progress, Skip, SyncReport
from rag.split import embedding_text, split_passages
from rag.store import Store

# Raise it when the reader or the splitter gives another result for the same file, so that every
# article is read again.
READING_VERSION = 1

# Enough to sort by length for the embedder, few enough to lose little when interrupted.
PASSAGES_PER_BATCH = 512


@dataclass(frozen=True, slots=True)
class _Reading:
    """The corpus as it is now: what each file holds, and the articles that must be written."""

    files: dict[str, FileRecord]
    changed: tuple[Article, ...]

    @property
    def article_ids(self) -> set[str]:
        return {article_id for file in self.files.values() for article_id in file.article_ids}

    @property
    def skips(self) -> tuple[Skip, ...]:
        return tuple(skip for file in self.files.values() for skip in file.skips)


def sync(
    corpus: Path,
    store: Store,
    embedder: Embedder,
    *,
    max_tokens: int,
    overlap: int,
    progress: Callable[[Progress], None] | None = None,
    reached: Callable[[str], None] | None = None,
) -> SyncReport:
    """Make the store hold what the corpus holds.

    Parameters
    ----------
    corpus : Path
        Folder of articles, or one file.
    store : Store
    embedder : Embedder
    max_tokens, overlap : int
        Longest passage, in tokens, and sentences shared by neighbouring ones.
    progress : callable, optional
        Told after each batch how far it has come.
    reached : callable, optional
        Told the name of each step of the module's docstring; for tests that kill the process.

    Returns
    -------
    SyncReport

    Raises
    ------
    CorpusError
        If the folder is missing or holds nothing that can be read; the store stays as it was.
    StoreError
        If the store can't be written; what was live before still is.
    """
    started = time.perf_counter()
    reached = reached or (lambda step: None)
    store.recover()
    catalogue = store.catalogue
    shape = f"{READING_VERSION}:{max_tokens}:{overlap}"
    same_shape = catalogue.get_meta("shape") == shape
    live = catalogue.live_versions()
    reading = _read(corpus, catalogue.files() if same_shape else {}, live if same_shape else {})
    if not reading.article_ids:
        reasons = "; ".join(f"{skip.source}: {skip.reason}" for skip in reading.skips[:3])
        raise CorpusError(f"no article in {corpus} could be read ({reasons}); the index is kept")

    done = passages = 0
    for batch in _batches(reading.changed, embedder, max_tokens=max_tokens, overlap=overlap):
        passages += _apply(batch, store, embedder, reached)
        done += len(batch)
        if progress:
            progress(Progress(done, len(reading.changed), passages))

    removed = sorted(live.keys() - reading.article_ids)
    catalogue.retire(removed)
    _drop_old(store)
    reached("dropped")
    catalogue.set_files(reading.files)
    with catalogue.transaction():
        catalogue.set_meta("shape", shape)
        catalogue.set_meta("corpus", str(corpus.resolve()))
    updated = sum(article.article_id in live for article in reading.changed)
    return SyncReport(
        added=len(reading.changed) - updated,
        updated=updated,
        removed=len(removed),
        unchanged=len(reading.article_ids) - len(reading.changed),
        passages=passages,
        skipped=reading.skips,
        seconds=time.perf_counter() - started,
    )


def _read(corpus: Path, before: dict[str, FileRecord], live: dict[str, str]) -> _Reading:
    files: dict[str, FileRecord] = {}
    changed: list[Article] = []
    owners: dict[str, str] = {}
    for source in find_sources(corpus):
        known = before.get(source.relative)
        digest = _digest(source)
        unchanged = known is not None and digest in (known.sha256, None)
        if known and unchanged and owners.keys().isdisjoint(known.article_ids):
            # A file that can't be opened for the moment keeps what was read from it before.
            skips = known.skips if digest else (Skip(source.relative, "can't be opened now"),)
            files[source.relative] = FileRecord(digest or "", known.article_ids, skips)
            owners |= dict.fromkeys(known.article_ids, source.relative)
            continue
        articles, read_skips = read_source(source)
        skipped = list(read_skips)
        ids = []
        for article in articles:
            if other := owners.get(article.article_id):
                reason = f"its id {article.article_id!r} is already used by {other}; rename one"
                skipped.append(Skip(source.relative, reason))
                digest = None  # Read it again next time: the other file may have gone.
                continue
            owners[article.article_id] = source.relative
            ids.append(article.article_id)
            if live.get(article.article_id) != article.version:
                changed.append(article)
        files[source.relative] = FileRecord(digest or "", tuple(ids), tuple(skipped))
    return _Reading(files, tuple(changed))


def _digest(source: Source) -> str | None:
    try:
        with source.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


Batch = list[tuple[Article, tuple[Passage, ...]]]


def _batches(
    articles: Sequence[Article], embedder: Embedder, *, max_tokens: int, overlap: int
) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for article in articles:
        passages = split_passages(
            article, embedder.count_tokens, max_tokens=max_tokens, overlap=overlap
        )
        batch.append((article, passages))
        size += len(passages)
        if size >= PASSAGES_PER_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _apply(batch: Batch, store: Store, embedder: Embedder, reached: Callable[[str], None]) -> int:
    catalogue = store.catalogue
    texts = {
        _content_hash(text): text for _, passages in batch for text in map(embedding_text, passages)
    }
    # An edited or renamed article shares most passages with its earlier self.
    vectors = catalogue.known_vectors(list(texts))
    missing = [content_hash for content_hash in texts if content_hash not in vectors]
    made = embedder.embed([texts[content_hash] for content_hash in missing])
    vectors.update(zip(missing, made, strict=True))
    reached("embedded")
    added = catalogue.add_pending(
        (
            article,
            [
                NewPassage(passage, content_hash, vectors[content_hash])
                for passage in passages
                for content_hash in [_content_hash(embedding_text(passage))]
            ],
        )
        for article, passages in batch
    )
    reached("pending")
    with store.writing_vectors() as index:
        # Read back, so that Chroma holds the very float16 values that it would be rebuilt from.
        index.upsert(*catalogue.vectors([i for ids in added.values() for i in ids]))
    reached("indexed")
    catalogue.make_live(added)
    reached("live")
    return len(missing)


def _content_hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def _drop_old(store: Store) -> None:
    if ids := store.catalogue.old_passage_ids():
        with store.writing_vectors() as index:
            index.delete(ids)
        store.catalogue.drop_passages(ids)

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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rag.catalogue import NewPassage
from rag.corpus import Source, find_sources, look_through
from rag.embed import Embedder
from rag.errors import CorpusError
from rag.lineage import page_key
from rag.schema import Article, Passage, Progress, Skip, SyncReport
from rag.split import embedding_text, split_passages
from rag.store import Store
from rag.survey import Survey

# Raise it when the reader or the splitter gives another result for the same file, so that every
# article is read again.
READING_VERSION = 1

# Enough to sort by length for the embedder, few enough to lose little when interrupted.
PASSAGES_PER_BATCH = 512

# In the data folder: pages and feeds fetched by `dateline sync https://…`.
DOWNLOADS = "downloads"


def sync(
    corpus: Path | None,
    store: Store,
    embedder: Embedder,
    *,
    max_tokens: int,
    overlap: int,
    progress: Callable[[Progress], None] | None = None,
    reached: Callable[[str], None] | None = None,
) -> SyncReport:
    """Make the store hold what the corpus holds.

    Interrupted at any moment, by Ctrl-C or worse, it keeps the batches that were finished; the
    next sync goes on from there.

    Parameters
    ----------
    corpus : Path or None
        Folder of articles, or one file. What was downloaded into the store belongs to the corpus
        too; None stands for that alone.
    store : Store
    embedder : Embedder
        Its two methods are called from two threads at once.
    max_tokens, overlap : int
        Longest passage, in tokens, and sentences shared by neighbouring ones.
    progress : callable, optional
        Told after each batch how far it has come; the total is an estimate until all is read.
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
    live = catalogue.live()
    found, unsupported = _find(corpus, store)
    survey = Survey(found, catalogue.files() if same_shape else {}, live if same_shape else {})

    written: dict[str, bool] = {}
    passages = 0
    pages = {article.page for article in live.values() if article.page}
    batches = _batches(survey.changed(), embedder, max_tokens=max_tokens, overlap=overlap)
    for batch in _ahead(batches):
        passages += _apply(batch, store, embedder, reached)
        for article, _ in batch:
            stood = article.article_id in live or page_key(article.url) in pages
            written[article.article_id] = stood
        if progress:
            progress(Progress(len(written), max(len(written), survey.expected), passages))
    kept = survey.article_ids
    if not kept:
        reasons = "; ".join(f"{skip.source}: {skip.reason}" for skip in survey.skips[:3])
        raise CorpusError(f"no article in {corpus} could be read ({reasons}); the index is kept")

    gone = sorted((live.keys() | catalogue.live().keys()) - kept)
    if gone:
        catalogue.retire(gone)
    _drop_old(store)
    reached("dropped")
    if not survey.same:
        catalogue.set_files(survey.files, survey.sources)
    with catalogue.transaction():
        catalogue.set_meta("shape", shape)
        if corpus is not None:
            catalogue.set_meta("corpus", str(corpus.resolve()))
    if written or gone:
        store.settle()
    updated = sum(written.get(article_id, False) for article_id in kept)
    pages = {article.page for article in catalogue.live().values() if article.page}
    return SyncReport(
        added=len(kept & written.keys()) - updated,
        updated=updated,
        # An article whose page goes on under another id was updated, not removed.
        removed=sum(name in live and live[name].page not in pages for name in gone),
        unchanged=len(kept - written.keys()),
        passages=passages,
        skipped=survey.skips + unsupported,
        seconds=time.perf_counter() - started,
    )


def has_downloads(folder: Path) -> bool:
    """Tell whether files were fetched into a data folder."""
    return any(path.is_file() for path in (folder / DOWNLOADS).glob("*/[!.]*"))


def _find(corpus: Path | None, store: Store) -> tuple[tuple[Source, ...], tuple[Skip, ...]]:
    downloads = store.folder / DOWNLOADS
    found: tuple[Source, ...] = ()
    unsupported: tuple[Skip, ...] = ()
    if corpus is not None:
        found, unsupported = look_through(corpus)
    if has_downloads(store.folder):
        found += tuple(
            Source(s.path, f"{DOWNLOADS}/{s.relative}", s.size, s.modified_ns)
            for s in find_sources(downloads)
        )
    if not found:
        raise CorpusError("nothing to sync; name a folder with your articles")
    return found, unsupported


Batch = list[tuple[Article, tuple[Passage, ...]]]


def _batches(
    articles: Iterable[Article], embedder: Embedder, *, max_tokens: int, overlap: int
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


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches, reading and splitting one while the one before it is embedded."""
    with ThreadPoolExecutor(1, thread_name_prefix="splitter") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
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

"""Upkeep of a data folder: mend what is damaged, give back what is wasted."""

from __future__ import annotations

import time
from pathlib import Path

from rag.catalogue import Catalogue
from rag.embed import Embedder
from rag.errors import StoreError, StoreLockedError, StoreMismatchError
from rag.schema import Check
from rag.split import embedding_text
from rag.store import CATALOGUE, Store, lock_folder
from rag.vectors import Server

PASSAGES_AT_ONCE = 512
DAY_SECONDS = 86_400


def repair(folder: Path, embedder: Embedder, server: Server | None = None) -> tuple[Check, ...]:
    """Mend a data folder as far as its own contents allow.

    Vectors of another model are made again, the full-text index and the vector index are rebuilt
    where they differ from the catalogue. A catalogue that SQLite can't read, or of another
    schema, is set aside, and the next sync starts anew: the corpus is not in the folder.

    Parameters
    ----------
    folder : Path
    embedder : Embedder
    server : Server, optional

    Returns
    -------
    tuple of Check
        What was done; nothing where all was well. `Store.check` says how it is now.

    Raises
    ------
    StoreLockedError
        If another process holds the folder.
    StoreError
        If it can't be written.
    """
    done = [*_mend_catalogue(folder, embedder)]
    with Store(folder, embedder=embedder.fingerprint, server=server) as store:
        store.require_writable()
        catalogue = store.catalogue
        if catalogue.count_words() != catalogue.count_passages():
            catalogue.rebuild_words()
            done.append(Check("words", True, "the full-text index was made anew"))
        before = catalogue.get_meta("chroma")
        if not all(check.ok for check in store.check() if check.name == "vectors"):
            store.rebuild()
        if catalogue.get_meta("chroma") != before and before is not None:
            done.append(Check("vectors", True, "the vector index was made anew"))
    return tuple(done)


def _mend_catalogue(folder: Path, embedder: Embedder) -> tuple[Check, ...]:
    path = folder / CATALOGUE
    if not path.exists():
        return ()
    lock = lock_folder(folder)
    if lock is None:
        raise StoreError(f"can't write the store {folder}: it is read-only")
    try:
        try:
            catalogue = Catalogue(path, embedder=None)
            try:
                fault = catalogue.integrity_fault()
                made_by = catalogue.get_meta("embedder")
                if fault is None and made_by != embedder.fingerprint:
                    embed_again(catalogue, embedder)
                    detail = f"all passages were embedded again, with {embedder.name}"
                    return (Check("embedder", True, detail),)
            finally:
                catalogue.close()
        except StoreLockedError:
            raise
        except (StoreMismatchError, StoreError) as error:
            fault = str(error)
        return () if fault is None else (_set_aside(path, fault),)
    finally:
        lock.release()


def embed_again(catalogue: Catalogue, embedder: Embedder) -> None:
    """Replace every vector by one of another model, in one transaction."""
    with catalogue.transaction():
        catalogue.drop_passages(catalogue.old_passage_ids())
        ids = catalogue.passage_ids()
        for start in range(0, len(ids), PASSAGES_AT_ONCE):
            passages = catalogue.passages(ids[start : start + PASSAGES_AT_ONCE])
            made = embedder.embed([embedding_text(passage) for passage in passages.values()])
            catalogue.set_vectors(dict(zip(passages, made, strict=True)))
        catalogue.set_meta("embedder", embedder.fingerprint)
        # The vector index holds the other model's vectors.
        catalogue.set_meta("seal", "")


def _set_aside(path: Path, fault: str) -> Check:
    kept = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    path.rename(kept)
    for rest in ("-wal", "-shm"):
        beside = path.with_name(path.name + rest)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + rest))
    detail = f"set aside as {kept.name} ({fault}); run: dateline sync PATH"
    return Check("catalogue", False, detail)


def compact(store: Store, *, forget_days: int | None = None) -> tuple[int, int]:
    """Rewrite the files of a store without what is no longer needed.

    Parameters
    ----------
    store : Store
    forget_days : int, optional
        Forget old versions of articles that were stored before so many days; citations that
        point to them can't be shown any longer. By default all are kept.

    Returns
    -------
    tuple of int
        Bytes on disk before and after.

    Raises
    ------
    StoreError
        If the folder can't be written: SQLite needs room for a copy of its file.
    """
    store.recover()
    before = store.bytes_on_disk()
    catalogue = store.catalogue
    catalogue.drop_passages(catalogue.old_passage_ids())
    if forget_days is not None:
        catalogue.forget_versions(before=int(time.time()) - forget_days * DAY_SECONDS)
    catalogue.compact()
    store.rebuild()
    return before, store.bytes_on_disk()

"""The data folder: one process's lock, the catalogue, and the vector index kept in step with it.

Only this module knows which folder Chroma is in and whether it can be trusted. It is, if the seal
of its files is the one noted after the last completed write, its ids are the catalogue's, and a
sample of vectors finds itself. Otherwise it is mended or rebuilt from the catalogue.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from rag.catalogue import Catalogue
from rag.errors import StoreError, StoreLockedError
from rag.schema import Check
from rag.vectors import VectorIndex, seal

LOCK_SECONDS = 0.5

# A healthy graph may miss a rare vector (5 of 3,500 were seen), a damaged one misses most.
SAMPLE = 32
FOUND_AT_LEAST = 0.9


class Store:
    """A data folder, held by this process until it is closed.

    Parameters
    ----------
    folder : Path
        Made if missing.
    embedder : str
        Fingerprint of the embedding model.

    Raises
    ------
    StoreLockedError
        If another live process holds the folder.
    StoreMismatchError
        If the folder was made by another embedding model or schema version.
    StoreError
        If the folder can't be written.
    """

    def __init__(self, folder: Path, *, embedder: str) -> None:
        self.folder = folder
        self._lock = _lock(folder)
        self._vectors: VectorIndex | None = None
        self._opening = threading.Lock()
        try:
            self.catalogue = Catalogue(folder / "catalogue.sqlite3", embedder=embedder)
            self.catalogue.drop_pending()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and let other processes use the folder; may be called twice."""
        with self._opening:
            if self._vectors is not None:
                self._vectors.close()
                self._vectors = None
            self.catalogue.close()
            self._lock.release()

    @property
    def vectors(self) -> VectorIndex:
        """The vector index, opened, and mended if need be, at first use."""
        with self._opening:
            if self._vectors is None:
                self._vectors = self._open_trusted() or self._rebuild()
            return self._vectors

    @contextmanager
    def writing_vectors(self) -> Iterator[VectorIndex]:
        """Write to the vector index: it counts as damaged until the block has ended well."""
        vectors = self.vectors
        self.catalogue.set_meta("seal", "")
        yield vectors
        self.catalogue.set_meta("seal", seal(vectors.folder))

    def recover(self) -> None:
        """Forget what an interrupted sync left behind, in the catalogue and the vector index."""
        if self.catalogue.drop_pending():
            self._mend(self.vectors)

    def bytes_on_disk(self) -> int:
        """Return the size of all files in the folder."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def check(self) -> tuple[Check, ...]:
        """Look at the lock, the catalogue and the vector index."""
        fault = self.catalogue.integrity_fault()
        live = self.catalogue.passage_ids()
        found = self._share_found(self.vectors)
        return (
            Check("lock", True, f"held by this process, {os.getpid()}"),
            Check("catalogue", fault is None, fault or f"{len(live)} passages"),
            Check(
                "words",
                self.catalogue.count_words() == len(live),
                f"{self.catalogue.count_words()} of {len(live)} passages in the full-text index",
            ),
            Check(
                "vectors",
                found >= FOUND_AT_LEAST,
                f"{self.vectors.count()} vectors; {found:.0%} of a sample find themselves",
            ),
        )

    def _open_trusted(self) -> VectorIndex | None:
        name = self.catalogue.get_meta("chroma")
        if name is None or not (self.folder / name).is_dir():
            return None
        if seal(self.folder / name) != self.catalogue.get_meta("seal"):
            return None
        try:
            vectors = VectorIndex(self.folder / name)
            self._mend(vectors)
            if self._share_found(vectors) >= FOUND_AT_LEAST:
                return vectors
            vectors.close()
        except StoreError:
            pass  # What Chroma can't open is rebuilt below, into another folder.
        return None

    def _mend(self, vectors: VectorIndex) -> None:
        wanted, stored = set(self.catalogue.passage_ids()), vectors.ids()
        if wanted == stored:
            return
        self.catalogue.set_meta("seal", "")
        vectors.delete(sorted(stored - wanted))
        vectors.upsert(*self.catalogue.vectors(sorted(wanted - stored)))
        self.catalogue.set_meta("seal", seal(vectors.folder))

    def _share_found(self, vectors: VectorIndex) -> float:
        ids = self.catalogue.passage_ids()
        return vectors.finds(*self.catalogue.vectors(ids[:: max(1, len(ids) // SAMPLE)]))

    def _rebuild(self) -> VectorIndex:
        # Into a new folder: what is damaged may be held open, and may be wanted for a report.
        before = self.catalogue.get_meta("chroma")
        number = int(before.rpartition("-")[2]) + 1 if before else 1
        folder = self.folder / f"chroma-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        vectors = VectorIndex(folder)
        vectors.upsert(*self.catalogue.vectors(self.catalogue.passage_ids()))
        with self.catalogue.transaction():
            self.catalogue.set_meta("chroma", folder.name)
            self.catalogue.set_meta("seal", seal(folder))
        for other in self.folder.glob("chroma-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return vectors


def _lock(folder: Path) -> FileLock:
    owner = folder / "owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The kernel drops the lock of a process that died, however it died.
        lock = FileLock(folder / "lock", timeout=LOCK_SECONDS)
        lock.acquire()
        owner.write_text(str(os.getpid()), encoding="ascii")
    except Timeout as error:
        pid = owner.read_text(encoding="ascii") if owner.exists() else "unknown"
        raise StoreLockedError(
            f"the store {folder} is in use by process {pid}; close that one, or give another "
            "folder with --store or RAG_STORE"
        ) from error
    except OSError as error:
        raise StoreError(
            f"can't write the store {folder}: {error.strerror or error}; check the path and its "
            "permissions, or give another folder with --store or RAG_STORE"
        ) from error
    return lock

"""The data folder: one process's lock, the catalogue, and the vector index kept in step with it.

Only this module knows which folder Chroma is in and whether it can be trusted. It is, if its
files bear the seal noted after the last completed write, its ids are the catalogue's, and a
sample of vectors finds itself. Otherwise it is mended or rebuilt from the catalogue; while that
isn't possible, the catalogue's own vectors are searched, which is exact and slower.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from rag.catalogue import Catalogue
from rag.errors import StoreError, StoreLockedError
from rag.exact import ExactSearch
from rag.schema import Check
from rag.seals import is_sealed, quick_seal, seal
from rag.vectors import Server, VectorIndex

LOCK_SECONDS = 0.5
RETRY_SECONDS = 30.0
CATALOGUE = "catalogue.sqlite3"

# Up to here every vector is looked for (0.13 s for 1,000) and must be found: a graph that was
# changed many times may lose the only way to one, and one made anew never did.
LOOKED_FOR_ALL = 1_000
# Beyond, a sample: a healthy graph may miss a rare vector (5 of 3,500 were seen), a damaged one
# misses most.
SAMPLE = 64
FOUND_AT_LEAST = 0.9

# Vectors deleted since the index was built, at which it is built anew: this, or as many as live.
WORN_LEAST = 200

# Kept free on the disk: SQLite fails cleanly when it is full, Chroma's graph library silently.
_RESERVE_BYTES = 32 * 2**20
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class Store:
    """A data folder, held by this process until it is closed.

    Parameters
    ----------
    folder : Path
        Made if missing. One that can't be written is opened for reading, if it holds a store.
    embedder : str
        Fingerprint of the embedding model.
    server : Server, optional
        Keep the vector index there, not in the folder.

    Raises
    ------
    StoreLockedError
        If another live process holds the folder.
    StoreMismatchError
        If the folder was made by another embedding model or schema version.
    StoreError
        If the folder holds no store and can't be written.
    """

    def __init__(self, folder: Path, *, embedder: str, server: Server | None = None) -> None:
        self.folder = folder
        self._server = server
        self._lock = lock_folder(folder)
        self._vectors: VectorIndex | None = None
        self._vectors_error: StoreError | None = None
        self._retry_at = 0.0
        self._opening = threading.RLock()
        try:
            self.catalogue = Catalogue(
                folder / CATALOGUE, embedder=embedder, read_only=self.read_only
            )
            if not self.read_only:
                self.catalogue.drop_pending()
        except BaseException:
            self._release()
            raise
        self._exact = ExactSearch(self.catalogue)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """Whether the folder can't be written, so that sync is refused."""
        return self._lock is None

    def close(self) -> None:
        """Close the files and let other processes use the folder; may be called twice."""
        with self._opening:
            self._close_vectors()
            self.catalogue.close()
            self._release()

    def _close_vectors(self) -> None:
        if self._vectors is not None:
            vectors, self._vectors = self._vectors, None
            vectors.close()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    @property
    def vectors(self) -> VectorIndex:
        """The vector index, opened, and mended if need be, at first use.

        Raises
        ------
        StoreError
            If it can't be opened nor rebuilt: the folder is read-only, the disk full, the server
            down.
        """
        with self._opening:
            if self._vectors is None:
                if self.read_only:
                    raise StoreError(
                        f"the store {self.folder} can't be written, and Chroma opens no other; "
                        "make it writable"
                    )
                self._vectors = self._on_server() if self._server else self._on_disk()
            return self._vectors

    def searchable(self) -> tuple[VectorIndex | ExactSearch, str | None]:
        """Return what can search vectors now, and the fault if that isn't the vector index.

        After a fault the vector index is tried again half a minute later.
        """
        with self._opening:
            if self._vectors_error is None or time.monotonic() >= self._retry_at:
                try:
                    vectors = self.vectors
                except StoreError as error:
                    self._fail(error)
                else:
                    self._vectors_error = None
                    return vectors, None
            return self._exact, str(self._vectors_error)

    def without_index(self, fault: StoreError) -> ExactSearch:
        """Return the exact search, and use it for a while: the vector index has failed."""
        with self._opening:
            self._fail(fault)
            with suppress(Exception):
                self._close_vectors()
            return self._exact

    def _fail(self, fault: StoreError) -> None:
        self._vectors_error = fault
        self._retry_at = time.monotonic() + RETRY_SECONDS

    @contextmanager
    def writing_vectors(self) -> Iterator[VectorIndex]:
        """Write to the vector index; what was written counts once the block has ended well.

        Raises
        ------
        StoreError
            If the index can't be opened or written; it is opened anew, and mended or rebuilt,
            when it is next used.
        """
        vectors = self.vectors
        self._require_space()
        try:
            yield vectors
        except StoreError:
            with self._opening, suppress(Exception):
                self._close_vectors()
            raise
        except KeyboardInterrupt:
            # Chroma finishes what it was called for before Python hears of the interrupt.
            self._note_seal(vectors)
            raise
        self._note_seal(vectors)
        self._vectors_error = None

    def settle(self) -> None:
        """End a sync: make a worn vector index anew, or note a seal that outlasts power failures.

        The graph keeps what was deleted as dead ends, until some vectors can't be reached.
        """
        dead = self.catalogue.count_gone() - int(self.catalogue.get_meta("gone") or 0)
        worn = dead > max(WORN_LEAST, self.catalogue.count_passages())
        # The worn index is kept if there is no room for another.
        with suppress(StoreError):
            if worn or (self._vectors is not None and not self._is_healthy(self._vectors)):
                self.rebuild()
        if self._vectors is not None and self._vectors.folder is not None:
            self.catalogue.set_meta("seal", seal(self._vectors.folder))

    def recover(self) -> None:
        """Forget what an interrupted sync left behind, in the catalogue and the vector index."""
        self.require_writable()
        if self.catalogue.drop_pending():
            self._mend(self.vectors)

    def require_writable(self) -> None:
        """Raise `StoreError` if the folder can't be written."""
        if self.read_only:
            raise StoreError(
                f"can't write the store {self.folder}: it is read-only; check its permissions, or "
                "give another folder with --store or RAG_STORE"
            )

    def bytes_on_disk(self) -> int:
        """Return the size of all files in the folder."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def check(self) -> tuple[Check, ...]:
        """Look at the lock, the catalogue and the vector index."""
        fault = self.catalogue.integrity_fault()
        live = self.catalogue.count_passages()
        words = self.catalogue.count_words()
        held = "the folder is read-only" if self.read_only else f"held by process {os.getpid()}"
        checks = [
            Check("lock", True, held),
            Check("catalogue", fault is None, fault or f"{live} passages"),
            Check("words", words == live, f"{words} of {live} passages in the full-text index"),
        ]
        try:
            (found, enough), count = self._look_for_vectors(self.vectors), self.vectors.count()
        except StoreError as error:
            return (*checks, Check("vectors", False, str(error)))
        detail = f"{count} vectors; {found:.0%} of those looked for find themselves"
        return (*checks, Check("vectors", enough and count == live, detail))

    def rebuild(self) -> None:
        """Make the vector index anew from the catalogue.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        self.require_writable()
        with self._opening:
            self._close_vectors()
            self._vectors = self._on_server(anew=True) if self._server else self._rebuild()
            self._vectors_error = None

    # -- on disk -----------------------------------------------------------------------------

    def _on_disk(self) -> VectorIndex:
        return self._open_trusted() or self._rebuild()

    def _open_trusted(self) -> VectorIndex | None:
        name = self.catalogue.get_meta("chroma")
        if name is None or not (self.folder / name).is_dir():
            return None
        if not is_sealed(self.folder / name, self.catalogue.get_meta("seal")):
            return None
        vectors = None
        try:
            vectors = VectorIndex(self.folder / name)
            self._mend(vectors)
            if self._is_healthy(vectors):
                return vectors
        except StoreError:
            pass  # What Chroma can't open is rebuilt, into another folder.
        if vectors is not None:
            vectors.close()
        return None

    def _mend(self, vectors: VectorIndex) -> None:
        wanted, stored = set(self.catalogue.passage_ids()), vectors.ids()
        if wanted == stored:
            return
        vectors.delete(sorted(stored - wanted))
        vectors.upsert(*self.catalogue.vectors(sorted(wanted - stored)))
        self._note_seal(vectors)

    def _note_seal(self, vectors: VectorIndex) -> None:
        if vectors.folder is not None:
            self.catalogue.set_meta("seal", quick_seal(vectors.folder))

    def _is_healthy(self, vectors: VectorIndex) -> bool:
        return self._look_for_vectors(vectors)[1]

    def _look_for_vectors(self, vectors: VectorIndex) -> tuple[float, bool]:
        """Return the share of vectors that find themselves, and whether that is enough."""
        ids = self.catalogue.passage_ids()
        if len(ids) <= LOOKED_FOR_ALL:
            found = vectors.finds(*self.catalogue.vectors(ids))
            return found, found == 1.0
        found = vectors.finds(*self.catalogue.vectors(ids[:: len(ids) // SAMPLE]))
        return found, found >= FOUND_AT_LEAST

    def _rebuild(self) -> VectorIndex:
        # Into a new folder: what is damaged may be held open, and may be wanted for a report.
        self._require_space()
        before = self.catalogue.get_meta("chroma")
        number = int(before.rpartition("-")[2]) + 1 if before else 1
        folder = self.folder / f"chroma-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        vectors = VectorIndex(folder)
        try:
            self._fill(vectors)
            with self.catalogue.transaction():
                self.catalogue.set_meta("chroma", folder.name)
                self.catalogue.set_meta("seal", seal(folder))
        except BaseException:
            vectors.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        for other in self.folder.glob("chroma-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return vectors

    def _fill(self, vectors: VectorIndex) -> None:
        self.catalogue.set_meta("gone", str(self.catalogue.count_gone()))
        ids = self.catalogue.passage_ids()
        for start in range(0, len(ids), _FILL):
            vectors.upsert(*self.catalogue.vectors(ids[start : start + _FILL]))

    def _require_space(self) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < _RESERVE_BYTES:
            raise StoreError(
                f"the disk of the store {self.folder} has {free / 1e6:.0f} MB left, and "
                f"{_RESERVE_BYTES / 1e6:.0f} MB are needed to write safely; free some space"
            )

    # -- on a server -------------------------------------------------------------------------

    def _on_server(self, *, anew: bool = False) -> VectorIndex:
        # Several stores may share a server.
        store_id = self.catalogue.get_meta("store_id")
        if store_id is None:
            store_id = uuid.uuid4().hex
            self.catalogue.set_meta("store_id", store_id)
        vectors = VectorIndex(server=self._server, name=f"dateline-{store_id}")
        try:
            if not anew:
                self._mend(vectors)
                anew = not self._is_healthy(vectors)
            if anew:
                vectors.clear()
                self._fill(vectors)
        except BaseException:
            vectors.close()
            raise
        return vectors


# Vectors written to a new index at once: 8 MB of float32 at 384 dimensions.
_FILL = 5_000


def lock_folder(folder: Path) -> FileLock | None:
    """Hold a data folder for this process; return None if it holds a store and is read-only.

    Raises
    ------
    StoreLockedError
        If another live process holds it.
    StoreError
        If it can't be written and holds no store.
    """
    owner = folder / "owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The kernel drops the lock of a process that died, however it died.
        lock = FileLock(folder / "lock", timeout=LOCK_SECONDS)
        lock.acquire()
    except Timeout as error:
        pid = owner.read_text(encoding="ascii") if owner.exists() else "unknown"
        raise StoreLockedError(
            f"the store {folder} is in use by process {pid}; close that one, or give another "
            "folder with --store or RAG_STORE"
        ) from error
    except OSError as error:
        if error.errno in _READ_ONLY and (folder / CATALOGUE).is_file():
            return None
        raise _unwritable(folder, error) from error
    # On a full disk the note can't be written; what is stored can still be read.
    with suppress(OSError):
        owner.write_text(str(os.getpid()), encoding="ascii")
    return lock


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"can't write the store {folder}: {error.strerror or error}; check the path and its "
        "permissions, or give another folder with --store or RAG_STORE"
    )

"""The vector index (Chroma): finds near vectors; can be rebuilt from the catalogue at any time.

Chroma overwrites its vector files in place, so a killed writer can leave files that answer
wrongly, or that crash the process that opens them. Therefore `seal` gives a hash of those files:
the store keeps the one of the last completed write, and an index whose files differ from it by a
byte is never opened, but rebuilt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rag.errors import StoreError

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

COLLECTION = "passages"

# Below `get_max_batch_size()`, 5,461 in Chroma 1.5.
BATCH = 5_000

# Chroma's defaults of 100 lose a few of the nearest hundred; the extra search costs under 1 ms.
HNSW: dict[str, Any] = {"space": "cosine", "ef_construction": 200, "ef_search": 200}

Vectors = npt.NDArray[np.float32]


class VectorIndex:
    """Unit vectors by integer id in one Chroma collection; ranked by cosine.

    Parameters
    ----------
    folder : Path
        Chroma's own folder; made if missing. Compare its `seal` first if it may be damaged.

    Raises
    ------
    StoreError
        If Chroma can't open the folder.
    """

    def __init__(self, folder: Path) -> None:
        # Imported here: it takes over a second, and `dateline status` can do without.
        import chromadb
        from chromadb.config import Settings

        self.folder = folder
        try:
            self._client = chromadb.PersistentClient(
                str(folder), settings=Settings(anonymized_telemetry=False)
            )
            self._collection: Collection = self._client.get_or_create_collection(
                COLLECTION,
                embedding_function=None,
                configuration={"hnsw": HNSW},  # type: ignore[arg-type]
            )
        except Exception as error:
            raise StoreError(
                f"can't open the vector index {folder}: {error}; run: dateline doctor"
            ) from error

    def close(self) -> None:
        """Let go of Chroma's files."""
        self._client.close()  # type: ignore[attr-defined]

    def upsert(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors or replace those of the same ids.

        Raises
        ------
        StoreError
            If Chroma can't write, for instance because the disk is full.
        """
        try:
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                self._collection.upsert(ids=_names(ids[part]), embeddings=vectors[part])
        except Exception as error:
            raise StoreError(
                f"can't write the vector index {self.folder}: {error}; free some space or check "
                "permissions, then sync again"
            ) from error

    def delete(self, ids: Sequence[int]) -> None:
        """Remove vectors; ids that are not there are passed over."""
        for start in range(0, len(ids), BATCH):
            self._collection.delete(ids=_names(ids[start : start + BATCH]))

    def search(self, vector: Vectors, *, k: int) -> list[tuple[int, float]]:
        """Find the nearest vectors.

        Parameters
        ----------
        vector : ndarray of float32, shape (dimensions,)
            Of unit length.
        k : int
            How many to return at most.

        Returns
        -------
        list of (int, float)
            Id and cosine in [-1, 1], best first.

        Raises
        ------
        StoreError
            If Chroma fails.
        """
        try:
            found: Any = self._collection.query(
                query_embeddings=vector[None, :],
                n_results=k,
                include=["distances"],
            )
        except Exception as error:
            raise StoreError(
                f"the vector index {self.folder} does not answer: {error}; run: dateline doctor"
            ) from error
        return [
            (int(name), 1.0 - distance)
            for name, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def ids(self) -> set[int]:
        """Return every id."""
        return {int(name) for name in self._collection.get(include=[])["ids"]}

    def count(self) -> int:
        """Return the number of vectors."""
        return int(self._collection.count())

    def finds(self, ids: Sequence[int], vectors: Vectors) -> float:
        """Return the share, in [0, 1], of the given vectors that find themselves."""
        if not ids:
            return 1.0
        # The nearest few, since copies of a passage share a vector.
        hits = 0
        for passage_id, vector in zip(ids, vectors, strict=True):
            found = self.search(vector, k=5)
            hits += any(i == passage_id or cosine > 0.9999 for i, cosine in found)
        return hits / len(ids)


def seal(folder: Path) -> str:
    """Return a hash over the names and bytes of the vector files below `folder`.

    Chroma's own SQLite file is left out: it survives a killed writer, and opening it changes
    it. The ids in it are compared with the catalogue's instead.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in _vector_files(folder):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _vector_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*/*")):
        if path.is_file():
            yield path


def _names(ids: Sequence[int]) -> list[str]:
    return [str(i) for i in ids]

"""The vector index (Chroma): finds near vectors; can be rebuilt from the catalogue at any time.

It runs embedded in this process on a folder of its own, or on a Chroma server in a trusted
network; everything after opening it is the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from rag.errors import SettingsError, StoreError
from rag.seals import is_whole

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

COLLECTION = "passages"

# Below `get_max_batch_size()`, 5,461 in Chroma 1.5.
BATCH = 5_000

# Chroma writes its vector files when this many vectors stand in its log alone, and reads the log
# back at every opening, a millisecond a vector. Its default of 1,000 made opening slow.
LOGGED = 100

# Measured on vectors of news passages (see eval/bench_scale.py): with Chroma's defaults of 100
# the search loses a few of the nearest hundred; 200 costs under 1 ms more. With 16 neighbours,
# the default, a few of 240 vectors could no longer be reached after 15 rounds in each of which a
# fifth was replaced; with 32, all could, for 8 % more bytes.
HNSW: dict[str, Any] = {
    "space": "cosine",
    "ef_construction": 100,
    "max_neighbors": 32,
    "ef_search": 200,
    "sync_threshold": LOGGED,
}

# A server that is up answers at once; one that isn't must not hold up an answer.
_CONNECT_SECONDS = 3.0
_SERVER_SECONDS = 60.0

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Server:
    """A Chroma server: its address and, if it asks for one, a token sent in a header.

    Raises
    ------
    SettingsError
        If the address is not ``http(s)://host[:port]``.
    """

    url: str
    token: str | None = None
    header: str = "X-Chroma-Token"

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        plain = parts.path in ("", "/") and not (parts.query or parts.username or parts.password)
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise SettingsError(
                f"RAG_CHROMA_URL is {self.url!r}; give a server as http://host:8000, and its "
                "token as RAG_CHROMA_TOKEN"
            )

    def __repr__(self) -> str:
        # A token must not reach a log or a traceback.
        return f"Server({self.url!r})"


class VectorIndexError(StoreError):
    """The vector index fails; the catalogue may well be fine."""


class VectorIndex:
    """Unit vectors by integer id in one Chroma collection; ranked by cosine.

    Parameters
    ----------
    folder : Path, optional
        Chroma's own folder; made if missing. Check its seal first if it may be damaged.
    server : Server, optional
        Where to find the collection instead.
    name : str
        Of the collection; made if missing.

    Raises
    ------
    VectorIndexError
        If Chroma can't open the folder, or the server does not answer.
    """

    def __init__(
        self, folder: Path | None = None, *, server: Server | None = None, name: str = COLLECTION
    ) -> None:
        if (folder is None) == (server is None):
            raise ValueError("give a folder or a server")
        self.folder = folder
        self.where = str(folder) if server is None else server.url
        self._name = name
        self._client: ClientAPI | None = None
        try:
            self._client = _on_disk(folder) if folder is not None else _connect(server)
            self._collection = self._open_collection()
        except Exception as error:
            self.close()
            advice = (
                "run: dateline doctor" if server is None else "start it or unset RAG_CHROMA_URL"
            )
            raise VectorIndexError(
                f"can't open the vector index {self.where}: {_brief(error)}; {advice}"
            ) from error

    def _open_collection(self) -> Any:
        assert self._client is not None
        return self._client.get_or_create_collection(
            self._name,
            embedding_function=None,
            configuration={"hnsw": HNSW},  # type: ignore[arg-type]
        )

    def close(self) -> None:
        """Let go of Chroma's files or of the connection."""
        if self._client is not None:
            self._client.close()  # type: ignore[attr-defined]

    def clear(self) -> None:
        """Remove every vector, by making the collection anew."""

        def renew() -> None:
            assert self._client is not None
            self._client.delete_collection(self._name)
            self._collection = self._open_collection()

        self._write(renew)

    def upsert(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors or replace those of the same ids.

        Raises
        ------
        VectorIndexError
            If Chroma can't write, for instance because the disk is full.
        """
        for start in range(0, len(ids), BATCH):
            part = slice(start, start + BATCH)
            change = partial(
                self._collection.upsert, ids=_names(ids[part]), embeddings=vectors[part]
            )
            self._write(change)
        if len(ids):
            self._require_whole(vectors.shape[1])

    def delete(self, ids: Sequence[int]) -> None:
        """Remove vectors; ids that are not there are passed over.

        Raises
        ------
        VectorIndexError
            If Chroma can't write.
        """
        for start in range(0, len(ids), BATCH):
            names = _names(ids[start : start + BATCH])
            self._write(partial(self._collection.delete, ids=names))

    def _write(self, change: Callable[[], object]) -> None:
        try:
            change()
        except Exception as error:
            raise VectorIndexError(
                f"can't write the vector index {self.where}: {_brief(error)}; free some space, "
                "check permissions or the server, then sync again"
            ) from error

    def _require_whole(self, dimensions: int) -> None:
        if self.folder is not None and not is_whole(
            self.folder, count=self.count(), dimensions=dimensions, unwritten=LOGGED
        ):
            raise VectorIndexError(
                f"the files of the vector index {self.where} end early, as on a full disk; free "
                "some space, then sync again"
            )

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
        VectorIndexError
            If Chroma fails.
        """
        return self._query(vector[None, :], k=k)[0]

    def _query(self, vectors: Vectors, *, k: int) -> list[list[tuple[int, float]]]:
        try:
            found: Any = self._collection.query(
                query_embeddings=vectors,
                n_results=k,
                include=["distances"],
            )
        except Exception as error:
            raise self._silent(error) from error
        return [
            [(int(name), 1.0 - distance) for name, distance in zip(names, distances, strict=True)]
            for names, distances in zip(found["ids"], found["distances"], strict=True)
        ]

    def ids(self) -> set[int]:
        """Return every id.

        Raises
        ------
        VectorIndexError
            If Chroma fails.
        """
        try:
            if self.folder is not None:
                return {int(name) for name in self._collection.get(include=[])["ids"]}
            # A server refuses answers of unlimited size.
            found: set[int] = set()
            while names := self._collection.get(include=[], limit=BATCH, offset=len(found))["ids"]:
                found |= {int(name) for name in names}
            return found
        except Exception as error:
            raise self._silent(error) from error

    def count(self) -> int:
        """Return the number of vectors.

        Raises
        ------
        VectorIndexError
            If Chroma fails.
        """
        try:
            return int(self._collection.count())
        except Exception as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> VectorIndexError:
        return VectorIndexError(
            f"the vector index {self.where} does not answer: {_brief(error)}; run: dateline doctor"
        )

    def finds(self, ids: Sequence[int], vectors: Vectors) -> float:
        """Return the share, in [0, 1], of the given vectors that find themselves."""
        if not ids:
            return 1.0
        # The nearest few, since copies of a passage share a vector and may crowd one out; in one
        # call, since a call costs ten times what a search among a hundred costs.
        hits = 0
        for passage_id, near in zip(ids, self._query(vectors, k=5), strict=True):
            same = [i for i, cosine in near if cosine > 0.9999]
            hits += passage_id in same or len(same) == 5
        return hits / len(ids)


def _on_disk(folder: Path) -> ClientAPI:
    # Imported here: it takes over a second, and `dateline status` can do without.
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def _connect(server: Server | None) -> ClientAPI:
    import chromadb
    import httpx
    from chromadb.config import Settings

    assert server is not None
    parts = urlsplit(server.url)
    headers = {server.header: server.token} if server.token else None
    # Chroma's client would wait for ever for a server that takes the connection and stalls.
    httpx.get(
        f"{server.url.rstrip('/')}/api/v2/heartbeat", headers=headers, timeout=_CONNECT_SECONDS
    ).raise_for_status()
    client = chromadb.HttpClient(
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        ssl=parts.scheme == "https",
        headers=headers,
        settings=Settings(anonymized_telemetry=False),
    )
    session: httpx.Client = client._server._session  # type: ignore[attr-defined]
    session.timeout = httpx.Timeout(_SERVER_SECONDS, connect=_CONNECT_SECONDS)
    return client


def _brief(error: Exception) -> str:
    """Return the first line of a message: Chroma's may hold a whole page or a trace."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]


def _names(ids: Sequence[int]) -> list[str]:
    return [str(i) for i in ids]

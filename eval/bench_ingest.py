"""Compare sync with LlamaIndex's own: ``python -m eval.bench_ingest --data ../shared/bench``.

The peer is `IngestionPipeline` with `ChromaVectorStore`, a docstore and the strategy that upserts
and deletes, as its documentation shows it, on the same articles, the same embedding model and
passages of the same length. Both go through the same steps: first sync, nothing changed, one
article changed, one removed, then 20 rounds in each of which a tenth of the articles is edited.
Needs the extra ``peers``. Leaves ``ingest.json`` and ``ingest.md`` in ``--out``.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.corpus import find_sources, read_source
from rag.embed import BundledEmbedder
from rag.pipeline import Assistant

ARTICLES = 200
ROUNDS = 20
EDITED_SHARE = 0.1
PASSAGE_TOKENS = 200

Texts = dict[str, str]


class Counting:
    """The bundled model, counting the texts that it embeds."""

    def __init__(self) -> None:
        self._model = BundledEmbedder(threads=1)
        self.name, self.fingerprint = self._model.name, self._model.fingerprint
        self.dimensions = self._model.dimensions
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, one a text."""
        self.embedded += len(texts)
        return self._model.embed(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has."""
        return self._model.count_tokens(texts)


class System(Protocol):
    """What is compared: something that keeps an index in step with articles."""

    name: str
    embedder: Counting

    def sync(self, articles: Texts) -> None:
        """Make the index hold these articles."""
        ...

    def vectors(self) -> int:
        """Return how many vectors the index holds."""
        ...

    def finds(self, words: str) -> bool:
        """Tell whether one of the nearest five passages holds these words."""
        ...

    @property
    def folder(self) -> Path:
        """Where it keeps its files."""
        ...


class Dateline:
    """Our own sync, from files on disk, opened anew for each step as a command would."""

    name = "Dateline"

    def __init__(self, base: Path) -> None:
        self.embedder = Counting()
        self._corpus = base / "corpus"
        self._corpus.mkdir(parents=True)
        self.folder = base / "store"

    def sync(self, articles: Texts) -> None:
        """Write what differs to files, then sync."""
        for path in self._corpus.iterdir():
            if path.stem not in articles:
                path.unlink()
        for name, text in articles.items():
            path = self._corpus / f"{name}.txt"
            if not path.exists() or path.read_text("utf-8") != text:
                path.write_text(text, encoding="utf-8")
        with self._open() as assistant:
            assistant.sync()

    def _open(self) -> Assistant:
        return Assistant.open(self._corpus, store=self.folder, embedder=self.embedder)

    def vectors(self) -> int:
        """Return how many passages can be found."""
        with Assistant.open(store=self.folder, embedder=self.embedder) as assistant:
            return assistant.status().passages

    def finds(self, words: str) -> bool:
        """Search as a question would."""
        with Assistant.open(store=self.folder, embedder=self.embedder) as assistant:
            return any(words in hit.passage.text for hit in assistant.search(words, k=5))


class LlamaIndex:
    """IngestionPipeline and ChromaVectorStore; its docstore and cache are kept on disk."""

    name = "LlamaIndex IngestionPipeline"

    def __init__(self, base: Path) -> None:
        import chromadb

        self.embedder = Counting()
        self.folder = base
        self._client = chromadb.PersistentClient(str(base / "chroma"))
        self._collection = self._client.get_or_create_collection(
            "articles", embedding_function=None, metadata={"hnsw:space": "cosine"}
        )

    def _pipeline(self) -> Any:
        from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.core.node_parser.text.utils import split_by_regex
        from llama_index.core.storage.docstore import SimpleDocumentStore
        from llama_index.vector_stores.chroma import (  # type: ignore[import-not-found,import-untyped]
            ChromaVectorStore,
        )

        from rag.llamaindex import DatelineEmbedding

        count = self.embedder.count_tokens
        splitter = SentenceSplitter(
            chunk_size=PASSAGE_TOKENS,
            chunk_overlap=0,
            tokenizer=lambda text: list(range(count([text])[0])),
            chunking_tokenizer_fn=split_by_regex(r"[^.!?]+[.!?]?"),
        )
        pipeline = IngestionPipeline(
            transformations=[splitter, DatelineEmbedding(self.embedder)],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=ChromaVectorStore(chroma_collection=self._collection),
        )
        if (self.folder / "pipeline").exists():
            pipeline.load(str(self.folder / "pipeline"))
        return pipeline

    def sync(self, articles: Texts) -> None:
        """Run the pipeline over all articles, and keep its state."""
        from llama_index.core.schema import Document

        pipeline = self._pipeline()
        pipeline.run(documents=[Document(text=t, doc_id=n) for n, t in articles.items()])
        pipeline.persist(str(self.folder / "pipeline"))

    def vectors(self) -> int:
        """Return how many vectors the collection holds."""
        return int(self._collection.count())

    def finds(self, words: str) -> bool:
        """Search the collection."""
        vector = self.embedder.embed([words])[0]
        found = self._collection.query(query_embeddings=vector[None, :], n_results=5)
        return any(words in (text or "") for text in (found["documents"] or [[]])[0])


def measured(work: Callable[[], None], embedder: Counting) -> dict[str, float]:
    """Return seconds of the clock and of the processor, and texts embedded."""
    before, started, worked = embedder.embedded, time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - worked,
        "embedded": embedder.embedded - before,
    }


def run(system: System, articles: Texts) -> dict[str, Any]:
    """Take a system through all steps."""
    rng = random.Random(0)
    texts = dict(articles)
    steps: dict[str, Any] = {}

    def step(name: str) -> None:
        figures = measured(lambda: system.sync(texts), system.embedder)
        steps[name] = figures | {"vectors": system.vectors()}
        print(system.name, name, json.dumps(steps[name]), flush=True)

    step("first sync")
    step("nothing changed")
    first, second = sorted(texts)[:2]
    texts[first] += "\nThe zorblatt of Quembly was counted on Monday."
    step("one article changed")
    steps["one article changed"]["new words found"] = system.finds("zorblatt of Quembly")
    texts[first] = articles[first]
    step("changed back")
    steps["changed back"]["gone words found"] = system.finds("zorblatt of Quembly")
    del texts[second]
    step("one removed")
    fewest = steps["one removed"]["vectors"]
    disk = on_disk(system.folder)
    started, worked = time.perf_counter(), time.process_time()
    for turn in range(ROUNDS):
        for name in rng.sample(sorted(texts), k=round(len(texts) * EDITED_SHARE)):
            texts[name] = f"{articles[name]}\nEdited in round {turn}."
        system.sync(texts)
    steps[f"{ROUNDS} rounds of edits"] = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - worked,
        "vectors": system.vectors(),
    }
    return {
        "steps": steps,
        "vectors_before_edits": fewest,
        "bytes_before_edits": disk,
        "bytes_after_edits": on_disk(system.folder),
    }


def on_disk(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def table(results: dict[str, Any]) -> str:
    """Return the figures as a Markdown table, one step a row."""
    names = list(results)
    lines = [f"| step | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for step in next(iter(results.values()))["steps"]:
        cells = []
        for name in names:
            figures = results[name]["steps"][step]
            cell = f"{figures['seconds']:.1f} s ({figures['cpu_seconds']:.1f} s of processor)"
            if "embedded" in figures:
                cell += f", {figures['embedded']:,.0f} embedded"
            cells.append(cell)
        lines.append(f"| {step} | {' | '.join(cells)} |")
    for label, key in (
        ("disk before the edits", "bytes_before_edits"),
        (f"disk after {ROUNDS} rounds", "bytes_after_edits"),
    ):
        cells = [f"{results[name][key] / 1e6:.1f} MB" for name in names]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--out", type=Path, default=Path("eval/results"))
    parser.add_argument("--articles", type=int, default=ARTICLES)
    options = parser.parse_args()
    articles: Texts = {}
    for source in find_sources(options.data / "allsides" / "articles.jsonl.gz"):
        for article in read_source(source)[0]:
            if len(articles) < options.articles and article.text not in articles.values():
                articles[f"a{len(articles):04}"] = article.text
    results = {}
    for make in (Dateline, LlamaIndex):
        with tempfile.TemporaryDirectory() as base:
            system: System = make(Path(base))
            results[system.name] = run(system, articles)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ingest.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (options.out / "ingest.md").write_text(table(results), "utf-8")
    print(table(results))


if __name__ == "__main__":
    main()

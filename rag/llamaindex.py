"""The parts of Dateline for a LlamaIndex program: an embedding, a retriever and a query engine.

Needs the extra ``llm``. Offsets are those of the stored article, kept from end to end: nothing is
searched for again, so repeated text can't shift them.

Examples
--------
>>> from rag import Assistant
>>> from rag.llamaindex import DatelineQueryEngine
>>> with Assistant.open("corpus") as assistant:  # doctest: +SKIP
...     response = DatelineQueryEngine(assistant).query("How many visas are there?")
...     response.metadata["citations"][0]["quote"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.response.schema import Response
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import (
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from rag.embed import BundledEmbedder, Embedder
from rag.pipeline import Assistant
from rag.present import answer_to_dict
from rag.schema import Answer, Article, Evidence, Span

__all__ = ["DatelineEmbedding", "DatelineQueryEngine", "DatelineRetriever", "node_of"]


def node_of(article: Article, span: Span) -> TextNode:
    """Return a span of an article as a node.

    Parameters
    ----------
    article : Article
    span : Span

    Returns
    -------
    TextNode
        ``article.text[node.start_char_idx : node.end_char_idx] == node.text``; its id is an
        address that `rag.Assistant.citation` takes. The metadata that tells a reader something
        (title, publisher, published, url) is shown to language models and the rest is not.
    """
    day = article.published.isoformat() if article.published else None
    shown = {
        "title": article.title,
        "publisher": article.publisher,
        "published": day,
        "url": article.url,
    }
    technical = {"article_id": article.article_id, "version": article.version}
    return TextNode(
        id_=f"{article.article_id}@{article.version}:{span.start}-{span.end}",
        text=span.cut(article.text),
        start_char_idx=span.start,
        end_char_idx=span.end,
        metadata={name: value for name, value in shown.items() if value} | technical,
        excluded_llm_metadata_keys=list(technical),
        excluded_embed_metadata_keys=[*technical, "url"],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=article.article_id)},
    )


class DatelineEmbedding(BaseEmbedding):
    """Embed with the model that travels in the package, or with any `rag.embed.Embedder`.

    Parameters
    ----------
    embedder : Embedder, optional
        Default: the bundled model. Vectors are of unit length.
    **options
        Fields of LlamaIndex's ``BaseEmbedding``, such as ``embed_batch_size``.
    """

    # Texts are sorted by length inside a batch: LlamaIndex's default of 10 leaves nothing to sort.
    embed_batch_size: int = Field(default=256, gt=0, le=2048)
    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder | None = None, **options: Any) -> None:
        chosen = embedder if embedder is not None else BundledEmbedder()
        super().__init__(**({"model_name": chosen.name} | options))
        self._embedder = chosen

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex stores and reports the class."""
        return "DatelineEmbedding"

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self._embedder.embed(texts).tolist()
        return rows

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    # The model knows no difference between a question and a text.
    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await self._aget_text_embedding(query)


class DatelineRetriever(BaseRetriever):
    """Retrieve passages with both of Dateline's searches, fused.

    Parameters
    ----------
    assistant : Assistant
        Stays the caller's: open it before, close it after.
    k : int, default 10
        Most passages returned.
    publisher : str, optional
    since, until : datetime.date or str, optional
        As in `Assistant.search`.
    callback_manager : CallbackManager, optional
    """

    def __init__(
        self,
        assistant: Assistant,
        *,
        k: int = 10,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager=callback_manager)
        self._assistant = assistant
        self._k = k
        self._publisher = publisher
        self._since = since
        self._until = until

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._assistant.search(
            query_bundle.query_str,
            k=self._k,
            publisher=self._publisher,
            since=self._since,
            until=self._until,
        )
        return [
            NodeWithScore(node=node_of(hit.passage.article, hit.passage.span), score=hit.score)
            for hit in hits
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class DatelineQueryEngine(BaseQueryEngine):
    """Answer with Dateline, as LlamaIndex asks its query engines.

    The response's text carries the labels; ``response.metadata`` is the answer as
    `rag.present.answer_to_dict` gives it, so that ``metadata["citations"]`` holds quote, span and
    address, and ``metadata["abstention"]`` says why there is no answer. Its source nodes are the
    cited sentences, or the nearest ones after an abstention.

    Parameters
    ----------
    assistant : Assistant
        Stays the caller's: open it before, close it after.
    publisher : str, optional
    since, until : datetime.date or str, optional
        As in `Assistant.ask`.
    callback_manager : CallbackManager, optional
    """

    def __init__(
        self,
        assistant: Assistant,
        *,
        publisher: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager=callback_manager)
        self._assistant = assistant
        self._publisher = publisher
        self._since = since
        self._until = until
        self._retriever = DatelineRetriever(
            assistant,
            publisher=publisher,
            since=since,
            until=until,
            callback_manager=callback_manager,
        )

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return the passages that an answer would be looked for in, best first."""
        return self._retriever.retrieve(query_bundle)

    def _query(self, query_bundle: QueryBundle) -> Response:
        return _response(
            self._assistant.ask(
                query_bundle.query_str,
                publisher=self._publisher,
                since=self._since,
                until=self._until,
            )
        )

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)


def _response(answer: Answer) -> Response:
    cited: Sequence[Evidence] = [citation.evidence for citation in answer.citations]
    return Response(
        response=answer.text,
        source_nodes=[
            NodeWithScore(node=node_of(evidence.article, evidence.span), score=evidence.score)
            for evidence in (cited if answer.abstention is None else answer.evidence)
        ],
        metadata=answer_to_dict(answer),
    )

"""Dateline's parts in a plain LlamaIndex program."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles import HashingEmbedder
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import TransformQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle, TextNode

from rag import Assistant
from rag.llamaindex import DatelineEmbedding, DatelineQueryEngine, DatelineRetriever

CORPUS = Path(__file__).parents[1] / "corpus"
QUESTION = "How many working holiday visas does Japan issue to Koreans each year?"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    with Assistant.open(CORPUS, store=tmp_path_factory.mktemp("llamaindex")) as opened:
        opened.sync()
        yield opened


def test_embedding_gives_unit_rows_equal_to_the_embedder() -> None:
    embedder = HashingEmbedder()
    embedding = DatelineEmbedding(embedder)
    texts = ["Tokyo summit", "visas for Koreans"]
    assert isinstance(embedding, BaseEmbedding)
    assert embedding.model_name == "hashing"
    rows = embedding.get_text_embedding_batch(texts)
    assert np.allclose(rows, embedder.embed(texts))
    assert embedding.get_query_embedding(texts[0]) == rows[0]
    assert embedding.get_text_embedding(texts[1]) == rows[1]


def test_embedding_async_equals_sync() -> None:
    embedding = DatelineEmbedding(HashingEmbedder())

    async def embed() -> tuple[list[float], list[list[float]]]:
        query = await embedding.aget_query_embedding("Tokyo")
        return query, await embedding.aget_text_embedding_batch(["Tokyo", "Seoul"])

    query, rows = asyncio.run(embed())
    assert query == embedding.get_query_embedding("Tokyo")
    assert rows == embedding.get_text_embedding_batch(["Tokyo", "Seoul"])


def test_embedding_without_an_embedder_is_the_bundled_model() -> None:
    embedding = DatelineEmbedding(embed_batch_size=4)
    assert embedding.embed_batch_size == 4
    near, far = embedding.get_text_embedding_batch(
        ["Leaders of two countries met.", "The recipe needs two eggs."]
    )
    question = embedding.get_query_embedding("Which summit was held?")
    assert np.isclose(np.linalg.norm(question), 1, atol=1e-3)
    assert np.dot(question, near) > np.dot(question, far)


def test_embedding_drives_an_index_of_llama_index() -> None:
    nodes = [
        TextNode(text="Tariffs fell to fifteen percent."),
        TextNode(text="Visas were doubled."),
    ]
    index = VectorStoreIndex(nodes, embed_model=DatelineEmbedding(HashingEmbedder()))
    found = index.as_retriever(similarity_top_k=1).retrieve("visas doubled")
    assert found[0].node.get_content() == "Visas were doubled."


def test_retriever_nodes_hold_exact_offsets(assistant: Assistant) -> None:
    found = DatelineRetriever(assistant, k=5).retrieve(QUESTION)
    assert len(found) == 5
    assert [node.score for node in found] == sorted((node.score for node in found), reverse=True)
    for scored in found:
        node = scored.node
        assert isinstance(node, TextNode)
        source = assistant.article(node.metadata["article_id"], node.metadata["version"])
        assert source.text[node.start_char_idx : node.end_char_idx] == node.text
        assert node.ref_doc_id == source.article_id
        assert assistant.citation(node.node_id).quote == node.text
        shown = node.get_content(metadata_mode=MetadataMode.LLM)
        assert source.title in shown
        assert source.version not in shown


def test_retriever_async_equals_sync(assistant: Assistant) -> None:
    retriever = DatelineRetriever(assistant, k=3)
    there = asyncio.run(retriever.aretrieve(QUESTION))
    assert [node.node_id for node in there] == [
        node.node_id for node in retriever.retrieve(QUESTION)
    ]


def test_retriever_with_a_publisher_finds_only_its_articles(assistant: Assistant) -> None:
    publisher = assistant.articles()[0].publisher
    found = DatelineRetriever(assistant, publisher=publisher).retrieve(QUESTION)
    assert found
    assert {node.metadata["publisher"] for node in found} == {publisher}


def test_query_engine_response_carries_citations(assistant: Assistant) -> None:
    response = DatelineQueryEngine(assistant).query(QUESTION)
    assert isinstance(response, Response)
    assert "10,000" in str(response)
    assert response.metadata is not None
    json.dumps(response.metadata)
    citations = response.metadata["citations"]
    assert len(citations) == len(response.source_nodes) >= 1
    for citation, scored in zip(citations, response.source_nodes, strict=True):
        node = scored.node
        assert isinstance(node, TextNode)
        assert node.text == citation["quote"]
        assert [node.start_char_idx, node.end_char_idx] == citation["span"]
        assert node.node_id == citation["address"]


def test_query_engine_async_equals_sync(assistant: Assistant) -> None:
    engine = DatelineQueryEngine(assistant)
    assert str(asyncio.run(engine.aquery(QUESTION))) == str(engine.query(QUESTION))


def test_query_engine_asked_at_once_answers_each(assistant: Assistant) -> None:
    engine = DatelineQueryEngine(assistant)
    questions = [QUESTION, "What did the leaders agree on tariffs?"] * 4

    async def ask() -> list[str]:
        return [str(response) for response in await asyncio.gather(*map(engine.aquery, questions))]

    answers = asyncio.run(ask())
    assert answers == [str(engine.query(question)) for question in questions]


def test_query_engine_without_an_answer_says_why(assistant: Assistant) -> None:
    response = DatelineQueryEngine(assistant).query("Who won the chess olympiad in Budapest?")
    assert isinstance(response, Response)
    assert response.metadata is not None
    assert response.metadata["abstention"]["reason"]
    assert response.metadata["citations"] == []


def test_query_engine_retrieves_and_composes(assistant: Assistant) -> None:
    from llama_index.core.indices.query.query_transform.base import IdentityQueryTransform

    engine = DatelineQueryEngine(assistant)
    assert engine.retrieve(QueryBundle(QUESTION))
    composed = TransformQueryEngine(engine, query_transform=IdentityQueryTransform())
    assert str(composed.query(QUESTION)) == str(engine.query(QUESTION))

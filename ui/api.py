"""What programs may call: `ask`, `search` and `get_article`, over HTTP or MCP.

Gradio makes the schema that callers see of the types and docstrings here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import api as gradio_api

from rag import Assistant, Citation, DatelineError, Evidence, UserError
from ui.guard import network_of
from ui.limits import Buckets

logger = logging.getLogger("dateline.ui")

MAX_HITS = 50


def add_api(assistant: Assistant, buckets: Buckets) -> None:
    """Offer the three calls in the `gradio.Blocks` that are being built."""

    def limited(request: gr.Request | None, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if request is not None and request.client is not None:
            wait = buckets.take(network_of(request.client.host))
            if wait:
                raise _told(f"busy: too many calls, try again in {int(wait) + 1} s")
        try:
            return call()
        except UserError as error:
            raise _told(str(error)) from error
        except DatelineError as error:
            logger.error("%s: %s", type(error).__name__, error)
            raise _told("the answer could not be made; see the server's log") from error

    def ask(
        question: str,
        publisher: str = "",
        since: str = "",
        until: str = "",
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Answer a question from the indexed news articles, or say why there is no answer.

        Every sentence of the answer cites sentences of articles, quoted word for word. Where
        the articles don't answer, `abstention` says why and `evidence` holds what came nearest.

        Args:
            question: A question in plain words, of at most 4,000 characters.
            publisher: Only articles of this publisher; empty for all.
            since: Only articles from this day on, such as 2025-08-23; empty for all.
            until: Only articles up to this day; empty for all.

        Returns:
            The answer: text, sentences with verdicts, citations with quotes, abstention.
        """  # noqa: D406, D407
        return limited(
            request,
            lambda: assistant.ask(
                question, publisher=publisher or None, since=since or None, until=until or None
            ).to_dict(),
        )

    def search(
        question: str,
        k: int = 10,
        publisher: str = "",
        since: str = "",
        until: str = "",
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Find the passages of the indexed news articles that bear on a question, best first.

        Args:
            question: A question or some words.
            k: How many passages to return at most, from 1 to 50.
            publisher: Only articles of this publisher; empty for all.
            since: Only articles from this day on, such as 2025-08-23; empty for all.
            until: Only articles up to this day; empty for all.

        Returns:
            Passages with their text, the address of their place, title, publisher, date, score.
        """  # noqa: D406, D407
        hits = limited(
            request,
            lambda: {
                "hits": assistant.search(
                    question,
                    k=max(1, min(int(k), MAX_HITS)),
                    publisher=publisher or None,
                    since=since or None,
                    until=until or None,
                )
            },
        )["hits"]
        return {
            "hits": [
                {
                    "text": hit.passage.text,
                    "address": Citation.of(
                        Evidence(1, hit.passage.article, hit.passage.span, 1.0)
                    ).address,
                    "article_id": hit.passage.article.article_id,
                    "title": hit.passage.article.title,
                    "publisher": hit.passage.article.publisher,
                    "published": str(hit.passage.article.published or "") or None,
                    "score": hit.score,
                }
                for hit in hits
            ]
        }

    def get_article(article_id: str, request: gr.Request | None = None) -> dict[str, Any]:
        """Return a whole indexed news article by its id, as `ask` and `search` give it.

        Args:
            article_id: The id of the article.

        Returns:
            Title, publisher, date, address on the web, version and text.
        """  # noqa: D406, D407

        def call() -> dict[str, Any]:
            article = assistant.article(article_id)
            return {
                "article_id": article.article_id,
                "version": article.version,
                "title": article.title,
                "publisher": article.publisher,
                "published": article.published.isoformat() if article.published else None,
                "url": article.url,
                "text": article.text,
            }

        return limited(request, call)

    for call in (ask, search, get_article):
        gradio_api(call, api_name=call.__name__, concurrency_id="work")


def _told(reason: str) -> gr.Error:
    """Return an error for the caller alone: a mistake or a full house is no news for the log."""
    return gr.Error(reason, print_exception=False)

"""An article with its quotes marked, as the values that the evidence pane is built of.

The page builds the pane from text nodes, so nothing here is HTML. Texts are cut on the server:
spans count code points, and a browser counts UTF-16 units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rag import Article, Assistant, Span, UserError
from ui.markup import ascii_host, printable, quote_link, web_link

MAX_MARKS = 24
"""Quotes of one answer that are marked at once."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A quote to be marked: its number in the answer and its span of the article's text."""

    label: int
    span: Span


def open_evidence(
    assistant: Assistant, at: str, others: Sequence[tuple[int, str]] = ()
) -> dict[str, Any]:
    """Return the article of a citation with that quote and its neighbours marked.

    Parameters
    ----------
    assistant : Assistant
    at : str
        Address of the citation to show.
    others : sequence of (int, str)
        Number and address of the answer's citations, the shown one among them. Those of other
        articles or versions, and those that can't be read, are left out.

    Raises
    ------
    UserError
        If `at` points to nothing.
    """
    citation = assistant.citation(at)
    article, span = citation.evidence.article, citation.evidence.span
    label = next((number for number, address in others if address == at), 1)
    marks = {at: Mark(label, span)}
    for number, address in others[:MAX_MARKS]:
        try:
            near = assistant.citation(address).evidence
        except UserError:
            continue
        if (near.article.article_id, near.version) == (article.article_id, article.version):
            marks[address] = Mark(number, near.span)
    return {
        **_about(article),
        "address": at,
        "label": label,
        "quote": citation.quote,
        "link": quote_link(article.url, citation.quote),
        "paragraphs": paragraphs(article.text, tuple(marks.values())),
    }


def open_article(assistant: Assistant, article_id: str) -> dict[str, Any]:
    """Return an article without marks; `UserError` if it is unknown."""
    article = assistant.article(article_id)
    return {
        **_about(article),
        "address": None,
        "label": None,
        "quote": None,
        "link": web_link(article.url),
        "paragraphs": paragraphs(article.text, ()),
    }


def _about(article: Article) -> Mapping[str, Any]:
    return {
        "article_id": article.article_id,
        "title": printable(article.title) or printable(article.article_id),
        "publisher": printable(article.publisher),
        "published": article.published.isoformat() if article.published else None,
        "host": ascii_host(article.url) if web_link(article.url) and article.url else None,
    }


def paragraphs(text: str, marks: Sequence[Mark]) -> list[list[dict[str, Any]]]:
    """Cut a text into paragraphs, and each into pieces that carry the labels of their marks.

    Joined, the pieces of all paragraphs are the text without its newlines; the pieces of one
    label, the words of its mark.

    Examples
    --------
    >>> paragraphs("A. B.", [Mark(1, Span(3, 5))])
    [[{'text': 'A. ', 'labels': []}, {'text': 'B.', 'labels': [1]}]]
    """
    cut: list[list[dict[str, Any]]] = []
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        if line.strip():
            bounds = {start, end}
            for mark in marks:
                bounds |= {edge for edge in (mark.span.start, mark.span.end) if start < edge < end}
            edges = sorted(bounds)
            cut.append(
                [
                    {
                        "text": text[left:right],
                        "labels": [
                            mark.label
                            for mark in marks
                            if mark.span.start <= left and right <= mark.span.end
                        ],
                    }
                    for left, right in pairwise(edges)
                ]
            )
        start = end + 1
    return cut

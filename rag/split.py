"""Cut an article into passages of whole sentences, as exact spans of its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.schema import Article, Passage, Span
from rag.sentences import cut_sentence, split_sentences

__all__ = ["embedding_text", "heading", "split_passages", "split_sentences"]

# A line of fewer tokens (a list item, a subheading) doesn't count towards `max_sentences`.
_SHORT_SENTENCE_TOKENS = 8
# Longer titles are cut in the heading, so that they leave room for the passage.
_MAX_HEADING_TITLE = 160


def split_passages(
    article: Article,
    count_tokens: Callable[[Sequence[str]], list[int]],
    *,
    max_tokens: int = 200,
    overlap: int = 1,
    max_sentences: int = 6,
) -> tuple[Passage, ...]:
    """Return the passages of an article, which hold all its sentences in order.

    Parameters
    ----------
    article : Article
    count_tokens : callable
        Gives the number of tokens of each text, special ones included. It is called once an
        article, and again only for sentences that alone exceed the limit.
    max_tokens : int, default 200
        Limit of `embedding_text`, heading and special tokens included. A sentence that doesn't
        fit is cut into several.
    overlap : int, default 1
        Sentences that a passage shares with the one before, as far as they fit. With 0 the
        passages tile the article.
    max_sentences : int, default 6
        Limit of sentences a passage, shared ones included; lines of a few words don't count.

    Returns
    -------
    tuple of Passage
        Empty if the article is blank.

    Raises
    ------
    ValueError
        If ``max_tokens < 16``, ``overlap < 0`` or ``max_sentences <= overlap``.
    """
    if max_tokens < 16:
        raise ValueError(f"max_tokens must be at least 16, not {max_tokens}")
    if overlap < 0 or max_sentences <= overlap:
        raise ValueError(f"0 <= overlap < max_sentences, not {overlap} and {max_sentences}")
    sentences = list(split_sentences(article.text))
    if not sentences:
        return ()
    texts = [span.cut(article.text) for span in sentences]
    empty, head, *counts = count_tokens(["", heading(article), *texts])
    # The heading of an article with an extreme title may take half of the limit, not more.
    budget = max(max_tokens - head, max_tokens // 2)
    sizes = [count - empty for count in counts]
    sentences, sizes = _fit(article.text, sentences, sizes, budget, count_tokens, empty)
    passages = []
    start = 0
    covered = 0
    while covered < len(sentences):
        end = _fill(sizes, start, budget, max_sentences)
        while end <= covered:
            # The shared sentences leave no room for a new one: share fewer.
            start += 1
            end = _fill(sizes, start, budget, max_sentences)
        inside = tuple(sentences[start:end])
        passages.append(Passage(article, Span(inside[0].start, inside[-1].end), inside))
        covered = end
        start = max(end - overlap, start + 1)
    return tuple(passages)


def heading(article: Article) -> str:
    """Return the line that heads each embedded passage: title, publisher and day.

    Long titles are cut. What is unknown is left out; empty if nothing is known.
    """
    title = article.title
    if len(title) > _MAX_HEADING_TITLE:
        title = title[:_MAX_HEADING_TITLE].rsplit(" ", 1)[0] + " …"
    return " | ".join(part for part in (title, article.byline) if part)


def embedding_text(passage: Passage) -> str:
    """Return the text to embed for a passage: the article's heading, then the passage."""
    head = heading(passage.article)
    return f"{head}\n{passage.text}" if head else passage.text


def _fit(
    text: str,
    sentences: list[Span],
    sizes: list[int],
    budget: int,
    count_tokens: Callable[[Sequence[str]], list[int]],
    empty: int,
) -> tuple[list[Span], list[int]]:
    """Cut sentences of more than `budget` tokens until all fit or are one character long."""
    while any(size > budget and len(span) > 1 for span, size in zip(sentences, sizes, strict=True)):
        pieces: list[Span] = []
        known: list[int | None] = []
        for span, size in zip(sentences, sizes, strict=True):
            if size <= budget or len(span) == 1:
                pieces.append(span)
                known.append(size)
            else:
                cut = cut_sentence(
                    text, span, max(1, min(len(span) - 1, len(span) * budget // size))
                )
                pieces.extend(cut)
                known.extend([None] * len(cut))
        new = [span.cut(text) for span, size in zip(pieces, known, strict=True) if size is None]
        counted = iter(count_tokens(new))
        sizes = [next(counted) - empty if size is None else size for size in known]
        sentences = pieces
    return sentences, sizes


def _fill(sizes: Sequence[int], start: int, budget: int, max_sentences: int) -> int:
    """Return the end of the longest passage from `start` within both limits, at least one on."""
    total = sizes[start]
    full = int(sizes[start] >= _SHORT_SENTENCE_TOKENS)
    end = start + 1
    while end < len(sizes):
        total += sizes[end]
        full += sizes[end] >= _SHORT_SENTENCE_TOKENS
        if total > budget or full > max_sentences:
            break
        end += 1
    return end

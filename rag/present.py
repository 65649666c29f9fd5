"""Show an answer: as JSON-ready values, Markdown or HTML; `rag.terminal` has the fourth form.

Everything that comes from an article, a question or a model is foreign text. Each form has one
gate for it: Markdown and HTML escape it, so that markup shows literally; what isn't printable is
dropped, so that no control sequence gets through; links are http(s) or nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from rag.schema import (
    Answer,
    Article,
    Citation,
    Evidence,
    Mode,
    Sentence,
    ShortAnswer,
    Support,
    Version,
)

# What starts markup anywhere in a line (CommonMark, GFM, mathematics, emoji names, bare links) …
_INLINE: Final = re.compile(r"[\\`*_{}\[\]<>|~&$^]|:(?=[A-Za-z/+])|(?<=www)\.", re.IGNORECASE)
# … and what does so only where a line begins: headings, lists, rules.
_LEADING: Final = re.compile(r"^(\d{0,9})([-+=#.)])")


# --- JSON ------------------------------------------------------------------------------------


def citation_to_dict(citation: Citation) -> dict[str, Any]:
    """Return a citation as JSON-ready values: what is quoted, and where it stands."""
    evidence = citation.evidence
    article = evidence.article
    return {
        "label": citation.label,
        "address": citation.address,
        "quote": citation.quote,
        "sha256": citation.sha256,
        "title": article.title,
        "publisher": article.publisher,
        "published": article.published.isoformat() if article.published else None,
        "url": article.url,
        "article_id": article.article_id,
        "version": evidence.version,
        "span": [evidence.span.start, evidence.span.end],
        "score": evidence.score,
    }


def _sentence_to_dict(sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "labels": [citation.label for citation in sentence.citations],
        "verdict": {
            "support": sentence.verdict.support.value,
            "reason": sentence.verdict.reason,
            "score": sentence.verdict.score,
        },
    }


def _short_to_dict(short: ShortAnswer) -> dict[str, Any]:
    return {
        "text": short.text,
        "label": short.citation.label,
        "span": [short.span.start, short.span.end],
    }


def answer_to_dict(answer: Answer) -> dict[str, Any]:
    """Return all of an answer as JSON-ready values.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    dict
        Keys in a fixed order. Sentences name their citations by label; `citations` and
        `evidence` hold them in full, with the address that `dateline show` takes.
    """
    abstention = answer.abstention
    asked = answer.filter
    return {
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "answered": abstention is None,
        "text": answer.text,
        "sentences": [_sentence_to_dict(sentence) for sentence in answer.sentences],
        "citations": [citation_to_dict(citation) for citation in answer.citations],
        "withheld": [_sentence_to_dict(sentence) for sentence in answer.withheld],
        "evidence": [citation_to_dict(Citation.of(evidence)) for evidence in answer.evidence],
        "abstention": abstention
        and {"reason": abstention.reason.value, "explanation": abstention.explanation},
        "short": answer.short and _short_to_dict(answer.short),
        "confidence": answer.confidence,
        "conflict": answer.conflict,
        "mode": answer.mode.value,
        "model": answer.model,
        "fault": answer.fault,
        "search_fault": answer.search_fault,
        "filter": {
            "publisher": asked.publisher,
            "since": asked.since.isoformat() if asked.since else None,
            "until": asked.until.isoformat() if asked.until else None,
        },
        "timings": [
            {"stage": timing.stage, "seconds": timing.seconds} for timing in answer.timings
        ],
        "settings_fingerprint": answer.settings_fingerprint,
    }


# --- what all forms share ----------------------------------------------------------------------


def printable(text: str) -> str:
    r"""Return `text` on one line: white space as single spaces, anything unprintable dropped.

    Control characters, bidirectional overrides, invisible tags and lone surrogates go.

    Examples
    --------
    >>> printable("a\n b\x1b[31mc")
    'a b[31mc'
    """
    kept = (character for character in text if character.isprintable() or character.isspace())
    return " ".join("".join(kept).split())


def web_link(url: str | None) -> str | None:
    """Return `url` percent-encoded if it is an http(s) address with a host, else None."""
    if not url or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return percent_encode(url, safe=":/?#@!$&'*+,;=%~-._[]").replace("'", "%27")


def source(article: Article) -> tuple[str, str]:
    """Return a title, or what stands in for one, and the byline."""
    return printable(article.title) or printable(article.article_id), printable(article.byline)


def around_short(answer: Answer, sentence: Sentence) -> tuple[str, str, str] | None:
    """Return a sentence cut before and after its short answer; None if it has none."""
    place = answer.short_place
    if place is None or sentence is not answer.sentences[0]:
        return None
    return sentence.text[: place.start], place.cut(sentence.text), sentence.text[place.end :]


def _words_of(
    answer: Answer, sentence: Sentence, escape: Callable[[str], str], opening: str, closing: str
) -> str:
    """Return the words of a sentence escaped, its short answer between two marks."""
    cut = around_short(answer, sentence)
    if cut is None or not escape(cut[1]):
        return escape(sentence.text)
    before, words, after = cut
    # Escaping strips white space at either end; the marks stand close to the words.
    marked = f"{opening}{escape(words)}{closing}"
    gap_before = " " if before[-1:].isspace() or words[:1].isspace() else ""
    gap_after = " " if after[:1].isspace() or words[-1:].isspace() else ""
    return f"{escape(before)}{gap_before}{marked}{gap_after}{escape(after)}"


def how_written(answer: Answer) -> str:
    """Say what wrote the sentences."""
    if answer.mode is Mode.EXTRACTIVE:
        return "Sentences of the articles, word for word"
    return f"Written by {printable(answer.model)}, each sentence checked against its quotes"


def doubt_about(sentence: Sentence) -> str:
    """Say what is doubtful about a sentence; empty if it is fully supported."""
    if sentence.verdict.support is Support.SUPPORTED:
        return ""
    support = {
        Support.PARTLY: "partly supported",
        Support.UNSUPPORTED: "not supported",
        Support.CONTRADICTED: "contradicted",
    }[sentence.verdict.support]
    reason = printable(sentence.verdict.reason)
    return f"({support}: {reason})" if reason else f"({support})"


def remarks_on(answer: Answer) -> list[str]:
    """Return what a reader must know besides the sentences."""
    remarks = []
    if answer.conflict:
        remarks.append(f"The articles disagree: {printable(answer.conflict)}")
    if answer.withheld:
        count = len(answer.withheld)
        what = "1 drafted sentence was" if count == 1 else f"{count} drafted sentences were"
        remarks.append(f"{what} withheld: the articles don't support what was written.")
    if answer.fault:
        remarks.append(f"The language model's draft was not used: {printable(answer.fault)}")
    if answer.search_fault:
        remarks.append(
            "The vector index was not used, the stored vectors were compared instead: "
            f"{printable(answer.search_fault)}"
        )
    return remarks


def history_to_dict(
    versions: Sequence[Version], sources: Sequence[Article], copies: Sequence[str]
) -> dict[str, Any]:
    """Return the versions of an article as JSON-ready values, oldest first."""

    def told(article: Article) -> dict[str, Any]:
        return {
            "article_id": article.article_id,
            "version": article.version,
            "title": article.title,
            "publisher": article.publisher,
            "published": article.published.isoformat() if article.published else None,
            "url": article.url,
        }

    return {
        "versions": [
            {
                **told(version.article),
                "current": version.current,
                "stored": version.stored.isoformat(),
                "characters": len(version.article.text),
            }
            for version in versions
        ],
        "sources": [told(source) for source in sources],
        "copies": list(copies),
    }


# --- Markdown ----------------------------------------------------------------------------------


def markdown_text(text: str) -> str:
    r"""Return foreign text so that Markdown shows it literally, on one line.

    Examples
    --------
    >>> print(markdown_text("[x](javascript:1)"))
    \[x\](javascript:1)
    """
    return _LEADING.sub(r"\1\\\2", _INLINE.sub(r"\\\g<0>", printable(text)))


def _markdown_source(evidence: Evidence) -> str:
    title, byline = source(evidence.article)
    shown = f"**{markdown_text(title)}**"
    if link := web_link(evidence.article.url):
        encoded = link.replace("(", "%28").replace(")", "%29").replace("&", "&amp;")
        shown = f"[{shown}](<{encoded}>)"
    return f"{shown}, {markdown_text(byline)}" if byline else shown


def to_markdown(answer: Answer) -> str:
    """Return an answer as Markdown: sentences with footnotes, each with its source and quote.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    str
        Ends with a newline. Text of articles and models is escaped: it can't add markup, an
        image or a link. Titles link to the article where it has an http(s) address.
    """
    blocks = []
    if answer.abstention is not None:
        reason = answer.abstention.reason.value
        explanation = markdown_text(answer.abstention.explanation)
        blocks.append(f"**No answer** (`{reason}`): {explanation}")
        if answer.evidence:
            nearest = "\n".join(
                f"- {_markdown_source(evidence)}: “{markdown_text(evidence.text)}”"
                for evidence in answer.evidence
            )
            blocks.append(f"The nearest that was found:\n\n{nearest}")
    else:
        shown = []
        for sentence in answer.sentences:
            labels = "".join(f"[^{citation.label}]" for citation in sentence.citations)
            doubt = markdown_text(doubt_about(sentence))
            words = _words_of(answer, sentence, markdown_text, "**", "**")
            shown.append(f"{words}{labels}{' ' if doubt else ''}{doubt}")
        blocks.append(" ".join(shown))
    blocks += [f"*{markdown_text(remark)}*" for remark in remarks_on(answer)]
    if answer.abstention is None:
        blocks.append(f"*{markdown_text(how_written(answer))}.*")
    blocks += [
        f"[^{citation.label}]: {_markdown_source(citation.evidence)}: "
        f"“{markdown_text(citation.quote)}”"
        for citation in answer.citations
    ]
    return "\n\n".join(blocks) + "\n"


# --- HTML --------------------------------------------------------------------------------------


def html_text(text: str) -> str:
    """Return foreign text escaped for HTML, in an element or a quoted attribute."""
    return html.escape(printable(text), quote=True)


def _html_source(evidence: Evidence) -> str:
    title, byline = source(evidence.article)
    shown = f"<cite>{html_text(title)}</cite>"
    if link := web_link(evidence.article.url):
        shown = f'<a href="{html.escape(link)}" rel="noopener noreferrer nofollow">{shown}</a>'
    return f'{shown} <span class="byline">{html_text(byline)}</span>' if byline else shown


def _html_quote(citation: Citation) -> str:
    return (
        f'<li value="{citation.label}" data-address="{html_text(citation.address)}">'
        f"{_html_source(citation.evidence)}: <q>{html_text(citation.quote)}</q></li>"
    )


def to_html(answer: Answer) -> str:
    """Return an answer as a fragment of HTML: one ``section``, no script, style or image.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    str
        Classes begin with ``dateline-`` or say what a part is (``label``, ``doubt``, ``byline``);
        a quote's ``data-address`` is what `dateline show` takes. All foreign text is escaped, and
        only http(s) addresses are links.
    """
    parts = ['<section class="dateline-answer">']
    if answer.abstention is not None:
        explanation = html_text(answer.abstention.explanation)
        reason = answer.abstention.reason.value
        parts.append(
            f'<p class="abstention" data-reason="{reason}"><strong>No answer:</strong> '
            f"{explanation}</p>"
        )
        quotes = [Citation.of(evidence) for evidence in answer.evidence]
        heading = "The nearest that was found:"
    else:
        shown = []
        for sentence in answer.sentences:
            labels = "".join(f"[{citation.label}]" for citation in sentence.citations)
            words = _words_of(answer, sentence, html_text, "<strong>", "</strong>")
            text = f'{words}<sup class="label">{labels}</sup>'
            if doubt := doubt_about(sentence):
                text += f' <span class="doubt">{html_text(doubt)}</span>'
            shown.append(f'<span class="{sentence.verdict.support.value}">{text}</span>')
        parts.append(f"<p>{' '.join(shown)}</p>")
        quotes = list(answer.citations)
        heading = ""
    parts += [f'<p class="remark">{html_text(remark)}</p>' for remark in remarks_on(answer)]
    if answer.abstention is None:
        parts.append(f'<p class="mode {answer.mode.value}">{html_text(how_written(answer))}.</p>')
    if quotes:
        if heading:
            parts.append(f"<p>{heading}</p>")
        parts.append('<ol class="dateline-quotes">')
        parts += [_html_quote(citation) for citation in quotes]
        parts.append("</ol>")
    return "\n".join([*parts, "</section>"]) + "\n"

"""What is indexed, and the folder that uploads go to."""

from __future__ import annotations

import math
import re
import shutil
import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from rag import Article, Assistant, CorpusError, Progress, SyncReport, UserError
from ui.limits import MAX_UPLOAD_BYTES
from ui.markup import foreign
from ui.render import day

FOLDER = "uploads"
"""Below the corpus: what was uploaded, apart from what its owner put there."""

PAGE_SIZE = 50
SORTS = ("Newest first", "Oldest first", "Title", "Publisher", "Longest first")

_NAME = re.compile(r"[^\w.-]+")


def formats() -> tuple[str, ...]:
    """Return the endings of files that can be uploaded: PDF only where it can be read."""
    readable = (".md", ".txt", ".html", ".htm", ".jsonl")
    return (*readable, ".pdf") if find_spec("rag.pdf") and find_spec("pypdf") else readable


class Shelf:
    """The articles of an assistant and its corpus folder, changed by one reader at a time.

    Parameters
    ----------
    assistant : Assistant
    corpus : Path or None
        Folder that is mirrored; without one nothing can be uploaded.
    """

    def __init__(self, assistant: Assistant, corpus: Path | None) -> None:
        self._assistant = assistant
        self._folder = corpus / FOLDER if corpus is not None and corpus.is_dir() else None
        self._changing = threading.Lock()

    @property
    def can_upload(self) -> bool:
        """Whether there is a corpus folder to put files into."""
        return self._folder is not None

    def uploaded(self) -> list[str]:
        """Return the names of uploaded files, sorted."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_file())

    def sync(self, progress: Callable[[Progress], None] | None = None) -> SyncReport:
        """Bring the index in line with the corpus folder; raises what `Assistant.sync` does."""
        with self._changing:
            return self._assistant.sync(progress=progress)

    def add(
        self, files: Sequence[Path], progress: Callable[[Progress], None] | None = None
    ) -> SyncReport:
        """Copy files into the corpus and index them.

        Raises
        ------
        UserError
            If there is no corpus folder, a name is taken, or a file is of another format or too
            large; then none of the files is kept.
        """
        if self._folder is None:
            raise UserError("there is no corpus folder to upload to; start with --corpus FOLDER")
        named = [(path, self._checked_name(path)) for path in files]
        with self._changing:
            self._folder.mkdir(exist_ok=True)
            for _, name in named:
                if (self._folder / name).exists():
                    raise UserError(f"{name} was uploaded before; remove it first")
            for path, name in named:
                shutil.copyfile(path, self._folder / name)
            try:
                return self._assistant.sync(progress=progress)
            except CorpusError:
                for _, name in named:
                    (self._folder / name).unlink(missing_ok=True)
                raise

    def remove(
        self, names: Sequence[str], progress: Callable[[Progress], None] | None = None
    ) -> SyncReport:
        """Delete uploaded files and take their articles out of the index.

        Raises
        ------
        UserError
            If a name is none of `uploaded`; then nothing is deleted.
        """
        with self._changing:
            known = self.uploaded()
            unknown = [name for name in names if name not in known]
            if unknown or self._folder is None:
                raise UserError(f"{', '.join(unknown) or 'that'} was not uploaded here")
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
            return self._assistant.sync(progress=progress)

    def _checked_name(self, path: Path) -> str:
        name = safe_name(path.name)
        if not name.lower().endswith(formats()):
            raise UserError(f"{name} is none of {', '.join(formats())}")
        if path.stat().st_size > MAX_UPLOAD_BYTES:
            raise UserError(f"{name} is larger than {MAX_UPLOAD_BYTES // 2**20} MB")
        return name


def safe_name(name: str) -> str:
    """Return a file name without folders, hidden starts and signs that shells or paths act upon.

    Examples
    --------
    >>> safe_name("../../.bashrc")
    'bashrc'
    """
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    cleaned = _NAME.sub("-", base).strip(".-_")
    stem, dot, ending = cleaned.rpartition(".")
    kept = f"{stem[:80]}{dot}{ending[:10]}" if stem else cleaned[:80]
    return kept or "article.txt"


@dataclass(frozen=True, slots=True)
class View:
    """Which articles the list shows."""

    search: str = ""
    sort: str = SORTS[0]
    pages: int = 1


def find(articles: Sequence[Article], view: View) -> list[Article]:
    """Return the articles whose title or publisher holds every word of the search, sorted."""
    words = view.search.casefold().split()
    found = [
        article
        for article in articles
        if all(word in f"{article.title} {article.publisher}".casefold() for word in words)
    ]
    oldest = date.min
    match view.sort:
        case "Oldest first":
            found.sort(key=lambda article: article.published or date.max)
        case "Title":
            found.sort(key=lambda article: article.title.casefold())
        case "Publisher":
            found.sort(key=lambda article: (article.publisher.casefold(), article.title.casefold()))
        case "Longest first":
            found.sort(key=lambda article: -len(article.text))
        case _:
            found.sort(key=lambda article: article.published or oldest, reverse=True)
    return found


def render_list(
    articles: Sequence[Article], view: View, count_sentences: Callable[[Article], int]
) -> str:
    """Return the list as a table in HTML; a click on a title opens the article."""
    if not articles:
        return (
            '<div class="empty"><h3>No articles yet</h3><p>Upload some here, or put files into '
            "the corpus folder and press Sync.</p></div>"
        )
    found = find(articles, view)
    if not found:
        return '<p class="empty">No title or publisher holds these words.</p>'
    shown = found[: view.pages * PAGE_SIZE]
    rows = "".join(_row(article, count_sentences(article)) for article in shown)
    count = f"{len(shown):,} of {len(found):,}" if len(shown) < len(found) else f"{len(found):,}"
    noun = "article" if len(found) == 1 else "articles"
    return (
        f'<p class="count">{count} {noun}</p><table class="articles"><thead><tr>'
        "<th>Title</th><th>Publisher</th><th>Published</th><th>Sentences</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def more_pages(articles: Sequence[Article], view: View) -> bool:
    """Tell whether the list holds more than it shows."""
    return view.pages < math.ceil(len(find(articles, view)) / PAGE_SIZE)


def _row(article: Article, sentences: int) -> str:
    published = day(article.published.isoformat()) if article.published else "no date"
    return (
        f'<tr><td><button type="button" class="open" value="{foreign(article.article_id)}">'
        f"{foreign(article.title or article.article_id)}</button></td>"
        f"<td>{foreign(article.publisher) or '–'}</td><td>{published}</td>"
        f"<td>{sentences:,}</td></tr>"
    )


def render_report(report: SyncReport) -> str:
    """Return what a sync did, with the files that were skipped and why."""
    parts = [
        f"{number:,} {name}"
        for number, name in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
        )
        if number
    ]
    told = f"<p><strong>{', '.join(parts) or 'Nothing changed'}</strong> in {report.seconds:.1f} s."
    if not report.skipped:
        return f'<div class="report">{told}</p></div>'
    rows = "".join(
        f"<li><code>{foreign(skip.source)}</code>: {foreign(skip.reason)}</li>"
        for skip in report.skipped[:100]
    )
    files = (
        "1 file or line" if len(report.skipped) == 1 else f"{len(report.skipped):,} files or lines"
    )
    return (
        f'<div class="report">{told}</p><details open class="skips"><summary>{files} skipped'
        f"</summary><ul>{rows}</ul></details></div>"
    )

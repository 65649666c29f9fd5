"""Everything that the widgets call: one object, made when the server starts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr

from rag import Article, Assistant, DatelineError, Progress, SyncReport, UserError
from ui.articles import Shelf, View, more_pages, render_list, render_report
from ui.ask import Filters, ask
from ui.evaluation import Runs, SampleSet, render_newest
from ui.guard import network_of
from ui.health import render_checks, render_masthead, render_settings, render_status
from ui.limits import QUESTIONS, Buckets, Rate
from ui.markup import foreign
from ui.transcript import Turn

_ROOT = Path(__file__).parents[1]
SAMPLE = SampleSet(_ROOT / "eval" / "questions" / "summit.jsonl", _ROOT / "corpus")

_SAMPLE_ARTICLE = "2025-08-24-second-working-holiday"
_SAMPLE_QUESTIONS = (
    "How many working holiday visas does Japan issue to South Koreans each year?",
    "Who won the Upper House election?",
    "What did Lee and Ishiba agree on security?",
    "What is the capital of Mongolia?",
)


@dataclass
class Desk:
    """The assistant and what the page keeps beside it.

    Parameters
    ----------
    assistant : Assistant
        Opened, synced.
    corpus : Path or None
        Folder that uploads go to.
    runs : Path
        Folder of evaluation runs.
    rate : Rate
        Questions of one address.
    """

    assistant: Assistant
    corpus: Path | None = None
    runs: Path = Path("runs")
    rate: Rate = QUESTIONS
    shelf: Shelf = field(init=False)
    evaluation: Runs = field(init=False)
    buckets: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.assistant, self.corpus)
        self.evaluation = Runs(self.runs, SAMPLE)
        self.buckets = Buckets(self.rate)
        self._answering: dict[str, object] = {}
        self._sentences = functools.lru_cache(maxsize=4_096)(self._count_sentences)

    # --- asking ----------------------------------------------------------------------------

    def answer(
        self,
        question: str,
        before: tuple[Turn, ...],
        filters: Filters,
        *,
        address: str,
        session: str,
    ) -> Iterator[Turn]:
        """Yield what `ask` does, one question of a session at a time.

        Nothing comes while another of the session is being answered, and nothing more after
        `stop`: a model may take long to notice that nobody listens, and the reader's next
        question must not wait for it.
        """
        if session in self._answering:
            return
        this = self._answering[session] = object()
        try:
            for turn in self.ask(question, before, filters, address):
                if self._answering.get(session) is not this:
                    return
                yield turn
        finally:
            if self._answering.get(session) is this:
                del self._answering[session]

    def stop(self, session: str) -> None:
        """Let nothing more come of the question that a session asked."""
        self._answering.pop(session, None)

    def ask(
        self, question: str, before: tuple[Turn, ...], filters: Filters, address: str
    ) -> Iterator[Turn]:
        """Yield the turn of a question as it grows, or say that too many were asked."""
        wait = self.buckets.take(network_of(address))
        if wait:
            yield Turn(
                question=question,
                problem=f"Busy: that were many questions at once. Try again in {int(wait) + 1} s.",
            )
            return
        yield from ask(self.assistant, question, before, filters)

    def examples(self) -> list[str]:
        """Return questions to begin with: ours for our articles, else the newest headlines."""
        articles = self.assistant.articles()
        if any(article.article_id == _SAMPLE_ARTICLE for article in articles):
            return list(_SAMPLE_QUESTIONS)
        dated = [article for article in articles if article.title and article.published]
        dated.sort(key=lambda article: str(article.published), reverse=True)
        return [f"What is reported on “{article.title[:80]}”?" for article in dated[:3]]

    def publishers(self) -> list[str]:
        """Return the publishers to choose from."""
        return list(self.assistant.status().publishers)

    # --- articles --------------------------------------------------------------------------

    def article_list(self, view: View) -> tuple[str, bool]:
        """Return the list of articles, and whether there are more than it shows."""
        articles = self.assistant.articles()
        return render_list(articles, view, self._sentences), more_pages(articles, view)

    def change(
        self,
        what: Callable[[Callable[[Progress], None]], SyncReport],
        progress: gr.Progress,
    ) -> str:
        """Change the articles with a progress bar, and return what was done or why not."""

        def tell(state: Progress) -> None:
            progress((state.done, state.total), desc="Indexing", unit="articles")

        try:
            return render_report(what(tell))
        except UserError as error:
            return f'<div class="report ill"><p>{foreign(str(error))}</p></div>'
        except DatelineError as error:
            return f'<div class="report ill"><p>Not done: {foreign(str(error))}</p></div>'

    def _count_sentences(self, article: Article) -> int:
        return len(self.assistant.sentences(article))

    # --- evaluation and settings -----------------------------------------------------------

    def evaluate(self, progress: gr.Progress) -> str:
        """Run the sample questions with a progress bar, and return the newest report."""

        def tell(done: int, total: int) -> None:
            progress((done, total), desc="Asking", unit="questions")

        try:
            self.evaluation.run(tell)
        except DatelineError as error:
            return f'<div class="report ill"><p>{foreign(str(error))}</p></div>' + self.newest()
        return self.newest()

    def newest(self) -> str:
        """Return the newest report of an evaluation."""
        return render_newest(self.evaluation)

    def masthead(self) -> str:
        """Return the line under the name."""
        return render_masthead(self.assistant.status())

    def status(self) -> str:
        """Return what is indexed and how answers are made."""
        return render_status(self.assistant)

    def settings(self) -> str:
        """Return the settings that shape answers."""
        return render_settings(self.assistant.settings)

    def checks(self) -> str:
        """Make the health checks and return what they found."""
        return render_checks(self.assistant.doctor())

"""What the reader is trained on: questions of SQuAD 2.0 and NQ-open, and clozes of news.

None of the texts is kept. A text is cut into windows of whole sentences, about as long as the
passages of the product. An unanswerable question keeps the window that shares most words with it.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from rag.models.squad import normal
from rag.sentences import split_sentences

Place = tuple[int, int]

WINDOW_WORDS = 125
NEAREST = 12


@dataclass(frozen=True)
class Window:
    """Some whole sentences of a text, with the gold answers inside.

    Parameters
    ----------
    title, text : str
    sentences, golds : tuple of (int, int)
        Places in the text.
    source : str
        What it was cut from.
    """

    title: str
    text: str
    sentences: tuple[Place, ...]
    golds: tuple[Place, ...]
    source: str


@dataclass(frozen=True)
class Question:
    """A question with all windows of its text."""

    question: str
    answers: tuple[str, ...]
    windows: tuple[Window, ...]
    group: str
    origin: str

    @property
    def passages(self) -> tuple[Window, ...]:
        """The windows, those with an answer first."""
        return tuple(sorted(self.windows, key=lambda window: not window.golds))


@dataclass(frozen=True)
class Example:
    """A question with its window and with others that look alike but don't answer it.

    Parameters
    ----------
    question : str
    window : Window
        Without gold answers if the question can't be answered.
    others : tuple of Window
        At most 4, most alike first.
    swapped : str or None
        The question with another name or number, which the window does not answer.
    group, origin : str
    other_share : float
        How often one of the others is read beside the window.
    """

    question: str
    window: Window
    others: tuple[Window, ...]
    swapped: str | None
    group: str
    origin: str
    other_share: float = field(default=0.6)


def holds(window: Window, golds: Sequence[str]) -> bool:
    """Tell whether a window holds one of some normal answers."""
    text = f" {normal(window.text)} "
    return any(f" {gold} " in text for gold in golds)


def cut(
    title: str, text: str, golds: Sequence[Place], source: str, words: int = WINDOW_WORDS
) -> tuple[Window, ...]:
    """Cut a text into windows of at most so many words."""
    runs: list[list[Place]] = []
    count = 0
    for span in split_sentences(text):
        length = len(span.cut(text).split())
        if not runs or count + length > words:
            runs.append([])
            count = 0
        runs[-1].append((span.start, span.end))
        count += length
    windows = []
    for run in runs:
        first, last = run[0][0], run[-1][1]
        inside = {(s - first, e - first) for s, e in golds if first <= s and e <= last}
        sentences = tuple((s - first, e - first) for s, e in run)
        windows.append(Window(title, text[first:last], sentences, tuple(sorted(inside)), source))
    return tuple(windows)


def without_golds(window: Window) -> Window | None:
    """Return the window without the sentences that hold a gold answer; None if little is left."""
    kept = [
        (start, end)
        for start, end in window.sentences
        if not any(start < last and first < end for first, last in window.golds)
    ]
    if len(kept) < 2:
        return None
    places, text = [], ""
    for start, end in kept:
        text += " " if text else ""
        places.append((len(text), len(text) + end - start))
        text += window.text[start:end]
    return Window(window.title, text, tuple(places), (), window.source)


def read_squad(data: Path) -> tuple[list[Question], list[Window]]:
    """Read SQuAD 2.0: questions, and the windows of all paragraphs."""
    questions: list[Question] = []
    windows: list[Window] = []
    titles = json.loads((data / "squad2" / "squad2.json").read_text(encoding="utf-8"))["data"]
    for entry in titles:
        title = entry["title"].replace("_", " ")
        for number, paragraph in enumerate(entry["paragraphs"]):
            source = f"{entry['title']}-{number}"
            text = paragraph["context"]
            windows += cut(title, text, (), source)
            for asked in paragraph["qas"]:
                found = () if asked["is_impossible"] else asked["answers"]
                golds = [(a["answer_start"], a["answer_start"] + len(a["text"])) for a in found]
                questions.append(
                    Question(
                        asked["question"].strip(),
                        tuple(a["text"] for a in found),
                        cut(title, text, golds, source),
                        entry["title"],
                        "squad2",
                    )
                )
    return questions, windows


def read_nq(data: Path) -> tuple[list[Question], list[Window]]:
    """Read NQ-open with its gold passages; where the answer is not in the passage, it is left."""
    questions: list[Question] = []
    windows: list[Window] = []
    with gzip.open(data / "nq_open" / "questions.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            passage = next((c for c in row["ctxs"] if c.get("isgold")), row["ctxs"][0])
            title, text = passage["title"], passage["text"]
            golds = [
                match.span()
                for answer in row["answers"]
                for match in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE)
            ]
            source = f"nq-{len(questions)}"
            windows += cut(title, text, (), source)
            if golds:
                made = cut(title, text, golds, source)
                answers = tuple(row["answers"])
                questions.append(Question(row["question"].strip(), answers, made, title, "nq_open"))
    return questions, windows


def nearest(
    windows: Sequence[Window], questions: Sequence[str], count: int = NEAREST
) -> list[list[tuple[int, float]]]:
    """Return for each question the windows that share most words with it, by tf-idf."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    table = vectorizer.fit_transform([f"{w.title} {w.text}" for w in windows])
    asked = vectorizer.transform(questions)
    found = []
    for start in range(0, asked.shape[0], 500):
        scores = (asked[start : start + 500] @ table.T).toarray()
        found += [[(int(i), float(row[i])) for i in np.argsort(-row)[:count]] for row in scores]
    return found


_NUMBER = re.compile(r"\$?\d[\d,.]*\d|\$?\d")
_NAMES = re.compile(r"[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")
_YEAR = re.compile(r"1\d{3}|20\d\d")


def swapped(question: str, names: Sequence[str], draw: random.Random) -> str | None:
    """Return the question with a number or a name changed; None if it has neither."""
    numbers = list(_NUMBER.finditer(question))
    named = [match for match in _NAMES.finditer(question) if match.start() > 0]
    if not numbers and not named:
        return None
    match = draw.choice(numbers + named)
    old = match.group()
    if match in numbers:
        if _YEAR.fullmatch(old):
            new = str(int(old) + draw.choice([-30, -12, -7, -3, 2, 4, 9, 15]))
        else:
            digits = re.sub(r"\D", "", old)
            new = str(max(1, int(digits or 1) + draw.choice([1, 2, 3, 7, 10])))
    else:
        length = len(old.split())
        fitting = [name for name in names if name not in question and len(name.split()) == length]
        if not fitting:
            return None
        new = draw.choice(fitting)
    return question[: match.start()] + new + question[match.end() :]


def names_by_title(windows: Sequence[Window]) -> dict[str, set[str]]:
    """Return the names inside sentences of each title's windows."""
    names: dict[str, set[str]] = defaultdict(set)
    for window in windows:
        inside = re.finditer(r"(?<=[a-z] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*", window.text)
        names[window.title].update(match.group() for match in inside)
    return names


def examples(
    questions: Sequence[Question], windows: Sequence[Window], draw: random.Random
) -> list[Example]:
    """Return questions with windows that look alike, and with swapped names and numbers."""
    alike = nearest(windows, [asked.question for asked in questions])
    names = names_by_title(windows)
    made = []
    for asked, found in zip(questions, alike, strict=True):
        golds = [normal(answer) for answer in asked.answers]
        own = asked.windows[0].source
        others = [
            windows[i]
            for i, _ in found
            if windows[i].source != own and not holds(windows[i], golds)
        ]
        words = set(normal(asked.question).split())
        window = next(
            (w for w in asked.windows if w.golds),
            max(asked.windows, key=lambda w: len(words & set(normal(w.text).split()))),
        )
        changed = None
        if asked.answers:
            pool = names[window.title] | names[draw.choice(windows).title]
            changed = swapped(asked.question, sorted(pool), draw)
        made.append(
            Example(asked.question, window, tuple(others[:4]), changed, asked.group, asked.origin)
        )
    return made


def cloze_passages(data: Path, draw: random.Random | None = None) -> list[Window]:
    """Cut the articles of allsides into windows; at most 14 of an article."""
    draw = draw or random.Random(0)
    with gzip.open(data / "allsides" / "articles.jsonl.gz", "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    draw.shuffle(articles)
    found = []
    for number, article in enumerate(articles):
        words = draw.choice([60, 90, 125, 125])
        windows = cut(article["title"], article["text"], (), f"allsides-{number}", words)
        found += [w for w in windows[:14] if sum(e - s for s, e in w.sentences) >= 120]
    return found


def with_gold(window: Window, place: Place) -> Window:
    """Return the window with one gold answer."""
    return replace(window, golds=(place,))

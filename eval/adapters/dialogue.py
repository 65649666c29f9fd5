"""Follow-up questions with their gold rewrites: canard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eval.adapters.reading import find, rows
from eval.questions import Dataset, Gold, Question, QuestionSet
from rag import Article


def canard(data: Path) -> Dataset:
    """Read CANARD: each question with the dialogue before it, and its standalone rewrite.

    The answers of one dialogue make one article, titled by its subject, so that the standalone
    question can also be judged by what it retrieves. `Question.history` starts with the subject
    and goes on with the earlier questions; the system gives its own answers to them.
    """
    path = find(data, "canard", "rewrites.jsonl.gz", "rewrites.jsonl", "dev.jsonl")
    dialogues: dict[str, list[str]] = {}

    def make(values: dict[str, Any], number: int) -> Question:
        dialogue = str(values["QuAC_dialog_id"])
        history = [" ".join(part.split()) for part in values["History"]]
        if len(history) > len(dialogues.get(dialogue, [])):
            dialogues[dialogue] = history
        subject = ", ".join(history[:2])
        return Question(
            question_id=f"{dialogue}-{values['Question_no']}",
            question=values["Question"],
            answerable=True,
            history=(subject, *history[2::2]),
            rewrite=values["Rewrite"],
            evidence=(Gold(dialogue),),
            type="first" if len(history) <= 2 else "follow_up",
            line=number,
        )

    questions = tuple(rows(path, make))
    articles = tuple(
        Article(dialogue, ", ".join(parts[:2]), "\n\n".join(parts[3::2]) or parts[0])
        for dialogue, parts in dialogues.items()
    )
    made = QuestionSet("canard", "dev", questions, unit="article", source=str(path))
    return Dataset(made, articles)

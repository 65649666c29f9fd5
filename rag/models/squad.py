"""What training the reader and weighing its readings must agree on."""

from __future__ import annotations

import re
from collections.abc import Iterable


def normal(text: str) -> str:
    """Return `text` as SQuAD compares answers: lower case, no punctuation, no articles."""
    words = re.sub(r"[^\w\s]", "", text.lower()).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})


def unseen_titles(titles: Iterable[str]) -> set[str]:
    """Return every other title, by name: the reader's sibling is not trained on them."""
    return set(sorted(set(titles))[::2])

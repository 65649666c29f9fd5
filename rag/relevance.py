"""Tell why a drafted sentence answers nothing, however true it is.

A weak model repeats the question, asks it back, or talks about the articles instead of what they
say. All of that can be supported by the evidence, and none of it helps a reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answertype import AnswerType, answer_type, holds
from rag.checking.facts import read_facts

# Words for the material in the prompt.
_MATERIAL = frozenset(
    ("article", "articles", "evidence", "passage", "passages", "sentence", "sentences", "text",
     "source", "sources", "question", "answer", "answers", "information")
)  # fmt: skip
_YES_OR_NO = re.compile(
    r"\W*(?:and|so|but)?\W*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|"
    r"may|might|must|isn't|aren't|wasn't|didn't|doesn't|don't|hasn't)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
HELD_SHARE = 0.6
"""Share of the words a sentence adds to the question that its evidence must hold.

Words of the question stand in the evidence anyway, so they must not make up for words that don't.
On RAGTruth's QA responses this withholds 7 % of the sound sentences that were found supported
without it, and 19 % of the hallucinated ones.
"""

_STOPS = frozenset(".!…。！")
# Words that share so many first letters are taken to be forms of one: issue, issued.
_PREFIX = 5


def pointless(text: str, question: str, cited: Sequence[str]) -> str | None:
    """Return why a drafted sentence says nothing, or None.

    Parameters
    ----------
    text : str
        The sentence.
    question : str
    cited : sequence of str
        The evidence sentences that it points to.

    Examples
    --------
    >>> pointless("Japan caps the visas.", "What number does Japan cap the visas at?", [])
    'it only repeats the question'
    >>> pointless("It is 10,000.", "What does Japan cap the visas at?", ["At 10,000."]) is None
    True
    """
    end = text.rstrip("\"”’' )")[-1:]
    if end == "?":
        return "it asks instead of answering"
    if end not in _STOPS:
        return "it is no whole sentence"
    asked = _words(question)
    words = _words(text)
    known = asked.union(*map(_words, cited))
    if words & _MATERIAL - known:
        return "it talks about the articles instead of what they say"
    new = _content(text) - _content(question)
    if not new and not _YES_OR_NO.match(question):
        return "it only repeats the question"
    held = set().union(*map(_content, cited))
    if len(new & held) < HELD_SHARE * len(new):
        return "what it adds to the question is not in the evidence"
    return None


def lacks_what_is_asked(drafted: Sequence[str], extract: str, question: str) -> str | None:
    """Return the kind of thing asked for, if the extract holds one and the draft doesn't.

    Parameters
    ----------
    drafted : sequence of str
        Every sentence of the draft that passed its check.
    extract : str
        The sentence that answers best.
    question : str
    """
    kind = answer_type(question)
    if kind in (AnswerType.OTHER, AnswerType.REASON) or not holds(kind, extract, question):
        return None
    return None if any(holds(kind, text, question) for text in drafted) else kind.value


def _content(text: str) -> set[str]:
    """Return the stems of content words, cut, and the numbers and dates of a text."""
    facts = read_facts(text)
    stems = {word.stem for word in facts.words}
    days = {day.surface for day in facts.days}
    return days | {stem if stem.startswith("#") else stem[:_PREFIX] for stem in stems}


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))

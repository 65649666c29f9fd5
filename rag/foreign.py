"""Find a name in a drafted sentence that its cited evidence does not hold.

`rag.verify` weighs names among much else, and reads human writing as kindly as machine writing.
A model's sentence gets no such kindness: each capitalised word must stand, capitalised, in what
it cites, or be what a pronoun there stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.lexicon import FUNCTION, MONTHS, PLACES, TITLES, WEEKDAYS

# A pronoun among the first words of evidence may stand for a name of the text around it.
_PRONOUNS = frozenset(("he", "she", "it", "they", "his", "her", "its", "their"))
_SUBJECT_WORDS = 2
_JOINING = frozenset(("of", "the", "and", "for", "de"))
_MAX_RUN = 8
_WORD = re.compile(r"[^\W_](?:[\w.&-]*[^\W_])?")
_MARKS = " \t\"'“”‘’([-–—•*"
_OPENING = re.compile(r"(?:[.!?:]|[\"“])[\s\"'“‘(]*$")
_POSSESSIVE = re.compile(r"['’]s?$")


def foreign_name(text: str, evidence: Sequence[str], context: Sequence[str] = ()) -> str | None:
    """Return the first capitalised word of `text` that the evidence does not hold, if any.

    Parameters
    ----------
    text : str
        A drafted sentence. A word that opens it, or a quotation, is left to other checks.
    evidence : sequence of str
        The cited sentences.
    context : sequence of str
        Titles and text around them; it counts only where the evidence opens with a pronoun.

    Examples
    --------
    >>> foreign_name("The cap was set by Kishida.", ["Ishiba set the cap."])
    'Kishida'
    >>> foreign_name("The cap was set by Ishiba.", ["He set the cap."], ["Ishiba spoke."]) is None
    True
    """
    known = [*evidence]
    if any(_opens_with_pronoun(each) for each in evidence):
        known += context
    capitals, places, acronyms, titles = _read(known)
    spelt_out = {word for name in _long_names(text) if _initials(name) in capitals for word in name}
    for word in _inner_words(text):
        if not word[0].isupper() or _is_exempt(word):
            continue
        lowered, plain = word.lower(), word.replace(".", "")
        parts = word.split("-")
        held = (
            _forms(plain) & capitals
            or plain in acronyms
            or (lowered in TITLES and lowered in titles)
            or PLACES.get(lowered, lowered) in places
            or word in spelt_out
            or (len(parts) > 1 and all(_forms(part) & capitals or part.islower() for part in parts))
        )
        if not held:
            return word
    return None


def _read(texts: Sequence[str]) -> tuple[set[str], set[str], set[str], set[str]]:
    """Return capitalised words, countries, initials of names, and titles in any case."""
    capitals: set[str] = set()
    places: set[str] = set()
    acronyms: set[str] = set()
    titles: set[str] = set()
    for text in texts:
        words = _words(text)
        for place, word in enumerate(words):
            lowered = word.lower()
            if lowered in TITLES:
                titles.add(lowered)
            if not word[0].isupper():
                continue
            capitals |= _forms(word.replace(".", ""))
            after = words[place + 1] if place + 1 < len(words) else "."
            # "Dutch" in "Dutch Pancake Day" names no country.
            if after[0].islower() or after == "." or after.lower() in TITLES:
                places.add(PLACES.get(lowered, lowered))
        acronyms |= {_initials(name) for name in _long_names(text)}
    return capitals, places, acronyms, titles


def _words(text: str) -> list[str]:
    return [_POSSESSIVE.sub("", match.group()) for match in _WORD.finditer(text.replace("’", "'"))]


def _inner_words(text: str) -> list[str]:
    """Return the words that open no sentence, item or quotation: whose capital tells something."""
    return [
        _POSSESSIVE.sub("", match.group())
        for match in _WORD.finditer(text.replace("’", "'"))
        if _OPENING.search(text, max(match.start() - 4, 0), match.start()) is None
        and text[: match.start()].strip(_MARKS)
    ]


def _forms(word: str) -> set[str]:
    """Return a word with and without the ending of a plural."""
    return {word, word.removesuffix("s"), word + "s"} if len(word) > 3 else {word}


def _long_names(text: str) -> Iterator[list[str]]:
    """Yield each stretch of two or more capitalised words, whole and in parts."""
    run: list[str] = []
    for word in [*_words(text), "."]:
        if word[0].isupper() and len(run) < _MAX_RUN:
            run.append(word)
        elif word not in _JOINING:
            for start in range(len(run)):
                for end in range(start + 2, len(run) + 1):
                    yield run[start:end]
            run = []


def _initials(name: Sequence[str]) -> str:
    return "".join(word[0] for word in name)


def _is_exempt(word: str) -> bool:
    """Tell words whose capital is no name's: *I*, months (dates are checked as such), *The*."""
    lowered = word.lower()
    return lowered in FUNCTION or lowered in MONTHS or lowered in WEEKDAYS


def _opens_with_pronoun(text: str) -> bool:
    return any(word.lower() in _PRONOUNS for word in _words(text)[:_SUBJECT_WORDS])

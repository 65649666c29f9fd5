"""Find the names in a sentence, and who is said to have said it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rag.checking.tokens import Token
from rag.lexicon import (
    BE,
    BESIDE_SAY,
    CONNECTORS,
    CONTRACTED,
    FUNCTION,
    IRREGULAR,
    OPENERS,
    PLACES,
    PRONOUNS,
    SAY,
    TITLES,
)

_SENTENCE_OPENERS: Final = frozenset('.!?:;“"‘`•*–—|')
_APPOSITION_REACH: Final = 16
"""Tokens that may stand between a speaker and the verb, between commas."""
_QUOTE_MARKS: Final = frozenset('“”"‘’')
_BEFORE_SPEAKER: Final = TITLES | {"."}
TWO_WORD_PLACES: Final = frozenset(name for name in PLACES.values() if " " in name)


class Name(NamedTuple):
    """A capitalised name: its words in lower case without titles, and tokens ``[at, end)``.

    `sure` is false for a single word that opens a sentence and may be no name.
    """

    words: tuple[str, ...]
    at: int
    end: int
    sure: bool
    surface: str


def find_names(tokens: Sequence[Token], taken: frozenset[int]) -> tuple[Name, ...]:
    """Group capitalised tokens outside `taken` (numbers and dates) into names."""
    if _is_headline(tokens):
        return ()
    names: list[Name] = []
    i = 0
    while i < len(tokens):
        if i in taken or not _is_capital(tokens, i):
            i += 1
            continue
        at, last = i, i
        j = i + 1
        while j < len(tokens) and j - last <= 2 and j not in taken:
            if _is_capital(tokens, j) and not _opens_clause(tokens, j):
                last = j
            elif not _joins_name(tokens, j):
                break
            if tokens[last].lower.endswith("'s"):
                break
            j += 1
        name = _name(tokens, at, last + 1)
        if name is not None:
            names.append(name)
        i = last + 1
    return tuple(names)


def likely_name(tokens: Sequence[Token], name: Name) -> bool:
    """Tell whether a single capitalised word that opens a sentence acts as a name: *Lee said*."""
    after = tokens[name.end].lower if name.end < len(tokens) else ""
    return name.words[0] not in OPENERS and (
        after in SAY
        or after in BE
        or after in IRREGULAR
        or after.endswith("ed")
        or after in ("will", "would", "can", "could", "may", "did", "does", "and")
        or tokens[name.at].lower.endswith("'s")
    )


def place_or_word(lower: str) -> str:
    """Map a country's adjective or short name to the country; other words to themselves."""
    word = lower[:-2] if lower.endswith("'s") else lower
    return PLACES.get(word, word)


def find_speakers(tokens: Sequence[Token], names: Sequence[Name]) -> tuple[tuple[str, ...], ...]:
    """Find whom something is attributed to: ``Lee said``, ``said Lee``, ``according to Lee``."""
    owner: dict[int, Name] | None = None
    speakers: list[tuple[str, ...]] = []
    for i, token in enumerate(tokens):
        if token.lower not in SAY and token.lower != "according":
            continue
        if owner is None:
            owner = {k: name for name in names for k in range(name.at, name.end)}
        speaker = None
        if token.lower in SAY:
            speaker = _speaker_before(tokens, i, owner)
        if speaker is None:
            start = i + 1 if token.lower in SAY else i + 2
            speaker = _speaker_after(tokens, start, owner)
        if speaker is not None:
            speakers.append(speaker)
    return tuple(speakers)


def _opens_sentence(tokens: Sequence[Token], i: int) -> bool:
    return i == 0 or tokens[i - 1].text in _SENTENCE_OPENERS


def _is_headline(tokens: Sequence[Token]) -> bool:
    """Tell whether all content words are capitalised, so that capitals tell nothing."""
    words = [token for token in tokens if token.text[0].isalpha()]
    return len(words) > 5 and all(
        token.text[0].isupper() or token.lower in FUNCTION for token in words
    )


def _joins_name(tokens: Sequence[Token], j: int) -> bool:
    """Tell whether `j` may stand inside a name: *of*, a hyphen, the stop of an initial."""
    text = tokens[j].text
    if text == ".":
        return len(tokens[j - 1].text) <= 2
    return tokens[j].lower in CONNECTORS or text in ("-", "&")


def _is_capital(tokens: Sequence[Token], i: int) -> bool:
    text = tokens[i].text
    return text[0].isupper() and tokens[i].lower not in ("i", "i'm", "i've", "i'll", "i'd")


def _opens_clause(tokens: Sequence[Token], i: int) -> bool:
    """Tell whether the mark before `i` ends a sentence rather than an initial or a title."""
    before = tokens[i - 1].text
    return before in _SENTENCE_OPENERS and not (before == "." and len(tokens[i - 2].text) <= 3)


def _name(tokens: Sequence[Token], at: int, end: int) -> Name | None:
    """Make the name of tokens ``[at, end)``, without opening common words and titles."""
    opening = _opens_sentence(tokens, at)
    while at < end and _leads_in(tokens[at], opening):
        at += 1
    while at < end and not tokens[at].text[0].isalpha():
        at += 1
    words = _joined_places(
        place_or_word(token.lower)
        for token in tokens[at:end]
        if token.text[0].isupper() and token.lower not in TITLES
    )
    if not words:
        return None
    sure = len(words) > 1 or not _opens_sentence(tokens, at) or _is_acronym(tokens[at].text)
    text = " ".join(token.text for token in tokens[at:end])
    return Name(words, at, end, sure, text.replace(" .", ".").replace(" - ", "-"))


def _leads_in(token: Token, opening: bool) -> bool:
    """Tell whether a capitalised token is a title, or only opens the sentence."""
    if token.lower in TITLES:
        return True
    if _is_acronym(token.text):
        return False
    return token.lower in FUNCTION or (opening and token.lower in OPENERS)


def _joined_places(words: Iterable[str]) -> tuple[str, ...]:
    """Join *united* and *states* into the one name that stems use."""
    joined: list[str] = []
    for word in words:
        if joined and f"{joined[-1]} {word}" in TWO_WORD_PLACES:
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return tuple(joined)


def _is_acronym(text: str) -> bool:
    return len(text) > 1 and text.replace(".", "").isupper()


def _speaker_before(
    tokens: Sequence[Token], i: int, owner: dict[int, Name]
) -> tuple[str, ...] | None:
    k = i - 1
    while k >= 0 and (tokens[k].lower in BESIDE_SAY or tokens[k].lower.endswith("ly")):
        k -= 1
    if k < 0 or tokens[k].text in _QUOTE_MARKS or tokens[k].text in ".;!?":
        return None
    if tokens[k].text == ",":  # "Lee, the president of South Korea, said"; not "…,” said Lee"
        for near in range(k - 1, max(-1, k - _APPOSITION_REACH), -1):
            if tokens[near].text == "," and near - 1 in owner:
                return owner[near - 1].words
            if tokens[near].text in _QUOTE_MARKS or tokens[near].text == ".":
                return None
        return None
    if k in owner:
        return owner[k].words
    word = tokens[k].lower
    known = word[0].isalpha() and (word in PRONOUNS or word not in FUNCTION)
    return (word,) if known and word not in CONTRACTED else None


def _speaker_after(
    tokens: Sequence[Token], k: int, owner: dict[int, Name]
) -> tuple[str, ...] | None:
    start = k
    while k < len(tokens) and k - start < 4 and tokens[k].lower in _BEFORE_SPEAKER:
        k += 1
    if k < len(tokens) and k in owner:
        return owner[k].words
    return None

"""Read what a sentence states: its words, names, numbers, dates, quotes, speakers and polarity.

Rules over one pass of tokens, no model. The words of a sentence are compared by stem; a name
of a country and the name of its people share one stem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from rag.lexicon import (
    BE,
    CONNECTORS,
    CONTRACTED,
    FUNCTION,
    HEDGES,
    IRREGULAR,
    LIGHT,
    NEGATORS,
    OPENERS,
    OPPOSITES,
    PLACES,
    PRONOUNS,
    SAY,
    SYMMETRIC,
    TITLES,
)
from rag.quantities import Day, Quantity, Token, find_days, find_quantities, tokenize

_QUOTED: Final = re.compile(r"“([^“”]*)”|\"([^\"]*)\"|‘([^‘]*?)’(?!\w)|``([^`]*?)''")
_CLAUSE_ENDS: Final = frozenset(
    [*".;:,?!—()", *"but because while although though when who which since whereas".split()]
)
_SENTENCE_OPENERS: Final = frozenset(".!?:;“\"‘`•*–—|")
_NEGATION_REACH: Final = 3
"""Content words after a negator or a hedge that it governs, within its clause."""
_PAIR_REACH: Final = 3
"""Content words within which two stems count as standing together."""
_SIGNS: Final = frozenset("$€£¥₩₹%°")
"""Marks that change what a number means."""
_ROLE_REACH: Final = 4
"""Content words that may stand between two names for a verb to join them."""
_APPOSITION_REACH: Final = 16
"""Tokens that may stand between a speaker and the verb, between commas."""
_QUOTE_MARKS: Final = frozenset("“”\"‘’")
_BESIDE_SAY: Final = frozenset("has had have also later then who have been was is".split())
_BEFORE_SPEAKER: Final = TITLES | {"."}
_TWO_WORD_PLACES: Final = frozenset(name for name in PLACES.values() if " " in name)
_CASED_PLACES: Final = frozenset({"us", "un", "eu", "uk"})


class Word(NamedTuple):
    """A content word: stem, token number, weight in recall, and what governs it."""

    stem: str
    at: int
    weight: float
    negated: bool
    hedged: bool


class Name(NamedTuple):
    """A capitalised name: its words in lower case without titles, and tokens ``[at, end)``.

    `sure` is false for a single word that opens a sentence and may be no name.
    """

    words: tuple[str, ...]
    at: int
    end: int
    sure: bool
    surface: str


class Quote(NamedTuple):
    """A quoted stretch, flattened like `Facts.flat`, and whether it looks like a work's title."""

    flat: str
    titled: bool


class Direction(NamedTuple):
    """A word on an axis of opposites, its side (+1 or -1) and the content words beside it."""

    axis: int
    side: int
    stem: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What one sentence states; made by `read_facts`.

    Parameters
    ----------
    flat : str
        Its words and numbers in lower case, one space between and around them.
    tokens : tuple of Token
    words : tuple of Word
        Content words in order; a number appears as ``#value``.
    quantities : tuple of Quantity
    days : tuple of Day
    names : tuple of Name
    quotes : tuple of Quote
    speakers : tuple of tuple of str
        Names, as their words, that something is attributed to; ``("he",)`` for a pronoun.
    negators : int
        How many words negate, also those that govern nothing.
    negations : tuple of tuple of str
        For each negator, the stems that it governs; empty at the end of a clause.
    directions : tuple of Direction
    roles : frozenset of (str, str, str)
        (verb stem, who, whom) for names on both sides of a word.
    pairs : frozenset of (str, str)
        Stems that stand at most three content words apart, in order.
    vocabulary : frozenset of str
        Stems and lower-case forms of all words.
    prefixes : frozenset of str
        First five letters of the longer stems.
    """

    flat: str
    tokens: tuple[Token, ...]
    words: tuple[Word, ...]
    quantities: tuple[Quantity, ...]
    days: tuple[Day, ...]
    names: tuple[Name, ...]
    quotes: tuple[Quote, ...]
    speakers: tuple[tuple[str, ...], ...]
    negators: int
    negations: tuple[tuple[str, ...], ...]
    directions: tuple[Direction, ...]
    roles: frozenset[tuple[str, str, str]]
    pairs: frozenset[tuple[str, str]]
    vocabulary: frozenset[str]
    prefixes: frozenset[str]


def flatten(text: str) -> str:
    """Reduce `text` to lower-case words and numbers with one space between and around them."""
    return _flat(tokenize(text))


def _flat(tokens: Sequence[Token]) -> str:
    words = [
        _uncontracted(token.lower)
        for token in tokens
        if token.lower[0].isalnum() or token.text in _SIGNS
    ]
    return " " + " ".join(words) + " "


def _uncontracted(word: str) -> str:
    verb = CONTRACTED.get(word)
    return f"{verb} not" if verb else word


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Cut the usual endings off a lower-case English word.

    Examples
    --------
    >>> stem("increases"), stem("increased"), stem("increasing")
    ('increas', 'increas', 'increas')
    """
    if word.endswith("'s"):
        word = word[:-2]
    word = IRREGULAR.get(word, word)
    if len(word) <= 3:
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("eed"):
        word = word[:-1]
    for ending in ("ingly", "edly", "ing", "ed", "ly", "ment", "er", "or"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioulsz":
                word = word[:-1]
            break
    for ending in ("ation", "ition", "ion", "ive", "ial", "al"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    if word.endswith("y") and len(word) > 3:
        word = word[:-1] + "i"
    return IRREGULAR.get(word, word)


_LIGHT_STEMS: Final = frozenset(map(stem, LIGHT))
_NO_ROLES: Final = frozenset(map(stem, SYMMETRIC | TITLES))
_AXES: Final[dict[str, tuple[tuple[int, int], ...]]] = {}
for _axis, _pair in enumerate(OPPOSITES):
    for _side, _group in zip((1, -1), _pair, strict=True):
        for _word in _group.split():
            for _form in {_word, stem(_word)}:
                _AXES[_form] = (*_AXES.get(_form, ()), (_axis, _side))


def place_or_word(lower: str) -> str:
    """Map a country's adjective or short name to the country; other words to themselves."""
    word = lower[:-2] if lower.endswith("'s") else lower
    return PLACES.get(word, word)


def likely_name(facts: Facts, name: Name) -> bool:
    """Tell whether a single capitalised word that opens a sentence acts as a name: *Lee said*."""
    after = facts.tokens[name.end].lower if name.end < len(facts.tokens) else ""
    return name.words[0] not in OPENERS and (
        after in SAY
        or after in BE
        or after in IRREGULAR
        or after.endswith("ed")
        or after in ("will", "would", "can", "could", "may", "did", "does", "and")
        or facts.tokens[name.at].lower.endswith("'s")
    )


def _opens_sentence(tokens: Sequence[Token], i: int) -> bool:
    return i == 0 or tokens[i - 1].text in _SENTENCE_OPENERS


def _find_names(tokens: Sequence[Token], taken: frozenset[int]) -> tuple[Name, ...]:
    """Group capitalised tokens outside `taken` (numbers and dates) into names."""
    wordy = [token for token in tokens if token.text[0].isalpha()]
    capitals = sum(token.text[0].isupper() for token in wordy)
    if len(wordy) > 5 and capitals > 0.7 * len(wordy):
        return ()  # a headline in title case: capitals tell nothing
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
            elif tokens[j].lower not in CONNECTORS and tokens[j].text not in ("-", ".", "&"):
                break
            elif tokens[j].text == "." and len(tokens[j - 1].text) > 2:
                break
            if tokens[last].lower.endswith("'s"):
                break
            j += 1
        name = _name(tokens, at, last + 1)
        if name is not None:
            names.append(name)
        i = last + 1
    return tuple(names)


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
    while at < end and (
        tokens[at].lower in TITLES
        or (opening or tokens[at].lower in FUNCTION)
        and tokens[at].lower in OPENERS | FUNCTION
        and not _is_acronym(tokens[at].text)
    ):
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


def _joined_places(words: Iterable[str]) -> tuple[str, ...]:
    """Join *united* and *states* into the one name that stems use."""
    joined: list[str] = []
    for word in words:
        if joined and f"{joined[-1]} {word}" in _TWO_WORD_PLACES:
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return tuple(joined)


def _is_acronym(text: str) -> bool:
    return len(text) > 1 and text.replace(".", "").isupper()


def _governed(
    tokens: Sequence[Token], content: Sequence[int]
) -> tuple[set[int], set[int], list[list[int]]]:
    """Find tokens under a negator, tokens under a hedge, and each negator's own tokens.

    `content` lists the content tokens in order.
    """
    negated: set[int] = set()
    hedged: set[int] = set()
    negations: list[list[int]] = []
    following = 0
    for i, token in enumerate(tokens):
        while following < len(content) and content[following] <= i:
            following += 1
        word = token.lower
        negates = (word in NEGATORS or word in CONTRACTED) and not _idle_negator(tokens, i)
        hedges = CONTRACTED.get(word, word) in HEDGES and not (word in ("may", "march") and token.text[0].isupper())
        if not (negates or hedges):
            continue
        scope: list[int] = []
        for at in content[following : following + _NEGATION_REACH]:
            if any(t.lower in _CLAUSE_ENDS for t in tokens[i + 1 : min(at, i + 13)]):
                break
            scope.append(at)
        if hedges:
            hedged.update(scope)
        if negates:
            negated.update(scope)
            negations.append(scope)
    return negated, hedged, negations


def _idle_negator(tokens: Sequence[Token], i: int) -> bool:
    """Tell whether a negator negates nothing: *not only*, *no doubt*, *whether or not*."""
    after = tokens[i + 1].lower if i + 1 < len(tokens) else ""
    before = tokens[i - 1].lower if i else ""
    return (
        after in ("only", "doubt", "matter", "just", "least", "later", ".", ",")
        or before in ("or", "why")
    )


def _find_quotes(text: str) -> tuple[Quote, ...]:
    quotes: list[Quote] = []
    for match in _QUOTED.finditer(text):
        inside = next((group for group in match.groups() if group), "")
        tokens = tokenize(inside)
        flat = _flat(tokens)
        main = [t.text for t in tokens if t.text[0].isalpha() and t.lower not in FUNCTION]
        titled = bool(main) and all(word[0].isupper() for word in main)
        if flat.strip():
            quotes.append(Quote(flat, titled))
    return tuple(quotes)


def _find_speakers(tokens: Sequence[Token], names: Sequence[Name]) -> tuple[tuple[str, ...], ...]:
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


def _speaker_before(
    tokens: Sequence[Token], i: int, owner: dict[int, Name]
) -> tuple[str, ...] | None:
    k = i - 1
    while k >= 0 and (tokens[k].lower in _BESIDE_SAY or tokens[k].lower.endswith("ly")):
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


def _find_roles(
    tokens: Sequence[Token], words: Sequence[Word], names: Sequence[Name]
) -> frozenset[tuple[str, str, str]]:
    """Find (verb, who, whom) for each two neighbouring names with words between them."""
    roles: set[tuple[str, str, str]] = set()
    k = 0
    for left, right in zip(names, names[1:], strict=False):
        while k < len(words) and words[k].at < left.end:
            k += 1
        between = [w.stem for w in words[k : k + _ROLE_REACH + 1] if w.at < right.at]
        if not between or len(between) > _ROLE_REACH:
            continue
        gap = [token.lower for token in tokens[left.end : right.at][:20]]
        if "." in gap or ";" in gap or "and" in gap:
            continue
        who, whom = left.words[-1], right.words[-1]
        if "by" in gap and any(word in BE for word in gap):
            who, whom = whom, who
        roles.update((v, who, whom) for v in between if v not in _NO_ROLES and v[0] != "#")
    return frozenset(roles)


@lru_cache(maxsize=8192)
def read_facts(text: str) -> Facts:
    """Read what the sentence `text` states; an empty text states nothing.

    Takes time linear in the length of `text`. Results are cached: evidence is checked against
    several sentences.
    """
    tokens = tokenize(text)
    days = find_days(tokens)
    quantities = find_quantities(tokens, days)
    number_at = {quantity.at: quantity for quantity in quantities}
    taken = frozenset(i for fact in (*days, *quantities) for i in range(fact.at, fact.end))
    names = _find_names(tokens, taken)
    named = {i for name in names if name.sure for i in range(name.at, name.end)}

    stems: dict[int, str] = {}
    for i, token in enumerate(tokens):
        if i in number_at:
            stems[i] = f"#{number_at[i].value:g}"
        elif i in taken or not token.lower[0].isalnum():
            continue
        elif i - 1 in stems and f"{tokens[i - 1].lower} {token.lower}" in _TWO_WORD_PLACES:
            stems[i - 1] = f"{tokens[i - 1].lower} {token.lower}"
        elif token.lower in _CASED_PLACES and token.text.islower():
            continue
        elif token.lower in PLACES:
            stems[i] = PLACES[token.lower]
        elif token.lower not in FUNCTION or i in named:
            if token.lower not in CONTRACTED:
                stems[i] = stem(token.lower)
    negated, hedged, negations = _governed(tokens, list(stems))
    words = tuple(
        Word(s, i, _weight(s, i in named), i in negated, i in hedged) for i, s in stems.items()
    )
    return Facts(
        flat=_flat(tokens),
        tokens=tokens,
        words=words,
        quantities=quantities,
        days=days,
        names=names,
        quotes=_find_quotes(text),
        speakers=_find_speakers(tokens, names),
        negators=sum(token.lower in NEGATORS or token.lower in CONTRACTED for token in tokens),
        negations=tuple(tuple(stems[i] for i in scope) for scope in negations),
        directions=_find_directions(tokens, words),
        roles=_find_roles(tokens, words, names),
        pairs=frozenset(
            (one.stem, other.stem)
            for gap in range(1, _PAIR_REACH + 1)
            for one, other in zip(words, words[gap:], strict=False)
        ),
        vocabulary=frozenset(stems.values())
        | frozenset(place_or_word(token.lower) for token in tokens),
        prefixes=frozenset(s[:5] for s in stems.values() if len(s) >= 5),
    )


def _weight(stem_: str, named: bool) -> float:
    if named or stem_[0] == "#":
        return 1.5
    return 0.4 if stem_ in _LIGHT_STEMS else 1.0


def _find_directions(tokens: Sequence[Token], words: Sequence[Word]) -> tuple[Direction, ...]:
    """Find the words that stand on an axis of opposites, with their neighbours."""
    found: list[Direction] = []
    k = 0
    for i, token in enumerate(tokens):
        while k < len(words) and words[k].at < i:
            k += 1
        own = k < len(words) and words[k].at == i
        axes = _AXES.get(token.lower) or (_AXES.get(words[k].stem) if own else None)
        if not axes:
            continue
        side = -1 if own and words[k].negated else 1
        before = words[k - 1].stem if k else ""
        rest = k + 1 if own else k
        after = words[rest].stem if rest < len(words) else ""
        name = words[k].stem if own else token.lower
        found += [Direction(axis, side * sign, name, before, after) for axis, sign in axes]
    return tuple(found)

"""Read what a sentence states: its words, names, numbers, dates, quotes, speakers and polarity.

Rules over one pass of tokens, no model. The words of a sentence are compared by stem; a name
of a country and the name of its people share one stem.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from rag.checking.days import Day, find_days
from rag.checking.names import TWO_WORD_PLACES, Name, find_names, find_speakers, place_or_word
from rag.checking.quantities import Quantity, find_quantities
from rag.checking.tokens import Token, flat_of, stem, tokenize
from rag.lexicon import (
    BE,
    CLAUSE_OPENERS,
    CONTRACTED,
    FUNCTION,
    HEDGES,
    LIGHT,
    NEGATORS,
    OPPOSITES,
    PLACES,
    SYMMETRIC,
    TITLES,
)

_QUOTED: Final = re.compile(r"“([^“”]*)”|\"([^\"]*)\"|‘([^‘]*?)’(?!\w)|``([^`]*?)''")
_CLAUSE_ENDS: Final = frozenset(".;:,?!—()") | CLAUSE_OPENERS
_NEGATION_REACH: Final = 3
"""Content words after a negator or a hedge that it governs, within its clause."""
_PAIR_REACH: Final = 3
"""Content words within which two stems count as standing together."""
_ROLE_REACH: Final = 4
"""Content words that may stand between two names for a verb to join them."""
_CASED_PLACES: Final = frozenset({"us", "un", "eu", "uk"})


class Word(NamedTuple):
    """A content word: stem, token number, weight in recall, and what governs it."""

    stem: str
    at: int
    weight: float
    negated: bool
    hedged: bool


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


_LIGHT_STEMS: Final = frozenset(map(stem, LIGHT))
_NO_ROLES: Final = frozenset(map(stem, SYMMETRIC | TITLES))


def _read_axes() -> dict[str, tuple[tuple[int, int], ...]]:
    """Map each word and stem of the pairs of opposites to its axes and sides."""
    axes: dict[str, tuple[tuple[int, int], ...]] = {}
    for axis, pair in enumerate(OPPOSITES):
        for side, group in zip((1, -1), pair, strict=True):
            for word in group.split():
                for form in sorted({word, stem(word)}):
                    axes[form] = (*axes.get(form, ()), (axis, side))
    return axes


_AXES: Final = _read_axes()


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
        hedges = CONTRACTED.get(word, word) in HEDGES and not (
            word in ("may", "march") and token.text[0].isupper()
        )
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
    return after in ("only", "doubt", "matter", "just", "least", "later", ".", ",") or before in (
        "or",
        "why",
    )


def _find_quotes(text: str) -> tuple[Quote, ...]:
    quotes: list[Quote] = []
    for match in _QUOTED.finditer(text):
        inside = next((group for group in match.groups() if group), "")
        tokens = tokenize(inside)
        flat = flat_of(tokens)
        main = [t.text for t in tokens if t.text[0].isalpha() and t.lower not in FUNCTION]
        titled = bool(main) and all(word[0].isupper() for word in main)
        if flat.strip():
            quotes.append(Quote(flat, titled))
    return tuple(quotes)


def _find_roles(
    tokens: Sequence[Token], words: Sequence[Word], names: Sequence[Name]
) -> frozenset[tuple[str, str, str]]:
    """Find (verb, who, whom) for each two neighbouring names with words between them."""
    roles: set[tuple[str, str, str]] = set()
    k = 0
    for left, right in pairwise(names):
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
    taken_spans = [(q.at, q.end) for q in quantities] + [(day.at, day.end) for day in days]
    taken = frozenset(i for at, end in taken_spans for i in range(at, end))
    names = find_names(tokens, taken)
    named = {i for name in names if name.sure for i in range(name.at, name.end)}

    stems: dict[int, str] = {}
    for i, token in enumerate(tokens):
        if i in number_at:
            stems[i] = f"#{number_at[i].value:g}"
        elif i in taken or not token.lower[0].isalnum():
            continue
        elif i - 1 in stems and f"{tokens[i - 1].lower} {token.lower}" in TWO_WORD_PLACES:
            stems[i - 1] = f"{tokens[i - 1].lower} {token.lower}"
        elif token.lower in _CASED_PLACES and token.text.islower():
            continue
        elif token.lower in PLACES:
            stems[i] = PLACES[token.lower]
        elif (token.lower not in FUNCTION or i in named) and token.lower not in CONTRACTED:
            stems[i] = stem(token.lower)
    negated, hedged, negations = _governed(tokens, list(stems))
    words = tuple(
        Word(s, i, _weight(s, i in named), i in negated, i in hedged) for i, s in stems.items()
    )
    return Facts(
        flat=flat_of(tokens),
        tokens=tokens,
        words=words,
        quantities=quantities,
        days=days,
        names=names,
        quotes=_find_quotes(text),
        speakers=find_speakers(tokens, names),
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

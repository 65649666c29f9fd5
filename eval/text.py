"""Answers as tokens: normalised by SQuAD's rules, compared by overlap or containment."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# Dashes join words that an alias may write apart; the other marks are only typography.
_DASHES = dict.fromkeys(map(ord, "-‐‑‒–—―/"), " ")
_MARKS = dict.fromkeys(map(ord, set(string.punctuation + "‘’“”«»…·€£¥₩") - set("-/.")))
_FULL_STOP = re.compile(r"(?<!\d)\.|\.(?!\d)")
_POSSESSIVE = re.compile(r"[’']s\b")
_PERCENT = re.compile(r"%| per cent\b")
_GROUPED = re.compile(r"(?<=\d)[,\u00a0\u202f ](?=\d{3}(?!\d))")
_SCALE = re.compile(r"(?<![\d.])(\d{1,6}(?:\.\d{1,6})?) (thousand|million|billion|trillion)\b")
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
MONTHS = frozenset(
    {
        *("january", "february", "march", "april", "may", "june"),
        *("july", "august", "september", "october", "november", "december"),
    }
)
_NUMBERS_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_NUMBER_WORDS = {word: str(n) for n, word in enumerate(_NUMBERS_TO_TWENTY.split())}


def squad_tokens(text: str) -> list[str]:
    """Return the tokens of `text` by SQuAD 2's rules.

    Lower case, no ASCII punctuation, no articles, split at white space: the normalisation of
    the official evaluation script of SQuAD 2.0 (Rajpurkar, Jia and Liang 2018).

    Examples
    --------
    >>> squad_tokens("The 10,000 visas, a year.")
    ['10000', 'visas', 'year']
    """
    bare = text.lower().translate(_PUNCTUATION)
    return [token for token in bare.split() if token not in _ARTICLES]


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """Return 1 if `prediction` equals a gold answer as SQuAD tokens, else 0.

    No gold answer means that there is none: then an empty prediction is right.
    """
    predicted = squad_tokens(prediction)
    if not golds:
        return float(not predicted)
    return float(any(predicted == squad_tokens(gold) for gold in golds))


def token_f1(prediction: str, golds: Sequence[str]) -> float:
    """Return the best F1 of multisets of SQuAD tokens over `golds`, in [0, 1].

    Where either side has no token, the score is 1 if both have none, else 0.
    """
    predicted = squad_tokens(prediction)
    if not golds:
        return float(not predicted)
    return max(_f1(predicted, squad_tokens(gold)) for gold in golds)


def _f1(predicted: list[str], gold: list[str]) -> float:
    if not predicted or not gold:
        return float(predicted == gold)
    shared = (Counter(predicted) & Counter(gold)).total()
    return 2 * shared / (len(predicted) + len(gold))


@lru_cache(maxsize=65_536)
def match_tokens(text: str) -> tuple[str, ...]:
    """Return the tokens of `text` as the answer match compares them.

    Beyond SQuAD's rules: accents are folded, dashes and slashes split words, possessives lose
    their ending, "10 000" and "10,000" are one number, a decimal point stays, "1.5 million" is
    1500000, "%" is "percent", and number words to twenty are digits.

    Examples
    --------
    >>> match_tokens("The Yen-Won deal: 1.5 million, twelve days")
    ('yen', 'won', 'deal', '1500000', '12', 'days')
    """
    folded = unicodedata.normalize("NFKD", text.lower())
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    folded = _POSSESSIVE.sub("", _GROUPED.sub("", folded.translate(_DASHES)))
    folded = _SCALE.sub(_scaled, _PERCENT.sub(" percent", folded))
    bare = _FULL_STOP.sub(" ", folded).translate(_MARKS)
    return tuple(
        _NUMBER_WORDS.get(token, token) for token in bare.split() if token not in _ARTICLES
    )


def _scaled(match: re.Match[str]) -> str:
    digits, _, decimals = match[1].partition(".")
    zeros = _SCALES[match[2]]
    if len(decimals) > zeros:
        return match[0]
    return (digits + decimals.ljust(zeros, "0")).lstrip("0") or "0"


def holds(text: Sequence[str], phrase: Sequence[str]) -> bool:
    """Return whether the tokens of `phrase` stand one after another in `text`; never if empty.

    The parts of a date may stand in any order: "14 December 1972" is "December 14, 1972".
    """
    width = len(phrase)
    if not width:
        return False
    if not MONTHS.isdisjoint(phrase):
        wanted = sorted(phrase)
        return any(
            text[i] in phrase and sorted(text[i : i + width]) == wanted
            for i in range(len(text) - width + 1)
        )
    return any(
        text[i] == phrase[0] and tuple(text[i : i + width]) == tuple(phrase)
        for i in range(len(text) - width + 1)
    )


def holds_answer(text: str, aliases: Iterable[str], must: Sequence[Sequence[str]] = ()) -> bool:
    """Return whether a right answer stands in `text`.

    Parameters
    ----------
    text : str
    aliases : iterable of str
        Right answers, any of which is enough.
    must : sequence of sequence of str
        Where given, one of each inner sequence must stand in the text, and `aliases` is not
        used.

    Examples
    --------
    >>> holds_answer("Japan caps them at 10,000 a year.", ["10 000"])
    True
    >>> holds_answer("It was 100.", ["10"])
    False
    """
    tokens = match_tokens(text)
    if must:
        return all(any(holds(tokens, match_tokens(a)) for a in inner) for inner in must)
    return any(holds(tokens, match_tokens(alias)) for alias in aliases)

"""Change a true sentence: into a false one (mutations) or into a fair rewording (paraphrases).

Each change takes the sentence, the sentences of its article and a random generator, and returns
the changed sentence, or `None` where it doesn't apply. The rules are written apart from the
checker's, on purpose: it must not be tested with its own eyes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final


def _in_order(text: str) -> list[str]:
    return text.split()


Change = Callable[[str, Sequence[str], random.Random], str | None]

_NUMBER: Final = re.compile(r"(?<![\w.,/:-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w/:]|[.,-]\d)")
_NAME: Final = re.compile(r"(?<=[a-z,] )(?:[A-Z][a-z]+)(?: [A-Z][a-z]+)*(?![\w’'-])")
_AUXILIARY: Final = re.compile(
    r"\b(is|are|was|were|has|have|had|will|would|can|could|should|must|did|does|do)\b(?! not)"
)
_NEGATION: Final = re.compile(r" not\b(?! only)|(?<=(?:s|d|e|n|r))n[’']t\b| never\b", re.IGNORECASE)
_MONTHS: Final = _in_order(
    "January February March April May June July August September October November December"
)
_ABBREVIATED: Final = {"January": "Jan.", "February": "Feb.", "August": "Aug.",
                       "September": "Sept.", "October": "Oct.", "November": "Nov.",
                       "December": "Dec."}  # fmt: skip
_WEEKDAYS: Final = _in_order("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_SPOKEN: Final = _in_order(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen twenty"
)
_NOT_NAMES: Final = frozenset(
    [
        *_MONTHS,
        *_WEEKDAYS,
        "The",
        "Mr",
        "Mrs",
        "Ms",
        "Dr",
        "Sen",
        "Rep",
        "Gov",
        "St",
        "He",
        "She",
        "They",
        "It",
        "We",
        "This",
        "That",
        "But",
        "And",
        "Secretary",
        "Democrats",
        "President",
        "Senator",
        "Governor",
        "Mayor",
        "Chairman",
        "Judge",
    ]
)
_OPPOSITE: Final = {
    "rose": "fell", "fell": "rose", "increased": "decreased", "decreased": "increased",
    "increase": "decrease", "decline": "rise", "higher": "lower", "lower": "higher",
    "won": "lost", "lost": "won", "agreed": "refused", "accepted": "rejected",
    "rejected": "accepted", "supported": "opposed", "opposed": "supported",
    "support": "oppose", "oppose": "support", "allow": "ban", "banned": "allowed",
    "allowed": "banned", "open": "closed", "closed": "open", "opened": "closed",
    "began": "ended", "ended": "began", "gained": "lost", "up": "down", "illegal": "legal",
    "legal": "illegal", "approved": "rejected", "confirmed": "denied", "denied": "confirmed",
    "guilty": "innocent", "stronger": "weaker", "largest": "smallest", "best": "worst",
    "worst": "best", "positive": "negative", "negative": "positive", "majority": "minority",
}  # fmt: skip
_COMPARED: Final = {
    "more than": "less than", "less than": "more than", "fewer than": "more than",
    "at least": "at most", "before": "after", "after": "before", "above": "below",
    "below": "above", "over": "under",
}  # fmt: skip
_SAID: Final = re.compile(r"\b((?:[A-Z][a-z]+ ){1,3})(said|told|added|wrote|tweeted|argued)\b")
_SAID_BACK: Final = re.compile(r"(said|according to) ((?:[A-Z][a-z]+ ?){1,3})(?=[,.])")
_QUOTATION: Final = re.compile(r"[“\"]([^“”\"]{12,})[”\"]")


def _pick(matches: Sequence[re.Match[str]], generator: random.Random) -> re.Match[str] | None:
    return generator.choice(list(matches)) if matches else None


def _replace(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _numbers(text: str) -> list[re.Match[str]]:
    """Find numbers in digits, but not the number of a list's item."""
    return [
        m for m in _NUMBER.finditer(text) if m.start() or text[m.end() : m.end() + 1] not in ".)"
    ]


def _names(text: str) -> list[re.Match[str]]:
    return [m for m in _NAME.finditer(text) if not _NOT_NAMES & set(m.group().split())]


def change_number(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write another number of the same shape in place of one."""
    match = _pick(_numbers(text), generator)
    if match is None:
        return None
    digits = [i for i, c in enumerate(match.group()) if c.isdigit()]
    at = generator.choice(digits)
    low = 1 if at == 0 else 0
    options = [d for d in range(low, 10) if d != int(match.group()[at])]
    new = match.group()[:at] + str(generator.choice(options)) + match.group()[at + 1 :]
    return _replace(text, match, new)


def take_number(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Put a number of another sentence of the article in place of one."""
    match = _pick(_numbers(text), generator)
    own = {m.group() for m in _NUMBER.finditer(text)}
    others = sorted({m.group() for s in article for m in _NUMBER.finditer(s)} - own)
    return _replace(text, match, generator.choice(others)) if match and others else None


def change_number_word(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write another number word in place of one from two to twenty."""
    found = re.finditer(r"\b(" + "|".join(_SPOKEN[2:]) + r")\b", text)
    match = _pick(list(found), generator)
    if match is None:
        return None
    return _replace(text, match, generator.choice([w for w in _SPOKEN[2:] if w != match.group()]))


def exchange_numbers(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Exchange two different numbers of the sentence."""
    return _exchange(text, list(_NUMBER.finditer(text)), generator)


def change_scale(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Turn millions into billions and the like."""
    other = {"million": "billion", "billion": "million", "thousand": "million",
             "trillion": "billion", "percent": "million", "dollars": "euros"}  # fmt: skip
    found = re.finditer(r"(?<=\d )(" + "|".join(other) + r")\b", text)
    match = _pick(list(found), generator)
    return _replace(text, match, other[match.group()]) if match else None


def _exchange(text: str, matches: Sequence[re.Match[str]], generator: random.Random) -> str | None:
    distinct = [
        (a, b)
        for a, b in pairwise(matches)
        if a.group() != b.group()
        and not re.fullmatch(r"[\s,]*(and|or|to|,|-|–)?\s*", text[a.end() : b.start()])
    ]
    if not distinct:
        return None
    a, b = generator.choice(distinct)
    middle = text[a.end() : b.start()]
    return text[: a.start()] + b.group() + middle + a.group() + text[b.end() :]


def take_name(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Put a name of another sentence of the article in place of one."""
    match = _pick(_names(text), generator)
    others = sorted(
        {
            m.group()
            for s in article
            for m in _names(s)
            if not set(m.group().split()) & set(re.findall(r"\w+", text))
        }
    )
    return _replace(text, match, generator.choice(others)) if match and others else None


def exchange_names(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Exchange two names of the sentence that no list joins."""
    return _exchange(text, _names(text), generator)


def add_negation(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Put *not* after an auxiliary verb."""
    found = [
        m
        for m in _AUXILIARY.finditer(text)
        if text[m.end() : m.end() + 1] == " "
        and not re.search(r"\b(no|not|never|nothing|without|only|any)\b|n[’']t", text)
    ]
    match = _pick(found, generator)
    return _replace(text, match, match.group() + " not") if match else None


def drop_negation(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Take *not*, *n't* or *never* away."""
    found = [
        m
        for m in _NEGATION.finditer(text)
        if not re.search(r"(won[’']t|or not|why did\w*n[’']t|whether\b.*)$", text[: m.end()])
        and not text[m.end() :].startswith((" just", " matter", " doubt"))
    ]
    match = _pick(found, generator)
    return _replace(text, match, "") if match else None


def oppose_word(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write a word's opposite in its place."""
    found = re.finditer(r"\b(" + "|".join(_OPPOSITE) + r")\b", text)
    match = _pick(list(found), generator)
    return _replace(text, match, _OPPOSITE[match.group()]) if match else None


def turn_comparison(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Turn *more than* into *less than*, *before* into *after* and the like."""
    found = re.finditer(r"\b(" + "|".join(_COMPARED) + r")\b", text)
    match = _pick(list(found), generator)
    return _replace(text, match, _COMPARED[match.group()]) if match else None


def change_date(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Change a month beside a number, a weekday or a year."""
    months = "|".join(_MONTHS)
    pattern = rf"\b({months})\b(?= \d)|\b({'|'.join(_WEEKDAYS)})\b|\b(19|20)\d\d\b"
    match = _pick(list(re.finditer(pattern, text)), generator)
    if match is None:
        return None
    word = match.group()
    names = _MONTHS if word in _MONTHS else _WEEKDAYS
    if word.isdigit():
        return _replace(text, match, str(int(word) + generator.choice([-3, -2, -1, 1, 2, 3])))
    return _replace(text, match, generator.choice([name for name in names if name != word]))


def change_speaker(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Attribute what is said to somebody else of the article."""
    people = sorted({m.group(1).strip() for s in article for m in _SAID.finditer(s)} | {
        m.group(2).strip() for s in article for m in _SAID_BACK.finditer(s)})  # fmt: skip
    known = set(re.findall(r"\w+", text))
    others = [p for p in people if not set(p.split()) & (known | _NOT_NAMES)]
    if not others:
        return None
    other = generator.choice(others)
    match = _SAID.search(text)
    if match and not set(match.group(1).split()) & _NOT_NAMES:
        return _replace(text, match, f"{other} {match.group(2)}")
    if match := _SAID_BACK.search(text):
        return _replace(text, match, f"{match.group(1)} {other}")
    return None


def change_quotation(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Leave out a word inside a quotation."""
    match = _pick(list(_QUOTATION.finditer(text)), generator)
    if match is None:
        return None
    inside = match.group(1).split(" ")
    if len(inside) < 4:
        return None
    del inside[generator.randrange(1, len(inside) - 1)]
    start, end = match.span(1)
    return text[:start] + " ".join(inside) + text[end:]


MUTATIONS: Final[dict[str, Change]] = {
    "number, other digits": change_number,
    "number of another sentence": take_number,
    "number word": change_number_word,
    "two numbers exchanged": exchange_numbers,
    "scale or unit": change_scale,
    "name of another sentence": take_name,
    "two names exchanged": exchange_names,
    "negation added": add_negation,
    "negation dropped": drop_negation,
    "opposite word": oppose_word,
    "comparison turned": turn_comparison,
    "date": change_date,
    "speaker": change_speaker,
    "word dropped from a quote": change_quotation,
}


def spell_number(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write a number from two to twenty as a word."""
    found = [m for m in _NUMBER.finditer(text) if m.group() in map(str, range(2, 21))]
    found = [m for m in found if not re.search(r"(January|February|March|April|May|June|July"
             r"|August|September|October|November|December|[A-Z][a-z]{2,3}\.|\$) ?$",
             text[: m.start()])]  # fmt: skip
    match = _pick(found, generator)
    return _replace(text, match, _SPOKEN[int(match.group())]) if match else None


def write_digits(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write a number word from two to twenty in digits."""
    spoken = "|".join(_SPOKEN[2:])
    found = re.finditer(rf"(?<!-)\b({spoken})\b(?![- ](thirds|fifths|quarters))", text)
    match = _pick(list(found), generator)
    return _replace(text, match, str(_SPOKEN.index(match.group()))) if match else None


def scale_number(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write 12,000 as 12 thousand, and 3 million as 3,000,000."""
    match = _pick(list(re.finditer(r"(?<![\d,.$])(\d{1,3}),000(?![\d,])", text)), generator)
    if match:
        return _replace(text, match, f"{match.group(1)} thousand")
    match = _pick(list(re.finditer(r"(?<![\d,.$])(\d{1,3}) million\b", text)), generator)
    return _replace(text, match, f"{match.group(1)},000,000") if match else None


def reword_percent(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write % as percent, and percent as %."""
    if "%" in text:
        return text.replace("%", " percent")
    return text.replace(" percent", "%") if " percent " in text else None


def drop_quote_marks(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Take the quotation marks away."""
    return re.sub(r"[“”\"]", "", text) if re.search(r"[“”\"]", text) else None


def drop_last_clause(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Cut the sentence at its last comma, if eight words remain and no quotation is cut."""
    head, comma, tail = text.rpartition(", ")
    whole = len(head.split()) >= 8 and len(tail.split()) >= 2
    balanced = head.count("“") == head.count("”") and head.count('"') % 2 == 0
    return head + "." if comma and whole and balanced else None


def contract(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write *did not* as *didn't*."""
    return re.sub(r"\b(did|does|do|is|are|was|were|has|have|had|would|could|should) not\b",
                  r"\1n't", text)  # fmt: skip


def abbreviate_month(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write *August 23* as *Aug. 23*, or the other way round."""
    for month, short in _ABBREVIATED.items():
        for one, other in ((month, short), (short, month)):
            if re.search(re.escape(one) + r" \d", text):
                return text.replace(one, other)
    return None


def drop_title(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write *President Trump* as *Trump*."""
    titles = r"President|Senator|Sen\.|Gov\.|Governor|Rep\.|Dr\.|Mr\.|Ms\.|Mrs\."
    return re.sub(rf"\b({titles}) (?=[A-Z])", "", text)


def drop_adverb(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Leave out an adverb of manner or degree that carries no fact."""
    return re.sub(r" (also|very|really|quickly|currently|particularly|especially|certainly|still"
                  r"|already|simply|clearly|actually)\b(?!-)", "", text, count=1)  # fmt: skip


def front_speaker(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Turn *“…,” Lee said.* into *Lee said “….”*."""
    match = re.fullmatch(r"([“\"][^“”\"]+),([”\"]) ([^“”\",]{3,60}) said\.?", text)
    return f"{match.group(3)} said {match.group(1)}.{match.group(2)}" if match else None


def expand_country(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write *U.S.* as *United States*, or the other way round."""
    if "U.S. " in text:
        return text.replace("U.S. ", "United States ")
    return text.replace("United States", "U.S.") if "United States" in text else None


def use_synonym(text: str, article: Sequence[str], generator: random.Random) -> str | None:
    """Write a near synonym for one or two frequent words."""
    swaps = {" about ": " approximately ", " because ": " since ", " but ": " though ",
             " said that ": " said ", " while ": " whereas ", " although ": " though ",
             " began ": " started ", " however ": " though "}  # fmt: skip
    for one, other in swaps.items():
        if one in text:
            return text.replace(one, other)
    return None


PARAPHRASES: Final[dict[str, Change]] = {
    "small number in words": spell_number,
    "number word in digits": write_digits,
    "thousands and millions": scale_number,
    "% and percent": reword_percent,
    "quotation marks removed": drop_quote_marks,
    "last clause dropped": drop_last_clause,
    "not contracted": contract,
    "month abbreviated": abbreviate_month,
    "title dropped": drop_title,
    "adverb dropped": drop_adverb,
    "speaker in front": front_speaker,
    "U.S. and United States": expand_country,
    "synonym": use_synonym,
}

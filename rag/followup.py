"""Make a follow-up stand alone by rules: pronouns, shortened names, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.lexicon import FUNCTION, MONTHS, TITLES, WEEKDAYS


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation, as it was asked, and the text of its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in the conversation.

    Parameters
    ----------
    name : str
        As written, without a leading article.
    person : bool
        Whether it looks like a person's name.
    salience : float
        Higher is likelier to be meant by a pronoun.
    """

    name: str
    person: bool
    salience: float


# Weights of `find_mentions`, fitted on the first half of CANARD's development set by
# `python -m eval.bench_conversation --fit`.
ANSWER_WEIGHT = 0.3
FADE = 0.85
_MAX_WORDS = 6

_WORD = re.compile(r"\S+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SINGULAR = _words("he him his himself she her hers herself")
_PLURAL = _words("they them their theirs themselves")
_NEUTRAL = _words("it its itself")
_POSSESSIVE = _words("his their its hers theirs")
_CONNECTORS = _words("of the de van von der and al bin del la")
_QUESTION_WORDS = _words("who whom whose what which when where why how")
_AUXILIARIES = _words(
    "did does do is are was were has have had can could will would should may might must"
)
# Words of questions that are no names where they stand capitalised.
_ASKING = (
    _QUESTION_WORDS
    | _AUXILIARIES
    | _words("any anything also besides ok okay yes no please tell i i'm other others let's aside")
)
# Words that stand in names of places, bodies and works, not in those of people.
_NOT_PEOPLE = _words(
    "university college school ministry party council court house senate congress parliament "
    "states kingdom republic union nations committee commission agency department office bank "
    "company corporation inc corp ltd group team club league cup games festival award awards tour "
    "band orchestra records album island islands city county river lake mountain street north "
    "south east west war act summit treaty prize peoples people story musical airlines airport "
    "hospital church news japan korea china russia ukraine america britain england france germany "
    "india israel iran iraq syria canada mexico brazil spain italy australia taiwan vietnam europe "
    "asia africa tokyo seoul beijing moscow washington london paris berlin kyiv new york "
    "california texas hong kong united"
)
_LEAD = re.compile(
    r"(?:(?:and|but|so|ok|okay|then|well)\b,?\s+)?(?:(?:what|how)\s+about\s+)?", re.I
)
_BARE = re.compile(r"(?:since\s+)?(?:when|where|why|how|who)(?:\s+(?:not|exactly|so|then))?", re.I)
_PREPOSITION = re.compile(r"(in|at|on|for|from|by|during|since|under|before|after|to|with)\s", re.I)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_MAX_FRAGMENT = 5


def standalone_by_rules(question: str, turns: Sequence[Turn]) -> str:
    """Return `question` with what it takes from the conversation put in.

    Parameters
    ----------
    question : str
    turns : sequence of Turn
        Oldest first. Without any, the question is returned as it is.

    Examples
    --------
    >>> turns = [Turn("When did Shigeru Ishiba take office?", "He took office on Oct. 1.")]
    >>> standalone_by_rules("Where was he born?", turns)
    'Where was Shigeru Ishiba born?'
    >>> standalone_by_rules("Why?", [Turn("Did Tokyo cap visas in 2023?", "Yes.")])
    'Why did Tokyo cap visas in 2023?'
    >>> standalone_by_rules("And in 2024?", [Turn("How many visas were granted in 2023?", "Ten.")])
    'How many visas were granted in 2024?'
    """
    question = " ".join(question.split())
    turns = [turn for turn in turns if turn.question.strip()]
    if not turns or not question:
        return question
    completed = _complete(question, turns[-1].question)
    if completed is not None:
        return completed
    mentions = find_mentions(turns)
    resolved = _replace_pronouns(_expand_names(question, mentions), mentions)
    if resolved == question and mentions and not _names(question):
        return _append(question, mentions[0].name)
    return resolved


def find_mentions(turns: Sequence[Turn]) -> tuple[Mention, ...]:
    """Return the names in a conversation, each once, most salient first.

    What was asked about weighs more than what an answer mentions, and every turn that passes
    lets a mention fade. A name that is part of a longer one is that one.
    """
    salience: dict[str, float] = {}
    people: dict[str, bool] = {}
    for number, turn in enumerate(turns):
        fade = FADE ** (len(turns) - 1 - number)
        for text, weight in ((turn.question, fade), (turn.answer, ANSWER_WEIGHT * fade)):
            for place, (name, titled) in enumerate(_names(text)):
                known = _longer(name, salience) or name
                # The first name of a text is mostly its subject.
                gain = weight / (1 + place)
                salience[known] = max(salience.get(known, 0.0), gain)
                people[known] = people.get(known, False) or titled or _looks_like_person(known)
    ranked = sorted(salience, key=lambda name: -salience[name])
    return tuple(Mention(name, people[name], salience[name]) for name in ranked)


def _names(text: str) -> list[tuple[str, bool]]:
    """Return the capitalised names of a text in order, and whether a title stood before each."""
    names: list[tuple[str, bool]] = []
    run: list[str] = []
    titled = False

    def close() -> None:
        nonlocal run, titled
        while run and run[-1].lower() in _CONNECTORS:
            run.pop()
        while run and run[0].lower() in ("the", "a", "an", "and", "of"):
            run.pop(0)
        if run and not (len(run) == 1 and _is_common(run[0])):
            names.append((" ".join(run), titled))
        run, titled = [], False

    for match in _WORD.finditer(text):
        token = match.group()
        word = token.strip("\"'“”‘’()[]{},;:.!?…")
        bare = re.sub(r"['’]s$", "", word)
        capital = bare[:1].isupper() or bool(run and bare.isdigit() and len(bare) < 4)
        opens = token[:1] in '("“'
        if opens:
            close()
        if capital and bare.lower().strip(".") in TITLES and len(bare) > 1:
            close()
            titled = True
            continue
        if capital and not (not run and _is_common(bare)):
            run.append(bare)
        elif run and word.lower() in _CONNECTORS and len(run) < _MAX_WORDS:
            run.append(word)
        else:
            close()
        if run and (bare != word or (token[-1:] in ',;:.!?…)"”' and not _is_initial(token))):
            close()
    close()
    return names


def _is_initial(token: str) -> bool:
    return len(token) <= 3 and token.endswith(".")


def _is_common(word: str) -> bool:
    lowered = word.lower()
    return lowered in FUNCTION or lowered in _ASKING or lowered in MONTHS or lowered in WEEKDAYS


def _looks_like_person(name: str) -> bool:
    words = name.lower().split()
    return 2 <= len(words) <= 4 and not any(word.strip(".") in _NOT_PEOPLE for word in words)


def _longer(name: str, known: Sequence[str] | dict[str, float]) -> str | None:
    """Return the known name that ends or starts with `name`, word by word, if there is one."""
    words = name.lower().split()
    for other in known:
        parts = other.lower().split()
        if len(parts) > len(words) and (
            parts[-len(words) :] == words or parts[: len(words)] == words
        ):
            return other
    return None


def _expand_names(question: str, mentions: Sequence[Mention]) -> str:
    """Put the full name where the question gives a part of one."""
    for name, _ in _names(question):
        full = _longer(name, [mention.name for mention in mentions])
        if full is not None and len(name.split()) == 1:
            question = question.replace(name, full, 1)
    return question


def _replace_pronouns(question: str, mentions: Sequence[Mention]) -> str:
    """Put the most salient fitting name where a kind of pronoun stands for the first time."""
    own = [name.lower() for name, _ in _names(question)]
    named_person = any(m.person and m.name.lower() in own for m in mentions)
    free = [m for m in mentions if m.name.lower() not in own]
    tokens = question.split(" ")
    done: set[frozenset[str]] = set()
    used: set[str] = set()
    for place, token in enumerate(tokens):
        word = token.strip("\"'“”‘’(),;:.!?…")
        lowered = word.lower()
        base = re.sub(r"['’](?:s|re|d|ll|ve)$", "", lowered)
        kind = next((kind for kind in (_SINGULAR, _PLURAL, _NEUTRAL) if base in kind), None)
        if kind is None or kind in done or (kind is _SINGULAR and named_person):
            continue
        name = _antecedent(base, [m for m in free if m.name not in used])
        if name is None:
            continue
        done.add(kind)
        used.add(name)
        following = tokens[place + 1].strip(",.?!").lower() if place + 1 < len(tokens) else ""
        possessive = base in _POSSESSIVE or (base == "her" and _is_noun(following, token))
        if possessive:
            name += "'" if name.endswith("s") else "'s"
        elif base != lowered:
            name += lowered[len(base) :]
        tokens[place] = token.replace(word, name, 1)
    return " ".join(tokens)


def _is_noun(following: str, token: str) -> bool:
    return bool(following) and following not in FUNCTION and token[-1].isalpha()


def _antecedent(pronoun: str, mentions: Sequence[Mention]) -> str | None:
    if pronoun in _SINGULAR:
        fitting = [m for m in mentions if m.person] or list(mentions)
    elif pronoun in _NEUTRAL:
        fitting = [m for m in mentions if not m.person]
    else:
        fitting = list(mentions)
    return fitting[0].name if fitting else None


def _complete(question: str, before: str) -> str | None:
    """Return the question before, changed by a fragment such as ``And in 2024?``, if it is one."""
    lead = _LEAD.match(question)
    fragment = question[lead.end() if lead else 0 :].rstrip("?!. ")
    before = before.rstrip("?!. ")
    words = fragment.lower().split()
    if not words or len(words) > _MAX_FRAGMENT:
        return None
    if _BARE.fullmatch(fragment):
        clause = None if {"who", "not"} & set(words) else _clause(before)
        asked = fragment[0].upper() + fragment[1:]
        return f"{asked} {clause}?" if clause else f"{before}, and {fragment.lower()}?"
    led = bool(lead and lead.end())
    if (
        _AUXILIARIES & set(words)
        or words[0] in _QUESTION_WORDS
        or not (led or _PREPOSITION.match(fragment))
    ):
        return None
    year = _YEAR.search(fragment)
    if year and _YEAR.search(before):
        return f"{_YEAR.sub(year.group(), before)}?"
    if _PREPOSITION.match(fragment):
        return f"{before} {fragment[0].lower()}{fragment[1:]}?"
    names = _names(fragment)
    if not names:
        return None
    person = _looks_like_person(names[0][0])
    for name, _ in _names(before):
        if _looks_like_person(name) is person:
            return f"{before.replace(name, fragment, 1)}?"
    return f"{before} ({fragment})?"


def _clause(question: str) -> str | None:
    """Return a question from its auxiliary on: ``did Tokyo cap visas``."""
    tokens = question.split()
    for place, token in enumerate(tokens[:6]):
        if token.lower() in _AUXILIARIES:
            return " ".join([token.lower(), *tokens[place + 1 :]])
    return None


def _append(question: str, name: str) -> str:
    """Add in brackets what the question is about, where nothing in it can be replaced."""
    stem = question.rstrip("?!. ")
    return f"{stem} ({name}){question[len(stem) :].strip() or '?'}"

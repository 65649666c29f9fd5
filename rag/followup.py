"""Make a follow-up stand alone by rules: pronouns, shortened names, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.lexicon import FUNCTION
from rag.mentions import AUXILIARIES, QUESTION_WORDS, looks_like_person, read_names


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
    place : bool
        Whether it was only ever where something was: *in*, *at* or *from* it.
    asked : bool
        Whether a question named it, not only an answer.
    salience : float
        Higher is likelier to be meant by a pronoun.
    """

    name: str
    person: bool
    place: bool
    asked: bool
    salience: float


# Weights of `find_mentions`, fitted on the first half of CANARD's development set by
# `python -m eval.bench_conversation --fit`.
ANSWER_WEIGHT = 0.3
FADE = 0.85


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SINGULAR = _words("he him his himself she her hers herself")
_PLURAL = _words("they them their theirs themselves")
_NEUTRAL = _words("it its itself")
_POSSESSIVE = _words("his their its hers theirs")
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
    if resolved == question and mentions and not read_names(question):
        return _append(question, mentions[0].name)
    return resolved


def find_mentions(turns: Sequence[Turn]) -> tuple[Mention, ...]:
    """Return the names in a conversation, each once, most salient first.

    What was asked about weighs more than what an answer mentions, and every turn that passes
    lets a mention fade. A name that is part of a longer one is that one.
    """
    salience: dict[str, float] = {}
    people: dict[str, bool] = {}
    places: dict[str, bool] = {}
    asked: set[str] = set()
    for number, turn in enumerate(turns):
        fade = FADE ** (len(turns) - 1 - number)
        for text, weight in ((turn.question, fade), (turn.answer, ANSWER_WEIGHT * fade)):
            for place, name in enumerate(read_names(text)):
                known = _longer(name.text, salience) or name.text
                # The first name of a text is mostly its subject.
                gain = weight / (1 + place)
                salience[known] = max(salience.get(known, 0.0), gain)
                person = name.titled or looks_like_person(known)
                people[known] = people.get(known, False) or person
                places[known] = places.get(known, True) and name.located and not person
                if text is turn.question:
                    asked.add(known)
    ranked = sorted(salience, key=lambda name: -salience[name])
    return tuple(
        Mention(name, people[name], places[name], name in asked, salience[name]) for name in ranked
    )


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
    people = [mention.name for mention in mentions if mention.person]
    for name in read_names(question):
        full = _longer(name.text, people)
        if full is not None and " " not in name.text:
            question = question.replace(name.text, full, 1)
    return question


def _replace_pronouns(question: str, mentions: Sequence[Mention]) -> str:
    """Put the most salient fitting name where a kind of pronoun stands for the first time."""
    own = [name.text.lower() for name in read_names(question)]
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
        # What an answer names beside its point is hardly ever "it".
        fitting = [m for m in mentions if m.asked and not m.person and not m.place]
    else:
        fitting = [m for m in mentions if not m.place]
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
        AUXILIARIES & set(words)
        or words[0] in QUESTION_WORDS
        or not (led or _PREPOSITION.match(fragment))
    ):
        return None
    year = _YEAR.search(fragment)
    if year and _YEAR.search(before):
        return f"{_YEAR.sub(year.group(), before)}?"
    if _PREPOSITION.match(fragment):
        return f"{before} {fragment[0].lower()}{fragment[1:]}?"
    names = read_names(fragment)
    if not names:
        return None
    person = looks_like_person(names[0].text)
    for name in read_names(before):
        if looks_like_person(name.text) is person:
            return f"{before.replace(name.text, fragment, 1)}?"
    return f"{before} ({fragment})?"


def _clause(question: str) -> str | None:
    """Return a question from its auxiliary on: ``did Tokyo cap visas``."""
    tokens = question.split()
    for place, token in enumerate(tokens[:6]):
        if token.lower() in AUXILIARIES:
            return " ".join([token.lower(), *tokens[place + 1 :]])
    return None


def _append(question: str, name: str) -> str:
    """Add in brackets what the question is about, where nothing in it can be replaced."""
    stem = question.rstrip("?!. ")
    return f"{stem} ({name}){question[len(stem) :].strip() or '?'}"

"""Make questions of news sentences: take a name, number or date out, and ask for it.

They read badly and teach two things well: to look where the question's words stand, and which
kind of words "who", "when" and "how many" ask for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from examples import (
    Example,
    Place,
    cloze_passages,
    holds,
    names_by_title,
    nearest,
    swapped,
    with_gold,
)

from rag.models.squad import normal

COUNT, SEED = 7_000, 17
OTHER_SHARE = 0.25

_MONTH = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan\.|Feb\.|Aug\.|Sept\.|Oct\.|Nov\.|Dec\."
)
_DAY = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_KINDS = (
    (
        "date",
        re.compile(
            rf"\b(?:{_MONTH}) \d{{1,2}}(?:, \d{{4}})?|\b(?:{_MONTH}) \d{{4}}|\b(?:{_DAY})\b"
            r"|\b(?:19|20)\d\d\b"
        ),
    ),
    ("money", re.compile(r"\$\d[\d,.]*(?: (?:million|billion|trillion))?")),
    ("percent", re.compile(r"\b\d[\d.]* ?(?:percent|per cent|%)")),
    (
        "number",
        re.compile(
            r"(?<![-\w])\d[\d,.]*\d(?: (?:million|billion|thousand))?\b|\b\d\b|\b(?:two|three|four|"
            r"five|six|seven|eight|nine|ten|dozens|hundreds|thousands)\b"
        ),
    ),
    ("name", re.compile(r"\b[A-Z][\w.'’-]*[a-z](?:(?: of the| of)? [A-Z][\w.'’-]*[a-z])*\b")),
)
_NO_NAME = """
    The A An In On At But And He She They It We I This That These Those If When As For Mr Mrs Ms Dr
    His Her Their Its Our There After Before While With By From To Of You What Who Why How So No
    Not Yes Still Now Then Also Many Some Most Here Monday Tuesday Wednesday Thursday Friday
    Saturday Sunday Republican Democrat Republicans Democrats January February March April June
    July August September October November December"""
_NO_NAMES = frozenset(_NO_NAME.split())
_SAYS = re.compile(
    r"^\s*(?:said|says|told|tweeted|wrote|announced|warned|argued|added|claimed|has|had|was|is|"
    r"will|won)\b"
)
_TITLE = re.compile(
    r"(?:President|Sen\.|Senator|Rep\.|Gov\.|Governor|Mr\.|Ms\.|Mrs\.|Dr\.|Secretary|Mayor|Justice|"
    r"Judge|director|leader|spokesman|spokeswoman|candidate|General|Speaker)\s+$"
)
_MARKS = re.compile(r"[“”\"()\[\],;:—]")
_MOST_WORDS = 12


def cloze(sentence: str, draw: random.Random) -> tuple[str, Place] | None:
    """Return a question and where its answer stands in the sentence; None if nothing fits."""
    found: list[tuple[int, int, str]] = []
    for kind, pattern in _KINDS:
        for match in pattern.finditer(sentence):
            start, end = match.span()
            if any(start < e and s < end for s, e, _ in found):
                continue
            text = match.group()
            if kind == "name" and (
                text.split()[0] in _NO_NAMES or "’" in text or (start == 0 and " " not in text)
            ):
                continue
            found.append((start, end, kind))
    if not found:
        return None
    # Fewer names than there are: they are by far the most frequent.
    weights = [1.0 if kind == "name" else 1.6 for *_, kind in found]
    start, end, kind = draw.choices(found, weights)[0]
    before, after = sentence[:start], sentence[end:]
    left, right = _clause(before.split()[::-1], ",;:—”")[::-1], _clause(after.split(), ",;:—")
    if len(left) + len(right) < 4:
        return None
    head, left, right = _head(kind, sentence[start:end], before, after, left, right, draw)
    dropped = draw.choice([0, 0, 0.1, 0.25])

    def kept(words: Sequence[str]) -> list[str]:
        bare = (_MARKS.sub("", word) for word in words)
        return [word for word in bare if word and draw.random() >= dropped]

    left, right = kept(left), kept(right)
    if right:
        right[-1] = right[-1].rstrip(".!?")
    if len(left) + len(right) < 3:
        return None
    order = draw.random()
    if not left or order < 0.35:
        words = [head, *left, *right]
    elif order < 0.6:
        words = [head, draw.choice(["did", "was", "were", "is", "does", "has"]), *left, *right]
    elif order < 0.75:
        words = [*left, head, *right]
    else:
        words = [head, *right, *left]
    question = " ".join(words)
    return (f"{question}?" if draw.random() < 0.6 else question), (start, end)


def _clause(words: Sequence[str], ends: str) -> list[str]:
    """Return words up to where the clause ends, 12 at most."""
    kept: list[str] = []
    for word in words:
        if len(kept) >= _MOST_WORDS or (len(kept) >= 3 and word[-1] in ends):
            break
        kept.append(word)
    return kept


def _head(
    kind: str,
    answer: str,
    before: str,
    after: str,
    left: list[str],
    right: list[str],
    draw: random.Random,
) -> tuple[str, list[str], list[str]]:
    """Return the words that ask, and what is left of the clause beside them."""
    last = left[-1].lower() if left else ""
    if kind == "date":
        if last in ("on", "in", "since", "until", "by", "last", "this", "next"):
            left = left[:-1]
        if re.fullmatch(r"\d{4}", answer) and draw.random() < 0.6:
            return "what year", left, right
        if draw.random() < 0.7:
            return "when", left, right
        return "on what day" if re.match(_DAY, answer) else "what date", left, right
    if kind == "money":
        return draw.choice(["how much", "how much money", "what amount"]), left, right
    if kind == "percent":
        heads = ["what percentage", "how much", "what share", "what percent"]
        return draw.choice(heads), left, right
    if kind == "number":
        following = right[0].strip(",.") if right else ""
        if following.isalpha() and following.islower() and len(following) > 3:
            return f"how many {following}", left, right[1:]
        return draw.choice(["how many", "what number"]), left, right
    if last in ("in", "at", "near", "from", "outside") and draw.random() < 0.8:
        heads = ["where", "which city or country", "in what place"]
        return draw.choice(heads), left[:-1], right
    if _TITLE.search(before[-14:]) or _SAYS.match(after) or (" " in answer and draw.random() < 0.5):
        people = draw.choice(["who", "who", "which person", "whose"])
        return people if draw.random() < 0.85 else "what", left, right
    heads = ["what", "which", "who", "which company or organization", "which group"]
    return draw.choice([*heads, "what is the name of the one"]), left, right


def clozes(data: Path) -> list[Example]:
    """Return clozes of allsides, some with the answer in an article of another outlet."""
    draw = random.Random(SEED)
    windows = cloze_passages(data, draw)
    order = list(range(len(windows)))
    draw.shuffle(order)
    made: list[tuple[int, str, Place]] = []
    for i in order:
        if len(made) >= COUNT:
            break
        start, end = draw.choice(windows[i].sentences)
        if not 60 < end - start < 400:
            continue
        found = cloze(windows[i].text[start:end], draw)
        if found:
            question, (first, last) = found
            made.append((i, question, (start + first, start + last)))
    alike = nearest(windows, [question for _, question, _ in made], 16)
    names = names_by_title(windows)
    examples = []
    for (i, question, place), near in zip(made, alike, strict=True):
        answer = windows[i].text[slice(*place)]
        window = with_gold(windows[i], place)
        told = [
            windows[j]
            for j, score in near
            if windows[j].source != window.source
            and score > 0.2
            and len(normal(answer)) > 3
            and holds(windows[j], [normal(answer)])
        ]
        if told and draw.random() < 0.7:
            words = set(normal(question).split())
            pattern = re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)")
            shared = [
                (len(words & set(normal(told[0].text[s:e]).split())), s, e)
                for s, e in told[0].sentences
                if pattern.search(told[0].text[s:e])
            ]
            best = max(shared, default=(0, 0, 0))
            match = pattern.search(told[0].text, best[1], best[2]) if best[0] >= 4 else None
            if match:
                window = with_gold(told[0], match.span())
        others = [windows[j] for j, _ in near if j != i and not holds(windows[j], [normal(answer)])]
        pool = sorted(names[window.title] | names[draw.choice(windows).title])
        changed = swapped(question, pool, draw)
        examples.append(
            Example(question, window, tuple(others[:3]), changed, "allsides", "cloze", OTHER_SHARE)
        )
    return examples

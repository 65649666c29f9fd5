"""Read the names of people, places and things out of running text, by their capitals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.lexicon import FUNCTION, MONTHS, TITLES, WEEKDAYS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUESTION_WORDS = _words("who whom whose what which when where why how")
AUXILIARIES = _words(
    "did does do is are was were has have had can could will would should may might must"
)
_MAX_WORDS = 6
_TOKEN = re.compile(r"\S+")
_CONNECTORS = _words("of the de van von der and al bin del la")
_LOCATIVES = _words("in at from to near into across around outside inside")
# Words of questions that are no names where they stand capitalised.
_ASKING = (
    QUESTION_WORDS
    | AUXILIARIES
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


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it stands in a text.

    Parameters
    ----------
    text : str
        Without a leading article or title.
    titled : bool
        Whether a title such as *President* stands before it.
    located : bool
        Whether a word such as *in* or *from* stands before it.
    """

    text: str
    titled: bool
    located: bool


def read_names(text: str) -> tuple[Name, ...]:
    """Return the capitalised names of a text, in order.

    Examples
    --------
    >>> [name.text for name in read_names("Prime Minister Shigeru Ishiba spoke in Tokyo.")]
    ['Shigeru Ishiba', 'Tokyo']
    """
    names: list[Name] = []
    run: list[str] = []
    titled = located = False
    before = ""

    def close() -> None:
        nonlocal run, titled
        while run and run[-1].lower() in _CONNECTORS:
            run.pop()
        while run and run[0].lower() in _CONNECTORS | {"a", "an"}:
            run.pop(0)
        if run and not (len(run) == 1 and _is_common(run[0])):
            names.append(Name(" ".join(run), titled, located))
        run, titled = [], False

    for match in _TOKEN.finditer(text):
        token = match.group()
        word = token.strip("\"'“”‘’()[]{},;:.!?…")
        bare = re.sub(r"['’]s$", "", word)
        capital = bare[:1].isupper() or bool(run and bare.isdigit() and len(bare) < 4)
        if token[:1] in '("“':
            close()
        if capital and bare.lower().strip(".") in TITLES and len(bare) > 1:
            close()
            titled = True
        elif capital and (run or not _is_common(bare)):
            if not run:
                located = before in _LOCATIVES
            run.append(bare)
            ends = token[-1:] in ',;:!?…)"”' or (token[-1:] == "." and len(token) > 3)
            if bare != word or ends:
                close()
        elif run and word.lower() in _CONNECTORS and len(run) < _MAX_WORDS:
            run.append(word)
        else:
            close()
        if word.lower() not in ("the", "a", "an"):
            before = word.lower()
    close()
    return tuple(names)


def looks_like_person(name: str) -> bool:
    """Tell whether a name has the form of a person's: two to four words, none of a body or place.

    Examples
    --------
    >>> looks_like_person("Shigeru Ishiba"), looks_like_person("Bank of Japan")
    (True, False)
    """
    words = name.lower().split()
    return 2 <= len(words) <= 4 and not any(word.strip(".") in _NOT_PEOPLE for word in words)


def _is_common(word: str) -> bool:
    lowered = word.lower()
    return lowered in FUNCTION or lowered in _ASKING or lowered in MONTHS or lowered in WEEKDAYS

"""Cut a text into sentences, as exact spans.

A sentence is what a citation quotes, so its bounds matter more than anywhere else: a boundary
after ``Gov.`` would quote half a statement, and a missed one would quote two. The rules look at
the word before a full stop and the word after it. Every pattern is linear in the text.
"""

from __future__ import annotations

import re

from rag.schema import Span

# A sentence longer than this is cut at a clause: 1,000 characters of English are about 200
# word pieces, and the longest sentences of printed news stay well below.
MAX_SENTENCE_CHARACTERS = 1000
_PARAGRAPH = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
# What may end a sentence if white space follows: a terminator, closing quotes and brackets.
# Spaced full stops (". . .") are an ellipsis; ideographic terminators need no space after them.
_CANDIDATE = re.compile(
    r"[.!?…‽](?:[.!?…‽]| (?=\.(?:[ .]|$)))*+[\"'”’)\]]*+(?: [”’](?=\s|$))?"
    r"|[。！？｡।॥۔؟]++[\"'”’」』）)]*+"
)
_NEXT_WORD = re.compile(r"[\s\"'“‘«‹(\[{„‚–—*•·-]*(?P<word>[^\s,;:!?…\"”’)\]]{0,60})")
_LAST_WORD = re.compile(r"(?<!\S)[a-z]{3,24}\Z")
_GLUED = re.compile(r"[“‘]?[A-Z][a-z’']* ")
_TOKEN_EDGE = re.compile(r"[\s(\[“\"‘/—–-]")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_ATTRIBUTION = re.compile(r"\s*[—–] ?[^\W\d_]")
_SPEAKER = re.compile(
    r"\s+(?:[A-Z][\w.'’-]{0,30}\s+){1,4}(?:said|says|asked|asks|told|wrote|writes|added|replied|"
    r"shouted|wondered|tweeted|exclaimed|demanded|joked|quipped|responded|recalled)\b"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Before a name; they never end a sentence.
_TITLES = _words(
    "Mr Mrs Ms Mx Dr Drs Prof Rev Gov Govs Sen Sens Rep Reps Gen Lt Col Maj Capt Cmdr Cpt Cdr "
    "Sgt Cpl Pvt Pfc Spc Adm Brig Hon Pres Supt Det Insp Msgr Fr Messrs Mme Mlle Amb Atty Asst "
    "Assoc Dep Comm Sec Treas Del Ald vs v e.g i.e cf Ft Mt viz incl approx ca"
)
# Within or at the end of a sentence: only a word that opens sentences decides.
_ABBREVIATIONS = _words(
    "Inc Corp Co Cos Ltd Bros Jr Sr Esq St Sts Ave Blvd Rd Hwy Dept Univ Assn Natl Intl Govt Est "
    "al Bd Dist Ph.D Ed.D M.Sc D.Phil Dem Repub Con Lab"
)
# As above, but after a comma or a party's letter ("Havelock, N.C. Officials") a sentence ends:
# inside one, news puts a comma after the place too.
_PLACES = _words(
    "Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Md Mass Mich Minn Miss Mo Mont Neb "
    "Nev Okla Ore Pa Penn Tenn Tex Va Vt Wash Wis Wyo Que Ont Alta D.C N.C N.D N.H N.J N.M N.Y R.I "
    "S.C S.D W.Va B.C N.S"
)
_OFFICES = _words(
    "Gov Sen Rep Mayor Governor Senator Attorney Police Sheriff Chief Council Councilman City "
    "County State Democrat Republican Representative Congressman Congresswoman Lt Del"
)
_MONTHS = _words("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec")
# Before a number only.
_NUMBERED = _words("No Nos Nr Art Arts Fig Figs Vol Vols Ch pp p para paras no nos")
_DAYS_AND_ZONES = _words(
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Tues Wed Thu Thurs Fri Sat "
    "Sun ET EST EDT CT CST CDT MT MST MDT PT PST PDT GMT UTC BST CET CEST JST KST IST AEST AEDT "
    "Eastern Central Mountain Pacific Greenwich January February March April May June July August "
    "September October November December"
)
_AFTER_TIME = _DAYS_AND_ZONES | _MONTHS
_CLOCK = frozenset(("a.m", "p.m", "A.M", "P.M", "am", "pm"))
# Words that open a sentence and hardly ever stand capitalised inside one.
_OPENERS = _words(
    "The A An This That These Those It He She They We I You There Here His Her Its Their Our My "
    "Your But And Or So Yet Nor In On At By For From With Without Within To Of Under Over Between "
    "Among Amid During Before After Since Until Although Though While When Whenever Where Wherever "
    "Whether If Unless Because As Once However Meanwhile Moreover Furthermore Nevertheless "
    "Nonetheless Still Then Thus Therefore Also Instead Otherwise Now Today Tonight Yesterday "
    "Tomorrow Earlier Later Recently Last Next Such Some Many Most More Several Few Both Each "
    "Every All Any Another Other Others One Two Three What Who Whose Which Why How Not No Yes "
    "Even Just Only Despite According About Across Against Along Around Behind Beyond Like Through "
    "Throughout Toward Towards Upon Via Per Given Asked Let Perhaps Maybe Indeed Instead Overall "
    "Finally Additionally Similarly Currently Previously It's It’s That's That’s He's He’s She's "
    "She’s There's There’s We're We’re They're They’re I'm I’m I've I’ve We've We’ve You're You’re "
    "Don't Don’t Didn't Didn’t What's What’s Let's Let’s Can Could Will Would Should Did Does Do "
    "Is Are Was Were Has Have Had"
)
# Brands and names that keep their small first letter at the start of a sentence.
_SMALL_NAMES = re.compile(r"(?:i(?:Phone|Pad|Pod|Tunes|Cloud|OS)|eBay|al-[A-Z]|de [A-Z]|von [A-Z])")


def split_sentences(text: str) -> tuple[Span, ...]:
    """Return the sentences of `text` in order.

    A line break always ends a sentence. Sentences don't overlap, start and end with a
    character that is not white space, and hold every such character of the text.

    Parameters
    ----------
    text : str
        Any text; empty or blank gives no sentence.

    Returns
    -------
    tuple of Span
        None is longer than `MAX_SENTENCE_CHARACTERS`: a longer one is cut after a clause, at a
        space, or, in a run without any, at the limit.

    Examples
    --------
    >>> text = "Gov. J. R. Smith met U.S. envoys at 9 a.m. on Jan. 5. He left."
    >>> [span.cut(text) for span in split_sentences(text)]
    ['Gov. J. R. Smith met U.S. envoys at 9 a.m. on Jan. 5.', 'He left.']
    """
    spans: list[Span] = []
    for paragraph in _PARAGRAPH.finditer(text):
        start, end = paragraph.span()
        for candidate in _CANDIDATE.finditer(text, start, end):
            stop = candidate.end()
            if start < stop < end and _ends_sentence(text, start, candidate, end):
                _append(spans, text, start, stop)
                start = stop
        _append(spans, text, start, end)
    return tuple(spans)


def cut_sentence(text: str, span: Span, limit: int) -> list[Span]:
    """Cut a span into pieces of at most `limit` characters, after clauses or at spaces if it can.

    Parameters
    ----------
    text : str
    span : Span
        Not blank.
    limit : int
        At least 1.

    Returns
    -------
    list of Span
        In order; only white space is left out between them.
    """
    pieces = []
    start, end = span.start, span.end
    while end - start > limit:
        # Looking only into the second half keeps pieces from becoming fragments.
        low, high = start + limit // 2, start + limit
        stop = high
        for mark in ("; ", ": ", " — ", " – ", ", ", " "):
            found = text.rfind(mark, low, high)
            if found > start:
                stop = found + len(mark.rstrip())
                break
        piece = text[start:stop]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            pieces.append(Span(start + lead, start + len(piece.rstrip())))
        start = stop
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        pieces.append(Span(start, end))
    return pieces


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    """Append ``text[start:end]`` without surrounding white space, cut where it is too long."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
    if start < end:
        if end - start <= MAX_SENTENCE_CHARACTERS:
            spans.append(Span(start, end))
        else:
            spans.extend(cut_sentence(text, Span(start, end), MAX_SENTENCE_CHARACTERS))


def _ends_sentence(text: str, start: int, candidate: re.Match[str], end: int) -> bool:
    """Decide whether the terminator at `candidate` ends the sentence that began at `start`."""
    mark = candidate.group()
    if mark[0] in "。！？｡।॥۔؟":
        return True
    if not text[candidate.end()].isspace():
        # A space lost in copying: "… the plan.He said …", but not "Rewire.News" or "3.5".
        last = _LAST_WORD.search(text, max(start, candidate.start() - 24), candidate.start())
        return last is not None and _GLUED.match(text, candidate.end(), end) is not None
    match = _NEXT_WORD.match(text, candidate.end(), end)
    if match is None or not match["word"]:
        return True
    word = match["word"]
    if word[0].islower() and not _SMALL_NAMES.match(text, match.start("word")):
        return False
    if mark[0] in "!?‽":
        # “Why?” Smith asked.
        return not (mark[-1] in "\"'”’" and _SPEAKER.match(text, candidate.end(), end))
    if mark[0] == "…" or mark.startswith(("..", ". .")):
        return True
    if mark[-1] in '"”':
        # “… for good.” — Jim Smith
        return not _ATTRIBUTION.match(text, candidate.end(), end)
    if mark[:2] in (".!", ".?"):
        return True
    before = text[max(start, candidate.start() - 24) : candidate.start()]
    token = _TOKEN_EDGE.split(before)[-1].lstrip("'’")
    lead = before[: len(before) - len(token)]
    opens = not lead.strip()
    if token in _PLACES and lead.endswith((", ", "-", "–")):
        bracket = text[candidate.end() : candidate.end() + 2].strip() == "("
        return not bracket and word.rstrip(".") not in _OFFICES
    return _full_stop_ends(token, word, opens=opens)


def _full_stop_ends(token: str, word: str, *, opens: bool) -> bool:
    """Decide for a full stop after `token` and before `word`, which is not in lower case.

    `opens` says that nothing stands before the token in its sentence.
    """
    bare = word.rstrip(".")
    opener = bare in _OPENERS
    if token in _TITLES:
        return False
    if len(token) == 1 and token.isalpha():
        return opener and not opens
    if token.isdigit():
        return not (opens and len(token) <= 3)
    if token in _CLOCK:
        return bare not in _AFTER_TIME
    if token in _MONTHS:
        return not word[0].isdigit()
    if token in _NUMBERED:
        return not word[0].isdigit()
    if token in _ABBREVIATIONS or token in _PLACES or _DOTTED.fullmatch(token):
        return opener or _is_participle(bare)
    return True


def _is_participle(word: str) -> bool:
    """Tell words such as ``Left-leaning``, which open a sentence but no name."""
    first, hyphen, rest = word.partition("-")
    return bool(hyphen) and first.istitle() and rest.islower() and rest.endswith("ing")

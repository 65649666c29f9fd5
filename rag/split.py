"""Cut an article into sentences and passages, as exact spans of its text.

A sentence is what a citation quotes, so its bounds matter more than anywhere else: a boundary
after ``Gov.`` would quote half a statement, and a missed one would quote two. The rules look at
the word before a full stop and the word after it. Every pattern is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.schema import Article, Passage, Span

# A sentence longer than this is cut at a clause: 1,000 characters of English are about 200
# word pieces, and the longest sentences of printed news stay well below.
MAX_SENTENCE_CHARACTERS = 1000
# A line of fewer tokens (a list item, a subheading) doesn't count towards `max_sentences`.
_SHORT_SENTENCE_TOKENS = 8
# Longer titles are cut in the heading, so that they leave room for the passage.
_MAX_HEADING_TITLE = 160

_PARAGRAPH = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
# What may end a sentence if white space follows: a terminator, closing quotes and brackets.
# Spaced full stops (". . .") are an ellipsis; ideographic terminators need no space after them.
_CANDIDATE = re.compile(
    r"[.!?…‽](?:[.!?…‽]| (?=\.(?:[ .]|$)))*+[\"'”’)\]]*+(?: [”’](?=\s|$))?"
    r"|[。！？｡।॥۔؟]++[\"'”’」』）)]*+"
)
_NEXT_WORD = re.compile(r"[\s\"'“‘«‹(\[{„‚–—*•·-]*(?P<word>[^\s,;:!?…\"”’)\]]{0,60})")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_SPEAKER = re.compile(
    r"\s+(?:[A-Z][\w.'’-]{0,30}\s+){1,4}(?:said|says|asked|asks|told|wrote|writes|added|replied|"
    r"shouted|wondered|tweeted|exclaimed|demanded|joked|quipped|responded|recalled)\b"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Before a name; they never end a sentence.
_TITLES = _words(
    "Mr Mrs Ms Mx Dr Prof Rev Gov Govs Sen Sens Rep Reps Gen Lt Col Maj Capt Cmdr Cpt Cdr Sgt Cpl "
    "Pvt Pfc Spc Adm Brig Hon Pres Supt Det Insp Msgr Fr Messrs Mme Mlle Amb Atty Asst Assoc Dep "
    "Comm Sec Treas Del Ald vs v e.g i.e cf Ft Mt viz incl approx ca"
)
# Within or at the end of a sentence: only a word that opens sentences decides.
_ABBREVIATIONS = _words(
    "Inc Corp Co Cos Ltd Bros Jr Sr Esq St Sts Ave Blvd Rd Hwy Dept Univ Assn Natl Intl Govt Est "
    "al Bd Dist Ph.D Ed.D M.Sc D.Phil Ala Ariz Ark Calif Colo Conn Fla Ga Ill Ind Kan Ky La Md "
    "Mass Mich Minn Miss Mo Mont Neb Nev Okla Ore Pa Penn Tenn Tex Va Vt Wash Wis Wyo Que Ont Alta "
    "Dem Rep Repub Ind Con Lab"
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


def split_passages(
    article: Article,
    count_tokens: Callable[[Sequence[str]], list[int]],
    *,
    max_tokens: int = 200,
    overlap: int = 1,
    max_sentences: int = 6,
) -> tuple[Passage, ...]:
    """Return the passages of an article, which hold all its sentences in order.

    Parameters
    ----------
    article : Article
    count_tokens : callable
        Gives the number of tokens of each text, special ones included. It is called once an
        article, and again only for sentences that alone exceed the limit.
    max_tokens : int, default 200
        Limit of `embedding_text`, heading and special tokens included. A sentence that doesn't
        fit is cut into several.
    overlap : int, default 1
        Sentences that a passage shares with the one before, as far as they fit. With 0 the
        passages tile the article.
    max_sentences : int, default 6
        Limit of sentences a passage, shared ones included; lines of a few words don't count.

    Returns
    -------
    tuple of Passage
        Empty if the article is blank.

    Raises
    ------
    ValueError
        If ``max_tokens < 16``, ``overlap < 0`` or ``max_sentences <= overlap``.
    """
    if max_tokens < 16:
        raise ValueError(f"max_tokens must be at least 16, not {max_tokens}")
    if overlap < 0 or max_sentences <= overlap:
        raise ValueError(f"0 <= overlap < max_sentences, not {overlap} and {max_sentences}")
    sentences = list(split_sentences(article.text))
    if not sentences:
        return ()
    texts = [span.cut(article.text) for span in sentences]
    empty, head, *counts = count_tokens(["", heading(article), *texts])
    # The heading of an article with an extreme title may take half of the limit, not more.
    budget = max(max_tokens - head, max_tokens // 2)
    sizes = [count - empty for count in counts]
    sentences, sizes = _fit(article.text, sentences, sizes, budget, count_tokens, empty)
    passages = []
    start = 0
    covered = 0
    while covered < len(sentences):
        end = _fill(sizes, start, budget, max_sentences)
        while end <= covered:
            # The shared sentences leave no room for a new one: share fewer.
            start += 1
            end = _fill(sizes, start, budget, max_sentences)
        inside = tuple(sentences[start:end])
        passages.append(Passage(article, Span(inside[0].start, inside[-1].end), inside))
        covered = end
        start = max(end - overlap, start + 1)
    return tuple(passages)


def heading(article: Article) -> str:
    """Return the line that heads each embedded passage: title, publisher and day.

    Long titles are cut. What is unknown is left out; empty if nothing is known.
    """
    title = article.title
    if len(title) > _MAX_HEADING_TITLE:
        title = title[:_MAX_HEADING_TITLE].rsplit(" ", 1)[0] + " …"
    return " | ".join(part for part in (title, article.byline) if part)


def embedding_text(passage: Passage) -> str:
    """Return the text to embed for a passage: the article's heading, then the passage."""
    head = heading(passage.article)
    return f"{head}\n{passage.text}" if head else passage.text


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    """Append ``text[start:end]`` without surrounding white space, cut where it is too long."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
    if start < end:
        if end - start <= MAX_SENTENCE_CHARACTERS:
            spans.append(Span(start, end))
        else:
            spans.extend(_cut(text, Span(start, end), MAX_SENTENCE_CHARACTERS))


def _cut(text: str, span: Span, limit: int) -> list[Span]:
    """Cut a span into pieces of at most `limit` characters, at clauses or spaces if there are."""
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


def _fit(
    text: str,
    sentences: list[Span],
    sizes: list[int],
    budget: int,
    count_tokens: Callable[[Sequence[str]], list[int]],
    empty: int,
) -> tuple[list[Span], list[int]]:
    """Cut sentences of more than `budget` tokens until all fit or are one character long."""
    while any(size > budget and len(span) > 1 for span, size in zip(sentences, sizes, strict=True)):
        pieces: list[Span] = []
        known: list[int | None] = []
        for span, size in zip(sentences, sizes, strict=True):
            if size <= budget or len(span) == 1:
                pieces.append(span)
                known.append(size)
            else:
                cut = _cut(text, span, max(1, min(len(span) - 1, len(span) * budget // size)))
                pieces.extend(cut)
                known.extend([None] * len(cut))
        new = [span.cut(text) for span, size in zip(pieces, known, strict=True) if size is None]
        counted = iter(count_tokens(new))
        sizes = [next(counted) - empty if size is None else size for size in known]
        sentences = pieces
    return sentences, sizes


def _fill(sizes: Sequence[int], start: int, budget: int, max_sentences: int) -> int:
    """Return the end of the longest passage from `start` within both limits, at least one on."""
    total = sizes[start]
    full = int(sizes[start] >= _SHORT_SENTENCE_TOKENS)
    end = start + 1
    while end < len(sizes):
        total += sizes[end]
        full += sizes[end] >= _SHORT_SENTENCE_TOKENS
        if total > budget or full > max_sentences:
            break
        end += 1
    return end


def _ends_sentence(text: str, start: int, candidate: re.Match[str], end: int) -> bool:
    """Decide whether the terminator at `candidate` ends the sentence that began at `start`."""
    mark = candidate.group()
    if mark[0] in "。！？｡।॥۔؟":
        return True
    if not text[candidate.end()].isspace():
        return False
    match = _NEXT_WORD.match(text, candidate.end(), end)
    word = match["word"] if match else ""
    if not word:
        return True
    if word[0].islower() and not _SMALL_NAMES.match(text, match.start("word")):  # type: ignore[union-attr]
        return False
    if mark[0] in "!?‽":
        # “Why?” Smith asked.
        return not (mark[-1] in "\"'”’" and _SPEAKER.match(text, candidate.end(), end))
    if mark[0] == "…" or mark.startswith(("..", ". .")):
        return True
    if mark[-1] in '"”' or mark[:2] in (".!", ".?"):
        return True
    before = text[max(start, candidate.start() - 24) : candidate.start()]
    token = re.split(r"[\s(\[“\"‘'/—–-]", before)[-1]
    return _full_stop_ends(token, word, not before[: -len(token) or None].strip())


def _full_stop_ends(token: str, word: str, opens: bool) -> bool:
    """Decide for a full stop after `token` and before `word`, which is not in lower case.

    `opens` says that nothing stands before the token in its sentence.
    """
    bare = word.rstrip(".")
    opener = bare in _OPENERS
    if token in _TITLES:
        return False
    if len(token) == 1 and token.isalpha():
        return opener and token not in "v" and not opens
    if token.isdigit():
        return not (opens and len(token) <= 3)
    if token in _CLOCK:
        return bare not in _AFTER_TIME
    if token in _MONTHS:
        return not word[0].isdigit()
    if token in _NUMBERED:
        return not word[0].isdigit()
    if token in _ABBREVIATIONS or _DOTTED.fullmatch(token):
        return opener or _is_participle(bare)
    return True


def _is_participle(word: str) -> bool:
    """Tell words such as ``Left-leaning``, which open a sentence but no name."""
    first, hyphen, rest = word.partition("-")
    return bool(hyphen) and first.istitle() and rest.islower() and rest.endswith("ing")

"""Which articles are one: the same page, the same text, or one wire copy told twice.

An address names a page whose text may change; equal texts are one article with several sources;
texts that share much of their wording are copies of one report, and never count as two voices.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import numpy.typing as npt

# Words in a row that are compared: four seldom agree by chance.
SHINGLE_WORDS = 4

# Share of the shorter text's shingles that stand in the longer one from which the two are copies.
# The sample corpus' shortened wire copy shares .90 with its original and every other pair below
# .05; three outlets' own reports of one event (basil, 50 events) reach .37 with quoted speech.
COPY_OVERLAP = 0.4

# Fewer shingles than this are a headline or a correction, which tell nothing.
_MIN_SHINGLES = 12

# MinHash (Broder 1997) in bands of two rows: a pair with Jaccard similarity s shares a band with
# probability 1 - (1 - s^2)^20, which is .85 at .3 and .99 at .45.
_BANDS, _ROWS = 20, 2
_SEED = 20250823

_WORD = re.compile(r"\w+")
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id|ref|smid|cmpid", re.IGNORECASE)

Hashes = npt.NDArray[np.uint64]

_FACTORS, _SHIFTS = (
    np.random.default_rng(_SEED + i).integers(1, 2**63, _BANDS * _ROWS, dtype=np.uint64) | odd
    for i, odd in enumerate((np.uint64(1), np.uint64(0)))
)


def page_key(url: str | None) -> str | None:
    """Return what two addresses of one page share; None for a site's front page or no address.

    Scheme, ``www.``, fragment, tracking parameters and a slash at the end don't count.

    Examples
    --------
    >>> page_key("https://www.example.org/news/1/?utm_source=x#top")
    'example.org/news/1'
    >>> page_key("https://example.org/")
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return None
    wanted = [pair for pair in parse_qsl(parts.query) if not _TRACKING.fullmatch(pair[0])]
    path = parts.path.rstrip("/")
    if not host or not (path or wanted):
        return None
    return host + port + path + ("?" + urlencode(sorted(wanted)) if wanted else "")


def text_hash(text: str) -> bytes:
    """Return 16 bytes that two articles share if their texts are equal."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def shingles(text: str) -> Hashes:
    """Return the hashes of all runs of four words of a text, sorted, each once."""
    words = _WORD.findall(text.lower())
    if len(words) < SHINGLE_WORDS:
        return np.empty(0, dtype=np.uint64)
    hashes = np.fromiter(map(zlib.crc32, map(str.encode, words)), np.uint64, len(words))
    mixed = np.zeros(len(words) - SHINGLE_WORDS + 1, dtype=np.uint64)
    for i in range(SHINGLE_WORDS):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[i : i + len(mixed)]
    return np.unique(mixed ^ (mixed >> np.uint64(29)))


def bands(hashes: Hashes) -> tuple[int, ...]:
    """Return numbers (63 bits) of which two similar texts share at least one, most probably.

    Empty for a text too short to compare.
    """
    if len(hashes) < _MIN_SHINGLES:
        return ()
    lowest = np.array(
        [(hashes * factor + shift).min() for factor, shift in zip(_FACTORS, _SHIFTS, strict=True)]
    ).reshape(_BANDS, _ROWS)
    found = []
    for number, row in enumerate(lowest):
        digest = hashlib.blake2b(bytes([number]) + row.tobytes(), digest_size=8).digest()
        found.append(int.from_bytes(digest, "little") >> 1)
    return tuple(found)


def overlap(a: Hashes, b: Hashes) -> float:
    """Return the share, in [0, 1], of the shorter text's shingles that stand in the longer one."""
    shorter = min(len(a), len(b))
    return len(np.intersect1d(a, b, assume_unique=True)) / shorter if shorter else 0.0


def are_copies(a: str, b: str) -> bool:
    """Tell whether two texts are one report: much of the shorter one's wording is shared."""
    first, second = shingles(a), shingles(b)
    if min(len(first), len(second)) < _MIN_SHINGLES:
        return False
    return overlap(first, second) >= COPY_OVERLAP


def voices(items: Sequence[str], links: Mapping[str, set[str]]) -> dict[str, str]:
    """Return for each item the first item of those that are linked with it, directly or not.

    Examples
    --------
    >>> voices(["a", "b", "c"], {"c": {"a"}})
    {'a': 'a', 'b': 'b', 'c': 'a'}
    """
    leader = {item: item for item in items}

    def find(item: str) -> str:
        while leader[item] != item:
            item = leader[item]
        return item

    order = {item: place for place, item in enumerate(items)}
    for item, others in links.items():
        for other in others:
            if item in leader and other in leader:
                first, second = sorted((find(item), find(other)), key=order.__getitem__)
                leader[second] = first
    return {item: find(item) for item in items}

"""Characters: what may reach the store, and where it stood in the file."""

from __future__ import annotations

import time
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.errors import CorpusError
from rag.sources.clean import clean_line, clean_text, decode

# What attacks and bad copies are made of, beside every other character.
_HOSTILE = (
    "\x00\x07\x1b\x1c\x7f\x85\x9f\xa0\xad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u202a\u202e"
    "\u2028\u2029\u2060\u2066\u2069\u3000\u3164\ud800\udfff\ufe0f\ufeff\ufffc\uffff"
    "\U000e0001\U000e0041\U000e007f\U000e0100\U0010ffff"
)
_TEXTS = st.text(
    st.one_of(st.sampled_from(_HOSTILE + "ab \n\r\t\u0915\u2764\U0001f525"), st.characters()),
    max_size=80,
)
# The only invisible characters that may stay, between letters or symbols that need them.
_JOINERS = {"\u200c", "\u200d", "\ufe0e", "\ufe0f"}


@settings(max_examples=10_000, deadline=None)
@given(_TEXTS)
@example("a\r\n\r\n\x00b")
@example("\u2764\ufe0f\u200d\U0001f525")
def test_clean_text_any_text_maps_every_kept_character_to_the_raw_one(raw: str) -> None:
    cleaned = clean_text(raw)
    text = cleaned.text
    offsets = [cleaned.raw_offset(index) for index in range(len(text))]
    assert offsets == sorted(set(offsets))
    for character, offset in zip(text, offsets, strict=True):
        if character in " \n":
            # It stands for a run of white space and dropped characters.
            assert not _is_visible(raw[offset])
        else:
            assert raw[offset] == character
    assert [c for c in text if _is_visible(c)] == [c for c in raw if _is_visible(c)]


def _is_visible(character: str) -> bool:
    """Tell what must be kept, by Unicode's own properties and the few that they don't name."""
    code = ord(character)
    return not (
        character.isspace()
        or unicodedata.category(character) in {"Cc", "Cf", "Cs"}
        or code in {0x034F, 0x115F, 0x3164, 0xFFA0}  # joins nothing; empty letters
        or 0x180B <= code <= 0x180F  # Mongolian selectors
        or 0xFE00 <= code <= 0xFE0F  # variation selectors
        or 0x2060 <= code <= 0x206F  # invisible operators and gaps among them
        or 0xFFF0 <= code <= 0xFFFC  # annotations and the stand-in for objects
        or 0xE0000 <= code <= 0xE0FFF  # tags, more variation selectors, unassigned
        or 0xFDD0 <= code <= 0xFDEF
        or code & 0xFFFE == 0xFFFE  # never characters
    )


@settings(max_examples=2000, deadline=None)
@given(_TEXTS)
def test_clean_text_any_text_leaves_nothing_invisible_and_is_stable(raw: str) -> None:
    text = clean_text(raw).text
    assert clean_text(text).text == text
    text.encode("utf-8")
    for character in text:
        if character not in _JOINERS and character != "\n":
            category = unicodedata.category(character)
            assert category not in {"Cc", "Cs", "Zl", "Zp"}
            assert not 0xE0000 <= ord(character) <= 0xE0FFF
            assert unicodedata.bidirectional(character) not in {
                "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
            }  # fmt: skip
    assert "  " not in text and "\n\n\n" not in text and text == text.strip()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a \t \n  \n \n b", "a\n\nb"),
        ("a\xa0\u2009b", "a b"),
        ("pay\u200bments", "payments"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "obey"), "hi"),
        ("half \ud83d pair", "half pair"),
        ("co\xadoperate", "cooperate"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),
        ("a\u200db", "ab"),
        ("\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",) * 2,
        ("\u2764\ufe0f", "\u2764"),
        ("\ufeffstart", "start"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_clean_text_known_cases_give_expected_text(raw: str, text: str) -> None:
    assert clean_text(raw).text == text


def test_raw_offset_outside_raises_and_the_end_follows_the_last_character() -> None:
    cleaned = clean_text("\u200babc \u200b")
    assert cleaned.raw_offset(3) == 4
    assert clean_text("").raw_offset(0) == 0
    for index in (-1, 4):
        with pytest.raises(IndexError):
            cleaned.raw_offset(index)


def test_clean_line_newlines_become_spaces() -> None:
    assert clean_line(" a\n\nb\u2028c ") == "a b c"


@pytest.mark.parametrize("unit", ["a\u200b", " ", "\n", "\u200b", "\u2764\ufe0f", " \x00", "\r"])
def test_clean_text_hostile_text_takes_linear_time(unit: str) -> None:
    assert _cpu_seconds(unit * 80_000) < 24 * _cpu_seconds(unit * 10_000)


def _cpu_seconds(raw: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        clean_text(raw)
        best = min(best, time.process_time() - start)
    return max(best, 1e-4)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "“Tōkyō” — 東京"),
        ("utf-8-sig", "“Tōkyō” — 東京"),
        ("utf-16", "“Tōkyō” — 東京"),
        ("utf-32", "“Tōkyō” — 東京"),
        ("cp1252", "The café’s naïve “era” cost €5 – or so they said in Tokyo."),
        ("latin-1", "Le café est fermé à Genève."),
        ("cp1251", "Главы двух стран встретились в Токио и подписали заявление."),
        ("cp949", "두 나라의 정상이 도쿄에서 만나 협력을 강화하기로 했다."),
        ("cp932", "両国の首脳は東京で会談し、協力を強めることで一致した。"),
    ],
)
def test_decode_known_encodings_give_the_text(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)).lstrip("\ufeff") == text


def test_decode_one_broken_byte_keeps_the_rest_of_utf8() -> None:
    text = "“Tōkyō” — 東京 — “é”"
    assert decode(text.encode() + b"\xff") == text + "\ufffd"


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7 text", b"PK\x03\x04 text", b"\x89PNG\r\n", bytes(range(256)) * 4, b"\x00" * 50],
)
def test_decode_binary_raises(data: bytes) -> None:
    with pytest.raises(CorpusError, match="binary"):
        decode(data)


@given(st.binary(max_size=300))
def test_decode_any_bytes_gives_text_or_a_typed_error(data: bytes) -> None:
    with suppress(CorpusError):
        assert isinstance(decode(data), str)

"""The bundled reader on a passage that a person can judge."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rag.embed import verify_weights
from rag.errors import ModelError
from rag.reader import FOLDER, UNREAD, Reader
from rag.schema import Article, Passage, Span
from rag.sentences import split_sentences

TEXT = (
    "The leaders met in Tokyo on Saturday. Japan issues at most 10,000 working holiday visas a "
    "year to South Koreans. They also spoke about rice and steel."
)


def passage(text: str, title: str = "Summit in Tokyo") -> Passage:
    """Return a whole text as one passage."""
    article = Article("a", title, text)
    return Passage(article, Span(0, len(text)), split_sentences(text))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(1)


def test_read_finds_the_sentence_and_the_words_that_answer(reader: Reader) -> None:
    (reading,) = reader.read(
        "How many working holiday visas does Japan issue to South Koreans?", [passage(TEXT)]
    )
    assert int(np.argmax(reading.scores)) == 1
    words = reading.spans[1]
    assert "10,000" in words.cut(TEXT)
    assert split_sentences(TEXT)[1].start <= words.start < words.end <= split_sentences(TEXT)[1].end


def test_read_gives_less_where_nothing_answers(reader: Reader) -> None:
    question = "How many working holiday visas does Japan issue to South Koreans?"
    other = passage("The weather was fine. Children played football in the park.", "Weather")
    found, nothing = reader.read(question, [passage(TEXT), other])
    assert found.scores.max() > 0 > nothing.scores.max()


def test_read_depends_on_nothing_but_question_and_passage(reader: Reader) -> None:
    question = "Where did the leaders meet?"
    one = passage(TEXT)
    alone = reader.read(question, [one])[0]
    among = Reader(2).read(question, [passage("Rain fell."), one, passage("")])[1]
    np.testing.assert_array_equal(alone.scores, among.scores)
    assert alone.spans == among.spans


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("", TEXT),
        ("What?", ""),
        ("x" * 5_000, TEXT),
        ("[SEP] [PAD] [CLS]?", "[PAD] [SEP]. [CLS] a."),
        ("Who?", "\u202e\ud800 odd. \x00 More."),
        ("Who met?", "word " * 3_000 + ". The end."),
    ],
)
def test_read_of_anything_gives_a_number_for_each_sentence(
    reader: Reader, question: str, text: str
) -> None:
    whole = passage(text)
    (reading,) = reader.read(question, [whole])
    assert len(reading.scores) == len(reading.margins) == len(whole.sentences)
    assert np.isfinite(reading.scores).all()
    for span, sentence in zip(reading.spans, whole.sentences, strict=True):
        assert sentence.start <= span.start <= span.end <= sentence.end


def test_read_of_a_sentence_behind_what_fits_says_so(reader: Reader) -> None:
    whole = passage(f"{'word ' * 400}. The end came.")
    (reading,) = reader.read("Who met?", [whole])
    assert reading.scores[-1] == UNREAD
    assert len(reading.spans[-1]) == 0


def test_read_of_no_passage_is_empty(reader: Reader) -> None:
    assert reader.read("Who?", []) == ()


def test_the_weights_are_those_of_the_manifest() -> None:
    verify_weights(FOLDER)
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert sum(entry["bytes"] for entry in manifest["files"].values()) <= 30_000_000


def test_reader_of_a_damaged_folder_says_what_to_do(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(FOLDER, tmp_path / "model"))
    (copied / "model.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match="reinstall"):
        Reader(1, copied)

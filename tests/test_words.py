from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from rag.words import Stemmer, search_terms


def test_search_terms_of_question_drop_function_words_and_repeats() -> None:
    assert search_terms("What does the treaty say of the Treaty?") == ("treaty", "say")


def test_search_terms_of_function_words_alone_keep_them() -> None:
    assert search_terms("Who is he?") == ("who", "is", "he")


def test_search_terms_of_punctuation_are_empty() -> None:
    assert search_terms("?!…") == ()


def test_stems_of_inflected_words_are_equal() -> None:
    stems = Stemmer().stems(["visas issued", "visa issues", ""])
    assert stems[0] == stems[1]
    assert stems[2] == []


@given(st.lists(st.text(max_size=30), max_size=5))
def test_stems_of_any_texts_give_one_list_each(texts: list[str]) -> None:
    # SQLite can't hold lone surrogates; cleaning removes them before any text comes here.
    texts = [text.encode("utf-8", "ignore").decode("utf-8") for text in texts]
    assert len(Stemmer().stems(texts)) == len(texts)


def test_stems_from_many_threads_do_not_mix() -> None:
    stemmer = Stemmer()
    words = [f"word{i}" for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda word: stemmer.stems([word])[0], words))
    assert found == [[word] for word in words]

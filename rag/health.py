"""Does what answers work? One question to each model, for `dateline doctor`.

Each check is made whatever the others find, and none raises.
"""

from __future__ import annotations

import time

from rag.calls import Budget
from rag.checking.checkers import Checker
from rag.embed import BundledEmbedder, Embedder, verify_weights
from rag.errors import DatelineError
from rag.llm import LLM
from rag.prompts import Message
from rag.reader import Reader
from rag.schema import Check


def check_embedder(embedder: Embedder) -> Check:
    """Embed a sentence; the bundled model's files are compared with their manifest first."""
    try:
        if isinstance(embedder, BundledEmbedder):
            verify_weights()
        embedder.embed(["Is the model well?"])
    except DatelineError as error:
        return Check("embedder", False, str(error))
    return Check("embedder", True, embedder.name)


def check_reader(reader: Reader | None) -> Check:
    """Compare the reader's files with their manifest."""
    if reader is None:
        return Check("reader", True, "off: sentences are chosen without it")
    try:
        reader.verify()
    except DatelineError as error:
        return Check("reader", False, str(error))
    return Check("reader", True, reader.name)


def check_llm(llm: LLM | None, budget: Budget) -> Check:
    """Ask the language model for one word, within a budget."""
    if llm is None:
        return Check("language model", True, "none: answers are extracted")
    started = time.perf_counter()
    ask = (Message("user", "Answer with the one word: yes"),)
    try:
        llm.complete(ask, max_tokens=64, budget=budget)
    except DatelineError as error:
        return Check("language model", False, str(error))
    seconds = time.perf_counter() - started
    return Check("language model", True, f"{llm.name} answers in {seconds:.1f} s")


def check_checker(checker: Checker) -> Check:
    """Ask the checker that was plugged in about one pair."""
    try:
        (given,) = checker.support([("The cap is ten.", "The cap is ten.")])
    except DatelineError as error:
        return Check("checker", False, str(error))
    return Check("checker", True, f"{checker.name} works ({given:.2f} for itself)")

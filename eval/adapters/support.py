"""Texts with evidence and people's labels of support: ragtruth, expertqa, wice and qags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.adapters.reading import find, rows, texts
from rag import split_sentences

_LABEL = re.compile(r"\s{0,3}\[\d{1,3}\]")
_PASSAGE_NAME = re.compile(r"\(?\b[Pp]assages? \d{1,2}(?:(?:,| and|, and) \d{1,2}){0,9}\)?")


@dataclass(frozen=True, slots=True)
class Pair:
    """One labelled claim.

    Parameters
    ----------
    pair_id, cluster : str
        Pairs that share a source are of one cluster.
    claim : str
        A sentence.
    evidence : tuple of str
        Sentences that should support it.
    supported : bool
        Whether people say that they do.
    """

    pair_id: str
    cluster: str
    claim: str
    evidence: tuple[str, ...]
    supported: bool


def ragtruth(data: Path) -> tuple[Pair, ...]:
    """Read RAGTruth: response sentences against the passages they were written from.

    A sentence is supported if no span that people marked as hallucinated touches it. Phrases such
    as "passage 2" are taken out, for they name the prompt and not the world; sentences of fewer
    than three words are left out.
    """
    path = find(data, "ragtruth", "responses.jsonl.gz", "responses.jsonl")

    def make(values: dict[str, Any], _: int) -> tuple[Pair, ...]:
        response, source = values["d2"], str(values["source_id"])
        evidence = _sentences(values["d1"])
        pairs = []
        for index, span in enumerate(split_sentences(response)):
            claim = _PASSAGE_NAME.sub("", span.cut(response))
            if len(claim.split()) < 3:
                continue
            marked = any(
                label["start"] < span.end and span.start < label["end"]
                for label in values["labels"]
            )
            pairs.append(Pair(f"{values['id']}-{index}", source, claim, evidence, not marked))
        return tuple(pairs)

    return tuple(pair for made in rows(path, make) for pair in made)


def expertqa(data: Path) -> tuple[Pair, ...]:
    """Read ExpertQA: claims of chat systems with cited texts; only "Complete" is support.

    Claims whose evidence is an address without text, or that people didn't judge, are left out.
    """
    path = find(data, "expertqa", "claims.jsonl.gz", "claims.jsonl")

    def make(values: dict[str, Any], number: int) -> tuple[Pair, ...]:
        pairs = []
        for system, answer in sorted(values["answers"].items()):
            for index, claim in enumerate(answer["claims"]):
                cited = (_without_address(text) for text in texts(claim["evidence"]))
                evidence = tuple(s for text in cited for s in _sentences(text))
                if claim["support"] not in ("Complete", "Partial", "Incomplete") or not evidence:
                    continue
                pairs.append(
                    Pair(
                        pair_id=f"{number}-{system}-{index}",
                        cluster=str(number),
                        claim=_LABEL.sub("", claim["claim_string"]),
                        evidence=evidence,
                        supported=claim["support"] == "Complete",
                    )
                )
        return tuple(pairs)

    return tuple(pair for made in rows(path, make) for pair in made)


def wice(data: Path) -> tuple[Pair, ...]:
    """Read WiCE: claims of Wikipedia with the sentences of a page they cite; partly is not."""
    path = find(data, "wice", "claims.jsonl.gz", "claims.jsonl")

    def make(values: dict[str, Any], number: int) -> Pair:
        return Pair(
            pair_id=str(values["meta"]["id"]),
            cluster=str(values["meta"].get("claim_title", number)),
            claim=values["claim"],
            evidence=texts(values["evidence"]),
            supported=values["label"] == "supported",
        )

    return tuple(rows(path, make))


def qags(data: Path) -> tuple[Pair, ...]:
    """Read QAGS: sentences of news summaries; support is the majority of three people's votes."""
    path = find(data, "qags", "summaries.jsonl", "mturk_cnndm.jsonl")

    def make(values: dict[str, Any], number: int) -> tuple[Pair, ...]:
        evidence = _sentences(values["article"])
        pairs = []
        for index, sentence in enumerate(values["summary_sentences"]):
            votes = [response["response"] == "yes" for response in sentence["responses"]]
            pairs.append(
                Pair(
                    pair_id=f"{number}-{index}",
                    cluster=str(number),
                    claim=sentence["sentence"],
                    evidence=evidence,
                    supported=2 * sum(votes) > len(votes),
                )
            )
        return tuple(pairs)

    return tuple(pair for made in rows(path, make) for pair in made)


def _without_address(text: str) -> str:
    """Return a cited text without the label and address that ExpertQA puts before it."""
    words = [w for w in text.split() if not w.startswith(("http://", "https://"))]
    body = " ".join(words)
    if body.startswith("[") and "]" in body[:6]:
        body = body[body.index("]") + 1 :].strip()
    return body if len(body.split()) >= 5 else ""


def _sentences(text: str) -> tuple[str, ...]:
    return tuple(span.cut(text) for span in split_sentences(text))

"""The metrics by name: what each means, how its interval is made, which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eval.ranking import CUTOFFS
from eval.support import JUDGE


class Kind(StrEnum):
    """How a figure and its interval are made of the questions' parts."""

    SHARE = "share"  # units that succeed, of all: Wilson
    MEAN = "mean"  # mean over questions: bootstrap by clusters
    CONFIDENCE = "confidence"  # a statistic of all confidences: bootstrap by clusters


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Parameters
    ----------
    name : str
    kind : Kind
    unit : str
        What n counts.
    meaning : str
        One line for readers of a report.
    lower_is_better : bool
    floor : float
        Smallest possible value.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    lower_is_better: bool = False
    floor: float = 0.0


def _retrieval() -> tuple[Metric, ...]:
    made = []
    for k in CUTOFFS:
        made += [
            Metric(f"recall_at_{k}", Kind.MEAN, "questions",
                   f"share of the gold evidence in the first {k}"),
            Metric(f"hit_at_{k}", Kind.SHARE, "questions",
                   f"some gold evidence in the first {k}"),
            Metric(f"all_evidence_at_{k}", Kind.SHARE, "questions",
                   f"all the evidence that the answer takes in the first {k}"),
        ]  # fmt: skip
    return tuple(made)


METRICS: tuple[Metric, ...] = (
    Metric("correct", Kind.SHARE, "answerable questions",
           "a gold answer stands in the answer, which has at most 3 sentences"),
    Metric("wrong", Kind.SHARE, "answerable questions", "answered, and not correct", True),
    Metric("missing", Kind.SHARE, "answerable questions", "answerable, and refused", True),
    Metric("truthfulness", Kind.MEAN, "answerable questions", "correct − wrong", floor=-1.0),
    Metric("refused", Kind.SHARE, "unanswerable questions", "unanswerable, and refused"),
    Metric("over_refused", Kind.SHARE, "answerable questions",
           "answerable, and refused; also where no gold answer is given", True),
    Metric("coverage", Kind.SHARE, "questions", "answered at all"),
    Metric("citation_exactness", Kind.SHARE, "citations",
           "the quote is the stored article's words, byte for byte, and its hash matches"),
    Metric("citation_recall", Kind.SHARE, "answer sentences",
           f"supported by their own citations together, by {JUDGE}"),
    Metric("citation_precision", Kind.SHARE, "citations",
           f"needed: supports alone, or support is lost without it, by {JUDGE}"),
    Metric("gold_citation_recall", Kind.MEAN, "answered questions",
           "share of the gold sentences that are cited"),
    Metric("gold_citation_precision", Kind.MEAN, "answered questions",
           "share of the cited sentences that are gold"),
    Metric("faithfulness", Kind.SHARE, "answer sentences",
           f"supported by the evidence offered, by {JUDGE}"),
    Metric("numbers_in_evidence", Kind.SHARE, "numbers stated", "stand in the evidence"),
    Metric("names_in_evidence", Kind.SHARE, "names stated", "stand in the evidence"),
    Metric("dates_in_evidence", Kind.SHARE, "dates stated", "stand in the evidence"),
    Metric("valid_offsets", Kind.SHARE, "offsets", "lie inside the stored version they name"),
    Metric("answer_sentences", Kind.MEAN, "answered questions", "length in sentences", True),
    Metric("answer_words", Kind.MEAN, "answered questions", "length in words", True),
    Metric("exact_match", Kind.SHARE, "questions", "equals a gold answer, by SQuAD 2"),
    Metric("token_f1", Kind.MEAN, "questions", "overlap with the best gold answer, by SQuAD 2"),
    Metric("selected_at_1", Kind.SHARE, "answerable questions",
           "gold answer in the first sentence, of the nearest evidence if refused"),
    Metric("selected_at_2", Kind.SHARE, "answerable questions",
           "the same, in the first two"),
    Metric("selected_at_3", Kind.SHARE, "answerable questions",
           "the same, in the first three"),
    Metric("answerable_auroc", Kind.CONFIDENCE, "questions",
           "confidence ranks an answerable question above one that is not"),
    Metric("aurc", Kind.CONFIDENCE, "questions", "area under the risk–coverage curve", True),
    Metric("aurc_oracle", Kind.CONFIDENCE, "questions",
           "the same for the best order of the same answers", True),
    Metric("ece", Kind.CONFIDENCE, "questions",
           "|share right − confidence| over 10 bins of equal mass", True),
    Metric("brier", Kind.MEAN, "questions", "(confidence − right)²", True),
    Metric("mrr_at_10", Kind.MEAN, "questions", "1 / rank of the first gold evidence, 0 past 10"),
    Metric("ndcg_at_10", Kind.MEAN, "questions", "binary gain, base 2"),
    Metric("map_at_20", Kind.MEAN, "questions", "mean average precision over the first 20"),
    *_retrieval(),
    Metric("misled", Kind.SHARE, "questions with planted lies",
           "a planted lie stands in the answer, and the answer is not correct", True),
    Metric("rewrite_f1", Kind.MEAN, "follow-ups", "the searched question against the gold rewrite"),
    Metric("raw_f1", Kind.MEAN, "follow-ups", "the question as asked against the gold rewrite"),
)  # fmt: skip

BY_NAME = {metric.name: metric for metric in METRICS}

# One violation in a run fails the gate.
INVARIANTS = ("citation_exactness", "valid_offsets", "numbers_in_evidence")

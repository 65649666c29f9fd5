"""The support verdict that citation metrics rest on: `rag.check_sentence`, memoised.

It goes by rules and words and runs offline; it is no human judge, and no plugged-in checker
changes it. Figures that use it carry its name and version, and its own quality against people's
labels is measured by ``dateline eval checker``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag import Support, Verdict, Verifier

JUDGE = f"rag.check_sentence ({Verifier().name})"

Check = Callable[[str, Sequence[str]], Verdict]


def offline_check() -> Check:
    """Return the check that Dateline itself applies before it shows a sentence."""
    from rag import check_sentence

    return check_sentence


class Supported:
    """Whether texts together support a sentence; asks once for each pair.

    Parameters
    ----------
    check : callable
        Takes a sentence and evidence texts, returns a `Verdict`.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._known: dict[tuple[str, tuple[str, ...]], bool] = {}

    def __call__(self, sentence: str, evidence: Sequence[str]) -> bool:
        """Return whether the verdict is SUPPORTED; never for no evidence."""
        if not evidence:
            return False
        key = (sentence, tuple(evidence))
        if key not in self._known:
            verdict = self._check(sentence, evidence)
            self._known[key] = verdict.support is Support.SUPPORTED
        return self._known[key]

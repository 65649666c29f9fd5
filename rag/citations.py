"""Addresses of quotes, and the labels that a language model writes into its draft."""

from __future__ import annotations

from rag.errors import UserError
from rag.schema import Span

VERSION_DIGITS = 16
"""Hexadecimal digits of an article version, as `rag.schema.Article.version` gives them."""

OFFSET_DIGITS = 12
"""Longest accepted offset: no article comes near 10**12 characters."""


def parse_address(address: str) -> tuple[str, str, Span]:
    """Read an address as `rag.schema.Citation.address` writes it.

    Parameters
    ----------
    address : str
        ``article_id@version:start-end``; the id itself may hold ``@`` and ``:``.

    Returns
    -------
    article_id : str
    version : str
        16 hexadecimal digits.
    span : Span

    Raises
    ------
    UserError
        If the address has another shape.

    Examples
    --------
    >>> parse_address("korea/visas@0123456789abcdef:120-310")
    ('korea/visas', '0123456789abcdef', Span(start=120, end=310))
    """
    article_id, at, rest = address.strip().rpartition("@")
    version, colon, offsets = rest.partition(":")
    start, dash, end = offsets.partition("-")
    well_formed = (
        article_id
        and at
        and colon
        and dash
        and len(version) == VERSION_DIGITS
        and all(digit in "0123456789abcdef" for digit in version)
        and all(
            offset.isascii() and offset.isdigit() and len(offset) <= OFFSET_DIGITS
            for offset in (start, end)
        )
        and int(start) <= int(end)
    )
    if not well_formed:
        shown = address if len(address) <= 100 else address[:99] + "…"
        raise UserError(
            f"{shown!r} is not the address of a quote; copy one from an answer, "
            "such as news/summit@0123456789abcdef:120-310"
        )
    return article_id, version, Span(int(start), int(end))

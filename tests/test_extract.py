"""PDF, Word, feeds and archives: read apart from this process, within bounds, or skipped."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.corpus import find_sources, read_source
from rag.schema import Article, Skip
from rag.sources.extract import html_text, join_lines

BODY = "Leaders met in Tokyo on Saturday and talked about visas. They agreed on 10,000 a year."


def read(folder: Path, name: str, data: bytes) -> tuple[tuple[Article, ...], tuple[Skip, ...]]:
    path = folder / name
    path.write_bytes(data)
    return read_source(find_sources(path)[0])


def reason(folder: Path, name: str, data: bytes) -> str:
    articles, (skip,) = read(folder, name, data)
    assert articles == ()
    return skip.reason


def pdf(lines: list[str], info: str = "", *, stream: bytes | None = None) -> bytes:
    """Return a PDF of one page with these lines of text."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    content = stream or f"BT /F1 12 Tf 14 TL 40 780 Td {shown} ET".encode("latin-1")
    extra = b" /Filter /FlateDecode" if stream else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(content), extra, content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< %s >>" % info.encode(),
    ]
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, value in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, value))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    out.write(b"trailer << /Size %d /Root 1 0 R /Info 6 0 R >>\n" % size)
    out.write(b"startxref\n%d\n%%%%EOF" % table)
    return out.getvalue()


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(body: str, core: str = "", *, head: str = "") -> bytes:
    document = f'{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return packed({"word/document.xml": document.encode(), "docProps/core.xml": core.encode()})


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            if data:
                archive.writestr(name, data)
    return out.getvalue()


def paragraph(text: str, style: str = "") -> str:
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{styled}<w:r><w:t>{text}</w:t></w:r></w:p>"


RSS = f"""<?xml version="1.0"?><rss version="2.0"><channel><title>Seoul Desk</title>
<item><guid>one</guid><title>Visas &amp;amp; trade</title><link>https://desk.example/one</link>
<pubDate>Sat, 23 Aug 2025 10:00:00 GMT</pubDate>
<description>&lt;p&gt;{BODY}&lt;/p&gt;&lt;script&gt;steal()&lt;/script&gt;</description></item>
<item><guid>two</guid><title>Empty</title></item>
<item><guid>three</guid><title>Ferry</title><description>A ferry sank.</description></item>
</channel></rss>"""

ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Tokyo Desk</title>
<entry><id>a</id><title>Visas</title><updated>2025-08-24T01:00:00Z</updated>
<content type="html">&lt;p&gt;{BODY}&lt;/p&gt;</content></entry></feed>"""

BILLION = (
    '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


def test_read_source_pdf_gives_title_paragraphs_and_day(tmp_path: Path) -> None:
    lines = ["Leaders agree on visas", "Leaders met in Tokyo on Saturday and talked about vi-"]
    lines += ["sas for young people of both countries, which many had asked for.", "They agreed."]
    data = pdf(lines, "/Title (printer.tmp) /CreationDate (D:20250823101500+09'00')")
    (article,), skips = read(tmp_path, "visas.pdf", data)
    assert skips == ()
    assert (article.article_id, article.title) == ("visas", "Leaders agree on visas")
    assert "talked about visas for young people" in article.text
    assert article.published == date(2025, 8, 23)


def test_read_source_docx_gives_title_paragraphs_and_day(tmp_path: Path) -> None:
    core = (
        '<c xmlns:dcterms="http://purl.org/dc/terms/">'
        "<dcterms:created>2025-08-23T01:00:00Z</dcterms:created></c>"
    )
    body = paragraph("Visas", "Title") + paragraph(BODY) + paragraph("") + paragraph("The end.")
    (article,), skips = read(tmp_path, "visas.docx", docx(body, core))
    assert skips == ()
    assert (article.title, article.text) == ("Visas", f"{BODY}\nThe end.")
    assert article.published == date(2025, 8, 23)


@pytest.mark.parametrize("name", ["feed.rss", "feed.xml"])
def test_read_source_rss_gives_an_article_an_entry_with_text(tmp_path: Path, name: str) -> None:
    (first, second), skips = read(tmp_path, name, RSS.encode())
    assert skips == ()
    assert (first.title, first.text, first.publisher) == ("Visas & trade", BODY, "Seoul Desk")
    assert (first.published, first.url) == (date(2025, 8, 23), "https://desk.example/one")
    assert second.text == "A ferry sank."
    turned = RSS.replace("<item><guid>one", "<item><guid>zero</guid></item><item><guid>one")
    (again, _), _ = read(tmp_path, name, turned.encode())
    assert again.article_id == first.article_id


def test_read_source_atom_gives_an_article_an_entry(tmp_path: Path) -> None:
    (article,), _ = read(tmp_path, "feed.atom", ATOM.encode())
    assert (article.publisher, article.published) == ("Tokyo Desk", date(2025, 8, 24))


def test_read_source_zip_gives_the_articles_of_every_format(tmp_path: Path) -> None:
    files = {
        "news/visas.txt": f"Visas\n{BODY}".encode(),
        "feed.rss": RSS.encode(),
        "../../up.md": BODY.encode(),
        "picture.png": b"\x89PNG",
        "inner.zip": packed({"a.txt": BODY.encode()}),
        "broken.jsonl": b"{",
        "README.md": b"not an article",
    }
    articles, skips = read(tmp_path, "week.zip", packed(files))
    ids = {article.article_id for article in articles}
    assert {"week.zip/news/visas", "week.zip/up"} <= ids
    assert len(ids) == 4
    skipped = {skip.source: skip.reason for skip in skips}
    assert set(skipped) == {f"week.zip/{n}" for n in ("picture.png", "inner.zip", "broken.jsonl")}
    assert "unpack it first" in skipped["week.zip/inner.zip"]


def bomb_pdf() -> bytes:
    return pdf([], stream=zlib.compress(b"BT (x) Tj ET " * 40_000_000, 9))


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("a.pdf", lambda: b"%PDF-1.4 nothing", "damaged"),
        ("a.pdf", lambda: pdf([]), "scanned"),
        ("a.docx", lambda: b"PK\x03\x04 broken", "damaged"),
        ("a.docx", lambda: packed({"x.xml": b"<x/>"}), "no Word document"),
        ("a.docx", lambda: docx(paragraph("&c;"), head=BILLION), "entities"),
        ("a.docx", lambda: docx("<w:p>" * 200_000 + "</w:p>" * 200_000), "nested"),
        ("a.docx", lambda: packed({"word/document.xml": b"<a>" + b" " * 10**8}), "unpacks to"),
        ("a.xml", lambda: b"<note><to>You</to></note>", "no RSS or Atom"),
        ("a.xml", lambda: (BILLION + "<rss>&c;</rss>").encode(), "entities"),
        ("a.rss", lambda: b"<rss><channel></rss>", "well-formed"),
        ("a.rss", lambda: b"<rss version='2.0'><channel/></rss>", "without texts"),
        ("a.zip", lambda: b"PK\x03\x04 broken", "damaged"),
        ("a.zip", lambda: packed({"a.txt": b"\n" * (33 * 2**20)}), "larger than 32 MB"),
    ],
)
def test_read_source_files_made_to_hurt_are_skipped_with_a_reason(
    tmp_path: Path, name: str, make: Callable[[], bytes], words: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = make()
    assert words in reason(tmp_path, name, data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_read_source_pdf_bomb_ends_in_its_child(tmp_path: Path) -> None:
    data = bomb_pdf()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reason(tmp_path, "a.pdf", data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_limit_self_bounds_memory_time_and_files(tmp_path: Path) -> None:
    limited = "from rag.sources.extract import limit_self; limit_self(); "
    for code, status in (
        ("bytearray(200 << 20)", 0),
        ("bytearray(300 << 20)", 1),
        (f"from pathlib import Path; Path({str(tmp_path / 'x')!r}).write_text('x')", 1),
        ("while True: pass", 1),
    ):
        soon = "import rag.sources.extract; rag.sources.extract.CPU_SECONDS = 1; "
        child = subprocess.run(
            [sys.executable, "-c", f"{soon}{limited}\n{code}"],
            cwd=Path(__file__).parents[1],
            stderr=subprocess.DEVNULL,
        )
        assert (child.returncode != 0) == bool(status), code


def test_read_source_zip_that_unpacks_to_far_more_stops(tmp_path: Path) -> None:
    files = {f"{i:02}.txt": bytes(30 * 2**20) for i in range(8)}
    articles, skips = read(tmp_path, "a.zip", packed(files))
    assert (articles, len(skips)) == ((), 4)
    assert "far more than its size" in skips[-1].reason


@given(st.lists(st.text(max_size=80), max_size=20))
def test_join_lines_any_lines_keep_every_word(lines: list[str]) -> None:
    joined = join_lines(lines).replace(" ", "").replace("\n", "")
    letters = [c for c in joined if c.isalnum()]
    assert letters == [c for line in lines for c in line if c.isalnum()]


@given(st.text(alphabet="<>/pbscript &;a", max_size=200))
def test_html_text_any_markup_gives_lines_without_ends(source: str) -> None:
    assert all(line == line.strip() and line for line in html_text(source).split("\n") if line)

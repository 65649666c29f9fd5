"""Take the pictures of the page for the README: ``python tests/screenshots.py docs``.

They show our own articles only. What a language model would write is scripted, since a picture
of withheld sentences needs one that lies.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from page_server import CORPUS, ScriptedModel, chromium, served
from PIL import Image

from rag import Assistant

ASK = "#question textarea"
VISAS = "How many working holiday visas does Japan issue to South Koreans each year?"
DRAFT = (
    "Japan issues at most 10,000 working holiday visas a year to South Koreans. [1] "
    "In 2024 it issued 9,999 of them, so that the limit was nearly reached. [1] "
)


def ask(page: Any, question: str) -> None:
    before = page.locator(".turn.done").count()
    page.fill(ASK, question)
    page.press(ASK, "Enter")
    page.locator(".turn.done").nth(before).wait_for()


def synced(assistant: Assistant) -> Assistant:
    assistant.sync()
    return assistant


def settle(page: Any) -> None:
    page.wait_for_timeout(400)


def open_first(page: Any) -> None:
    page.locator(".turn").last.locator("button.chip").first.click()
    page.locator("mark.current").wait_for()
    settle(page)


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)

    def take(page: Any, name: str) -> None:
        settle(page)
        with Image.open(io.BytesIO(page.screenshot())) as taken:
            # A palette is a quarter of the size, and no eye sees it on flat colours.
            small = taken.convert("RGB").quantize(96, dither=Image.Dither.NONE)
            small.save(folder / f"page-{name}.png", optimize=True)

    with (
        tempfile.TemporaryDirectory() as scratch,
        chromium() as browser,
        Assistant.open(CORPUS, store=Path(scratch) / "plain") as plain,
        Assistant.open(CORPUS, store=Path(scratch) / "llm", llm=ScriptedModel(DRAFT)) as written,
        served(synced(plain), CORPUS) as address,
        served(synced(written), CORPUS) as with_model,
    ):

        def opened(where: str, size: tuple[int, int], scheme: str = "light") -> Any:
            viewport = {"width": size[0], "height": size[1]}
            context = browser.new_context(viewport=viewport, color_scheme=scheme)
            page = context.new_page()
            page.goto(where)
            page.wait_for_selector(ASK)
            return page

        desktop, phone = (1280, 800), (360, 740)
        page = opened(address, desktop)
        take(page, "empty")
        ask(page, VISAS)
        take(page, "answer")
        open_first(page)
        take(page, "evidence")
        ask(page, "What is the capital of Mongolia?")
        take(page, "no-answer")
        page.get_by_role("tab", name="Articles").click()
        page.locator("table.articles").wait_for()
        take(page, "articles")
        page.get_by_role("tab", name="Settings").click()
        page.locator("#check").click()
        page.locator("#checks li").first.wait_for()
        take(page, "settings")
        page = opened(address, desktop, "dark")
        ask(page, VISAS)
        open_first(page)
        take(page, "dark")
        page = opened(with_model, desktop)
        ask(page, VISAS)
        page.locator("details.withheld summary").click()
        take(page, "withheld")
        page = opened(address, phone)
        take(page, "phone-empty")
        ask(page, VISAS)
        take(page, "phone")
        open_first(page)
        take(page, "phone-evidence")
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Articles").click()
        page.locator("table.articles").wait_for()
        take(page, "phone-articles")
        page = opened(address, (1920, 1080))
        ask(page, VISAS)
        open_first(page)
        take(page, "wide")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

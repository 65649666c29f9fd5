"""The page in a real browser: ask, read, click, see the very words."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_server import CORPUS, ScriptedModel, chromium, served
from playwright.sync_api import expect

from rag import Assistant

VISAS = "How many working holiday visas does Japan issue to South Koreans each year?"
NOTHING = "What is the capital of Mongolia?"
QUESTION = "#question textarea"
ENDED = ".turn.done, .turn.problem"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Assistant, Path, Path]]:
    folder = tmp_path_factory.mktemp("desk")
    corpus = folder / "corpus"
    shutil.copytree(CORPUS, corpus)
    run = folder / "runs" / "sample-1"
    run.mkdir(parents=True)
    (run / "report.html").write_text("<h1>Report</h1><script>document.title='ran'</script>")
    score = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 120}
    (run / "scores.json").write_text(json.dumps({"correct": score}))
    with Assistant.open(corpus, store=folder / "store") as assistant:
        assistant.sync()
        yield assistant, corpus, run.parent


@pytest.fixture(scope="module")
def address(browser: Any, desk: tuple[Assistant, Path, Path]) -> Iterator[str]:
    assistant, corpus, runs = desk
    with served(assistant, corpus, runs=runs) as found:
        yield found


@pytest.fixture(scope="module")
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture(scope="module")
def written(
    browser: Any, model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    store = tmp_path_factory.mktemp("written")
    with (
        Assistant.open(CORPUS, store=store, llm=model) as assistant,
        served(assistant, CORPUS) as found,
    ):
        yield found


_LEFT = re.compile(r"^AbortError|Connection errored out")


class Reader:
    """A reader at the page, who notices errors in the console."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector(QUESTION)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def ask(self, question: str) -> Any:
        """Ask, and return the newest turn once it is whole."""
        before = self.page.locator(ENDED).count()
        self.page.fill(QUESTION, question)
        self.page.press(QUESTION, "Enter")
        expect(self.page.locator(ENDED)).to_have_count(before + 1, timeout=20_000)
        return self.page.locator(".turn").last

    def reload(self) -> None:
        """Load the page anew; that the one that is left loses its connections is no fault."""
        before = len(self.errors)
        self.page.reload()
        self.page.wait_for_selector(QUESTION)
        new = [error for error in self.errors[before:] if not _LEFT.search(error)]
        self.errors[before:] = new

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()


@pytest.fixture
def reader(browser: Any, address: str) -> Iterator[Reader]:
    found = Reader(browser, address)
    yield found
    errors = list(found.errors)
    found.context.close()
    assert not errors


def quote_of(desk: tuple[Assistant, Path, Path], chip: Any) -> str:
    return desk[0].citation(chip.get_attribute("value")).quote


def test_chip_when_clicked_highlights_the_very_quote(
    reader: Reader, desk: tuple[Assistant, Path, Path]
) -> None:
    turn = reader.ask(VISAS)
    assert "10,000" in turn.inner_text()
    chips = turn.locator("button.chip")
    assert chips.count() >= 2
    for number in range(chips.count()):
        chip = chips.nth(number)
        chip.click()
        current = reader.page.locator(f"mark.current[data-label='{chip.get_attribute('name')}']")
        current.wait_for()
        assert current.inner_text() == quote_of(desk, chip)
        assert current.is_visible()
    assert re.search(r"Bureau|Desk|Wire", reader.page.locator("#evidence .byline").inner_text())


def test_keys_in_the_pane_walk_through_the_citations_and_return_to_the_chip(
    reader: Reader, desk: tuple[Assistant, Path, Path]
) -> None:
    chips = reader.ask(VISAS).locator("button.chip")
    chips.first.focus()
    reader.page.keyboard.press("Enter")
    where = reader.page.locator("#evidence .where")
    expect(where).to_have_text(f"Citation 1 of {chips.count()}")
    reader.page.keyboard.press("n")
    expect(where).to_have_text(f"Citation 2 of {chips.count()}")
    current = reader.page.locator("mark.current")
    assert current.inner_text() == quote_of(desk, chips.nth(1))
    reader.page.keyboard.press("ArrowLeft")
    expect(where).to_have_text(f"Citation 1 of {chips.count()}")
    reader.page.keyboard.press("Escape")
    expect(reader.page.locator("#evidence")).to_be_hidden()
    expect(chips.first).to_be_focused()


def test_question_without_an_answer_shows_a_calm_card_with_the_nearest(reader: Reader) -> None:
    turn = reader.ask(NOTHING)
    card = turn.locator(".abstention")
    assert "No answer" in card.locator("h3").inner_text()
    assert card.locator("button.chip").count() >= 1
    assert not turn.locator("p.sentence").count()


def test_follow_up_is_asked_as_what_it_stands_for(reader: Reader) -> None:
    reader.ask("What did Shigeru Ishiba announce on 7 September?")
    turn = reader.ask("When did he announce it?")
    assert "Shigeru Ishiba" in turn.locator(".foot em").inner_text()


def test_filters_narrow_the_search_and_show_in_the_answer(reader: Reader) -> None:
    reader.page.locator("#filters > button").click()
    reader.page.locator("#since input").fill("2025-09-01")
    expect(reader.page.locator("#filters > button")).to_contain_text("2025-09-01")
    turn = reader.ask("What did Ishiba announce?")
    assert "from 2025-09-01" in turn.locator(".foot").inner_text()
    for chip in turn.locator("button.chip").all():
        assert chip.get_attribute("value") >= "2025-09-01"
    reader.page.locator("#publisher input").click()
    reader.page.get_by_role("option", name="Dateline Wire").click()
    turn = reader.ask("What did Ishiba announce?")
    assert "No article from that time" in turn.inner_text()
    reader.page.locator("#clear-filters").click()
    expect(reader.page.locator("#filters > button")).to_contain_text("none")


def test_conversation_outlives_a_reload_and_can_be_left_and_reopened(reader: Reader) -> None:
    reader.ask(VISAS)
    reader.reload()
    expect(reader.page.locator(".turn.done")).to_have_count(1)
    assert "10,000" in reader.page.locator(".turn").inner_text()
    reader.page.locator("button.chip").first.click()
    reader.page.locator("mark.current").wait_for()
    reader.page.locator("#fresh").click()
    expect(reader.page.locator(".turn")).to_have_count(0)
    assert reader.page.locator(".welcome").is_visible()
    reader.page.locator("#earlier input").click()
    reader.page.get_by_role("option").first.click()
    expect(reader.page.locator(".turn.done")).to_have_count(1)
    reader.page.locator("#edit").click()
    expect(reader.page.locator(QUESTION)).to_have_value(VISAS)
    expect(reader.page.locator(".turn")).to_have_count(0)


def test_retry_asks_the_last_question_again_in_its_place(reader: Reader) -> None:
    reader.ask(VISAS)
    reader.page.locator("#retry").click()
    expect(reader.page.locator("#chat .asked")).to_have_count(1)
    expect(reader.page.locator(".turn.done")).to_have_count(1)


def test_copy_gives_markdown_with_footnotes(browser: Any, address: str) -> None:
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    reader = Reader(browser, address, **allowed)
    turn = reader.ask(VISAS)
    turn.locator("button.copy").click()
    expect(turn.locator("button.copy")).to_have_text("Copied")
    text = reader.page.evaluate("navigator.clipboard.readText()")
    assert "[^1]: **" in text
    assert "10,000" in text
    assert text.count("\n\n") >= 2
    reader.context.close()
    assert not reader.errors


def test_example_question_of_the_empty_page_is_asked_when_clicked(reader: Reader) -> None:
    reader.page.locator("#chat .example").first.click()
    expect(reader.page.locator(".turn.done")).to_have_count(1, timeout=20_000)
    assert "10,000" in reader.page.locator(".turn").inner_text()


def test_uploaded_article_answers_until_it_is_removed(
    reader: Reader, desk: tuple[Assistant, Path, Path], tmp_path: Path
) -> None:
    article = tmp_path / "harbour.md"
    article.write_text(
        "---\ntitle: Ferries return to Mokpo\npublisher: Harbour Gazette\n"
        "date: 2025-09-20\n---\n\nThe Mokpo ferry carried 431 passengers on its first day.\n"
    )
    reader.open_tab("Articles")
    reader.page.locator("table.articles").wait_for()
    reader.page.locator("#upload input[type=file]").set_input_files(article)
    expect(reader.page.locator("#sync-report")).to_contain_text("1 added")
    expect(reader.page.locator("#held")).to_contain_text("17 articles")
    reader.page.locator("#article-search input").fill("mokpo")
    expect(reader.page.locator("table.articles tbody tr")).to_have_count(1)
    reader.page.locator("button.open").click()
    expect(reader.page.locator("#evidence h2")).to_have_text("Ferries return to Mokpo")
    reader.open_tab("Ask")
    asked = "How many passengers did the Mokpo ferry carry on its first day?"
    assert "431" in reader.ask(asked).locator("p.sentence").first.inner_text()
    reader.open_tab("Articles")
    reader.page.locator("#uploaded input").click()
    reader.page.get_by_role("option", name="harbour.md").click()
    reader.page.keyboard.press("Escape")
    reader.page.locator("#remove").click()
    reader.page.locator("#sure").click()
    expect(reader.page.locator("#sync-report")).to_contain_text("1 removed")
    assert not (desk[1] / "uploads" / "harbour.md").exists()
    reader.open_tab("Ask")
    assert "431" not in reader.ask(asked).inner_text()


def test_articles_sort_by_the_chosen_order(reader: Reader) -> None:
    reader.open_tab("Articles")
    rows = reader.page.locator("table.articles tbody tr")
    expect(rows.first).to_contain_text("1 Oct 2025")
    reader.page.locator("#article-sort input").click()
    reader.page.get_by_role("option", name="Oldest first").click()
    expect(rows.first).to_contain_text("22 Jun 2025")


def test_evaluation_and_settings_show_the_newest_report_and_health(reader: Reader) -> None:
    reader.open_tab("Evaluation")
    expect(reader.page.locator("table.figures")).to_contain_text("0.900")
    link = reader.page.locator("a.full").get_attribute("href")
    assert link == "reports/sample-1/report.html"
    reader.open_tab("Settings")
    expect(reader.page.locator("#status")).to_contain_text("Embedding model")
    reader.page.locator("#check").click()
    expect(reader.page.locator("#checks li").first).to_be_visible()
    assert not reader.page.locator("#pane").is_visible()


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1920, 1080)])
def test_page_of_any_width_never_scrolls_sideways(
    browser: Any, address: str, width: int, height: int
) -> None:
    reader = Reader(browser, address, viewport={"width": width, "height": height})
    reader.ask(VISAS)
    reader.page.locator("button.chip").first.click()
    mark = reader.page.locator("mark.current")
    mark.wait_for()
    box = mark.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert 0 <= box["y"] < height
    reader.page.keyboard.press("Escape")
    for tab in ("Articles", "Ask"):
        reader.open_tab(tab)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    assert reader.page.evaluate("document.documentElement.scrollHeight") <= height + 1
    reader.context.close()
    assert not reader.errors


CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const seen = e.checkVisibility({ opacityProperty: true }) && e.getClientRects().length;
    if (!own || !seen) continue;
    const style = getComputedStyle(e);
    if (style.clipPath !== "none") continue;
    const [a, b] = [light(parse(style.color)), light(ground(e))].sort((x, y) => y - x);
    let opacity = 1;
    for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
    const ratio = ((a + 0.05) / (b + 0.05)) * opacity;
    if (ratio < 4.5) bad.push(`${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 30)} `
      + ratio.toFixed(2));
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_in_either_theme_has_contrast_of_aa(browser: Any, address: str, scheme: Any) -> None:
    reader = Reader(browser, address, color_scheme=scheme)
    assert reader.page.evaluate(CONTRAST) == []
    reader.ask(VISAS)
    reader.ask(NOTHING)
    reader.page.locator("button.chip").first.click()
    reader.page.locator("mark.current").wait_for()
    assert reader.page.evaluate(CONTRAST) == []
    for tab, shown in (("Articles", "table.articles"), ("Evaluation", "table.figures")):
        reader.open_tab(tab)
        reader.page.locator(shown).wait_for()
        assert reader.page.evaluate(CONTRAST) == []
    reader.context.close()
    assert not reader.errors


def test_chosen_theme_is_kept_over_a_reload(reader: Reader) -> None:
    dark = "document.body.classList.contains('dark')"
    assert not reader.page.evaluate(dark)
    reader.page.locator("button.theme").click()
    assert reader.page.evaluate(dark)
    reader.reload()
    assert reader.page.evaluate(dark)


TRUE = "Japan issues at most 10,000 working holiday visas a year to South Koreans. [1] "
FALSE = "Japan issues at most 90,000 working holiday visas a year to South Koreans. [1] "


def test_sentences_of_a_model_are_shown_as_they_come_and_lies_withheld(
    browser: Any, written: str, model: ScriptedModel
) -> None:
    model.text = f"{TRUE}{FALSE[:20]}|{FALSE[20:]}"
    model.go.clear()
    reader = Reader(browser, written)
    reader.page.fill(QUESTION, VISAS)
    reader.page.press(QUESTION, "Enter")
    first = reader.page.locator(".turn.coming p.sentence")
    expect(first).to_have_count(1)
    assert "10,000" in first.inner_text()
    assert reader.page.locator("#stop").is_visible()
    model.go.set()
    turn = reader.page.locator(".turn.done")
    turn.wait_for()
    assert "90,000" not in turn.locator("p.sentence").all_inner_texts()[0]
    assert turn.locator("p.sentence").count() == 1
    fold = turn.locator("details.withheld")
    assert "1 sentence withheld" in fold.locator("summary").inner_text()
    fold.locator("summary").click()
    assert "90,000" in fold.locator("li").inner_text()
    assert "scripted" in turn.locator(".foot").inner_text()
    assert reader.page.locator("#send").is_visible()
    reader.context.close()
    assert not reader.errors


def test_stop_ends_an_answer_and_leaves_the_conversation_before_it(
    browser: Any, written: str, model: ScriptedModel
) -> None:
    model.text = f"{TRUE}{FALSE[:20]}|{FALSE[20:]}"
    model.go.clear()
    reader = Reader(browser, written)
    reader.page.fill(QUESTION, VISAS)
    reader.page.press(QUESTION, "Enter")
    reader.page.locator(".turn.coming p.sentence").wait_for()
    reader.page.locator("#stop").click()
    expect(reader.page.locator("#send")).to_be_visible()
    expect(reader.page.locator(".turn")).to_have_count(0)
    # The model has not noticed yet that nobody listens; the next question doesn't wait for it.
    model.text = TRUE
    assert "10,000" in reader.ask(VISAS).inner_text()
    model.go.set()
    reader.page.wait_for_timeout(300)
    expect(reader.page.locator(".turn")).to_have_count(1)
    reader.context.close()
    assert not reader.errors

"""Markup in articles, titles, questions and model output: shown as text, and nothing is fetched."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_server import Canary, ScriptedModel, chromium, served
from playwright.sync_api import expect

from rag import Assistant
from ui.markup import ascii_host, foreign, printable, quote_link, web_link

QUESTION = "#question textarea"


# The kinds of ../shared/threats.md; HOST is the canary.
PAYLOADS = (
    "![x](http://HOST/md-image)",
    "![x][ref]\n\n[ref]: http://HOST/md-reference",
    "<img src=http://HOST/img>",
    "<svg><image href=http://HOST/svg-image /></svg>",
    "<p style=\"background:url('http://HOST/style')\">x</p>",
    "<video src=http://HOST/video autoplay></video>",
    "<video poster=http://HOST/poster></video>",
    "<audio src=http://HOST/audio autoplay></audio>",
    "<picture><source srcset=http://HOST/picture><img alt=x></picture>",
    "<input type=image src=http://HOST/input>",
    "<script>fetch('http://HOST/script')</script>",
    "<script src=http://HOST/script-src></script>",
    "<img src=x onerror=\"fetch('http://HOST/onerror')\">",
    "<details open ontoggle=\"fetch('http://HOST/ontoggle')\">x</details>",
    "<iframe src=http://HOST/iframe></iframe>",
    "<object data=http://HOST/object></object>",
    "<embed src=http://HOST/embed>",
    "<link rel=stylesheet href=http://HOST/link>",
    "<style>@import url(http://HOST/import);</style>",
    '<meta http-equiv=refresh content="0;url=http://HOST/meta">',
    "<base href=http://HOST/base/><img src=base>",
    "[x](javascript:fetch('http://HOST/javascript'))",
    "<a href=\"javascript:fetch('http://HOST/a-javascript')\" autofocus onfocus=this.click()>x</a>",
)


def test_payloads_are_twenty_three() -> None:
    assert len(PAYLOADS) == 23


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as found:
        yield found


@pytest.fixture(scope="module")
def payloads(canary: Canary) -> list[str]:
    return [payload.replace("HOST", canary.address) for payload in PAYLOADS]


@pytest.fixture(scope="module")
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture(scope="module")
def address(
    payloads: list[str], model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hostile")
    corpus = folder / "corpus"
    corpus.mkdir()
    lines = [
        {
            "id": f"hostile-{number} {payload[:60]}",
            "title": f"Ferry {number} {payload}",
            "text": f"The ferry number {number} carried {payload} 431 passengers. {payload}",
            "publisher": f"Gazette {payload}"[:100],
            "published": "2025-09-20",
            "url": f"https://news.example/{number}?{payload}",
        }
        for number, payload in enumerate(payloads)
    ]
    (corpus / "hostile.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    with Assistant.open(corpus, store=folder / "store", llm=model) as assistant:
        assistant.sync()
        with served(assistant, corpus) as found:
            yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_no_markup_from_anywhere_runs_or_fetches(
    browser: Any, address: str, canary: Canary, model: ScriptedModel, payloads: list[str]
) -> None:
    outside: list[str] = []
    dialogs: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.on("request", lambda r: outside.append(r.url) if canary.address in r.url else None)
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    page.wait_for_selector(QUESTION)
    shown = 0
    for number, payload in enumerate(payloads):
        # The model repeats what the article says, markup and all, and adds a lie with the same.
        model.text = (
            f"The ferry number {number} carried {payload} 431 passengers. [1] "
            f"In 1999 {payload} it sank. [1]"
        )
        page.fill(QUESTION, f"How many passengers did ferry number {number} carry? {payload}")
        page.press(QUESTION, "Enter")
        expect(page.locator(".turn.done, .turn.problem")).to_have_count(number + 1)
        chip = page.locator(".turn").last.locator("button.chip")
        if chip.count():
            chip.first.click()
            page.locator("mark.current").first.wait_for()
            shown += 1
        for fold in page.locator(".turn").last.locator("summary").all():
            fold.click()
    assert shown >= 15
    page.get_by_role("tab", name="Articles").click()
    page.locator("table.articles").wait_for()
    page.locator("button.open").first.click()
    page.get_by_role("tab", name="Settings").click()
    page.locator("#status dl").wait_for()
    page.reload()
    expect(page.locator(".turn.done, .turn.problem")).to_have_count(len(payloads))
    page.wait_for_timeout(300)
    assert page.url.startswith(address)
    foreign_elements = "img, svg image, video, audio, picture, iframe, object, embed, form, base"
    for pane in ("#chat", "#evidence", "#article-list"):
        assert page.locator(f"{pane} :is({foreign_elements})").count() == 0
    for link in page.locator("#chat a, #evidence a, #article-list a").all():
        assert link.get_attribute("href").startswith(("http://", "https://"))
    page.close()
    assert not canary.hits
    assert not outside
    assert not dialogs


def test_canary_when_fetched_is_heard(canary: Canary, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"http://{canary.address}/heard")
    page.close()
    assert "/heard" in canary.hits
    canary.hits.clear()


def test_injected_markup_would_be_stopped_by_the_policy_alone(
    browser: Any, address: str, canary: Canary, payloads: list[str]
) -> None:
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector(QUESTION)
    # As if every gate before the policy had failed. A page that leaves (refresh, javascript:
    # links that are clicked) is not for the policy to stop, and Markdown is no HTML.
    for payload in payloads:
        if not payload.startswith(("<meta", "!", "[")):
            page.evaluate(
                "(markup) => { const box = document.createElement('div');"
                " document.body.append(box); box.innerHTML = markup; }",
                payload,
            )
    page.wait_for_timeout(500)
    assert page.url.startswith(address)
    page.close()
    assert not canary.hits


@given(st.text(max_size=200))
def test_foreign_text_comes_back_as_it_was_and_starts_no_markup(text: str) -> None:
    made = foreign(text)
    assert html.unescape(made) == printable(text)
    assert not set('<>"`*_[]!|~\\$:^{}=#&@+') & set(re.sub(r"&#\d+;", "", made))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//host/x",
        "https://",
        "http://[::1",
        "ftp://host/x",
        "https://host/\u202ex",
        "https://a b/",
        "",
        None,
    ],
)
def test_link_that_is_not_http_with_a_host_is_none(url: str | None) -> None:
    assert web_link(url) is None
    assert quote_link(url, "Some words.") is None


def test_host_of_a_link_is_shown_in_ascii() -> None:
    assert ascii_host("https://аpple.example/") == "xn--pple-43d.example"


def test_quote_link_names_a_short_quote_whole_and_a_long_one_by_its_ends() -> None:
    link = quote_link("https://news.example/a", "Ten-year plan, & more.")
    assert link == "https://news.example/a#:~:text=Ten%2Dyear%20plan%2C%20%26%20more."
    long = quote_link("https://news.example/a#b", " ".join(f"w{n}" for n in range(40)))
    assert long == (
        "https://news.example/a#b:~:text=w0%20w1%20w2%20w3%20w4%20w5,w34%20w35%20w36%20w37%20w38%20w39"
    )

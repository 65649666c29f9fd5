// What the widgets can't do: open a quote in its article, walk through the quotes by keyboard,
// copy, and keep the choice of light or dark. Everything foreign is set as text, never as markup.
"use strict";

(() => {
  const THEME = "dateline.theme";
  const WIDE = window.matchMedia("(min-width: 1100px)");

  // --- light or dark ---------------------------------------------------------------------------

  function kept(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  const chosen = kept(THEME);
  if (chosen === "dark" || chosen === "light") {
    // Gradio reads the theme from the address when it starts.
    const url = new URL(location.href);
    url.searchParams.set("__theme", chosen);
    history.replaceState(null, "", url);
    window.addEventListener("load", () => {
      setTimeout(() => {
        url.searchParams.delete("__theme");
        history.replaceState(null, "", url);
      }, 2000);
    });
  }

  function switchTheme() {
    const dark = document.body.classList.toggle("dark");
    try {
      localStorage.setItem(THEME, dark ? "dark" : "light");
    } catch {
      // A browser that stores nothing keeps the choice until the page closes.
    }
  }

  // --- the evidence pane -----------------------------------------------------------------------

  const pane = { box: null, quotes: [], at: -1, opener: null, request: 0 };

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function paneBox() {
    if (pane.box && pane.box.isConnected) return pane.box;
    const column = document.getElementById("pane");
    if (!column) return null;
    pane.box = element("aside", "evidence");
    pane.box.id = "evidence";
    pane.box.hidden = true;
    pane.box.setAttribute("aria-label", "Evidence");
    column.append(pane.box);
    return pane.box;
  }

  function quotesBeside(button) {
    const turn = button.closest(".turn");
    const found = new Map();
    for (const chip of turn ? turn.querySelectorAll("button.chip") : [button]) {
      if (!found.has(chip.value)) found.set(chip.value, { label: chip.name, address: chip.value });
    }
    return [...found.values()];
  }

  function markChips() {
    const shown = pane.at >= 0 ? pane.quotes[pane.at].address : null;
    for (const chip of document.querySelectorAll("button.chip")) {
      const here = chip.value === shown && pane.opener && sameTurn(chip, pane.opener);
      chip.classList.toggle("shown", Boolean(here));
    }
  }

  function sameTurn(one, other) {
    return one.closest(".turn") === other.closest(".turn");
  }

  async function openQuote(index) {
    pane.at = index;
    markChips();
    const query = new URLSearchParams({ at: pane.quotes[index].address });
    for (const quote of pane.quotes.slice(0, 24)) {
      query.append("mark", `${quote.label}|${quote.address}`);
    }
    await show(`evidence?${query}`);
  }

  async function show(path) {
    const request = ++pane.request;
    let evidence;
    try {
      const response = await fetch(path);
      evidence = await response.json();
      if (!response.ok) evidence = { error: evidence.error || "This article can’t be opened." };
    } catch {
      evidence = { error: "The server doesn’t answer. Is it still running?" };
    }
    if (request === pane.request) build(evidence);
  }

  function build(evidence) {
    const box = paneBox();
    if (!box) return;
    box.replaceChildren(top(evidence), body(evidence));
    box.hidden = false;
    document.body.classList.add("evidence-open");
    const main = document.getElementById("main");
    if (main) main.inert = !WIDE.matches;
    const mark = box.querySelector("mark.current");
    // Only the pane scrolls: the chat beside it stays where it is.
    const column = box.parentElement;
    const above = mark ? mark.getBoundingClientRect().top - column.getBoundingClientRect().top : 0;
    column.scrollTop = mark ? column.scrollTop + above - column.clientHeight / 3 : 0;
    box.querySelector("h2").focus({ preventScroll: true });
  }

  function bar(evidence) {
    const head = element("div", "bar");
    const many = pane.quotes.length;
    if (many > 1 && pane.at >= 0) {
      const before = button("‹", "Previous citation", () => step(-1));
      const after = button("›", "Next citation", () => step(1));
      const where = element("span", "where", `Citation ${pane.at + 1} of ${many}`);
      head.append(before, where, after);
    } else {
      head.append(element("span", "where", evidence.label ? "Citation" : "Article"));
    }
    head.append(button("×", "Close the evidence", close));
    return head;
  }

  function button(text, label, act) {
    const made = element("button", "", text);
    made.type = "button";
    made.title = label;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  function top(evidence) {
    const head = element("div", "top");
    const title = element("h2", "title", evidence.error ? "Not found" : evidence.title);
    title.tabIndex = -1;
    head.append(bar(evidence), title);
    const byline = [evidence.publisher, longDay(evidence.published)].filter(Boolean).join(", ");
    if (byline) head.append(element("p", "byline", byline));
    if (evidence.link) {
      const line = element("p", "source");
      const link = element("a", "", evidence.quote ? "See the quote at " : "Read it at ");
      link.append(element("strong", "", evidence.host || "its publisher"));
      link.href = evidence.link;
      link.target = "_blank";
      link.rel = "noopener noreferrer nofollow";
      line.append(link);
      head.append(line);
    }
    return head;
  }

  function body(evidence) {
    const told = element("div", "body");
    if (evidence.error) {
      told.append(element("p", "", evidence.error));
      return told;
    }
    for (const pieces of evidence.paragraphs) {
      const paragraph = element("p", "text");
      for (const piece of pieces) {
        if (!piece.labels.length) {
          paragraph.append(piece.text);
          continue;
        }
        const current = piece.labels.includes(evidence.label);
        const mark = element("mark", current ? "current" : "other", piece.text);
        mark.dataset.label = piece.labels.join(" ");
        paragraph.append(mark);
      }
      told.append(paragraph);
    }
    return told;
  }

  function longDay(text) {
    if (!text) return "";
    const [year, month, day] = text.split("-").map(Number);
    const value = new Date(Date.UTC(year, month - 1, day));
    const style = { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
    return value.toLocaleDateString("en-GB", style);
  }

  function step(by) {
    const many = pane.quotes.length;
    if (many > 1 && pane.at >= 0) openQuote((pane.at + by + many) % many);
  }

  function close() {
    document.body.classList.remove("evidence-open");
    pane.request += 1;
    pane.at = -1;
    markChips();
    if (pane.box) pane.box.hidden = true;
    const main = document.getElementById("main");
    if (main) main.inert = false;
    if (pane.opener && pane.opener.isConnected) pane.opener.focus();
  }

  // --- copying ---------------------------------------------------------------------------------

  async function copy(button) {
    const source = button.parentElement.querySelector(".markdown");
    const text = source ? source.textContent : "";
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard, but a selection can be copied.
      const area = element("textarea", "unseen");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    const before = button.textContent;
    button.textContent = done ? "Copied" : "Can’t copy here";
    setTimeout(() => (button.textContent = before), 1600);
  }

  // --- clicks and keys -------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest && event.target.closest("button");
    if (!pressed) return;
    if (pressed.matches("button.chip") && pressed.value) {
      pane.opener = pressed;
      pane.quotes = quotesBeside(pressed);
      openQuote(pane.quotes.findIndex((quote) => quote.address === pressed.value));
    } else if (pressed.matches("#article-list button.open")) {
      pane.opener = pressed;
      pane.quotes = [];
      pane.at = -1;
      markChips();
      show(`article?${new URLSearchParams({ id: pressed.value })}`);
    } else if (pressed.matches("button.copy")) {
      copy(pressed);
    } else if (pressed.matches("button.theme")) {
      switchTheme();
    }
  });

  document.addEventListener("keydown", (event) => {
    const open = document.body.classList.contains("evidence-open");
    if (!open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      close();
      return;
    }
    // Letters count only inside the pane, so that they never get in the way of typing.
    if (!pane.box || !pane.box.contains(document.activeElement)) return;
    const by = { n: 1, j: 1, ArrowRight: 1, p: -1, k: -1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    }
  });

  WIDE.addEventListener("change", () => {
    const main = document.getElementById("main");
    if (main) main.inert = !WIDE.matches && document.body.classList.contains("evidence-open");
  });

  // --- what the widgets get wrong --------------------------------------------------------------

  const DATES = "#since input, #until input";

  let asked = 0;

  function scrollToNewest() {
    // A new question goes to the top of the chat, so that its answer is read from its beginning.
    const questions = document.querySelectorAll("#chat .asked");
    const newest = questions[questions.length - 1];
    if (questions.length > asked && newest) {
      const scroller = newest.closest(".panel-wrap, .bubble-wrap");
      const row = newest.closest(".message-row");
      if (scroller && row) {
        const above = row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
        scroller.scrollTop += above;
      }
    }
    asked = questions.length;
  }

  function mend() {
    scrollToNewest();
    for (const field of document.querySelectorAll(DATES)) {
      if (field.type !== "date") field.type = "date";
    }
    // The chat names each message by its source text, which a screen reader would read out.
    for (const message of document.querySelectorAll("#chat [aria-label*=\"'s message\"]")) {
      message.removeAttribute("aria-label");
    }
    const tab = document.querySelector("#tabs button[role=tab][aria-selected=true]");
    if (tab) document.body.dataset.tab = tab.textContent.trim().toLowerCase();
    for (const chip of document.querySelectorAll("button.chip:not([aria-label])")) {
      const byline = chip.querySelector(".byline");
      const source = [chip.title, byline ? byline.textContent : ""].filter(Boolean).join(", ");
      chip.setAttribute("aria-label", `Citation ${chip.name}: ${source}`);
    }
  }

  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      mend();
    });
  }).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributeFilter: ["aria-selected"],
  });
})();

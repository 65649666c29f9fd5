"""Measure the page: its start, the wait for a first sentence, and many readers at once.

::

    python -m eval.bench_page start            seconds from the command to a page that can be used
    python -m eval.bench_page sentence         milliseconds from Enter to the first sentence
    python -m eval.bench_page load             200 clients for 60 s, each with an address of its own

Everything stays on this machine: the clients use addresses 127.0.1.1 to 127.0.1.200. `load` has
two kinds of clients: readers, who read for a while before they ask again, and with ``--hammer``
clients that ask again at once, so that the queue is always full.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
QUESTIONS = ROOT / "eval" / "questions" / "summit.jsonl"
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def page(store: Path) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """Start the page as a user does; yield its process, its address and when it was started."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "app.py"), "--corpus", str(ROOT / "corpus")]
    server = subprocess.Popen(
        [*command, "--store", str(store), "--port", "0", "--runs", str(store / "runs")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"the page did not start: {line!r}")
        yield server, line.split("at ", 1)[1].split()[0], began
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def browser_page(address: str) -> Iterator[Any]:
    """Open the page in Chromium and wait until a question can be typed."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium on the PATH; install Debian's package")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        opened = browser.new_page()
        opened.goto(address)
        opened.wait_for_selector("#question textarea")
        yield opened
        browser.close()


def questions(limit: int) -> list[str]:
    """Return standalone questions of the summit set, the first `limit`."""
    lines = QUESTIONS.read_text("utf-8").splitlines()[1:]
    asked = [json.loads(line) for line in lines]
    return [one["question"] for one in asked if not one.get("history")][:limit]


def measure_start(folder: Path) -> dict[str, float]:
    """Return seconds until the page can be used: the first time, and with a synced store."""
    found = {}
    for name in ("first_start_seconds", "next_start_seconds"):
        with page(folder / "store") as (_, address, began), browser_page(address):
            found[name] = time.perf_counter() - began
    return found


def measure_sentence(folder: Path, count: int) -> dict[str, float]:
    """Return milliseconds from Enter to the first sentence or the card of an abstention."""
    waits = []
    with page(folder / "store") as (_, address, _began), browser_page(address) as opened:
        box = "#question textarea"
        for number, question in enumerate(["Warm up?", *questions(count)]):
            # A wait inside the page, so that no round trip of the driver is counted.
            opened.fill(box, question)
            opened.evaluate(
                """() => {
                  const count = () => document.querySelectorAll(
                    "#chat .turn :is(p.sentence, .abstention), #chat .turn.problem").length;
                  const before = count();
                  const began = performance.now();
                  window.waited = new Promise((done) => {
                    const look = () => count() > before ? done(performance.now() - began)
                      : requestAnimationFrame(look);
                    look();
                  });
                }"""
            )
            opened.press(box, "Enter")
            waited = opened.evaluate("() => window.waited")
            opened.wait_for_timeout(150)
            if number:
                waits.append(waited)
            if number % 10 == 9:
                opened.locator("#fresh").click()
                opened.wait_for_selector(".welcome")
    return {f"p{share}_ms": percentile(waits, share) for share in (50, 95)} | {"n": len(waits)}


@dataclass
class Tally:
    """What became of the questions of all clients."""

    waits: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


async def ask(address: str, question: str, source: str) -> str:
    """Ask over HTTP as one client; return ``answered``, ``busy``, ``lost`` or ``error``."""
    body = json.dumps({"question": question}).encode()
    told = await _send(address, source, "POST", "/gradio_api/call/v2/ask", body)
    status = told.split(b" ", 2)[1] if told else b""
    if status in (b"503", b"429"):
        return "busy"
    if status != b"200":
        return "error"
    event = json.loads(told.split(b"\r\n\r\n", 1)[1])["event_id"]
    told = await _send(address, source, "GET", f"/gradio_api/call/ask/{event}", b"")
    if b"event: complete" in told:
        return "answered"
    return "busy" if b"busy" in told else "lost"


async def _send(address: str, source: str, method: str, path: str, body: bytes) -> bytes:
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port, local_addr=(source, 0)
    )
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 60)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.close()


async def client(
    address: str, number: int, asked: Sequence[str], until: float, pause: float, tally: Tally
) -> None:
    """Ask, read for about `pause` seconds, ask again."""
    choose = random.Random(number)
    source = f"127.0.1.{1 + number % 250}"
    await asyncio.sleep(choose.random() * pause)
    while time.perf_counter() < until:
        began = time.perf_counter()
        outcome = await ask(address, choose.choice(asked), source)
        tally.outcomes[outcome] += 1
        if outcome == "answered":
            tally.waits.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(choose.expovariate(1 / pause))


def measure_load(folder: Path, clients: int, seconds: float, pause: float) -> dict[str, Any]:
    """Return the waits of one client alone and of many, what was refused, and memory."""
    asked = questions(60)
    with page(folder / "store") as (server, address, _):
        alone = Tally()
        asyncio.run(_alone(address, asked, alone))
        before, busy = resident_megabytes(server.pid), processor_seconds(server.pid)
        many = Tally()
        asyncio.run(_many(address, asked, clients, seconds, pause, many))
        after, busy = resident_megabytes(server.pid), processor_seconds(server.pid) - busy
    solo, loaded = percentile(alone.waits, 95), percentile(many.waits, 95)
    return {
        "clients": clients,
        "seconds": seconds,
        "mean_pause_seconds": pause,
        "solo_p50_ms": percentile(alone.waits, 50),
        "solo_p95_ms": solo,
        "p50_ms": percentile(many.waits, 50),
        "p95_ms": loaded,
        "p95_ratio": loaded / solo,
        "answered_per_second": many.outcomes["answered"] / seconds,
        **{name: many.outcomes[name] for name in ("answered", "busy", "lost", "error")},
        "processor_ms_per_answer": 1000 * busy / max(1, many.outcomes["answered"]),
        "megabytes_before": before,
        "megabytes_grown": after - before,
    }


async def _alone(address: str, asked: Sequence[str], tally: Tally) -> None:
    for question in asked:
        began = time.perf_counter()
        outcome = await ask(address, question, "127.0.1.251")
        # Slow enough for the bucket of one address.
        if outcome == "answered":
            tally.waits.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.6 if len(tally.waits) > 15 else 0.1)


async def _many(
    address: str, asked: Sequence[str], clients: int, seconds: float, pause: float, tally: Tally
) -> None:
    until = time.perf_counter() + seconds
    await asyncio.gather(*(client(address, n, asked, until, pause, tally) for n in range(clients)))


def resident_megabytes(process: int) -> float:
    """Return the resident memory of a process, in MB (Linux)."""
    status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1000


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, in seconds (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: int) -> float:
    """Return a percentile of values; NaN without any."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def main() -> int:
    """Run one measurement and print it as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("start", "sentence", "load"))
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=30.0, help="Mean seconds of reading.")
    parser.add_argument("--hammer", action="store_true", help="Clients hardly pause at all.")
    parser.add_argument("--questions", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if given.what == "start":
            found: dict[str, Any] = measure_start(place)
        elif given.what == "sentence":
            found = dict(measure_sentence(place, given.questions))
        else:
            pause = 0.5 if given.hammer else given.pause
            found = measure_load(place, given.clients, given.seconds, pause)
    shown = {k: round(v, 2) if isinstance(v, float) else v for k, v in found.items()}
    print(json.dumps(shown, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

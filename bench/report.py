"""python -m bench.report: how large the report is, and how soon a browser has drawn it.

Two captures are made: one connection with as many segments of data and ACKs as are asked for, at times and with windows
that repeat nothing; and many small connections.  Chromium opens each page from a file, several times, the network off.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.generator import make
from bench.workloads import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FIGURES = re.compile(r"(<!-- generated: report-figures -->\n).*?(<!-- end -->)", re.DOTALL)
MSS, START = 1448, 1_700_000_000
SYN, ACK, PSH, FIN = 2, 16, 8, 1
FLAGS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]


class Page(NamedTuple):
    """A page and what it is about."""

    name: str
    path: Path
    made_s: float
    ready: str  # what is true when it can be used, in JavaScript


def main() -> None:
    """Make the pages, open them, tell the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--points", type=int, default=200_000, help="segments of data; there are as many ACKs")
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=HERE / "work")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--markdown", type=Path, help="write the table into this file, at its mark for it")
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    rows = [["page", "MB", "made, CPU s", "loaded ms", "ready ms", "heap MB", "zoom ms", "filter ms"]]
    rows += [
        [page.name, f"{page.path.stat().st_size / 1e6:.2f}", f"{page.made_s:.1f}", *opened(page, asked)]
        for page in pages(asked)
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
    text = "\n".join(lines)
    print(text)
    if asked.markdown:
        old = asked.markdown.read_text("utf-8")
        asked.markdown.write_text(FIGURES.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), "utf-8")


def pages(asked: argparse.Namespace) -> Iterator[Page]:
    """The captures, and what the command makes of them."""
    drawn = "!!document.querySelector('.graphs[data-ready]')"
    listed = "document.querySelectorAll('table.connections tbody tr').length === 100"
    one = asked.folder / f"transfer-{asked.points}.pcap"
    one.write_bytes(b"".join(transfer(asked.points)))
    many = asked.folder / f"connections-{asked.connections}.pcap"
    make(Workload("mix", 22 * asked.connections), many)
    names = {
        one: (f"one connection, {asked.points:,} segments of data and as many ACKs", drawn),
        many: (f"about {asked.connections:,} connections", listed),
    }
    for capture, (name, ready) in names.items():
        page = capture.with_suffix(".html")
        begun = os.times()
        command = [sys.executable, "-m", "tcptrace_py", "report", str(capture), "-o", str(page)]
        subprocess.run(command, cwd=ROOT, check=True)
        ended = os.times()
        yield Page(name, page, sum(ended[2:4]) - sum(begun[2:4]), ready)


def transfer(segments: int) -> Iterator[bytes]:
    """One connection: data one way at uneven times, an ACK for each after a round trip of its own, some losses."""
    rng = np.random.default_rng(9293)
    sent = np.cumsum(rng.exponential(120_000, segments)).astype(np.int64) + 60_000_000
    rtt = 20_000_000 + rng.gamma(2.0, 400_000, segments).astype(np.int64)
    answered = np.maximum.accumulate(sent + rtt)
    sizes = np.where(rng.random(segments) < 0.9, MSS, rng.integers(1, MSS, segments))
    seq = 1 + np.cumsum(sizes) - sizes
    windows = 3000 + np.cumsum(rng.integers(-40, 41, segments)) % 2000
    yield struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 128, 101)
    yield _record(0, 0, SYN, 0, 0, 0, 0xFFFF, options=b"\x02\x04\x05\xb4\x03\x03\x0a\x01")
    yield _record(20_000_000, 1, SYN | ACK, 0, 1, 0, 0xFFFF, options=b"\x02\x04\x05\xb4\x03\x03\x0a\x01")
    yield _record(40_000_000, 0, ACK, 1, 1, 0, 3000)
    lost = rng.random(segments) < 0.0005
    again = np.flatnonzero(lost)
    times = np.concatenate([sent, answered, sent[again] + 45_000_000])
    kinds = np.repeat([0, 1, 2], [segments, segments, len(again)])
    which = np.concatenate([np.arange(segments), np.arange(segments), again])
    for at in np.argsort(times, kind="stable"):
        i = int(which[at])
        if kinds[at] == 1:
            yield _record(int(times[at]), 1, ACK, 1, int(seq[i] + sizes[i]), 0, int(windows[i]))
        else:
            yield _record(int(times[at]), 0, ACK | PSH, int(seq[i]), 1, int(sizes[i]), 3000)


def _record(  # noqa: PLR0913, PLR0917 - a segment
    after_ns: int, side: int, flags: int, seq: int, ack: int, payload: int, window: int, *, options: bytes = b""
) -> bytes:
    """A raw IP packet of which the capture holds the headers."""
    ends = [bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])]
    ports = [40_000, 80]
    transport = struct.pack(
        ">HHIIHHHH",
        ports[side],
        ports[1 - side],
        seq % 2**32,
        ack % 2**32,
        (5 + len(options) // 4) << 12 | flags,
        window,
        0,
        0,
    )
    size = 40 + len(options)
    network = struct.pack(">BBHHHBBH", 0x45, 0, size + payload, 0, 0x4000, 64, 6, 0) + ends[side] + ends[1 - side]
    stamp = START * 10**9 + after_ns
    head = struct.pack("<IIII", stamp // 10**9, stamp % 10**9, size, size + payload)
    return head + network + transport + options


def opened(page: Page, asked: argparse.Namespace) -> list[str]:
    """Medians over several openings, each in a browser of its own."""
    found = [_opened(page, asked.chromium) for _ in range(asked.rounds)]
    return ["" if values[0] is None else f"{statistics.median(values):.0f}" for values in zip(*found, strict=True)]


def _opened(page: Page, chromium: str) -> tuple[Any, ...]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=[*FLAGS, "--enable-precise-memory-info"])
        tab = browser.new_context(viewport={"width": 1280, "height": 900}, offline=False).new_page()
        tab.add_init_script(
            f"(function look() {{ if (document.readyState !== 'loading' && {page.ready}) ready = performance.now();"
            " else requestAnimationFrame(look); })()"
        )
        tab.goto(page.path.resolve().as_uri())
        tab.wait_for_function("window.ready", timeout=60_000)
        loaded = tab.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        ready, heap = tab.evaluate("[window.ready, performance.memory.usedJSHeapSize / 1e6]")
        zoom = filtered = None
        if tab.query_selector(".graphs[data-ready]"):
            zoom = tab.evaluate(WATCHED, "document.querySelector('.zoom button').click()")
        else:
            filtered = tab.evaluate(WATCHED, FILTER)
        browser.close()
    return loaded, ready, heap, zoom, filtered


FILTER = """const search = document.querySelector('.filter input'); search.value = 'three_way 443';
search.dispatchEvent(new Event('input'));"""
WATCHED = """(act) => new Promise((done) => { const begun = performance.now(); new Function(act)();
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun))); })"""


if __name__ == "__main__":
    begun = time.monotonic()
    main()
    print(f"{time.monotonic() - begun:.0f} s in all", file=sys.stderr)

"""A real browser, and the pages that it opens.  Everything here is skipped where there is no chromium or playwright."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import tcptrace_py as tt
from bench.generator import make
from bench.workloads import Workload
from tcptrace_py.views.report.page import write
from tests.packets import ethernet, ipv4, tcp, write_pcap

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
OF_FIXTURES = ("loss_bulk", "zero_window", "port_reuse", "simultaneous_open", "mid_stream", "refused", "ipv6")
PACKETS = 9_000  # of the capture with many connections


@pytest.fixture(scope="session")
def chromium():
    """Debian's chromium, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(program).exists():
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """axe-core's script: where TCPTRACE_PY_AXE says, or where npm put it."""
    places = [os.environ.get("TCPTRACE_PY_AXE", ""), "node_modules/axe-core/axe.min.js"]
    for place in filter(None, places):
        if Path(place).is_file():
            return Path(place).read_text("utf-8")
    return pytest.skip("axe-core is not there: npm install axe-core, or name its axe.min.js in TCPTRACE_PY_AXE")


def _captures(folder):
    """Ten captures: recorded, generated, damaged, without times, from a stranger."""
    for name in OF_FIXTURES:
        yield name, FIXTURES / f"{name}.pcap"
    many = folder / "many.pcap"
    make(Workload("mix", PACKETS), many)
    yield "many", many
    cut = folder / "cut.pcap"
    cut.write_bytes((FIXTURES / "loss_bulk_sender.pcap").read_bytes()[:9000])
    yield "cut", cut
    printed = folder / "printed.txt"
    printed.write_text("IP 10.0.0.1.5 > 10.0.0.2.6: Flags [S], seq 1, win 9, length 0\n" * 2)
    yield "without_times", printed
    hostile = folder / "<script>alert(1)<\\script> \u202e &amp; \x1b[31m.pcap"
    write_pcap(hostile, [ethernet(ipv4(tcp(2, seq=1, ack=0)))], step_ns=1)
    yield "hostile", hostile


@pytest.fixture(scope="session")
def reports(tmp_path_factory):
    """Name -> (trace, page)."""
    folder = tmp_path_factory.mktemp("reports")
    made = {}
    for name, capture in _captures(folder):
        trace = tt.analyze(capture)
        page = folder / f"{name}.html"
        write(trace, page)
        made[name] = trace, page
    return made


NAMES = [*OF_FIXTURES, "many", "cut", "without_times", "hostile"]


@pytest.fixture(params=NAMES)
def report(request, reports):
    """Each of them."""
    return reports[request.param]


@pytest.fixture
def opened(chromium):
    """What opens a page in a context of its own, and fails on any error in it and any request that leaves it."""
    contexts, wrong = [], []

    def open_(path, *, fragment="", **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        tab = context.new_page()
        address = path.as_uri()
        tab.on("console", lambda message: wrong.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        tab.on("request", lambda asked: asked.url.partition("#")[0] == address or wrong.append(f"asked: {asked.url}"))
        tab.goto(address + fragment)
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []

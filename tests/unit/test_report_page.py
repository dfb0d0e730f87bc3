"""The report as a page: what strangers put into it, its policy, its bounds, and the command that writes it."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from html_tables import Page

import tcptrace_py as tt
from tcptrace_py.tables.series import MARKS
from tcptrace_py.views.report import connection, page
from tcptrace_py.vocabulary import BY_NAME
from tests.packets import ethernet, ipv4, tcp, write_pcap
from tests.unit.test_cli import tcpflows

pytestmark = pytest.mark.usefixtures("without_advice")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
VENDOR = Path(page.__file__).parent / "vendor"


@pytest.fixture(scope="module")
def reports():
    """Name -> (trace, page as read back), made when asked for."""
    made = {}

    def of(name):
        if name not in made:
            trace = tt.analyze(FIXTURES / f"{name}.pcap")
            made[name] = trace, Page(page.report(trace))
        return made[name]

    return of


# -- what strangers write ------------------------------------------------------------------------------------------

HOSTILE = '</script><img src=x onerror="alert(1)">&amp;\x1b]0;x\x07\u202e<\\b>.pcap'


@pytest.fixture
def hostile(tmp_path):
    path = tmp_path / HOSTILE.replace("/", "\u2215")
    return write_pcap(path, [ethernet(ipv4(tcp(2, seq=1, ack=0)))], step_ns=1)


def test_names_from_strangers_are_only_text(hostile):
    text = page.report(tt.analyze(hostile))
    read = Page(text)
    assert not {tag for tag, _ in read.elements} & {"img", "iframe", "object"}
    assert len([tag for tag, _ in read.elements if tag == "script"]) == 2
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    told = {row[0]["text"]: row[1]["text"] for row in read.table(class_="facts")["rows"]}
    assert told["file"].endswith('onerror="alert(1)">&amp;\\x1b]0;x\\x07\\u202e<\\b>.pcap')


@pytest.mark.parametrize("name", ["loss_bulk", "port_reuse"])
def test_policy(name, reports):
    _, read = reports(name)
    (policy,) = [
        known["content"] for tag, known in read.elements if known.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    styles = ["".join(text) for tag, _, text in read.raw if tag == "style"]
    scripts = [text for _, text in read.scripts(None)]
    assert (len(styles), len(scripts)) == (1, 1)

    def digest(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "style-src": digest(styles[0]),
        "script-src": digest(scripts[0]),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    order = [tag for tag, _ in read.elements]
    assert order.index("meta") < order.index("style") < order.index("script")


@pytest.mark.parametrize("name", ["loss_bulk", "port_reuse"])
def test_nothing_is_loaded_and_nothing_runs_from_an_attribute(name, reports):
    _, read = reports(name)
    for tag, known in read.elements:
        assert not [attribute for attribute in known if attribute.startswith("on") or attribute in ("src", "style")], (
            tag
        )
        assert known.get("href", "#").startswith("#")
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
    assert {known.get("type") for tag, known in read.elements if tag == "script"} == {None, "application/json"}


def test_ids_are_unique_and_links_lead_somewhere(reports):
    for name in ("loss_bulk", "port_reuse", "fast_open"):
        _, read = reports(name)
        ids = [known["id"] for _, known in read.elements if "id" in known]
        assert len(ids) == len({*ids})
        assert {known["href"][1:] for tag, known in read.elements if tag == "a"} <= {*ids}


def test_vendored_files_are_what_they_were():
    sums = dict(reversed(line.split()) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("uPlot.*")}
    assert files == sums
    assert sums["uPlot.iife.min.js"] == "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"
    version = re.search(r"uPlot \(v([\d.]+)\)", (VENDOR / "uPlot.iife.min.js").read_text("utf-8"))[1]
    assert f"uPlot {version} " in page.LIBRARY
    assert f"# uPlot {version}" in (VENDOR / "README.md").read_text()


@pytest.mark.parametrize("name", ["loss_bulk", "port_reuse", "simultaneous_open"])
def test_the_same_bytes_for_the_same_capture(name):
    path = FIXTURES / f"{name}.pcap"
    assert page.report(tt.analyze(path)) == page.report(tt.analyze(path, batch_size=7))


# -- bounds --------------------------------------------------------------------------------------------------------


def sections(text):
    return [
        known["id"] for tag, known in Page(text).elements if tag == "details" and known.get("class") == "connection"
    ]


def test_as_many_of_the_worst_as_fit(monkeypatch):
    trace = tt.analyze(FIXTURES / "port_reuse.pcap")
    whole = page.report(trace)
    assert sections(whole) == ["c1", "c2", "c0"]
    assert "Graphs and ladder of all connections." in whole
    monkeypatch.setattr(page, "BUDGET", len(whole.encode()) - 100)
    fewer = page.report(trace)
    assert sections(fewer) == ["c1", "c2"]
    assert len(fewer.encode()) < page.BUDGET
    assert "Graphs and ladder of 2 of 3 connections" in fewer
    monkeypatch.setattr(page, "BUDGET", 10)
    assert sections(page.report(trace)) == ["c1"]


def test_those_that_are_asked_for():
    trace = tt.analyze(FIXTURES / "port_reuse.pcap")
    assert sections(page.report(trace, top=1)) == ["c1"]
    assert sections(page.report(trace, top=0)) == []
    assert sections(page.report(trace, top=9)) == ["c1", "c2", "c0"]
    only = page.report(trace, chosen=[2, 0, 2])
    assert sections(only) == ["c0", "c2"]
    rows = Page(only).table(class_="connections")["rows"][1:]
    assert {row[0]["text"].strip(): row[0]["links"] for row in rows} == {"0": ["#c0"], "1": [], "2": ["#c2"]}
    with pytest.raises(tt.UsageError, match="no connection 3; there are 3 connections, from 0"):
        page.report(trace, chosen=[3])


def test_a_table_that_would_be_too_long(monkeypatch):
    monkeypatch.setattr(page, "ROWS", 2)
    text = page.report(tt.analyze(FIXTURES / "port_reuse.pcap"))
    assert len(Page(text).table(class_="connections")["rows"]) == 3
    assert "1 connection that have the least findings" not in text
    assert "1 connection is left out of this table" in text


def test_graphs_that_would_be_too_dense(monkeypatch):
    monkeypatch.setattr(connection.thinned_ways, "__defaults__", (60,))
    trace = tt.analyze(FIXTURES / "loss_bulk.pcap")
    text = page.report(trace)
    held, columns = Page(text).held("g0")
    drawn = sum(len(columns[f"{way}.time"]) for way in ("c2s", "s2c"))
    assert drawn < 70
    assert f"{drawn} of 148 segments are drawn" in text
    resent = 1 << MARKS.index("retransmission")
    assert sum(bool(word & resent) for word in columns["s2c.marks"]) == trace[0].record["s2c_retransmissions"]
    assert [held["segments"][way] for way in ("c2s", "s2c")] == [63, 85]


def test_findings_that_are_too_many(monkeypatch):
    monkeypatch.setattr(page.sections, "TOLD_OF_A_KIND", 3)
    trace = tt.analyze(FIXTURES / "loss_bulk.pcap")
    text = page.report(trace)
    links = re.findall(r'data-frame="\d+"', text)
    per_kind = trace.events.dropna(subset="frame").groupby("code", observed=True).size()
    assert len(links) == sum(min(number, 3) for number in per_kind)
    assert "Not all of them are listed" in text


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_page_is_named_for_the_capture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tcpflows("report", str(FIXTURES / "four_way.pcap")) == (0, "four_way.pcap.html\n", "")
    trace = tt.analyze(str(FIXTURES / "four_way.pcap"))
    assert Path("four_way.pcap.html").read_text("utf-8") == page.report(trace)
    assert tcpflows("report", str(FIXTURES / "four_way.pcap"), "-o", "a.html", "--top", "0") == (0, "", "")
    assert sections(Path("a.html").read_text("utf-8")) == []
    trace.report("b.html", top=0)
    assert Path("b.html").read_bytes() == Path("a.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html", "four_way.pcap.html"]


def test_to_standard_output_and_from_standard_input():
    path = FIXTURES / "four_way.pcap"
    command = [sys.executable, "-m", "tcptrace_py", "report", "-q", "-o", "-"]
    told = subprocess.run([*command, "-"], input=path.read_bytes(), capture_output=True, check=True)
    assert told.stderr == b""
    assert sections(told.stdout.decode()) == ["c0"]
    again = subprocess.run([*command, str(path)], capture_output=True, check=True)
    assert told.stdout.replace(b"&lt;stdin&gt;", b"") != again.stdout
    assert again.stdout.decode() == page.report(tt.analyze(str(path)))


def test_a_damaged_capture_is_reported_and_told(tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((FIXTURES / "loss_bulk.pcap").read_bytes()[:5000])
    code, _, err = tcpflows("report", str(cut), "-o", str(tmp_path / "cut.html"))
    assert code == 3
    assert err.startswith(f"tcpflows: {cut}: cut short in record ")
    text = (tmp_path / "cut.html").read_text("utf-8")
    assert "partial: cut short in record " in text
    assert "of the uncompressed input" in text


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--connections", "x"], 2, "--connections: 'x' is not numbers with commas between them"),
        (["--connections", "0", "--top", "2"], 2, "--connections and --top both choose connections: give one of them"),
        (["-o", "/dev/full"], 5, "cannot write /dev/full: No space left on device"),
        (["-o", "/absent/page.html"], 5, "cannot write /absent/page.html: No such file or directory"),
    ],
)
def test_refused(options, code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got, out, err = tcpflows("report", str(FIXTURES / "four_way.pcap"), *options)
    assert (got, out) == (code, "")
    assert err.startswith(f"tcpflows: {told}")
    assert list(tmp_path.iterdir()) == []


def test_no_page_where_there_is_nothing_to_report(tmp_path):
    code, out, err = tcpflows("report", str(tmp_path / "absent.pcap"), "-o", str(tmp_path / "page.html"))
    assert (code, out) == (4, "")
    assert "absent.pcap" in err
    capture = tmp_path / "capture.pcap"
    capture.write_bytes((FIXTURES / "four_way.pcap").read_bytes())
    assert tcpflows("report", str(capture), "-o", str(capture))[0] == 2
    assert capture.read_bytes() == (FIXTURES / "four_way.pcap").read_bytes()
    assert not (tmp_path / "page.html").exists()


def test_without_any_connection(tmp_path):
    path = write_pcap(tmp_path / "arp.pcap", [ethernet(b"\0" * 28, 0x0806)], step_ns=1)
    read = Page(page.report(tt.analyze(path)))
    assert len(read.table(class_="connections")["rows"]) == 1
    assert "No endpoint was in any state." in "".join(read.text)


@pytest.mark.parametrize("command", [["--help"], ["analyze", str(FIXTURES / "four_way.pcap")]])
def test_other_commands_do_not_pay_for_it(command):
    code = f"""
import os, sys
os._exit = sys.exit
sys.argv = ["tcpflows", *{command!r}]
from tcptrace_py.__main__ import main
try:
    main()
finally:
    ours = [name for name in sys.modules if name.startswith(("tcptrace_py.views.report", "tcptrace_py.tables.series"))]
    print(ours, [name for name in sys.modules if "population" in name], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "[] []"


def test_every_finding_has_a_name_that_the_page_can_show():
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in BY_NAME)

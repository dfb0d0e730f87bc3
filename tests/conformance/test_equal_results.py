"""The same packets give the same tables, however they come: batches, pipes, compression, container, reader."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import pytest
import zstandard

import tcptrace_py as tt
from scripts.table_digest import plain
from tcptrace_py.capture import Mark
from tcptrace_py.tables.schema import TABLES
from tests.agreement import UNCAPPED, contradictions
from tests.containers import block, enhanced, frames_of, interface, section, simple, tsresol
from tests.corpus import CORPUS

LARGEST, LARGEST_BY_ONE = 300_000, 40_000
ROOT = Path(__file__).resolve().parents[1]


def _captures():
    """The project's own captures, and of the reference folders what is small; of the many runs with truth a sample."""
    own = sorted((ROOT / "fixtures").glob("*.pcap*"))
    probes = sorted((CORPUS / "probes").glob("*.pcap*"))
    suite = sorted(path for path in (CORPUS / "tcptrace-suite").glob("*.*") if path.suffix in (".dmp", ".pcap"))
    public = sorted((CORPUS / "captures").glob("*.pcap*"))
    runs = sorted((CORPUS / "truth" / "runs").glob("*.pcap"))[::17]
    reference = [path for path in (*probes, *suite, *public, *runs) if path.stat().st_size < LARGEST]
    return [*own, *(pytest.param(path, marks=pytest.mark.corpus) for path in reference)]


each_capture = pytest.mark.parametrize("path", _captures(), ids=lambda path: path.name)

OF_THE_FILE = {"capture", "path"}
OF_THE_CONTAINER = OF_THE_FILE | {"format", "compression", "offset", "notes"}
UNKNOWN_TO_DPKT = OF_THE_CONTAINER | {"wire_bytes", "c2s_wire_bytes", "s2c_wire_bytes", "interface"}


def everything(source, **options):
    """All tables, column by column; the timeline from a second reading where the input can be read twice."""
    at_once = ["connections", "states", "events"]
    if not isinstance(source, (str, os.PathLike)) or not Path(source).is_file():
        at_once.append("timeline")
    trace = tt.analyze(source, tables=at_once, **options)
    tables = {name: trace.arrow(name) for name in TABLES}
    return {f"{name}.{column}": plain(table[column]) for name, table in tables.items() for column in table.column_names}


def differences(one, other, leave_out=OF_THE_FILE):
    """The columns in which two results differ, with the first values that do."""
    found = {}
    for name, values in one.items():
        others = other[name]
        if name.partition(".")[2] not in leave_out and values != others:
            where = next((i for i, pair in enumerate(zip(values, others, strict=False)) if pair[0] != pair[1]), None)
            told = f"{len(values)} and {len(others)} rows" if where is None else (where, values[where], others[where])
            found[name] = told
    return found


@each_capture
def test_batches_do_not_matter(path):
    whole = everything(path, batch_size=8192)
    assert differences(whole, everything(path, batch_size=7)) == {}
    if path.stat().st_size < LARGEST_BY_ONE:
        assert differences(whole, everything(path, batch_size=1)) == {}


@each_capture
def test_tables_agree(path):
    assert contradictions(tt.analyze(path, tables=["connections", "states", "events"], limits=UNCAPPED)) == []


@each_capture
def test_one_reading_or_two(path):
    """The timeline that was kept and put right equals the one made by a second reading."""
    assert differences(everything(path), everything(io.BytesIO(path.read_bytes()))) == {}


def test_pipe(tmp_path):
    """Through a real pipe, which gives what it has: packets are cut where they may."""
    path = ROOT / "fixtures" / "loss_bulk.pcap"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def trickle():
        data = path.read_bytes()
        with fifo.open("wb", buffering=0) as file:
            for at in range(0, len(data), 4099):
                file.write(data[at : at + 4099])

    writer = threading.Thread(target=trickle)
    writer.start()
    got = everything(fifo)
    writer.join()
    assert differences(everything(path), got) == {}


@each_capture
def test_compression(path, tmp_path):
    whole = everything(path)
    data = path.read_bytes()
    for suffix, packed in ((".gz", gzip.compress(data, 1)), (".zst", zstandard.ZstdCompressor(1).compress(data))):
        copy = tmp_path / f"copy{suffix}"
        copy.write_bytes(packed)
        assert differences(whole, everything(copy), OF_THE_FILE | {"compression"}) == {}


def as_pcapng(path):
    """The frames of a capture of any kind in one little-endian section with a clock of nanoseconds."""
    got, _ = frames_of(path)
    links = {frame.interface: frame.link for frame in got}
    out = [section()]
    out += [interface(links.get(number, 1), tsresol(9)) for number in range(max(links, default=0) + 1)]
    for frame in got:
        if frame.marks & Mark.NO_TIME:
            out.append(simple(frame.data, original=frame.original))
        else:
            out.append(enhanced(frame.time_ns, frame.data, number=frame.interface, original=frame.original))
    return b"".join(out) + block(0x0BAD, b"a block of no kind")


@each_capture
def test_container(path, tmp_path):
    copy = tmp_path / "copy.pcapng"
    copy.write_bytes(as_pcapng(path))
    lost = OF_THE_CONTAINER | CONTAINER_LOSES.get(path.name, set())
    assert differences(everything(path), everything(copy), lost) == {}


DAMAGE = {"status", "reason", "message", "limits"}
CONTAINER_LOSES = {
    # the damage is not copied
    "suricata-verify__smtp-to-comma__10.7.29.101_49898-178.63.41.150_25.pcap": DAMAGE,
}


ONE_CLOCK = "dpkt takes the first interface's clock for all"
SWAPPED = "pcap 2.2: the two lengths of a record stand the other way round"
DPKT_IS_WRONG = {
    "bad_ack_code.dmp": SWAPPED,
    "pcap_v2.2.dmp": SWAPPED,
    "mixlt.pcapng": "dpkt takes the first interface's link type for all",
    "multi.pcapng": "dpkt takes the first interface's link type and clock for all",
    "nDPI__knxip.pcapng": ONE_CLOCK,
    "nDPI__stun.pcap": ONE_CLOCK,
    "nDPI__z3950.pcapng": ONE_CLOCK,
    "suricata-verify__smtp-to-comma__10.7.29.101_49898-178.63.41.150_25.pcap": "dpkt takes damage for a packet",
}
FLOAT_TIMES = {  # clocks of nanoseconds: dpkt's float knows a quarter of a microsecond
    "four_ns.pcap",
    "nDPI__roblox.pcapng",
    "nDPI__tls_malicious_sha1.pcapng",
    "scapy__test__pcaps__dcerpc_privacy_krb.pcapng",
    "zeek__http__cooper-grill-dvwa.pcapng",
    "zeek__ldap__ldap_star_single.pcapng",
}
MICROSECONDS = 2000  # in ns: a duration has two times, each off by one at most
LISTED = ("captures.findings", "connections.findings", "timeline.anomalies", "timeline.marks")


def without_origlen(columns):
    """A result without what the original lengths say, which dpkt does not give."""
    rows = [i for i, code in enumerate(columns["events.code"]) if code != "cap_origlen"]
    events = {name: [values[i] for i in rows] for name, values in columns.items() if name.startswith("events.")}
    listed = {
        name: [[x for x in v if x not in ("cap_origlen", "original_length_wrong")] for v in columns[name]]
        for name in LISTED
    }
    return columns | events | listed


def almost(values, others):
    """The values, each replaced by its counterpart where that differs by float times only."""
    if len(values) != len(others):
        return values
    pairs = zip(values, others, strict=True)
    return [b if isinstance(a, int) and isinstance(b, int) and abs(a - b) <= MICROSECONDS else a for a, b in pairs]


def is_time(name):
    return name.endswith(("time", "_ns", ".start", ".end"))


@each_capture
def test_dpkt(path):
    own, other = everything(path), everything(path, reader="dpkt")
    lost = UNKNOWN_TO_DPKT
    if other["captures.findings"] != own["captures.findings"]:
        own, other, lost = without_origlen(own), without_origlen(other), lost | {"severity"}
    if path.name in FLOAT_TIMES:
        own |= {name: almost(values, other[name]) for name, values in own.items() if is_time(name)}
        lost = lost | {"c2s_throughput", "s2c_throughput"}
    assert bool(differences(own, other, lost)) == (path.name in DPKT_IS_WRONG), differences(own, other, lost)

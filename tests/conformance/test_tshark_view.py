"""The view `tshark` against the installed tshark: streams, completeness, round trips, table of conversations."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

import tcptrace_py as tt
from tcptrace_py.tables.build import as_rows
from tests.corpus import CORPUS, needs, slow_interpreted

TSHARK = shutil.which("tshark")
pytestmark = [
    *needs("captures"),
    slow_interpreted,
    pytest.mark.skipif(TSHARK is None, reason="tshark is not installed"),
]
CAPTURES = CORPUS / "captures"
MANIFEST = CAPTURES / "MANIFEST.jsonl"
NAMES = [m["name"] for m in map(json.loads, MANIFEST.read_text().splitlines())] if MANIFEST.exists() else []
FIELDS = ("tcp.stream", "tcp.completeness", "tcp.analysis.initial_rtt")

QUOTED = "tshark gives TCP headers that ICMP errors quote a place in a stream"
IMPOSSIBLE = "a TCP header of impossible length has no row here, and begins or joins a stream there"
CLOCK = "the clock goes back: tshark's starts are relative to the first frame of the file, here to the earliest"
CUT = "tshark has frames that end inside a packet in their streams, and not in its table of conversations"
MAPPED = "IPv4-mapped addresses of IPv6 are written as IPv4 here"
DEVIATIONS = {
    "nDPI__ajp.pcap": CUT,
    "tcpdump__tcp-auth-heapoverflow.pcap": CUT,
    "zeek__vntag_vlan_sandwich_clean.pcap": CUT,
    "suricata-verify__detect-pcre__detect-pcre-04__input.pcap": MAPPED,
    "nDPI__knxip.pcapng": CLOCK,
    "nDPI__6in4tunnel.pcap": QUOTED,
    "nDPI__reasm_crash_anon.pcapng": IMPOSSIBLE,
    "suricata-verify__bug-76__input.pcap": IMPOSSIBLE,
    "suricata-verify__drop-protocol-change__input.pcap": IMPOSSIBLE,
    "tcpdump__bgp_pmsi_tunnel-oobr.pcap": IMPOSSIBLE,
    "tcpdump__rpki-rtr-oobr.pcap": IMPOSSIBLE,
    "zeek__ipv6-http-atomic-frag.pcap": CLOCK,
}
SIZES = {"bytes": 1, "kB": 1000, "MB": 1_000_000}
END = r"(\S+):(\d+)"
SIZE = r"(\d+) (\d+ \w+)"
CONVERSATION = re.compile(rf"{END}\s+<-> {END}\s+{SIZE}\s+{SIZE}\s+\d+ \d+ \w+\s+(-?[\d.]+)\s+([\d.]+)")


def printed(name):
    """Stream -> [completeness, round trip in ns], and the rows of the table of conversations."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    command = [TSHARK, "-2", "-n", "-r", CAPTURES / name, "-T", "fields", *fields, "-z", "conv,tcp"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    frames, _, table = text.partition("====")
    streams = {}
    for stream, completeness, rtt in (line.split("\t") for line in frames.splitlines() if line.count("\t") == 2):
        if stream:
            known = streams.setdefault(int(stream.split(",")[0]), [0, None])
            known[0] = max(known[0], int(completeness.split(",")[0] or 0))
            known[1] = round(float(rtt.split(",")[0]) * 1e9) if rtt else known[1]
    return streams, [found.groups() for found in map(CONVERSATION.match, table.splitlines()) if found]


def rounded(octets, as_written):
    """Octets in the unit that tshark chose for them, cut as it cuts."""
    unit = as_written.split()[1]
    return f"{octets // SIZES[unit]} {unit}"


@pytest.fixture(scope="module")
def compared():
    """Capture -> what differs."""
    return {name: [*differences(name)] for name in NAMES}


def differences(name):
    trace = tt.analyze(CAPTURES / name)
    mine = [row for batch in trace.view_batches("tshark") for row in as_rows(batch)]
    streams, table = printed(name)
    ours = {row["tcp.stream"]: [row["tcp.completeness"], row["tcp.analysis.initial_rtt_ns"]] for row in mine}
    yield from (stream for stream in {**ours, **streams} if ours.get(stream) != streams.get(stream))
    rows = sorted(conversation(row, trace.summary.start_ns) for row in mine)
    told = sorted(
        (a, port_a, b, port_b, int(back), int(there), float(start), float(duration), octets_back, octets)
        for a, port_a, b, port_b, back, octets_back, there, octets, start, duration in table
    )
    if len(rows) != len(told):
        yield "conversations"
    yield from (row for row, other in zip(rows, told, strict=False) if not alike(row, other))


def conversation(row, begin):
    """A row of ours as the table of conversations has it, octets as they are."""
    ends = (row["a.ip"], str(row["a.port"]), row["b.ip"], str(row["b.port"]))
    times = (round((row["start"] - begin) / 1e9, 9), row["duration_ns"] / 1e9)
    return (*ends, row["frames_ba"], row["frames_ab"], *times, row["bytes_ba"], row["bytes_ab"])


def alike(row, other):
    """The same ends and frames; times as far as they are printed, and octets in the unit that tshark chose."""
    near = abs(row[6] - other[6]) < 1e-8 and abs(row[7] - other[7]) <= 1.01e-4
    return (
        row[:6] == other[:6]
        and near
        and [rounded(*pair) for pair in zip(row[8:], other[8:], strict=True)] == [*other[8:]]
    )


def test_the_view_is_tsharks(compared):
    assert {name for name, found in compared.items() if found} == DEVIATIONS.keys()

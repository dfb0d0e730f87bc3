"""Counters of every connection and direction against tcptrace's; each deviation has its reason here, and is one.

RTT samples against tshark's, frame by frame.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections import defaultdict

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs

pytestmark = needs("captures")
CAPTURES, SUITE = CORPUS / "captures", CORPUS / "tcptrace-suite"

COUNTERS = {  # ours: tcptrace's
    "segments": "total_packets",
    "rsts": "resets_sent",
    "data_segments": "actual_data_pkts",
    "octets": "actual_data_bytes",
    "unique_octets": "unique_bytes_sent",
    "max_segment": "max_segm_size_bytes",
    "zero_windows": "zero_win_adv",
    "mss": "mss_requested_bytes",
    "syns": "syn_fin_pkts",
    "fins": "syn_fin_pkts",
}
DATA = {"data_segments", "octets", "unique_octets", "max_segment"}

COPIES = "a copy made by the capture or the network counts once, as `duplicate_packets`; tcptrace counts it as sent"
BAD_SUM = "a segment with a wrong checksum has no effect; tcptrace believes it"
WIDE_MSS = "tcptrace prints an MSS above 32767 as a negative number"
RESETS = "what a segment with RST bears beside it (payload, SYN, FIN) is no part of the stream"
FUZZED = "numbers that jump ahead and back: which octets were seen before is anybody's guess"
OFFLOAD = "IP length 0 (segmentation offload): tcptrace drops the segment"
CUT = "the damaged or cut record is no segment here"

DEVIATIONS: dict[str, tuple[set[str], str]] = {
    "all.snoop.pcap": ({"data_segments", "octets"}, COPIES),
    "bad_ack_code.dmp": ({"syns"}, COPIES),
    "pcap_v2.2.dmp": ({"syns"}, COPIES),
    "discard.solaris.dmp": ({"data_segments", "octets", "syns", "fins"}, COPIES),
    "hardware_dups.dmp": ({"data_segments", "octets", "syns", "fins"}, COPIES),
    "nfstream__pcaps__1kxun.pcap": ({"data_segments", "octets", "syns", "fins"}, COPIES),
    "nDPI__ajp.pcap": ({"segments"}, "tcptrace does not read the twelve copies behind another header"),
    "nDPI__http_guessed_host_and_guessed.pcapng": ({"unique_octets", "mss", "syns", "fins"}, RESETS),
    "suricata-verify__tcp-rst-unacked-stream-01-raw__input.pcap": ({"unique_octets"}, RESETS),
    "suricata-verify__tcp-rst-unacked-stream-03-gap__input.pcap": ({"unique_octets"}, RESETS),
    "suricata-verify__tcp-rst-unacked-stream-04-gap-ips__input.pcap": ({"unique_octets"}, RESETS),
    "nDPI__openwire.pcapng": ({"mss"}, WIDE_MSS),
    "suricata-verify__tcp-fastopen-05__tfo.pcap": ({"mss"}, WIDE_MSS),
    "zeek__ftp__ftp-auth-tls.pcap": ({"mss"}, WIDE_MSS),
    "zeek__http__http-to-ssh.pcap": ({"mss"}, WIDE_MSS),
    "zeek__pop3__bad-list-retr-crafted.pcap": ({"mss"}, WIDE_MSS),
    "nDPI__reasm_crash_anon.pcapng": (
        {"segments", "rsts", "syns", "fins", "data_segments", "octets", "unique_octets"},
        f"fuzzed: {BAD_SUM}; a header of impossible length has no row",
    ),
    "suricata-verify__bug-76__input.pcap": ({"segments", "rsts", "syns", "fins"} | DATA, BAD_SUM),
    "suricata-verify__drop-protocol-change__input.pcap": ({"segments", "rsts", "syns", "fins"} | DATA, CUT),
    "suricata-verify__smtp-to-comma__10.7.29.101_49898-178.63.41.150_25.pcap": (DATA, CUT),
    "suricata-verify__dcerpc__zerologon__input.pcap": ({"data_segments", "octets"}, COPIES),
    "tcpreplay__test__test.rewrite_sequence": (DATA, BAD_SUM),
    "tcpreplay__test__test2.rewrite_sequence": (DATA, BAD_SUM),
    "zeek__ipv6-http-atomic-frag.pcap": ({"segments", "syns", "fins"} | DATA, "tcptrace does not join IP fragments"),
    "zeek__krb__kerberos_tso.pcapng": ({"segments"} | DATA, OFFLOAD),
    "zeek__modbus__fuzz-72.pcap": ({"unique_octets"}, FUZZED),
}
"""File -> counters that deviate in it, and why."""

IDLE = "tcptrace cuts a connection in two after four minutes of silence, or at a second SYN or RST"
NETWORKS = "the same addresses and ports in different networks (VLAN, tunnel) are different connections"
VXLAN = (
    "zeek__doc__advanced__devel__plugins__connkey-vxlan-fivetuple-plugin-src__Traces__vxlan-overlapping-http-get.pcap"
)
NOT_ONE_TO_ONE = {
    "suricata-verify__tls__tls-subjectaltname__input.pcap": IDLE,
    "zeek__tcp__fin_retransmission.pcap": IDLE,
    "zeek__tcp__rst-inject-rae.pcap": IDLE,
    "zeek__pop3__pop3.pcap": "each SYN after a refusal is a new attempt",
    "zeek__vlan-collisions.pcap": NETWORKS,
    "zeek__vlan-pcp-dei.pcapng": NETWORKS,
    "zeek__tunnels__tunnel-direct-bypass.pcap": NETWORKS,
    VXLAN: NETWORKS,
    "zeek__ipv6-http-atomic-frag.pcap": "tcptrace takes the rest of a datagram for a TCP header",
    "tcpdump__bgp_pmsi_tunnel-oobr.pcap": "no row here: the TCP header's length is impossible",
    "tcpdump__rpki-rtr-oobr.pcap": "no row here: the TCP header's length is impossible",
}


def _oracles():
    """(path, tcptrace's connections) of every capture that tcptrace reads."""
    found = []
    if (CAPTURES / "oracle").is_dir():
        told = json.loads(gzip.decompress((CAPTURES / "oracle" / "tcptrace.json.gz").read_bytes()))
        names = map(json.loads, (CAPTURES / "MANIFEST.jsonl").read_text().splitlines())
        found += [(CAPTURES / m["name"], told[m["file"]]["connections"]) for m in names if m["file"] in told]
    if SUITE.is_dir():
        told = json.loads(gzip.decompress((SUITE / "baseline-long.json.gz").read_bytes()))
        rows = json.loads((SUITE / "captures.json").read_text())
        found += [(SUITE / row["capture"], told[row["file"]]["connections"]) for row in rows if row["usable"]]
    return found


def address(text):
    """tcptrace's way of writing an address, as we write it."""
    if ":" in text:
        text = ":".join(part.lstrip("0") or "0" if part else "" for part in text.split(":"))
    written = ipaddress.ip_address(text)
    return str(getattr(written, "ipv4_mapped", None) or written)


def pairs(path, theirs):
    """Our record and tcptrace's of each connection; None for ours where the numbers of connections differ."""
    mine, told = defaultdict(list), defaultdict(list)
    for conn in tt.analyze(path):
        row = conn.record
        mine[frozenset([(row["client_ip"], row["client_port"]), (row["server_ip"], row["server_port"])])].append(row)
    for conn in theirs:
        ends = [(address(conn[f"host_{side}"]), int(conn[f"port_{side}"])) for side in "ab"]
        told[frozenset(ends)].append((ends[0], conn))
    for ends, conns in told.items():
        rows = mine[ends] if len(mine[ends]) == len(conns) else [None] * len(conns)
        yield from ((row, first, conn) for row, (first, conn) in zip(rows, conns, strict=True))


def deviating(row, first, conn):
    """The counters in which one connection deviates."""
    forth = (row["client_ip"], row["client_port"]) == first
    for way, prefix in (("a2b", "c2s_" if forth else "s2c_"), ("b2a", "s2c_" if forth else "c2s_")):
        for ours, theirs in COUNTERS.items():
            value = conn[way].get(theirs, 0)
            if theirs == "syn_fin_pkts":
                value = value[ours == "fins"]
            if (row[prefix + ours] or 0) != value:
                yield ours


@pytest.mark.parametrize(("path", "theirs"), _oracles(), ids=lambda value: getattr(value, "name", ""))
def test_counters_are_tcptraces(path, theirs):
    found, alone = set(), False
    for row, first, conn in pairs(path, theirs):
        if row is None:
            alone = True
        else:
            found |= set(deviating(row, first, conn))
    assert alone == (path.name in NOT_ONE_TO_ONE)
    assert found == DEVIATIONS.get(path.name, (set(), ""))[0]


def test_rtt_is_tsharks():
    """Of the ACKs for which both have a sample 99.8 % agreed to the microsecond when this was written."""
    import pandas as pd

    columns = ["file", "frame", "ack_rtt", "embedded"]
    told = pd.read_parquet(CAPTURES / "oracle" / "tshark-segments.parquet", columns=columns)
    told = told[~told.embedded & told.ack_rtt.notna()]
    names = {m["file"]: m["name"] for m in map(json.loads, (CAPTURES / "MANIFEST.jsonl").read_text().splitlines())}
    both = same = 0
    for file, rows in told.groupby("file"):
        timeline = tt.analyze(CAPTURES / names[file]).timeline.dropna(subset=["rtt_ns"])
        mine = dict(zip(timeline.frame.tolist(), timeline.rtt_ns.tolist(), strict=True))
        for frame, seconds in zip(rows.frame.tolist(), rows.ack_rtt.tolist(), strict=True):
            if frame in mine:
                both += 1
                same += abs(mine[frame] - seconds * 1e9) <= 1000
    assert both > 19_000
    assert same / both > 0.99  # after a hole tshark measures from the segment that ends at the ACK, not from the filler

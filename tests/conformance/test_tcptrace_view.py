"""The tcptrace view against tcptrace's own baselines of 2004, and against what the installed program says of others."""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest

import tcptrace_py as tt
from tests.conformance.test_counters import address
from tests.corpus import CORPUS, needs

pytestmark = needs("tcptrace-suite")
SUITE, CAPTURES = CORPUS / "tcptrace-suite", CORPUS / "captures"
VXLAN = "vxlan-fivetuple-plugin-src__Traces__vxlan-overlapping-http-get.pcap"
WHOLE = ("complete", "syns", "fins", "total_packets")

LIBPCAP = "libpcap cuts records that are longer than the snapshot length in the file's header; here they are read whole"
NEGATIVE = "tcptrace prints what is below 0 as a number near 2**32 or 2**64; an MSS above 32767 is that to it"
END = "an open connection is idle to the capture's last TCP segment here, to its last IP packet there"
NO_TIME = "1970-01-01 00:00:00, when these packets are from, is no time to tcptrace"
UNREAD = "a packet with an IP or TCP length that cannot be, or IP length 0: read by one of us, not by the other"
COPIES = "tcptrace does not read the twelve copies behind another header"
HEADER = "no room for the options either: tcptrace adds those that were cut to the payload that was"
FAR = "after a number half the circle away tcptrace has forgotten what it saw; the list here has not"

DELIBERATE = {("http.dmp", "truncated_data_bytes"): LIBPCAP, ("http.dmp", "truncated_packets"): LIBPCAP}
"""Capture of the suite and counter that differ, and why."""

EVERYTHING = {"anything"}
DEVIATIONS: dict[str, tuple[set[str], str]] = {
    "nDPI__ajp.pcap": (EVERYTHING, COPIES),
    "nDPI__cloudflare-warp.pcap": ({"idletime_max_ms"}, END),
    "nDPI__http_guessed_host_and_guessed.pcapng": ({"missed_data_bytes", "mss_requested_bytes"}, NEGATIVE),
    "nDPI__openwire.pcapng": ({"mss_requested_bytes"}, NEGATIVE),
    "nDPI__opera-vpn.pcapng": ({"max_owin_bytes", "wavg_owin_bytes"}, NEGATIVE),
    "nDPI__reasm_crash_anon.pcapng": (EVERYTHING, UNREAD),
    "nDPI__stun.pcap": ({"idletime_max_ms"}, END),
    "nfstream__pcaps__zoom.pcap": ({"idletime_max_ms"}, END),
    "suricata-verify__bug-76__input.pcap": (EVERYTHING, f"fuzzed: {UNREAD}; {NEGATIVE}"),
    "suricata-verify__drop-protocol-change__input.pcap": (EVERYTHING, UNREAD),
    "suricata-verify__ipv6-evasion__ipv6-malformed-fragments-22__frag-22.pcap": ({"idletime_max_ms"}, END),
    "suricata-verify__tcp-fastopen-05__tfo.pcap": ({"mss_requested_bytes"}, NEGATIVE),
    "suricata-verify__tls__tls-subjectaltname__input.pcap": (
        {"unique_bytes_sent", "rexmt_data_pkts", "rexmt_data_bytes", "segs_cum_acked", "max_retrans"}
        | {f"{which}_retr_time_ms" for which in ("min", "max", "avg")},
        FAR,
    ),
    "tcpdump__tcp-auth-heapoverflow.pcap": ({"truncated_data_bytes"}, HEADER),
    "tcpreplay__test__test.rewrite_sequence": ({"idletime_max_ms"}, END),
    "tcpreplay__test__test2.rewrite_sequence": ({"idletime_max_ms"}, END),
    "zeek__ftp__ftp-auth-tls.pcap": ({"mss_requested_bytes"}, NEGATIVE),
    "zeek__http__http-to-ssh.pcap": ({"mss_requested_bytes"}, NEGATIVE),
    "zeek__krb__kerberos_tso.pcapng": (EVERYTHING, UNREAD),
    "zeek__ldap__ldap-max-recursion.pcap": ({"idletime_max_ms"}, NO_TIME),
    "zeek__modbus__fuzz-72.pcap": (EVERYTHING, f"fuzzed: {FAR}; {NEGATIVE}"),
    "zeek__pop3__bad-list-retr-crafted.pcap": ({"mss_requested_bytes"}, NEGATIVE),
    "zeek__tcp__fin_retransmission.pcap": ({"missed_data_bytes", "ttl_stream_length_bytes"}, NEGATIVE),
}
"""Other capture -> counters that differ in it, and why; EVERYTHING where the packets are not the same ones."""

NETWORKS = "the same addresses and ports in different networks (VLAN, tunnel) are different connections here"
OTHER_CONNECTIONS = {
    "nDPI__BGP_redist.pcap": "tcptrace does not read MPLS",
    "tcpdump__bgp_pmsi_tunnel-oobr.pcap": "no row here: the TCP header's length is impossible",
    "tcpdump__rpki-rtr-oobr.pcap": "no row here: the TCP header's length is impossible",
    f"zeek__doc__advanced__devel__plugins__connkey-{VXLAN}": NETWORKS,
    "zeek__ipv6-http-atomic-frag.pcap": "tcptrace takes the rest of a datagram for a TCP header",
    "zeek__mpls-in-vlan.pcap": "tcptrace does not read two of the three packets, behind MPLS",
    "zeek__tunnels__tunnel-direct-bypass.pcap": "tcptrace does not look into tunnels",
    "zeek__vlan-collisions.pcap": NETWORKS,
    "zeek__vlan-pcp-dei.pcapng": NETWORKS,
}
"""Other capture in which the number of connections differs, and why."""


def connections(path):
    """Our rows in the shape of the baselines: counters without their prefix."""
    found = []
    for row in tt.analyze(path).view("tcptrace").to_dict("records"):
        ways = {
            way: {n.removeprefix(way + "_"): v for n, v in row.items() if n.startswith(way)} for way in ("a2b", "b2a")
        }
        found.append(row | ways)
    return found


def as_told(value):
    """A value of the baselines, as the view writes it."""
    if isinstance(value, list):
        return "/".join("NY"[part] if isinstance(part, bool) else str(part) for part in value)
    return value


def differing(mine, told):
    """Names of what differs in one connection, in either direction."""
    for side in "ab":
        if (mine[f"host_{side}"], mine[f"port_{side}"]) != (address(told[f"host_{side}"]), int(told[f"port_{side}"])):
            yield f"host_{side}"
    yield from (name for name in WHOLE if told[name] is not None and mine[name] != told[name])
    for way in ("a2b", "b2a"):
        for name, value in told[way].items():
            if (None if pd.isna(mine[way][name]) else mine[way][name]) != as_told(value):
                yield name


def baselines():
    """(path, connections in 2004) of every usable capture of the suite."""
    if not SUITE.is_dir():
        return []
    told = json.loads(gzip.decompress((SUITE / "baseline-long.json.gz").read_bytes()))
    rows = json.loads((SUITE / "captures.json").read_text())
    return [(SUITE / row["capture"], told[row["file"]]["connections"]) for row in rows if row["usable"]]


@pytest.mark.parametrize(("path", "told"), baselines(), ids=lambda value: getattr(value, "name", ""))
def test_every_counter_of_2004(path, told):
    mine = connections(path)
    assert len(mine) == len(told)
    found = {name for ours, theirs in zip(mine, told, strict=True) for name in differing(ours, theirs)}
    assert found == {name for capture, name in DELIBERATE if capture == path.name}


def test_the_baselines_are_all_there():
    told = [conn for _, conns in baselines() for conn in conns]
    assert (len(baselines()), len(told)) == (36, 178)
    assert sum(len(conn["a2b"]) + len(conn["b2a"]) for conn in told) == 21_578


def others():
    """(path, connections of tcptrace 6.6.7) of the captures in which it finds any."""
    if not (CAPTURES / "oracle").is_dir():
        return []
    told = json.loads(gzip.decompress((CAPTURES / "oracle" / "tcptrace.json.gz").read_bytes()))
    rows = map(json.loads, (CAPTURES / "MANIFEST.jsonl").read_text().splitlines())
    pairs = [(CAPTURES / row["name"], told.get(row["file"], {}).get("connections")) for row in rows]
    return [(path, conns) for path, conns in pairs if conns]


@pytest.mark.parametrize(("path", "told"), others(), ids=lambda value: getattr(value, "name", ""))
def test_other_captures(path, told):
    mine = connections(path)
    assert (len(mine) != len(told)) == (path.name in OTHER_CONNECTIONS)
    if len(mine) == len(told):
        found = {name for ours, theirs in zip(mine, told, strict=True) for name in differing(ours, theirs)}
        found = {name for name in found if "full_sz" not in name}  # wrong in a program of 64 bits
        differ = DEVIATIONS.get(path.name, (set(), ""))[0]
        assert found == differ or (differ is EVERYTHING and found)

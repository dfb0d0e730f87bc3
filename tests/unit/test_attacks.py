"""Attacks that show over many connections, or many resets of one; and what is just below the bounds."""

from __future__ import annotations

import tcptrace_py as tt
from tcptrace_py.tracker.attacks import FLOOD, GUESSES, SCAN
from tests import packets
from tests.packets import ACK, PSH, RST, SYN

MS = 10**6


def attacks(path, segments):
    """The findings of these: (ms, source, source port, target, target port, flags, seq, ack)."""
    data, times = [], []
    for place, (ms, source, sport, target, dport, flags, seq, ack) in enumerate(segments):
        tcp = packets.tcp(flags, seq=seq, ack=ack, sport=sport, dport=dport)
        data.append(packets.ipv4(tcp, source, target, ip_id=1 + place))
        times.append(packets.BASE_NS + int(ms * MS))
    trace = tt.analyze(packets.write_pcap(path, data, 101, times=times), tables=("events",))
    rows = [row for row in trace.arrow("events").to_pylist() if row["code"].startswith("atk_")]
    return [(row["code"], row["conn_id"], row["frame"], row["evidence"], row["sentence"]) for row in rows]


def flood(n, apart_ms, *, answered=False):
    """SYNs to one listener, from addresses of their own; half of them answered, none completed."""
    made = []
    for k in range(n):
        source = f"198.51.100.{k % 250}"
        made.append((k * apart_ms, source, 1024 + k, "203.0.113.5", 443, SYN, 77 * k, 0))
        if answered:
            made.append((k * apart_ms + 0.01, "203.0.113.5", 443, source, 1024 + k, SYN | ACK, 9, 77 * k + 1))
    return made


def opened(n, start_ms):
    """Whole handshakes with the same listener."""
    made = []
    for k in range(n):
        ends = ("192.0.2.9", 2000 + k, "203.0.113.5", 443)
        back = (*ends[2:], *ends[:2])
        at = start_ms + k
        made += [(at, *ends, SYN, 5, 0), (at + 0.1, *back, SYN | ACK, 9, 6), (at + 0.2, *ends, ACK, 6, 10)]
    return made


def test_flood_of_syns(tmp_path):
    said = f"SYN flood: {FLOOD} connections to 203.0.113.5 port 443 never completed, from {FLOOD} addresses"
    for answered in (False, True):
        assert attacks(tmp_path / "a.pcap", flood(FLOOD, 5, answered=answered)) == [
            ("atk_syn_flood", None, None, FLOOD, said)
        ]


def test_no_flood_when_too_few_too_slow_or_mostly_completed(tmp_path):
    path = tmp_path / "a.pcap"
    assert attacks(path, flood(FLOOD - 1, 5)) == []
    assert attacks(path, flood(2 * FLOOD, 20)) == []
    assert attacks(path, flood(FLOOD, 5) + opened(FLOOD, 5 * FLOOD)) == []
    assert attacks(path, flood(FLOOD, 5) + opened(FLOOD - 1, 5 * FLOOD)) != []


def knock(n, *, ports=1, refused=0):
    """One source asks `n` targets; the first `refused` of them refuse."""
    made = []
    for k in range(n):
        ends = ("192.0.2.1", 40_000 + k, f"203.0.113.{k // ports}", 1 + k % ports)
        made.append((100 * k, *ends, SYN, 5, 0))
        if k < refused:
            made.append((100 * k + 1, *ends[2:], *ends[:2], RST | ACK, 0, 6))
    return made


def test_scan_of_ports_and_of_addresses(tmp_path):
    ports = attacks(tmp_path / "p.pcap", knock(SCAN, ports=SCAN, refused=SCAN))
    assert ports == [("atk_scan", None, None, SCAN, f"scan: {SCAN} ports of 1 address do not accept 192.0.2.1")]
    addresses = attacks(tmp_path / "a.pcap", knock(SCAN))
    assert addresses == [
        ("atk_scan", None, None, SCAN, f"scan: {SCAN} ports of {SCAN} addresses do not accept 192.0.2.1")
    ]
    assert attacks(tmp_path / "few.pcap", knock(SCAN - 1)) == []
    assert attacks(tmp_path / "one.pcap", knock(1) * (2 * SCAN)) == []


def guessed(n, *, step):
    client, server = ("192.0.2.1", 40_000), ("203.0.113.5", 80)
    made = [
        (0, *client, *server, SYN, 1000, 0),
        (1, *server, *client, SYN | ACK, 9000, 1001),
        (2, *client, *server, ACK, 1001, 9001),
        (3, *client, *server, PSH | ACK, 1001, 9001),
    ]
    return made + [(10 + k, *client, *server, RST, 1_000_000 + k * step, 0) for k in range(n)]


def test_blind_resets(tmp_path):
    ((code, conn_id, _, number, _),) = attacks(tmp_path / "a.pcap", guessed(GUESSES, step=8192))
    assert (code, conn_id, number) == ("atk_blind", 0, GUESSES)
    assert attacks(tmp_path / "few.pcap", guessed(GUESSES - 1, step=8192)) == []
    assert attacks(tmp_path / "same.pcap", guessed(3 * GUESSES, step=0)) == []

"""Findings that need more than a scenario can say: lengths, other protocols, bounds, options of analyze()."""

from __future__ import annotations

import pytest

import tcptrace_py as tt
from tests.packets import (
    ACK,
    CLIENT,
    FIN,
    PSH,
    RST,
    SERVER,
    SYN,
    ethernet,
    icmp_error,
    ipv4,
    tcp,
    vlan,
    write_pcap,
)

MS = 1_000_000


def up(tcp_segment, **fields):
    return ipv4(tcp_segment, CLIENT, SERVER, **fields)


def down(tcp_segment, **fields):
    tcp_segment.sport, tcp_segment.dport = tcp_segment.dport, tcp_segment.sport
    return ipv4(tcp_segment, SERVER, CLIENT, **fields)


def handshake(port: int = 40_000) -> list[bytes]:
    return [
        up(tcp(SYN, seq=1000, ack=0, sport=port), ip_id=1),
        down(tcp(SYN | ACK, seq=7000, ack=1001, sport=port), ip_id=1),
        up(tcp(ACK, seq=1001, ack=7001, sport=port), ip_id=2),
    ]


def analysed(path, data, link=101, **options):
    return tt.analyze(write_pcap(path / "x.pcap", data, link), **options)


def findings(trace) -> list[list[str]]:
    return [sorted(conn.record["findings"]) for conn in trace]


def test_total_length_of_zero_takes_the_length_of_the_frame(tmp_path):
    """A packet that the network card is still to cut (offload) has no length in its IP header."""
    data = [*handshake(), up(tcp(PSH | ACK, seq=1001, ack=7001, payload=b"x" * 3000), ip_id=3, total=0)]
    trace = analysed(tmp_path, data)
    assert findings(trace) == [["cap_offload"]]
    assert trace[0].record["c2s_octets"] == 3000


def test_icmp_error_belongs_to_the_connection_that_it_quotes(tmp_path):
    data = [*handshake(40_000), *handshake(40_001)]
    data.append(icmp_error(up(tcp(ACK, seq=1001, ack=7001, sport=40_001))[:28]))
    trace = analysed(tmp_path, data)
    assert findings(trace) == [[], ["icmp_error"]]
    assert trace.summary.packets == 7
    assert trace.summary.segments == 6


def test_beyond_the_bound_connections_leave_early(tmp_path):
    """Of four half-open connections only two may be held: the others are written out, and say so."""
    data = [up(tcp(SYN, seq=1000, ack=0, sport=port), ip_id=port & 0xFFFF) for port in range(40_000, 40_004)]
    trace = analysed(tmp_path, data, limits=tt.Limits(max_connections=2), batch_size=1)
    assert len(trace) == 4
    assert sum("evicted" in found for found in findings(trace)) >= 2
    assert {record["evicted"] for record in (conn.record for conn in trace)} == {True, False}


@pytest.mark.parametrize(("limit_ms", "connections"), [(0, 1), (500, 2), (5000, 1)])
def test_idle_time_splits_only_on_demand(limit_ms, connections, tmp_path):
    data = [*handshake(), up(tcp(PSH | ACK, seq=1001, ack=7001, payload=b"late"), ip_id=3)]
    path = write_pcap(tmp_path / "x.pcap", data, 101, times=[0, 10 * MS, 20 * MS, 1020 * MS])
    assert len(tt.analyze(path, idle_timeout_ns=limit_ms * MS)) == connections


def test_checksums_can_be_left_unverified(tmp_path):
    data = [*handshake(), up(tcp(PSH | ACK, seq=1001, ack=7001, payload=b"data", checksum=0xBAD), ip_id=3)]
    assert findings(analysed(tmp_path, data)) == [["bad_checksum"]]
    trusting = analysed(tmp_path, data, verify_checksums=False)
    assert findings(trusting) == [[]]
    assert trusting[0].record["c2s_unique_octets"] == 4


def test_roles_by_the_first_sender_where_ports_do_not_tell(tmp_path):
    data = [
        ipv4(tcp(ACK | PSH, payload=b"a", sport=5000, dport=5000), SERVER, CLIENT),
        ipv4(tcp(ACK, seq=2000, ack=1001, sport=5000, dport=5000), CLIENT, SERVER),
    ]
    record = analysed(tmp_path, data)[0].record
    assert (record["roles_from"], record["client_ip"], record["server_ip"]) == ("first_sender", SERVER, CLIENT)


def test_the_same_ports_on_another_vlan_are_another_connection(tmp_path):
    data = [ethernet(vlan(number, packet)) for packet in handshake() for number in (5, 6)]
    trace = analysed(tmp_path, data, link=1)
    assert [conn.record["handshake"] for conn in trace] == ["three_way", "three_way"]
    assert findings(trace) == [[], []]


def test_backscatter_of_resets(tmp_path):
    record = analysed(tmp_path, [down(tcp(RST | ACK, seq=0, ack=1001))])[0].record
    assert (record["handshake"], record["findings"][0]) == ("backscatter", "hs_backscatter")


def test_2msl_is_an_option(tmp_path):
    """Closed for two seconds: with 2MSL of one second the same ports are new, with sixty they are reused."""
    closing = [
        up(tcp(FIN | ACK, seq=1001, ack=7001), ip_id=3),
        down(tcp(FIN | ACK, seq=7001, ack=1002), ip_id=2),
        up(tcp(ACK, seq=1002, ack=7002), ip_id=4),
    ]
    data = [*handshake(), *closing, up(tcp(SYN, seq=50_000, ack=0), ip_id=5)]
    path = write_pcap(tmp_path / "x.pcap", data, 101, times=[n * MS for n in range(6)] + [2000 * MS])
    assert findings(tt.analyze(path)) == [[], ["hs_no_answer", "reused_port", "tw_reuse_ok"]]
    assert findings(tt.analyze(path, msl2_ns=1000 * MS)) == [[], ["hs_no_answer"]]


def test_each_finding_of_a_segment_has_its_own_evidence(tmp_path):
    """100 octets are missing before it, and it reaches 50 beyond the window."""
    data = handshake()
    data[1] = down(tcp(SYN | ACK, seq=7000, ack=1001, window=250), ip_id=1)
    data.append(up(tcp(PSH | ACK, seq=1101, ack=7001, payload=b"x" * 200), ip_id=4))
    events = analysed(tmp_path, data).events
    evidence = {row["code"]: row["evidence"] for row in events.to_dict("records")}
    assert evidence == {"previous_segment_lost": 100, "seq_beyond_window": 50}

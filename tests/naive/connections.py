"""A row of `connections` the plain way: column after column, an `if` where a value may be unknown."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import math

from tcptrace_py.tracker import closed_first, handshake_shape, teardown_shape
from tcptrace_py.vocabulary import ANOMALIES, Handshake, RolesFrom, Severity, State, Teardown

CLOSERS = ("client", "server", None, "both")


def seen(value):
    return None if value < 0 else value


def between(begin, end):
    return None if begin < 0 or end < 0 else end - begin


def address(place):
    number = place[0] << 64 | place[1]
    v6 = ipaddress.IPv6Address(number)
    return v6.ipv4_mapped or v6


def community_id(one, other):
    low, high = sorted((address(place).packed, place[2]) for place in (one, other))
    ports = b"".join(port.to_bytes(2) for _, port in (low, high))
    digest = hashlib.sha1(bytes(2) + low[0] + high[0] + bytes([6, 0]) + ports, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode()


def found(conn):
    codes = [code for code in range(64) if conn.found >> code & 1]
    codes += [code + 64 for code in range(64) if conn.found_conn >> code & 1]
    return sorted((each for each in ANOMALIES if each.code in codes), key=lambda each: (-each.severity, each.code))


def row(conn):
    """Column -> value, without what does not follow from the connection."""
    client, server = (conn.pair[conn.client_side], conn.pair[1 - conn.client_side])
    first = closed_first(conn)
    closes, other = (conn.server, conn.client) if first == 1 else (conn.client, conn.server)
    one_closes = first in {0, 1}
    opening = conn.steps_checked & 7
    findings = found(conn)
    values = {
        "conn_id": conn.conn_id,
        "community_id": community_id(client, server),
        "client_ip": str(address(client)),
        "client_port": client[2],
        "server_ip": str(address(server)),
        "server_port": server[2],
        "client_addr": (client[0] << 64 | client[1]).to_bytes(16),
        "server_addr": (server[0] << 64 | server[1]).to_bytes(16),
        "roles_from": list(RolesFrom)[conn.roles_from],
        "handshake": list(Handshake)[handshake_shape(conn)],
        "handshake_ok": conn.steps_failed & 7 == 0 if opening else None,
        "syn_count": conn.syns,
        "syn_ack_count": conn.syn_acks,
        "teardown": list(Teardown)[teardown_shape(conn)],
        "closed_first": CLOSERS[first],
        "reset_by": CLOSERS[conn.reset_by],
        "last_ack_missing": "td_no_last_ack" in [each.name for each in findings],
        "half_close_octets": closes.after_fin_octets if one_closes else None,
        "client_state": State(conn.client.state).name,
        "server_state": State(conn.server.state).name,
        "client_proved": State(conn.client.proved).name,
        "server_proved": State(conn.server.proved).name,
        "retry_of": seen(conn.retry_of),
        "findings": [each.name for each in findings],
        "severity": Severity(findings[0].severity).name if findings else None,
        "evicted": conn.evicted,
        "continues": seen(conn.continues),
    }
    times = {
        "start": conn.start,
        "end": conn.end,
        "duration_ns": conn.end - conn.start,
        "syn_time": seen(conn.syn_time),
        "syn_ack_time": seen(conn.syn_ack_time),
        "hs_ack_time": seen(conn.hs_ack_time),
        "syn_rtt_ns": between(conn.syn_time, conn.syn_ack_time) if conn.syns == conn.syn_acks == 1 else None,
        "ack_rtt_ns": between(conn.syn_ack_time, conn.hs_ack_time) if conn.syn_acks == 1 else None,
        "half_close_ns": between(closes.fin_acked_time, other.fin_time) if one_closes else None,
        "fin_1_time": seen(closes.fin_time),
        "ack_1_time": seen(closes.fin_acked_time),
        "fin_2_time": seen(other.fin_time),
        "ack_2_time": seen(other.fin_acked_time),
        "reuse_gap_ns": seen(conn.reuse_gap),
    }
    for way, end in (("c2s", conn.client), ("s2c", conn.server)):
        values |= {f"{way}_{name}": value for name, value in of_end(end).items()}
        times |= {f"{way}_{name}": value for name, value in times_of_end(conn, end).items()}
    return values | (times if conn.timed else dict.fromkeys(times))


def missing(end):
    """Octets known to be missing, and those between the runs that are seen above the front."""
    edges = [end.front, *(end.ranges or ())]
    return end.missing_octets + sum(edges[k + 1] - edges[k] for k in range(0, len(edges) - 1, 2))


def of_end(end):
    mean = end.rtt_sum / end.rtt_n if end.rtt_n else None
    return {
        "segments": end.segments,
        "wire_bytes": end.wire_bytes,
        "octets": end.octets,
        "unique_octets": end.unique_octets,
        "resent_octets": end.resent_octets,
        "missing_octets": missing(end),
        "data_segments": end.data_segments,
        "retransmissions": end.retransmissions,
        "loss_events": end.recoveries,
        "out_of_order": end.out_of_order,
        "lost_segments": end.lost_segments,
        "duplicate_packets": end.copies,
        "duplicate_acks": end.duplicate_acks,
        "syns": end.syns,
        "fins": end.fins,
        "rsts": end.rsts,
        "rtt_samples": end.rtt_n,
        "rtt_min_ns": end.rtt_min if end.rtt_n else None,
        "rtt_avg_ns": round(mean) if end.rtt_n else None,
        "rtt_max_ns": end.rtt_max if end.rtt_n else None,
        "rtt_stdev_ns": int(math.sqrt(max(end.rtt_squares / end.rtt_n - mean**2, 0))) if end.rtt_n else None,
        "window_min": seen(end.window_min),
        "window_max": seen(end.window_max),
        "zero_windows": end.zero_windows,
        "mss": seen(end.mss),
        "wscale": seen(end.wscale),
        "sack_permitted": end.sack_permitted if end.syns else None,
        "timestamps": end.timestamps if end.syns else None,
        "ttl": end.ttl or None,
        "initial_window": seen(end.initial_window),
        "max_in_flight": end.max_in_flight if end.seen else None,
        "max_segment": end.max_segment,
    }


def times_of_end(conn, end):
    lasts = conn.end - conn.start
    return {
        "zero_window_ns": end.zero_window_ns,
        "first_data_time": seen(end.first_data),
        "last_data_time": seen(end.last_data),
        "idle_max_ns": seen(end.idle_max),
        "throughput": end.unique_octets * 1e9 / lasts if lasts > 0 else None,
    }

"""The answers to the questions of ``tcpflows query --ask``, once more: loops over rows, from what each question means.

Knows no SQL.  A row is a dictionary with times as nanoseconds.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict

import pyarrow as pa

import tcptrace_py as tt


def rows_of(table):
    """An Arrow table as dictionaries."""
    plain = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.columns]
    return pa.Table.from_arrays(plain, names=table.column_names).to_pylist()


class Known:
    """What the captures hold, read one by one."""

    def __init__(self, paths):
        self.connections, self.states, self.captures = [], [], []
        for path in paths:
            try:
                trace = tt.analyze(path, tables=["connections", "states"])
            except tt.UnreadableError:
                continue
            self.connections += rows_of(trace.arrow("connections"))
            self.states += rows_of(trace.arrow("states"))
            self.captures += rows_of(trace.arrow("captures"))


def network(address):
    """The /24 or /48 of an address."""
    length = 24 if ipaddress.ip_address(address).version == 4 else 48
    return ipaddress.ip_network(f"{address}/{length}", strict=False)


def grouped(rows, key):
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def picked(row, names):
    return {name: row[name] for name in names.split()}


def service(conn):
    return conn["server_ip"], conn["server_port"]


def quantile(values, share):
    """The least value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return next(value for value in ordered if sum(v <= value for v in ordered) >= share * len(ordered) - 1e-9)


def total(rows, name):
    return sum(row[name] or 0 for row in rows)


def slow_handshakes(known, threshold_ms):
    for conn in known.connections:
        if conn["syn_time"] is not None and conn["hs_ack_time"] is not None:
            took = conn["hs_ack_time"] - conn["syn_time"]
            if took > threshold_ms * 10**6:
                first = picked(conn, "capture conn_id client_ip server_ip server_port syn_time")
                rest = picked(conn, "syn_rtt_ns ack_rtt_ns syn_count syn_ack_count")
                yield (-took, conn["capture"], conn["conn_id"]), first | {"handshake_ns": took} | rest


def never_answered(known):
    silent = [conn for conn in known.connections if conn["handshake"] == "no_answer"]
    for (ip, port), conns in grouped(silent, service).items():
        syns = total(conns, "syn_count")
        yield (
            (-len(conns), -syns, ip, port),
            {
                "server_ip": ip,
                "server_port": port,
                "connections": len(conns),
                "clients": len({conn["client_ip"] for conn in conns}),
                "syns": syns,
                "first_time": min((c["start"] for c in conns if c["start"] is not None), default=None),
                "last_time": max((c["end"] for c in conns if c["end"] is not None), default=None),
            },
        )


def resets_by_server(known):
    for (ip, port), conns in grouped(known.connections, service).items():
        shapes = Counter(conn["teardown"] for conn in conns if conn["reset_by"] == "server")
        resets = sum(shapes.values())
        if resets:
            yield (
                (-resets, -resets / len(conns), ip, port),
                {
                    "server_ip": ip,
                    "server_port": port,
                    "resets": resets,
                    "connections": len(conns),
                    "share": resets / len(conns),
                    "refused": shapes["refused"],
                    "aborts": shapes["abort"],
                    "after_fin": shapes["reset_after_fin"],
                },
            )


def retransmission_by_prefix(known, least):
    for prefix, conns in grouped(known.connections, lambda conn: network(conn["client_ip"])).items():
        sides = [
            [conn[f"{way}_{what}"] for way in ("c2s", "s2c") for what in ("octets", "resent_octets")] for conn in conns
        ]
        sides = [side for side in sides if None not in side and side[0] + side[2] > 0]
        octets, resent = sum(s[0] + s[2] for s in sides), sum(s[1] + s[3] for s in sides)
        if sides and len(sides) >= least:
            answer = {"client_prefix": prefix, "connections": len(sides), "octets": octets, "resent_octets": resent}
            yield (-resent / octets, -octets, str(prefix)), answer | {"share": resent / octets}


def time_wait_reuse(known, within_s):
    for conn in known.connections:
        gap = conn["reuse_gap_ns"]
        if gap is not None and gap < within_s * 10**9:
            early = "tw_reuse_bad" in conn["findings"]
            names = "capture conn_id client_ip client_port server_ip server_port start reuse_gap_ns handshake"
            yield (not early, gap, conn["capture"], conn["conn_id"]), picked(conn, names) | {"too_early": early}


def sides(known):
    """Every host with what it sent and got on a connection, and who was on the other side."""
    for conn in known.connections:
        for me, peer, sent, got in (("client", "server", "c2s", "s2c"), ("server", "client", "s2c", "c2s")):
            yield conn[f"{me}_ip"], conn[f"{peer}_ip"], sent, got, conn


def zero_window_hosts(known):
    closed = defaultdict(list)
    for host, _, sent, _, conn in sides(known):
        if conn[f"{sent}_zero_windows"]:
            closed[host].append((conn[f"{sent}_zero_windows"], conn[f"{sent}_zero_window_ns"]))
    for host, times in closed.items():
        spans = [span for _, span in times if span is not None]
        number, span = sum(count for count, _ in times), sum(spans) if spans else None
        yield (
            (span is None, -(span or 0), -number, host),
            {
                "host": host,
                "connections": len(times),
                "zero_windows": number,
                "closed_ns": span,
                "closed_max_ns": max(spans, default=None),
            },
        )


def top_talkers(known):
    hosts = defaultdict(lambda: {"connections": 0, "peers": set(), "sent_octets": 0, "got_octets": 0})
    for host, peer, sent, got, conn in sides(known):
        facts = hosts[host]
        facts["connections"] += 1
        facts["peers"].add(peer)
        facts["sent_octets"] += conn[f"{sent}_unique_octets"] or 0
        facts["got_octets"] += conn[f"{got}_unique_octets"] or 0
    for host, facts in hosts.items():
        order = (-facts["sent_octets"] - facts["got_octets"], -facts["connections"], host)
        yield order, {"host": host} | facts | {"peers": len(facts["peers"])}


def half_closed_long(known, threshold_s):
    for conn in known.connections:
        if conn["half_close_ns"] is not None and conn["half_close_ns"] > threshold_s * 10**9:
            names = "capture conn_id client_ip server_ip server_port closed_first fin_1_time half_close_ns"
            order = (-conn["half_close_ns"], conn["capture"], conn["conn_id"])
            yield order, picked(conn, names + " half_close_octets")


def syn_retransmissions(known):
    for (ip, port), conns in grouped(known.connections, service).items():
        resent = [conn for conn in conns if conn["syn_count"] > 1 or conn["syn_ack_count"] > 1]
        if resent:
            share = len(resent) / len(conns)
            yield (
                (-len(resent), -share, ip, port),
                {
                    "server_ip": ip,
                    "server_port": port,
                    "resent": len(resent),
                    "connections": len(conns),
                    "share": share,
                    "more_syns": sum(max(conn["syn_count"] - 1, 0) for conn in conns),
                    "more_syn_acks": sum(max(conn["syn_ack_count"] - 1, 0) for conn in conns),
                },
            )


def rtt_by_prefix(known, least):
    measured = [conn for conn in known.connections if conn["syn_rtt_ns"] is not None]
    for prefix, conns in grouped(measured, lambda conn: network(conn["server_ip"])).items():
        trips = [conn["syn_rtt_ns"] for conn in conns]
        if len(trips) >= least:
            answer = {"server_prefix": prefix, "connections": len(trips), "least_ns": min(trips)}
            answer |= {"median_ns": quantile(trips, 0.5), "p95_ns": quantile(trips, 0.95), "most_ns": max(trips)}
            yield (-answer["median_ns"], str(prefix)), answer


def teardown_shapes(known):
    ends = Counter((conn["teardown"], conn["closed_first"], conn["reset_by"]) for conn in known.connections)
    for (shape, first, reset), number in ends.items():
        order = (-number, shape, first is None, first or "", reset is None, reset or "")
        answer = {"teardown": shape, "closed_first": first, "reset_by": reset, "connections": number}
        yield order, answer | {"share": number / len(known.connections)}


def idle_connections(known, threshold_s):
    for conn in known.connections:
        pauses = conn["c2s_idle_max_ns"], conn["s2c_idle_max_ns"]
        if None not in pauses and min(pauses) > threshold_s * 10**9:
            first = picked(conn, "capture conn_id client_ip server_ip server_port duration_ns")
            rest = picked(conn, "teardown reset_by")
            yield (-min(pauses), conn["capture"], conn["conn_id"]), first | {"idle_ns": min(pauses)} | rest


def close_wait(known, threshold_s):
    last = {}
    for capture in known.captures:  # of a rotated set there is one a file
        name = capture["set"] or capture["path"]
        last[name] = max((t for t in (last.get(name), capture["last_time"]) if t is not None), default=None)
    conns = {(conn["capture"], conn["conn_id"]): conn for conn in known.connections}
    for state in known.states:
        until = last[state["capture"]] if state["left_time"] is None else state["left_time"]
        if state["state"] != "CLOSE_WAIT" or until is None or state["entered_time"] is None:
            continue
        stayed = until - state["entered_time"]
        if stayed > threshold_s * 10**9:
            conn = conns[state["capture"], state["conn_id"]]
            yield (
                (-stayed, state["capture"], state["conn_id"], state["endpoint"]),
                picked(state, "capture conn_id endpoint")
                | {"host": conn[f"{state['endpoint']}_ip"], "server_port": conn["server_port"]}
                | {"entered_time": state["entered_time"], "close_wait_ns": stayed, "still": state["left_time"] is None},
            )


def findings(known):
    found = defaultdict(list)
    for conn in known.connections:
        for name in conn["findings"]:
            found[name].append(conn["capture"])
    for name, captures in found.items():
        yield (
            (-len(captures), name),
            {"finding": name, "connections": len(captures), "captures": len(set(captures))},
        )


def capture_quality(known):
    missed = Counter()
    for conn in known.connections:
        missed[conn["capture"]] += (conn["c2s_missing_octets"] or 0) + (conn["s2c_missing_octets"] or 0)
    for capture in known.captures:
        unused = sum(number for name, number in capture.items() if name.startswith("unused_"))
        octets = missed[capture["set"] or capture["path"]]
        if capture["status"] != "ok" or unused or octets or capture["findings"] or capture["limits"]:
            answer = picked(capture, "path status reason packets_read")
            answer |= {"packets_unused": unused, "missing_octets": octets}
            order = (capture["status"] == "ok", -octets, -unused, capture["path"])
            yield order, answer | picked(capture, "findings limits notes")


def clock_of_captures(known):
    timed = sorted(
        (capture for capture in known.captures if capture["first_time"] is not None),
        key=lambda capture: (capture["first_time"], capture["path"]),
    )
    for number, capture in enumerate(timed):
        before = max((earlier["last_time"] for earlier in timed[:number]), default=None)
        answer = picked(capture, "path first_time last_time")
        answer |= {"span_ns": capture["last_time"] - capture["first_time"]}
        answer |= {"gap_ns": None if before is None else capture["first_time"] - before}
        yield (number,), answer | {"runs_backwards": "cap_ts_back" in capture["findings"]}


def answer(known, name, rows=None, **settings):
    """What the question of that name is to be answered with."""
    ordered = sorted(globals()[name.replace("-", "_")](known, **settings), key=lambda pair: pair[0])
    return [row for _, row in ordered][:rows]


def comparable(rows):
    """Networks as networks, however they are written."""
    return [{k: ipaddress.ip_network(v) if k.endswith("_prefix") else v for k, v in row.items()} for row in rows]

"""Hand-made connections, and a stand-in for the analysis that returns them: the views are tested without a tracker."""

import sys
from types import ModuleType, SimpleNamespace

from tcptrace_py.errors import UnreadableError
from tcptrace_py.tables.schema import TABLES

T0 = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
ISN = {"c2s": 3626544836, "s2c": 1739326486}
MS = 1_000_000


def row(frame, ms, direction, flags, numbers, states, **more):  # noqa: PLR0913, PLR0917 - a row of a drawing
    """A timeline row; `numbers` is (relative seq, relative ack or None, payload), `states` is "CLIENT/SERVER"."""
    seq, ack, payload = numbers
    client, server = states.split("/")
    peer = ISN["s2c" if direction == "c2s" else "c2s"]
    known = dict.fromkeys(column.name for column in TABLES["timeline"])
    known |= {
        "capture": "hand.pcap",
        "frame": frame,
        "part": 0,
        "time": T0 + round(ms * MS),
        "conn_id": 0,
        "direction": direction,
        "flags": flags,
        "flags_raw": sum(1 << "FSRPAUECN".index(letter) for letter in flags),
        "seq": (ISN[direction] + seq) % 2**32,
        "ack": None if ack is None else (peer + ack) % 2**32,
        "rel_seq": seq,
        "rel_ack": ack,
        "payload_bytes": payload,
        "rel_sack": [],
        "steps": [],
        "steps_ok": [],
        "client_state": client,
        "server_state": server,
        "anomalies": [],
        "marks": [],
    }
    return known | more


def handshake():
    """The tutorial's three segments."""
    return [
        row(1, 0, "c2s", "S", (0, None, 0), "SYN_SENT/SYN_RCVD", steps=["handshake_1"], steps_ok=[True]),
        row(2, 0.2, "s2c", "SA", (0, 1, 0), "ESTABLISHED/SYN_RCVD", steps=["handshake_2"], steps_ok=[True]),
        row(3, 0.4, "c2s", "A", (1, 1, 0), "ESTABLISHED/ESTABLISHED", steps=["handshake_3"], steps_ok=[True]),
    ]


def close(frame=4, ms=900, seq=1):
    """A close in three segments; the equation of the second FIN does not hold."""
    return [
        row(frame, ms, "c2s", "FA", (seq, 1, 0), "FIN_WAIT_1/CLOSE_WAIT", steps=["teardown_1"], steps_ok=[None]),
        row(
            frame + 1,
            ms + 1,
            "s2c",
            "FA",
            (1, seq + 1, 0),
            "TIME_WAIT/LAST_ACK",
            steps=["teardown_2", "teardown_3"],
            steps_ok=[True, False],
        ),
        row(frame + 2, ms + 2, "c2s", "A", (seq + 1, 2, 0), "TIME_WAIT/CLOSED", steps=["teardown_4"], steps_ok=[True]),
    ]


def bulk(segments=20):
    """Data and its ACKs in turn; one resend, and one closed window."""
    rows = []
    for i in range(segments):
        up = i % 2 == 0
        numbers = (1 + 100 * (i // 2), 1, 100) if up else (1, 101 + 100 * (i // 2), 0)
        rows.append(row(4 + i, 1 + i, "c2s" if up else "s2c", "PA" if up else "A", numbers, "ESTABLISHED/ESTABLISHED"))
    for i, name in ((8, "retransmission"), (17, "zero_window")):
        if i < segments:
            rows[i]["anomalies"] = [name]
    return rows


def record(**more):
    """The connection's row of the connections table."""
    known = dict.fromkeys(column.name for column in TABLES["connections"])
    known |= {column.name: 0 for column in TABLES["connections"] if not column.nullable and column.type == "uint32"}
    known |= {
        "capture": "hand.pcap",
        "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "client_ip": "192.168.1.116",
        "client_port": 3337,
        "server_ip": "192.168.1.123",
        "server_port": 7788,
        "client_addr": bytes(10) + b"\xff\xff" + bytes([192, 168, 1, 116]),
        "server_addr": bytes(10) + b"\xff\xff" + bytes([192, 168, 1, 123]),
        "roles_from": "syn",
        "network": "",
        "start": T0,
        "end": T0 + 902 * MS,
        "duration_ns": 902 * MS,
        "handshake": "three_way",
        "handshake_ok": True,
        "syn_rtt_ns": 200_000,
        "teardown": "three_segment",
        "last_ack_missing": False,
        "client_state": "TIME_WAIT",
        "server_state": "CLOSED",
        "client_proved": "TIME_WAIT",
        "server_proved": "LAST_ACK",
        "findings": ["zero_window", "retransmission"],
        "severity": "warning",
        "evicted": False,
        "c2s_octets": 1000,
        "s2c_octets": 0,
        "c2s_throughput": 1108.5,
    }
    return known | more


def capture(path, **more):
    """The capture's row of the captures table."""
    known = {column.name: 0 if column.type == "int64" else "" for column in TABLES["captures"]}
    known |= {
        "path": path,
        "sha256": None,
        "format": "pcap",
        "link_types": ["ETHERNET"],
        "status": "ok",
        "offset": None,
        "packets_read": 30,
        "packets_used": 26,
        "segments": 26,
        "unused_not_ip": 3,
        "unused_not_tcp": 1,
        "first_time": T0,
        "last_time": T0 + 902 * MS,
        "connections": 1,
        "findings": [],
        "notes": [],
        "limits": [],
    }
    return known | more


class HandMadeTrace:
    """What `analyze` returns, for one connection made above."""

    def __init__(self, path, **about):
        self.record = record(capture=path)
        self.timeline = [known | {"capture": path} for known in [*handshake(), *bulk(), *close(24, 900, 1001)]]
        self.about = capture(path, **about)
        self.status = self.about["status"]
        self.events = [
            dict.fromkeys(column.name for column in TABLES["events"])
            | {
                "capture": path,
                "conn_id": 0,
                "frame": 21,
                "time": T0 + 18 * MS,
                "code": "zero_window",
                "severity": "warning",
                "sentence": "can take no more data",
            }
        ]
        self.summary = SimpleNamespace(
            captures=[self.about],
            packets=30,
            segments=26,
            connections=1,
            by_handshake={"three_way": 1},
            by_teardown={"three_segment": 1},
            findings={"retransmission": (1, 1), "zero_window": (1, 1)},
            joined=None,
            worst=[self.record],
        )

    def __len__(self):
        return 1

    def __getitem__(self, conn_id):
        return SimpleNamespace(record=self.record, rows=lambda: self.timeline)

    def batches(self, table):
        import pyarrow as pa

        from tcptrace_py.tables.schema import arrow_schema

        rows = {
            "captures": [self.about],
            "connections": [self.record],
            "timeline": self.timeline,
            "events": self.events,
            "states": [],
        }[table]
        columns = {name: [known[name] for known in rows] for name in arrow_schema(table).names}
        yield pa.RecordBatch.from_pydict(columns, schema=arrow_schema(table))


def analyze(source, *, tables=(), progress=None, **options):
    """Stand in for `tcptrace_py.analysis.analyze`: the name of the input says what it is."""
    asked.append((source, tables, options))
    if "missing" in source:
        raise UnreadableError(f"{source}: no such file")
    if "cut" in source:
        message = "cut short in record 31 at byte 1234 (wanted 54, got 47)"
        return HandMadeTrace(source, status="partial", reason="cut", message=message, offset=1234)
    if "bug" in source:
        raise ZeroDivisionError("division by zero")
    if "interrupt" in source:
        raise KeyboardInterrupt
    return HandMadeTrace(source)


asked = []


def install():
    """Put the stand-in in the place of the analysis, where no other has been loaded yet."""
    module = ModuleType("tcptrace_py.analysis")
    module.analyze = analyze
    module.compiled = lambda: True
    sys.modules["tcptrace_py.analysis"] = module
    return module

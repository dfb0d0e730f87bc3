"""Scenarios: one behaviour of TCP written down a segment a line, with what the tracker must say of each.

Left of ``=>`` packetdrill's notation (``>`` client to server; numbers relative to the two ISNs of the first
connection), right of it the state of the client and of the server, and behind ``|`` every step and anomaly::

    +.010  <  F.  1:1(0)   ack 1  win 65535  => CLOSING / CLOSING  | teardown_1

A step whose equation fails has a ``!``.  ``<...>`` are options: ``mss 1460, wscale 7, sackOK, TS val 9 ecr 3, sack 1:5,
FO 0102``; ``[...]`` is the packet around: ``id 7, ttl 40, sum bad, octets x`` (what its payload is made of).  Without
it, IP IDs count from 100 each way.  Lines that begin with ``#`` are prose, but for ``# shape:`` (handshake and teardown
of the next connection), ``# found:`` (its findings that no segment bears) and ``# column:`` (name=value of its row);
``# asked:`` names options of `analyze` that the scenario needs.

``python -m tests.seg CAPTURE ID`` writes a connection of a real capture in this form.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import tcptrace_py as tt
from tcptrace_py.vocabulary import BY_NAME, SEGMENT_ANOMALIES
from tests import packets

if TYPE_CHECKING:
    from pathlib import Path

LINE = re.compile(
    r"""\+(?P<after>-?[\d.]+) \s+ (?P<way>[<>]) \s+ (?P<flags>[SFRPUEW.-]+)
    \s+ (?P<seq>-?\d+):(?P<end>-?\d+)\((?P<size>\d+)\)
    (?:\s+ ack \s+ (?P<ack>-?\d+))? (?:\s+ win \s+ (?P<win>\d+))?
    (?:\s+ <(?P<options>[^>]*)>)? (?:\s+ \[(?P<packet>[^\]]*)\])?
    \s* => \s* (?P<client>[\w-]+) \s* / \s* (?P<server>[\w-]+) (?: \s* \| \s* (?P<labels>.*?))? \s*""",
    re.VERBOSE,
)
FLAGS = {"S": 2, "F": 1, "R": 4, "P": 8, "U": 32, "E": 64, "W": 128, ".": 16, "-": 0}
LETTERS = {"F": "F", "S": "S", "R": "R", "P": "P", "A": ".", "U": "U", "E": "E", "C": "W"}
WINDOW = 65535
FIRST_ID = 100
PORTS = (40_000, 80)


@dataclass
class Segment:
    """One line: what is sent, and what is to be said of it."""

    line: int  # its place in the script
    after_ns: int
    way: str
    flags: int
    seq: int
    size: int
    ack: int | None
    win: int
    options: str
    packet: dict[str, str]
    expected: tuple[str, str, frozenset[str]]


@dataclass
class Life:
    """What is to be said of one connection as a whole."""

    shape: tuple[str, str]
    found: frozenset[str] = frozenset()
    columns: dict[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """A scenario."""

    text: str
    segments: list[Segment]
    lives: list[Life]
    asked: dict[str, bool] = field(default_factory=dict)


def parse(text: str) -> Script:
    """Read a script."""
    script = Script(text, [], [])
    for number, line in enumerate(text.splitlines()):
        if line.startswith("#"):
            read_header(line, script)
        elif line.strip():
            script.segments.append(read_line(line, number))
    return script


def read_header(line: str, script: Script) -> None:
    name, _, rest = line.lstrip("# ").partition(":")
    if name == "shape":
        handshake, teardown = rest.split()
        script.lives.append(Life((handshake, teardown)))
    elif name == "asked":
        script.asked.update(dict.fromkeys(rest.split(), True))
    elif name == "found":
        script.lives[-1].found = frozenset(rest.split())
    elif name == "column":
        script.lives[-1].columns.update(item.split("=") for item in rest.split())


def read_line(line: str, number: int) -> Segment:
    parts = LINE.fullmatch(line)
    if parts is None:
        raise ValueError(f"line {number + 1} is not a segment: {line}")
    seq, size = int(parts["seq"]), int(parts["size"])
    if int(parts["end"]) != seq + size:
        raise ValueError(f"line {number + 1}: {seq} and {size} octets do not end at {parts['end']}")
    return Segment(
        line=number,
        after_ns=nanoseconds(parts["after"]),
        way=parts["way"],
        flags=sum(FLAGS[letter] for letter in parts["flags"]),
        seq=seq,
        size=size,
        ack=None if parts["ack"] is None else int(parts["ack"]),
        win=WINDOW if parts["win"] is None else int(parts["win"]),
        options=parts["options"] or "",
        packet=dict(item.split(maxsplit=1) for item in (parts["packet"] or "").split(",") if item.strip()),
        expected=(
            parts["client"].replace("-", "_"),
            parts["server"].replace("-", "_"),
            frozenset((parts["labels"] or "").replace(",", " ").split()),
        ),
    )


def nanoseconds(text: str) -> int:
    whole, _, part = text.lstrip("-").partition(".")
    return (int(whole or 0) * 10**9 + int(part.ljust(9, "0"))) * (-1 if text.startswith("-") else 1)


# -- as packets -------------------------------------------------------------------------------------------------------


def option_octets(text: str, peer_isn: int) -> bytes:
    """``mss 1460, sackOK`` as octets."""
    made = b""
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, *values = item.split()
        if name == "mss":
            made += packets.mss(int(values[0]))
        elif name == "wscale":
            made += packets.wscale(int(values[0]))
        elif name == "sackOK":
            made += packets.SACK_PERMITTED
        elif name == "TS":
            made += packets.timestamps(int(values[1]), int(values[3]))
        elif name == "sack":
            blocks = [[(int(edge) + peer_isn) % 2**32 for edge in value.split(":")] for value in values]
            made += packets.sack(*((left, right) for left, right in blocks))
        elif name == "FO":
            made += packets.option(34, bytes.fromhex("".join(values)))
        else:
            raise ValueError(f"no option {name!r}")
    return made


def write(
    script: Script, path: Path, *, isns: tuple[int, int] = (1000, 7000), exchanged: bool = False, start_ns: int = 0
) -> Path:
    """The script as a capture; `exchanged` swaps addresses, and ports where a SYN tells the roles."""
    ips = (packets.CLIENT, packets.SERVER)
    ports = PORTS
    if exchanged:
        ips = ips[::-1]
        ports = ports[::-1] if script.segments[0].flags & packets.SYN else ports
    ids = (count(FIRST_ID), count(FIRST_ID))
    data, times, now = [], [], packets.BASE_NS + start_ns
    for seg in script.segments:
        now += seg.after_ns
        times.append(now)
        me, peer = (0, 1) if seg.way == ">" else (1, 0)
        number = next(ids[me])
        tcp = packets.tcp(
            seg.flags,
            seq=seg.seq + isns[me],
            ack=0 if seg.ack is None else seg.ack + isns[peer],
            payload=payload(seg),
            sport=ports[me],
            dport=ports[peer],
            window=seg.win,
            options=option_octets(seg.options, isns[peer]),
            checksum=0xBAD if seg.packet.get("sum") == "bad" else None,
        )
        ip_id, ttl = int(seg.packet.get("id", number)), int(seg.packet.get("ttl", 64))
        data.append(packets.ipv4(tcp, ips[me], ips[peer], ip_id=ip_id, ttl=ttl))
    return packets.write_pcap(path, data, 101, times=times)


def payload(seg: Segment) -> bytes:
    """Octets that depend on their number alone, so that a resend carries the same."""
    if "octets" in seg.packet:
        return seg.packet["octets"].strip().encode() * seg.size
    return bytes((seg.seq + place) % 251 for place in range(seg.size))


# -- as judged --------------------------------------------------------------------------------------------------------


def said(row: dict[str, Any]) -> tuple[str, str, frozenset[str]]:
    """What a row of the timeline says, in the form of `Segment.expected`."""
    steps = [step + "!" * (ok is False) for step, ok in zip(row["steps"], row["steps_ok"], strict=True)]
    return row["client_state"], row["server_state"], frozenset(steps + list(row["anomalies"]))


def rows(trace: tt.Trace) -> list[dict[str, Any]]:
    """All rows of the timeline, in the order of the capture."""
    return sorted((row for conn in trace for row in conn.rows()), key=lambda row: (row["frame"], row["part"]))


def spoken(what: tuple[str, str, frozenset[str]]) -> str:
    """States and labels as the right side of a line."""
    client, server, labels = what
    return f"{client} / {server}".replace("_", "-") + (f" | {', '.join(sorted(labels, key=place))}" if labels else "")


def place(label: str) -> tuple[bool, str]:
    """Steps stand before anomalies."""
    return label in BY_NAME, label


def differences(script: Script, trace: tt.Trace) -> str:
    """The script with what is wrong marked; empty when all is as expected."""
    lines, wrong = script.text.splitlines(), False
    for seg, row in zip(script.segments, rows(trace), strict=True):
        if said(row) != seg.expected:
            wrong = True
            lines[seg.line] += f"\n{'':30}got {spoken(said(row))}"
    for number, life in enumerate(script.lives):
        record = trace[number].record if number < len(trace) else {}
        for text in unlike(life, record):
            wrong = True
            lines.append(f"connection {number}: {text}")
    if len(trace) != len(script.lives):
        wrong = True
        lines.append(f"got {len(trace)} connections")
    return "\n".join(lines) if wrong else ""


def whole_findings(record: dict[str, Any]) -> frozenset[str]:
    """The findings about a connection as a whole."""
    return frozenset(name for name in record.get("findings", ()) if BY_NAME[name].code >= SEGMENT_ANOMALIES)


def unlike(life: Life, record: dict[str, Any]) -> list[str]:
    """What of a connection is not as expected."""
    shape = (record.get("handshake"), record.get("teardown"))
    wrong = [] if shape == life.shape else [f"expected shape {life.shape}, got {shape}"]
    if whole_findings(record) != life.found:
        wrong.append(f"expected findings {sorted(life.found)}, got {sorted(whole_findings(record))}")
    for name, value in life.columns.items():
        if str(record.get(name)) != value:
            wrong.append(f"expected {name} {value}, got {record.get(name)}")
    return wrong


# -- from a capture ---------------------------------------------------------------------------------------------------


def of_connection(conn: tt.Connection) -> str:
    """A connection of a real capture as a script."""
    record = conn.record
    lines = [f"# A connection of {record['server_ip']} port {record['server_port']}."]
    lines.append(f"# shape: {record['handshake']} {record['teardown']}")
    if whole_findings(record):
        lines.append(f"# found: {' '.join(sorted(whole_findings(record)))}")
    before = None
    for row in conn.rows():
        after = 0 if before is None else row["time"] - before
        before = row["time"]
        lines.append(line_of(row, after, record))
    return "\n".join(lines) + "\n"


def line_of(row: dict[str, Any], after: int, record: dict[str, Any]) -> str:
    """A row of the timeline as a line."""
    flags = "".join(LETTERS[letter] for letter in row["flags"]) or "-"
    seq, size = row["rel_seq"], row["payload_bytes"]
    words = [
        f"+{after // 10**9}.{after % 10**9:09}",
        ">" if row["direction"] == "c2s" else "<",
        f"{flags:3}",
        f"{seq}:{seq + size}({size})",
        "" if row["rel_ack"] is None else f"ack {row['rel_ack']}",
        f"win {row['window_raw']}",
        options_of(row, record),
        f"[id {row['ip_id']}]" if row["ip_id"] is not None else "",
        "=>",
        spoken(said(row)),
    ]
    return "  ".join(filter(None, words))


def options_of(row: dict[str, Any], record: dict[str, Any]) -> str:
    """The options that the tables hold: those of a SYN, and timestamps."""
    made = []
    if "S" in row["flags"]:
        way = row["direction"] + "_"
        made += [f"{name} {record[way + name]}" for name in ("mss", "wscale") if record[way + name] is not None]
        made += ["sackOK"] * bool(record[way + "sack_permitted"])
    if row["tsval"] is not None:
        made.append(f"TS val {row['tsval']} ecr {row['tsecr']}")
    return f"<{', '.join(made)}>" if made else ""


if __name__ == "__main__":
    sys.stdout.write(of_connection(tt.analyze(sys.argv[1])[int(sys.argv[2])]))

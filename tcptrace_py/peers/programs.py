"""Runs the peers that are installed and reads what they print: tshark by frame, tcptrace by connection.

Knows command lines and forms of output.  Does not know what a difference means.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ("tshark", "tcptrace")
FLAGS = (
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "lost_segment",
    "ack_lost_segment",
    "duplicate_ack",
    "keep_alive",
    "keep_alive_ack",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "window_full",
    "window_update",
    "reused_ports",
)
"""tshark's flags that are compared, each ``tcp.analysis.NAME``."""

NUMBERS = ("tcp.stream", "tcp.srcport", "tcp.flags", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.window_size_value")
OTHERS = (
    "frame.number",
    "frame.time_epoch",
    "icmp.type",
    "icmpv6.type",
    "ip.src",
    "ipv6.src",
    "tcp.checksum.status",
    "tcp.options.sack_le",
    "tcp.hdr_len",
)
FIELDS = (*OTHERS, *NUMBERS, "tcp.analysis.ack_rtt", *(f"tcp.analysis.{name}" for name in FLAGS))
PREFERENCES = ("tcp.relative_sequence_numbers:FALSE", "tcp.check_checksum:TRUE", "tcp.desegment_tcp_streams:FALSE")
BAD_CHECKSUM = "0"
LEAST_HEADER = 20


@dataclass(slots=True)
class Told:
    """What tshark says of one TCP header: addresses as it prints them, numbers as they stand in the header."""

    frame: int
    time_ns: int
    source: tuple[str, str]
    stream: int
    flags: int
    seq: int
    ack: int
    length: int
    window: int
    rtt_ns: int | None = None
    labels: frozenset[str] = frozenset()
    sacks: bool = False  # it has SACK blocks
    whole: bool = True  # it has a header of possible length, and a payload length
    quoted: bool = False  # in an ICMP error


@dataclass(slots=True)
class Output:
    """What a program printed, and whether it came to its end: `trouble` is its own word on what stopped it."""

    tool: str
    rows: list[Any] = field(default_factory=list)
    trouble: str = ""


def installed(tool: str) -> bool:
    """Is the program there?"""
    return shutil.which(tool) is not None


def run(tool: str, path: str, timeout_s: float) -> Output:
    """Run a program on a capture and read what it prints.

    Raises
    ------
    subprocess.TimeoutExpired
        When it takes longer than that; it has been stopped.
    """
    command = {"tshark": _tshark, "tcptrace": _tcptrace}[tool](path)
    done = subprocess.run(  # noqa: S603 - a program of the user's own, on the user's file
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
    )
    text = done.stdout.decode("utf-8", "replace")
    rows = list(tshark_rows(text) if tool == "tshark" else tcptrace_rows(text))
    return Output(tool, rows, _trouble(tool, done.stderr.decode("utf-8", "replace")) if done.returncode else "")


def _trouble(tool: str, complaint: str) -> str:
    """The line that says why it stopped."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    named = [line.removeprefix(f"{tool}: ") for line in lines if line.startswith(f"{tool}: ")]
    return (named or lines or ["it failed without a word"])[0]


def _tshark(path: str) -> list[str]:
    chosen = [word for name in PREFERENCES for word in ("-o", name)]
    fields = [word for name in FIELDS for word in ("-e", name)]
    return ["tshark", "-n", "-r", path, "-Y", "tcp", *chosen, "-T", "fields", *fields]


def _tcptrace(path: str) -> list[str]:
    return ["tcptrace", "-n", "-l", "-r", path if not path.startswith("-") else f"./{path}"]


def tshark_rows(text: str) -> Iterator[Told]:
    """A row for every TCP header, in the order of the frames; a frame's flags stand at its last header."""
    for line in text.splitlines():
        row = dict(zip(FIELDS, line.split("\t"), strict=True))
        headers = list(zip(*(row[name].split(",") for name in NUMBERS), strict=False))
        quoted = bool(row["icmp.type"] or row["icmpv6.type"])
        host = (row["ip.src"] or row["ipv6.src"]).split(",")[-1]
        for place, (stream, port, flags, seq, ack, length, window) in enumerate(headers, 1):
            told = Told(
                frame=int(row["frame.number"]),
                time_ns=_nanoseconds(row["frame.time_epoch"]),
                source=(host, port),
                stream=int(stream or -1),
                flags=int(flags or "0", 16),
                seq=int(seq or 0),
                ack=int(ack or 0),
                length=int(length or 0),
                window=int(window or 0),
                quoted=quoted and place == len(headers),
                whole=bool(length) and int(row["tcp.hdr_len"].split(",")[-1] or 0) >= LEAST_HEADER,
            )
            if place == len(headers):
                told.labels, told.rtt_ns, told.sacks = _flags(row), _rtt(row), bool(row["tcp.options.sack_le"])
            yield told


def _flags(row: dict[str, str]) -> frozenset[str]:
    named = {name for name in FLAGS if row[f"tcp.analysis.{name}"]}
    if BAD_CHECKSUM in row["tcp.checksum.status"].split(",")[-1:]:
        named.add("bad_checksum")
    return frozenset(named)


def _rtt(row: dict[str, str]) -> int | None:
    text = row["tcp.analysis.ack_rtt"].split(",")[-1]
    return _nanoseconds(text) if text else None


def _nanoseconds(text: str) -> int:
    """Seconds as they are printed, exactly."""
    whole, _, fraction = text.partition(".")
    size = int(whole.lstrip("-") or 0) * 10**9 + int(fraction[:9].ljust(9, "0"))
    return -size if whole.startswith("-") else size


HOST = re.compile(r"\s+host \w+:\s+(?P<ip>\S+):(?P<port>\d+)$")
COUNTER = re.compile(r"\s+(?P<name>\S[^:]*?):\s+(?P<there>\S.*?)\s+(?P=name):\s+(?P<back>\S.*?)\s*$")


def tcptrace_rows(text: str) -> Iterator[dict[str, Any]]:
    """A row a connection: `ends` (address, port) twice, and name of a counter -> its text, one dictionary a way."""
    row: dict[str, Any] | None = None
    for line in text.splitlines():
        if line.startswith("TCP connection ") and line.endswith(":") and line.split()[2][:-1].isdigit():
            if row:
                yield row
            row = {"ends": [], "ways": ({}, {})}
        elif row is not None and (found := HOST.match(line)):
            row["ends"].append((found["ip"], int(found["port"])))
        elif row is not None and (found := COUNTER.match(line)):
            for way, side in zip(row["ways"], ("there", "back"), strict=True):
                way.setdefault(found["name"], found[side])
    if row:
        yield row

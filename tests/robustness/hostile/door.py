"""A connection of ten packets, and the door by which a user brings captures of it in: a file, or a pipe (input 43).

Tests in this folder are named for the numbers of the inputs they make: ``test_06_...`` is about input 6.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from tcptrace_py.views.cli import app
from tcptrace_py.vocabulary import Unused
from tests.packets import ACK, CLIENT, FIN, PSH, SERVER, SYN, ethernet, ipv4, tcp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START = 1_700_000_000_123_456_789
STEP = 1_001_001_001  # so that every clock has other digits to cut off
J, K = 3_626_544_836, 1_739_326_486
WAYS = ("file", "pipe (43)")
EXIT = {"ok": 0, "partial": 3, "unreadable": 4, "unsupported": 4}


def up(flags: int, seq: int, ack: int | None, payload: bytes = b"") -> bytes:
    segment = tcp(flags, seq=J + seq, ack=0 if ack is None else K + ack, payload=payload, sport=3337, dport=7788)
    return ipv4(segment, CLIENT, SERVER)


def down(flags: int, seq: int, ack: int, payload: bytes = b"") -> bytes:
    return ipv4(tcp(flags, seq=K + seq, ack=J + ack, payload=payload, sport=7788, dport=3337), SERVER, CLIENT)


PACKETS = [
    up(SYN, 0, None),
    down(SYN | ACK, 0, 1),
    up(ACK, 1, 1),
    up(PSH | ACK, 1, 1, b"question"),
    down(PSH | ACK, 1, 9, b"answer"),
    up(ACK, 9, 7),
    up(FIN | ACK, 9, 7),
    down(ACK, 7, 10),
    down(FIN | ACK, 7, 10),
    up(ACK, 10, 8),
]
FRAMES = [ethernet(packet) for packet in PACKETS]
TIMES = [START + n * STEP for n in range(10)]
TEN = list(zip(TIMES, FRAMES, strict=True))


def framed(link: Callable[[bytes], bytes]) -> list[tuple[int, bytes]]:
    """The ten packets under another link layer."""
    return [(time, link(packet)) for time, packet in zip(TIMES, PACKETS, strict=True)]


@dataclass
class Answer:
    """What the user gets: exit code, lines on standard error, and the tables."""

    code: int
    name: str
    lines: list[str]
    capture: dict[str, Any]
    timeline: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @property
    def said(self) -> str:
        """The one line about the input, without its name."""
        (line,) = self.lines
        return line.removeprefix(f"tcpflows: {self.name}: ")

    @property
    def unused(self) -> dict[str, int]:
        counts = {reason.name: self.capture[f"unused_{reason.name}"] for reason in Unused}
        return {name: number for name, number in counts.items() if number}

    @property
    def times(self) -> list[int | None]:
        return [ns(row["time"]) for row in self.timeline]

    @property
    def story(self) -> list[tuple[Any, ...]]:
        """What must be the same however the ten packets were wrapped."""
        names = ("flags", "rel_seq", "rel_ack", "payload_bytes", "client_state", "server_state", "steps", "direction")
        return [tuple(str(row[name]) for name in names) for row in self.timeline]


def ns(text: str | None) -> int | None:
    """Nanoseconds since 1970 of a time as JSON has it, by whole numbers alone."""
    if text is None:
        return None
    day, clock = text.removesuffix("Z").split("T")
    year, month, date = map(int, day.split("-"))
    hours, minutes, seconds = clock.split(":")
    whole, _, fraction = seconds.partition(".")
    month_from_march, year = (month + 9) % 12, year - (month < 3)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (306 * month_from_march + 5) // 10 + date - 719_469
    return (
        ((days * 24 + int(hours)) * 60 + int(minutes)) * 60 * 10**9
        + int(whole) * 10**9
        + int(fraction.ljust(9, "0") or 0)
    )


@contextlib.contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    """Standard input is a pipe that brings these bytes."""
    reading, writing = os.pipe()
    before = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        feeder.join()


class Door:
    """`analyze` as the user calls it, by one of the ways in."""

    def __init__(self, way: str, folder: Path) -> None:
        self.way, self.folder = way, folder

    @property
    def name(self) -> str:
        return "-" if self.way != "file" else str(self.folder / "capture")

    def run(self, data: bytes, *options: str) -> Any:
        """Exit code and what was written, as `CliRunner` has it."""
        args = ["analyze", "-q", "-f", "json", *options, self.name]
        if self.way == "file":
            (self.folder / "capture").write_bytes(data)
            result = CliRunner().invoke(app, args)
        else:
            with standard_input(data):
                result = CliRunner().invoke(app, args)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def connections(self, data: bytes, *options: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run(data, "-t", "connections", *options).stdout)["connections"]
        return rows

    def __call__(self, data: bytes, *options: str) -> Answer:
        result = self.run(data, "-t", "timeline,events", *options)
        document = json.loads(result.stdout)
        (capture,) = document["captures"]
        answer = Answer(
            result.exit_code, self.name, result.stderr.splitlines(), capture, document["timeline"], document["events"]
        )
        check(answer)
        return answer


def check(answer: Answer) -> None:
    """What holds for every input: the code says the status, the counting closes, messages name the file."""
    capture = answer.capture
    assert answer.code == EXIT[capture["status"]], answer.lines
    assert capture["path"] == answer.name
    assert len(answer.timeline) == capture["segments"]
    frames = {row["frame"] for row in answer.timeline}
    assert capture["packets_read"] == len(frames) + sum(answer.unused.values())
    assert [row["frame"] for row in answer.timeline] == sorted(row["frame"] for row in answer.timeline)
    assert (capture["status"] == "ok") == (not answer.lines) == (not capture["reason"])
    for line in answer.lines:
        assert line.startswith(f"tcpflows: {answer.name}: ")
        assert not re.search(r"Traceback|Error:|internal", line)

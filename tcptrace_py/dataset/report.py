"""What became of the inputs: small enough to travel between processes, however many captures it tells of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from tcptrace_py.errors import ExitCode

CODES = {
    "ok": ExitCode.OK,
    "partial": ExitCode.PARTIAL,
    "unreadable": ExitCode.UNREADABLE,
    "unsupported": ExitCode.UNREADABLE,
    "worker_died": ExitCode.UNREADABLE,
    "not_written": ExitCode.NOT_WRITTEN,
    "failed": ExitCode.INTERNAL,
}
"""What may become of a capture, mildest first, and the exit code that follows."""

TOLD = 1000  # captures of one input that are named when something is wrong with them; the others are counted


class Outcome(NamedTuple):
    """One capture (or archive) with which something is wrong; `status` is a key of `CODES`."""

    capture: str
    status: str
    message: str
    packets: int = 0


@dataclass(slots=True)
class Report:
    """What became of one input, which holds many captures if it is an archive."""

    counts: Counter[str] = field(default_factory=Counter)  # status -> captures
    left_out: Counter[str] = field(default_factory=Counter)  # why -> files or members that are no input
    bad: list[Outcome] = field(default_factory=list)
    packets: int = 0
    connections: int = 0

    def add(self, capture: str, status: str, message: str = "", packets: int = 0, connections: int = 0) -> None:
        """Count a capture, and name it if something is wrong."""
        self.counts[status] += 1
        self.packets += packets
        self.connections += connections
        if status != "ok":
            self.note(Outcome(capture, status, message, packets))

    def note(self, outcome: Outcome) -> None:
        """Name what is wrong with a capture, or with an archive as a whole."""
        if len(self.bad) < TOLD:
            self.bad.append(outcome)

    def take(self, other: Report) -> None:
        """Add what became of another input."""
        self.counts += other.counts
        self.left_out += other.left_out
        self.bad += other.bad
        self.packets += other.packets
        self.connections += other.connections


@dataclass(slots=True)
class BatchResult(Report):
    """What a batch has done so far, and in the end.

    Attributes
    ----------
    counts : Counter
        Captures by status: ok, partial, unreadable, unsupported, worker_died, not_written, failed.
    left_out : Counter
        Files and members that are no input, by reason.
    bad : list of Outcome
        The captures with which something is wrong.
    files, files_done, files_kept : int
        Inputs (an archive is one); those that are done; those of them that were done already, by an earlier run.
    bytes, bytes_done, bytes_kept : int
        The same in bytes as they are stored.
    packets, connections : int
        In all captures that are done.
    pruned : int
        Captures that left the dataset because their input is gone.
    """

    files: int = 0
    files_done: int = 0
    files_kept: int = 0
    bytes: int = 0
    bytes_done: int = 0
    bytes_kept: int = 0
    pruned: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all captures."""
        statuses = {*(status for status, number in self.counts.items() if number), *(each.status for each in self.bad)}
        return max((CODES[status] for status in statuses), default=ExitCode.OK)

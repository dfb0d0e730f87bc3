"""``tcpflows batch``: what it says while it works, and in the end.

Knows wording.  Does not know how a batch is done.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.commands import emit, warn_if_interpreted
from tcptrace_py.views.ink import Line, Part, line, say
from tcptrace_py.views.progress import Progress
from tcptrace_py.views.wording import amount, count, duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tcptrace_py.dataset import BatchResult, Outcome
    from tcptrace_py.views.reading import Reading

SHOWN = 20  # captures with which something is wrong, in the summary
LEAST_NS = 10**9  # of work, before a rate says anything
NUMBERS = (
    "files",
    "files_done",
    "files_kept",
    "bytes",
    "bytes_done",
    "bytes_kept",
    "packets",
    "connections",
    "pruned",
)
"""What a line of progress for programs tells of a batch."""


def tables(names: str, *, timeline: bool) -> list[str]:
    """The tables that were asked for."""
    from tcptrace_py.dataset.run import DEFAULT_TABLES

    chosen = [name.strip() for name in names.split(",") if name.strip()] or list(DEFAULT_TABLES)
    return [*chosen, *(["timeline"] if timeline else [])]


def batch(sources: list[str], output: Path, reading: Reading, form: str, asked: dict[str, Any]) -> ExitCode:
    """Everything that ``tcpflows batch`` does."""
    from tcptrace_py.dataset import batch as carry_out

    warn_if_interpreted(quiet=reading.quiet)
    teller: Teller = {"json": JsonTeller, "auto": TerminalTeller, "none": Teller}[form](reading)
    try:
        result = carry_out(sources, output, progress=teller, **asked, **reading.options)
    except (KeyboardInterrupt, SystemExit) as stop:
        teller.clear()
        say(teller.interrupted())
        return ExitCode.TERMINATED if isinstance(stop, SystemExit) else ExitCode.INTERRUPTED
    finally:
        teller.clear()
    teller.end(result)
    if not reading.quiet:
        emit(_summary(result, output))
    return result.exit_code


class Teller:
    """Names on standard error what is wrong, as it is found."""

    def __init__(self, reading: Reading) -> None:
        self.quiet = reading.quiet
        self.began = time.monotonic_ns()
        self.so_far: BatchResult | None = None

    def __call__(self, so_far: BatchResult, bad: list[Outcome]) -> None:
        """Tell how far it has come."""
        self.so_far = so_far
        if bad:
            self.clear()
        for each in bad:
            self.complain(each)
        self.show(so_far)

    def complain(self, each: Outcome) -> None:
        """One line for what is wrong with a capture."""
        say(_complaint(each))

    def show(self, so_far: BatchResult) -> None:
        """Show it, if it is to be shown."""

    def end(self, result: BatchResult) -> None:
        """All is done."""

    def clear(self) -> None:
        """Leave the terminal's line empty."""

    def interrupted(self) -> str:
        """What to say when a signal ends it."""
        done = self.so_far
        how_far = f": {done.files_done} of {done.files} done, resume with the same command" if done else ""
        return f"interrupted{how_far}"

    def rate(self, so_far: BatchResult) -> tuple[int | None, int | None]:
        """Bytes a second, and the nanoseconds that the rest will take; None while nothing can be said."""
        took, fresh = time.monotonic_ns() - self.began, so_far.bytes_done - so_far.bytes_kept
        if took < LEAST_NS or not fresh:
            return None, None
        return fresh * 10**9 // took, (so_far.bytes - so_far.bytes_done) * took // fresh


class TerminalTeller(Teller):
    """And on a terminal how far it has come, in one line that rewrites itself."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.progress = Progress("", quiet=reading.quiet)

    def show(self, so_far: BatchResult) -> None:
        """Redraw the line."""
        wrong = sum(number for status, number in so_far.counts.items() if status != "ok")
        rate, left = self.rate(so_far)
        parts = [
            f"{so_far.files_done:,} of {count(so_far.files, 'file')}",
            f"{amount(so_far.bytes_done)} of {amount(so_far.bytes)}",
            count(so_far.packets, "packet"),
            *([f"{amount(rate)}/s, {duration(left)} left"] if rate and left is not None else []),
            *([f"{wrong} not ok"] if wrong else []),
        ]
        self.progress.tell(", ".join(parts))

    def clear(self) -> None:
        """Leave the line empty."""
        self.progress.clear()


class JsonTeller(Teller):
    """One JSON object a line on standard error, for programs: problems, progress, the end."""

    def complain(self, each: Outcome) -> None:
        """A problem."""
        self._write("problem", each._asdict())

    def show(self, so_far: BatchResult) -> None:
        """How far it has come."""
        rate, left = self.rate(so_far)
        self._write("progress", {**_numbers(so_far), "bytes_per_second": rate, "left_ns": left})

    def end(self, result: BatchResult) -> None:
        """The end."""
        self._write("end", {**_numbers(result), "exit_code": int(result.exit_code)})

    def _write(self, kind: str, facts: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(json.dumps({"kind": kind, **facts}) + "\n")
            sys.stderr.flush()


def _numbers(so_far: BatchResult) -> dict[str, Any]:
    return {name: getattr(so_far, name) for name in NUMBERS} | {
        "counts": dict(so_far.counts),
        "left_out": dict(so_far.left_out),
    }


def _complaint(each: Outcome) -> str:
    kept = f"; {count(each.packets, 'packet')} kept" if each.status == "partial" and each.packets else ""
    return f"{each.capture}: {each.message}{kept}"


def _summary(result: BatchResult, output: Path) -> Iterator[Line]:
    """What became of all, and which captures to look after."""
    captures = sum(result.counts.values())
    yield line(Part(str(output), "heading"), f"  {count(captures, 'capture')} of {count(result.files, 'file')}")
    yield line(f"  {count(result.packets, 'packet')}, {count(result.connections, 'connection')}")
    if result.files_kept:
        yield line(f"  {count(result.files_kept, 'file')} of them unchanged, and not read again")
    if result.pruned:
        yield line(f"  {count(result.pruned, 'capture')} removed, whose file is gone")
    yield []
    for status, number in sorted(result.counts.items(), key=lambda each: (each[0] != "ok", each[0])):
        if number:
            yield line(f"{number:>11,}  ", Part(status, "" if status == "ok" else "wrong"))
    for why, number in sorted(result.left_out.items()):
        yield line(f"{number:>11,}  ", Part(f"left out: {why}", "faint"))
    if result.bad:
        yield []
        yield line(Part("Not ok", "heading"))
        yield from (line(f"  {_complaint(each)}") for each in result.bad[:SHOWN])
        if len(result.bad) > SHOWN:
            yield line(f"  and {len(result.bad) - SHOWN:,} more: see the table captures")

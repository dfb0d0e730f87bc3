"""Captures through the whole pipeline in a process of its own, with its time, its memory and its silence watched.

Knows what must never happen: an exception that is no `TraceError`, tables that contradict each other, a word on
standard error, more than 10 s a megabyte, more than 512 MB.  Does not know where the captures come from.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

SECONDS_A_MB = 10
MOST_KB = 512 << 10
PEAK_EVERY = 10  # files
TABLES = ("connections", "states", "events", "timeline")
VERDICTS = ("ok", "cut short", "damaged", "unreadable")


class Reading(NamedTuple):
    """What the pipeline made of one capture."""

    verdict: str  # one of VERDICTS; empty where something is wrong
    wrong: str = ""  # what must never happen: its kind, and after a line break the story
    reason: str = ""
    message: str = ""
    packets: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    format: str = ""
    links: tuple[str, ...] = ()
    digest: str = ""
    seconds: float = 0.0
    peak_kb: int = 0


def read(path: str, *, agree: bool = True, digest: bool = False) -> Reading:
    """One capture through everything; never raises but for a bug of this script."""
    began = time.perf_counter()
    try:
        found = _analysed(path, agree=agree, digest=digest)
    except (MemoryError, Exception):  # noqa: BLE001  that there is none is what is tested
        story = traceback.format_exc(limit=-4)
        found = Reading("", f"traceback: {story.splitlines()[-1]}\n{story}")
    return found._replace(seconds=time.perf_counter() - began)


def _analysed(path: str, *, agree: bool, digest: bool) -> Reading:
    import tcptrace_py as tt
    from scripts.table_digest import digest as digest_of
    from tests.agreement import UNCAPPED, contradictions, rows_of

    octets = Path(path).read_bytes()
    source = io.BytesIO(octets) if len(octets) % 2 else path  # read once; or once more for the timeline
    try:
        trace = tt.analyze(source, tables=TABLES, limits=UNCAPPED)
    except tt.TraceError as error:
        reason = getattr(error, "reason", "")
        said = str(error).partition(": ")[2]
        return Reading("unreadable", "" if reason else f"no reason: {error}", reason, said, digest=reason)
    info = rows_of(trace, "captures")[0]
    whole = info["status"] == "ok" or info["reason"] == "unsupported_link"  # read to the end, if not decoded
    verdict = "ok" if whole else "cut short" if info["reason"] == "cut_short" else "damaged"
    wrong = contradictions(trace) if agree else []
    return Reading(
        verdict,
        "contradiction: " + "\n".join(wrong) if wrong else "",
        info["reason"],
        info["message"],
        info["packets_read"],
        info["first_time"],
        info["last_time"],
        info["format"],
        tuple(info["link_types"]),
        " ".join(digest_of(trace.arrow(name))[:16] for name in TABLES) if digest else "",
    )


def _peak_kb() -> int:
    """The most memory this process ever had.  (`getrusage` would tell that of its parent, if it is more.)"""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def _serve(pipe: Connection, heard: str, options: dict[str, Any]) -> None:
    """Read what comes through the pipe, until None does."""
    with Path(heard).open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    number = 0
    while (path := pipe.recv()) is not None:
        found = read(path, **options)
        if number % PEAK_EVERY == 0:  # the system's own high-water mark: nothing is missed in between
            peak = _peak_kb()
            found = found._replace(peak_kb=peak)
            if peak > MOST_KB and not found.wrong:
                found = found._replace(wrong=f"memory: {peak >> 10} MB, here or up to {PEAK_EVERY} files before")
        pipe.send(found)
        number += 1


class Watched:
    """A process that reads captures; another one takes its place when it hangs or dies."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._context = multiprocessing.get_context("spawn")
        with tempfile.NamedTemporaryFile(prefix="heard-", delete=False) as file:
            self._heard = Path(file.name)
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(theirs, str(self._heard), self._options), daemon=True
        )
        self._process.start()
        theirs.close()

    def read(self, path: Path) -> Reading:
        """What the pipeline makes of this file, and what it must not."""
        limit = SECONDS_A_MB * max(1.0, path.stat().st_size / 1e6)
        self._pipe.send(str(path))
        try:
            found: Reading | None = self._pipe.recv() if self._pipe.poll(limit + 5) else None
        except EOFError:
            found = Reading("", f"died: exit code {self._ended()}")
        if found is None:
            found = Reading("", f"hang: no answer after {limit:.0f} s", seconds=limit)
        elif found.seconds > limit:
            found = found._replace(wrong=f"hang: {found.seconds:.1f} s")
        said = self._heard.read_text(errors="replace") if self._heard.stat().st_size else ""
        if said and not found.wrong:
            found = found._replace(wrong=f"not silent: {said.splitlines()[0]}\n{said}")
        if found.wrong.startswith(("hang", "died", "memory")) or said:
            self.close()
            self._heard.touch()
            self._start()
        return found

    def _ended(self) -> int | None:
        self._process.join(5)
        return self._process.exitcode

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()
        self._heard.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

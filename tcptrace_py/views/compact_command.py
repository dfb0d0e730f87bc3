"""``tcpflows compact``: from when on captures stay, and what is said in the end.

Knows dates and wording.  Does not know how parts are joined.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tcptrace_py.errors import ExitCode, UsageError
from tcptrace_py.views.commands import emit
from tcptrace_py.views.ink import Line, Part, line
from tcptrace_py.views.progress import Progress
from tcptrace_py.views.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tcptrace_py.dataset import Compaction

NS = 10**9
UNITS = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}


def compact(  # noqa: PLR0913 - what was typed
    dataset: Path, rows: int, retain: str, before: str, *, migrate: bool, quiet: bool
) -> ExitCode:
    """Everything that ``tcpflows compact`` does."""
    from tcptrace_py.dataset import compact as carry_out

    if retain and before:
        raise UsageError("either --retain or --before, not both")
    before_ns = time.time_ns() - _span(retain) if retain else _instant(before) if before else None
    line_of_progress = Progress(str(dataset), quiet=quiet)

    def progress(done: int, all_of_them: int) -> None:
        line_of_progress.tell(f"{done:,} of {count(all_of_them, 'part')} joined")

    try:
        result = carry_out(dataset, rows=rows, before_ns=before_ns, migrate_only=migrate, progress=progress)
    finally:
        line_of_progress.clear()
    if not quiet:
        emit(_summary(dataset, result))
    return ExitCode.OK


def _span(text: str) -> int:
    """A duration in nanoseconds."""
    found = re.fullmatch(r"(\d+) ?([hdwy])", text)
    if found is None:
        raise UsageError(f"--retain: {text!r} is not a duration such as 36h, 90d, 12w or 2y")
    return int(found[1]) * UNITS[found[2]] * NS


def _instant(text: str) -> int:
    """A date or time, in UTC unless it says otherwise, in nanoseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--before: {text!r} is not a date such as 2026-01-31") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS


def _summary(dataset: Path, result: Compaction) -> Iterator[Line]:
    yield line(Part(str(dataset), "heading"), f"  {count(result.captures, 'capture')}")
    yield line(f"  {count(result.before, 'part')} before, {result.after:,} now, {result.written:,} of them written")
    if result.removed:
        yield line(f"  {count(result.removed, 'capture')} removed, which ended too long ago")
    if result.migrated:
        yield line(f"  {count(result.migrated, 'capture')} brought up to date")

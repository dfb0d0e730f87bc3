"""Which captures are split over workers, into how many shares, and what follows what until they are whole again.

A capture that is split is a task a share, then a task a table, then a row of the manifest.  Knows tasks.  Does not know
rows, nor what carries tasks out.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tcptrace_py.dataset import merging, work
from tcptrace_py.dataset.merging import Merge, merge
from tcptrace_py.dataset.report import Report
from tcptrace_py.dataset.share import Followed, Share, follow
from tcptrace_py.dataset.store import Store
from tcptrace_py.dataset.streams import digest_of_all
from tcptrace_py.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    Step = work.Task | Share | Merge
    Result = Report | Followed | int | None

LEAST_BYTES = 64 << 20  # of a capture as it is stored: below, starting a worker costs as much as it saves
MOST_SHARES = 16  # every share reads and decodes everything: more of them would do little else


def do(step: Step) -> Result:
    """Carry out one step."""
    if isinstance(step, work.Task):
        return work.run(step)
    try:
        return follow(step) if isinstance(step, Share) else merge(step)
    finally:
        _give_back()


def _give_back() -> None:
    """Let go of memory that allocators keep: a share leaves many small pieces, and a merge wants a few large ones."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # where there is such a thing
    if trim is not None:
        trim(0)


@dataclass(slots=True)
class _Split:
    """A capture that is split, on its way."""

    task: work.Task
    of: int
    shares: dict[int, Followed] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)  # table -> rows
    over: bool = False  # one way or another

    def remove(self) -> None:
        """Nothing that was put by is wanted any more."""
        self.over = True
        for followed in self.shares.values():
            followed.remove()


class Agenda:
    """The steps that wait, and what a step that is done leads to.

    Parameters
    ----------
    tasks : iterable of Task
        The inputs, the largest first.
    workers : int
        How many steps are carried out at once; with one, nothing is split.
    """

    def __init__(self, tasks: Iterable[work.Task], workers: int) -> None:
        whole = list(tasks)
        large = [task for task in whole if _may_be_split(task)] if workers > 1 else []
        spare = large[: len(large) % workers]  # the others keep all workers busy, a file each
        shares = min(-(-workers // len(spare)), MOST_SHARES) if spare else 0
        self._split = {task.input.capture: _Split(task, shares) for task in spare}
        self.waiting: deque[Step] = deque()
        for task in spare:
            seed = int.from_bytes(os.urandom(8))
            self.waiting.extend(Share(task, seed, number, shares) for number in range(shares))
        self.waiting.extend(task for task in whole if task.input.capture not in self._split)

    def after(self, step: Step, result: Result) -> tuple[work.Task, Report] | None:
        """An input that is done with this step, and what became of it; else what is to be done next waits."""
        if isinstance(step, work.Task):
            return (step, result) if isinstance(result, Report) else None
        split = self._split[step.task.input.capture]
        if split.over:
            if isinstance(result, Followed):
                result.remove()
            return None
        if isinstance(result, Report):
            return self._ended(split, result)
        if isinstance(step, Merge):
            split.rows[step.table] = int(result)  # type: ignore[arg-type]  # all that is left
            return self._ended(split, _finished(split)) if len(split.rows) == len(_tables(split)) else None
        if not isinstance(result, Followed):
            split.remove()
            self.waiting.append(split.task)  # which has words for what is wrong with it, or is an archive
            return None
        split.shares[step.number] = result
        return self._ended_or_merged(split) if len(split.shares) == split.of else None

    def _ended_or_merged(self, split: _Split) -> tuple[work.Task, Report] | None:
        of = tuple(split.shares[number] for number in range(split.of))
        if not merging.agree(of):
            report = Report()
            capture = split.task.input.capture
            report.add(capture, "unreadable", f"{capture}: changed while it was read; run it again")
            return self._ended(split, report)
        self.waiting.extendleft(Merge(split.task, table, of) for table in _tables(split))
        return None

    def _ended(self, split: _Split, report: Report) -> tuple[work.Task, Report]:
        split.remove()
        return split.task, report

    def died(self, step: Step, why: str) -> Report:
        """What becomes of an input of which a worker dies whenever it takes this step."""
        report = Report()
        task = step if isinstance(step, work.Task) else step.task
        report.add(task.input.capture, "worker_died", f"a worker died of it, twice ({why})")
        return report


def _may_be_split(task: work.Task) -> bool:
    """A large file of this machine; not one of which perhaps only the stamp has changed, which its digest will tell.

    A set that goes on has the state of one pass.  With `overlaps` a number of directions is held of all connections
    together, so that shares would hold others.
    """
    large = task.input.size >= LEAST_BYTES and not task.input.remote and not task.input.goes_on
    return large and task.sha256 is None and not task.settings.options["overlaps"]


def _tables(split: _Split) -> list[str]:
    """Those that are made, the one that takes longest last: steps are put before others, so it is begun first."""
    return sorted(split.task.settings.tables, key=lambda table: (table == "timeline", table == "connections"))


def _finished(split: _Split) -> Report:
    """All parts are there: say so in the manifest."""
    report = Report()
    of = tuple(split.shares[number] for number in range(split.of))
    row = work.row_for(split.task, split.task.input.capture)
    row = work.described(row, merging.joined(of) or merging.captures(of)[0])
    row = replace(row, sha256=digest_of_all(of[0].digests), rows=dict(split.rows))
    try:
        Store(Path(split.task.folder)).finish(row)
    except OutputError as error:
        work.tell_failure(report, row.capture, error)
    else:
        work.tell(report, row)
    return report

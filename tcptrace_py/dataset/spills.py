"""Rows that are put by in hidden files of the dataset, each file a row of sorted runs, and the runs merged again.

Knows record batches and the numbers that they are sorted by.  Does not know tables, nor who puts rows by.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tcptrace_py.errors import OutputError
from tcptrace_py.tables import arrays
from tcptrace_py.tables.output import failures_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    Keys = Sequence[npt.NDArray[Any]]
    """What rows are sorted by, the most important first."""


@dataclass(frozen=True, slots=True)
class Spilled:
    """A file that was put by: how many batches each of its runs has."""

    path: str
    runs: tuple[int, ...]

    def opened(self) -> list[Iterator[pa.RecordBatch]]:
        """Its runs, each read a batch at a time."""
        try:
            file = pa.ipc.open_file(self.path)
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{self.path}: cannot be read again: {str(error).splitlines()[0]}") from None
        bounds = np.cumsum([0, *self.runs]).tolist()
        return [map(file.get_batch, range(*each)) for each in pairwise(bounds)]

    def remove(self) -> None:
        """It is not needed any more."""
        with contextlib.suppress(OSError):
            Path(self.path).unlink()


class Spill:
    """A file that is being written; its name tells the dataset to sweep it up if nobody else does."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.path = folder / f".tcpflows-{secrets.token_hex(8)}.tmp"  # a task that is done twice makes two
        with failures_named(str(self.path)):
            self._file = self.path.open("xb")
        self._writer = pa.ipc.new_file(self._file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._runs: list[int] = []

    def run(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write one sorted run."""
        self._runs.append(0)
        for batch in batches:
            with failures_named(str(self.path)):
                self._writer.write_batch(batch)
            self._runs[-1] += 1

    def finish(self) -> Spilled:
        """All is written."""
        with failures_named(str(self.path)):
            self._writer.close()
            self._file.close()
        return Spilled(str(self.path), tuple(self._runs))

    def abandon(self) -> None:
        """Something went wrong: leave nothing behind."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


def merged(
    runs: Iterable[Iterator[pa.RecordBatch]], keys: Callable[[pa.RecordBatch], Keys]
) -> Iterator[pa.RecordBatch]:
    """The rows of sorted runs in one order, in batches of any size; rows that are alike stay in the order of runs."""
    left = [run for run in (_Run(each, keys) for each in runs) if run.more()]
    while left:
        upto = min(run.last for run in left)
        taken = [run.take(upto) for run in left]
        yield _sorted([batch for batch in taken if batch.num_rows], keys)
        left = [run for run in left if run.more()]


class _Run:
    """A sorted run, of which the rows up to some place are taken."""

    def __init__(self, batches: Iterator[pa.RecordBatch], keys: Callable[[pa.RecordBatch], Keys]) -> None:
        self._batches, self._keys_of = batches, keys
        self._batch: Any = None
        self._keys: Keys = ()
        self._at = 0

    def more(self) -> bool:
        """Whether there is a row left; then `last` is the key of the last row at hand."""
        while self._batch is None or self._at == self._batch.num_rows:
            self._batch = next(self._batches, None)
            if self._batch is None:
                return False
            self._keys, self._at = self._keys_of(self._batch), 0
        return True

    @property
    def last(self) -> tuple[int, ...]:
        """The key of the last row at hand."""
        return tuple(int(column[-1]) for column in self._keys)

    def take(self, upto: tuple[int, ...]) -> pa.RecordBatch:
        """The rows at hand whose key is not beyond."""
        first, before = self._at, self._at
        after = len(self._keys[0])
        for column, bound in zip(
            self._keys, upto, strict=True
        ):  # rows first..before-1 are below it, before..after-1 at it
            here = column[before:after]
            before, after = (
                before + int(np.searchsorted(here, bound)),
                before + int(np.searchsorted(here, bound, "right")),
            )
        self._at = after
        return self._batch.slice(first, after - first)


def _sorted(batches: list[pa.RecordBatch], keys: Callable[[pa.RecordBatch], Keys]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    whole = pa.concat_batches(batches)
    return whole.take(arrays.indices(np.lexsort(tuple(keys(whole))[::-1])))


def evenly(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of so many."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= size:
            whole = pa.concat_batches(held)
            while rows >= size:
                yield whole.slice(whole.num_rows - rows, size)
                rows -= size
            held = [whole.slice(whole.num_rows - rows)]
    if rows:
        yield pa.concat_batches(held)

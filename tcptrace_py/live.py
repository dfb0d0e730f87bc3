"""Rows of an input as they come, for those who will not wait for its end; and what can be said of it then.

Rows are final but for what later evidence would correct: a second reading, which applies that, there is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py import pipeline
from tcptrace_py.errors import UsageError
from tcptrace_py.summary import summary_of
from tcptrace_py.trace import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from tcptrace_py.options import Options
    from tcptrace_py.summary import Summary

TABLES = ("connections", "timeline", "states")


class Live:
    """One pass over an input that hands over the rows of one table as they come, in bounded memory.

    Parameters
    ----------
    source : anything that `tcptrace_py.analyze` takes
        A `Following` above all.
    options : Options
        How to read.
    table : {"", "connections", "timeline", "states"}
        Connections and their states come as each connection ends, segments as they are captured, with the labels
        known at that moment.  Empty: nothing but the summary at the end.
    """

    def __init__(
        self,
        source: Any,
        options: Options,
        table: str = "",
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        if table and table not in TABLES:
            raise UsageError(f"{table} is not known before the end; of what is followed there are {', '.join(TABLES)}")
        self.path = name_of(source)
        self._source, self._options, self._table, self._progress = source, options, table, progress
        self._done: pipeline.Pass

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows; goes on until the input ends or is told to stop."""
        from tcptrace_py.tables.build import Instances, ended_rows

        sink = None
        if self._table == "timeline":
            from tcptrace_py.tables.timeline import TimelineRows

            sink = TimelineRows(self.path, None)
        keep = frozenset({self._table} - {"", "timeline"})
        instances = Instances(self._options.limits.max_pairs)
        for done in pipeline.steps(self._source, self._options, keep=keep, sink=sink, progress=self._progress):
            self._done = done
            self._forget()
            if sink is not None:
                yield from sink.take()
            ended = done.tracker.finished
            if ended:
                yield from ended_rows(self._table, done, ended, self.path, instances)
                ended.clear()
                if instances.forgotten:
                    done.info.limits["max_pairs"] = instances.forgotten

    def _forget(self) -> None:
        """What was noted for a second reading would grow for ever."""
        log = self._done.tracker.log
        log.labels.clear()
        log.states.clear()
        self._done.errors.clear()

    @property
    def summary(self) -> Summary:
        """What happened up to now; complete at the end."""
        return summary_of(self._done, self.path)

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` for an input that was damaged, cut off or replaced."""
        return self._done.info.status

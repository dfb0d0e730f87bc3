"""compare_tools(): our tables beside what tshark and tcptrace say of the same capture."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tcptrace_py.analysis import analyze
from tcptrace_py.errors import UsageError
from tcptrace_py.options import MOST, Limits
from tcptrace_py.peers import programs
from tcptrace_py.peers.disagreements import with_tcptrace, with_tshark
from tcptrace_py.trace import rereadable

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import pandas as pd
    import pyarrow as pa

    from tcptrace_py.trace import Trace

TIMEOUT_S = 600.0


@dataclass
class Comparison:
    """What came of it: the tools that were compared with, and what the others, or parts of them, lack.

    `absent`: tools that are not installed; `stopped`: tool -> why it gave nothing, or not all.
    """

    trace: Trace
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)

    def batch(self) -> pa.RecordBatch:
        """The table of disagreements."""
        from tcptrace_py.tables.build import as_batch
        from tcptrace_py.tables.disagreements import DISAGREEMENTS

        rows = [{"capture": self.trace.path, "tool": tool, **row} for tool, found in self.rows.items() for row in found]
        return as_batch("disagreements", rows, DISAGREEMENTS)


def compare_tools(
    path: str | os.PathLike[str],
    *,
    tools: str | Iterable[str] = programs.TOOLS,
    timeout_s: float = TIMEOUT_S,
    **options: Any,
) -> pd.DataFrame:
    """Every disagreement between our labels and those of tshark and tcptrace, as far as they are installed.

    Parameters
    ----------
    path : str or path
        A capture file; the tools read it themselves.
    tools : str or iterable of str
        ``tshark``, ``tcptrace`` or both.
    timeout_s : float
        After so many seconds a tool is stopped.
    **options
        As for `analyze`.

    Returns
    -------
    pandas.DataFrame
        A row a disagreement: ``tool``, ``frame``, ``conn_id``, ``direction``, ``label``, ``ours``, ``theirs``, and
        the ``rule`` that explains it (null: none does), with our ``basis``, ``evidence`` and ``reason``.  Two round
        trips disagree if they are more than 5 % and more than 0.5 ms apart.  ``attrs["absent"]`` and
        ``attrs["stopped"]`` tell which tools are not installed, and which gave nothing or not all, and why.

    Raises
    ------
    UsageError
        When none of the tools is installed, or the input is not a file.
    UnreadableError
        When no packet can be had from the input.
    """
    import pyarrow as pa

    from tcptrace_py.tables.dataframe import dataframe

    done = compared(path, tools=[tools] if isinstance(tools, str) else list(tools), timeout_s=timeout_s, **options)
    frame = dataframe(pa.Table.from_batches([done.batch()]))
    frame.attrs |= {"absent": done.absent, "stopped": done.stopped}
    return frame


def compared(path: Any, *, tools: list[str], timeout_s: float = TIMEOUT_S, **options: Any) -> Comparison:
    """The same, with what became of each tool."""
    for tool in tools:
        if tool not in programs.TOOLS:
            raise UsageError(f"there is no comparison with {tool!r}; there are {', '.join(programs.TOOLS)}")
    absent = [tool for tool in tools if not programs.installed(tool)]
    if len(absent) == len(tools):
        raise UsageError(f"not installed: {', '.join(absent)}; install one (Debian: apt install {' '.join(absent)})")
    if isinstance(path, str) and path == "-":
        raise UsageError("compare-tools needs a file, which the other programs read too")
    all_of_them = replace(options.pop("limits", Limits()), max_repeats=MOST)  # each row is compared by its events
    trace = analyze(path, tables=("connections", "events"), limits=all_of_them, **options)
    if not rereadable(path):
        raise UsageError(f"{trace.path} is no file: the other programs read it too")
    done = Comparison(trace, absent=absent)
    for tool in tools:
        if tool not in absent:
            _compare(done, tool, timeout_s)
    return done


def _compare(done: Comparison, tool: str, timeout_s: float) -> None:
    """Run one tool and find the disagreements."""
    from tcptrace_py.tables.build import as_rows

    def rows(table: str) -> list[dict[str, Any]]:
        return [row for batch in done.trace.batches(table) for row in as_rows(batch)]

    try:
        output = programs.run(tool, done.trace.path, timeout_s)
    except subprocess.TimeoutExpired:
        done.stopped[tool] = f"stopped after {timeout_s:g} s; give it more time with --timeout"
        return
    if output.trouble:
        done.stopped[tool] = output.trouble
        if not output.rows:
            return
    if tool == "tshark":
        done.rows[tool] = list(with_tshark(rows("timeline"), rows("events"), output.rows))
    else:
        done.rows[tool] = list(with_tcptrace(rows("connections"), output.rows))

"""``tcpflows compare-tools``: disagreements with other programs, counted by rule and listed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.commands import complain, emit, warn_if_interpreted
from tcptrace_py.views.ink import Line, Part, line, say
from tcptrace_py.views.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcptrace_py.comparison import Comparison
    from tcptrace_py.views.reading import Reading

SHOWN = ["tool", "frame", "conn_id", "direction", "label", "ours", "theirs", "rule", "evidence"]
UNEXPLAINED = "(no rule)"


def compare(  # noqa: PLR0913 - the options of a command line
    capture: str, reading: Reading, tools: list[str], kind: str, timeout_s: float, *, raw_csv: bool = False
) -> ExitCode:
    """Everything that ``tcpflows compare-tools`` does."""
    from tcptrace_py.comparison import compared

    warn_if_interpreted(quiet=reading.quiet)
    done = compared(capture, tools=tools, timeout_s=timeout_s, **reading.options)
    for tool in done.absent:
        say(f"{tool} is not installed: not compared with it")
    for tool, why in done.stopped.items():
        say(f"{capture}: {tool}: {why}")
    complain(done.trace)
    if kind == "table":
        _show(done)
    else:
        _write(done, kind, raw_csv=raw_csv)
    return ExitCode.PARTIAL if done.stopped or done.trace.status != "ok" else ExitCode.OK


def _show(done: Comparison) -> None:
    from tcptrace_py.views.grid import grid_lines

    emit(_counts(done))
    if any(done.rows.values()):
        emit([[], *grid_lines([done.batch()], SHOWN)])


def _counts(done: Comparison) -> Iterator[Line]:
    """How often each rule explains a difference, and what it says."""
    for place, (tool, rows) in enumerate(done.rows.items()):
        if place:
            yield []
        yield line(Part(f"{tool}: {count(len(rows), 'disagreement')}", "heading"))
        by_rule = Counter(row["rule"] or UNEXPLAINED for row in rows)
        reasons: dict[str, Any] = {row["rule"] or UNEXPLAINED: row["reason"] for row in rows}
        width = max(map(len, by_rule), default=0)
        for rule, number in by_rule.most_common():
            yield line(f"  {number:>7,}  {rule:<{width}}  {reasons[rule] or ''}".rstrip())


def _write(done: Comparison, kind: str, *, raw_csv: bool) -> None:
    from tcptrace_py.tables.disagreements import DISAGREEMENTS
    from tcptrace_py.tables.schema import schema_of
    from tcptrace_py.tables.write import one_file

    with one_file(kind, None, {"disagreements": schema_of("disagreements", DISAGREEMENTS)}, raw_csv=raw_csv) as writer:
        writer.put("disagreements", done.batch())

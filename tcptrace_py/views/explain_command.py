"""What ``tcpflows explain`` does once its options are understood; loaded only when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.views.commands import Request, emit, one, traces, width
from tcptrace_py.views.story.door import sections
from tcptrace_py.views.story.language import Language
from tcptrace_py.views.story.page import lines
from tcptrace_py.views.story.telling import introduction

if TYPE_CHECKING:
    from tcptrace_py.analysis import Trace
    from tcptrace_py.errors import ExitCode
    from tcptrace_py.views.reading import Reading

ALL_OF = 3  # connections; of more than these the worst one is told
TABLES = ("connections", "timeline", "events", "states")


def explain(capture: str, conn_id: int | None, reading: Reading, lang: str) -> ExitCode:
    """Everything that ``tcpflows explain`` does."""
    language = Language(lang)
    request = Request([capture], reading)
    if conn_id is not None:
        for connection in one(request, conn_id, TABLES):
            emit(lines(sections(connection), language, width()))
        return request.verdict.code()
    for trace in traces(request, TABLES):
        chosen = _chosen(trace)
        told = [introduction(capture, len(trace), len(chosen))]
        for number in chosen:
            told += sections(trace[number])
        emit(lines(told, language, width()))
    return request.verdict.code()


def _chosen(trace: Trace) -> list[int]:
    """All connections where they are few, else the worst one."""
    if len(trace) <= ALL_OF:
        return list(range(len(trace)))
    return [trace.summary.worst[0]["conn_id"]]

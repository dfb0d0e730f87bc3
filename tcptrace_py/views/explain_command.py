"""What ``tcpflows explain`` does once its options are understood; loaded only when it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tcptrace_py.views.commands import Request, emit, one, traces, width
from tcptrace_py.views.ink import unicode_fits
from tcptrace_py.views.story.door import sections
from tcptrace_py.views.story.introduction import introduction
from tcptrace_py.views.story.language import Language
from tcptrace_py.views.story.page import lines

if TYPE_CHECKING:
    from tcptrace_py.analysis import Trace
    from tcptrace_py.errors import ExitCode
    from tcptrace_py.views.reading import Reading
    from tcptrace_py.views.story.said import Section

ALL_OF = 3  # connections; of more than these the worst one is told
TABLES = ("connections", "timeline", "events", "states")


def explain(capture: str, conn_id: int | None, reading: Reading, lang: str) -> ExitCode:
    """Everything that ``tcpflows explain`` does."""
    language = Language(lang)
    request = Request([capture], reading)
    if conn_id is not None:
        for connection in one(request, conn_id, TABLES):
            _emit(sections(connection), language)
        return request.verdict.code()
    for trace in traces(request, TABLES):
        chosen = _chosen(trace)
        told = [introduction(capture, len(trace), len(chosen))]
        for number in chosen:
            told += sections(trace[number])
        _emit(told, language)
    return request.verdict.code()


def _emit(told: list[Section], language: Language) -> None:
    emit(lines(told, language, width(), ascii_marks=not unicode_fits(sys.stdout)))


def _chosen(trace: Trace) -> list[int]:
    """All connections where they are few, else the worst one."""
    if len(trace) <= ALL_OF:
        return list(range(len(trace)))
    return [trace.summary.worst[0]["conn_id"]]

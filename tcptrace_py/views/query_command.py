"""``tcpflows query``: what was asked, and the answer in the form that was asked for.

Knows wording and forms.  Does not know SQL.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.dataset.questions import QUESTIONS, Question, question
from tcptrace_py.errors import ExitCode, UsageError
from tcptrace_py.views.commands import emit, width
from tcptrace_py.views.forms import form_of
from tcptrace_py.views.ink import Line, Part, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from tcptrace_py.dataset.questions import Value

LIST = "list"
ANSWER = "answer"


class Asked(NamedTuple):
    """What was typed."""

    dataset: Path | None
    sql: str
    ask: str
    settings: list[str]


def query(asked: Asked, form: str, output: Path | None, *, raw_csv: bool) -> ExitCode:
    """Everything that ``tcpflows query`` does."""
    if asked.ask == LIST or not (asked.sql or asked.ask):
        emit(question_lines(width()))
        return ExitCode.OK
    if asked.dataset is None:
        raise UsageError(f"which dataset?  tcpflows query DATASET --ask {asked.ask}")
    if asked.sql and asked.ask:
        raise UsageError("either a question by name or SQL, not both")
    from tcptrace_py.dataset.query import query as put

    form = form_of(form, output, "table")
    given = values(asked.settings)
    if asked.ask:
        known = question(asked.ask)
        answer = put(asked.dataset, known.sql, known.values(given))
    else:
        answer = put(asked.dataset, asked.sql, given)
    write(answer, form, output, raw_csv=raw_csv)
    return ExitCode.OK


def values(settings: list[str]) -> dict[str, Value]:
    """``NAME=VALUE`` as it is typed: a number if it looks like one."""
    given: dict[str, Value] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set: {text!r} is not NAME=VALUE")
        given[name] = _number(value)
    return given


def _number(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def write(answer: pa.Table, form: str, output: Path | None, *, raw_csv: bool = False) -> None:
    """The answer in its form."""
    from tcptrace_py.tables.answers import in_text
    from tcptrace_py.tables.write import one_file

    answer = answer.combine_chunks() if form in {"parquet", "arrow"} else in_text(answer)
    batches = answer.to_batches()
    if form == "table":
        from tcptrace_py.views.grid import grid_lines

        emit(grid_lines(batches, answer.column_names))
        return
    with one_file(form, output, {ANSWER: answer.schema}, raw_csv=raw_csv) as writer:
        for batch in batches:
            writer.put(ANSWER, batch)


def question_lines(columns: int) -> Iterator[Line]:
    """Every question: what it tells, and what can be set."""
    yield line(Part("tcpflows query DATASET --ask NAME", "heading"))
    for each in QUESTIONS.values():
        yield line("  ", Part(each.name, "heading"))
        for text in (each.tells, *_settings(each)):
            yield from (line("      ", row) for row in textwrap.wrap(text, max(columns - 6, 20)))


def _settings(each: Question) -> Iterator[str]:
    for setting in each.settings:
        yield f"--set {setting.name}={setting.default}  {setting.meaning}"

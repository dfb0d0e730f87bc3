"""The story of a connection of a trace: the door of the command and of `Connection.explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.views.story.language import Language
from tcptrace_py.views.story.page import WIDEST, lines
from tcptrace_py.views.story.telling import story

if TYPE_CHECKING:
    from typing import Any

    from tcptrace_py.connection import Connection
    from tcptrace_py.views.story.said import Section


def explained(connection: Connection, lang: str = "en", width: int = WIDEST) -> str:
    """The story of a connection as plain text in a language."""
    from tcptrace_py.views.ink import plain

    language = Language(lang)
    return "".join(f"{plain(parts)}\n" for parts in lines(sections(connection), language, width))


def sections(connection: Connection) -> list[Section]:
    """The story of a connection, in no language yet."""
    events, states = (_rows(connection, table) for table in ("events", "states"))
    return story(connection.record, connection.rows(), events, states)


def _rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    """The connection's rows of a table that has rows of all connections."""
    from tcptrace_py.tables.build import as_rows

    found: list[dict[str, Any]] = []
    for batch in connection.trace.batches(table):
        places = [i for i, number in enumerate(batch.column("conn_id").to_pylist()) if number == connection.conn_id]
        if places:  # Arrow's own filter would load pandas
            near = as_rows(batch.slice(places[0], places[-1] + 1 - places[0]))
            found += [row for row in near if row["conn_id"] == connection.conn_id]
    return found

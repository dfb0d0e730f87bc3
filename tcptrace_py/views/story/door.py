"""The story of a connection of a trace: the door of the command and of `Connection.explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.views.story.language import Language
from tcptrace_py.views.story.page import WIDEST, lines
from tcptrace_py.views.story.telling import story

if TYPE_CHECKING:
    from typing import Any

    from tcptrace_py.trace import Connection
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
    import pyarrow.compute as pc

    from tcptrace_py.tables.build import as_rows

    mine = pc.field("conn_id") == connection.conn_id
    return [row for batch in connection.trace.batches(table) for row in as_rows(batch.filter(mine))]

"""The two tables of an audit, declared: what a table of flows did to connections, and what each of its rows is."""

from __future__ import annotations

from tcptrace_py.tables.schema import CONNECTIONS, Column

_OURS = {column.name: column for column in CONNECTIONS}

AUDITED_CONNECTIONS = (
    *(_OURS[name] for name in ("capture", "conn_id", "client_ip", "client_port", "server_ip", "server_port")),
    *(_OURS[name] for name in ("start", "duration_ns", "teardown")),
    Column("segments", "uint32", "", "Segments of the connection"),
    Column("segments_told", "uint32", "", "Segments of it that a row holds"),
    Column("pieces", "uint32", "", "Rows that hold segments of it; 1 is right"),
    Column("mixed", "uint32", "", "Of these, rows that hold segments of other connections, too"),
    Column("reversed", "uint32", "", "Of these, rows that begin with it and whose source is its server"),
    Column("cut_at_fin", "uint32", "", "Pieces that end with a FIN, before its last segment"),
    Column("cut_at_timeout", "uint32", "", "Pieces whose next segment comes 100 s or more after their first"),
    Column("cut_otherwise", "uint32", "", "Pieces that end before its last segment for another reason"),
)

AUDITED_FLOWS = (
    Column("line", "int64", "", "Line of the row in the table of flows"),
    Column("label", "text", "", "Its label"),
    Column("source_ip", "text", "", "Its source"),
    Column("source_port", "uint16", "", "Its source port"),
    Column("target_ip", "text", "", "Its destination"),
    Column("target_port", "uint16", "", "Its destination port"),
    Column("found", "label", "", "exact: by number and duration of its packets; time: by its time alone; none"),
    Column("start", "time", "", "First of its segments in the capture, to the microsecond", nullable=True),
    Column("segments", "uint32", "", "How many segments it is of", nullable=True),
    Column("conn_ids", "labels", "", "The connections that they belong to"),
    Column("reversed", "bool", "", "Its source is the server of the connection that it begins with", nullable=True),
)

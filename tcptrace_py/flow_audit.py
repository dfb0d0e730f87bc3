"""audit(): what a table of flows did to the connections of the capture that it was made of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tcptrace_py.analysis import analyze
from tcptrace_py.errors import UsageError
from tcptrace_py.peers.cic_flows import FIN, Segments, Speech, find_all, read_flows, understand
from tcptrace_py.trace import rereadable

if TYPE_CHECKING:
    import os

    import pandas as pd
    import pyarrow as pa

    from tcptrace_py.peers.cic_flows import FlowRow, FlowTable, Found, Pair
    from tcptrace_py.trace import Trace

    Row = dict[str, Any]

TIMEOUT_US = 100 * 10**6  # CICFlowMeter's is 120 s by default, after the beginning of a flow
TABLES = ("connections", "flows")


@dataclass
class Audit:
    """What came of it.

    Attributes
    ----------
    flows, connections : pandas.DataFrame
        A row for every row of the table of flows, and for every connection; columns as ``tcpflows catalog`` has them.
    offset_s : float
        How much the table's clock is ahead of UTC.
    other_protocols, nonsense : int
        Rows that are not TCP, and rows that cannot be read.
    """

    trace: Trace
    offset_s: float = 0.0
    other_protocols: int = 0
    nonsense: int = 0
    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})

    @property
    def connections(self) -> pd.DataFrame:
        """A row for every connection."""
        return self._frame("connections")

    @property
    def flows(self) -> pd.DataFrame:
        """A row for every row of the table of flows."""
        return self._frame("flows")

    def _frame(self, table: str) -> pd.DataFrame:
        import pyarrow as pa

        from tcptrace_py.tables.dataframe import dataframe

        return dataframe(pa.Table.from_batches([self.batch(table)]))

    def batch(self, table: str) -> pa.RecordBatch:
        """One of the two tables as an Arrow record batch."""
        from tcptrace_py.tables.audit import AUDITED_CONNECTIONS, AUDITED_FLOWS
        from tcptrace_py.tables.build import as_batch

        declared = AUDITED_CONNECTIONS if table == "connections" else AUDITED_FLOWS
        return as_batch(f"audited_{table}", self.rows[table], declared)

    @property
    def pieces(self) -> Counter[int]:
        """How many connections are in none, one, two... rows."""
        return Counter(row["pieces"] for row in self.rows["connections"])

    @property
    def found(self) -> Counter[str]:
        """How many rows were found by number and duration (``exact``), by ``time`` alone, and not (``none``)."""
        return Counter(row["found"] for row in self.rows["flows"])

    @property
    def mixed(self) -> int:
        """Rows that hold segments of several connections."""
        return sum(len(row["conn_ids"]) > 1 for row in self.rows["flows"])

    @property
    def reversed(self) -> int:
        """Rows whose source is the server."""
        return sum(bool(row["reversed"]) for row in self.rows["flows"])

    def worst(self, most: int) -> list[Row]:
        """The connections that suffered most."""
        hurt = [row for row in self.rows["connections"] if row["pieces"] != 1 or row["mixed"] or row["reversed"]]
        return sorted(hurt, key=lambda row: (-row["pieces"], -row["mixed"], -row["reversed"], row["conn_id"]))[:most]


def audit(
    flows: str | os.PathLike[str], capture: str | os.PathLike[str], *, offset_s: float | None = None, **options: Any
) -> Audit:
    """Compare a table of flows, as CICFlowMeter writes it, with the true connections of its capture.

    Parameters
    ----------
    flows : path
        The CSV file.
    capture : path
        The capture that it was made of.
    offset_s : float, optional
        How much the table's clock is ahead of UTC, in seconds; default: what most rows agree on.
    **options
        As for `analyze`.

    Returns
    -------
    Audit

    Raises
    ------
    UnreadableError
        When either file cannot be read.
    """
    table = read_flows(flows)
    trace = analyze(capture, tables=("connections",), **options)
    if not rereadable(capture):
        raise UsageError(f"{trace.path} cannot be read again: an audit needs a file")
    held = Segments({row.pair for row in table.rows})
    trace.replay(held)
    speeches = {pair: Speech(*columns) for pair, columns in held.of.items()}
    offset_us = understand(table, speeches)
    if offset_s is not None:
        offset_us = round(offset_s * 10**6)
    done = Audit(trace, offset_us / 10**6, table.others, table.nonsense)
    _judge(done, table, held, speeches, offset_us)
    return done


def _judge(done: Audit, table: FlowTable, held: Segments, speeches: dict[Pair, Speech], offset_us: int) -> None:
    """Make the rows of both tables."""
    from tcptrace_py.tables.build import as_rows

    connections = {
        row["conn_id"]: row
        | {"segments": row["c2s_segments"] + row["s2c_segments"], "segments_told": 0, "pieces": 0, "mixed": 0}
        | {"reversed": 0, "cut_at_fin": 0, "cut_at_timeout": 0, "cut_otherwise": 0}
        for batch in done.trace.batches("connections")
        for row in as_rows(batch)
    }
    lasts = {conn: int(at) for speech in speeches.values() for at, conn in enumerate(speech.conns.tolist())}
    for row, found in find_all(table, speeches, offset_us):
        told = _told(row, found)
        if found is not None:
            speech = speeches[row.pair]
            here = speech.conns[found.first : found.last + 1].tolist()
            numbers = Counter(here)
            turned = held.clients[here[0]] != row.source
            told |= {"conn_ids": [str(conn) for conn in numbers], "reversed": turned}
            told["start"] = int(speech.us[found.first]) * 1000
            connections[here[0]]["reversed"] += turned
            for conn, number in numbers.items():
                _count(connections[conn], number, len(numbers) > 1)
                if lasts[conn] > found.last:
                    connections[conn][_cut_by(speech, found)] += 1
        done.rows["flows"].append(told)
    done.rows["connections"] = [connections[conn_id] for conn_id in sorted(connections)]


def _told(row: FlowRow, found: Found | None) -> Row:
    source, target = row.source, row.target
    return {
        "line": row.line,
        "label": row.label,
        "source_ip": row.source_ip,
        "source_port": source[2],
        "target_ip": row.target_ip,
        "target_port": target[2],
        "found": "none" if found is None else "exact" if found.exact else "time",
        "start": None,
        "segments": None if found is None else found.last - found.first + 1,
        "conn_ids": [],
        "reversed": None,
    }


def _count(connection: Row, segments: int, mixed: bool) -> None:
    connection["pieces"] += 1
    connection["segments_told"] += segments
    connection["mixed"] += mixed


def _cut_by(speech: Speech, found: Found) -> str:
    if speech.bits[found.last] & FIN:
        return "cut_at_fin"
    until = int(speech.us[found.last + 1] - speech.us[found.first])  # a cut one is followed by another segment
    return "cut_at_timeout" if until >= TIMEOUT_US else "cut_otherwise"

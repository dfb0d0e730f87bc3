"""Views: a connection a row in the words of another program or of a convention, made on request only.

`zeek`, `tcptrace` and `tshark` follow those programs' own rules (see `peers`); `ecs` is our `connections` table under
the names of the Elastic Common Schema; `cic` has CICFlowMeter's columns, reckoned over our connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.peers import Tcptrace, Tshark, Zeek
from tcptrace_py.tables import addresses, views_cic, views_tcptrace, views_tshark
from tcptrace_py.tables.schema import CONNECTIONS, Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Row = dict[str, Any]

ZEEK = (
    Column("capture", "label", "", "File that the connection was read from"),
    Column("ts", "time", "", "First packet"),
    Column("uid", "text", "", "C and a digest of ends, network and beginning: the same in every run, not Zeek's own"),
    Column("id.orig_h", "text", "", "Address of the originator"),
    Column("id.orig_p", "uint16", "", "Port of the originator"),
    Column("id.resp_h", "text", "", "Address of the responder"),
    Column("id.resp_p", "uint16", "", "Port of the responder"),
    Column("proto", "label", "", "tcp"),
    Column("duration_ns", "int64", "ns", "First to last packet; null for a single one", nullable=True),
    Column(
        "orig_bytes", "int64", "octets", "By the originator's sequence numbers; null for a single packet", nullable=True
    ),
    Column(
        "resp_bytes", "int64", "octets", "By the responder's sequence numbers; null for a single packet", nullable=True
    ),
    Column("conn_state", "label", "", "S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR or OTH"),
    Column("history", "text", "", "A letter an event; capitals are the originator's"),
    Column("orig_pkts", "uint32", "", "Packets of the originator with a good checksum"),
    Column("resp_pkts", "uint32", "", "Packets of the responder with a good checksum"),
)
ECS_FROM = {
    "event.start": ("start", "First segment"),
    "event.end": ("end", "Last segment"),
    "event.duration": ("duration_ns", "First to last segment"),
    "client.ip": ("client_ip", "Address of the client"),
    "client.port": ("client_port", "Port of the client"),
    "client.bytes": ("c2s_wire_bytes", "Octets of the client's frames"),
    "client.packets": ("c2s_segments", "Segments of the client"),
    "server.ip": ("server_ip", "Address of the server"),
    "server.port": ("server_port", "Port of the server"),
    "server.bytes": ("s2c_wire_bytes", "Octets of the server's frames"),
    "server.packets": ("s2c_segments", "Segments of the server"),
    "network.community_id": ("community_id", "Community ID of the pair"),
}
"""Field of the Elastic Common Schema -> our column; source and destination are client and server."""


def _ecs_columns(ours: Iterable[Column]) -> Iterator[Column]:
    known = {column.name: column for column in ours}
    yield Column("event.dataset", "label", "", "tcptrace_py.connections")
    yield Column("network.transport", "label", "", "tcp")
    yield Column("network.type", "label", "", "ipv4 or ipv6")
    for name, (source, meaning) in ECS_FROM.items():
        column = known[source]
        yield Column(name, column.type, column.unit, meaning, nullable=column.nullable)
    for end in ("source", "destination"):
        yield Column(f"{end}.ip", "text", "", f"Address of the {'client' if end == 'source' else 'server'}")
        yield Column(f"{end}.port", "uint16", "", f"Port of the {'client' if end == 'source' else 'server'}")


def zeek_rows(records: Iterable[Row]) -> list[Row]:
    """What `peers.Zeek` found, as rows of the view."""
    return [
        record
        | {
            "duration_ns": record["duration"],
            "proto": "tcp",
            **{
                f"id.{name}_{what}": value
                for name, (hi, lo, port) in zip(("orig", "resp"), record["ends"], strict=True)
                for what, value in (("h", addresses.text(hi, lo)), ("p", port))
            },
        }
        for record in records
    ]


def ecs_rows(connections: Iterable[Row]) -> list[Row]:
    """Rows of `connections` as rows of the view."""
    rows = []
    for conn in connections:
        row = {name: conn[source] for name, (source, _) in ECS_FROM.items()}
        row |= {f"source.{what}": conn[f"client_{what}"] for what in ("ip", "port")}
        row |= {f"destination.{what}": conn[f"server_{what}"] for what in ("ip", "port")}
        row["event.dataset"] = "tcptrace_py.connections"
        row["network.transport"] = "tcp"
        row["network.type"] = "ipv6" if ":" in conn["client_ip"] else "ipv4"
        rows.append(row)
    return rows


class View(NamedTuple):
    """A view, declared: its columns, what makes its rows, and out of which records.

    `replay` takes the capture's name, then the segments as a sink of the pipeline, and has `records()`; without it the
    records are the rows of `connections`.  `on_screen` are the columns that a terminal shows, if not nearly all.
    """

    columns: tuple[Column, ...]
    rows: Callable[[Iterable[Row]], list[Row]]
    replay: Callable[[str], Any] | None = None
    on_screen: tuple[str, ...] = ()

    @property
    def shown(self) -> list[str]:
        """Names of the columns on a terminal."""
        names = [column.name for column in self.columns if column.name not in {"capture", "uid"}]
        return list(self.on_screen) or names


VIEWS = {
    "zeek": View(ZEEK, zeek_rows, Zeek),
    "tcptrace": View(views_tcptrace.COLUMNS, views_tcptrace.rows, Tcptrace, views_tcptrace.ON_SCREEN),
    "tshark": View(views_tshark.COLUMNS, views_tshark.rows, Tshark),
    "cic": View(tuple(views_cic.COLUMNS), views_cic.rows, views_cic.Features, views_cic.ON_SCREEN),
    "ecs": View(tuple(_ecs_columns(CONNECTIONS)), ecs_rows),
}

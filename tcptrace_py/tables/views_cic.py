"""The view `cic`: CICFlowMeter's columns over true connections, a row a connection; what machine learning is fed with.

Knows what each column means.  Where CICFlowMeter's program does something else than the column's definition says, the
definition is taken, and `DIFFERENCES` says what the program does.  Forward is the client's direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.decode import _batch
from tcptrace_py.tables import addresses
from tcptrace_py.tables.flow_facts import SECOND, Flow, Numbers, Way
from tcptrace_py.tables.schema import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    Row = dict[str, Any]
    Value = Callable[[Flow], Any]

MICRO = 1000  # nanoseconds
TCP = 6
READ = ("time_ns", "flags", "payload", "header", "window", "marks")
COLUMNS: list[Column] = [
    Column("capture", "label", "", "File that the connection was read from"),
    Column("conn_id", "uint32", "", "Connection, as in the other tables"),
]
VALUES: dict[str, Value] = {}
DIFFERENCES: dict[str, str] = {}
"""Column -> what CICFlowMeter's program does, where that is not what the column is defined as."""


def _over(value: float | None, by: float | None) -> float | None:
    """A quotient, where there is one."""
    return None if value is None or not by else value / by


def _micro(value: float | None) -> float | None:
    return None if value is None else value / MICRO


def _in_micro(value: Value) -> Value:
    return lambda flow: _micro(value(flow))


def _a_second(flow: Flow, number: float) -> float | None:
    return _over(number * SECOND, flow.duration)


def _sized(value: Value) -> Value:
    """Null where the length of a segment is not known."""
    return lambda flow: None if flow.unsized else value(flow)


def _headed(value: Value) -> Value:
    """Null where the length of a header is not known."""
    return lambda flow: None if flow.bare else value(flow)


def _sent(side: int, reckon: Callable[[Flow, Way], Any]) -> Value:
    """Something of one direction."""
    return lambda flow: reckon(flow, flow.ways[side])


def _flagged(flag: str) -> Value:
    return lambda flow: flow.flags[flag]


def _of_spread(numbers: Callable[[Flow], Numbers], reckon: Callable[[Numbers], Any]) -> Value:
    return lambda flow: reckon(numbers(flow))


def _f(  # noqa: PLR0913, PLR0917 - a declaration
    name: str, spec: str, unit: str, meaning: str, value: Value, program: str = ""
) -> None:
    """Declare a column; `program` is what CICFlowMeter does, where that is not what the column is defined as."""
    COLUMNS.append(Column(name, spec.removesuffix("?"), unit, meaning, nullable=spec.endswith("?")))
    VALUES[name] = value
    if program:
        DIFFERENCES[name] = program


SPREAD = {
    "Mean": ("Mean", Numbers.mean),
    "Std": ("Standard deviation (of a sample)", Numbers.std),
    "Max": ("Greatest", Numbers.max),
    "Min": ("Least", Numbers.min),
}


def _lengths(name: str, order: str, of: str, numbers: Callable[[Flow], Numbers], program: str = "") -> None:
    """Declare what is said of payload lengths."""
    for each in order.split():
        words, reckon = SPREAD[each]
        kind = "int64?" if each in {"Max", "Min"} else "float64?"
        value = _sized(_of_spread(numbers, reckon))
        said = program if each in {"Mean", "Std"} else ""
        _f(f"{name} {each}", kind, "octets", f"{words} of the payload lengths of {of}", value, said)


def _spans(name: str, order: str, of: str, numbers: Callable[[Flow], Numbers], program: str = "") -> None:
    """Declare what is said of spans of time."""
    for each in order.split():
        words, reckon = SPREAD[each]
        value = _in_micro(_of_spread(numbers, reckon))
        _f(f"{name} {each}", "float64?", "us", f"{words} of {of}", value, program)


WAYS = ((0, "Fwd", "client"), (1, "Bwd", "server"))
TWICE = "counts the length of the first packet twice"
BULKS = "sees no bulk forward, and takes both directions for one backward (it compares the identity of address objects)"
SUBFLOWS = "divides by the number of packets rather than of subflows (a misplaced bracket), and drops the fraction"
LAST_ACTIVE = "leaves out the last active period, and is 0 without a pause"


def _text(flow: Flow, end: int) -> str:
    return addresses.text(*flow.ends[end][:2])


def _flow_id(flow: Flow) -> str:
    ports = "-".join(str(end[2]) for end in flow.ends)
    return f"{_text(flow, 0)}-{_text(flow, 1)}-{ports}-{TCP}"


_f("Flow ID", "text", "", "Client, server, their ports, protocol", _flow_id)
_f("Src IP", "text", "", "Address of the client", lambda f: _text(f, 0), "takes the sender of a flow's first packet")
_f("Src Port", "uint16", "", "Port of the client", lambda f: f.ends[0][2], "takes the sender of a flow's first packet")
_f("Dst IP", "text", "", "Address of the server", lambda f: _text(f, 1))
_f("Dst Port", "uint16", "", "Port of the server", lambda f: f.ends[1][2])
_f("Protocol", "uint8", "", "6: TCP", lambda _f: TCP)
_f(
    "Timestamp",
    "time?",
    "",
    "First segment",
    lambda f: f.start,
    "writes local time to the second, on a clock of 12 hours",
)
_f("Flow Duration", "float64?", "us", "First to last segment", lambda f: _micro(f.duration))
for _side, _way, _who in WAYS:
    _name = "Total Fwd Packet" if _way == "Fwd" else "Total Bwd packets"
    _f(_name, "int64", "", f"Segments from the {_who}", _sent(_side, lambda _f, w: w.segments))
for _side, _way, _who in WAYS:
    _f(
        f"Total Length of {_way} Packet",
        "int64?",
        "octets",
        f"Payload from the {_who}, resent octets included",
        _sized(_sent(_side, lambda _f, w: w.lengths.total)),
    )
for _side, _way, _who in WAYS:
    _lengths(
        f"{_way} Packet Length", "Max Min Mean Std", f"the {_who}'s segments", _sent(_side, lambda _f, w: w.lengths)
    )
_f(
    "Flow Bytes/s",
    "float64?",
    "octets/s",
    "Payload of both directions over the duration; null if that is 0",
    _sized(lambda f: _a_second(f, f.lengths.total)),
    "is Infinity or NaN for a duration of 0",
)
_f(
    "Flow Packets/s",
    "float64?",
    "1/s",
    "Segments of both directions over the duration; null if that is 0",
    lambda f: _a_second(f, f.segments),
    "is Infinity for a duration of 0",
)
_spans("Flow IAT", "Mean Std Max Min", "the times between segments that follow each other", lambda f: f.iat)
for _side, _way, _who in WAYS:
    _of = f"the times between the {_who}'s segments"
    _f(f"{_way} IAT Total", "float64", "us", f"Sum of {_of}", _sent(_side, lambda _f, w: w.iat.total / MICRO))
    _spans(f"{_way} IAT", "Mean Std Max Min", _of, _sent(_side, lambda _f, w: w.iat))
for _flag, _count in (("PSH", lambda _f, w: w.psh), ("URG", lambda _f, w: w.urg)):
    for _side, _way, _who in WAYS:
        _f(
            f"{_way} {_flag} Flags",
            "int64",
            "",
            f"The {_who}'s segments with {_flag}",
            _sent(_side, _count),
            "counts the first packet of a flow alone",
        )
for _side, _way, _who in WAYS:
    _f(
        f"{_way} Header Length",
        "int64?",
        "octets",
        f"Sum of the {_who}'s TCP headers",
        _headed(_sent(_side, lambda _f, w: w.header)),
    )
for _side, _way, _who in WAYS:
    _f(
        f"{_way} Packets/s",
        "float64?",
        "1/s",
        f"The {_who}'s segments over the duration; null if that is 0",
        _sent(_side, lambda f, w: _a_second(f, w.segments)),
        "is 0 for a duration of 0",
    )
_lengths("Packet Length", "Min Max Mean Std", "all segments", lambda f: f.lengths, TWICE)
_f(
    "Packet Length Variance",
    "float64?",
    "octets^2",
    "Variance (of a sample) of the payload lengths of all segments",
    _sized(lambda f: f.lengths.variance()),
    TWICE,
)
for _flag in ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "CWR", "ECE"):
    _f(
        f"{_flag} Flag Count",
        "int64",
        "",
        f"Segments with {_flag}",
        _flagged(_flag),
        "in one of its outputs writes the eight in the order of a hash table",
    )
_f(
    "Down/Up Ratio",
    "float64?",
    "",
    "The server's segments over the client's; null without one of the client",
    lambda f: _over(f.ways[1].segments, f.ways[0].segments),
    "drops the fraction",
)
_f(
    "Average Packet Size",
    "float64?",
    "octets",
    "Payload of both directions over their segments",
    _sized(lambda f: _over(f.lengths.total, f.segments)),
    TWICE,
)
for _side, _way, _who in WAYS:
    _f(
        f"{_way} Segment Size Avg",
        "float64?",
        "octets",
        f"The same as {_way} Packet Length Mean",
        _sized(_sent(_side, lambda _f, w: w.lengths.mean())),
    )
for _side, _way, _who in WAYS:
    _of = (
        f"a bulk: at least 4 segments with payload from the {_who}, no pause over 1 s, "
        "no payload from the other side between; null without one"
    )
    _f(
        f"{_way} Bytes/Bulk Avg",
        "float64?",
        "octets",
        f"Mean payload of {_of}",
        _sized(_sent(_side, lambda _f, w: _over(w.bulks.octets, w.bulks.bulks))),
        BULKS,
    )
    _f(
        f"{_way} Packet/Bulk Avg",
        "float64?",
        "",
        f"Mean number of segments of {_of}",
        _sized(_sent(_side, lambda _f, w: _over(w.bulks.segments, w.bulks.bulks))),
        BULKS,
    )
    _f(
        f"{_way} Bulk Rate Avg",
        "float64?",
        "octets/s",
        f"Payload of all bulks over their durations; {_of}",
        _sized(_sent(_side, lambda _f, w: _over(w.bulks.octets * SECOND, w.bulks.duration))),
        BULKS,
    )
for _side, _way, _who in WAYS:
    _of = f"from the {_who} over the number of subflows; a pause over 1 s begins another subflow"
    _f(
        f"Subflow {_way} Packets",
        "float64",
        "",
        f"Segments {_of}",
        _sent(_side, lambda f, w: w.segments / (f.pauses + 1)),
        SUBFLOWS,
    )
    _f(
        f"Subflow {_way} Bytes",
        "float64?",
        "octets",
        f"Payload {_of}",
        _sized(_sent(_side, lambda f, w: w.lengths.total / (f.pauses + 1))),
        SUBFLOWS,
    )
_f(
    "FWD Init Win Bytes",
    "int64?",
    "",
    "Window in the header of the client's first segment, as it stands",
    lambda f: f.ways[0].window,
)
_f(
    "Bwd Init Win Bytes",
    "int64?",
    "",
    "Window in the header of the server's first segment, as it stands",
    lambda f: f.ways[1].window,
    "takes the last segment's",
)
_f(
    "Fwd Act Data Pkts",
    "int64?",
    "",
    "The client's segments with payload",
    _sized(lambda f: f.ways[0].data),
    "leaves out the first packet of a flow",
)
_f(
    "Fwd Seg Size Min",
    "int64?",
    "octets",
    "Least TCP header of the client's segments",
    _headed(lambda f: f.ways[0].header_least),
)
_spans(
    "Active",
    "Mean Std Max Min",
    "the times of activity between pauses over 5 s, longer than 0",
    lambda f: f.active,
    LAST_ACTIVE,
)
_spans("Idle", "Mean Std Max Min", "the pauses over 5 s", lambda f: f.idle)


class Features:
    """A sink of the pipeline: the segments of one capture, connection by connection."""

    def __init__(self, capture: str) -> None:
        self.capture = capture
        self.flows: dict[int, Flow] = {}

    def rows(self, batch: Any, tracker: Any) -> None:
        """Take what stands in the batch and in the tracker's columns beside it."""
        import numpy as np  # here: the catalog does without

        n = batch.n
        followed = np.flatnonzero(np.asarray(tracker.conn)[:n] >= 0)  # of a share, not all rows
        conns, sides = (np.asarray(getattr(tracker, name))[followed].tolist() for name in ("conn", "direction"))
        columns = (batch.column(name)[followed].tolist() for name in READ)
        for row, conn, side, (time, flags, size, header, window, marks) in zip(
            followed.tolist(), conns, sides, zip(*columns, strict=True), strict=True
        ):
            flow = self.flows.get(conn)
            if flow is None:
                flow = self.flows[conn] = Flow(_ends(batch, row, side))
            flow.take(
                side,
                None if marks & _batch.NO_TIME else time,
                flags,
                None if marks & _batch.NO_LENGTH else size,
                header,
                None if marks & _batch.NO_WINDOW else window,
            )

    def records(self, only: Collection[int] | None = None) -> Iterator[Row]:
        """The rows of the view, in the order of connections; `only` of these, which are then forgotten."""
        told = self.flows if only is None else {conn_id: self.flows.pop(conn_id) for conn_id in only}
        for conn_id, flow in sorted(told.items()):
            flow.finish()
            made: Row = {"capture": self.capture, "conn_id": conn_id}
            yield made | {name: value(flow) for name, value in VALUES.items()}


def _ends(batch: Any, row: int, side: int) -> tuple[Any, Any]:
    """Client and server."""
    found = [
        (batch.src_hi[row], batch.src_lo[row], batch.sport[row]),
        (batch.dst_hi[row], batch.dst_lo[row], batch.dport[row]),
    ]
    return (found[side], found[1 - side])


def rows(records: Iterable[Row]) -> list[Row]:
    """As they are."""
    return list(records)


ON_SCREEN = (
    *("conn_id", "Src IP", "Src Port", "Dst IP", "Dst Port", "Flow Duration", "Total Fwd Packet", "Total Bwd packets"),
    *("Total Length of Fwd Packet", "Total Length of Bwd Packet", "Flow IAT Mean"),
)

"""One connection as the graphs that tcptrace draws (``tcptrace -G``), in files for xplot and jPlot.

A graph stands for one direction: what the sender sent, and how the peer answered.  Everything is a column of the
`timeline`, or a sum or mean of one.  Times have the microseconds that xplot takes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.errors import UsageError
from tcptrace_py.tables.output import failures_named, whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Row = dict[str, Any]
    Point = tuple[int, float]

SECOND = 1_000_000_000
AVERAGED = 10  # data segments to a point of the average throughput
FIN, SYN, RST, PSH = 1, 2, 4, 8
ENDS = {"c2s": ("client", "server"), "s2c": ("server", "client")}


class Plot:
    """A file of xplot: a head, then a command a line, each in the colour that was named last."""

    def __init__(self, title: str, y_label: str, y_type: str) -> None:
        self.lines = [f"timeval {y_type}", "title", title, "xlabel", "time", "ylabel", y_label]
        self._colour = ""

    def put(self, colour: str, command: str, *points: Point, text: str = "") -> None:
        """A command at one point or two; `text` is what a command for text writes there."""
        if colour != self._colour:
            self.lines.append(colour)
            self._colour = colour
        places = (f"{time // SECOND}.{time % SECOND // 1000:06d} {_number(y)}" for time, y in points)
        self.lines.append(" ".join([command, *places]))
        if text:
            self.lines.append(text)

    def curve(self, colour: str, points: Iterable[Point], label: str) -> None:
        """Points joined by lines, with a label at the first."""
        before = None
        for point in points:
            self.put(colour, "dot", point)
            if before is None:
                self.put(colour, "ltext", point, text=label)
            else:
                self.put(colour, "line", point, before)
            before = point

    def text(self) -> str:
        """The whole file."""
        return "\n".join([*self.lines, "go", ""])


class Direction(NamedTuple):
    """What one direction's graphs are drawn from: rows that have a time, those that the sender sent, and the peer's."""

    rows: list[Row]
    sent: list[Row]
    answers: list[Row]
    offset: int  # makes a counted number of the sender's octets a raw one again


def _number(y: float) -> str:
    return str(y) if isinstance(y, int) else f"{y:.3f}"


def _direction(rows: list[Row], name: str) -> Direction:
    timed = [row for row in rows if row["time"] is not None]
    sent = [row for row in timed if row["direction"] == name and row["rel_seq"] is not None]
    answers = [row for row in timed if row["direction"] != name]
    numbers = [(row["seq"], row["rel_seq"]) for row in sent]
    numbers += [(row["ack"], row["rel_ack"]) for row in answers if row["rel_ack"] is not None]
    raw, counted = numbers[0] if numbers else (0, 0)
    return Direction(timed, sent, answers, raw - counted)


# -- time sequence -------------------------------------------------------------------------------------------------


def _time_sequence(plot: Plot, way: Direction) -> None:
    """Segments upright (red: sent again, pink: out of order); acknowledgments green, the window's edge yellow."""
    before: Row | None = None
    sender = way.sent[0]["direction"] if way.sent else ""
    for row in way.rows:
        if row["direction"] != sender:
            _answer(plot, row, before, way.offset)
            before = row if row["rel_ack"] is not None else before
        elif row["rel_seq"] is not None:
            _segment(plot, row, way.offset)


def _segment(plot: Plot, row: Row, offset: int) -> None:
    time, flags = row["time"], row["flags_raw"]
    first = offset + row["rel_seq"]
    if flags & SYN:
        plot.put("orange", "diamond", (time, first))
        plot.put("orange", "atext", (time, first + 1), text="SYN")
        plot.put("orange", "uarrow", (time, first + 1))
        plot.put("orange", "line", (time, first), (time, first + 1))
        first += 1
    end = first + (row["payload_bytes"] or 0)
    if end > first or not flags & (SYN | FIN):
        _octets(plot, row, first, end)
    if flags & FIN:
        if end == first:
            plot.put("orange", "darrow", (time, end))
        plot.put("orange", "line", (time, end), (time, end + 1))
        plot.put("orange", "box", (time, end + 1))
        plot.put("orange", "atext", (time, end + 1), text="FIN")
    if flags & RST:
        plot.put("magenta", "atext", (time, end), text="RST_OUT")


def _octets(plot: Plot, row: Row, first: int, end: int) -> None:
    """The payload from arrow to arrow, to a diamond with PSH; without payload the two meet."""
    time, found = row["time"], row["anomalies"]
    colour, letter = next((kind for name, kind in UNUSUAL.items() if name in found), ("white", ""))
    if letter:
        plot.put(colour, "atext", (time, end), text=letter)
    plot.put(colour, "darrow", (time, first))
    for mark in ("diamond", "dot") if row["flags_raw"] & PSH else ("uarrow",):
        plot.put(colour, mark, (time, end))
    if end > first:
        plot.put(colour, "line", (time, first), (time, end))


UNUSUAL = {"retransmission": ("red", "R"), "out_of_order": ("pink", "O"), "duplicate_packet": ("blue", "D")}
"""Finding -> colour and letter of a segment."""


def _answer(plot: Plot, row: Row, before: Row | None, offset: int) -> None:
    time, ack, window = row["time"], row["rel_ack"], row["window"]
    if row["flags_raw"] & RST:
        near = ack if ack is not None else before["rel_ack"] if before else 0
        plot.put("magenta", "atext", (time, offset + near), text="RST_IN")
    if ack is None:
        return
    if before is not None:
        _step(plot, ("green", "dtick"), (before["time"], offset + before["rel_ack"]), (time, offset + ack))
        if window is not None and before["window"] is not None:
            edges = offset + before["rel_ack"] + before["window"], offset + ack + window
            _step(plot, ("yellow", "utick"), (before["time"], edges[0]), (time, edges[1]))
    if "zero_window" in row["anomalies"]:
        plot.put("magenta", "atext", (time, offset + ack), text="Z")


def _step(plot: Plot, look: tuple[str, str], old: Point, new: Point) -> None:
    """Along to the new time, then up to the new number; a tick where it is the old one."""
    colour, tick = look
    plot.put(colour, "line", old, (new[0], old[1]))
    if new[1] == old[1]:
        plot.put(colour, tick, new)
    else:
        plot.put(colour, "line", (new[0], old[1]), new)


# -- the other graphs ----------------------------------------------------------------------------------------------


def _throughput(plot: Plot, way: Direction) -> None:
    """Each data segment over the time since the one before (yellow), the mean of ten (red), of all so far (blue)."""
    loaded = [row for row in way.sent if row["payload_bytes"] or row["flags_raw"] & (SYN | FIN)]
    for before, row in pairwise(loaded):
        if row["payload_bytes"] and row["time"] > before["time"]:
            plot.put("yellow", "dot", (row["time"], _rate(row["payload_bytes"], row["time"] - before["time"])))
    data = [row for row in loaded if row["payload_bytes"]]
    tens = [data[at : at + AVERAGED + 1] for at in range(0, len(data) - AVERAGED, AVERAGED)]
    recent = [(ten[-1]["time"], _sum(ten[1:]), ten[-1]["time"] - ten[0]["time"]) for ten in tens]
    start = way.rows[0]["time"] if way.rows else 0
    so_far = [(row["time"], _sum(data[: at + 1]), row["time"] - start) for at, row in _every(data, AVERAGED)]
    for colour, points, label in (("red", recent, "mean of ten"), ("blue", so_far, "mean")):
        plot.curve(colour, [(time, _rate(octets, took)) for time, octets, took in points if took > 0], label)


def _every(rows: list[Row], step: int) -> Iterator[tuple[int, Row]]:
    return ((at, rows[at]) for at in range(step - 1, len(rows), step))


def _sum(rows: list[Row]) -> int:
    return sum(row["payload_bytes"] for row in rows)


def _rate(octets: int, nanoseconds: int) -> int:
    return octets * SECOND // nanoseconds


def _round_trips(plot: Plot, way: Direction) -> None:
    """Samples at the acknowledgments that gave them; ambiguous ones are left out."""
    samples = [row for row in way.answers if row["rtt_ns"] is not None and not row["rtt_ambiguous"]]
    plot.curve("red", [(row["time"], row["rtt_ns"] / 1e6) for row in samples], "rtt")


def _outstanding(plot: Plot, way: Direction) -> None:
    """Octets in flight after each segment (red), their mean so far (blue), and the window last offered (yellow)."""
    flights, windows = [], []
    offered: int | None = None
    sender = way.sent[0]["direction"] if way.sent else ""
    for row in way.rows:
        if row["direction"] != sender:
            offered = row["window"] if row["window"] is not None and not row["flags_raw"] & RST else offered
        elif row["in_flight"] is not None and not row["flags_raw"] & (SYN | RST):
            flights.append((row["time"], row["in_flight"]))
            if offered is not None:
                windows.append((row["time"], offered))
    plot.curve("red", flights, "in flight")
    plot.curve("blue", _means(flights), "mean")
    plot.curve("yellow", windows, "window")


def _segment_sizes(plot: Plot, way: Direction) -> None:
    """Payload of each segment that has any (red), and its mean so far (blue)."""
    sizes = [(row["time"], row["payload_bytes"]) for row in way.sent if row["payload_bytes"]]
    plot.curve("red", sizes, "payload")
    plot.curve("blue", _means(sizes), "mean")


def _means(points: list[Point]) -> Iterator[Point]:
    total: float = 0
    for number, (time, y) in enumerate(points, start=1):
        total += y
        yield time, total // number


class Graph(NamedTuple):
    """A graph, declared: what its title and axis say, and what draws it."""

    title: str
    y_label: str
    y_type: str
    draw: Callable[[Plot, Direction], None]


GRAPHS = {
    "tsg": Graph("time sequence graph", "sequence number", "double", _time_sequence),
    "tput": Graph("throughput", "octets/s", "signed", _throughput),
    "rtt": Graph("rtt samples", "rtt (ms)", "double", _round_trips),
    "owin": Graph("outstanding data", "octets", "signed", _outstanding),
    "ssize": Graph("segment size graph", "segment size (octets)", "signed", _segment_sizes),
}
"""Name in the file's name, as tcptrace has it -> graph."""


def drawn(record: Row, rows: list[Row]) -> Iterator[tuple[str, str]]:
    """Name and text of each file, of a row of `connections` and its rows of the timeline."""
    for name, ends in ENDS.items():
        way = _direction(rows, name)
        source, target = (f"{record[f'{end}_ip']}:{record[f'{end}_port']}" for end in ends)
        for kind, graph in GRAPHS.items():
            plot = Plot(f"{source}_==>_{target} ({graph.title})", graph.y_label, graph.y_type)
            graph.draw(plot, way)
            yield f"{record['conn_id']}_{name}_{kind}.xpl", plot.text()


def write(record: Row, rows: list[Row], folder: Path) -> list[Path]:
    """Write all graphs of a connection into a folder, which is made if need be."""
    if all(row["time"] is None for row in rows):
        raise UsageError(f"connection {record['conn_id']} has no segment with a time: there is nothing to draw")
    with failures_named(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in drawn(record, rows):
        paths.append(folder / name)
        with whole_file(paths[-1]) as file:
            file.write(text.encode())
    return paths

"""One pass over one input: capture, decode, flows, tracker, joined.  `analysis` decides what to ask of it."""

from __future__ import annotations

import contextlib
import gc
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tcptrace_py.capture import CaptureInfo, CaptureSet, Joined, Mark, open_capture
from tcptrace_py.columns import zeros
from tcptrace_py.decode import Batch, Decoder
from tcptrace_py.decode.links import is_decoded, named
from tcptrace_py.errors import ChangedError
from tcptrace_py.flows import FlowTable
from tcptrace_py.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcptrace_py.capture import Frames, Reader
    from tcptrace_py.decode import QuotedError
    from tcptrace_py.options import Options
    from tcptrace_py.suspended import Suspended


class Sink(Protocol):
    """Takes labelled rows as they come: the batch, and the tracker's columns at the same places."""

    def rows(self, batch: Batch, tracker: Tracker) -> None:
        """Take the rows of one batch."""


@dataclass(slots=True)
class Counts:
    """How many of each there were, up to a point or between two."""

    unused: list[int]
    rows: int
    connections: int
    limits: Counter[str]

    def since(self, before: Counts | None) -> Counts:
        """What came after an earlier point."""
        if before is None:
            return self
        unused = [now - then for now, then in zip(self.unused, before.unused, strict=True)]
        rows, connections = self.rows - before.rows, self.connections - before.connections
        return Counts(unused, rows, connections, self.limits - before.limits)


@dataclass(slots=True)
class Pass:
    """What one pass over an input leaves behind; `parts` are the files that it consists of, and what each gave."""

    info: CaptureInfo
    tracker: Any
    flows: FlowTable
    decoder: Any
    errors: list[tuple[int, QuotedError]] = field(default_factory=list)  # conn_id, ICMP error that quotes it
    extent: Any = None  # what was read of a file; of each file of a set
    parts: list[tuple[CaptureInfo, Counts]] = field(default_factory=list)
    counted: Counts | None = None  # when the last part ended
    since_gap: set[Any] | None = None  # pairs that have spoken since the last gap in the capture

    @property
    def unused(self) -> list[int]:
        """Packets that gave no row, counted by `Unused`."""
        return list(self.decoder.unused)

    @property
    def limits(self) -> Counter[str]:
        """How often each bound was reached, by its name."""
        return self.info.limits + self._reached

    @property
    def _reached(self) -> Counter[str]:
        reached: Counter[str] = self.decoder.limits + Counter(self.tracker.reached)
        return reached

    @property
    def counts(self) -> Counts:
        """What there was so far."""
        return Counts(self.unused, self.tracker.row, self.tracker.next_id, self._reached)

    def end_part(self, info: CaptureInfo) -> None:
        """Count what a file has given that is at its end."""
        now = self.counts
        self.parts.append((info, now.since(self.counted)))
        self.counted = now

    def end_connections(self) -> None:
        """Count with the last file what was reached when the connections that were open ended."""
        if self.parts:
            self.parts[-1][1].limits += self.counts.since(self.counted).limits

    def tell_undecoded_links(self) -> None:
        """Frames of a link type that is not decoded make a result partial; an input of nothing else is unsupported."""
        for info in {id(info): info for info in (self.info, *(info for info, _ in self.parts))}.values():
            self._tell_undecoded_links(info)

    def _tell_undecoded_links(self, info: CaptureInfo) -> None:
        links = {link: number for link, number in info.link_types.items() if not is_decoded(link)}
        if not links:
            return
        text = "; ".join(f"{named(link)} is not decoded: {number} packets not used" for link, number in links.items())
        if info.status != "ok":
            info.notes.append(text)
            return
        info.status = "partial" if len(links) < len(info.link_types) else "unsupported"
        info.reason, info.message = "unsupported_link", text

    def check(self) -> None:
        """Every packet is accounted for: it has a row, or is counted by reason."""
        read, used, unused = self.info.packets_read, self.tracker.packets, sum(self.unused)
        if read != used + unused:
            raise AssertionError(f"{read} packets read, but {used} with a row and {unused} not used")

    def check_same(self, before: Pass) -> None:
        """Two passes over one input saw the same."""
        now, then = (
            (done.info.packets_read, done.tracker.row, done.tracker.next_id, done.unused, done.info.last_time_ns)
            for done in (self, before)
        )
        if now != then:
            why = "its packets are others now" if now[0] == then[0] else f"{now[0]} packets now, {then[0]} before"
            raise ChangedError(f"{self.info.path}: changed while it was read ({why}); run it again", "changed")


def run(
    source: Any,
    options: Options,
    *,
    keep: frozenset[str] = frozenset(),
    sink: Sink | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Pass:
    """Read an input from beginning to end.

    Raises
    ------
    UnreadableError
        When no packet can be had from the input.
    """
    with _no_cycles():
        *_, done = steps(source, options, keep=keep, sink=sink, progress=progress)
    return done


def steps(  # noqa: PLR0913 - what is asked of a pass, by keyword
    source: Any,
    options: Options,
    *,
    keep: frozenset[str] = frozenset(),
    sink: Sink | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    before: Pass | None = None,
    resumed: Suspended | None = None,
    ending: Callable[[Pass], object] | None = None,
    flows: FlowTable | None = None,
) -> Iterator[Pass]:
    """The same, a chunk of the input at a time: yields its state so far, and once more when all connections ended.

    `before` is an earlier pass over the same input: only what that one read is read, and it must be the same.
    `resumed` is a pass that this one goes on with, at the first file after its last.  `ending` is called when all is
    read and no open connection has been ended yet: the moment to suspend the pass.
    `flows` may be the table of a share of all pairs: then only their connections are followed.

    Raises
    ------
    ChangedError
        When it is not.
    """
    flows = flows or FlowTable(int.from_bytes(os.urandom(8)))
    make: Any = Tracker  # compiled: its signature is not for the type checker
    seen = make(
        flows,
        options.batch_size,
        options.msl2_ns,
        options.idle_timeout_ns,
        options.limits,
        keep,
        sink is not None,
        _overlaps(options),
    )
    decoder = _decoder(options)
    with _opened(source, options, before.extent if before else None, resumed) as reader:
        done = Pass(reader.info, seen, flows, decoder)
        if resumed is not None:
            resumed.take_up(done)
        stage = _Stage(done, options.batch_size, sink)
        for frames in reader:
            with _no_cycles():
                stage.end_parts(reader.parts)
                stage.take(frames, live=reader.live)
            if progress is not None:
                progress(reader.bytes_read, reader.bytes_total)
            yield done
        with _no_cycles():
            stage.flush()
            stage.end_parts(reader.parts)
            if ending is not None:
                ending(done)
            decoder.finish()
            seen.finish()
            done.end_connections()
    done.extent = reader.extent
    done.tell_undecoded_links()
    done.check()
    if before is not None:
        done.check_same(before)
    yield done


def _opened(source: Any, options: Options, extent: Any, resumed: Suspended | None) -> Reader | Joined:
    how: dict[str, Any] = {
        "link_type": options.link_type,
        "reader": options.reader,
        "resync": options.resync,
        "limits": options.limits,
    }
    if isinstance(source, CaptureSet):
        return Joined(source, extent, how, (resumed.info, [info for info, _ in resumed.parts]) if resumed else None)
    return open_capture(source, extent=extent, **how)


def _decoder(options: Options) -> Any:
    chosen: dict[str, Any] = {
        "verify_checksums": options.verify_checksums,
        "limits": options.limits,
        "payloads": options.overlaps,
    }
    if options.reader == "dpkt":
        from tcptrace_py.decode import DpktDecoder  # here, because importing dpkt takes a while

        return DpktDecoder(**chosen)
    return Decoder(**chosen)


def _overlaps(options: Options) -> Any:
    if not options.overlaps:
        return None
    from tcptrace_py.tracker.overlaps import Overlaps  # here, because few ask for it

    return Overlaps()


@contextlib.contextmanager
def _no_cycles() -> Iterator[None]:
    """Without the cycle collector: nothing here makes cycles, and it would walk every open connection again and again.

    Never across a ``yield`` to the user, whose own cycles must be collected.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Stage:
    """The batch on its way from the decoder to the tracker."""

    def __init__(self, done: Pass, capacity: int, sink: Sink | None) -> None:
        self.done = done
        self.sink = sink
        self.batch = Batch(capacity)
        self.quoted = Batch(1)
        self.quoted.n = 1
        self.slots = memoryview(zeros("i", capacity))
        self.sides = memoryview(zeros("B", capacity))

    def end_parts(self, ended: list[CaptureInfo]) -> None:
        """Count what each file has given that has ended since."""
        done = self.done
        if len(done.parts) < len(ended):
            self.flush()
        for info in ended[len(done.parts) :]:
            done.end_part(info)

    def take(self, frames: Frames, *, live: bool) -> None:
        """Decode a run of frames, and track each batch that is full; of a live input whatever there is."""
        at = 0
        if frames.n and frames.marks[0] & Mark.AFTER_GAP:
            self.flush()
            self.done.since_gap = set()
        while at < frames.n:
            at = self.done.decoder.decode(frames, at, self.batch)
            if self.batch.n == self.batch.capacity or at < frames.n:
                self.flush()
        if live:
            self.flush()

    def flush(self) -> None:
        """Track what the batch holds, with the ICMP errors at their places between the rows."""
        batch, tracker, quotes = self.batch, self.done.tracker, self.done.decoder.quotes
        if batch.n == 0 and not quotes:
            return
        slots, sides = self.slots, self.sides
        self.done.flows.assign(batch, slots, sides)
        if self.done.since_gap is not None:
            self._mark_after_gap(self.done.since_gap)
        at = 0
        for quote in quotes:
            tracker.track(batch, slots, sides, at, quote.row)
            at = quote.row
            self._attach(quote)
        tracker.track(batch, slots, sides, at, batch.n)
        tracker.let_go()
        if self.sink is not None:
            self.sink.rows(batch, tracker)
        batch.n = 0
        quotes.clear()

    def _mark_after_gap(self, spoken: set[Any]) -> None:
        """The first row of each pair after a gap in the capture is marked; its slot may be another pair's later."""
        marks: Any = self.batch.column("marks")
        for row in range(self.batch.n):
            slot = self.slots[row]
            *ends, net = self.done.flows.sides(slot) if slot >= 0 else (None,)
            pair = (net, *sorted(ends))
            if pair not in spoken:
                spoken.add(pair)
                marks[row] |= Mark.AFTER_GAP

    def _attach(self, quote: QuotedError) -> None:
        """Find the connection whose segment an ICMP error quotes, if it is one that we have seen."""
        quoted = self.quoted
        for name in ("src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport", "net"):
            quoted.column(name)[0] = getattr(quote, name)
        slot = self.done.flows.find(quoted, 0)
        conn_id = self.done.tracker.icmp_error(slot) if slot >= 0 else -1
        if conn_id >= 0:
            self.done.errors.append((conn_id, quote))

"""One way to read them all: `open_capture` finds out what an input is, `Reader` hands over its frames.

Knows every container by name.  Does not know their layouts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from tcptrace_py.capture import magic, pcap, pcapng, snoop
from tcptrace_py.capture._scan import Rows, survey
from tcptrace_py.capture.compression import Unpacked, compression_of
from tcptrace_py.capture.damage import Damage, Stop, Stopped
from tcptrace_py.capture.frames import MARK_MEANING, CaptureInfo, Frames, Gap, Mark
from tcptrace_py.capture.source import Source, Window, open_source
from tcptrace_py.columns import filled
from tcptrace_py.errors import UnreadableError, UnsupportedError, UsageError
from tcptrace_py.options import FIXED, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from tcptrace_py.capture.extent import Extent

ROWS = 8192
MAX_COMPRESSIONS = FIXED["max_compressions"].default
ENOUGH_TEXT = 1 << 16
DEFAULT = Limits()
MAX_GAPS_TOLD = FIXED["max_gaps_told"].default


class Container(Protocol):
    """A kind of capture file."""

    rows: Rows

    def step(self, window: Window, frame: int) -> Stop:
        """Fill rows from the window and use it up so far; `frame` is the number of row 0.  FULL or MORE, or `Damage`.

        With MORE, `rows.wanted` says how many bytes the next record takes.
        """

    def cut(self, window: Window, frame: int) -> Damage:
        """The damage that it is where the input ends inside frame number `frame`."""

    def recover(self, window: Window) -> bool:
        """After damage, move the window to the next place where a record could begin; False where there is none."""


class Reader:
    """The frames of one input, in batches; each is valid until the next is asked for.

    Attributes
    ----------
    info : CaptureInfo
        What is known of the input; complete once the reader is exhausted.
    parts : list of CaptureInfo
        The same, once it is exhausted.
    rereadable : bool
        The input is a regular file named by a path, so that it can be opened again.
    extent : Extent or None
        Once the reader is exhausted: what it read of a file that can be opened again.
    live : bool
        Bytes come as they will (a pipe, a terminal): frames are handed over as soon as their bytes are here.
    """

    def __init__(self, batches: Iterator[Frames], info: CaptureInfo, source: Source | None, rows: Rows) -> None:
        self.info = info
        self.parts: list[CaptureInfo] = []
        self.rereadable = False
        self.extent: Extent | None = None
        self.live = source is not None and source.live
        self.link_type: int | None = None
        self.progress: Callable[[int, int | None], object] | None = None
        self._batches = batches
        self._source = source
        self._rows = rows

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the input so far, as it is stored."""
        return self._source.bytes_read if self._source else 0

    @property
    def bytes_total(self) -> int | None:
        """Bytes that the input has as it is stored; None where that is not known."""
        return self._source.bytes_total if self._source else None

    def __iter__(self) -> Iterator[Frames]:
        """Batches of at most 8,192 frames, until the end or the first damage."""
        try:
            for frames in self._batches:
                self._account(frames)
                yield frames
        except Stopped:
            pass
        except Damage as damage:
            if self.info.gap_count:
                self.info.notes.append(damage.message)
            _note(damage, self.info)
        _sum_up(self.info)
        self.parts.append(self.info)
        self.extent = self._source.extent() if self._source else None
        self.close()

    def close(self) -> None:
        """Give the input back; closes only what `open_capture` opened."""
        if self._source:
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

    def _account(self, frames: Frames) -> None:
        """Number the frames, and note what the whole capture is asked about."""
        info, n = self.info, frames.n
        frames.first_frame = info.packets_read + 1
        info.packets_read += n
        if self.link_type is not None:
            frames.link[:n] = filled("i", n, self.link_type)
        first, last, one_link, any_mark, longest = survey(self._rows, n)
        info.longest = max(longest, info.longest)
        if any_mark:
            for word, number in Counter(frames.marks[:n]).items():
                info.marked.update({mark: number for mark in MARK_MEANING if word & mark})
            if frames.marks[0] & Mark.AFTER_GAP and info.gaps and not info.gaps[-1].frame:
                time = None if frames.marks[0] & Mark.NO_TIME else frames.time_ns[0]
                info.gaps[-1] = info.gaps[-1]._replace(frame=frames.first_frame, time_ns=time)
        if first is not None:
            info.first_time_ns = first if info.first_time_ns is None else min(first, info.first_time_ns)
            info.last_time_ns = last if info.last_time_ns is None else max(last, info.last_time_ns)
        links = {frames.link[0]: n} if one_link else Counter(frames.link[:n])
        for link in sorted(links):
            info.link_types[link] = info.link_types.get(link, 0) + links[link]
        if self.progress:
            self.progress(self.bytes_read, self.bytes_total)


def open_capture(  # noqa: PLR0913 - options, all with defaults, all by keyword
    source: str | Path | Any,
    *,
    link_type: int | None = None,
    reader: Literal["own", "dpkt"] = "own",
    progress: Callable[[int, int | None], object] | None = None,
    resync: bool = False,
    limits: Limits = DEFAULT,
    extent: Extent | None = None,
) -> Reader:
    """Open a capture of any kind for reading.

    Parameters
    ----------
    source : str, path, binary file or iterable
        A path; "-" for standard input; a file object opened in binary mode; or an iterable of (timestamp, bytes),
        such as a dpkt reader, with timestamps in seconds.  Pipes and sockets will do: nothing is read twice.
    link_type : int, optional
        LINKTYPE number to use instead of what the input says; iterables may have no other (Ethernet is assumed).
    reader : {"own", "dpkt"}
        Who reads pcap, pcapng and snoop.
    progress : callable, optional
        Called after each batch with bytes read and bytes in total (or None).
    resync : bool
        After damage in a pcap or pcapng file, look for the next plausible record instead of stopping.  The first
        frame after such a gap is marked; `Reader.info` tells of the first damage, and of the gaps.
    limits : Limits
        How large records, blocks and what is inside compressed input may be: what is more is damage.
    extent : Extent, optional
        What an earlier reader read of this path: so much is read, and no more.

    Returns
    -------
    Reader
        Iterate over it for batches of frames.

    Raises
    ------
    ChangedError
        The path no longer has what `extent` says.
    UnreadableError, UnsupportedError
        No packet can be had.  Damage further on is no error: the frames before it come, then `Reader.info` says
        where and what it is.
    """
    if reader not in ("own", "dpkt"):
        raise UsageError(f"reader is 'own' or 'dpkt', not {reader!r}")
    frames = Frames.empty(ROWS)
    if isinstance(source, str) or hasattr(source, "__fspath__") or _is_file_object(source):
        raw = _opened(source, extent)
        opened = _read_bytes(raw, frames, reader, resync=resync, limits=limits)
        opened.rereadable = opened.rereadable and not _is_file_object(source)
        if opened.info.format != "tcpdump text":  # which has no link layer
            opened.link_type = link_type
    else:
        from tcptrace_py.capture import through_dpkt

        info = CaptureInfo(f"<{type(source).__name__}>", format="packets")
        link = through_dpkt.link_of(through_dpkt.checked_iterable(source), link_type, info)
        packets: Any = source
        opened = Reader(through_dpkt.read_packets(packets, link, frames), info, None, Rows(frames))
    opened.progress = progress
    return opened


def _is_file_object(source: Any) -> bool:
    return hasattr(source, "read") or hasattr(source, "readinto")


def _opened(source: Any, extent: Extent | None) -> Source:
    try:
        return open_source(source, extent)
    except UnreadableError as error:
        raise error.about(str(source)) from None


def _read_bytes(raw: Source, frames: Frames, reader: str, *, resync: bool, limits: Limits) -> Reader:
    info = CaptureInfo(raw.name)
    try:
        window = _unpacked(Window(raw), info, limits)
        batches = _batches_of(window, info, frames, reader, resync=resync, limits=limits)
    except UnreadableError as error:
        raw.close()
        raise error.about(raw.name) from None
    except BaseException:
        raw.close()
        raise
    opened = Reader(batches, info, raw, Rows(frames))
    opened.rereadable = raw.regular
    return opened


def _unpacked(window: Window, info: CaptureInfo, limits: Limits) -> Window:
    """A window on the bytes inside any compression."""
    names: list[str] = []
    while len(names) < MAX_COMPRESSIONS and (name := compression_of(window.peek(8))):
        names.append(name)
        window = Window(Unpacked(window, name, limits))
    info.compression = "+".join(names)
    return window


def _batches_of(  # noqa: PLR0913 - what the input is and how it is read
    window: Window, info: CaptureInfo, frames: Frames, reader: str, *, resync: bool, limits: Limits
) -> Iterator[Frames]:
    """The batches of whatever is in the window, once it is known what that is."""
    head = window.peek(8)
    kinds: dict[bytes, Callable[[Window, CaptureInfo, Frames, Limits], Container]] = {
        pcapng.MAGIC: pcapng.Pcapng,
        snoop.MAGIC: snoop.Snoop,
        **dict.fromkeys(pcap.MAGIC, pcap.Pcap),
    }
    for beginning, kind in kinds.items():
        if not head.startswith(beginning):
            continue
        if reader == "dpkt":
            from tcptrace_py.capture import through_dpkt

            packets = through_dpkt.dpkt_reader(window, info)
            return through_dpkt.read_packets(packets, through_dpkt.link_of(packets, None, info), frames)
        return _walk(window, kind(window, info, frames, limits), frames, info if resync else None)
    if not head:
        if window.fault:
            raise UnreadableError(window.fault.message, window.fault.reason)
        raise UnreadableError("empty file (0 bytes)" if not info.compression else "nothing inside", "empty")
    if _shows_printed_packets(window):
        from tcptrace_py.capture import printed_text

        info.format = "tcpdump text"
        return printed_text.read_printed(window, info, frames)
    raise _not_a_capture(window, info)


def _shows_printed_packets(window: Window) -> bool:
    """Whether the input is text with a packet as tcpdump prints it, among the first lines that can be had."""
    from tcptrace_py.capture import printed_text

    while magic.is_text(head := bytes(window.buffer[window.start : window.end][:ENOUGH_TEXT])):
        if printed_text.shows_packets(head):
            return True
        if len(head) == ENOUGH_TEXT or not window.fill(window.available + 1):
            break
    return False


def _not_a_capture(window: Window, info: CaptureInfo) -> UnreadableError:
    head = bytes(window.buffer[window.start : window.end][:1024])
    if inner := compression_of(head):
        message = f"compressed more than {MAX_COMPRESSIONS} times ({info.compression}, and {inner} inside)"
        return UnsupportedError(message, "compressed_again")
    if name := magic.unsupported_format(head):
        return UnsupportedError(f"{name} captures are not read; {magic.CONVERT}", "unsupported_format")
    what = magic.description(head)
    if what in magic.ARCHIVES:
        return UnreadableError(f"not a capture file (looks like {what}); try: tcpflows batch {info.path}", "archive")
    if what:
        return UnreadableError(f"not a capture file (looks like {what})")
    if len(head) < len("magic"):
        return UnreadableError(f"not a capture file ({len(head)} bytes)")
    return UnreadableError(f"not a capture file (begins with {head[:8].hex(' ')})")


def _walk(window: Window, container: Container, frames: Frames, gaps: CaptureInfo | None) -> Iterator[Frames]:
    """Fill batches from a container until its end, or its damage; beyond it where `gaps` takes note of it."""
    rows, frame, after_gap = container.rows, 1, False
    while True:
        if not window.live and window.available < window.size // 2:
            window.fill(window.available + 1)
        rows.n = 0
        stop, damage = Stop.FULL, None
        try:
            stop = container.step(window, frame)
        except Damage as found:
            damage = found
        if rows.n:
            rows.marks[0] |= Mark.AFTER_GAP if after_gap else 0
            after_gap = False
            frames.buffer, frames.n = window.buffer, rows.n
            frame += rows.n
            yield frames
        elif stop is Stop.MORE and not window.fill(rows.wanted):
            damage = _at_the_end(window, container, frame)
            if damage is None:
                return
        if damage:
            after_gap = gaps is not None and _skip(damage, window, container, gaps)
            if not after_gap:
                raise damage


def _skip(damage: Damage, window: Window, container: Container, info: CaptureInfo) -> bool:
    """Go on after damage, if there is something to go on with."""
    begin = window.offset
    if window.fault or not container.recover(window):
        return False
    _note(damage, info)
    info.left_out += window.offset - begin
    info.gap_count += 1
    if len(info.gaps) < MAX_GAPS_TOLD:
        info.gaps.append(Gap(begin, window.offset - begin, 0, None))
    else:
        info.limits["max_gaps_told"] += 1
    return True


def _note(damage: Damage, info: CaptureInfo) -> None:
    """The first damage is the one that is told."""
    if damage.bound:
        info.limits[damage.bound] += 1
    if info.status == "ok":
        info.status, info.reason, info.message, info.offset = (
            "partial",
            damage.reason,
            damage.message,
            damage.offset,
        )


def _sum_up(info: CaptureInfo) -> None:
    """What can be said of the input only at its end."""
    if info.status == "ok" and not info.packets_read:
        info.notes.append("no packets")
    if info.gap_count:
        info.message += f"; {info.left_out} bytes left out" + f" in {info.gap_count} places" * (info.gap_count > 1)
    for mark, meaning in MARK_MEANING.items():
        number = info.marked[mark]
        if number:
            info.notes.append(f"{number} packet{'s' * (number > 1)} {meaning}")
    if 0 < info.snaplen < info.longest:
        info.notes.append(f"snaplen {info.snaplen} in the header, and a packet of {info.longest} bytes")


def _at_the_end(window: Window, container: Container, frame: int) -> Damage | None:
    """What is wrong where no more bytes come: nothing, if none are left over."""
    fault = window.fault
    if isinstance(fault, Stopped):
        return fault
    if fault:
        at = window.offset + window.available
        return Damage(fault.reason, f"{fault.message}, at byte {at}", at, fault.bound)
    return container.cut(window, frame) if window.available else None

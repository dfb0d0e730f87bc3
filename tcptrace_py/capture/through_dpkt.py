"""Frames from dpkt's readers, or from any iterable of (timestamp, bytes): slow, plain, and independent of ours.

Knows how a timestamp of any kind becomes nanoseconds.  dpkt's named faults stay: no original lengths, one clock and
link type for a whole pcapng file, damage that it passes over in silence.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tcptrace_py.capture.damage import Damage
from tcptrace_py.capture.frames import Mark, held
from tcptrace_py.columns import filled
from tcptrace_py.errors import UnreadableError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.capture.frames import CaptureInfo, Frames
    from tcptrace_py.capture.source import Window

NS = 10**9
MICRO = 10**6
BATCH_BYTES = 1 << 20
LARGEST_READ = 64 << 20
ETHERNET = 1


def nanoseconds(timestamp: Any) -> int:
    """Whole nanoseconds of a timestamp in seconds: int, Decimal, Fraction exactly; float sensibly.

    A float of today's date has steps of 0.24 us.  So one within two steps of a whole microsecond means that
    microsecond, and only others are taken at their word.
    """
    if isinstance(timestamp, float):
        if not math.isfinite(timestamp):
            raise ValueError(f"a packet's time is {timestamp}")
        micro = round(timestamp * MICRO)
        if abs(micro / MICRO - timestamp) <= 2 * math.ulp(timestamp):
            return micro * 1000
    if isinstance(timestamp, Decimal) and not timestamp.is_finite():
        raise ValueError(f"a packet's time is {timestamp}")
    return round(Fraction(timestamp) * NS)


def read_packets(packets: Iterable[Any], link: int, frames: Frames) -> Iterator[Frames]:
    """Batches of the packets that an iterable yields as (timestamp, bytes, ...)."""
    source = iter(packets)
    batch: list[tuple[int, bytes]] = []
    size, ended, failed = 0, False, None
    while not ended:
        try:
            timestamp, data = next(source)[:2]
        except StopIteration:
            ended = True
        except _dpkt_errors() as error:
            ended, failed = True, Damage("dpkt_error", f"dpkt gave up: {error}")
        else:
            batch.append((nanoseconds(timestamp), bytes(data)))
            size += len(data)
        if batch and (ended or len(batch) == len(frames.offset) or size >= BATCH_BYTES):
            yield _fill(frames, batch, link)
            batch, size = [], 0
    if failed:
        raise failed


def _fill(frames: Frames, batch: list[tuple[int, bytes]], link: int) -> Frames:
    n = len(batch)
    times = [held(time_ns) for time_ns, _ in batch]
    sizes = [len(data) for _, data in batch]
    frames.buffer, frames.n = b"".join(data for _, data in batch), n
    frames.offset[:n] = array("q", accumulate(sizes[:-1], initial=0))
    frames.captured[:n] = frames.original[:n] = array("q", sizes)
    frames.time_ns[:n] = array("q", [time_ns for time_ns, _ in times])
    frames.marks[:n] = array("i", [Mark.ORIGINAL_UNKNOWN | mark for _, mark in times])
    frames.link[:n] = filled("i", n, link)
    return frames


def _dpkt_errors() -> tuple[type[Exception], ...]:
    """What dpkt's readers raise over damage; nothing where dpkt was never imported."""
    dpkt = sys.modules.get("dpkt.dpkt")
    return (dpkt.Error, struct.error, UnicodeDecodeError) if dpkt else ()


def link_of(packets: Any, link_type: int | None, info: CaptureInfo) -> int:
    """The link type that was asked for, or that a dpkt reader knows, or Ethernet."""
    if link_type is not None:
        return link_type
    if hasattr(packets, "datalink"):
        link = packets.datalink()
        if type(packets).__module__ == "dpkt.snoop":
            return _snoop_link(link)
        return int(link) & 0xFFFF
    info.notes.append("no link type was given: taken as Ethernet")
    return ETHERNET


def dpkt_reader(window: Window, info: CaptureInfo) -> Any:
    """The reader that dpkt has for the container in the window."""
    import dpkt
    import dpkt.snoop  # the only one that dpkt does not import itself

    kinds = {b"\x0a\x0d\x0d\x0a": ("pcapng", dpkt.pcapng.Reader), b"snoop\0\0\0": ("snoop", dpkt.snoop.Reader)}
    head = window.peek(8)
    name, reader = next((kind for magic, kind in kinds.items() if head.startswith(magic)), ("pcap", dpkt.pcap.Reader))
    info.format = f"{name} (dpkt)"
    try:
        return reader(_File(window))
    except (dpkt.Error, ValueError, KeyError, struct.error) as error:
        raise UnreadableError(f"dpkt cannot read it: {error}", "dpkt_error") from None


def _snoop_link(datalink: int) -> int:
    from tcptrace_py.capture.snoop import LINKTYPE

    if datalink not in LINKTYPE:
        raise UnsupportedError(f"snoop datalink {datalink} is not known", "unsupported_link")
    return LINKTYPE[datalink]


def checked_iterable(source: Any) -> Any:
    """`source` if it can be iterated; else the error that says what can be opened."""
    if not hasattr(source, "__iter__"):
        raise UsageError(f"a capture is a path, a binary file or an iterable of (timestamp, bytes), not {source!r}")
    return source


class _File:
    """The window as the file object that dpkt wants."""

    def __init__(self, window: Window) -> None:
        self._window = window

    def read(self, size: int) -> bytes:
        window = self._window
        size = LARGEST_READ if size < 0 else min(size, LARGEST_READ)
        data = window.peek(size)
        window.use(window.start + len(data))
        return data

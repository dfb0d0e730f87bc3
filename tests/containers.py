"""Capture files by hand: each container from its specification, with every field open to be wrong; for all tests.

A capture holds packets of (nanoseconds, bytes).  `frames_of` reads any input and lists its frames as plain tuples.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.capture import CaptureInfo, Mark, open_capture

if TYPE_CHECKING:
    from collections.abc import Iterable

START = 1_700_000_000 * 10**9
# Ten packets with times that end in other digits at every clock, and lengths of every remainder modulo 4
TEN = [(START + n * 1_001_001_001, bytes([n]) * (54 + n)) for n in range(10)]


class Got(NamedTuple):
    """One frame as it was read."""

    frame: int
    time_ns: int
    data: bytes
    original: int
    link: int
    interface: int
    marks: Mark


def frames_of(source: Any, **options: Any) -> tuple[list[Got], CaptureInfo]:
    """All frames of an input, copied out of their batches, and what the reader says about it."""
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    got = []
    with open_capture(source, **options) as reader:
        for frames in reader:
            for i in range(frames.n):
                at, size = int(frames.offset[i]), int(frames.captured[i])
                got.append(
                    Got(
                        frames.first_frame + i,
                        int(frames.time_ns[i]),
                        bytes(frames.buffer[at : at + size]),
                        int(frames.original[i]),
                        int(frames.link[i]),
                        int(frames.interface[i]),
                        Mark(int(frames.marks[i])),
                    )
                )
    return got, reader.info


def times_and_data(got: Iterable[Got]) -> list[tuple[int, bytes]]:
    return [(frame.time_ns, frame.data) for frame in got]


def floored(packets: Iterable[tuple[int, bytes]], unit_ns: int) -> list[tuple[int, bytes]]:
    """The packets as a clock of this unit writes them."""
    return [(time // unit_ns * unit_ns, data) for time, data in packets]


# pcap


def pcap_header(
    order: str = "<",
    *,
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    snaplen: int = 65535,
    link: int = 1,
) -> bytes:
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)


def pcap_record(  # noqa: PLR0913  each of its fields may be wrong
    time: int,
    data: bytes,
    order: str = "<",
    *,
    unit: int = 1000,
    original: int | None = None,
    claimed: int | None = None,
) -> bytes:
    original = len(data) if original is None else original
    claimed = len(data) if claimed is None else claimed
    return struct.pack(order + "IIII", time // 10**9, time % 10**9 // unit, claimed, original) + data


def pcap(packets: Iterable[tuple[int, bytes]] = (), order: str = "<", *, unit: int = 1000, **header: Any) -> bytes:
    if unit == 1:
        header.setdefault("magic", 0xA1B23C4D)
    return pcap_header(order, **header) + b"".join(pcap_record(*packet, order, unit=unit) for packet in packets)


# pcapng


def block(kind: int, body: bytes, order: str = "<", *, length: int | None = None, trailer: int | None = None) -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = len(body) + 12 if length is None else length
    trailer = length if trailer is None else trailer
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", trailer)


def option(code: int, value: bytes, order: str = "<", *, length: int | None = None) -> bytes:
    return struct.pack(order + "HH", code, len(value) if length is None else length) + value + b"\0" * (-len(value) % 4)


def section(order: str = "<", *, version: tuple[int, int] = (1, 0), **lies: int) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1), order, **lies)


def interface(link: int = 1, options: bytes = b"", order: str = "<", *, snaplen: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def tsresol(value: int, order: str = "<") -> bytes:
    return option(9, bytes([value]), order)


def tsoffset(seconds: int, order: str = "<") -> bytes:
    return option(14, struct.pack(order + "q", seconds), order)


def enhanced(
    units: int, data: bytes, order: str = "<", *, number: int = 0, options: bytes = b"", **wrong: int
) -> bytes:
    """An enhanced packet block; `captured`, `original`, `length` and `trailer` may be wrong."""
    captured = wrong.pop("captured", len(data))
    original = wrong.pop("original", len(data))
    head = struct.pack(order + "IIIII", number, units >> 32, units & 0xFFFFFFFF, captured, original)
    return block(6, head + data + b"\0" * (-len(data) % 4) + options, order, **wrong)


def simple(data: bytes, order: str = "<", *, original: int | None = None) -> bytes:
    return block(3, struct.pack(order + "I", len(data) if original is None else original) + data, order)


def obsolete(units: int, data: bytes, order: str = "<", *, number: int = 0) -> bytes:
    head = struct.pack(order + "HHIIII", number, 0, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block(2, head + data, order)


def pcapng(
    packets: Iterable[tuple[int, bytes]] = (),
    order: str = "<",
    *,
    unit: int = 1000,
    options: bytes = b"",
    link: int = 1,
) -> bytes:
    described = interface(link, options, order)
    return section(order) + described + b"".join(enhanced(time // unit, data, order) for time, data in packets)


# snoop


def snoop(packets: Iterable[tuple[int, bytes]] = (), *, datalink: int = 4) -> bytes:
    out = b"snoop\0\0\0" + struct.pack(">II", 2, datalink)
    for time, data in packets:
        pad = -len(data) % 4
        out += struct.pack(
            ">IIIIII", len(data) + 100, len(data), 24 + len(data) + pad, 0, time // 10**9, time % 10**9 // 1000
        )
        out += data + b"\0" * pad
    return out

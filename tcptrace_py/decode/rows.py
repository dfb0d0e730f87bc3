"""Rows of the batch that Python writes: printed packets, and what dpkt decodes.

Knows the columns that the frame itself fills, and what stands in a column nobody fills.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from tcptrace_py.capture.frames import Mark
from tcptrace_py.decode import _batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcptrace_py.capture.frames import Frames
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.decode.nets import Nets
    from tcptrace_py.decode.printed import Printed

M64 = (1 << 64) - 1
MAPPED = 0xFFFF << 32  # ::ffff:0:0/96
ABSENT = -1
MARKS = {Mark.NO_TIME: _batch.NO_TIME, Mark.AFTER_GAP: _batch.AFTER_GAP, Mark.TIME_ODD: _batch.TIME_ODD}


def frame_marks(marks: int) -> int:
    """A frame's marks as the batch has them."""
    return sum(ours for theirs, ours in MARKS.items() if marks & theirs)


def append(
    batch: Batch,
    frames: Frames,
    index: int,
    columns: Mapping[str, int],
    sack: Iterable[tuple[int, int]] = (),
) -> None:
    """One row more: what frame `index` says, `columns`, and 0 or "absent" for the rest."""
    row = batch.n
    values = dict.fromkeys(_batch.COLUMNS, 0) | {"mss": ABSENT, "wscale": ABSENT}
    values["frame"] = frames.first_frame + index
    values["time_ns"] = int(frames.time_ns[index])
    values["wire_bytes"] = int(frames.original[index]) & 0xFFFFFFFF
    values["interface"] = int(frames.interface[index])
    values |= columns
    for position, edge in enumerate(edge for block in sack for edge in block):
        batch.sack[row, position] = edge
        values["sack_n"] = position // 2 + 1
    for name, value in values.items():
        getattr(batch, name)[row] = value
    batch.n = row + 1


def append_printed(batch: Batch, frames: Frames, index: int, packet: Printed, nets: Nets) -> None:
    """The row of a packet that was printed; it may lack what a frame always has, and its marks say so."""
    net = 0
    for vlan in packet.vlans:
        net = nets.inside(net, "vlan", vlan) if vlan else net
    src, dst = address_words(packet.src), address_words(packet.dst)
    columns = {"src_hi": src[0], "src_lo": src[1], "dst_hi": dst[0], "dst_lo": dst[1], "net": net}
    columns |= {name: getattr(packet, name) for name in PRINTED_COLUMNS}
    columns["marks"] |= frame_marks(int(frames.marks[index]))
    append(batch, frames, index, columns, packet.sack[: _batch.MAX_SACK])


PRINTED_COLUMNS = (
    *("sport", "dport", "flags", "window", "urgent", "ip_id", "seq", "ack", "payload", "wire_bytes", "tsval", "tsecr"),
    *("marks", "options", "ttl", "tos", "tfo_cookie", "mss", "wscale"),
)


def address_words(text: str) -> tuple[int, int]:
    """An address as the two 64-bit words of the batch."""
    address = ipaddress.ip_address(text)
    number = int(address) | (MAPPED if address.version == 4 else 0)
    return number >> 64, number & M64

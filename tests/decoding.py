"""Frames through a decoder, and the rows as dicts: what the decoder's tests have in common."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.decode import Batch, Decoder, QuotedError
from tcptrace_py.decode._batch import COLUMNS
from tcptrace_py.vocabulary import Unused
from tests.packets import frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcptrace_py.capture.frames import Frames


@dataclass
class Decoded:
    rows: list[dict[str, Any]]
    unused: dict[str, int]  # reasons that occurred
    quotes: list[QuotedError]
    decoder: Decoder


def drain(decoder: Decoder, data: Frames, capacity: int = 64) -> list[dict[str, Any]]:
    """All rows that `decoder` makes of `data`, in batches of `capacity`."""
    rows: list[dict[str, Any]] = []
    at = 0
    while at < data.n:
        batch = Batch(capacity)
        at = decoder.decode(data, at, batch)
        rows += [row_of(batch, number) for number in range(batch.n)]
    return rows


def row_of(batch: Batch, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {name: int(getattr(batch, name)[number]) for name in COLUMNS}
    if batch.payloads is not None:
        row["octets"] = batch.payloads[number]
    row["sack"] = [int(batch.sack[number, edge]) for edge in range(2 * row.pop("sack_n"))]
    return row


def decoded(data: Frames, kind: type[Decoder] = Decoder, capacity: int = 64, **options: Any) -> Decoded:
    decoder = kind(**options)
    rows = drain(decoder, data, capacity)
    decoder.finish()
    counts = {reason.name: decoder.unused[reason] for reason in Unused if decoder.unused[reason]}
    frames_with_row = len({row["frame"] for row in rows})
    assert data.n == frames_with_row + sum(decoder.unused), "counting does not close"
    return Decoded(rows, counts, decoder.quotes, decoder)


def one(frame: bytes, link: int = 1, **options: Any) -> dict[str, Any]:
    """The only row of one frame."""
    result = decoded(frames([frame], link), **options)
    assert len(result.rows) == 1, result.unused
    return result.rows[0] | {"net_name": result.decoder.net_name(result.rows[0]["net"])}


def why_unused(data: bytes | Iterable[bytes], link: int = 1, **options: Any) -> dict[str, int]:
    """The counters of frames that give no row."""
    result = decoded(frames([data] if isinstance(data, bytes) else data, link), **options)
    assert result.rows == []
    return result.unused


def address(row: dict[str, Any], end: str) -> str:
    """The text of a row's `src` or `dst`."""
    number = row[f"{end}_hi"] << 64 | row[f"{end}_lo"]
    return str(ipaddress.IPv6Address(number) if row["marks"] & 4096 else ipaddress.IPv4Address(number & 0xFFFFFFFF))

"""The view `tshark`: a row a conversation, under the names of Wireshark's fields and of its table of conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.tables import addresses
from tcptrace_py.tables.schema import Column

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]

LETTERS = "SSADFR"  # bit 0 upwards: SYN, SYN-ACK, ACK, data, FIN, RST
ESTABLISHED, DATA, ENDED = 7, 8, 16 | 32
WHOLE = {0: "Incomplete", 1: "Incomplete, SYN_SENT", 3: "Incomplete, CLIENT_ESTABLISHED", 7: "Incomplete, ESTABLISHED"}

COLUMNS = (
    Column("capture", "label", "", "File that the conversation was read from"),
    Column("tcp.stream", "uint32", "", "Number of the stream, from 0 in order of first segment"),
    Column("a.ip", "text", "", "Address of the end that sent the first segment; tshark prints it first"),
    Column("a.port", "uint16", "", "Its port"),
    Column("b.ip", "text", "", "Address of the other end"),
    Column("b.port", "uint16", "", "Its port"),
    Column("tcp.completeness", "uint8", "", "1 SYN, 2 SYN-ACK, 4 pure ACK, 8 data, 16 FIN with ACK, 32 RST"),
    Column("tcp.completeness.str", "label", "", "The same as letters: RFDASS, a dot for each that is not there"),
    Column("completeness", "label", "", "The same in tshark's words: Complete, WITH_DATA and so on"),
    Column("frames_ab", "uint32", "", "Frames from a to b"),
    Column("bytes_ab", "int64", "octets", "Octets of these frames"),
    Column("frames_ba", "uint32", "", "Frames from b to a"),
    Column("bytes_ba", "int64", "octets", "Octets of these frames"),
    Column("start", "time", "", "Earliest segment"),
    Column("duration_ns", "int64", "ns", "Earliest to latest segment"),
    Column(
        "tcp.analysis.initial_rtt_ns",
        "int64",
        "ns",
        "Last SYN before it to the first segment with ACK and without SYN, of either side; null without a SYN",
        nullable=True,
    ),
)


def rows(records: Iterable[Row]) -> list[Row]:
    """What `peers.Tshark` found, as rows of the view."""
    return [_row(record) for record in records]


def _row(record: Row) -> Row:
    made = {
        "capture": record["capture"],
        "tcp.stream": record["stream"],
        "tcp.completeness": record["completeness"],
        "tcp.completeness.str": letters(record["completeness"]),
        "completeness": words(record["completeness"]),
        "start": record["start"],
        "duration_ns": record["duration"],
        "tcp.analysis.initial_rtt_ns": record["initial_rtt"],
    }
    for way, back in (("a", "b"), ("b", "a")):
        hi, lo, port = record["ends"][way]
        made |= {f"{way}.ip": addresses.text(hi, lo), f"{way}.port": port}
        made |= {f"frames_{way}{back}": record["frames"][way], f"bytes_{way}{back}": record["octets"][way]}
    return made


def letters(completeness: int) -> str:
    """31 as ``·FDASS``."""
    return "".join(letter if completeness >> bit & 1 else "·" for bit, letter in reversed(list(enumerate(LETTERS))))


def words(completeness: int) -> str:
    """31 as ``Complete, WITH_DATA``."""
    if completeness & ESTABLISHED == ESTABLISHED and completeness & ENDED:
        return f"Complete, {'WITH_DATA' if completeness & DATA else 'NO_DATA'}"
    if completeness == ESTABLISHED | DATA:
        return "Incomplete, DATA"
    return WHOLE.get(completeness, "Incomplete")

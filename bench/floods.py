"""Hostile captures of any length, made as they are read: `python -m bench.floods NAME PACKETS | tcpflows analyze -`.

Each is a flood of one kind, against one bound of the analyser.  Every packet has its checksums right, so that none is
set aside.  Knows headers; what has to come out, the tests say.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RAW_IP = 101
START_S = 1_700_000_000
SNAPLEN = 65_535
FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, RAW_IP)
RECORD, IP, TCP = 16, 20, 20
CHUNK = 16_384  # packets made at a time

CLIENT, SERVER = 0x0A000001, 0xC0A80001
CLIENT_PORT, SERVER_PORT = 40_000, 80
CLIENT_ISN, SERVER_ISN = 1_000_000, 2_000_000
ANSWERING = {"src": SERVER, "dst": CLIENT, "sport": SERVER_PORT, "dport": CLIENT_PORT}
FIN, SYN, RST, ACK = 1, 2, 4, 16
WINDOW = 65_535
SHIFT_10 = bytes([3, 3, 10, 0])  # window scale


def records(n: int, *, time_us: Any, flags: Any, options: Any = b"", payload: int = 0, **fields: Any) -> bytes:
    """`n` packets as pcap records; every field is a number, or one for each packet.

    `options` are the same octets for all, or a row of octets for each.  The payload is zeros, and is not captured.
    """
    options = np.frombuffer(options, np.uint8) if isinstance(options, bytes) else options
    headers = IP + TCP + options.shape[-1]
    rows = np.zeros((n, RECORD + headers), np.uint8)
    _put(rows, 0, "<u4", START_S + np.asarray(time_us, np.int64) // 1_000_000)
    _put(rows, 4, "<u4", np.asarray(time_us, np.int64) % 1_000_000)
    _put(rows, 8, "<u4", headers)
    _put(rows, 12, "<u4", headers + payload)
    ip, tcp = rows[:, RECORD:], rows[:, RECORD + IP :]
    _put(ip, 0, ">u2", 0x4500)
    _put(ip, 2, ">u2", headers + payload)
    _put(ip, 4, ">u2", np.asarray(time_us) // 10 & 0xFFFF)
    _put(ip, 8, ">u2", 64 << 8 | 6)
    _put(ip, 12, ">u4", fields.get("src", CLIENT))
    _put(ip, 16, ">u4", fields.get("dst", SERVER))
    _put(tcp, 0, ">u2", fields.get("sport", CLIENT_PORT))
    _put(tcp, 2, ">u2", fields.get("dport", SERVER_PORT))
    _put(tcp, 4, ">u4", np.asarray(fields.get("seq", 0), np.int64) & 0xFFFFFFFF)
    _put(tcp, 8, ">u4", np.asarray(fields.get("ack", 0), np.int64) & 0xFFFFFFFF)
    _put(tcp, 12, ">u2", ((headers - IP) // 4 << 12) | np.asarray(flags))
    _put(tcp, 14, ">u2", fields.get("window", WINDOW))
    tcp[:, TCP:] = options
    _put(ip, 10, ">u2", _checksum(ip[:, :IP]))
    pseudo = np.zeros((n, 4), np.uint8)
    _put(pseudo, 0, ">u2", 6)
    _put(pseudo, 2, ">u2", headers - IP + payload)
    _put(tcp, 16, ">u2", _checksum(np.hstack([pseudo, ip[:, 12:20], tcp])))
    return rows.tobytes()


def _put(rows: np.ndarray, at: int, kind: str, values: Any) -> None:
    column = np.ascontiguousarray(np.broadcast_to(np.asarray(values).astype(kind), len(rows)))
    rows[:, at : at + column.itemsize] = column.view(np.uint8).reshape(len(rows), -1)


def _checksum(rows: np.ndarray) -> np.ndarray:
    total = np.ascontiguousarray(rows).view(">u2").sum(1, np.int64)
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _runs(n: int) -> Iterator[np.ndarray]:
    """0..n-1, a chunk at a time."""
    for first in range(0, n, CHUNK):
        yield np.arange(first, min(n, first + CHUNK))


def _handshake(shift: bytes = b"") -> bytes:
    return (
        records(1, time_us=0, seq=CLIENT_ISN, flags=SYN, options=shift)
        + records(1, time_us=10, seq=SERVER_ISN, ack=CLIENT_ISN + 1, flags=SYN | ACK, options=shift, **ANSWERING)
        + records(1, time_us=20, seq=CLIENT_ISN + 1, ack=SERVER_ISN + 1, flags=ACK)
    )


def syns(n: int) -> Iterator[bytes]:
    """SYNs, each of another pair of addresses and ports, a hundred thousand a second."""
    for i in _runs(n):
        yield records(
            len(i), time_us=10 * i, src=0x0B000000 + i // 60_000, sport=1 + i % 60_000, seq=i * 7919, flags=SYN
        )


def scattered_syns(n: int) -> Iterator[bytes]:
    """The same from random addresses, as a real flood comes."""
    chance = np.random.default_rng(53)
    for i in _runs(n):
        src, sport = chance.integers(1 << 24, 0xE0000000, len(i)), chance.integers(1, 65_536, len(i))
        yield records(len(i), time_us=10 * i, src=src, sport=sport, seq=chance.integers(0, 1 << 32, len(i)), flags=SYN)


def holes(n: int) -> Iterator[bytes]:
    """One connection of which every second octet is missing: `n` holes."""
    yield _handshake(SHIFT_10)
    for i in _runs(n):
        yield records(
            len(i), time_us=100 + 10 * i, seq=CLIENT_ISN + 2 + 2 * i, ack=SERVER_ISN + 1, flags=ACK, payload=1
        )


def scattered_holes(n: int) -> Iterator[bytes]:
    """Octets here and there of a window of 64 MB: holes open and close everywhere."""
    chance = np.random.default_rng(54)
    yield _handshake(SHIFT_10)
    for i in _runs(n):
        seq = CLIENT_ISN + 1 + 3 * chance.integers(0, 1 << 24, len(i))
        yield records(len(i), time_us=100 + 10 * i, seq=seq, ack=SERVER_ISN + 1, flags=ACK, payload=2)


def octets(n: int) -> Iterator[bytes]:
    """One connection that sends an octet a segment, never acknowledged."""
    yield _handshake(SHIFT_10)
    for i in _runs(n):
        yield records(len(i), time_us=100 + 10 * i, seq=CLIENT_ISN + 1 + i, ack=SERVER_ISN + 1, flags=ACK, payload=1)


def resets(n: int) -> Iterator[bytes]:
    """RSTs at random places of one connection."""
    chance = np.random.default_rng(56)
    yield _handshake()
    for i in _runs(n):
        seq = CLIENT_ISN + 1 + chance.integers(0, 1 << 20, len(i))
        yield records(len(i), time_us=100 + 10 * i, seq=seq, flags=RST)


def fins(n: int) -> Iterator[bytes]:
    """FINs at random places of one connection."""
    chance = np.random.default_rng(56)
    yield _handshake()
    for i in _runs(n):
        seq = CLIENT_ISN + 1 + chance.integers(0, 1 << 14, len(i))
        yield records(len(i), time_us=100 + 10 * i, seq=seq, ack=SERVER_ISN + 1, flags=FIN | ACK)


def wraps(n: int) -> Iterator[bytes]:
    """A transfer in segments of 65,000 octets whose numbers begin 100 octets below the wrap; each is acknowledged."""
    isn, size = (1 << 32) - 101, 65_000
    yield records(1, time_us=0, seq=isn, flags=SYN, options=SHIFT_10)
    yield records(1, time_us=10, seq=SERVER_ISN, ack=isn + 1, flags=SYN | ACK, options=SHIFT_10, **ANSWERING)
    for i in _runs(n // 2):
        sent = records(
            len(i), time_us=100 + 100 * i, seq=isn + 1 + size * i, ack=SERVER_ISN + 1, flags=ACK, payload=size
        )
        answers = records(
            len(i), time_us=150 + 100 * i, seq=SERVER_ISN + 1, ack=isn + 1 + size * (i + 1), flags=ACK, **ANSWERING
        )
        yield _in_turn(sent, answers, len(i))


def _in_turn(*runs_of_records: bytes) -> bytes:
    *parts, n = runs_of_records
    return np.hstack([np.frombuffer(part, np.uint8).reshape(n, -1) for part in parts]).tobytes()


def reuses(n: int) -> Iterator[bytes]:
    """The same addresses and ports for one refused connection after another, `n` packets in all."""
    for i in _runs(n // 2):
        isn = CLIENT_ISN + 100_000 * i
        syn = records(len(i), time_us=2_000 * i, seq=isn, flags=SYN)
        refusal = records(len(i), time_us=2_000 * i + 100, ack=isn + 1, flags=RST | ACK, **ANSWERING)
        yield _in_turn(syn, refusal, len(i))


def unseen(n: int) -> Iterator[bytes]:
    """The acknowledgments of a transfer whose other direction was not captured."""
    for i in _runs(n):
        yield records(len(i), time_us=100 * i, seq=CLIENT_ISN, ack=SERVER_ISN + 1448 * i, flags=ACK)


def sacks(n: int) -> Iterator[bytes]:
    """Four random SACK blocks in every segment of one connection."""
    chance = np.random.default_rng(60)
    yield _handshake()
    for i in _runs(n):
        options = np.zeros((len(i), 36), np.uint8)
        options[:, :4] = [1, 1, 5, 34]
        options[:, 4:] = chance.integers(0, 256, (len(i), 32))
        yield records(
            len(i),
            time_us=100 + 10 * i,
            seq=SERVER_ISN + 1,
            ack=CLIENT_ISN + 1,
            flags=ACK,
            options=options,
            **ANSWERING,
        )


def timestamps(n: int) -> Iterator[bytes]:
    """Random timestamps in every segment of one connection that sends 100 octets a segment."""
    chance = np.random.default_rng(61)
    yield _handshake()
    for i in _runs(n):
        options = np.zeros((len(i), 12), np.uint8)
        options[:, :4] = [1, 1, 8, 10]
        options[:, 4:] = chance.integers(0, 256, (len(i), 8))
        seq = CLIENT_ISN + 1 + 100 * i
        yield records(
            len(i), time_us=100 + 10 * i, seq=seq, ack=SERVER_ISN + 1, flags=ACK, payload=100, options=options
        )


def shifts(n: int) -> Iterator[bytes]:
    """Both ends claim a window shift of 255; the client then sends segment after segment."""
    yield _handshake(bytes([3, 3, 255, 0]))
    for i in _runs(n):
        seq = CLIENT_ISN + 1 + 100 * i
        yield records(len(i), time_us=100 + 10 * i, seq=seq, ack=SERVER_ISN + 1, flags=ACK, payload=100)


FLOODS: dict[str, Callable[[int], Iterator[bytes]]] = {
    made.__name__.replace("_", "-"): made
    for made in (
        *(syns, scattered_syns, holes, scattered_holes, octets, resets, fins),
        *(wraps, reuses, unseen, sacks, timestamps, shifts),
    )
}


def flood(name: str, packets: int) -> Iterator[bytes]:
    """The bytes of a capture."""
    yield FILE_HEADER
    yield from FLOODS[name](packets)


def main() -> None:
    """Write one to standard output."""
    name, packets = sys.argv[1], int(sys.argv[2])
    for chunk in flood(name, packets):
        sys.stdout.buffer.write(chunk)


if __name__ == "__main__":
    main()

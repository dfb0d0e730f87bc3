"""Dialogues as Ethernet frames: rows of header bytes that a workload copies, changes, seals and writes.

Knows headers, checksums and pcap records.  Does not know what the packets mean.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.dialogues import SERVER, TCP

if TYPE_CHECKING:
    from typing import BinaryIO

    from bench.dialogues import Dialogue, Packet

SNAPLEN = 262144
RECORD = 16  # pcap's record header, in front of the frame in each row
WIDTH = RECORD + 14 + 40 + 60  # and the longest headers
FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1)
START_S = 1_700_000_000
MACS = (b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2")
CLIENT_V4, SERVER_V4 = 0x0A000001, 0xAC100001
CLIENT_V6, SERVER_V6 = (
    bytes.fromhex("20010db8000000010000000000000000"),
    bytes.fromhex("20010db8000000020000000000000000"),
)


@dataclass
class Templates:
    """All packets of some dialogues, as columns; checksums are zero until `seal`."""

    rows: np.ndarray  # header bytes, behind room for the record header
    time: np.ndarray  # microseconds from the start of the dialogue
    header: np.ndarray  # length of the headers
    wire: np.ndarray  # length of the frame
    transport: np.ndarray  # column of the TCP or UDP header
    side: np.ndarray
    v6: np.ndarray
    tcp: np.ndarray
    payload_sum: np.ndarray
    payloads: list[bytes]
    first: np.ndarray  # of each dialogue: its first packet
    count: np.ndarray  # and how many it has

    @classmethod
    def of(cls, talks: list[Dialogue]) -> Templates:
        """Lay out dialogues."""
        packets = [(talk, packet) for talk in talks for packet in talk.packets]
        headers = [_headers(talk, packet, ident) for talk in talks for ident, packet in enumerate(talk.packets, 1)]
        rows = np.zeros((len(packets), WIDTH), np.uint8)
        for row, header in zip(rows, headers, strict=True):
            row[RECORD : RECORD + len(header)] = np.frombuffer(header, np.uint8)
        count = np.array([len(talk.packets) for talk in talks])
        header = np.array([len(header) for header in headers])
        v6 = np.array([talk.v6 for talk, _ in packets])
        payloads = [packet.payload for _, packet in packets]
        return cls(
            rows=rows,
            time=np.array([packet.time_us for _, packet in packets], np.int64),
            header=header,
            wire=header + [len(payload) for payload in payloads],
            transport=RECORD + 34 + 20 * v6,
            side=np.array([packet.side for _, packet in packets]),
            v6=v6,
            tcp=np.array([talk.protocol == TCP for talk, _ in packets]),
            payload_sum=np.array([_word_sum(payload) for payload in payloads]),
            payloads=payloads,
            first=np.cumsum(count) - count,
            count=count,
        )


def _headers(talk: Dialogue, packet: Packet, ident: int) -> bytes:
    """Ethernet, IP and TCP or UDP, without checksums, addresses and the client's port."""
    ports = (talk.port, 0) if packet.side == SERVER else (0, talk.port)
    if talk.protocol == TCP:
        offset = (20 + len(packet.options)) // 4 << 12
        numbers = (packet.seq, packet.ack, offset | packet.flags, packet.window, 0, 0)
        transport = struct.pack("!HHIIHHHH", *ports, *numbers) + packet.options
    else:
        transport = struct.pack("!HHHH", *ports, 8 + len(packet.payload), 0)
    length = len(transport) + len(packet.payload)
    ends = (CLIENT_V6, SERVER_V6) if packet.side != SERVER else (SERVER_V6, CLIENT_V6)
    if talk.v6:
        network = b"\x86\xdd" + struct.pack("!IHBB16s16s", 6 << 28, length, talk.protocol, 64, *ends)
    else:
        network = b"\x08\0" + struct.pack(
            "!BBHHHBBHII", 0x45, 0, 20 + length, ident, 0x4000, 64, talk.protocol, 0, 0, 0
        )
    return MACS[1 - packet.side] + MACS[packet.side] + network + transport


def _word_sum(data: bytes) -> int:
    return int(np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").sum(dtype=np.int64))


def put(rows: np.ndarray, columns: np.ndarray | int, values: np.ndarray, width: int) -> None:
    """Write unsigned numbers, big-endian, at a column of each row."""
    octets = values.astype(f">u{width}").view(np.uint8).reshape(-1, width)
    rows[np.arange(len(rows))[:, None], np.broadcast_to(columns, len(rows))[:, None] + np.arange(width)] = octets


def get(rows: np.ndarray, columns: np.ndarray, width: int) -> np.ndarray:
    """The numbers at a column of each row."""
    octets = rows[np.arange(len(rows))[:, None], columns[:, None] + np.arange(width)]
    return np.ascontiguousarray(octets).view(f">u{width}").ravel().astype(np.int64)


def address(templates: Templates, rows: np.ndarray, which: np.ndarray, ends: tuple[np.ndarray, ...]) -> None:
    """Give each row (copies of templates `which`) its client, server and client's port."""
    client, server, port = ends
    v6, from_server = templates.v6[which], templates.side[which] == SERVER
    source, target = np.where(v6, RECORD + 34, RECORD + 26), np.where(v6, RECORD + 50, RECORD + 30)
    client, server = client + np.where(v6, 1, CLIENT_V4), server + np.where(v6, 1, SERVER_V4)
    put(rows, source, np.where(from_server, server, client), 4)
    put(rows, target, np.where(from_server, client, server), 4)
    put(rows, templates.transport[which] + 2 * from_server, port, 2)


def seal(templates: Templates, rows: np.ndarray, which: np.ndarray) -> None:
    """Compute the checksums (RFC 1071)."""
    words = rows.view(">u2")
    v4 = np.flatnonzero(~templates.v6[which])
    put_at = rows[v4]
    put(put_at, RECORD + 24, _checksum(words[v4, 15:25].sum(axis=1, dtype=np.int64)), 2)
    rows[v4] = put_at
    tcp, transport = templates.tcp[which], templates.transport[which]
    total = words[:, 21:].sum(axis=1, dtype=np.int64)  # from IPv4's addresses on
    total += np.where(templates.v6[which], words[:, 19:21].sum(axis=1, dtype=np.int64), 0)
    total += templates.payload_sum[which] + templates.wire[which] + RECORD - transport + np.where(tcp, 6, 17)
    put(rows, transport + np.where(tcp, 16, 6), _checksum(total), 2)


def _checksum(total: np.ndarray) -> np.ndarray:
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Writer:
    """A pcap file of copies of templates, each packet cut at `snap` octets."""

    def __init__(self, file: BinaryIO, templates: Templates, snap: int) -> None:
        self.file = file
        self.templates = templates
        self.snap = snap
        self.header = np.minimum(templates.header, snap)
        room = (snap - self.header).tolist()
        self.rest = [payload[:most] for payload, most in zip(templates.payloads, room, strict=True)]
        file.write(FILE_HEADER)

    def write(self, rows: np.ndarray, which: np.ndarray, time_us: np.ndarray) -> None:
        """Seal rows, copies of templates `which`, and write them as records with their payloads."""
        seal(self.templates, rows, which)
        wire = self.templates.wire[which]
        seconds, micros = START_S + time_us // 1_000_000, time_us % 1_000_000
        record = np.stack([seconds, micros, np.minimum(wire, self.snap), wire], axis=1)
        rows[:, :RECORD] = record.astype("<u4").view(np.uint8).reshape(-1, RECORD)
        buffer, ends = rows.tobytes(), RECORD + self.header[which]
        starts = range(0, len(buffer), WIDTH)
        pieces: list[bytes] = [b""] * (2 * len(rows))
        pieces[0::2] = [buffer[at : at + end] for at, end in zip(starts, ends.tolist(), strict=True)]
        pieces[1::2] = [self.rest[number] for number in which.tolist()]
        self.file.write(b"".join(pieces))

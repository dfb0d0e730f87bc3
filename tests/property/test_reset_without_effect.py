"""A reset that nobody accepts changes no state and no label of any other segment."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

import tcptrace_py as tt

FIXTURES = Path(__file__).parents[1] / "fixtures"
HEAD, RECORD = 24, 16
RST = 4
SAME = ("conn_id", "direction", "rel_seq", "rel_ack", "window", "client_state", "server_state", "steps", "anomalies")
NAMES = ["four_way", "half_close", "loss_bulk", "loss_bulk_sender", "reorder_bulk", "zero_window"]
APART = {"below what was acknowledged": -200_000, "beyond the window": 1 << 29}


def packets(capture: bytes) -> list[bytes]:
    """The records of a classic pcap, heads included."""
    found, at = [], HEAD
    while at < len(capture):
        size = struct.unpack_from("<I", capture, at + 8)[0]
        found.append(capture[at : at + RECORD + size])
        at += RECORD + size
    return found


def reset_like(record: bytes, apart: int) -> bytes:
    """A RST in the name of the sender of a segment, its number so far from the segment's; its checksum is right."""
    head, ip, tcp = record[:8], bytearray(record[RECORD : RECORD + 20]), bytearray(record[RECORD + 20 : RECORD + 40])
    ip[2:4], ip[4:6], ip[8:9] = struct.pack(">H", 40), b"\x12\x34", b"\x21"
    seq = (struct.unpack_from(">I", tcp, 4)[0] + apart) % 2**32
    tcp[4:14] = struct.pack(">IIBB", seq, 0, 5 << 4, RST)
    tcp[16:18] = b"\0\0"
    words = struct.unpack(">16H", bytes(ip[12:20]) + struct.pack(">HH", 6, 20) + bytes(tcp))
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    tcp[16:18] = struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    return head + struct.pack("<II", 40, 40) + bytes(ip + tcp)


def rows(capture: bytes) -> list[dict[str, object]]:
    table = tt.analyze(io.BytesIO(capture), tables=["timeline"]).arrow("timeline")
    return table.select([*SAME, "flags"]).to_pylist()


@pytest.mark.parametrize(
    "name", ["four_way", "half_close", "loss_bulk", "loss_bulk_sender", "reorder_bulk", "zero_window"]
)
@pytest.mark.parametrize("where", APART)
def test_it_changes_nothing_else(name, where):
    capture = (FIXTURES / f"{name}.pcap").read_bytes()
    records = packets(capture)
    expected = rows(capture)
    closing = next(i for i, row in enumerate(expected) if "F" in row["flags"])
    for at in range(4, closing, max((closing - 4) // 12, 1)):
        forged = reset_like(records[at], APART[where])
        found = rows(capture[:HEAD] + b"".join([*records[: at + 1], forged, *records[at + 1 :]]))
        assert found.pop(at + 1)["flags"] == "R"
        assert found == expected, f"a RST behind frame {at + 1}"

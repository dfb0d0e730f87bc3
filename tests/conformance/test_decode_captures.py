"""Every segment of the reference captures against tshark's reading of it; each difference has a reason here."""

from __future__ import annotations

import functools
import ipaddress
import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tcptrace_py.capture import open_capture
from tcptrace_py.decode import Decoder
from tests.conformance.decode_deviations import DEVIATIONS
from tests.decoding import address, drain

CORPUS = Path(os.environ.get("TCPTRACE_PY_CORPUS", Path(__file__).resolve().parents[3] / "shared"))
CAPTURES, SUITE = CORPUS / "captures", CORPUS / "tcptrace-suite"
MANIFEST = CAPTURES / "MANIFEST.jsonl"
GOOD, BAD, OFFLOAD, CUT, FROM_FRAME, ORIGINAL_WRONG, FRAGMENTS = 256, 64, 128, 1024, 512, 8192, 2048

pytestmark = pytest.mark.corpus


def manifest() -> list[dict[str, Any]]:
    return [json.loads(line) for line in MANIFEST.read_text().splitlines()] if MANIFEST.exists() else []


def suite() -> list[str]:
    return (
        sorted(path.name for path in SUITE.iterdir() if path.suffix in (".dmp", ".pcap", ".dump"))
        if SUITE.exists()
        else []
    )


def ours(path: Path) -> dict[int, list[dict[str, Any]]]:
    """Rows by frame; counting must close."""
    decoder, read = Decoder(), 0
    by_frame: dict[int, list[dict[str, Any]]] = {}
    for frames in open_capture(str(path)):
        read += frames.n
        for row in drain(decoder, frames, 1024):
            by_frame.setdefault(row["frame"], []).append(row)
    assert read == len(by_frame) + sum(decoder.unused)
    return by_frame


def number(value: Any) -> int | None:
    return None if value is None or value == "" or (isinstance(value, float) and math.isnan(value)) else int(value)


def edges(value: Any) -> list[int]:
    return [int(edge) for edge in value.split(",")] if isinstance(value, str) and value else []


def same_header(row: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Addresses, ports, flags, numbers, window, length; what tshark leaves empty is not compared."""
    if any(ipaddress.ip_address(theirs[end]) != ipaddress.ip_address(address(row, end)) for end in ("src", "dst")):
        return False
    pairs = {
        "sport": "sport", "dport": "dport", "flags": "flags", "seq": "seq_raw", "ack": "ack_raw", "payload": "len",
        "window": "window_value", "urgent": "urgent_pointer",
    }  # fmt: skip
    return all(number(theirs[name]) in (None, row[own]) for own, name in pairs.items())


def same_options(row: dict[str, Any], theirs: dict[str, Any]) -> bool:
    found = (row["mss"], min(row["wscale"], 127), bool(row["options"] & 1), row["sack"][::2], row["sack"][1::2])
    wanted_mss, wanted_shift = number(theirs["mss"]), number(theirs["wscale"])
    wanted = (-1 if wanted_mss is None else wanted_mss, -1 if wanted_shift is None else wanted_shift)
    stamps = (number(theirs["tsval"]), number(theirs["tsecr"]))
    return (
        found == (*wanted, theirs["sack_perm"], edges(theirs["sack_le"]), edges(theirs["sack_re"]))
        and (stamps == (None, None) or stamps == (row["tsval"], row["tsecr"]))
        and bool(row["options"] & 2) == (stamps != (None, None))
    )


def same_checksum(row: dict[str, Any], theirs: dict[str, Any]) -> bool:
    status, marks = number(theirs["checksum_status"]), row["marks"]
    if status == 1:
        return bool(marks & GOOD)
    if status == 0:
        return bool(marks & (BAD | OFFLOAD | FROM_FRAME))
    return not marks & (GOOD | BAD | OFFLOAD)


@functools.cache
def oracle() -> dict[str, dict[int, dict[str, Any]]]:
    from pyarrow import parquet

    columns = [
        "file", "frame", "embedded", "src", "dst", "sport", "dport", "flags", "seq_raw", "ack_raw", "len", "mss",
        "wscale", "sack_perm", "sack_le", "sack_re", "tsval", "tsecr", "window_value", "urgent_pointer",
        "checksum_status",
    ]  # fmt: skip
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in parquet.read_table(CAPTURES / "oracle" / "tshark-segments.parquet", columns=columns).to_pylist():
        if not row["embedded"]:
            found.setdefault(row["file"], {})[row["frame"]] = row
    return found


def differences(mine: dict[int, list[dict[str, Any]]], theirs: dict[int, dict[str, Any]]) -> dict[int, str]:
    found = dict.fromkeys(mine.keys() - theirs.keys(), "extra") | dict.fromkeys(theirs.keys() - mine.keys(), "missing")
    for frame in mine.keys() & theirs.keys():
        for same in (same_header, same_options, same_checksum):
            if not any(same(row, theirs[frame]) for row in mine[frame]):
                found[frame] = same.__name__
                break
    return found


def expected(file: str) -> set[int]:
    return {frame for deviation in DEVIATIONS if deviation.file == file for frame in map(int, deviation.frames.split())}


@pytest.mark.skipif(not MANIFEST.exists(), reason="no corpus: set TCPTRACE_PY_CORPUS")
@pytest.mark.parametrize("entry", manifest(), ids=lambda entry: entry["name"])
def test_capture(entry: dict[str, Any]) -> None:
    found = differences(ours(CAPTURES / entry["name"]), oracle().get(entry["file"], {}))
    assert set(found) == expected(entry["name"]), found


def test_no_stale_deviation() -> None:
    names = {entry["name"] for entry in manifest()} | set(suite())
    if not names:
        pytest.skip("no corpus: set TCPTRACE_PY_CORPUS")
    assert {deviation.file for deviation in DEVIATIONS} <= names


FIELDS = {
    "frame": "frame.number", "src": "ip.src", "src6": "ipv6.src", "dst": "ip.dst", "dst6": "ipv6.dst",
    "sport": "tcp.srcport", "dport": "tcp.dstport", "flags": "tcp.flags", "seq_raw": "tcp.seq_raw",
    "ack_raw": "tcp.ack_raw", "len": "tcp.len", "window_value": "tcp.window_size_value",
    "urgent_pointer": "tcp.urgent_pointer", "mss": "tcp.options.mss_val", "wscale": "tcp.options.wscale.shift",
    "sack_perm": "tcp.options.sack_perm", "sack_le": "tcp.options.sack_le", "sack_re": "tcp.options.sack_re",
    "tsval": "tcp.options.timestamp.tsval", "tsecr": "tcp.options.timestamp.tsecr",
    "checksum_status": "tcp.checksum.status",
}  # fmt: skip


def tshark(path: Path) -> dict[int, dict[str, Any]]:
    """tshark's reading of `path`, now."""
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=a"]
    command += ["-o", "tcp.check_checksum:TRUE", "-o", "tcp.relative_sequence_numbers:FALSE"]
    command += [word for field in FIELDS.values() for word in ("-e", field)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    rows = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]
    for row in rows:
        row |= {name: (row[name] or row[name + "6"]).split(",")[-1] for name in ("src", "dst")}
        row["flags"], row["sack_perm"] = int(row["flags"], 16), bool(row["sack_perm"])
    return {int(row["frame"]): row for row in rows}


@pytest.mark.skipif(not SUITE.exists(), reason="no corpus: set TCPTRACE_PY_CORPUS")
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", suite())
def test_suite(name: str) -> None:
    found = differences(ours(SUITE / name), tshark(SUITE / name))
    assert set(found) == expected(name), found

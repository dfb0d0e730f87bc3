"""The same packets say the same, whatever holds them and however they are read."""

from __future__ import annotations

import gzip
import io
import os
import struct
import threading
from pathlib import Path

import pytest
import zstandard

import tcptrace_py as tt
from tests import containers
from tests.containers import frames_of

FIXTURES = Path(__file__).parent.parent / "fixtures"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
FEW = ("four_way", "loss_bulk", "port_reuse", "reset_after_fin", "simultaneous_open")
SNAPPED = ("loss_bulk", "loss_bulk_sender", "reorder_bulk", "zero_window")
TABLES = ("connections", "timeline", "states", "events")
OWN_TO_THE_INPUT = {"capture", "interface"}  # its path; which interface of a pcapng, null where there is none
BATCH_SIZES = (1, 7, 8192)


def tables(source, **options) -> dict[str, object]:
    """All that an analysis says, but for what belongs to the input itself."""
    trace = tt.analyze(source, tables=TABLES, **options)
    made = {name: trace.arrow(name).drop_columns(own(trace.arrow(name))).to_pydict() for name in TABLES}
    return made | {"findings": trace.summary.findings, "packets": trace.summary.packets}


def own(table) -> list[str]:
    return sorted(OWN_TO_THE_INPUT & set(table.column_names))


def as_pcapng(plain: Path) -> bytes:
    """The packets of a pcap in a pcapng with nanoseconds."""
    got, _ = frames_of(plain)
    blocks = [containers.enhanced(f.time_ns, f.data, original=f.original) for f in got]
    return containers.section() + containers.interface(got[0].link, containers.tsresol(9)) + b"".join(blocks)


def big_endian(plain: Path) -> bytes:
    got, _ = frames_of(plain)
    records = [struct.pack(">IIII", *divmod(f.time_ns, 10**9), len(f.data), f.original) + f.data for f in got]
    return struct.pack(">IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, got[0].link) + b"".join(records)


WRAPPED = {
    "pcapng": as_pcapng,
    "big_endian": big_endian,
    "gzip": lambda plain: gzip.compress(plain.read_bytes()),
    "zstandard": lambda plain: zstandard.ZstdCompressor().compress(plain.read_bytes()),
    "gzip_of_pcapng": lambda plain: gzip.compress(as_pcapng(plain)),
}


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("name", FEW)
def test_container_changes_nothing(name, wrapping, tmp_path):
    plain = FIXTURES / f"{name}.pcap"
    wrapped = tmp_path / "wrapped"
    wrapped.write_bytes(WRAPPED[wrapping](plain))
    assert tables(wrapped) == tables(plain)


@pytest.mark.parametrize("name", FEW)
def test_pipe_changes_nothing(name):
    plain = FIXTURES / f"{name}.pcap"
    read_end, write_end = os.pipe()

    def feed() -> None:
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(plain.read_bytes())

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(read_end, "rb") as source:
        got = tables(source)
    feeder.join()
    assert got == tables(plain)


@pytest.mark.parametrize("name", FEW)
def test_octets_in_memory_change_nothing(name):
    plain = FIXTURES / f"{name}.pcap"
    assert tables(io.BytesIO(plain.read_bytes())) == tables(plain)


@pytest.mark.parametrize("size", BATCH_SIZES[:-1])
@pytest.mark.parametrize("name", NAMES)
def test_batch_size_changes_nothing(name, size):
    plain = FIXTURES / f"{name}.pcap"
    assert tables(plain, batch_size=size) == tables(plain, batch_size=BATCH_SIZES[-1])


@pytest.mark.parametrize("name", FEW)
def test_reading_twice_says_what_reading_once_says(name):
    """The timeline is made by a second reading where it was not asked for: with the amendments of the first."""
    plain = FIXTURES / f"{name}.pcap"
    once, twice = tt.analyze(plain, tables=TABLES), tt.analyze(plain)
    for table in TABLES:
        assert twice.arrow(table).equals(once.arrow(table))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SNAPPED])
def test_dpkt_alone_says_the_same(name):
    plain = FIXTURES / f"{name}.pcap"
    assert tables(plain, reader="dpkt") == tables(plain)


@pytest.mark.parametrize("name", SNAPPED)
def test_dpkt_alone_says_the_same_but_for_the_original_length(name):
    """dpkt does not keep the original length of a packet of which the capture holds a part."""
    plain = FIXTURES / f"{name}.pcap"
    own, dpkt = (without_original_length(tables(plain, reader=reader)) for reader in ("own", "dpkt"))
    assert dpkt == own


def without_original_length(made):
    """The tables without what rests on that length."""
    for table in ("timeline", "connections"):
        for column in [name for name in made[table] if name.endswith("wire_bytes") or name in ("marks", "severity")]:
            del made[table][column]
    labels = made["timeline"]["anomalies"] + made["connections"]["findings"]
    for listed in labels:
        listed[:] = [label for label in listed if label != "cap_origlen"]
    codes = made["events"]["code"]
    kept = [row for row, code in enumerate(codes) if code != "cap_origlen"]
    made["events"] = {name: [values[row] for row in kept] for name, values in made["events"].items()}
    made["findings"].pop("cap_origlen", None)
    return made

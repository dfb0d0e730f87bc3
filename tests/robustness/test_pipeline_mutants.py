"""Spoilt captures through everything: each is a result or a `TraceError`, the tables agree, and stderr is silent.

TCPTRACE_PY_MUTANTS sets how many; a failure names the seed, and `spoilt(seed)` makes the same bytes again.
"""

from __future__ import annotations

import io
import os
import random
import struct
from functools import lru_cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from scripts.table_digest import digests
from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli import app
from tests.agreement import contradictions
from tests.containers import frames_of, pcap_header, pcap_record
from tests.corpus import CORPUS

HOW_MANY = int(os.environ.get("TCPTRACE_PY_MUTANTS", "500"))
FIRST_SEED = int(os.environ.get("TCPTRACE_PY_SEED", "20261122"))
FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("*.pcap"))
PROBES = sorted((CORPUS / "probes").glob("*.pcap"))
LARGEST = 12_000
AT = {1: 14, 101: 0, 12: 0}  # link type -> where an IP header begins
EDGES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SECOND = 10**9


@lru_cache
def sources():
    """The records of every small capture: (link type, [(time, bytes), ...])."""
    read = [frames_of(path)[0] for path in (*FIXTURES, *PROBES) if path.stat().st_size < LARGEST]
    return [(got[0].link, [(frame.time_ns, frame.data) for frame in got]) for got in read if got]


# -- ways to spoil: records in, records out ------------------------------------------------------------------------


def drop(chance, records, _link):
    del records[chance.randrange(len(records))]


def twice(chance, records, _link):
    at = chance.randrange(len(records))
    time, data = records[at]
    records.insert(min(at + chance.randrange(4), len(records)), (time + chance.choice((0, 1000, 5 * SECOND)), data))


def swap(chance, records, _link):
    a, b = (chance.randrange(len(records)) for _ in range(2))
    records[a], records[b] = records[b], records[a]


def flip(chance, records, _link):
    at = chance.randrange(len(records))
    octets = bytearray(records[at][1])
    if octets:
        octets[chance.randrange(min(len(octets), 90))] ^= 1 << chance.randrange(8)
    records[at] = records[at][0], bytes(octets)


def cut(chance, records, _link):
    at = chance.randrange(len(records))
    time, data = records[at]
    records[at] = time, data[: chance.randrange(len(data) + 1)]


def jump(chance, records, _link):
    at = chance.randrange(len(records))
    by = chance.choice((-3600, -1, 1, 61, 100_000)) * SECOND
    records[at:] = [(max(time + by, 0), data) for time, data in records[at:]]


def mix(chance, records, link):
    """Packets of another capture among these: often the same addresses and ports."""
    others = [other for kind, found in sources() if kind == link for other in found]
    for _ in range(chance.randrange(1, 8)):
        records.insert(chance.randrange(len(records) + 1), chance.choice(others))


def rewrite(chance, records, link):
    """Another number, flag, window or option in a TCP header."""
    at = chance.randrange(len(records))
    octets = bytearray(records[at][1])
    tcp = AT.get(link, 0) + 20
    if len(octets) < tcp + 20 or octets[tcp - 20] != 0x45:
        return
    what = chance.randrange(6)
    if what < 2:  # seq, ack
        place = tcp + 4 + 4 * what
        number = struct.unpack_from(">I", octets, place)[0]
        near = chance.choice((1, -1, 2, 100, 1460, 65536, 1 << 20, 1 << 30, 1 << 31)) * chance.choice((1, -1))
        number = chance.choice(((number + near) % 2**32, *EDGES, chance.randrange(2**32)))
        struct.pack_into(">I", octets, place, number)
    elif what == 2:
        octets[tcp + 13] = chance.choice((1, 2, 4, 16, 17, 18, 20, 3, 5, 0, 255, chance.randrange(256)))
    elif what == 3:
        struct.pack_into(">H", octets, tcp + 14, chance.choice((0, 1, 65535, chance.randrange(65536))))
    elif what == 4:
        octets[tcp + 12] = chance.randrange(256)
    elif len(octets) > tcp + 21:
        octets[chance.randrange(tcp + 20, min(len(octets), tcp + 40))] = chance.choice((0, 1, 2, 3, 4, 5, 8, 255))
    records[at] = records[at][0], bytes(octets)


WAYS = [drop, twice, swap, flip, cut, jump, mix, rewrite, rewrite, rewrite, rewrite]


def spoilt(seed):
    """The bytes of one spoilt capture."""
    chance = random.Random(seed)
    link, good = chance.choice(sources())
    records = list(good)
    for _ in range(chance.randrange(1, 9)):
        if records:
            chance.choice(WAYS)(chance, records, link)
    data = pcap_header(link=link, magic=0xA1B23C4D) + b"".join(pcap_record(*record, unit=1) for record in records)
    if chance.random() < 0.1:
        data = data[: chance.randrange(len(data) + 1)]
    if chance.random() < 0.1:
        at = chance.randrange(len(data)) if data else 0
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    return data


# -- what must hold ------------------------------------------------------------------------------------------------

SEEDS = range(FIRST_SEED, FIRST_SEED + HOW_MANY)


def verdict(seed):
    """What is wrong with the result of one spoilt capture."""
    kept = ["connections", "states", "events", "timeline"]
    try:
        trace = tt.analyze(io.BytesIO(spoilt(seed)), tables=kept, verify_checksums=seed % 3 == 0)
    except tt.TraceError:
        return []
    return contradictions(trace)


@pytest.mark.parametrize("tenth", range(10))
def test_tables_of_spoilt_captures_agree(tenth, capfd):
    wrong = {seed: found for seed in SEEDS[tenth::10] if (found := verdict(seed))}
    assert wrong == {}
    assert capfd.readouterr().err == ""


def test_batches_do_not_matter_to_spoilt_captures():
    names = ["connections", "states", "events", "timeline"]
    for seed in SEEDS[::10]:
        data = spoilt(seed)
        made = [digests_of(data, names, batch_size) for batch_size in (1, 5, 4096)]
        assert made[0] == made[1] == made[2], seed


def digests_of(data, names, batch_size):
    from scripts.table_digest import digest

    try:
        trace = tt.analyze(io.BytesIO(data), tables=names, batch_size=batch_size, verify_checksums=False)
    except tt.TraceError as error:
        return str(error)
    return {name: digest(trace.arrow(name)) for name in names}


COMMANDS = [
    ["analyze"],
    ["analyze", "--format", "ndjson", "--table", "timeline"],
    ["analyze", "--format", "csv", "--table", "events"],
    ["analyze", "--format", "json", "--table", "states"],
    ["show"],
]
ORDINARY = {ExitCode.OK, ExitCode.PARTIAL, ExitCode.UNREADABLE, ExitCode.USAGE}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_on_spoilt_captures(command, tmp_path):
    path = tmp_path / "spoilt.pcap"
    for seed in SEEDS[::25]:
        path.write_bytes(spoilt(seed))
        args = [*command, str(path), *(["0"] if command == ["show"] else [])]
        result = CliRunner().invoke(app, args)
        assert result.exit_code in ORDINARY, (seed, result.output)
        assert result.exception is None or isinstance(result.exception, SystemExit), seed
        assert "Traceback" not in result.stderr, seed


def test_two_readings_of_spoilt_captures(tmp_path):
    """The digest of a file, whose timeline is made by a second reading, and of the same bytes read once."""
    path = tmp_path / "spoilt.pcap"
    for seed in SEEDS[::20]:
        data = spoilt(seed)
        path.write_bytes(data)
        once = digests_of(data, ["connections", "states", "events", "timeline"], 4096)
        if isinstance(once, dict):
            twice_ = digests(str(path), verify_checksums=False)
            assert {name: twice_[name] for name in once} == once, seed

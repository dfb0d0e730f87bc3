"""Captures cut at every octet and with octets changed: frames, a status, or `UnreadableError`; never anything else."""

import gzip
import io
import random
import tracemalloc

import pytest
import zstandard

from tcptrace_py.capture import CaptureInfo, open_capture
from tcptrace_py.errors import UnreadableError
from tests.containers import (
    START,
    TEN,
    block,
    enhanced,
    frames_of,
    interface,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
    snoop,
    times_and_data,
    tsoffset,
    tsresol,
)

SEED = 20261122
EVERY_KIND_OF_BLOCK = (
    section()
    + interface(1, option(2, b"eth0") + tsresol(9) + tsoffset(5) + option(0, b""))
    + enhanced(START, b"a" * 30, options=option(1, b"comment") + option(2, b"\0\0\0\0") + option(0, b""))
    + simple(b"b" * 31)
    + obsolete(START, b"c" * 32)
    + block(5, b"\0" * 12)
    + section(">")
    + interface(113, tsresol(0x80 | 10, ">"), ">")
    + enhanced(START, b"d" * 33, ">")
)
TEXT = b"".join(
    b"12:00:0%d.000001 IP 10.0.0.1.5 > 10.0.0.2.80: Flags [P.], seq 1:%d, ack 1, win 5, options [nop,TS val 1 ecr 2]\n"
    % (n, n + 2)
    for n in range(10)
)
INPUTS = {
    "pcap": pcap(TEN),
    "pcap-be-ns": pcap(TEN, ">", unit=1),
    "pcapng": EVERY_KIND_OF_BLOCK,
    "snoop": snoop(TEN),
    "text": TEXT,
    "gzip": gzip.compress(pcap(TEN)),
    "zstd": zstandard.compress(pcapng(TEN)),
}
# How many frames are kept is known where octets are lost only at the end
PLAIN = ("pcap", "pcap-be-ns", "pcapng", "snoop", "gzip", "zstd")


def _read(data, **options):
    """The frames, or None where none can be had."""
    try:
        return frames_of(data, **options)
    except UnreadableError:
        return None


def _check(info: CaptureInfo):
    assert info.status in ("ok", "partial")
    assert (info.status == "partial") == bool(info.reason) == bool(info.message)
    assert sum(info.link_types.values()) == info.packets_read


@pytest.mark.parametrize("name", PLAIN)
def test_cut_at_every_octet(name, capfd):
    data = INPUTS[name]
    whole, _ = frames_of(data)
    before = 0
    for end in range(1, len(data)):
        found = _read(data[:end])
        if found is None:
            continue
        got, info = found
        _check(info)
        assert got == whole[: len(got)]
        assert len(got) >= before
        before = len(got)
        if info.status == "partial" and not info.compression:
            assert info.offset <= end
    assert before >= (len(whole) - 1 if name != "zstd" else 0)  # zstd gives out whole blocks
    assert capfd.readouterr() == ("", "")


def test_cut_text_is_short_and_no_damage():
    for end in range(80, len(TEXT), 7):
        got, info = frames_of(TEXT[:end])
        rest = TEXT[:end].rpartition(b"\n")[2]
        assert len(got) == TEXT[:end].count(b"\n") + (len(rest) > len("12:00:00.000001 "))
        assert info.status == "ok"


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("way", ["own", "dpkt"])
def test_changed_octets(name, way, capfd):
    chance = random.Random(f"{SEED} {name} {way}")
    data = INPUTS[name]
    readable = 0
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(broken))
            broken[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        found = _read(bytes(broken), reader=way)
        if found:
            readable += 1
            _check(found[1])
    assert readable > 10
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", INPUTS)
def test_pieces_taken_out_and_put_in(name):
    chance = random.Random(f"{SEED} {name}")
    data = INPUTS[name]
    for _ in range(200):
        at, size = chance.randrange(len(data)), chance.randrange(1, 40)
        for broken in (data[:at] + data[at + size :], data[:at] + chance.randbytes(size) + data[at:]):
            found = _read(broken)
            if found:
                _check(found[1])


def test_noise():
    chance = random.Random(SEED)
    for magic in (b"", *(data[:12] for data in INPUTS.values())):
        for _ in range(100):
            found = _read(magic + chance.randbytes(chance.randrange(400)))
            if found:
                _check(found[1])


@pytest.mark.parametrize("claim", [0xFFFFFFFF, 0x7FFFFFFF, 16 << 20])
def test_a_claimed_length_takes_no_memory(claim):
    """With a snap length that allows it; what is not there is not allotted."""

    data = bytearray(pcap(TEN, snaplen=0xFFFFFFFF))
    data[24 + 8 : 24 + 12] = claim.to_bytes(4, "little")
    tracemalloc.start()
    got, info = frames_of(bytes(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (got, info.status) == ([], "partial")
    assert peak < 8 << 20


def test_a_bomb_streams():
    """64 MiB of zeros in a packed capture: one frame after the other, never all at once."""

    record = pcap([(START, bytes(65_000))])
    packed = gzip.compress(record + record[24:] * 1000, 1)
    tracemalloc.start()

    with open_capture(io.BytesIO(packed)) as reader:
        total = sum(frames.n for frames in reader)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 1001
    assert peak < 16 << 20


def test_a_zstd_bomb_of_one_frame_is_bounded():

    record = pcap([(START, bytes(65_000))])
    packed = zstandard.compress(record + bytes(256 << 20), 1)
    tracemalloc.start()
    with open_capture(io.BytesIO(packed)) as reader:
        batches = iter(reader)
        total = next(batches).n
        total += next(batches).n
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 1
    assert peak < 100 << 20


def test_frames_before_the_damage_are_the_same_ones():
    got, _ = frames_of(pcap(TEN[:7]) + b"\xff" * 100)
    assert times_and_data(got) == [(time // 1000 * 1000, data) for time, data in TEN[:7]]

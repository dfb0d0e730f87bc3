"""Compressed captures: recognised by content, members in a row, junk, cuts and bad checksums."""

import bz2
import gzip
import lzma
import sys

import pytest
import zstandard

from tcptrace_py.errors import UnreadableError, UnsupportedError
from tests.containers import START, TEN, floored, frames_of, pcap, pcapng, times_and_data

lz4 = pytest.importorskip("lz4.frame")

MICRO = floored(TEN, 1000)
PACKERS = {
    "gzip": gzip.compress,
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lambda data: lz4.compress(data, content_checksum=True),
}
EVERY = pytest.mark.parametrize("name", PACKERS)


@pytest.fixture(params=[True, False], ids=["isal", "zlib"])
def with_isal(request, monkeypatch):
    """gzip with and without the faster library."""
    if request.param:
        pytest.importorskip("isal.igzip_lib")
    else:
        monkeypatch.setitem(sys.modules, "isal", None)


@EVERY
def test_recognised_by_content(name, tmp_path):
    path = tmp_path / "misnamed.txt"
    path.write_bytes(PACKERS[name](pcap(TEN)))
    got, info = frames_of(path)
    assert times_and_data(got) == MICRO
    assert (info.compression, info.format, info.status) == (name, "pcap", "ok")


def test_a_plain_capture_named_like_a_compressed_one(tmp_path):
    path = tmp_path / "plain.pcap.gz"
    path.write_bytes(pcapng(TEN))
    got, info = frames_of(path)
    assert (len(got), info.compression) == (10, "")


@EVERY
def test_members_in_a_row(name):
    data = pcap(TEN)
    packed = b"".join(PACKERS[name](data[at : at + 100]) for at in range(0, len(data), 100))
    got, info = frames_of(packed)
    assert times_and_data(got) == MICRO
    assert info.status == "ok"


@EVERY
def test_junk_after_the_end(name):
    got, info = frames_of(PACKERS[name](pcap(TEN)) + b"junk")
    assert times_and_data(got) == MICRO
    assert (info.status, info.reason, info.offset) == ("partial", "trailing_junk", len(pcap(TEN)))


@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_zeros_after_the_end_are_padding(name):
    got, info = frames_of(PACKERS[name](pcap(TEN)) + b"\0" * 512)
    assert (times_and_data(got), info.status) == (MICRO, "ok")


@EVERY
def test_cut(name):
    """Noise does not shrink, so that cutting the last quarter off loses about a quarter."""
    noise = [
        (START, bytes((n * n * 7 + i * i * n + (i * 2654435761 >> 7)) & 255 for i in range(1000))) for n in range(200)
    ]
    packed = PACKERS[name](pcap(noise))
    got, info = frames_of(packed[: len(packed) * 3 // 4])
    assert times_and_data(got) == noise[: len(got)]
    assert (info.status, info.reason) == ("partial", "cut_short")
    if name in ("gzip", "xz"):  # the others give out whole blocks only
        assert len(got) > 100


def test_cut_gzip_keeps_all_that_can_be_had(with_isal):
    packed = gzip.compress(pcap(TEN))
    got, info = frames_of(packed[:-1])  # the last octet of the length
    assert times_and_data(got) == MICRO
    assert (info.status, info.reason) == ("partial", "cut_short")


@pytest.mark.parametrize("at", [-8, -1])  # checksum, length
def test_gzip_with_a_bad_checksum_keeps_everything(with_isal, at):
    packed = bytearray(gzip.compress(pcap(TEN)))
    packed[at] ^= 0x55
    got, info = frames_of(bytes(packed))
    assert times_and_data(got) == MICRO
    assert (info.status, info.reason) == ("partial", "bad_compression")
    assert info.message.startswith("the gzip data is damaged")


@pytest.mark.parametrize("name", ["xz", "zstd", "lz4"])
def test_bad_checksum_elsewhere(name):
    packed = bytearray(PACKERS[name](pcap(TEN)))
    packed[-1 if name != "xz" else -30] ^= 0x55
    got, info = frames_of(bytes(packed))
    assert (info.status, info.reason) == ("partial", "bad_compression")
    assert times_and_data(got) == MICRO[: len(got)]


def test_gzip_either_way(with_isal):
    noise = [(START, bytes((n * 31 + i * i) & 255 for i in range(1400))) for n in range(3000)]
    got, info = frames_of(gzip.compress(pcap(noise), 1))
    assert (times_and_data(got), info.status) == (noise, "ok")


def test_compressed_twice_but_not_three_times():
    twice = gzip.compress(zstandard.compress(pcap(TEN)))
    got, info = frames_of(twice)
    assert (times_and_data(got), info.compression) == (MICRO, "gzip+zstd")
    with pytest.raises(UnreadableError, match=r"compressed more than 2 times \(gzip\+gzip, and zstd inside\)"):
        frames_of(gzip.compress(twice))


def test_skippable_frame_first():
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    got, info = frames_of(skippable + zstandard.compress(pcap(TEN)))
    assert (times_and_data(got), info.compression, info.status) == (MICRO, "zstd", "ok")


@EVERY
def test_nothing_inside(name):
    with pytest.raises(UnreadableError, match="nothing inside"):
        frames_of(PACKERS[name](b""))


def test_broken_from_the_start():
    with pytest.raises(UnreadableError, match="gzip data") as error:
        frames_of(b"\x1f\x8b" + b"\xff" * 50)
    assert error.value.reason == "bad_compression"


def test_lz4_without_its_package(monkeypatch):
    packed = PACKERS["lz4"](pcap(TEN))
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(UnsupportedError, match="install the package lz4"):
        frames_of(packed)


@EVERY
def test_reader_dpkt_reads_them_too(name):
    assert times_and_data(frames_of(PACKERS[name](pcap(TEN)), reader="dpkt")[0]) == MICRO

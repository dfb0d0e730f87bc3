"""Inputs 39 to 41: compressed captures, and memory, which is measured in a process of its own (also 9, 10, 37)."""

import bz2
import contextlib
import gzip
import json
import lzma
import os
import random
import re
import subprocess
import sys
import zlib
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from typer.testing import CliRunner

from tcptrace_py.views.cli import app
from tests.containers import enhanced, interface, pcap, pcap_record, pcapng
from tests.robustness.hostile.door import FRAMES, TEN, WAYS, Door

WHOLE = pcap(TEN)
MICRO = [time // 1000 * 1000 for time, _ in TEN]
PACK = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.fixture
def story(tmp_path):
    return Door("file", tmp_path)(WHOLE).story


@pytest.mark.parametrize("name", PACK)
def test_39_compressed(analyze, story, name):
    answer = analyze(PACK[name](WHOLE))
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)
    assert (answer.capture["format"], answer.capture["compression"]) == ("pcap", name)


@pytest.mark.parametrize("name", PACK)
def test_39_two_members(analyze, story, name):
    answer = analyze(PACK[name](WHOLE[:500]) + PACK[name](WHOLE[500:]))
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", bytes), (".pcap", gzip.compress), (".zst", bz2.compress)])
def test_39_misnamed(tmp_path, story, suffix, pack):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(pack(WHOLE))
    result = CliRunner().invoke(app, ["analyze", "-q", "-f", "json", "-t", "timeline", str(path)])
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["timeline"]) == len(story)


def test_39_compressed_three_times(analyze):
    answer = analyze(gzip.compress(gzip.compress(gzip.compress(WHOLE))))
    assert (answer.code, answer.said) == (4, "compressed more than 2 times (gzip+gzip, and gzip inside)")


@pytest.mark.parametrize("name", ["gzip", "lz4", "xz", "bzip2", "zstd"])
def test_40_cut(analyze, story, name):
    """All complete packets of what can be unpacked are kept; the line says where the unpacked bytes end."""
    many = pcap(TEN * 400)  # more than the decompressors keep to themselves
    packed = PACK[name](many) if name != "bzip2" else bz2.compress(many, 1)
    answer = analyze(packed[: len(packed) - 20])
    assert answer.code == 3
    found = re.fullmatch(
        rf"cut short: the {name} data ends too early, at byte (\d+); ([\d,]+) packets? kept", answer.said
    )
    assert found, answer.said
    at, kept = int(found[1]), int(found[2].replace(",", ""))
    assert kept == answer.capture["packets_read"] == whole_records(many[:at])
    assert answer.capture["reason"] == "cut_short"
    if name == "gzip":
        assert kept > 3900


def whole_records(data):
    """Records that are whole in these bytes of a pcap file."""
    at, number = 24, 0
    while at + 16 <= len(data):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        number += at <= len(data)
    return number


def test_40_bad_checksum(analyze, story):
    packed = bytearray(gzip.compress(WHOLE))
    packed[-6] ^= 0xFF
    answer = analyze(bytes(packed))
    assert (answer.code, answer.story) == (3, story)
    assert answer.said.startswith("the gzip data is damaged (")
    assert answer.said.endswith(f", at byte {len(WHOLE)}; 10 packets kept")
    assert answer.capture["reason"] == "bad_compression"


def test_40_damage_in_the_middle(analyze):
    """What one step had unpacked may be lost with it, 64 KiB at most; what is kept are whole packets, and right."""
    chance = random.Random(40)
    packets = [(TEN[0][0] + n * 1000, FRAMES[0] + bytes(chance.choices(b"abcdef", k=600))) for n in range(2000)]
    whole = pcap(packets)
    packed = bytearray(gzip.compress(whole))
    at = len(packed) // 2
    packed[at : at + 40] = b"\xff" * 40
    answer = analyze(bytes(packed))
    sound = 0
    unpacker = zlib.decompressobj(wbits=31)
    with contextlib.suppress(zlib.error):
        for byte in packed:
            sound += len(unpacker.decompress(bytes([byte])))
    assert (answer.code, answer.capture["reason"]) == (3, "bad_compression")
    assert sound - 65_536 <= answer.capture["offset"] <= sound + 1000  # where two decompressors find out
    assert answer.capture["packets_read"] == whole_records(whole[: answer.capture["offset"]])
    assert answer.capture["packets_read"] > 800


@pytest.mark.parametrize("name", PACK)
def test_40_trailing_junk(analyze, story, name):
    answer = analyze(PACK[name](WHOLE) + b"junk after the end")
    said = f"bytes after the end of the {name} data that are no more of it, at byte {len(WHOLE)}"
    assert (answer.code, answer.said) == (3, f"{said}; 10 packets kept")
    assert (answer.story, answer.capture["reason"]) == (story, "trailing_junk")


def test_40_a_window_beyond_the_bound(analyze):
    shape = zstandard.ZstdCompressionParameters(window_log=22)
    packer = zstandard.ZstdCompressor(compression_params=shape).compressobj()
    answer = analyze(packer.compress(WHOLE) + packer.flush(), "--limit", f"max_zstd_window={1 << 20}")
    assert (answer.code, answer.said) == (4, "the zstd data wants a window of more than 1 MiB")
    assert answer.capture["reason"] == "memory_limit"


def test_40_memory_beyond_the_bound(analyze):
    answer = analyze(lzma.compress(WHOLE), "--limit", f"max_xz_memory={1 << 20}")
    assert (answer.code, answer.said) == (4, "the xz data wants more memory than 1 MiB")


# -- memory ----------------------------------------------------------------------------------------------------------

# Not ru_maxrss: Linux lets a child begin with its parent's, which here is larger than what is to be measured
MEASURED = """
import sys
from pathlib import Path
from tcptrace_py.views.cli import app
try:
    app(["analyze", "-q", *sys.argv[1:]])
except SystemExit as done:
    peak = next(line for line in Path("/proc/self/status").open() if line.startswith("VmHWM:"))
    print(done.code, peak.split()[1], file=sys.stderr)
"""
RECORD = pcap_record(TEN[0][0], bytes(65_000))
MEMBER = gzip.compress(RECORD * 16, 1)
GIB = 1 << 30


def bomb():
    """A gigabyte of zeros in frames, in a megabyte or so: a member again and again."""
    return gzip.compress(pcap()) + MEMBER * (GIB // len(RECORD * 16) + 1)


def zstd_bomb():
    """One frame of 256 MB, of run-length blocks."""
    return zstandard.compress(pcap() + RECORD * 4000, 1)


HEAVY = {
    "9": (lambda: damaged(0xFFFFFFFF), 3, "5 packets kept"),
    "10": (lambda: damaged(0x7FFFFFFF), 3, "5 packets kept"),
    "10 with a snap length that allows it": (lambda: damaged(16 << 20, snaplen=0xFFFFFFFF), 3, "5 packets kept"),
    "37": (lambda: pcapng(TEN[:5]) + interface() * 100_000 + enhanced(1, FRAMES[5]), 3, "5 packets kept"),
    "37 block length": (lambda: pcapng(TEN[:5]) + enhanced(1, b"x", length=16 << 20), 3, "5 packets kept"),
    "41": (bomb, 0, ""),
    "41 zstd": (zstd_bomb, 0, ""),
}


def damaged(claimed, **header):
    return pcap(TEN[:5], **header) + pcap_record(*TEN[5], claimed=claimed) + pcap(TEN[6:])[24:]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured as Linux tells it")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HEAVY)
def test_09_10_37_41_memory(tmp_path, name, way):
    make, code, said = HEAVY[name]
    path = tmp_path / "capture"
    path.write_bytes(make())
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", MEASURED, str(path) if way == "file" else "-"]
    with path.open("rb") as file:
        cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        done = subprocess.run(
            command, stdin=cat.stdout, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        cat.stdout.close()
        cat.wait()
    *told, last = done.stderr.splitlines()
    got, kilobytes = map(int, last.split())
    assert got == code, done.stderr
    assert kilobytes * 1024 < 100 * 10**6, f"{kilobytes} kB"
    assert [line.endswith(said) for line in told] == ([True] if said else [])
    if name == "41":
        assert f"  {(GIB // len(RECORD * 16) + 1) * 16:,} packets" in done.stdout

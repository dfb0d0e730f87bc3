"""Where captures come from: paths, pipes, file objects, iterables; what is no capture gets one plain line."""

import errno
import gzip
import io
import os
import subprocess
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import dpkt
import pytest

from tcptrace_py.capture import open_capture
from tcptrace_py.capture.through_dpkt import nanoseconds
from tcptrace_py.errors import ExitCode, UnreadableError, UnsupportedError, UsageError
from tests.containers import START, TEN, floored, frames_of, pcap, pcapng, snoop, times_and_data

ROOT = Path(__file__).resolve().parents[2]
MICRO = floored(TEN, 1000)
PRINTED = b"12:00:00.000001 IP 10.0.0.1.5 > 10.0.0.2.80: Flags [S], seq 1, win 5, length 0\n"


@pytest.mark.parametrize("kind", [str, Path])
def test_path(tmp_path, kind):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(TEN))
    with open_capture(kind(path)) as reader:
        assert (reader.rereadable, reader.live, reader.bytes_total) == (True, False, path.stat().st_size)
        assert sum(frames.n for frames in reader) == 10
        assert reader.bytes_read == path.stat().st_size
    assert reader.info.path == str(path)


def test_file_objects(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(TEN))
    with path.open("rb") as file:
        got, info = frames_of(file)
        assert times_and_data(got) == MICRO
        assert info.path == str(path)
        assert not file.closed
        assert open_capture(io.BytesIO(pcap(TEN))).rereadable is False


class _OnlyRead:
    """A file object with nothing but read."""

    def __init__(self, data):
        self.read = io.BytesIO(data).read


def test_an_object_that_can_only_read():
    assert times_and_data(frames_of(_OnlyRead(pcap(TEN)))[0]) == MICRO


def test_a_text_file_is_a_mistake():
    with pytest.raises(UsageError, match="binary mode"):
        open_capture(io.StringIO("x"))


@pytest.mark.parametrize("what", [5, None])
def test_what_cannot_be_opened_at_all(what):
    with pytest.raises(UsageError, match="a capture is a path"):
        open_capture(what)


def test_reader_has_two_names():
    with pytest.raises(UsageError, match="'own' or 'dpkt'"):
        open_capture(io.BytesIO(pcap()), reader="scapy")


def _through_a_pipe(data, size):
    """A pipe's end for reading, while a thread writes `data` in pieces."""
    out, into = os.pipe()

    def write():
        with os.fdopen(into, "wb", buffering=0) as file:
            for at in range(0, len(data), size):
                file.write(data[at : at + size])

    threading.Thread(target=write).start()
    return os.fdopen(out, "rb")


@pytest.mark.parametrize("data", [pcap(TEN), pcapng(TEN), snoop(TEN)], ids=["pcap", "pcapng", "snoop"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pipe(data, size):
    with _through_a_pipe(data, size) as file:
        got, info = frames_of(file)
    assert times_and_data(got) == MICRO
    assert info.status == "ok"


@pytest.mark.parametrize("data", [pcap(TEN)[:-1], pcapng(TEN)[:-1]], ids=["pcap", "pcapng"])
def test_cut_pipe(data):
    with _through_a_pipe(data, 100) as file:
        got, info = frames_of(file)
    assert times_and_data(got) == MICRO[:9]
    assert info.reason == "cut_short"


def test_named_pipe(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(pcap(TEN),))
    writer.start()
    with open_capture(path) as reader:
        assert (reader.live, reader.rereadable, reader.bytes_total) == (True, False, None)
        assert sum(frames.n for frames in reader) == 10
    writer.join()


@pytest.mark.parametrize("make", [pcap, pcapng], ids=["pcap", "pcapng"])
def test_a_live_frame_does_not_wait_for_the_next(make):
    out, into = os.pipe()
    with os.fdopen(out, "rb") as file, os.fdopen(into, "wb", buffering=0) as writer:
        header, one, two = make(), make(TEN[:1]), make(TEN[:2])
        writer.write(one)
        reader = open_capture(file)
        batches = iter(reader)
        assert [next(batches).n, reader.info.packets_read] == [1, 1]
        writer.write(two[len(one) :])
        assert [next(batches).n, reader.info.packets_read] == [1, 2]
        writer.write(one[len(header) :] * 3)
        assert [next(batches).n, reader.info.packets_read] == [3, 5]


def test_a_live_printed_line_does_not_wait_for_the_next():
    out, into = os.pipe()
    with os.fdopen(out, "rb") as file, os.fdopen(into, "wb", buffering=0) as writer:
        writer.write(PRINTED)
        batches = iter(open_capture(file))
        assert next(batches).n == 1
        writer.write(PRINTED * 2)
        assert next(batches).n == 2


def test_progress(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([(START, b"x" * 200_000)] * 10))
    seen = []
    for _ in open_capture(path, progress=lambda done, total: seen.append((done, total))):
        pass
    size = path.stat().st_size
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)


@pytest.mark.parametrize("through", ["file", "pipe"])
def test_standard_input(tmp_path, through):
    code = "from tests.containers import frames_of; got, info = frames_of('-'); print(len(got), info.path, info.status)"
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(TEN))
    with path.open("rb") as file:
        given = {"stdin": file} if through == "file" else {"input": file.read()}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, **given)
    assert (done.stdout, done.stderr) == (b"10 - ok\n", b"")


class _Breaking(io.RawIOBase):
    """A file on a disk that fails after so many bytes."""

    def __init__(self, data, good):
        self._data, self._good, self._at = data, good, 0

    def readinto(self, target):
        if self._at >= self._good:
            raise OSError(errno.EIO, "Input/output error")
        piece = self._data[self._at : min(self._at + len(target), self._good)]
        self._at += len(piece)
        target[: len(piece)] = piece
        return len(piece)


def test_a_disk_that_fails_in_the_middle():
    data = pcap(TEN)
    got, info = frames_of(_Breaking(data, len(data) - 5))
    assert times_and_data(got) == MICRO[:9]
    assert (info.status, info.reason, info.offset) == ("partial", "read_error", len(data) - 5)
    assert info.message == f"reading failed: Input/output error, at byte {len(data) - 5}"


@pytest.mark.parametrize("data", [pcap(TEN), gzip.compress(pcap(TEN))])
def test_a_disk_that_fails_at_once(data):
    with pytest.raises(UnreadableError, match="reading failed: Input/output error") as error:
        frames_of(_Breaking(data, 0))
    assert error.value.reason == "read_error"


NOT_CAPTURES = {
    b"PK\3\4": "looks like a ZIP archive",
    b"\x7fELF\2\1\1": "looks like an ELF program",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "looks like a git-lfs pointer",
    b"Dear diary,\n": "looks like text",
    b'{"a": 1}': "looks like JSON",
    b"<!DOCTYPE html><p>": "looks like an HTML page",
    b"\0" * 600: "looks like nothing but zeros",
    b"\x00\x01\x02\x03\x04\x05\x06\x07\x08": r"begins with 00 01 02 03 04 05 06 07",
    b"\x00\x01": r"\(2 bytes\)",
    b"a" * 257 + b"ustar": "looks like a tar archive",
}


@pytest.mark.parametrize(("data", "words"), NOT_CAPTURES.items())
def test_not_a_capture(tmp_path, data, words):
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match=words) as error:
        open_capture(path)
    archive = words.endswith("archive")
    assert (error.value.reason, error.value.exit_code) == (
        "archive" if archive else "not_a_capture",
        ExitCode.UNREADABLE,
    )
    assert str(error.value).startswith(f"{path}: not a capture file")
    assert str(error.value).endswith(f"; try: tcpflows batch {path}") is archive
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"GMBU" + b"\1" * 100, "Microsoft Network Monitor 2"),
        (b"RTSS" + b"\1" * 100, "Microsoft Network Monitor 1"),
        (b"\x7fver" + b"\1" * 100, "EtherPeek"),
        (
            bytes(4)
            + START.to_bytes(8, "little")[:0]
            + (1_700_000_000).to_bytes(4, "little")
            + b"\2\4\0\x50\0\0\0\x40"
            + bytes(64),
            "ERF",
        ),
        (
            (1_700_000_000).to_bytes(4, "big")
            + b"\1\0\0\0"
            + (b"E" + bytes(35))
            + (1_700_000_001).to_bytes(4, "big")
            + b"\1\0\0\0"
            + (b"E" + bytes(35)),
            "TSH",
        ),
    ],
)
def test_captures_known_by_name_only(data, name):
    with pytest.raises(UnsupportedError, match=f"{name}.*convert: editcap -F pcap"):
        frames_of(data)


@pytest.mark.parametrize(
    ("make", "words", "reason"),
    [
        (lambda _path: None, "no such file", "no_such_file"),
        (lambda path: path.mkdir(), "is a directory; try: tcpflows batch", "directory"),
        (lambda path: path.write_bytes(b""), r"empty file \(0 bytes\)", "empty"),
        (lambda path: path.symlink_to("/dev/null"), r"empty file \(0 bytes\)", "empty"),
    ],
)
def test_nothing_there(tmp_path, make, words, reason):
    path = tmp_path / "x.pcap"
    make(path)
    with pytest.raises(UnreadableError, match=words) as error:
        open_capture(path)
    assert error.value.reason == reason
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_permission(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap())
    path.chmod(0)
    with pytest.raises(UnreadableError, match="permission denied"):
        open_capture(path)


def test_a_name_with_a_zero_octet():
    with pytest.raises(UnreadableError, match="cannot be opened"):
        open_capture("a\0b")


# snoop


def test_snoop():
    got, info = frames_of(snoop(TEN))
    assert times_and_data(got) == MICRO
    assert {frame.link for frame in got} == {1}
    assert [frame.original for frame in got] == [len(data) + 100 for _, data in TEN]
    assert info.format == "snoop"


def test_snoop_link_types():
    assert {frame.link for frame in frames_of(snoop(TEN, datalink=8))[0]} == {10}
    with pytest.raises(UnsupportedError, match="snoop datalink 9"):
        frames_of(snoop(TEN, datalink=9))


def test_snoop_cut_and_damaged():
    got, info = frames_of(snoop(TEN)[:-1])
    assert (len(got), info.reason, info.offset) == (9, "cut_short", len(snoop(TEN[:9])))
    broken = bytearray(snoop(TEN))
    at = len(snoop(TEN[:4]))
    broken[at + 8 : at + 12] = b"\0\0\0\1"
    got, info = frames_of(bytes(broken))
    assert (len(got), info.reason, info.offset) == (4, "bad_length", at)


# dpkt


@pytest.mark.parametrize("data", [pcap(TEN), pcap(TEN, ">"), pcapng(TEN), pcapng(TEN, ">"), snoop(TEN)])
def test_reader_dpkt(data):
    got, info = frames_of(data, reader="dpkt")
    assert times_and_data(got) == MICRO
    assert info.format.endswith("(dpkt)")
    assert info.link_types == {1: 10}


def test_reader_dpkt_keeps_nanoseconds():
    assert times_and_data(frames_of(pcap(TEN, unit=1), reader="dpkt")[0]) == TEN


def test_reader_dpkt_fails_as_dpkt_does():
    got, info = frames_of(pcap(TEN) + b"\1\2\3", reader="dpkt")
    assert times_and_data(got) == MICRO
    assert (info.status, info.reason) == ("partial", "dpkt_error")


def test_a_dpkt_reader_as_it_is():
    got, info = frames_of(dpkt.pcap.Reader(io.BytesIO(pcap(TEN, link=0x2000_0071))))
    assert times_and_data(got) == MICRO
    assert info.link_types == {113: 10}


def test_any_iterable():
    packets = [(Fraction(1, 3), b"a"), (Decimal("1700000000.123456789"), b"bc"), (7, bytearray(b"d"), "more", "still")]
    got, info = frames_of(packets, link_type=101)
    assert times_and_data(got) == [(333_333_333, b"a"), (1_700_000_000_123_456_789, b"bc"), (7 * 10**9, b"d")]
    assert info.link_types == {101: 3}
    assert [frame.original for frame in got] == [1, 2, 1]


def test_an_iterable_without_a_link_type_is_ethernet_and_says_so():
    got, info = frames_of(iter([(1, b"a")]))
    assert got[0].link == 1
    assert info.notes == ["no link type was given: taken as Ethernet"]


@pytest.mark.parametrize("micro", [0, 1, 123_456, 999_999, 500_000, 333_333])
@pytest.mark.parametrize("seconds", [0, 1, 1_700_000_000, 4_294_967_295])
def test_floats_mean_microseconds(seconds, micro):
    assert nanoseconds(seconds + micro / 1e6) == seconds * 10**9 + micro * 1000


def test_floats_finer_than_that_are_taken_at_their_word():
    assert nanoseconds(0.25 + 2**-30) == 250_000_001
    assert nanoseconds(0.123456789) == 123_456_789


@pytest.mark.parametrize("time", [float("nan"), float("inf"), Decimal("NaN")])
def test_times_that_are_none(time):
    with pytest.raises(ValueError, match="a packet's time is"):
        frames_of([(time, b"x")])

"""Every capture of the reference folder: packet counts, link types, damage; bytes and times as dpkt reads them."""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import dpkt
import numpy as np
import pytest

from tcptrace_py.capture import LINK_PRINTED, Mark, open_capture
from tcptrace_py.decode import _batch as b
from tcptrace_py.decode.printed import PrintedDecoder
from tcptrace_py.vocabulary import Unused
from tests.containers import frames_of

CORPUS = Path(os.environ.get("TCPTRACE_PY_CORPUS", Path(__file__).resolve().parents[3] / "shared"))
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no reference folder at {CORPUS}"),
]
TCPDUMP = shutil.which("tcpdump")

# name: (reason, where the damage begins); found with capinfos
DAMAGED = {
    "suricata-verify__http-mime-truncated__input.pcap": ("cut_short", 2_715_459),
    "suricata-verify__smtp-to-comma__10.7.29.101_49898-178.63.41.150_25.pcap": ("bad_length", 3_695),
}
# dpkt is wrong: interfaces that differ in clock or link type, lengths swapped, a short last record, no simple packets
DPKT_IS_WRONG = {"pcap_v2.2.dmp", "bad_ack_code.dmp", *DAMAGED}


def _manifest():
    path = CORPUS / "captures" / "MANIFEST.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _suite():
    path = CORPUS / "tcptrace-suite" / "captures.json"
    return [row for row in json.loads(path.read_text()) if row["usable"]] if path.exists() else []


@pytest.mark.parametrize("row", _manifest(), ids=lambda row: row["name"])
def test_captures(row):
    with open_capture(CORPUS / "captures" / row["name"]) as reader:
        count = sum(frames.n for frames in reader)
    info = reader.info
    assert count == info.packets_read == row["packets"]
    assert (info.reason, info.offset) == DAMAGED.get(row["name"], ("", None))
    assert info.status == ("partial" if row["name"] in DAMAGED else "ok")
    assert (
        info.format
        == {
            "pcap-usec-le": "pcap",
            "pcap-usec-be": "pcap big-endian",
            "pcap-nsec-le": "pcap (ns)",
            "pcapng-le": "pcapng",
        }[row["container"]]
    )
    assert set(info.link_types) <= {link & 0xFFFF for link in row["linktypes"]}


@pytest.mark.parametrize("row", _suite(), ids=lambda row: row["capture"])
def test_tcptrace_suite(row):
    got, info = frames_of(CORPUS / "tcptrace-suite" / row["capture"])
    assert info.status == "ok"
    assert len(got) == int(row["encap"][1])


def _files():
    folders = (CORPUS / "captures", CORPUS / "tcptrace-suite", CORPUS / "probes")
    kinds = (".pcap", ".pcapng", ".dmp", ".dump")
    return sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.suffix in kinds)


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.name)
def test_as_dpkt_reads_them(path):
    got, info = frames_of(path)
    if path.name in DPKT_IS_WRONG or len(info.interfaces) > 1:
        pytest.skip("dpkt is known to be wrong here")
    with path.open("rb") as file:
        expected, _ = frames_of(dpkt.pcap.UniversalReader(file))
    timed = [frame for frame in got if not frame.marks & Mark.NO_TIME]  # dpkt passes over simple packets
    cut = {frame.frame: min(len(frame.data), frame.original) for frame in timed}  # and leaves the FCS on
    assert [frame.data for frame in timed] == [
        frame.data[: cut[mine.frame]] if len(frame.data) > len(mine.data) else frame.data
        for frame, mine in zip(expected, timed, strict=True)
    ]
    if info.format != "pcapng":  # its floats there are off by up to 128 ns
        assert [frame.time_ns for frame in timed] == [frame.time_ns for frame in expected]
    else:
        off = [abs(frame.time_ns - other.time_ns) for frame, other in zip(timed, expected, strict=True)]
        assert max(off, default=0) <= 1000


def _as_tcpdump_prints(path, *options):
    """What the printed text says of each packet."""
    text = subprocess.run([TCPDUMP, *options, "-r", path], capture_output=True, check=False).stdout
    if b"IP" not in text:  # nothing, or other protocols only
        pytest.skip("tcpdump prints no IP packet")
    decoder = PrintedDecoder(Counter())
    got, _ = frames_of(text)
    assert {frame.link for frame in got} == {LINK_PRINTED}
    return [decoder.decode(frame.data.decode("utf-8", "replace")) for frame in got]


@pytest.mark.skipif(TCPDUMP is None, reason="tcpdump is not installed")
@pytest.mark.parametrize(
    "path", [path for path in _files() if path.stat().st_size < 300_000], ids=lambda path: path.name
)
@pytest.mark.parametrize("look", ["-t", "-tv", "-ett"])
def test_relative_numbers_are_the_absolute_ones(path, look):
    """tcpdump with -S prints what we make of its text without; but for directions of which it printed no base."""
    relative = _as_tcpdump_prints(path, "-nn", look)
    absolute = _as_tcpdump_prints(path, "-nn", look, "-S")
    for mine, theirs in zip(relative, absolute, strict=True):
        if isinstance(theirs, Unused):
            assert mine is theirs
            continue
        me, peer = (mine.src, mine.sport), (mine.dst, mine.dport)
        pair = frozenset((me, peer))
        if mine == theirs:
            continue
        # the exception: the first segment with ACK of this pair was a bare one, from the end that stays relative
        wrong = {end for end, same in ((me, mine.seq == theirs.seq), (peer, mine.ack == theirs.ack)) if not same}
        assert len(wrong) <= 1
        assert pair in _without_base(relative, pair, wrong)


def _without_base(packets, pair, wrong):
    """The pair, if its first segment with ACK was a bare one sent by the end in `wrong`."""
    for packet in packets:
        if isinstance(packet, Unused) or not packet.flags & 16:
            continue
        if frozenset(((packet.src, packet.sport), (packet.dst, packet.dport))) == pair:
            bare = bool(packet.marks & b.NO_SEQ)
            return {pair} if bare and wrong <= {(packet.src, packet.sport)} else set()
    return set()


@pytest.mark.skipif(TCPDUMP is None, reason="tcpdump is not installed")
def test_printed_times_are_those_of_the_capture():
    path = CORPUS / "probes" / "four.pcap"
    if not path.exists():
        pytest.skip("no probes")
    expected, _ = frames_of(path)
    for stamp in ("-tt", "-tttt", "-nn"):  # it is of the first day of 1970, so that a time of day will do
        text = subprocess.run([TCPDUMP, "-nn", stamp, "-r", path], capture_output=True, check=True).stdout
        assert [frame.time_ns for frame in frames_of(text)[0]] == [frame.time_ns for frame in expected]
    for stamp in ("-ttt", "-ttttt"):
        text = subprocess.run([TCPDUMP, "-nn", stamp, "-r", path], capture_output=True, check=True).stdout
        first = expected[0].time_ns
        assert [frame.time_ns + first for frame in frames_of(text)[0]] == [frame.time_ns for frame in expected]


def test_link_types_are_counted_as_they_are():
    path = CORPUS / "captures" / "zeek__ldap__gap-data-missing.pcapng"
    if not path.exists():
        pytest.skip("no such capture")
    counted = Counter()
    with open_capture(path) as reader:
        for frames in reader:
            links, counts = np.unique(frames.link[: frames.n], return_counts=True)
            counted.update(dict(zip(links.tolist(), counts.tolist(), strict=True)))
    assert reader.info.link_types == dict(counted)

"""The machinery of scripts/mutants.py: what it makes, what it hears, and that it speaks up."""

import argparse
import shutil

import pytest

from scripts import watched
from scripts.by_capinfos import Said, capinfos
from scripts.capinfos_reasons import REASONS, differs, reason_for
from scripts.mutants import Found, table
from scripts.watched import Reading, Watched
from tests.containers import TEN, pcap, pcapng
from tests.spoiling import mutant
from tests.spoiling.files import pieces

FOUR_WAY = "tests/fixtures/four_way.pcap"
OK = Reading("ok", packets=10, first_ns=5, last_ns=9, format="pcap")


def test_a_seed_always_makes_the_same():
    assert [mutant(seed) for seed in range(50)] == [mutant(seed) for seed in range(50)]
    kinds = {mutant(seed).kind for seed in range(400)}
    assert {"packets in pcap", "packets in pcapng", "pcap", "pcapng", "snoop", "printed text", "gzip"} <= kinds


def test_pieces_are_records_and_blocks():
    assert [len(piece) for piece in pieces(pcap(TEN))] == [24, *(16 + len(data) for _, data in TEN)]
    assert b"".join(pieces(pcapng(TEN, ">") + b"rest")) == pcapng(TEN, ">") + b"rest"
    assert len(pieces(pcapng(TEN))) == 12


def test_a_watched_reading(tmp_path):
    junk = tmp_path / "junk"
    junk.write_bytes(b"\xff" * 100)
    copy = tmp_path / "copy"
    shutil.copy(FOUR_WAY, copy)
    with Watched(digest=True) as reader:
        good, bad, again = (reader.read(path) for path in (copy, junk, copy))
    assert (good.verdict, good.wrong, good.packets, good.format) == ("ok", "", 11, "pcap (ns)")
    assert (bad.verdict, bad.wrong, bad.reason) == ("unreadable", "", "not_a_capture")
    assert good.digest == again.digest


def test_an_exception_is_told(monkeypatch):
    def broken(*_arguments, **_options):
        raise IndexError("out of bounds")

    monkeypatch.setattr(watched, "_analysed", broken)
    assert watched.read(FOUR_WAY).wrong.startswith("traceback: IndexError: out of bounds\n")


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos is not installed")
def test_what_capinfos_says(tmp_path):
    inputs = {
        "good": pcap(TEN),
        "cut": pcap(TEN)[:-5],
        "damaged": pcap(TEN[:4]) + b"\xff" * 100,
        "noise": b"\xff" * 100,
    }
    paths = [tmp_path / name for name in inputs]
    for path in paths:
        path.write_bytes(inputs[path.name])
    said = {path.name: capinfos(paths)[str(path)] for path in paths}
    assert [(each.verdict, each.packets) for each in said.values()] == [
        ("ok", 10),
        ("cut short", 9),
        ("damaged", 4),
        ("unreadable", 0),
    ]
    assert (said["good"].first_ns, said["good"].last_ns) == (TEN[0][0], TEN[9][0] // 1000 * 1000)
    for path in paths:
        assert differs(watched.read(str(path)), said[path.name]) == ""


def test_a_difference_without_a_reason_is_wrong(tmp_path, capsys):
    path = tmp_path / "0000007"
    path.write_bytes(pcap(TEN))
    found = Found()
    same = Said("ok", 10, "pcap", 5, 9)
    found.compare(path, "pcap", OK, same)
    for theirs in (same._replace(packets=9), same._replace(verdict="damaged"), same._replace(first_ns=4)):
        assert differs(OK, theirs)
        assert reason_for(path.read_bytes(), OK, theirs) == ""
        found.compare(path, "pcap", OK, theirs)
    assert (found.agreed, found.wrong) == (1, {"differs": 3})
    assert capsys.readouterr().out.count("0000007 (pcap): differs: ") == 3
    told = table(argparse.Namespace(corpus=False, first=7), found, 1)
    assert "| differs 3 |" in told


def test_reasons_are_told_apart():
    assert len({reason.name for reason in REASONS}) == len(REASONS)
    assert {reason.right for reason in REASONS} == {"we", "capinfos", "both"}

"""SACK blocks of the timeline against tshark's reading of the options, edge by edge."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs

TSHARK = shutil.which("tshark")
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
REFERENCE = CORPUS / "captures"
FIELDS = ["frame.number", "tcp.ack_raw", "tcp.options.sack_le", "tcp.options.sack_re"]

corpus, absent = needs("captures")
pytestmark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")


def told(path):
    """Frame -> the raw edges of its blocks, as tshark prints them."""
    options = ["-o", "tcp.relative_sequence_numbers:FALSE", "-Y", "tcp.options.sack_le && tcp.flags.ack == 1"]
    fields = [word for field in FIELDS for word in ("-e", field)]
    command = [TSHARK, "-n", "-r", str(path), *options, "-T", "fields", "-E", "occurrence=a", *fields]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    blocks = {}
    for line in lines:
        frame, ack, left, right = line.split("\t")
        if "," not in ack:  # several segments in a frame: tshark does not say whose blocks these are
            pairs = zip(left.split(","), right.split(","), strict=True)
            blocks[int(frame)] = [int(edge) for pair in pairs for edge in pair]
    return blocks


def ours(path):
    rows = (row for batch in tt.analyze(path).batches("timeline") for row in batch.to_pylist() if row["rel_sack"])
    return {row["frame"]: [(edge - row["rel_ack"] + row["ack"]) % 2**32 for edge in row["rel_sack"]] for row in rows}


@pytest.mark.parametrize("name", ["loss_bulk", "loss_bulk_sender", "reorder_bulk", "zero_window", "duplicates"])
def test_edges_of_the_fixtures(name):
    path = FIXTURES / f"{name}.pcap"
    assert ours(path) == told(path) != {}


@corpus
@absent
def test_edges_of_the_reference_captures():
    """Those in which we find any; tshark is slow to start."""
    found = {path: blocks for path in sorted(REFERENCE.glob("*.pcap*")) if (blocks := ours(path))}
    assert {path.name: blocks for path, blocks in found.items()} == {path.name: told(path) for path in found}
    assert sum(map(len, found.values())) > 500

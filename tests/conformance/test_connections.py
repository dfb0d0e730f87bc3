"""How segments are split into connections, against tshark's streams; each difference has a reason here."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs

pytestmark = needs("captures")
CAPTURES = CORPUS / "captures"
MANIFEST = CAPTURES / "MANIFEST.jsonl"
NAMES = {m["file"]: m["name"] for m in map(json.loads, MANIFEST.read_text().splitlines())} if MANIFEST.exists() else {}

DEVIATIONS = {
    "suricata-verify__tcp-split-handshake-02-5whs__split-handshake-5whs.pcap": (
        "one connection: the bare SYN of a split handshake answers the client's SYN; tshark opens a second stream"
    ),
    "zeek__doc__advanced__devel__plugins__connkey-vxlan-fivetuple-plugin-src__Traces__"
    "vxlan-overlapping-http-get.pcap": ("the same addresses and ports in three VXLAN networks are three connections"),
    "zeek__vlan-collisions.pcap": "the same addresses and ports on three VLANs are three connections",
    "zeek__vlan-pcp-dei.pcapng": "the same addresses and ports on three VLANs are three connections",
    "zeek__tunnels__tunnel-direct-bypass.pcap": "the same addresses and ports inside and outside a tunnel",
    "zeek__ldap__gap-data-missing.pcapng": (
        "the two directions travel on different VLANs: the VLAN is part of a connection's identity"
    ),
    "zeek__pop3__pop3.pcap": "each SYN after a refusal is a new attempt, also with the same number; tshark: resent",
}


def differences(mine, theirs):
    """Streams and connections that do not correspond one to one."""
    pairs = {(mine[frame], stream) for frame, stream in theirs.items() if frame in mine}
    ours, streams = [a for a, _ in pairs], [b for _, b in pairs]
    return [pair for pair in pairs if ours.count(pair[0]) > 1 or streams.count(pair[1]) > 1]


@pytest.mark.parametrize("file", sorted(NAMES))
def test_connections_are_tsharks_streams(file, segments):
    trace = tt.analyze(CAPTURES / NAMES[file])
    rows = trace.timeline
    mine = dict(zip(rows.frame.tolist(), rows.conn_id.tolist(), strict=True))
    theirs = segments.get(file, {})
    assert bool(differences(mine, theirs)) == (NAMES[file] in DEVIATIONS), DEVIATIONS.get(NAMES[file])


@pytest.fixture(scope="module")
def segments():
    """File -> frame -> tshark's stream, without TCP that ICMP errors quote."""
    import pandas as pd

    table = pd.read_parquet(
        CAPTURES / "oracle" / "tshark-segments.parquet", columns=["file", "frame", "stream", "embedded"]
    )
    table = table[~table.embedded & table.stream.notna()]
    return {file: dict(zip(g.frame.tolist(), g.stream.tolist(), strict=True)) for file, g in table.groupby("file")}


SUITE = CORPUS / "tcptrace-suite"
TSHARK = shutil.which("tshark")
SUITE_CAPTURES = sorted(p.name for p in SUITE.glob("*.*") if p.suffix in {".dmp", ".dump", ".pcap"})


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", SUITE_CAPTURES)
def test_connections_of_the_suite_are_tsharks_streams(name):
    fields = ["-e", "frame.number", "-e", "tcp.stream", "-e", "icmp.type"]
    run = subprocess.run(
        [TSHARK, "-n", "-r", SUITE / name, "-T", "fields", *fields], capture_output=True, text=True, check=False
    )
    lines = [line.split("\t") for line in run.stdout.splitlines()]
    theirs = {int(frame): int(stream) for frame, stream, icmp in lines if stream and not icmp}
    rows = tt.analyze(SUITE / name).timeline
    mine = dict(zip(rows.frame.tolist(), rows.conn_id.tolist(), strict=True))
    assert theirs or not mine
    assert not differences(mine, theirs)

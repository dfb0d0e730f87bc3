"""conn_state and history of the zeek view against Zeek's own baselines."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs

pytestmark = needs("captures")
CAPTURES = CORPUS / "captures"
ID = ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
OFFLOAD = "Zeek takes the checksums that the network card had yet to fill in for wrong"
BARE = "Zeek was run without the scripts that name the ports of servers (-b)"
DEVIATIONS = {
    ("core.checksums_ignore_nets", "35.221.46.9", "HcADF"): OFFLOAD,
    ("core.checksums_ignore_nets", "192.168.1.28", "C"): OFFLOAD,
    ("core.tunnels.gre-aruba-amsdu", "157.240.18.16", "D"): BARE,
    ("core.tunnels.teredo", "2001:0:4137:9e50:8000:f12a:b9c8:2815", "ShADad"): "Teredo tunnels are not decoded",
    ("core.vntag-in-vlan", "10.10.10.1", None): "Zeek drops a segment that was cut in its TCP header",
}
"""Test, originator and history of rows that differ, and why."""


def baselines():
    try:
        names = {m["file"]: m["name"] for m in map(json.loads, (CAPTURES / "MANIFEST.jsonl").read_text().splitlines())}
        tests = json.loads(gzip.decompress((CAPTURES / "oracle" / "zeek-conn.json.gz").read_bytes()))
    except FileNotFoundError:
        return []
    return [
        (CAPTURES / names[test["file"]], test["test"], not test["ignore_checksums"], rows)
        for test in tests
        if not test.get("capture_altered")
        and (rows := [row for row in test["tcp_rows"] if "conn_state" in row and ID[0] in row])
    ]


@pytest.mark.parametrize(("path", "test", "verify", "rows"), baselines(), ids=lambda value: str(value)[-40:])
def test_rows_are_zeeks(path, test, verify, rows):
    mine = defaultdict(list)
    for row in tt.analyze(path, verify_checksums=verify).view("zeek").to_dict("records"):
        mine[tuple(row[name] for name in ID)].append((row["conn_state"], row["history"]))
    wrong = {
        (test, row["id.orig_h"], row.get("history"))
        for row in rows
        if (row["conn_state"], row.get("history")) not in mine[tuple(row[name] for name in ID)]
    }
    there = {(test, row["id.orig_h"], row.get("history")) for row in rows}
    assert wrong == there & DEVIATIONS.keys()


def test_there_are_rows_to_compare():
    assert sum(len(rows) for *_, rows in baselines()) == 41

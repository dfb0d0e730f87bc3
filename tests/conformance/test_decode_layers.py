"""tshark reads the same segment behind every layer that the unit tests build, so they are no invention of ours."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import packets as p
from tests.decoding import address, one
from tests.unit.test_decode_links import PLAIN
from tests.unit.test_decode_tunnels import TUNNELS, TUNNELS_6

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = (
    PLAIN
    | {f"{name}, IPv4": (p.ethernet(packet), 1) for name, (packet, _) in TUNNELS.items()}
    | {f"{name}, IPv6": (p.ethernet(packet), 1) for name, (packet, _) in TUNNELS_6.items()}
    | {
        "PPPoE": (p.ethernet(p.pppoe(p.ipv4(p.tcp()))), 1),
        "QinQ": (p.ethernet(p.vlan(3, p.vlan(5, p.ipv4(p.tcp())))), 1),
    }
    | {"backbone": (p.ethernet(b"\0\0\x30\x39" + p.ethernet(p.ipv4(p.tcp())), 0x88E7), 1)}
)
TSHARK_DOES_NOT = {
    "MPLS, a pseudowire with a control word": "takes the control word for an address",
    "MPLS, a pseudowire without": "takes the address, which begins with four zero bits, for a control word",
    "NFLOG, big-endian": "takes the byte order of the machine it runs on",
    "VXLAN on Linux's first port, IPv4": "no default port of its own",
    "VXLAN-GPE with Ethernet, IPv4": "reads nothing without bit P",
    "protocol 94, IPv4": "does not know it",
}  # fmt: skip


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", sorted(LAYERS.keys() - TSHARK_DOES_NOT.keys()))
def test_tshark_reads_the_same(name: str, tmp_path: Path) -> None:
    frame, link = LAYERS[name]
    path = p.write_pcap(tmp_path / "layer.pcap", [frame], link)
    fields = ["ip.src", "ipv6.src", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.len"]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *(word for field in fields for word in ("-e", field))]
    line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip("\n")
    ip4, ip6, *numbers = line.split("\t")
    row = one(frame, link)
    assert [int(number) for number in numbers] == [row["sport"], row["dport"], row["seq"], row["payload"]]
    assert address(row, "src") in (ip4.split(",")[-1], ip6.split(",")[-1])

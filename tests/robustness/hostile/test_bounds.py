"""Every bound of capture and decoder: what is inside it is read, what is beyond it is counted by the bound's name."""

import gzip
import io

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.capture import reader as capture_reader
from tcptrace_py.decode import decoder as everyday
from tcptrace_py.decode import numbering
from tcptrace_py.errors import UnsupportedError
from tcptrace_py.options import BOUNDS as DECLARED
from tcptrace_py.options import FIXED
from tcptrace_py.views.cli import app
from tests.containers import enhanced, interface, option, pcap, pcap_record, pcapng, section, snoop
from tests.packets import (
    a_msdu,
    ethernet,
    fragments_4,
    gtp_u,
    icmp_error_6,
    ip_in_ipv6,
    ipip,
    ipv4,
    ipv6,
    padded_extension,
    tcp,
    vlan,
    vxlan,
)
from tests.robustness.hostile.door import START, STEP, TEN, WAYS, Door

SEGMENT = ipv4(tcp(payload=b"some octets of payload in a segment"))


def capture(*frames, link=1, step=STEP):
    return pcap([(START + n * step, frame) for n, frame in enumerate(frames)], link=link)


def in_vlans(number, packet):
    for _ in range(number):
        packet = vlan(5, packet)
    return ethernet(packet)


def in_tunnels(number):
    packet = SEGMENT
    for _ in range(number):
        packet = ipip(packet)
    return ethernet(packet)


def in_headers(number, *, quoted=False):
    packet = ipv6(tcp(), extensions=[(60, padded_extension())] * number)
    return ethernet(icmp_error_6(packet) if quoted else packet)


def in_gtp(number):
    packet = gtp_u(SEGMENT, extension=b"\x85" + b"\1\0\0\x85" * (number - 1) + b"\1\0\0\0")
    return ethernet(packet)


def datagrams(number):
    return [ethernet(fragments_4(ipv4(tcp(payload=bytes(64)), ip_id=n), 40)[0]) for n in range(number)]


def printed(number):
    line = "12:00:00.{0:06} IP 10.0.0.1.{0} > 10.0.0.2.80: Flags [S], seq {0}, win 5, length 0\n"
    return "".join(line.format(n + 1) for n in range(number)).encode()


def acknowledged(number):
    line = "12:00:00.{0:06} IP 10.0.0.1.{0} > 10.0.0.2.80: Flags [.], ack {0}, win 5, length 0\n"
    return "".join(line.format(n + 1) for n in range(number)).encode()


TEXT = "12:00:00.1 IP 10.0.0.1.5 > 10.0.0.2.80: Flags [S], seq 1, win 5, length 0\n"
# name: another bound than the default, or where it stands; input within it, input beyond it, how often it is reached
BOUNDS = {
    "max_record": (None, pcap(TEN), pcap() + pcap_record(START, b"x", claimed=262_145), 1),
    "max_block": (None, pcapng(TEN), pcapng(TEN) + enhanced(1, b"x", length=(16 << 20) + 4), 1),
    "max_interfaces": (
        3,
        section() + interface() * 3,
        section() + interface() * 4,
        1,
    ),
    "max_interface_name": (
        None,
        section() + interface(options=option(2, b"e" * 256)),
        section() + interface(options=option(2, b"e" * 257)),
        1,
    ),
    "max_clock_exponent": (
        None,
        section() + interface(options=option(9, b"\x12") + option(9, b"\xbf")),
        section() + interface(options=option(9, b"\x13")),
        1,
    ),
    "max_text": (None, (TEXT + "x" * 1000 + "\n" + TEXT).encode(), (TEXT + "x" * (5 << 20) + "\n" + TEXT).encode(), 5),
    "max_line": (None, (TEXT + " " * 4000 + "\n").encode(), (TEXT + " y" * 2049 + "\n").encode(), 1),
    "max_lines": (None, (TEXT + "    more\n" * 14).encode(), (TEXT + "    more\n" * 30).encode(), 1),
    "max_tunnels": (None, capture(in_tunnels(4)), capture(in_tunnels(5), in_tunnels(6)), 2),
    "max_vlans": (None, capture(in_vlans(8, SEGMENT)), capture(in_vlans(9, SEGMENT)), 1),
    "max_extension_headers": (None, capture(in_headers(16)), capture(in_headers(17)), 1),
    "max_quoted_extensions": (None, capture(in_headers(7, quoted=True)), capture(in_headers(9, quoted=True)), 1),
    "max_gtp_extensions": (None, capture(in_gtp(8)), capture(in_gtp(9)), 1),
    "max_peeled": (
        (everyday, "MAX_PEELED", 2),
        capture(ethernet(ipip(SEGMENT))),
        capture(ethernet(ipip(ip_in_ipv6(ipip(SEGMENT))))),
        1,
    ),
    "max_parts": (
        None,
        capture(a_msdu(*[SEGMENT] * 63), link=105),
        capture(a_msdu(*[SEGMENT] * 65), link=105),
        1,
    ),
    "max_networks": (
        2,
        capture(*(ethernet(vxlan(ethernet(SEGMENT), vni)) for vni in range(2))),
        capture(*(ethernet(vxlan(ethernet(SEGMENT), vni)) for vni in range(4))),
        2,
    ),
    "max_fragment_octets": (400, capture(*datagrams(3)), capture(*datagrams(4)), 1),
    "max_datagram": (
        None,
        capture(ethernet(ipv4(bytes(8), fragment=0x1FFE))),
        capture(ethernet(ipv4(bytes(24), fragment=0x1FFF))),
        1,
    ),
    "fragment_timeout": (
        None,
        capture(*datagrams(2), step=60 * 10**9),
        capture(*datagrams(3), step=61 * 10**9),
        2,
    ),
    "max_remembered_syns": ((numbering, "MAX_REMEMBERED_SYNS", 3), printed(3), printed(5), 2),
    "max_remembered_pairs": ((numbering, "MAX_REMEMBERED_PAIRS", 3), acknowledged(3), acknowledged(3000), 2081),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bound(tmp_path, monkeypatch, name):
    patched, within, beyond, times = BOUNDS[name]
    asked = ("--limit", f"{name}={patched}") if isinstance(patched, int) else ()
    if isinstance(patched, tuple):
        monkeypatch.setattr(*patched)
    analyze = Door("file", tmp_path)
    assert analyze(within, *asked).capture["limits"] == []
    answer = analyze(beyond, *asked)
    assert answer.capture["limits"] == [f"{name}: {times}"]


def test_every_bound_is_in_the_catalog_and_only_tested_ones():
    elsewhere = {
        *("max_connections", "max_ranges", "max_unacked", "max_repeats", "max_amendments"),  # floods
        *("max_zstd_window", "max_xz_memory", "max_uncompressed", "max_compressions"),  # compressed inputs
        *("max_datagrams", "max_pairs", "max_gaps_told", "max_members", "max_nesting"),  # below; following; archives
    }
    declared = {bound.name for bound in DECLARED} | FIXED.keys()
    assert declared == BOUNDS.keys() | elsewhere


def test_max_datagrams(tmp_path):
    analyze = Door("file", tmp_path)
    assert analyze(capture(*datagrams(3)), "--limit", "max_datagrams=3").capture["limits"] == []
    assert analyze(capture(*datagrams(5)), "--limit", "max_datagrams=3").capture["limits"] == ["max_datagrams: 2"]


def test_snoop_has_the_bound_of_a_record_too(tmp_path):
    data = bytearray(snoop(TEN))
    data[16 + 4 : 16 + 8] = (262_145).to_bytes(4, "big")
    assert Door("file", tmp_path)(bytes(data)).capture["limits"] == ["max_record: 1"]


def test_networks_beyond_the_bound_are_one(tmp_path):
    data = capture(*(ethernet(vxlan(ethernet(SEGMENT), vni)) for vni in range(5)))
    rows = Door("file", tmp_path).connections(data, "--limit", "max_networks=2")
    assert [row["network"] for row in rows] == ["vxlan 0", "vxlan 1", "others"]


def test_the_summary_says_which_bounds_were_reached(tmp_path):
    (tmp_path / "x").write_bytes(capture(in_tunnels(5), in_vlans(9, SEGMENT)))
    result = CliRunner().invoke(app, ["analyze", "-q", str(tmp_path / "x")])
    assert "\n  bounds reached: max_tunnels: 1, max_vlans: 1\n" in result.stdout


def test_gaps_beyond_the_bound_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(capture_reader, "MAX_GAPS_TOLD", 2)
    hole = b"\xff" * 40
    data = pcap(TEN[:2]) + b"".join(hole + pcap(TEN[n : n + 2])[24:] for n in range(2, 10, 2))
    answer = Door("file", tmp_path)(data, "--resync")
    assert answer.said.endswith("; 160 bytes left out in 4 places; 10 packets kept")
    assert answer.capture["limits"] == ["max_gaps_told: 2", "max_record: 4"]
    assert [event["frame"] for event in answer.events if event["code"] == "cap_gap"] == [3, 5]


@pytest.mark.parametrize("way", WAYS)
def test_max_uncompressed(tmp_path, way):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(pcap(TEN)))
    whole = len(pcap(TEN))
    kept = len(pcap(TEN[:6]))
    assert tt.analyze(path, limits=tt.Limits(max_uncompressed=whole)).status == "ok"
    with path.open("rb") as file:
        trace = tt.analyze(path if way == "file" else file, limits=tt.Limits(max_uncompressed=kept))
    (row,) = trace.summary.captures
    assert (row["status"], row["reason"], row["packets_read"]) == ("partial", "max_uncompressed", 6)
    said = f"more than {kept} bytes are inside the gzip data (max_uncompressed), at byte {kept}"
    assert (row["message"], row["limits"]) == (said, ["max_uncompressed: 1"])


def test_max_compressions_is_said_in_the_error():
    with pytest.raises(UnsupportedError, match=r"compressed more than 2 times \(gzip\+gzip, and gzip inside\)"):
        tt.analyze(gzip_file(3))


def gzip_file(times):
    data = pcap(TEN)
    for _ in range(times):
        data = gzip.compress(data)
    return io.BytesIO(data)

"""Damaged frames: whatever the bytes, a row or a counter, the same compiled and not, and silence."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tcptrace_py.decode import Decoder, DpktDecoder, _decode
from tests import packets as p
from tests.decoding import decoded
from tests.packets import frames
from tests.unit.test_decode_links import PLAIN
from tests.unit.test_decode_tunnels import TUNNELS, TUNNELS_6

SEED = 20_261_122
OPTIONS = p.mss(1460) + p.SACK_PERMITTED + p.timestamps(1, 2) + p.wscale(7) + p.sack((1, 2)) + p.option(34, b"abcd")
EXTENSIONS = [(0, p.padded_extension()), (60, p.padded_extension(16)), (51, bytes([4]) + b"\0" * 22), (44, b"\0" * 7)]
SAMPLES = [
    *PLAIN.values(),
    *[(p.ethernet(packet), 1) for packet, _ in (TUNNELS | TUNNELS_6).values()],
    (p.ethernet(p.ipv4(p.tcp(p.SYN, options=OPTIONS, payload=b"hello"), options=b"\1" * 8)), 1),
    (p.ethernet(p.ipv6(p.tcp(p.SYN, options=OPTIONS), extensions=EXTENSIONS)), 1),
    (p.ethernet(p.vlan(1, p.vlan(2, p.ipv4(p.tcp())))), 1),
    (p.ethernet(p.icmp_error(p.ipv4(p.tcp()))), 1),
    (p.ethernet(p.icmp_error_6(p.ipv6(p.tcp(), extensions=EXTENSIONS))), 1),
    (p.a_msdu(p.ipv4(p.tcp()), p.ipv4(p.tcp())), 105),
    *[(p.ethernet(piece), 1) for piece in p.fragments_4(p.ipv4(p.tcp(payload=b"x" * 40)), 24)],
    *[(p.ethernet(piece), 1) for piece in p.fragments_6(p.ipv6(p.tcp(payload=b"x" * 40), traffic_class=1), 24)],
    (b"12:00:00.000001 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 7, win 512, length 0", 0x10000),
]


class Interpreted(Decoder):
    """`Decoder` with the same walk, not compiled."""

    _new_walk: ClassVar[Any]


@pytest.fixture(scope="module")
def interpreted() -> type[Decoder]:
    source = Path(_decode.__file__).parent / "_decode.py"
    spec = importlib.util.spec_from_file_location("tcptrace_py.decode._interpreted", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    Interpreted._new_walk = module.Walk  # noqa: SLF001
    return Interpreted


def mutants(rounds: int, seed: int) -> tuple[list[bytes], list[int]]:
    """Each sample with some of its first octets changed, and often cut."""
    chance = random.Random(seed)
    found, links = [], []
    for _ in range(rounds):
        for frame, link in SAMPLES:
            octets = bytearray(frame)
            for _ in range(chance.randrange(4)):
                octets[chance.randrange(min(len(octets), 120))] = chance.choice(
                    (0, 1, 0x45, 0x7F, 0x80, 0xFF, chance.randrange(256))
                )
            found.append(bytes(octets[: chance.choice((len(octets), chance.randrange(len(octets) + 1)))]))
            links.append(link)
    return found, links


def same(left: Any, right: Any) -> None:
    assert (left.rows, left.unused, left.quotes) == (right.rows, right.unused, right.quotes)


def test_cut_at_every_octet(capfd: pytest.CaptureFixture[str]) -> None:
    for frame, link in SAMPLES:
        data = frames([frame[:kept] for kept in range(len(frame) + 1)], link)
        same(decoded(data, capacity=7), decoded(data, DpktDecoder, capacity=7))
    assert capfd.readouterr().err == ""


def test_every_bit_flipped(capfd: pytest.CaptureFixture[str]) -> None:
    for frame, link in SAMPLES[::4]:
        flipped = []
        for position in range(min(len(frame), 110) * 8):
            octets = bytearray(frame)
            octets[position // 8] ^= 1 << position % 8
            flipped.append(bytes(octets))
        data = frames(flipped, link, step_ns=10**9)
        same(decoded(data, capacity=30), decoded(data, DpktDecoder, capacity=30))
    assert capfd.readouterr().err == ""


def test_mutants(capfd: pytest.CaptureFixture[str]) -> None:
    found, links = mutants(20, SEED)
    lengths = random.Random(SEED)
    original = [max(len(frame) + lengths.randrange(-40, 2000), 0) for frame in found]
    data = frames(found, links, original=original)
    fast = decoded(data, capacity=100, payloads=True)
    same(fast, decoded(data, DpktDecoder, capacity=100, payloads=True))
    assert fast.rows
    assert len(fast.unused) >= 8, "the mutants are too tame"
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(_decode.__file__.endswith(".py"), reason="no compiled decoder here")
def test_compiled_as_interpreted(interpreted: type[Decoder]) -> None:
    found, links = mutants(60, SEED + 1)
    data = frames(found, links)
    same(decoded(data, capacity=1000, payloads=True), decoded(data, interpreted, capacity=1000, payloads=True))


def test_random_octets_under_every_link_type() -> None:
    chance = random.Random(SEED)
    links = [link for link in range(300) for _ in range(5)]
    data = frames([chance.randbytes(chance.randrange(100)) for _ in links], links)
    same(decoded(data), decoded(data, DpktDecoder))


def test_interpreted_is_the_same_source(interpreted: type[Decoder]) -> None:
    assert interpreted._new_walk is not sys.modules[Decoder.__module__].Walk  # noqa: SLF001
    data = frames([frame for frame, _ in SAMPLES], [link for _, link in SAMPLES])
    same(decoded(data), decoded(data, interpreted))

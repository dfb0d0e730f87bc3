"""Addresses as text, and Community IDs against the published values and the reference implementation."""

from __future__ import annotations

import ipaddress
import random

import communityid
import pytest

from tcptrace_py.tables import addresses

PUBLISHED = [  # from the specification's own examples
    ("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        63943,
        "2607:f8b0:400c:c03::1a",
        25,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
]


def words(text):
    """High and low word of an address as the batch holds it."""
    address = ipaddress.ip_address(text)
    number = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    return number >> 64, number & (1 << 64) - 1


@pytest.mark.parametrize(("source", "sport", "target", "dport", "expected"), PUBLISHED)
def test_community_id_is_the_published_one(source, sport, target, dport, expected):
    one, other = (*words(source), sport), (*words(target), dport)
    assert addresses.community_id(one, other) == expected
    assert addresses.community_id(other, one) == expected


def test_community_id_is_that_of_the_reference():
    chance = random.Random(7)
    for _ in range(300):
        bits = chance.choice((32, 128))
        kind = ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address
        # addresses and ports that are often the same, so that the order must be told by the rest
        one, other = (str(kind(chance.choice((5, 6, chance.getrandbits(bits))) | 1 << bits - 2)) for _ in range(2))
        sport, dport = (chance.choice((80, 81, chance.randrange(65536))) for _ in range(2))
        expected = communityid.CommunityID().calc(communityid.FlowTuple.make_tcp(one, other, sport, dport))
        assert addresses.community_id((*words(one), sport), (*words(other), dport)) == expected


@pytest.mark.parametrize("text", ["0.0.0.0", "10.9.0.1", "255.255.255.255", "::", "::1", "2001:db8::ff00:42:8329"])
def test_text_and_bytes(text):
    assert addresses.text(*words(text)) == text
    octets = ipaddress.ip_address(text).packed
    assert addresses.packed(*words(text)) == (octets if len(octets) == 16 else bytes(10) + b"\xff\xff" + octets)

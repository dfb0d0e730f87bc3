"""Addresses as text, and the Community ID of a pair (v1, as Zeek and Suricata write it)."""

from __future__ import annotations

import binascii
import socket
import struct
from functools import lru_cache

MAPPED = 0xFFFF  # the low word's upper half of an IPv4 address written as ::ffff:a.b.c.d
TCP = 6
V4, V6, PORTS = struct.Struct(">I"), struct.Struct(">QQ"), struct.Struct(">BBHH")


def packed(hi: int, lo: int) -> bytes:
    """An address as 16 bytes."""
    return V6.pack(hi, lo)


def is_v4(hi: int, lo: int) -> bool:
    """Tell whether it is an IPv4 address, written as ::ffff:a.b.c.d."""
    return hi == 0 and lo >> 32 == MAPPED


def octets(hi: int, lo: int) -> bytes:
    """An address as it stands in the header: 4 bytes, or 16."""
    return V4.pack(lo & 0xFFFFFFFF) if is_v4(hi, lo) else V6.pack(hi, lo)


@lru_cache(maxsize=65536)
def text(hi: int, lo: int) -> str:
    """An address as one writes it."""
    if is_v4(hi, lo):
        return socket.inet_ntop(socket.AF_INET, octets(hi, lo))
    return socket.inet_ntop(socket.AF_INET6, octets(hi, lo))


def community_id(one: tuple[int, int, int], other: tuple[int, int, int]) -> str:
    """Community ID v1, seed 0, of two endpoints (hi, lo, port); the same whichever comes first."""
    import hashlib  # here: it loads all of OpenSSL, and the summary does without

    (source, sport), (target, dport) = sorted([(octets(*one[:2]), one[2]), (octets(*other[:2]), other[2])])
    data = b"\0\0" + source + target + PORTS.pack(TCP, 0, sport, dport)  # a seed of 0 before them
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return "1:" + binascii.b2a_base64(digest, newline=False).decode()

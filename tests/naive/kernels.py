"""Twins of the small kernels: numbers on a circle, sets of octets, sums, pairs of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def unwrap(seqs: Sequence[int]) -> list[int]:
    """Numbers of 32 bits on an unbounded line, each as near as can be to the one before (RFC 9293 section 3.4)."""
    line = [int(seqs[0])]
    for seq in seqs[1:]:
        candidates = (int(seq) + turn * 2**32 for turn in range(-2, 4))
        line.append(min(candidates, key=lambda x: abs(x - line[-1])))
    return line


def unwrap_to_highest(seqs: Sequence[int]) -> list[int]:
    """The same, but each as near as can be to the highest so far."""
    line = [int(seqs[0])]
    for seq in seqs[1:]:
        candidates = (int(seq) + turn * 2**32 for turn in range(-2, 4))
        line.append(min(candidates, key=lambda x: abs(x - max(line))))
    return line


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The fewest spans lo..hi that hold the same numbers, in order."""
    numbers = {number for lo, hi in spans for number in range(lo, hi)}
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number + 1 for number in numbers if number + 1 not in numbers)
    return list(zip(starts, ends, strict=True))


def internet_checksum(data: bytes) -> int:
    """RFC 1071 section 1: the one's complement of the one's complement sum of all 16-bit words."""
    total = 0
    for at in range(0, len(data), 2):
        word = data[at : at + 2].ljust(2, b"\0")
        total += word[0] * 256 + word[1]
        if total > 65_535:  # the carry comes round
            total -= 65_535
    return 65_535 - total


def assign(packets: Iterable[tuple[object, object, object]]) -> list[tuple[int, int]]:
    """For (source, target, net) of each packet: the number of its pair, and 0 if sent by whoever sent first."""
    pairs: dict[tuple[frozenset[object], object], tuple[int, object]] = {}
    made = []
    for source, target, net in packets:
        number, first = pairs.setdefault((frozenset((source, target)), net), (len(pairs), source))
        made.append((number, int(source != first)))
    return made

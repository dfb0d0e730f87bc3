"""Which network a segment belongs to: VLAN ids and tunnels, in one 64-bit number.

The layout, so that the compiled decoder needs no table for VLAN tags: ids that are not 0, outermost first, 12 bits
each (``vlan 5`` is 5, ``vlan 3.5`` is 3 * 4096 + 5, up to five of them), and bit 63 clear.  With bit 63 set, the rest
counts the other networks in order of first appearance; what they are stands in `Nets`.

Only what both directions share is part of it.  A VXLAN or Geneve VNI, a PPPoE session and a PBB service are; GTP and
L2TP tunnel ids, GRE keys and MPLS labels are chosen by the receiver, differ by direction, and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

TUNNEL = 1 << 63
VLAN_BITS = 12
OTHERS = (1 << 64) - 1  # all beyond them, together
ROOM = 48  # a number below 1 << ROOM takes another VLAN id


class Nets:
    """The networks that are not plain VLANs: number to what it is, and back."""

    def __init__(self, reached: Counter[str], most: int) -> None:
        self._most = most
        self._reached = reached
        self._number: dict[tuple[int, str, int | None], int] = {}
        self._name: list[str] = []

    def inside(self, net: int, kind: str, tag: int | None) -> int:
        """The network `kind` `tag` (None: it has no number) within `net`."""
        if kind == "vlan" and tag and not net >> ROOM:
            return net << VLAN_BITS | tag
        key = (net, kind, tag)
        number = self._number.get(key)
        if number is None and len(self._name) == self._most:
            self._reached["max_networks"] += 1
            return OTHERS
        if number is None:
            number = self._number[key] = TUNNEL | len(self._name)
            outer, own = self.name(net), kind if tag is None else f"{kind} {tag}"
            self._name.append(f"{outer}, {own}" if outer else own)
        return number

    def name(self, net: int) -> str:
        """In words: ``vlan 3.5``, ``vxlan 42``, ``vlan 5, gtp``; nothing for no network."""
        if net == OTHERS:
            return "others"
        if net & TUNNEL:
            return self._name[net & ~TUNNEL]
        ids = []
        while net:
            ids.append(str(net & 0xFFF))
            net >>= VLAN_BITS
        return "vlan " + ".".join(reversed(ids)) if ids else ""

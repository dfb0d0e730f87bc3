"""The name of every header that may come next: one number, in a space for each place where such numbers are handed out.

Knows names only.  How a header is read stands in `_decode` (the everyday) and in `rare` (the others),
whose answers are `Next`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcptrace_py.vocabulary import Unused

ETHERTYPE = 0x00000  # IEEE 802 Numbers; 0 to 1500 is a length and never a kind
IP_PROTOCOL = 0x10000
UDP_PORT = 0x20000
LINK = 0x30000  # LINKTYPE numbers
OURS = 0x40000  # what has no number of its own
SPACE = 0x40010  # beyond all kinds

PRINTED = OURS  # LINK + frames.LINK_PRINTED
LLC = OURS + 1  # IEEE 802.2
FRAGMENT_4 = OURS + 2  # an IPv4 header whose datagram is in pieces
FRAGMENT_6 = OURS + 3  # an IPv6 fragment header that is not atomic

IPV4 = ETHERTYPE + 0x0800
IPV6 = ETHERTYPE + 0x86DD
BRIDGED = ETHERTYPE + 0x6558  # transparent Ethernet bridging
VLANS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
TCP = IP_PROTOCOL + 6
UDP = IP_PROTOCOL + 17
ETHERNET = LINK + 1
RAW_IP = LINK + 101
PPP = LINK + 9
WLAN = LINK + 105


class Next(NamedTuple):
    """The header that follows another.

    Attributes
    ----------
    kind : int
        One of the numbers above.
    skip : int
        Octets from the header just read to this one.
    tunnel : str
        Its name if the header just read opens a network of its own, else nothing.
    tag : int or None
        The number of that network, where both directions use the same.
    size : int or None
        Octets up to the next sibling, where several packets share a frame.
    """

    kind: int
    skip: int
    tunnel: str = ""
    tag: int | None = None
    size: int | None = None


if TYPE_CHECKING:
    Peeled = Next | list[Next] | Unused
    Peel = Callable[[bytes], Peeled]

"""The rare layers, one small function each: what a header says about the one that follows.

A function gets the captured octets from its header on, and answers with a `Next`, with several where one header
carries several packets, or with the reason why nothing follows.  It may read past the end: that is a truncated header.
`PEEL` says which kind of header is whose.  Does not know IP and TCP, which `_decode` reads, nor how deep it is.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING

from tcptrace_py.decode import wireless
from tcptrace_py.decode.kinds import (
    BRIDGED,
    ETHERNET,
    ETHERTYPE,
    IP_PROTOCOL,
    IPV4,
    IPV6,
    LINK,
    LLC,
    PPP,
    RAW_IP,
    UDP_PORT,
    VLANS,
    WLAN,
    Next,
)
from tcptrace_py.options import FIXED
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from tcptrace_py.decode.kinds import Peel, Peeled

MPLS = ETHERTYPE + 0x8847
CISCO_HDLC = LINK + 104
SERVICE_HEADER = ETHERTYPE + 0x894F
IPV6_FAMILIES = (10, 24, 28, 30)


# Point to point

PPP_KINDS = {0x21: IPV4, 0x57: IPV6, 0x281: MPLS, 0x283: MPLS}
PPP_BRIDGING, PPP_MULTILINK = 0x31, 0x3D
PPP_NOT_DECODED = (0x2D, 0x2F, 0x53, 0x55, 0xFB, 0xFD)  # compressed (Van Jacobson, CCP) or encrypted (ECP)


def ppp(data: bytes) -> Peeled:
    """RFC 1661 and 1662; address, control, and the first octet of the protocol may be left out."""
    if data[0] in (0x0F, 0x8F):
        return Next(CISCO_HDLC, 0)
    at = 2 if data[:2] == b"\xff\x03" else 0
    short = data[at] & 1
    protocol, at = data[at] if short else unpack_from(">H", data, at)[0], at + 2 - short
    if protocol in PPP_KINDS:
        return Next(PPP_KINDS[protocol], at)
    if protocol == PPP_BRIDGING:  # RFC 3518: flags, MAC type
        return Next(ETHERNET, at + 2)
    if protocol == PPP_MULTILINK and data[at] & 0xC0 == 0xC0:  # RFC 1990: beginning and end in one
        return Next(PPP, at + 4)
    return Unused.not_decoded if protocol in (*PPP_NOT_DECODED, PPP_MULTILINK) else Unused.not_ip


def ppp_with_direction(_data: bytes) -> Peeled:
    """One octet says who sent."""
    return Next(PPP, 1)


def pppoe(data: bytes) -> Peeled:
    """RFC 2516 section 4: version and type 1, code 0 for a session."""
    version, code, session = unpack_from(">BBH", data)
    return Next(PPP, 6, "pppoe", session) if version == 0x11 and code == 0 else Unused.not_ip


def cisco_hdlc(data: bytes) -> Peeled:
    """Address, control, ethertype."""
    return Next(unpack_from(">H", data, 2)[0], 4)


def frame_relay(data: bytes) -> Peeled:
    """RFC 2427: Q.922 address up to the octet with bit 1, then control and NLPID; or Cisco's, an ethertype."""
    at = next((at for at in (1, 2, 3) if data[at] & 1), 3) + 1
    if data[at] != 3:
        return Next(unpack_from(">H", data, at)[0], at + 2)
    at += 2 if data[at + 1] == 0 else 1
    kind = {0xCC: IPV4, 0x8E: IPV6}.get(data[at])
    if kind is None and data[at : at + 4] == b"\x80\0\0\0":
        return Next(unpack_from(">H", data, at + 4)[0], at + 6)
    return Unused.not_ip if kind is None else Next(kind, at + 1)


# Local networks


def llc_at(size: int) -> Peel:
    """A header of `size` octets, then LLC."""

    def peel(_data: bytes) -> Peeled:
        return Next(LLC, size)

    return peel


def fddi(data: bytes) -> Peeled:
    """ANSI X3.139: frame control (0x50 to 0x5F is LLC), two addresses."""
    return Next(LLC, 13) if data[0] & 0xF0 == 0x50 else Unused.not_ip


def token_ring(data: bytes) -> Peeled:
    """IEEE 802.5: access and frame control, two addresses, and a route if the source's first bit says so."""
    if data[1] & 0xC0 != 0x40:
        return Unused.not_ip
    return Next(LLC, 14 + (data[14] & 0x1F if data[8] & 0x80 else 0))


def arcnet(data: bytes) -> Peeled:
    """As BSD captures it: two addresses, the type."""
    return _arcnet(data, 2)


def arcnet_linux(data: bytes) -> Peeled:
    """Two addresses, an offset of two octets, the type."""
    return _arcnet(data, 4)


def _arcnet(data: bytes, at: int) -> Peeled:
    """RFC 1051 puts IP right after the type, RFC 1201 after a split flag and a sequence number."""
    kind = {0xF0: IPV4, 0xD4: IPV4, 0xC4: IPV6}.get(data[at])
    if kind is None:
        return Unused.not_ip
    if data[at] == 0xF0:
        return Next(kind, at + 1)
    if data[at + 1] == 0xFF:  # an exception packet says it again
        at += 4
    return Unused.not_decoded if data[at + 1] else Next(kind, at + 4)


def ip_over_infiniband(data: bytes) -> Peeled:
    """A global route header of 40 octets, then RFC 4391 section 6: ethertype, reserved."""
    return Next(unpack_from(">H", data, 40)[0], 44)


# What stands between Ethernet and its payload

BRIDGED_TYPES = (IPV4, IPV6, 0x0806, MPLS, 0x8864, *VLANS)


def ethertype_at(at: int) -> Peel:
    """A tag without meaning for us, its last two octets the ethertype at `at`."""

    def peel(data: bytes) -> Peeled:
        return Next(unpack_from(">H", data, at)[0], at + 2)

    return peel


def ethernet_at(size: int, tunnel: str = "") -> Peel:
    """A header of `size` octets, then an Ethernet frame."""

    def peel(_data: bytes) -> Peeled:
        return Next(ETHERNET, size, tunnel)

    return peel


def ip_at(size: int, tunnel: str = "") -> Peel:
    """A header of `size` octets, then an IP packet of either version."""

    def peel(_data: bytes) -> Peeled:
        return Next(RAW_IP, size, tunnel)

    return peel


def vlan(data: bytes) -> Peeled:
    """IEEE 802.1Q, where the compiled decoder has no room for another id."""
    control, kind = unpack_from(">HH", data)
    return Next(kind if kind > 1500 else LLC, 4, "vlan", control & 0xFFF or None)


def mpls(data: bytes) -> Peeled:
    """RFC 3032; nothing names what follows the stack, so its first nibble has to (RFC 4928)."""
    at = 0
    while not data[at + 2] & 1:
        at += 4
    version = data[at + 4] >> 4
    if version in (4, 6):
        return Next(RAW_IP, at + 4)
    if version == 1:  # RFC 4385: an associated channel, no payload
        return Unused.not_ip
    # Ethernet, behind a control word or not: both may begin with four zero bits, so the ethertype decides
    has_control_word = version == 0 and unpack_from(">H", data, at + 16)[0] not in BRIDGED_TYPES
    return Next(ETHERNET, at + 8 if has_control_word else at + 4)


def backbone(data: bytes) -> Peeled:
    """IEEE 802.1ah: a service number, then the customer's frame."""
    return Next(ETHERNET, 4, "pbb", unpack_from(">I", data)[0] & 0xFFFFFF)


def macsec(data: bytes) -> Peeled:
    """IEEE 802.1AE: readable where neither encrypted nor changed; a channel identifier may be left out."""
    control = data[0]
    if control & 0x0C:
        return Unused.not_decoded
    at = 14 if control & 0x20 else 6
    return Next(unpack_from(">H", data, at)[0], at + 2)


def trill(data: bytes) -> Peeled:
    """RFC 6325 section 3: options counted in fours, then the inner frame."""
    return Next(ETHERNET, 6 + (unpack_from(">H", data)[0] >> 6 & 0x1F) * 4)


def service_header(data: bytes) -> Peeled:
    """NSH, RFC 8300 section 2.2."""
    kind = {1: IPV4, 2: IPV6, 3: ETHERNET}.get(data[3])
    return Unused.not_ip if kind is None else Next(kind, (data[1] & 0x3F) * 4)


# Tunnels in IP

ERSPAN, ERSPAN_3, WCCP = 0x88BE, 0x22EB, 0x883E
ARUBA = range(0x8200, 0x8400, 0x10)  # 802.11 frames from an access point to its controller
NON_ROUTING_FLAGS = 0xB000  # checksum, key, sequence number: four octets each


def gre(data: bytes) -> Peeled:
    """RFC 2784 and 2890.  The key may differ by direction, so it names no network."""
    flags, protocol = unpack_from(">HH", data)
    if flags & 7 == 1:
        return point_to_point_tunnel(data)
    if flags & 0x4007:  # RFC 1701's source routes; no such version
        return Unused.not_decoded
    at = 4 + 4 * (flags & NON_ROUTING_FLAGS).bit_count()
    if protocol == ERSPAN:  # type I has no header of its own, and no sequence numbers
        return Next(ETHERNET, at + (8 if flags & 0x1000 else 0), "erspan")
    if protocol == ERSPAN_3:
        return Next(ETHERNET, at + (20 if data[at + 11] & 1 else 12), "erspan")
    if protocol == WCCP:
        return Next(IPV4, at if data[at] >> 4 == 4 else at + 4, "wccp")
    return Next(WLAN if protocol in ARUBA else protocol, at, "gre")


def point_to_point_tunnel(data: bytes) -> Peeled:
    """PPTP's version of GRE, RFC 2637 section 4.1; without a sequence number it only acknowledges."""
    flags = unpack_from(">H", data)[0]
    if not flags & 0x1000:
        return Unused.not_tcp
    return Next(PPP, 16 if flags & 0x80 else 12, "pptp")


# Tunnels in UDP: what does not look like one is somebody else's datagram, and not TCP


def vxlan(data: bytes) -> Peeled:
    """RFC 7348, with the extensions for policy groups, which use reserved bits."""
    flags, tag = unpack_from(">II", data)
    return Next(ETHERNET, 8, "vxlan", tag >> 8) if flags & 0x7F000000 == 0x08000000 else Unused.not_tcp


def vxlan_generic(data: bytes) -> Peeled:
    """VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe): with bit P the last octet of the first word says what is inside."""
    flags, tag = unpack_from(">II", data)
    protocol = flags & 0xFF if flags & 0x04000000 else 3
    kind = {1: IPV4, 2: IPV6, 3: ETHERNET, 4: SERVICE_HEADER}.get(protocol)
    if kind is None or not flags & 0x08000000 or flags >> 28:
        return Unused.not_tcp
    return Next(kind, 8, "vxlan", tag >> 8)


def geneve(data: bytes) -> Peeled:
    """RFC 8926: version 0, options counted in fours, an ethertype."""
    start, protocol, tag = unpack_from(">BxHI", data)
    if start >> 6 or protocol < 1536:
        return Unused.not_tcp
    return Next(protocol, 8 + (start & 0x3F) * 4, "geneve", tag >> 8)


def gtp_user(data: bytes) -> Peeled:
    """3GPP TS 29.281 section 5: version 1, message 255.  Tunnel ids belong to one direction."""
    flags, message = data[0], data[1]
    if flags & 0xF0 != 0x30 or message != 255:
        return Unused.not_tcp
    at = 12 if flags & 7 else 8
    following = data[11] if flags & 4 else 0
    for _ in range(MAX_GTP_EXTENSIONS):
        if not following:
            break
        size = data[at] * 4
        if not size:
            return Unused.not_tcp
        following, at = data[at + size - 1], at + size
    if following:
        return Unused.depth_limit
    return _ip_if_so(data, at, "gtp")


MAX_GTP_EXTENSIONS = FIXED["max_gtp_extensions"].default


def _ip_if_so(data: bytes, at: int, tunnel: str) -> Peeled:
    return Next(RAW_IP, at, tunnel) if data[at] >> 4 in (4, 6) else Unused.not_tcp


def l2tp(data: bytes) -> Peeled:
    """RFC 2661 section 3.1: a data message of version 2; tunnel and session ids belong to one direction."""
    flags = unpack_from(">H", data)[0]
    if flags & 0x800F != 2:
        return Unused.not_tcp
    at = 8 if flags & 0x4000 else 6
    at += 4 if flags & 0x0800 else 0
    if flags & 0x0200:
        at += 2 + unpack_from(">H", data, at)[0]
    return Next(PPP, at, "l2tp")


def teredo(data: bytes) -> Peeled:
    """RFC 4380 section 5.1.1: authentication and origin may stand before the IPv6 packet."""
    at = 0
    if data[:2] == b"\0\1":
        at = 13 + data[2] + data[3]
    if data[at : at + 2] == b"\0\0":
        at += 8
    return Next(IPV6, at, "teredo") if data[at] >> 4 == 6 else Unused.not_tcp


def ayiya(data: bytes) -> Peeled:
    """draft-massar-v6ops-ayiya-02: identity and signature of the lengths given, operation 1 forwards."""
    identity, signature, operation, protocol = data[0] >> 4, data[1] >> 4, data[2] & 15, data[3]
    if operation != 1 or protocol not in (4, 41):
        return Unused.not_tcp
    return _ip_if_so(data, 8 + (1 << identity) + 4 * signature, "ayiya")


def lisp(data: bytes) -> Peeled:
    """RFC 9300 section 5.1."""
    return _ip_if_so(data, 8, "lisp")


# What capturing programs put before a packet


def nflog(data: bytes) -> Peeled:
    """Linux netfilter: an address family, then attributes in the host's byte order; number 9 is the packet."""
    order = "<" if unpack_from("<H", data, 4)[0] <= len(data) else ">"
    at = 4
    size, kind = unpack_from(order + "HH", data, at)
    while kind & 0x7FFF != NFLOG_PAYLOAD:
        at += max(size + 3 & ~3, 4)
        size, kind = unpack_from(order + "HH", data, at)
    return Next({2: IPV4, 10: IPV6}.get(data[0], RAW_IP), at + 4)


NFLOG_PAYLOAD = 9


def packet_filter(data: bytes) -> Peeled:
    """OpenBSD's pflog: its length, rounded up to four, and the address family."""
    kind = IPV4 if data[1] == 2 else IPV6 if data[1] in IPV6_FAMILIES else None
    return Unused.not_ip if kind is None else Next(kind, data[0] + 3 & ~3)


def enc(data: bytes) -> Peeled:
    """OpenBSD's view of IPsec after decryption: family in the host's order, two more words."""
    family = data[0] or data[3]
    kind = IPV4 if family == 2 else IPV6 if family in IPV6_FAMILIES else None
    return Unused.not_ip if kind is None else Next(kind, 12)


def pktap(data: bytes) -> Peeled:
    """Darwin: a length, and the link type of what follows, least significant octet first."""
    size, _, link = unpack_from("<III", data)
    return Next(LINK + (link & 0xFFFF), size)


def erf(data: bytes) -> Peeled:
    """Endace: type of record at 8, extension headers of eight octets; Ethernet has two octets of padding."""
    at, kind, more = 16, data[8] & 0x7F, data[8] & 0x80
    while more:
        more, at = data[at] & 0x80, at + 8
    if kind in (2, 11, 16):
        return Next(ETHERNET, at + 2)
    return Next(PPP, at) if kind == 1 else Unused.not_decoded


PEEL: dict[int, Peel] = {
    PPP: ppp,
    LINK + 50: ppp,
    LINK + 51: pppoe,
    LINK + 204: ppp_with_direction,
    CISCO_HDLC: cisco_hdlc,
    LINK + 107: frame_relay,
    LINK + 6: token_ring,
    LINK + 7: arcnet,
    LINK + 129: arcnet_linux,
    LINK + 10: fddi,
    LINK + 100: llc_at(0),  # ATM, RFC 2684
    LINK + 122: llc_at(16),  # Fibre Channel, RFC 4338
    LINK + 138: ethertype_at(16),  # IEEE 1394
    LINK + 242: ip_over_infiniband,
    LINK + 109: enc,
    LINK + 117: packet_filter,
    LINK + 197: erf,
    LINK + 239: nflog,
    LINK + 258: pktap,
    WLAN: wireless.wlan,
    LINK + 119: wireless.prism_or_avs,
    LINK + 127: wireless.radiotap,
    LINK + 163: wireless.prism_or_avs,
    LINK + 192: wireless.ppi,
    **dict.fromkeys(VLANS, vlan),
    MPLS: mpls,
    ETHERTYPE + 0x8848: mpls,
    ETHERTYPE + 0x8864: pppoe,
    ETHERTYPE + 0x880B: ppp,
    BRIDGED: ethernet_at(0),
    ETHERTYPE + 0x8903: ethernet_at(2),  # Cisco FabricPath
    ETHERTYPE + 0x8909: ethertype_at(6),  # Cisco MetaData
    ETHERTYPE + 0x8926: ethertype_at(4),  # Cisco VN-Tag
    ETHERTYPE + 0x893F: ethertype_at(6),  # IEEE 802.1BR E-Tag
    ETHERTYPE + 0x88E7: backbone,
    ETHERTYPE + 0x88E5: macsec,
    ETHERTYPE + 0x22F3: trill,
    SERVICE_HEADER: service_header,
    IP_PROTOCOL + 4: ip_at(0, "ipip"),
    IP_PROTOCOL + 41: ip_at(0, "ipip"),
    IP_PROTOCOL + 94: ip_at(0, "ipip"),
    IP_PROTOCOL + 47: gre,
    IP_PROTOCOL + 97: ethernet_at(2, "etherip"),  # RFC 3378
    IP_PROTOCOL + 137: mpls,  # RFC 4023
    UDP_PORT + 1701: l2tp,
    UDP_PORT + 2152: gtp_user,
    UDP_PORT + 3544: teredo,
    UDP_PORT + 4341: lisp,
    UDP_PORT + 4754: gre,  # RFC 8086
    UDP_PORT + 4789: vxlan,
    UDP_PORT + 4790: vxlan_generic,
    UDP_PORT + 5072: ayiya,
    UDP_PORT + 6081: geneve,
    UDP_PORT + 6635: mpls,  # RFC 7510
    UDP_PORT + 8472: vxlan,  # the port before it had one
}

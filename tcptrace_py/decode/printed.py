"""One TCP segment from the text that tcpdump printed for it.

Knows the line formats: today's (``Flags [S.], seq 1, ack 2, win 512, options [...], length 0``), that of tcpdump 3
(``S 1:1(0) ack 2 win 512 <mss 1460>``), and what -v and -e put before them.  What a line does not say is marked, not
guessed.  Relative numbers are `decode.numbering`'s.  Does not know time, connections or states.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcptrace_py.decode import _batch as b
from tcptrace_py.decode.numbering import Numbering
from tcptrace_py.decode.printed_options import read_options
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from collections import Counter

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128, "e": 256}
ACK, SYN_FIN_RST = 16, 7
TCP = 6
LARGEST_PORT = 0xFFFF
M32 = 0xFFFFFFFF
ETHERNET_HEADER = 14


@dataclass(slots=True)
class Printed:
    """A segment as far as it was printed; `marks` and `options` are bits of `decode._batch`.

    Addresses are text as printed.  Numbers are absolute where the bases were printed too.  `wscale` and `mss` are -1
    without the option; `tfo_cookie` counts the octets of a Fast Open cookie; `wire_bytes` is 0 where -e did not
    tell it.
    """

    src: str
    sport: int
    dst: str
    dport: int
    flags: int = 0
    seq: int = 0
    ack: int = 0
    payload: int = 0
    window: int = 0
    urgent: int = 0
    marks: int = 0
    options: int = 0
    mss: int = -1
    wscale: int = -1
    sack: list[tuple[int, int]] = field(default_factory=list)
    tsval: int = 0
    tsecr: int = 0
    tfo_cookie: int = 0
    ttl: int = 0
    tos: int = 0
    ip_id: int = 0
    wire_bytes: int = 0
    vlans: tuple[int, ...] = ()


# Each pattern is bounded, or begins where a word begins: a hostile line costs no more than its length
_PAIR = re.compile(r"(?<![^\s,])(?P<src>[^\s,]+) > (?P<dst>[^\s,]+): ")
# and then what only TCP says: today's format, or the old one
_OLD_BEGIN = (
    r"(?:[SFPRWEU.]{1,8}(?: |, cksum )(?:\[[^\]]*\] |0x[^,]*, )?(?:\d+:\d+|ack \d+|win \d+)|ack \d+|\d+:\d+\(\d+\))"
)
_SEGMENT = re.compile(_PAIR.pattern + r"(?:(?P<new>Flags \[)|(?=" + _OLD_BEGIN + r"))")
_NEW = re.compile(
    r"(?P<flags>[^\]]*)\]"
    r"(?:, cksum (?P<sum>0x[0-9a-f]+) \((?P<verdict>[^)]*)\))?"
    r"(?:, seq (?P<seq>\d+)(?::(?P<end>\d+))?)?"
    r"(?:, ack (?P<ack>\d+))?"
    r"(?:, win (?P<win>\d+))?"
    r"(?:, urg (?P<urg>\d+))?"
    r"(?:, options \[(?P<options>.*?)\](?=,|$|:))?"
    r"(?:, length (?P<length>\d+))?"
)
_OLD = re.compile(
    r"(?P<flags>[SFPRWEU.]+(?=[ ,]))?"
    r"(?:, cksum (?P<sum>0x[0-9a-f]+) \((?P<verdict>[^)]*)\),| ?\[(?P<said>[^\]]*)\])?"
    r"(?: ?(?P<seq>\d+):(?P<end>\d+)(?:\((?P<length>\d+)\))?)?"
    r"(?: ?ack (?P<ack>\d+)(?:,ack \d+)?)?"
    r"(?: win (?P<win>\d+))?"
    r"(?: urg (?P<urg>\d+))?"
    r"(?: <(?P<options>[^>]*)>?)?"
)
_IP4 = re.compile(
    r"\(tos (?P<tos>0x[0-9a-f]+),(?:.{0,16}? ttl +(?P<ttl>\d+),)?.{0,16}? id (?P<id>\d+),"
    r".{0,80}?proto:? \w+ \(\d+\), length:? (?P<length>\d+)"
)
_IP6 = re.compile(
    r"\((?:class (?P<tos>0x[0-9a-f]+), )?(?:flowlabel 0x[0-9a-f]+, )?hlim (?P<ttl>\d+), "
    r".{0,80}?payload length: (?P<length>\d+)\)"
)
_OLD_IP = re.compile(r"[( ]ttl +(?P<ttl>\d+), id +(?P<id>\d+)")
_OLD_TOS = re.compile(r"\[?tos (0x[0-9a-f]+)")
_WIRE = re.compile(r", length (\d+): ")
_VLAN = re.compile(r"\bvlan (\d+),")

_QUOTE = re.compile(r"\bICMP6?\b")
_FRAGMENT = re.compile(r"\(frag \d+:|: frag \(|offset [1-9]\d*, flags \[|ip-proto-6")
_TCP_CUT = re.compile(r"\[\|(?:tcp|ip6?)\]")
_BAD_IP = re.compile(r"\bIP6? (?:bad-|version error)")
_BAD_TCP = re.compile(r"\[bad hdr length")
_OTHER_IP = re.compile(r"\bIP6? |ethertype IPv[46]|proto [A-Z]|next-header |: (?:UDP|ICMP)")
_QUIET = re.compile(_PAIR.pattern + r" ?tcp \d")  # option -q: neither flags nor numbers


class PrintedDecoder:
    """Reads the packets of one text, in order: relative numbers depend on the packets before."""

    def __init__(self, reached: Counter[str]) -> None:
        self._numbering = Numbering(reached)

    def decode(self, text: str) -> Printed | Unused:
        """The segment that `text` tells of, or why there is none."""
        found = _SEGMENT.search(text)
        if found is None:
            return _why_unused(text)
        before = text[: found.start()]
        if _QUOTE.search(before):
            return Unused.icmp_error
        rest = text[found.end() :].partition("\n")[0]
        if _BAD_TCP.search(rest):
            return Unused.bad_tcp_header
        ends = _ends(found, before)
        fields = (_NEW if found["new"] else _OLD).match(rest)
        if ends is None or fields is None:  # a name: which address it was, nobody can say
            return Unused.unparsed_line
        packet = Printed(*ends)
        _read_below(packet, before, rest, fields)
        _read_numbers(packet, fields, old=not found["new"])
        read_options(packet, fields["options"] or "")
        self._numbering.make_absolute(packet)
        return packet


def _ends(found: re.Match[str], before: str) -> tuple[str, int, str, int] | None:
    """Addresses and ports; after IPv6 extension headers the ports stand alone, and the addresses before."""
    src, dst = found["src"], found["dst"]
    if src.isdecimal() and dst.isdecimal():
        pairs = _PAIR.findall(before)
        if not pairs:
            return None
        src, dst = f"{pairs[-1][0]}.{src}", f"{pairs[-1][1]}.{dst}"
    source, target = _endpoint(src), _endpoint(dst)
    return (*source, *target) if source and target else None


def _endpoint(text: str) -> tuple[str, int] | None:
    """Address and port of ``address.port``; a port may be a service's name, an address may not."""
    address, _dot, port = text.rpartition(".")
    address = address.partition("%")[0]
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        number = int(port) if port.isdecimal() else socket.getservbyname(port, "tcp")
    except (OSError, ValueError):
        return None
    return (address, number) if number <= LARGEST_PORT else None


def _read_below(packet: Printed, before: str, rest: str, fields: re.Match[str]) -> None:
    """What -v and -e tell of IP and the link: before the segment today, behind it in old prints."""
    ip6 = ":" in packet.src
    packet.marks |= b.IPV6 if ip6 else 0
    packet.vlans = tuple(int(vlan) for vlan in _VLAN.findall(before))
    wire = _WIRE.search(before)
    packet.wire_bytes = int(wire[1]) if wire else 0
    told = list((_IP6 if ip6 else _IP4).finditer(before))
    ip = told[-1] if told else None
    ip_length = 0
    if ip:
        packet.tos, packet.ttl, ip_length = int(ip["tos"] or "0", 16), int(ip["ttl"] or 0), int(ip["length"])
        packet.ip_id = 0 if ip6 else int(ip["id"])
    elif old := _OLD_IP.search(rest):
        tos = _OLD_TOS.search(rest)
        packet.tos, packet.ttl, packet.ip_id = int(tos[1], 16) if tos else 0, int(old["ttl"]), int(old["id"])
    else:
        packet.marks |= b.NO_IP
    _read_checksum(packet, fields, ip_length if ip6 else ip_length - 20)


def _read_checksum(packet: Printed, fields: re.Match[str], tcp_length: int) -> None:
    """What tcpdump said; where it says "incorrect", the sum of the pseudo-header alone means checksum offload."""
    verdict = fields["verdict"] or fields.groupdict().get("said") or ""
    if "incorrect" in verdict or "bad" in verdict:
        told = fields["sum"]
        offload = told is not None and tcp_length > 0 and int(told, 16) == _pseudo_sum(packet, tcp_length)
        packet.marks |= b.CHECKSUM_OFFLOAD if offload else b.CHECKSUM_BAD
    elif "correct" in verdict or "sum ok" in verdict:
        packet.marks |= b.CHECKSUM_GOOD


def _pseudo_sum(packet: Printed, tcp_length: int) -> int:
    """RFC 9293 section 3.1: addresses, protocol and length, folded to 16 bits and not complemented."""
    octets = ipaddress.ip_address(packet.src).packed + ipaddress.ip_address(packet.dst).packed
    total = sum(int.from_bytes(octets[i : i + 2]) for i in range(0, len(octets), 2)) + TCP + tcp_length
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _read_numbers(packet: Printed, fields: re.Match[str], *, old: bool) -> None:
    """Flags, numbers, window, length; a mark for each that was not printed."""
    letters = fields["flags"] or ""
    packet.flags = sum(FLAGS.get(letter, 0) for letter in set(letters)) if letters != "none" else 0
    if old:  # there "." means that no other flag is set, and ACK shows by its number alone
        packet.flags = packet.flags & ~ACK | (ACK if fields["ack"] else 0)
    if fields["seq"]:
        packet.seq = int(fields["seq"]) & M32
    else:
        packet.marks |= b.NO_SEQ
    if fields["ack"]:
        packet.ack = int(fields["ack"]) & M32
    elif packet.flags & ACK:
        packet.marks |= b.NO_ACK
    if fields["win"]:
        packet.window = min(int(fields["win"]), 0xFFFF)
    else:
        packet.marks |= b.NO_WINDOW
    packet.urgent = int(fields["urg"] or 0) & 0xFFFF
    if fields["length"]:
        packet.payload = int(fields["length"])
    elif fields["end"]:
        packet.payload = (int(fields["end"]) - int(fields["seq"])) & M32
    elif not (old and fields["flags"] and fields["win"]):  # old prints leave seq out only where there is no payload
        packet.marks |= b.NO_LENGTH


def _why_unused(text: str) -> Unused:
    if _BAD_TCP.search(text):
        return Unused.bad_tcp_header
    if _TCP_CUT.search(text):
        return Unused.truncated_header
    if _BAD_IP.search(text):
        return Unused.bad_ip_header
    if _FRAGMENT.search(text):
        return Unused.fragment
    if _QUIET.search(text):
        return Unused.unparsed_line
    if _OTHER_IP.search(text):
        return Unused.not_tcp
    return Unused.not_ip

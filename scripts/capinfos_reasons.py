"""Why capinfos and we may differ about a file: a reason, who is right, and the condition that tells it from the file.

A difference that no reason explains fails the run.  Each reason was verified from the octets of files that have it;
"libpcap" in a reason means that tcpdump reads such a file as we do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.capture import Mark
from tcptrace_py.capture.frames import LATEST_NS
from tests.containers import frames_of
from tests.spoiling.files import pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.by_capinfos import Said
    from scripts.watched import Reading
    from tcptrace_py.capture import CaptureInfo
    from tests.containers import Got

COUNTS_AS = {  # reason for which nothing could be read -> verdict in capinfos' terms
    "cut_header": "cut short",
    "cut_short": "cut short",
    "bad_compression": "damaged",
    "unknown_version": "unsupported",
    "unsupported_format": "unsupported",
    "unsupported_link": "unsupported",
}
CAPTURES = {"pcap", "nsecpcap", "modpcap", "pcapng", "snoop", "aixpcap", "shomiti"}  # and how capinfos calls them
OTHER_LAYOUTS = {"rh6_1pcap", "suse6_3pcap", "nokiapcap", "modpcap"}
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")
ONLY_WE_UNPACK = (b"BZh", b"\xfd7zXZ\x00")
PSEUDO_HEADER = {"177", "197", "204"}  # LAPD, ERF, PPP with direction
NOT_USED = {4, 5, 10}  # blocks: names, statistics, secrets
SIMPLE = 3
LARGEST_BLOCK = 16 << 20
MOST_TRIED = 3  # records that capinfos looks at before it decides
FINE_CLOCK = re.compile(rb"(?:\x09\x00\x01\x00|\x00\x09\x00\x01)[\x0a-\x12\x9e-\xbf]")  # if_tsresol
UNITS = [10**digits for digits in range(10)]  # ns
FAR = 2**31 * 10**9


class Reason(NamedTuple):
    """A difference that is known."""

    name: str
    right: str
    why: str
    holds: Callable[[bytes, Reading, Said], bool]


def _is_text(_data: bytes, ours: Reading, _theirs: Said) -> bool:
    return ours.format == "tcpdump text"


def _only_we_unpack(data: bytes, _ours: Reading, theirs: Said) -> bool:
    return data.startswith(ONLY_WE_UNPACK) and theirs.format not in CAPTURES


def _not_a_capture(_data: bytes, ours: Reading, theirs: Said) -> bool:
    guessed = theirs.format or (theirs.why.partition(":")[0] if ours.reason == "not_a_capture" else "pcap")
    return ours.packets == 0 and guessed not in CAPTURES | OTHER_LAYOUTS


def _packed_damage(data: bytes, ours: Reading, theirs: Said) -> bool:
    return data.startswith(PACKED) and ours.verdict != "ok" and theirs.packets <= ours.packets


def _before_a_fault(data: bytes, ours: Reading, theirs: Said) -> bool:
    return data.startswith(PACKED) and ours.reason == "bad_compression" and theirs.packets > ours.packets


def _link_unknown(_data: bytes, _ours: Reading, theirs: Said) -> bool:
    return theirs.verdict == "unsupported" and "network type" in theirs.why


def _pseudo_header(_data: bytes, ours: Reading, _theirs: Said) -> bool:
    return bool(PSEUDO_HEADER.intersection(ours.links))


def _new_version(_data: bytes, ours: Reading, _theirs: Said) -> bool:
    return ours.reason == "unknown_version"


def _version_later(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return "unknown SHB version" in theirs.why and ours.verdict == "damaged" and ours.packets == theirs.packets


def _other_layout(data: bytes, ours: Reading, theirs: Said) -> bool:
    if not ours.format.startswith("pcap") or ours.format.startswith("pcapng"):
        return False
    first = frames_of(data)[0][:MOST_TRIED]
    odd = len(first) < MOST_TRIED or any(frame.marks & (Mark.ORIGINAL_TOO_SMALL | Mark.TIME_ODD) for frame in first)
    return theirs.format in OTHER_LAYOUTS - {"modpcap"} or (odd and not _same_packets(ours, theirs))


def _aix(_data: bytes, _ours: Reading, theirs: Said) -> bool:
    return theirs.format == "aixpcap"


def _uneven_block(_data: bytes, ours: Reading, theirs: Said) -> bool:
    length = _block_length(ours)
    uneven = length % 4 if length else ours.reason == "bad_trailer"
    return ours.format.startswith("pcapng") and bool(uneven) and theirs.packets >= ours.packets


def _long_block(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return _block_length(ours) > LARGEST_BLOCK and theirs.packets == ours.packets


def _block_length(ours: Reading) -> int:
    found = re.search(r"block length (\d+)", ours.message)
    return int(found[1]) if found else 0


def _clock(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return ours.format.startswith("pcapng") and ours.reason == "bad_interface" and theirs.packets >= ours.packets


def _fine_clock(data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and FINE_CLOCK.search(data) is not None


def _zeros_after(data: bytes, ours: Reading, theirs: Said) -> bool:
    return data.startswith(PACKED[1]) and data.endswith(b"\0") and ours.verdict == "ok" and "frame descr" in theirs.why


def _minor_version(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return "unknown SHB version 1." in theirs.why and ours.packets >= theirs.packets


def _cut_and_damaged(_data: bytes, ours: Reading, theirs: Said) -> bool:
    other = theirs.verdict in ("damaged", "unsupported")
    return ours.packets == theirs.packets and ours.reason in ("cut_short", "cut_header") and other


def _block_not_used(data: bytes, ours: Reading, theirs: Said) -> bool:
    """Their words name it; where they say only "cut short", it is some block without packets."""
    if not ours.format.startswith("pcapng") or theirs.packets > ours.packets:
        return False
    if theirs.verdict == "cut short":
        return bool(_kinds(data) & NOT_USED)
    return bool(re.search(r"option|of an ISB|unknown block type|NRB|of a DSB|journal export", theirs.why))


def _kinds(data: bytes) -> set[int]:
    """The kinds of the blocks in a file, whatever its byte order."""
    return {int.from_bytes(each[:4], order) for each in pieces(data) for order in ("little", "big")}


def _simple_packet(data: bytes, ours: Reading, theirs: Said) -> bool:
    said = "of an SPB" in theirs.why or "don't match" in theirs.why
    return SIMPLE in _kinds(data) and said and theirs.packets <= ours.packets


def _snoop_header(data: bytes, ours: Reading, _theirs: Said) -> bool:
    return data.startswith(b"snoop\0") and ours.verdict == "unreadable"


def _snoop_length(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return ours.format == "snoop" and (ours.reason == "bad_length" or "original length" in theirs.why)


def _same_packets(ours: Reading, theirs: Said) -> bool:
    return (ours.verdict, ours.packets) == (theirs.verdict, theirs.packets)


def _before_1970(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and ours.first_ns is not None and ours.first_ns < 0


def _no_time(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and 0 in (theirs.first_ns, theirs.last_ns)


def _too_far(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and LATEST_NS in (abs(ours.first_ns or 0), abs(ours.last_ns or 0))


def _far_apart(_data: bytes, ours: Reading, theirs: Said) -> bool:
    same = {ours.first_ns, ours.last_ns} >= {theirs.first_ns, theirs.last_ns}
    far = ours.last_ns is not None and ours.first_ns is not None and ours.last_ns - ours.first_ns >= FAR
    return _same_packets(ours, theirs) and (same or far)


def _large_fraction(data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and any(frame.marks & Mark.TIME_ODD for frame in frames_of(data)[0])


def _prints_less(_data: bytes, ours: Reading, theirs: Said) -> bool:
    pairs = ((ours.first_ns, theirs.first_ns), (ours.last_ns, theirs.last_ns))
    return _same_packets(ours, theirs) and all(
        mine is not None and its in {mine // unit * unit for unit in UNITS} for mine, its in pairs
    )


REASONS = [
    Reason("printed text", "we", "capinfos does not read what tcpdump prints", _is_text),
    Reason("bzip2 and xz", "we", "capinfos does not unpack them, and guesses", _only_we_unpack),
    Reason("no capture", "we", "capinfos takes empty files, text, pictures and noise for captures", _not_a_capture),
    Reason("damage inside gzip, zstd", "we", "capinfos drops what was unpacked before the fault", _packed_damage),
    Reason("zeros after zstd", "capinfos", "we pass over zeros after any compressed data, as gzip does", _zeros_after),
    Reason("octets just before a fault", "capinfos", "an unpacker that fails gives nothing of its last piece of input",
           _before_a_fault),
    Reason("link type unknown", "we", "capinfos refuses the file; we count its packets by link type", _link_unknown),
    Reason("pseudo-header", "we", "what Wireshark takes off packets of some link types is damage where it does not "
           "fit; ERF has times of its own there", _pseudo_header),
    Reason("pcap version", "we", "libpcap refuses these versions; capinfos reads on", _new_version),
    Reason("section of unknown version", "both", "the same stop under another name", _version_later),
    Reason("pcap of another layout", "we", "where the first records make no sense, capinfos tries layouts of other "
           "programs until one does; libpcap does not", _other_layout),
    Reason("AIX", "we", "capinfos takes version 2.2 for AIX's, with times in ns; libpcap does not", _aix),
    Reason("block length not a multiple of 4", "we", "the specification forbids it; capinfos rounds up, both lengths",
           _uneven_block),
    Reason("block of more than 16 MiB", "we", "our bound; capinfos has one for known blocks only", _long_block),
    Reason("absurd clock unit", "we", "capinfos takes units beyond 10^-18 and 2^-63, and shows times that cannot be",
           _clock),
    Reason("clock finer than 1 ns", "we", "capinfos overflows: 10^12 units of 10^-13 s are 0.1 s", _fine_clock),
    Reason("pcapng 1.x", "capinfos", "we read every minor version alike, capinfos 1.0 and 1.2", _minor_version),
    Reason("cut and damaged", "both", "the last record is both; we look first whether it is there", _cut_and_damaged),
    Reason("blocks and options not used", "we", "we pass over what does not bear on packets, if its lengths agree",
           _block_not_used),
    Reason("simple packet and its block", "we", "where lengths differ we go by the block, whose own two agree, "
           "capinfos goes by the packet", _simple_packet),
    Reason("snoop lengths", "we", "a record with 256 KiB of padding is damage; an absurd original length is not",
           _snoop_length),
    Reason("snoop header", "we", "capinfos reads the first record before it looks at the header", _snoop_header),
    Reason("before 1970", "we", "capinfos prints -4.9 s as -5.1", _before_1970),
    Reason("time 0", "we", "no time is in no span: simple packet blocks, records of zeros", _no_time),
    Reason("time after 2116", "we", "we clamp and mark it, so that differences fit int64", _too_far),
    Reason("times 68 years apart", "we", "capinfos compares seconds in 32 bits", _far_apart),
    Reason("fraction of a second of 1 s or more", "we", "we carry it into the seconds; capinfos overflows 32 bits",
           _large_fraction),
    Reason("precision", "we", "capinfos prints all times as the first clock ticks, and microseconds for 100 ns",
           _prints_less),
]  # fmt: skip


def differs(ours: Reading, theirs: Said) -> str:
    """In what the two differ; empty where they agree."""
    verdict = COUNTS_AS.get(ours.reason, ours.verdict) if ours.verdict == "unreadable" else ours.verdict
    if verdict != theirs.verdict:
        return f"verdict {verdict}, capinfos {theirs.verdict}"
    if verdict == "unreadable":
        return ""
    if ours.packets != theirs.packets:
        return f"{ours.packets} packets, capinfos {theirs.packets}"
    known = theirs.first_ns is not None and theirs.last_ns is not None
    if known and (ours.first_ns, ours.last_ns) != (theirs.first_ns, theirs.last_ns):
        return f"times {ours.first_ns} to {ours.last_ns}, capinfos {theirs.first_ns} to {theirs.last_ns}"
    return ""


def reason_for(data: bytes, ours: Reading, theirs: Said) -> str:
    """The name of the first reason that holds; empty where none does."""
    return next((reason.name for reason in REASONS if reason.holds(data, ours, theirs)), "")


def times_comparable(data: bytes, got: list[Got], info: CaptureInfo) -> bool:
    """Whether none of the reasons about times holds for some packet: tshark has them in common with capinfos."""
    odd = any(frame.marks & Mark.TIME_ODD or frame.time_ns < 0 for frame in got)
    return not odd and not FINE_CLOCK.search(data) and not PSEUDO_HEADER.intersection(map(str, info.link_types))

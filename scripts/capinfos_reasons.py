"""Why capinfos and we may differ about a file: a reason, who is right, and the condition that tells it from the file.

A difference that no reason explains fails the run.  Each reason was verified from the octets of files that have it;
"libpcap" in a reason means that tcpdump reads such a file as we do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.capture import Mark
from tests.containers import frames_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.by_capinfos import Said
    from scripts.watched import Reading

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
PSEUDO_HEADER = {"ERF", "LAPD", "PPP_WITH_DIRECTION", "177", "197", "204"}
INT64_MAX = 2**63 - 1
MOST_TRIED = 3  # records that capinfos looks at before it decides
FAR = 2**31 * 10**9


class Reason(NamedTuple):
    """A difference that is known."""

    name: str
    right: str
    why: str
    holds: Callable[[bytes, Reading, Said], bool]


def _is_text(data: bytes, ours: Reading, _theirs: Said) -> bool:
    return ours.format == "tcpdump text"


def _only_we_unpack(data: bytes, _ours: Reading, theirs: Said) -> bool:
    return data.startswith(ONLY_WE_UNPACK) and theirs.format not in CAPTURES


def _not_a_capture(_data: bytes, ours: Reading, theirs: Said) -> bool:
    guessed = theirs.format not in CAPTURES | OTHER_LAYOUTS if theirs.format else "commview" in theirs.why
    return ours.packets == 0 and guessed


def _packed_damage(data: bytes, ours: Reading, theirs: Said) -> bool:
    said = "cannot be decompressed" in theirs.why or "CRC" in theirs.why or theirs.packets == 0
    return data.startswith(PACKED) and said and ours.verdict != "ok"


def _link_unknown(_data: bytes, _ours: Reading, theirs: Said) -> bool:
    return theirs.verdict == "unsupported" and "network type" in theirs.why


def _pseudo_header(_data: bytes, ours: Reading, _theirs: Said) -> bool:
    return bool(PSEUDO_HEADER.intersection(ours.links))


def _new_version(_data: bytes, ours: Reading, _theirs: Said) -> bool:
    return ours.reason == "unknown_version"


def _version_later(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return "unknown SHB version" in theirs.why and ours.verdict == "damaged" and ours.packets == theirs.packets


def _other_layout(_data: bytes, ours: Reading, theirs: Said) -> bool:
    """The first records make no sense with headers of 16 octets (24 with Kuznetzov's magic)."""
    odd = theirs.format in OTHER_LAYOUTS or (not theirs.format and ours.packets <= MOST_TRIED)
    return ours.format.startswith("pcap") and "pcapng" not in ours.format and odd and (ours.verdict != "ok" or theirs.format in OTHER_LAYOUTS - {"modpcap"})


def _aix(_data: bytes, _ours: Reading, theirs: Said) -> bool:
    return theirs.format == "aixpcap"


def _uneven_block(_data: bytes, ours: Reading, theirs: Said) -> bool:
    uneven = ours.reason in ("bad_length", "bad_trailer")
    return ours.format.startswith("pcapng") and uneven and theirs.verdict in ("ok", "cut short")


def _clock(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return ours.format.startswith("pcapng") and ours.reason == "bad_interface" and theirs.packets >= ours.packets


def _minor_version(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return ours.format.startswith("pcapng") and "unknown SHB version 1." in theirs.why and ours.packets >= theirs.packets


def _cut_and_damaged(_data: bytes, ours: Reading, theirs: Said) -> bool:
    same = ours.packets == theirs.packets
    return same and {ours.verdict, theirs.verdict} == {"cut short", "damaged"} and ours.reason == "cut_short"


def _block_not_used(_data: bytes, ours: Reading, theirs: Said) -> bool:
    said = re.search(r"option|of an ISB|unknown block type|NRB|total block length \d+ of a DSB", theirs.why)
    return ours.format.startswith("pcapng") and theirs.verdict == "damaged" and bool(said)


def _snoop_length(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return ours.format == "snoop" and (ours.reason == "bad_length" or "original length" in theirs.why)


def _same_packets(ours: Reading, theirs: Said) -> bool:
    return (ours.verdict, ours.packets) == (theirs.verdict, theirs.packets)


def _no_time(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and 0 in (theirs.first_ns, theirs.last_ns)


def _beyond_int64(_data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and INT64_MAX in (abs(ours.first_ns or 0), abs(ours.last_ns or 0))


def _far_apart(_data: bytes, ours: Reading, theirs: Said) -> bool:
    same = {ours.first_ns, ours.last_ns} >= {theirs.first_ns, theirs.last_ns}
    far = ours.last_ns is not None and ours.first_ns is not None and ours.last_ns - ours.first_ns >= FAR
    return _same_packets(ours, theirs) and (same or far)


def _large_fraction(data: bytes, ours: Reading, theirs: Said) -> bool:
    return _same_packets(ours, theirs) and any(frame.marks & Mark.TIME_ODD for frame in frames_of(data)[0])


def _prints_less(_data: bytes, ours: Reading, theirs: Said) -> bool:
    pairs = ((ours.first_ns, theirs.first_ns), (ours.last_ns, theirs.last_ns))
    return _same_packets(ours, theirs) and all(
        mine is not None and its is not None and 0 <= mine - its < 1000 and (mine == its or its % 1000 == 0)
        for mine, its in pairs
    )


REASONS = [
    Reason("printed text", "we", "capinfos does not read what tcpdump prints", _is_text),
    Reason("bzip2 and xz", "we", "capinfos does not unpack them, and guesses", _only_we_unpack),
    Reason("no capture", "we", "capinfos takes empty files, text, pictures and noise for captures", _not_a_capture),
    Reason("damage inside gzip, zstd", "we", "capinfos drops what was unpacked before the fault", _packed_damage),
    Reason("link type unknown", "we", "capinfos refuses the file; we count its packets by link type", _link_unknown),
    Reason("pseudo-header", "we", "link types with a pseudo-header that Wireshark takes off, and takes for damage where "
           "it does not fit; ERF has times of its own there", _pseudo_header),
    Reason("pcap version", "we", "libpcap refuses these versions; capinfos reads on", _new_version),
    Reason("section of unknown version", "both", "the same stop under another name", _version_later),
    Reason("pcap of another layout", "we", "where the first records make no sense, capinfos tries layouts of other "
           "programs until one does; libpcap does not", _other_layout),
    Reason("AIX", "we", "capinfos takes version 2.2 for AIX's, with times in ns; libpcap does not", _aix),
    Reason("block length not a multiple of 4", "we", "the specification forbids it; capinfos rounds up, both lengths",
           _uneven_block),
    Reason("absurd clock unit", "we", "capinfos takes units beyond 10^-18 and 2^-63, and shows times that cannot be",
           _clock),
    Reason("pcapng 1.x", "capinfos", "we read every minor version alike, capinfos 1.0 and 1.2", _minor_version),
    Reason("cut and damaged", "both", "the last record is both; we look first whether it is there", _cut_and_damaged),
    Reason("blocks and options not used", "we", "we pass over what does not bear on packets, if its lengths agree",
           _block_not_used),
    Reason("snoop lengths", "we", "a record with 256 KiB of padding is damage; an absurd original length is not",
           _snoop_length),
    Reason("time 0", "we", "no time is in no span: simple packet blocks, records of zeros", _no_time),
    Reason("time beyond int64", "we", "after 2262 we clamp and mark", _beyond_int64),
    Reason("times 68 years apart", "we", "capinfos compares seconds in 32 bits", _far_apart),
    Reason("fraction of a second of 1 s or more", "we", "we carry it into the seconds; capinfos overflows 32 bits",
           _large_fraction),
    Reason("precision", "we", "capinfos prints microseconds where the clock ticks finer", _prints_less),
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

"""What an input is, by its first bytes: a capture that we read, one that we only know by name, or something else.

Knows how files begin.  Does not read them.
"""

from __future__ import annotations

import struct

CONVERT = "convert: editcap -F pcap IN OUT"

# Captures of other programs, known by name only
UNSUPPORTED = {
    b"RTSS": "Microsoft Network Monitor 1",
    b"GMBU": "Microsoft Network Monitor 2",
    b"XCP\0": "NetXRay / Sniffer",
    b"TRSNIFF data    \x1a": "DOS Sniffer",
    b"\x7fver": "EtherPeek / OmniPeek 9",
    b"iptrace ": "AIX iptrace",
    b"\x05VNF": "Visual Networks",
    b"btsnoop\0": "btsnoop (Bluetooth)",
    b"\x54\x52\x00\x64\x00": "HP-UX nettl",
    b"\x00\x00\x02\x00\x12\x05\x10\x08": "Tektronix K12",
    b"\x1c\x00\x01\xac": "IXIA lcap",
    b"\x1c\x00\x01\xab": "IXIA lcap",
    b"\xac\x01\x00\x1c": "IXIA lcap",
    b"\xab\x01\x00\x1c": "IXIA lcap",
    b"V{\x05\x00": "NetScaler trace",
}

# Not captures
LOOKS_LIKE = {
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x7fELF": "an ELF program",
    b"MZ": "a Windows program",
    b"\xcf\xfa\xed\xfe": "a Mach-O program",
    b"%PDF": "a PDF document",
    b"version https://git-lfs": "a git-lfs pointer; fetch the file itself with: git lfs pull",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite database",
    b"\x1f\x9d": "compress (.Z) data; unpack it with: uncompress",
    b"!<arch>": "an ar archive",
    b"<!DOCTYPE html": "an HTML page",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "XML",
}
ARCHIVES = ("a ZIP archive", "an empty ZIP archive", "a tar archive")  # that a batch looks into
TAR_AT = 257
ERF_HEADER = 16
LAST_ERF_KIND = 48
SENSIBLE_SECONDS = range(600_000_000, 3_000_000_000)


def unsupported_format(head: bytes) -> str:
    """The name of a capture format that we do not read, or an empty string."""
    for magic, name in UNSUPPORTED.items():
        if head.startswith(magic):
            return name
    if _is_erf(head):
        return "Endace ERF"
    if _is_tsh(head):
        return "TSH"
    if _is_peek(head):
        return "EtherPeek"
    return ""


def description(head: bytes) -> str:
    """What something that is no capture looks like, in words that follow "looks like"; may be empty."""
    for magic, name in LOOKS_LIKE.items():
        if head.startswith(magic):
            return name
    if head[TAR_AT : TAR_AT + 5] == b"ustar":
        return "a tar archive"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    if is_text(head):
        return "JSON" if head.lstrip()[:1] in (b"{", b"[") else "text"
    return ""


def is_text(head: bytes) -> bool:
    """Whether this can be printed: UTF-8 (a character may be cut at the end), no control characters but white space."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return not any(c < " " and c not in "\t\n\r\f\x1b" for c in text)


def _is_erf(head: bytes) -> bool:
    """ERF has no magic number: two records in a row must look like records."""
    at = 0
    for _ in range(2):
        if len(head) < at + ERF_HEADER:
            return at > 0 and at == len(head)
        seconds, kind, _flags = struct.unpack_from("<IBB", head, at + 4)
        length, _lost, wire = struct.unpack_from(">HHH", head, at + 10)
        known_kind = 0 < kind & 0x7F <= LAST_ERF_KIND
        if not (known_kind and length >= ERF_HEADER and wire and seconds in SENSIBLE_SECONDS):
            return False
        at += length
    return True


def _is_tsh(head: bytes) -> bool:
    """TSH has no magic number: records of 44 bytes, an IPv4 header 8 bytes into each."""
    if len(head) < 88 or head[8] != 0x45 or head[52] != 0x45:  # noqa: PLR2004
        return False
    first, second = struct.unpack_from(">I40xI", head)
    return bool(first <= second <= first + 3600)


def _is_peek(head: bytes) -> bool:
    """EtherPeek 5 to 7: a version, then sizes and times of the file."""
    if len(head) < 50 or head[0] not in (5, 6, 7) or head[1] != 0:  # noqa: PLR2004
        return False
    length, packets = struct.unpack_from(">II", head, 2)
    return packets > 0 and length > 50 + 16 * packets and not any(head[22:50].strip(b"\0")[4:])

"""TCP options as tcpdump prints them, today (``TS val 1 ecr 2,wscale 7``) and in old prints (``timestamp 1 2``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tcptrace_py.decode import _batch as b

if TYPE_CHECKING:
    from tcptrace_py.decode.printed import Printed

LARGEST_WSCALE = 255
_TIMESTAMP = re.compile(r"(?:TS val |timestamp )(\d+)(?: ecr)? (\d+)")
_EDGES = re.compile(r"\{(\d+):(\d+)\}")
_NUMBER = re.compile(r"\d+")
_COOKIE = re.compile(r"cookie\s*([0-9a-f]*)")
# By the first word
_BITS = {
    "md5": b.MD5,
    "tcp-ao": b.AUTHENTICATION,
    "mptcp": b.MPTCP,
    "uto": b.USER_TIMEOUT,
    "user": b.USER_TIMEOUT,
}
_SILENT = ("", "nop", "eol")


def read_options(packet: Printed, text: str) -> None:
    """Fill the option fields of `packet` from what stood between the brackets."""
    if "[|tcp]" in text or text.endswith("[|tcp"):
        packet.options |= b.TRUNCATED_OPTIONS
    elif "bad opt" in text:
        packet.options |= b.BAD_OPTION
    for option in text.split(","):
        word = option.strip().partition(" ")[0]
        if word not in _SILENT and "[" not in word:
            _read_option(packet, word, option)


def _read_option(packet: Printed, word: str, option: str) -> None:
    number = _NUMBER.search(option)
    if word == "mss" and number:
        packet.mss = int(number[0])
    elif word == "wscale" and number:
        packet.wscale = min(int(number[0]), LARGEST_WSCALE)
    elif word in ("TS", "timestamp"):
        _read_timestamp(packet, option)
    elif word == "sackOK":
        packet.options |= b.SACK_PERMITTED
    elif word == "sack":
        packet.options |= b.SACK
        packet.sack = [(int(left), int(right)) for left, right in _EDGES.findall(option)][: b.MAX_SACK]
    elif word in ("tfo", "exp-tfo"):
        cookie = _COOKIE.search(option)
        packet.options |= b.FAST_OPEN
        packet.tfo_cookie = len(cookie[1]) // 2 if cookie else 0
    else:
        packet.options |= _BITS.get(word, b.OTHER_OPTION)


def _read_timestamp(packet: Printed, option: str) -> None:
    found = _TIMESTAMP.search(option)
    if found:
        packet.options |= b.TIMESTAMP
        packet.tsval, packet.tsecr = int(found[1]) & 0xFFFFFFFF, int(found[2]) & 0xFFFFFFFF

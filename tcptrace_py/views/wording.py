"""Numbers and names as people read them: durations, amounts, times, addresses with ports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_NS = 10**9
_DAY = 86_400 * _NS
_HOUR = 3_600 * _NS
_MINUTE = 60 * _NS


def duration(ns: int) -> str:
    """A span of time with three digits or so: 340 ns, 12.3 ms, 4.56 s, 3 min 12 s, 2 h 5 min."""
    if ns < 0:
        return "-" + duration(-ns)
    for unit, size in (("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", _NS)):
        if ns < size * (60 if unit == "s" else 1000):
            return f"{ns} ns" if size == 1 else f"{ns / size:.3g} {unit}" if ns < 100 * size else f"{ns // size} {unit}"
    if ns < _HOUR:
        return f"{ns // _MINUTE} min {ns % _MINUTE // _NS} s"
    if ns < _DAY:
        return f"{ns // _HOUR} h {ns % _HOUR // _MINUTE} min"
    return f"{ns // _DAY} d {ns % _DAY // _HOUR} h"


def amount(octets: int) -> str:
    """Octets with three digits: 999 B, 1.23 kB, 45.6 MB."""
    size: float = octets
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:  # noqa: PLR2004 - what rounds to 1000 belongs to the next unit
            return f"{octets} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB" if size < 1000 else f"{size:,.0f} TB"  # noqa: PLR2004 - as above


def count(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: 1 packet, 1,204 packets."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def instant(ns: int) -> str:
    """A time in UTC; digits behind the microseconds only where there are any."""
    seconds, fraction = divmod(ns, _NS)
    digits = f"{fraction:09d}"
    digits = digits[:6] if digits.endswith("000") else digits
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{digits}"


def endpoint(ip: Any, port: Any) -> str:
    """An address and its port: 10.0.0.1:80, [2001:db8::1]:80."""
    return f"[{ip}]:{port}" if ":" in str(ip) else f"{ip}:{port}"


def shortened(text: str, width: int) -> str:
    """The text, cut to a width."""
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."

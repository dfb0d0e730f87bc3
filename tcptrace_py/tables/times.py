"""Times and spans as people write them, exactly, in nanoseconds."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 10**9
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND}
MOST = 2**63
_SPAN = re.compile(rf"(\d+(?:\.\d*)?|\.\d+)\s*({'|'.join(UNITS)})?")
_EPOCH = re.compile(r"-?\d+(\.\d*)?")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?")


def span(given: Any) -> int:
    """A length of time: nanoseconds as they are, a timedelta, or a text such as ``100ms`` (no unit: seconds).

    Raises
    ------
    UsageError
        For anything else, and for what is longer than 292 years.
    """
    if isinstance(given, timedelta):
        return _exact(given)
    if isinstance(given, str):
        found = _SPAN.fullmatch(given.strip())
        if not found:
            raise UsageError(f"{given!r} is not a length of time, such as 100ms, 1.5s or 2min")
        return _bounded(int(Decimal(found[1]) * UNITS[found[2] or "s"]), given)
    return _bounded(int(given), given)


def instant(given: Any, start: Callable[[], int]) -> int:
    """A point in time, as nanoseconds since 1970.

    Nanoseconds as they are, a datetime (without a zone: UTC), ISO 8601, seconds since 1970 as text, or ``+1.5s``: that
    long after `start()`.
    """
    if isinstance(given, datetime):
        return _of_datetime(given)
    if not isinstance(given, str):
        return _bounded(int(given), given)
    text = given.strip()
    if text.startswith("+"):
        return _bounded(start() + span(text[1:]), given)
    if _EPOCH.fullmatch(text):
        return _bounded(int(Decimal(text) * SECOND), given)
    return iso(text)


def iso(text: str) -> int:
    """ISO 8601 with up to nine digits behind the second; without a zone it is UTC."""
    found = _INSTANT.fullmatch(text)
    day, clock, fraction, zone = found.groups() if found else ("", "", "", "")
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone or '+00:00'}")
        return int(moment.timestamp()) * SECOND + int((fraction or "0").ljust(9, "0"))
    raise UsageError(f"{text!r} is not a time, such as 2026-01-31T12:00:00.5Z, 1769860800.5 or +1.5s")


def rounded_step(whole: int, steps: int) -> int:
    """A step of 1, 2 or 5 times a power of ten (in nanoseconds) that divides `whole` into at most `steps`."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if size * factor * steps >= whole:
                return size * factor
        size *= 10


def _of_datetime(given: datetime) -> int:
    """Exact also for a pandas Timestamp, which knows nanoseconds."""
    exact = getattr(given, "value", None)
    if isinstance(exact, int):
        return exact
    from datetime import UTC

    aware = given if given.tzinfo else given.replace(tzinfo=UTC)
    return _exact(aware - datetime(1970, 1, 1, tzinfo=UTC))


def _exact(given: timedelta) -> int:
    exact = getattr(given, "value", None)
    if isinstance(exact, int):  # a pandas Timedelta
        return exact
    return (given.days * 86_400 + given.seconds) * SECOND + given.microseconds * 1000


def _bounded(ns: int, given: Any) -> int:
    if not -MOST <= ns < MOST:
        raise UsageError(f"{given} is beyond the times that 64 bits hold")
    return ns

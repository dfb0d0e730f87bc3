"""Damage: where a capture stops making sense.

Inside this room it is an exception; outside it is a status, a reason and an offset in `CaptureInfo`.
"""

from __future__ import annotations

from enum import IntEnum


class Stop(IntEnum):
    """Why a walk over a chunk ended."""

    FULL = 0  # no row is left
    MORE = 1  # the record goes on after the chunk
    OTHER = 2  # a block that the compiled walk leaves to Python
    BAD_LENGTH = 3
    BAD_TRAILER = 4
    BAD_INTERFACE = 5
    BAD_CAPTURED = 6
    BAD_OPTION = 7


class Damage(Exception):  # noqa: N818  it never leaves this room
    """The input makes no sense from `offset` (of the uncompressed bytes) on; `bound` is the one that was reached."""

    def __init__(self, reason: str, message: str, offset: int | None = None, bound: str = "") -> None:
        super().__init__(message)
        self.bound = bound
        self.reason = reason
        self.message = message
        self.offset = offset


class Stopped(Damage):
    """No damage: whoever reads has said that this is the end."""


def cut_short(what: str, offset: int, wanted: int, got: int) -> Damage:
    """The input ends inside `what`, which begins at `offset`."""
    return Damage("cut_short", f"cut short in {what} at byte {offset} (wanted {wanted}, got {got})", offset)


def damaged(what: str, offset: int, why: str, reason: str = "bad_length", bound: str = "") -> Damage:
    """A field of `what`, which begins at `offset`, cannot be right."""
    return Damage(reason, f"damaged in {what} at byte {offset} ({why})", offset, bound)

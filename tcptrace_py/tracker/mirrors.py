"""Whose copies they are: a mirror that shows every packet twice doubles nearly all, a network one here and there."""

from __future__ import annotations

from typing import Any

OF_A_MIRROR = 5  # a copy in so many frames of a connection, or more often


def mirrored(conn: Any) -> bool:
    """Are so many of the connection's frames copies that the capture made them?"""
    copies, frames = (getattr(conn.client, name) + getattr(conn.server, name) for name in ("copies", "segments"))
    return bool(OF_A_MIRROR * copies > frames)

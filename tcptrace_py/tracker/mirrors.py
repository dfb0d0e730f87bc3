"""Whose copies they are: a mirror that shows every packet twice doubles nearly all, a network one here and there."""

from __future__ import annotations

from typing import Any

OF_A_MIRROR = 5  # a copy in so many frames of a connection, or more often


def mirrored(conn: Any) -> bool:
    """Are so many of the connection's frames copies that the capture made them?"""
    client, server = conn.client, conn.server
    return bool(OF_A_MIRROR * (client.copies + server.copies) > client.segments + server.segments)

"""Distances on the circle of 2**32 raw sequence numbers: the one door for those who replay other programs' rules."""

HALF, CIRCLE = 1 << 31, 1 << 32


def ahead(a: int, b: int) -> int:
    """Signed distance a - b (RFC 9293 section 3.4)."""
    return (a - b + HALF) % CIRCLE - HALF

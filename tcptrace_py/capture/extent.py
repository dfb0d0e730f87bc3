"""How much of a file was read, and whether it is still that file: for an input that is read a second time.

Knows sizes and a few octets.  Does not know what they mean.
"""

from __future__ import annotations

import os
import zlib
from typing import NamedTuple

from tcptrace_py.errors import ChangedError

SAMPLE = 4096  # octets at the beginning, and as many at the end of what was read


class Extent(NamedTuple):
    """The octets of a regular file that one reading took, from its beginning."""

    device: int
    inode: int
    octets: int
    samples: int  # CRC-32 of the first and the last of them

    @classmethod
    def of(cls, descriptor: int, octets: int) -> Extent:
        """The first `octets` of an open file."""
        stat = os.fstat(descriptor)
        return cls(stat.st_dev, stat.st_ino, octets, _samples(descriptor, octets))

    def check(self, descriptor: int) -> None:
        """`ChangedError` unless the open file still has them; it may have grown."""
        stat = os.fstat(descriptor)
        if stat.st_size < self.octets:
            why = f"it has {stat.st_size} bytes now, and {self.octets} were read before"
        elif (stat.st_dev, stat.st_ino) != (self.device, self.inode):
            why = "another file has its name now"
        elif _samples(descriptor, self.octets) != self.samples:
            why = "its content is another now"
        else:
            return
        raise ChangedError(f"changed while it was read ({why}); run it again", "changed")


def _samples(descriptor: int, octets: int) -> int:
    first = os.pread(descriptor, min(SAMPLE, octets), 0)
    last = os.pread(descriptor, min(SAMPLE, octets), max(octets - SAMPLE, 0))
    return zlib.crc32(last, zlib.crc32(first))

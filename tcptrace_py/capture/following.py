"""An input that is still being written: a file that grows, or a pipe, read as it comes until it is told to stop.

Knows what can happen to such a file: it grows, is cut off, gives its name to another.  Does not know what is in it.
"""

from __future__ import annotations

import os
import select
import stat
import time
from pathlib import Path

from tcptrace_py.capture.damage import Damage, Stopped
from tcptrace_py.capture.source import open_path, standard_input

PAUSE_S = 0.1  # between two looks at a file: soon enough for a reader, too seldom to cost anything
SAMPLE = 4096  # octets at the beginning that must stay as they are


class Following:
    """The bytes of a growing file or a pipe as a file object that waits for more.

    Parameters
    ----------
    path : str or path
        A file, a named pipe, or "-" for standard input.

    Attributes
    ----------
    name : str
        The path.
    stopped : bool
        Somebody has called `stop`.
    """

    live = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self.stopped = False
        self._file = standard_input() if self.name == "-" else open_path(self.name)
        self._is_pipe = not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        self._start = 0 if self._is_pipe else os.lseek(self._file.fileno(), 0, os.SEEK_CUR)  # of standard input
        self._begin = b""
        self._read = 0

    def stop(self) -> None:
        """What comes after this is not read: the input ends here.  May be called from a signal handler."""
        self.stopped = True

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def readinto(self, target: memoryview) -> int:
        """Fill some of `target`, waiting for bytes; 0 where a pipe was closed, `Damage` where a file ends otherwise."""
        while not self.stopped:
            if self._is_pipe:
                if select.select([self._file], [], [], PAUSE_S)[0]:
                    return self._file.readinto(target) or 0
                continue
            moved = self._moved()  # before reading: what was written until then is read
            got = self._take(target)
            if got:
                return got
            if moved:
                raise moved
            time.sleep(PAUSE_S)
        raise Stopped("stopped", "told to stop")

    def _take(self, target: memoryview) -> int:
        """What there is now; `Damage` where it is not what stood behind the octets before."""
        descriptor = self._file.fileno()
        size = os.fstat(descriptor).st_size - self._start
        if size < self._read:
            raise Damage("truncated", f"cut off while it was followed ({self._read} bytes before, {size} now)")
        got = self._file.readinto(target) or 0
        if os.pread(descriptor, len(self._begin), self._start) != self._begin:
            raise Damage("rewritten", "written anew while it was followed")
        if len(self._begin) < SAMPLE:
            self._begin += bytes(target[: min(got, SAMPLE - len(self._begin))])
        self._read += got
        return got

    def _moved(self) -> Damage | None:
        """Whether the name is another file's, or nobody's: no more will come then."""
        if self.name == "-":
            return None
        try:
            there = Path(self.name).stat()
        except OSError:
            return Damage("removed", "removed while it was followed")
        if not os.path.samestat(there, os.fstat(self._file.fileno())):
            return Damage("replaced", "replaced by another file while it was followed")
        return None

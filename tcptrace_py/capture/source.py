"""Where bytes come from: paths, standard input, pipes, file objects; and the window through which they are read.

Knows whether bytes keep coming and how many went by.  Does not know what they mean.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any, Protocol

from tcptrace_py.capture.damage import Damage
from tcptrace_py.capture.extent import Extent
from tcptrace_py.errors import UnreadableError, UsageError

CHUNK = 1 << 20  # fits the cache, so that decoding finds there what reading brought


class Stream(Protocol):
    """What a window reads from: ``readinto`` as `io.RawIOBase` has it, 0 at the end; may raise `Damage`."""

    live: bool

    def readinto(self, target: memoryview, /) -> int:
        """Fill some of `target`; how much."""


class Source:
    """The raw bytes of one input, counted; no more than `extent`, where an earlier reading ended."""

    def __init__(self, file: Any, name: str, *, owned: bool = False, extent: Extent | None = None) -> None:
        self.name = name
        self.bytes_read = 0
        self._file = file
        self._owned = owned
        self._most = extent.octets if extent else None
        mode = _mode_of(file)
        self.regular = stat.S_ISREG(mode) if mode is not None else False
        self.live = getattr(file, "live", mode is not None and not self.regular)
        self.bytes_total = os.fstat(file.fileno()).st_size if self.regular else None
        self._readinto = _readinto_of(file, live=self.live)

    def readinto(self, target: memoryview) -> int:
        """Fill some of `target`: at least an octet, unless the input has ended."""
        if self._most is not None:
            target = target[: self._most - self.bytes_read]
            if not target:
                return 0
        try:
            got: int | None = self._readinto(target)
        except OSError as error:
            raise Damage("read_error", f"reading failed: {error.strerror or error}") from error
        if got is None:
            raise Damage("read_error", "reading failed: the input is not blocking and has no bytes now")
        self.bytes_read += got
        if not got and self._owned and self.bytes_read < (self._most or self.bytes_total or 0):
            raise Damage("shrunk", f"became shorter while it was read (it had {self._most or self.bytes_total} bytes)")
        return got

    def extent(self) -> Extent | None:
        """What was read of a file that can be opened again."""
        return Extent.of(self._file.fileno(), self.bytes_read) if self.regular and self._owned else None

    def close(self) -> None:
        """Close the file if we opened it."""
        if self._owned:
            self._file.close()


def open_source(source: Any, extent: Extent | None = None) -> Source:
    """A path, "-" for standard input, or a binary file object; `extent` is what was read of the path before."""
    if isinstance(source, str) and source == "-":
        return Source(standard_input(), "-", owned=True)
    if isinstance(source, (str, os.PathLike)):
        file = open_path(os.fspath(source))
        try:
            if extent:
                extent.check(file.fileno())
            return Source(file, os.fspath(source), owned=True, extent=extent)
        except BaseException:
            file.close()
            raise
    if isinstance(source, io.TextIOBase):
        raise UsageError("a file object must be opened in binary mode ('rb')")
    return Source(source, str(getattr(source, "name", "") or f"<{type(source).__name__}>"))


def standard_input() -> io.RawIOBase:
    """Standard input, unbuffered; closing it leaves it open."""
    try:
        return io.FileIO(0, closefd=False)
    except OSError:
        raise UnreadableError("standard input is closed", "cannot_open") from None


def open_path(path: str) -> io.RawIOBase:
    """The file, unbuffered; `UnreadableError` says in plain words why not."""
    if Path(path).is_dir():
        raise UnreadableError(f"is a directory; try: tcpflows batch {path}", "directory")
    try:
        return open(path, "rb", buffering=0)  # noqa: PTH123  the Source closes it
    except FileNotFoundError:
        raise UnreadableError("no such file", "no_such_file") from None
    except PermissionError:
        raise UnreadableError("permission denied", "permission_denied") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UnreadableError(f"cannot be opened: {getattr(error, 'strerror', None) or error}", "cannot_open") from None


def _mode_of(file: Any) -> int | None:
    try:
        return os.fstat(file.fileno()).st_mode
    except (AttributeError, OSError, ValueError, TypeError):  # BytesIO, a decompressing file, fsspec
        return None


def _readinto_of(file: Any, *, live: bool) -> Any:
    """The best way to read `file`: without waiting for a full buffer where bytes come as they will."""
    readinto = (getattr(file, "readinto1", None) if live else None) or getattr(file, "readinto", None)
    if readinto is not None:
        return readinto
    read = getattr(file, "read1", None) or file.read

    def read_into(target: memoryview) -> int:
        data = read(len(target))
        target[: len(data)] = data
        return len(data)

    return read_into


class Window:
    """The bytes read and not used yet: ``buffer[start:end]``, which stand at `offset` of the stream."""

    def __init__(self, stream: Stream) -> None:
        self.size = CHUNK
        self.buffer = bytearray(CHUNK)
        self.start = 0
        self.end = 0
        self.offset = 0
        self.fault: Damage | None = None  # the stream broke after the bytes that are here
        self.live = stream.live
        self._stream = stream
        self._ended = False

    @property
    def available(self) -> int:
        """Bytes not used yet."""
        return self.end - self.start

    def use(self, upto: int) -> None:
        """Everything before ``buffer[upto]`` is done with."""
        self.offset += upto - self.start
        self.start = upto

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or those there are; they stay unused."""
        self.fill(size)
        return bytes(self.buffer[self.start : min(self.end, self.start + size)])

    def fill(self, wanted: int) -> bool:
        """If fewer than `wanted` bytes are available, read so many, and on to a full buffer unless bytes come slowly.

        False where the stream ends before.  A longer buffer is made only as bytes arrive, never by a claim.
        """
        if self.available >= wanted:
            return True
        if self.start:
            self._carry()
        while not self._ended and (self.available < wanted or (not self.live and self.end < self.size)):
            if self.end == len(self.buffer):
                self.buffer = self.buffer + bytearray(len(self.buffer))  # not in place: a batch may still show it
            self._read()
        return self.available >= wanted

    def _carry(self) -> None:
        rest = self.available
        with memoryview(self.buffer) as view:  # moves; a slice of the buffer itself would be a copy first
            view[:rest] = view[self.start : self.end]
        self.start, self.end = 0, rest

    def _read(self) -> None:
        try:
            with memoryview(self.buffer) as view, view[self.end :] as room:
                got = self._stream.readinto(room)
        except Damage as damage:
            self.fault = damage
            got = 0
        if got == 0:
            self._ended = True
        self.end += got

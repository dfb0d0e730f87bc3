"""Archives: their members as streams, one after the other.  Nothing is ever extracted.

Knows tar (compressed or not) and zip.  A member's name is a label and nothing else: no path is made from it.
"""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.capture.compression import Unpacked, compression_of
from tcptrace_py.capture.damage import Damage
from tcptrace_py.capture.source import Source, Window
from tcptrace_py.errors import UnreadableError
from tcptrace_py.options import FIXED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcptrace_py.options import Limits

tar: Any = tarfile  # its type stubs leave out half

MAX_MEMBERS = FIXED["max_members"].default
MAX_NESTING = FIXED["max_nesting"].default  # a compression and an archive in it
MAX_HEADER = 1 << 20  # bytes of a long name or of pax headers
MAX_DIRECTORY = 160 * MAX_MEMBERS  # bytes of a zip's list of members, which is held in memory
BLOCK = 512
AT_ONCE = 1 << 20
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
END_OF_ZIP = b"PK\x05\x06"
EXTENDED = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)

BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What the libraries raise on what they cannot read; RuntimeError for a member that is encrypted."""


class Member(NamedTuple):
    """A member: its name as the archive has it, and its bytes; or why it is left out."""

    name: str
    file: Any
    left_out: str = ""


def archive_kind(file: Any, limits: Limits) -> str:
    """``zip``, ``tar``, or an empty string for anything else, by the first bytes; `file` is read from."""
    try:
        window = Window(Source(file, ""))
        head = window.peek(BLOCK)
        if head.startswith(ZIP):
            return "zip"
        for _ in range(MAX_NESTING - 1):
            if name := compression_of(head):
                window = Window(Unpacked(window, name, limits))
                head = window.peek(BLOCK)
    except UnreadableError:  # a compression that needs another package: the capture reader says so
        return ""
    return "tar" if _is_tar(head) else ""


def _is_tar(head: bytes) -> bool:
    """A header whose checksum is right; not the zeros of an empty archive, which could be anything."""
    if len(head) < BLOCK or not head.strip(b"\0"):
        return False
    try:
        claimed = tar.nti(head[148:156])
    except tarfile.HeaderError:
        return False
    return claimed in tar.calc_chksums(head)


def members(kind: str, file: Any, limits: Limits) -> Iterator[Member]:
    """The members of an archive in its own order, folders left out; each is valid until the next is asked for.

    Raises
    ------
    UnreadableError
        Where the archive breaks, or reaches a bound; after all members before.
    """
    walk = _zip_members(file) if kind == "zip" else _tar_members(file, limits)
    try:
        for number, member in enumerate(walk):
            if number >= MAX_MEMBERS:
                raise UnreadableError(f"more than {MAX_MEMBERS:,} members; the others are left out", "max_members")
            yield member
    except BROKEN as error:
        raise UnreadableError(f"the archive is damaged ({error})", "bad_archive") from None
    except Damage as damage:
        raise UnreadableError(damage.message, damage.reason) from None
    except OSError as error:
        raise UnreadableError(str(error.strerror or error), "bad_archive") from None


def _tar_members(file: Any, limits: Limits) -> Iterator[Member]:
    ends: list[Exception] = []

    class Header(tarfile.TarInfo):
        """A header whose extensions are of bounded size, and which remembers why there is no other one."""

        @classmethod
        def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Any:
            try:
                return super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as error:
                ends.append(error)
                raise

        def _proc_member(self, archive: Any) -> Any:  # tarfile says that this is the place to override
            if self.size > MAX_HEADER and self.type in EXTENDED:
                raise tarfile.ReadError(f"an extended header of {self.size} bytes")
            return super()._proc_member(archive)  # type: ignore[misc]

    stream = _Stream(_unpacked(file, limits))
    try:
        yield from _tar_walk(stream, Header, ends)
    except tarfile.TarError:
        if stream.fault:  # what is wrong is told best by whoever met it first
            raise stream.fault from None
        raise
    if stream.fault:
        raise stream.fault


def _tar_walk(stream: _Stream, header: type[tarfile.TarInfo], ends: list[Exception]) -> Iterator[Member]:
    with tar.open(fileobj=stream, mode="r|", bufsize=AT_ONCE, tarinfo=header) as archive:
        for info in archive:
            archive.members = []  # it would keep them all
            if info.isdir():
                continue
            why = "" if info.isreg() else "link or device in an archive"
            why = "sparse file in an archive" if info.issparse() else why
            yield Member(info.name, None if why else _Bytes(archive.fileobj.read, info.size), why)
    if ends and not isinstance(ends[-1], tar.EOFHeaderError):
        told = "has no end" if isinstance(ends[-1], tar.EmptyHeaderError) else str(ends[-1])
        raise tarfile.ReadError(f"{told}, at byte {archive.offset}")


def _unpacked(file: Any, limits: Limits) -> Window:
    window = Window(Source(file, ""))
    if name := compression_of(window.peek(8)):
        window = Window(Unpacked(window, name, limits))
    return window


class _Stream:
    """A window as a file for tarfile: it ends where the window breaks, and the fault is told afterwards."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.fault: Damage | None = None

    def read(self, size: int) -> bytes:
        window = self._window
        if not window.available and not window.fill(1):
            self.fault = window.fault
        data = bytes(memoryview(window.buffer)[window.start : min(window.end, window.start + size)])
        window.use(window.start + len(data))
        return data


def _zip_members(file: Any) -> Iterator[Member]:
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                yield Member(info.filename, None, "link or device in an archive")
                continue
            yield Member(info.filename, _Bytes(_Late(archive, info).read, info.file_size))


class _Late:
    """A member of a zip archive that is opened when its first byte is wanted."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info
        self._file: Any = None

    def read(self, size: int) -> bytes:
        self._file = self._file or self._archive.open(self._info)
        return bytes(self._file.read1(size))


def _check_directory(file: Any) -> None:
    """Refuse a list of members that would not fit into memory."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 65_557))
    tail = file.read(65_557)
    at = tail.rfind(END_OF_ZIP)
    if at >= 0 and len(tail) >= at + 16 and struct.unpack_from("<I", tail, at + 12)[0] > MAX_DIRECTORY:
        raise UnreadableError(f"more than {MAX_MEMBERS:,} members", "max_members")
    file.seek(0)


class _Bytes:
    """The bytes of a member; what may go wrong with them is an OSError, as with those of a file."""

    def __init__(self, read: Callable[[int], bytes], size: int) -> None:
        self._read = read
        self._left = size

    def readinto(self, target: memoryview) -> int:
        size = min(len(target), max(1, self._left // 8), self._left)  # an error takes what its call has read with it
        try:
            data = self._read(size) if size else b""
        except BROKEN as error:
            raise OSError(f"the archive is damaged here ({error})") from None
        if size and not data:
            raise OSError(f"the archive ends {self._left} bytes before the end of this member")
        self._left -= len(data)
        target[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """The archive is closed as a whole."""

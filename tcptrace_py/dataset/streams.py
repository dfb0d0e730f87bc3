"""The bytes of an input, opened as often as they are needed, and known by their digest once they are read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tcptrace_py.capture.damage import Damage
from tcptrace_py.capture.source import open_source
from tcptrace_py.dataset.sources import file_system, is_address
from tcptrace_py.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AT_ONCE = 1 << 20


def opened(capture: str) -> Any:
    """The bytes of a file or of what an address names; to be closed by the caller.

    Raises
    ------
    UnreadableError
        In plain words, without the name.
    """
    if is_address(capture):
        system, path = file_system(capture)
        try:
            return system.open(path, "rb")
        except FileNotFoundError:
            raise UnreadableError("no such file", "no_such_file") from None
        except OSError as error:
            raise UnreadableError(f"cannot be opened: {error.strerror or error}", "cannot_open") from None
    open_source(capture).close()  # it has the words for what may be wrong
    return open(capture, "rb", buffering=0)  # noqa: PTH123 - as the docstring says


def digest_of(capture: str) -> str | None:
    """The SHA-256 of an input as it is stored; None if it cannot be read to its end."""
    with opened(capture) as file:
        return Hashed(file, capture).finish()


def digest_of_all(digests: Sequence[str | None]) -> str | None:
    """The digest of an input; of a set, that of its files' digests; None if one could not be read."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(filter(None, digests)).encode()).hexdigest() if all(digests) else None


class Hashed:
    """Bytes on their way to the reader, which is told that they come from `name`."""

    def __init__(self, file: Any, name: str | Path) -> None:
        self.name = name
        self._file = file
        self._digest = hashlib.sha256()
        self._whole = True

    def readinto(self, target: memoryview) -> int:
        """Fill some of `target`."""
        try:
            got = int(self._file.readinto(target) or 0)
        except (OSError, Damage):
            self._whole = False
            raise
        self._digest.update(target[:got])
        return got

    def read(self, size: int = AT_ONCE) -> bytes:
        """Some bytes."""
        data = bytearray(size)
        return bytes(data[: self.readinto(memoryview(data))])

    def close(self) -> None:
        """Give the input back."""
        if self._file is not None:
            self._file.close()

    def finish(self) -> str | None:
        """Read what the reader had no use for; the SHA-256, or None if not everything could be read."""
        room = memoryview(bytearray(AT_ONCE))
        try:
            while self._whole and self.readinto(room):
                pass
        except (OSError, Damage, UnreadableError):
            return None
        return self._digest.hexdigest() if self._whole else None


class Piece(Hashed):
    """A file of a set, opened when its turn comes: there may be more of them than can be open at once."""

    def __init__(self, path: str) -> None:
        super().__init__(None, path)
        self._ended = False

    def readinto(self, target: memoryview) -> int:
        """Fill some of `target`; the file is closed where it ends."""
        if self._ended:
            return 0
        if self._file is None:
            self._file = opened(str(self.name))
        got = super().readinto(target)
        if not got and len(target):
            self._ended = True
            self.close()
        return got

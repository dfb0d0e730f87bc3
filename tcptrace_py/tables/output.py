"""Where a result goes: standard output, or a file that appears whole or not at all.

Knows files and what can go wrong with them.  Does not know formats or tables.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tcptrace_py.errors import OutputError
from tcptrace_py.tables.safe_text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sink:
    """A binary file whose failures name it in plain words, as `OutputError`.

    A reader who has gone away is no failure of ours: BrokenPipeError passes.
    """

    closed = False  # pyarrow asks

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.file, self.name = file, name
        self.written = 0
        self.discarded = False

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`."""
        if not self.discarded:
            with failures_named(self.name, self.written):
                self.file.write(data)
            self.written += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand what is buffered to the system, where a full disk shows."""
        if not self.discarded:
            with failures_named(self.name, self.written):
                self.file.flush()

    def tell(self) -> int:
        """How many bytes were written."""
        return self.written


@contextlib.contextmanager
def _discarding(sink: Sink) -> Iterator[Sink]:
    """After a failure nothing more is written: a half-done Parquet writer still tries when it is thrown away."""
    try:
        yield sink
    finally:
        sink.discarded = True


@contextlib.contextmanager
def failures_named(name: str, written: int = 0) -> Iterator[None]:
    """Turn what the system refuses into one line that names the output."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        size = f" ({written} bytes)" if written else ""
        raise OutputError(f"cannot write {safe_text(name)}: {error.strerror or error}{size}") from error


@contextlib.contextmanager
def standard_output() -> Iterator[Sink]:
    """The bytes of standard output."""
    sys.stdout.flush()
    with _discarding(Sink(sys.stdout.buffer, "to standard output")) as sink:
        yield sink
        sink.flush()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Sink]:
    """A file under a temporary name beside `path`, renamed to it once all of it is on disk.

    On any failure the temporary is removed, and what stood at `path` stays.  A device or a named pipe is written
    itself: a rename would replace it.
    """
    target = Path(os.path.realpath(path))  # the file behind a symbolic link is replaced, not the link
    if _is_special(target):
        with failures_named(str(path)):
            device = target.open("wb", buffering=0)
        with device, _discarding(Sink(device, str(path))) as sink:
            yield sink
        return
    temporary = target.parent / f".tcpflows-{os.getpid()}-{abs(hash(target.name)):x}.tmp"
    with failures_named(str(path)):
        file = temporary.open("xb")
    try:
        with _discarding(Sink(file, str(path))) as sink:
            yield sink
            sink.flush()
            with failures_named(str(path), sink.written):
                os.fsync(file.fileno())
                temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):  # close() flushes again what a full disk has refused
            file.close()
        temporary.unlink(missing_ok=True)


def _is_special(target: Path) -> bool:
    with failures_named(str(target)):
        return target.exists() and not stat.S_ISREG(target.stat().st_mode)

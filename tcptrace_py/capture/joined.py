"""Several files that are one capture: rotated files, read one after the other as if they had never been cut.

Knows where one ends and the next begins.  Which files belong together, `rotation` says, or the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tcptrace_py.capture.frames import CaptureInfo, Mark
from tcptrace_py.capture.reader import open_capture
from tcptrace_py.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from tcptrace_py.capture.extent import Extent
    from tcptrace_py.capture.frames import Frames

SIGN = "+"
"""Behind the name of its first file, it names a set."""


@dataclass(frozen=True)
class CaptureSet:
    """Inputs that are one capture, in their order.

    Parameters
    ----------
    sources : tuple
        Paths or binary file objects.
    name : str
        What the set is called in the tables: by default its first path, and a ``+``.
    """

    sources: tuple[Any, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("a set of captures has at least one file")
        if not self.name:
            object.__setattr__(self, "name", f"{self.sources[0]}{SIGN}")

    def close(self) -> None:
        """Give back those that are files."""
        for source in self.sources:
            if hasattr(source, "close"):
                source.close()


class Joined:
    """The frames of a set, numbered through; in the manner of `Reader`.

    Parameters
    ----------
    captures : CaptureSet
        What to read.
    extent : sequence of Extent or None, optional
        What an earlier reading has read of each: no more than that.
    how : dict
        Options of `open_capture`.
    before : (CaptureInfo, list of CaptureInfo), optional
        `info` and `parts` of a set that this one goes on with.

    Attributes
    ----------
    info : CaptureInfo
        What is known of the set as a whole.
    parts : list of CaptureInfo
        The files that have ended so far, each with what is known of it.
    extent : list of Extent or None
        Once all is read: what was read of each file that can be opened again.
    """

    live = False

    def __init__(
        self,
        captures: CaptureSet,
        extent: Sequence[Extent | None] | None,
        how: dict[str, Any],
        before: tuple[CaptureInfo, list[CaptureInfo]] | None = None,
    ) -> None:
        self.info, self.parts = before or (CaptureInfo(captures.name), [])
        self.extent: list[Extent | None] = []
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self._sources = captures.sources
        self._extent = extent
        self._how = how

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Each file is closed where it ends."""

    def __iter__(self) -> Iterator[Frames]:
        """Batches of at most 8,192 frames; the first one after a file that was not read to its end is marked.

        Raises
        ------
        UnreadableError
            Where nothing could be had of any of them.
        """
        whole, before, errors = _whole(self.parts), 0, list[UnreadableError]()
        for n, source in enumerate(self._sources):
            try:
                reader = open_capture(source, extent=self._extent[n] if self._extent else None, **self._how)
            except UnreadableError as error:
                errors.append(error)
                self._end(_unread(source, error), None)
                whole = False
                continue
            with reader:
                for frames in reader:
                    if not whole:
                        frames.marks[0] |= Mark.AFTER_GAP
                        whole = True
                    frames.first_frame = self.info.packets_read + 1
                    self.info.packets_read += frames.n
                    self.bytes_read = before + reader.bytes_read
                    yield frames
            before = self.bytes_read
            whole = whole and reader.info.status == "ok"
            self._end(reader.info, reader.extent)
        if len(errors) == len(self.parts):
            raise errors[0]

    def _end(self, part: CaptureInfo, extent: Extent | None) -> None:
        """Take down what is known of a file that has ended."""
        whole, first = self.info, self.info.packets_read - part.packets_read
        part.gaps = [gap._replace(frame=gap.frame and first + gap.frame) for gap in part.gaps]
        self.parts.append(part)
        self.extent.append(extent)
        whole.format, whole.compression = whole.format or part.format, whole.compression or part.compression
        if whole.status == "ok" and part.status != "ok":
            whole.status, whole.reason = "partial", part.reason
            whole.message = f"{part.path}: {part.message}"
        for link, packets in part.link_types.items():
            whole.link_types[link] = whole.link_types.get(link, 0) + packets
        times = [time for time in (whole.first_time_ns, part.first_time_ns) if time is not None]
        whole.first_time_ns = min(times, default=None)
        times = [time for time in (whole.last_time_ns, part.last_time_ns) if time is not None]
        whole.last_time_ns = max(times, default=None)
        whole.gaps += part.gaps
        whole.limits += part.limits


def _whole(parts: list[CaptureInfo]) -> bool:
    """Whether nothing is missing between the last packet of these files and what comes next."""
    for part in reversed(parts):
        if part.status != "ok" or part.packets_read:
            return part.status == "ok"
    return True


def _unread(source: Any, error: UnreadableError) -> CaptureInfo:
    path = str(getattr(source, "name", source))
    message = str(error).removeprefix(f"{path}: ")
    return CaptureInfo(path, status="unreadable", reason=error.reason, message=message)

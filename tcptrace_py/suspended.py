"""A pass that is not over: written down at the end of a file, and taken up with the next one, days later.

What is written is for this program alone, of the same version, built the same way.  It is a pickle in which nothing but
our own values may stand: reading one from a stranger runs no code of theirs.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py import tracker
from tcptrace_py.errors import UnreadableError
from tcptrace_py.tracker import suspension

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from tcptrace_py.capture import CaptureInfo
    from tcptrace_py.pipeline import Counts, Pass

MAGIC = b"tcpflows checkpoint\n"
ALLOWED = {
    "array": {"_array_reconstructor", "array"},
    "builtins": {"frozenset", "set"},
    "collections": {"Counter", "OrderedDict", "deque"},
    "tcptrace_py.capture.frames": {"CaptureInfo", "Gap", "Mark"},
    "tcptrace_py.dataset.continued": {"Beside"},
    "tcptrace_py.decode.fragments": {"Datagram", "Joiner"},
    "tcptrace_py.decode.nets": {"Nets"},
    "tcptrace_py.decode.numbering": {"Numbering", "_Pair"},
    "tcptrace_py.decode.printed": {"PrintedDecoder"},
    "tcptrace_py.decode.quotes": {"QuotedError"},
    "tcptrace_py.pipeline": {"Counts"},
    "tcptrace_py.suspended": {"Suspended"},
    "tcptrace_py.tables.build": {"Instances"},
    "tcptrace_py.tables.flow_facts": {"Bulks", "Flow", "Numbers", "Way"},
    "tcptrace_py.tables.views_cic": {"Features"},
    "tcptrace_py.tracker.overlaps": {"Overlaps", "_Held"},
    "tcptrace_py.tracker._recovery": {"EarlyAck", "Hole", "Recovery", "Resend"},
    "tcptrace_py.tracker._state": {"Connection", "Endpoint"},
    "tcptrace_py.tracker._joined": {
        f"{before}{name}"
        for before in ("", "__pyx_unpickle_")
        for name in ("Connection", "EarlyAck", "Endpoint", "Hole", "Recovery", "Resend")
    },
}
"""What a checkpoint may hold, by module; numbers, text, lists and the like need no mention."""


@dataclass(slots=True)
class Suspended:
    """Everything that a pass over a set of files needs to go on behind the last one.

    `beside` is what others have kept beside the pass and want back with it.
    """

    info: CaptureInfo
    parts: list[tuple[CaptureInfo, Counts]]
    counted: Counts | None
    since_gap: list[Any] | None
    errors: list[tuple[int, Any]]
    decoder: dict[str, Any]
    tracker: dict[str, Any]
    beside: Any

    def take_up(self, done: Pass) -> None:
        """Have a new pass, made with the same options, go on where this one stood; only once."""
        suspension.resume(done.tracker, self.tracker)
        done.decoder.resume(self.decoder)
        done.parts, done.errors, done.counted = self.parts, self.errors, self.counted
        done.since_gap = None if self.since_gap is None else set(self.since_gap)


def suspended(done: Pass, beside: Any) -> Suspended:
    """What a pass needs to go on.  Its objects are not copied: `write` the answer before it does."""
    seen = done.tracker
    still_open = {conn.conn_id for conn in suspension.open_connections(seen)}
    errors = [(conn_id, quote) for conn_id, quote in done.errors if conn_id in still_open]
    since_gap = None if done.since_gap is None else sorted(done.since_gap)
    state = suspension.suspended(seen)
    return Suspended(done.info, done.parts, done.counted, since_gap, errors, done.decoder.suspended(), state, beside)


def write(state: Suspended, file: Any) -> None:
    """Write a checkpoint."""
    import zstandard  # here, as everywhere: its import takes a while

    file.write(MAGIC + _made_by())
    with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
        pickle.dump(state, packed, 5)


def read(path: Path) -> Suspended:
    """A checkpoint as it was written.

    Raises
    ------
    UnreadableError
        When it is gone, damaged, or was made by another version, or by the same one built in another way.
    """
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise UnreadableError(
            f"{path}: the checkpoint cannot be read: {error.strerror or error}", "no_checkpoint"
        ) from None


def _read(file: BinaryIO, path: str) -> Suspended:
    import zstandard

    if file.readline() != MAGIC:
        raise UnreadableError(f"{path}: not a checkpoint", "bad_checkpoint")
    made_by = file.readline()
    if made_by != _made_by():
        who = made_by.decode("utf-8", "replace").strip()
        raise UnreadableError(f"{path}: made by {who}, which this one cannot go on with", "other_checkpoint")
    try:
        with zstandard.ZstdDecompressor().stream_reader(file) as packed:
            state = _OursOnly(io.BufferedReader(packed)).load()
    except Exception as error:  # noqa: BLE001 - whatever a damaged pickle raises
        raise UnreadableError(f"{path}: damaged ({error})", "bad_checkpoint") from None
    if not isinstance(state, Suspended):
        raise UnreadableError(f"{path}: not a checkpoint", "bad_checkpoint")
    return state


def _made_by() -> bytes:
    """The version and how it was built: what objects look like depends on both."""
    from tcptrace_py import __version__

    how = "compiled" if tracker.compiled else "not compiled"
    return f"tcptrace_py {__version__}, {how}\n".encode()


class _OursOnly(pickle.Unpickler):
    """Makes nothing but what a checkpoint may hold."""

    def find_class(self, module: str, name: str) -> Any:
        """A class or function that is on the list."""
        if name not in ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint")
        return super().find_class(module, name)

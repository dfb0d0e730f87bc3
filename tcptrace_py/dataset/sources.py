"""Where captures are: files, folders, addresses that fsspec knows.  What is in them shows when they are read.

Knows names.  Opens nothing but folders.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py.capture import CaptureSet
from tcptrace_py.capture.rotation import can_begin, rotated
from tcptrace_py.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CAPTURE_NAME = re.compile(
    r"\.(?:pcap|pcapng|ntar|cap|dmp|dump|snoop|trc|trace|tcpdump)\d*(?:\.\d+)?(?:\.(?:gz|bz2|xz|zst|lz4))*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Input:
    """A file to be read.

    Attributes
    ----------
    capture : str
        What it is called in the tables: its absolute path, or its address.
    size, stamp : int, str
        Its bytes, and what tells one version of it from another (time of the last change in nanoseconds).
    named : bool
        Named by the user, or by its own suffix, as a capture: if it is none, something is wrong.
    pattern : str
        Which members to take if it is an archive; empty for all.
    files : tuple of str
        For a set of rotated files, which are read as one: all of them, in their order.
    goes_on : bool
        Whether later runs are to go on with the set where this one ends.
    read : int
        How many of `files` earlier runs have read.
    pieces : list
        Path, size and stamp of each of `files`, if the set goes on.
    """

    capture: str
    size: int
    stamp: str
    named: bool = True
    pattern: str = ""
    files: tuple[str, ...] = ()
    goes_on: bool = False
    read: int = 0
    pieces: list[list[Any]] = field(default_factory=list)

    @property
    def file_count(self) -> int:
        """How many files it consists of."""
        return len(self.files) or 1

    def going_on(self, read: int = 0) -> Input:
        """The same set, to be gone on with; `read` of its files were read."""
        return replace(self, goes_on=True, read=read)

    @property
    def piece(self) -> list[Any]:
        """What is remembered of it as one file of a set."""
        return [self.capture, self.size, self.stamp]

    @property
    def remote(self) -> bool:
        """Whether fsspec is to read it."""
        return is_address(self.capture)


@dataclass(slots=True)
class Found:
    """What the sources hold."""

    inputs: list[Input] = field(default_factory=list)
    missing: list[UnreadableError] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)  # sources that hold something


def is_address(source: str) -> bool:
    """Whether a source is for fsspec."""
    return re.match(r"[a-z][a-z0-9+.-]*(?:::[a-z0-9+.-]+)*://", source) is not None


def absolute(path: str) -> str:
    """The path from the root, links and all: what a capture is called wherever the batch was started."""
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links


def is_named(name: str) -> bool:
    """Whether a name says that this is a capture."""
    return CAPTURE_NAME.search(name) is not None


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder that it is in, is not for everybody's eyes."""
    return any(part.startswith(".") and part not in {".", ".."} for part in path.split("/"))


def matches(path: str, pattern: str) -> bool:
    """Whether a path below a source is asked for: by its last part, or as a whole if the pattern has a slash."""
    return not pattern or fnmatch.fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern)


def find(sources: Iterable[str], pattern: str, dataset: Path) -> Found:
    """All inputs, each once, the largest first; nothing in `dataset` itself is one."""
    found = Found()
    for source in sources:
        try:
            here = list(_remote(source, pattern) if is_address(source) else _local(source, pattern, dataset, found))
        except UnreadableError as error:
            found.missing.append(error)
            continue
        if here:
            found.listed.append(source if is_address(source) else absolute(source))
        found.inputs += here
    once = {each.capture: each for each in sorted(found.inputs, key=lambda each: (each.named, bool(each.pattern)))}
    found.inputs = sorted(once.values(), key=lambda each: (-each.size, each.capture))
    return found


def joined(inputs: list[Input], *, goes_on: bool = False) -> list[Input]:
    """The same with the pieces of each rotated set as one input; an address is never looked into beforehand.

    `goes_on`: a capture that stands alone is a set of one.
    """
    by_path = {each.capture: each for each in inputs if not each.remote}
    for files in rotated(by_path):
        made = set_of([by_path.pop(path).piece for path in files])
        by_path[made.capture] = made.going_on() if goes_on else made
    for path in [path for path, each in by_path.items() if goes_on and not each.files and can_begin(path)]:
        alone = set_of([by_path.pop(path).piece])
        by_path[alone.capture] = alone.going_on()
    remote = [each for each in inputs if each.remote]
    return sorted([*by_path.values(), *remote], key=lambda each: (-each.size, each.capture))


def set_of(pieces: list[list[Any]], name: str = "") -> Input:
    """The set of some files, of each path, size and stamp."""
    files = tuple(path for path, _, _ in pieces)
    stamps = "".join(f"{path}\0{size}\0{stamp}\0" for path, size, stamp in pieces)
    stamp = hashlib.sha256(stamps.encode("utf-8", "surrogateescape")).hexdigest()
    size = sum(size for _, size, _ in pieces)
    return Input(name or CaptureSet(files).name, size, stamp, files=files, pieces=pieces)


def _local(source: str, pattern: str, dataset: Path, found: Found) -> Iterator[Input]:
    path = absolute(source)
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        raise UnreadableError(f"{source}: no such file", "no_such_file") from None
    except PermissionError:
        raise UnreadableError(f"{source}: permission denied", "permission_denied") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{source}: cannot be opened: {why}", "cannot_open") from None
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(path, pattern, dataset, found)
    elif stat.S_ISREG(status.st_mode):
        yield Input(path, status.st_size, str(status.st_mtime_ns), pattern=pattern)
    else:
        raise UnreadableError(f"{source}: not a file; a batch cannot read it twice", "not_a_file")


def _folder(top: str, pattern: str, dataset: Path, found: Found) -> Iterator[Input]:
    """The files below a folder.  Links to folders are not followed; a file with several names is taken once."""
    names: dict[tuple[int, int], tuple[bool, str, Input]] = {}
    for entry in _walk(top, dataset, found):
        below = os.path.relpath(entry.path, top)
        if not matches(below, pattern):
            found.left_out["does not match the pattern"] += 1
            continue
        status = entry.stat()
        named = bool(pattern) or is_named(entry.name)
        name = (entry.is_symlink(), entry.path, Input(entry.path, status.st_size, str(status.st_mtime_ns), named))
        identity = (status.st_dev, status.st_ino)
        found.left_out["another name of a file"] += identity in names
        names[identity] = min(name, names.get(identity, name), key=lambda each: each[:2])
    found.left_out += Counter()  # without the zeros
    yield from (each for _, _, each in names.values())


def _walk(top: str, dataset: Path, found: Found) -> Iterator[os.DirEntry[str]]:
    """The regular files below a folder that are not hidden."""
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if folder == top:
                raise UnreadableError(f"{top}: {error.strerror}", "permission_denied") from None
            found.missing.append(UnreadableError(f"{folder}: {error.strerror}", "permission_denied"))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and not _same(entry.path, dataset):
                    folders.append(entry.path)
            elif why := _unfit(entry):
                found.left_out[why] += 1
            else:
                yield entry


def _unfit(entry: os.DirEntry[str]) -> str:
    if entry.name.startswith("."):
        return "hidden"
    try:
        if entry.is_dir():
            return "link to a folder"
        return "" if entry.is_file() else "neither file nor folder"  # or a link to nothing
    except OSError:  # a link to itself
        return "neither file nor folder"


def _same(path: str, dataset: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(dataset)


def _remote(source: str, pattern: str) -> Iterator[Input]:
    """What an address names: a file, or all files below it."""
    system, path = file_system(source)
    try:
        if not system.isdir(path):
            yield _remote_input(system, path, pattern=pattern, named=True)
            return
        for each in sorted(system.find(path)):
            below = each.removeprefix(path).lstrip("/")
            if not is_hidden(below) and matches(below, pattern):
                yield _remote_input(system, each, named=bool(pattern) or is_named(each))
    except FileNotFoundError:
        raise UnreadableError(f"{source}: no such file", "no_such_file") from None
    except OSError as error:
        raise UnreadableError(f"{source}: {error.strerror or error}", "cannot_open") from None


def _remote_input(system: Any, path: str, *, named: bool, pattern: str = "") -> Input:
    size = system.info(path).get("size") or 0
    return Input(system.unstrip_protocol(path), size, str(system.ukey(path)), named, pattern)


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system for an address, and the path in it."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise UsageError(f"{address}: addresses need fsspec: pip install 'tcptrace_py[remote]'") from None
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:  # fsspec is there, but not what it needs for this protocol
        raise UsageError(f"{address}: {error}") from None
    except ValueError as error:
        raise UsageError(f"{address}: {error}") from None
    return system, str(path)

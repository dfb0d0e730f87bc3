"""Which files are one capture that was cut into pieces: `tcpdump -C`, `-G` and `-W`, `dumpcap -b` and the like.

Files belong together if their names differ in numbers only, and they have the same format, link type, snap length and
interfaces, and their times adjoin.  Knows names and first packets.  Does not know what else is in them.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.capture.joined import SIGN, CaptureSet
from tcptrace_py.capture.reader import open_capture
from tcptrace_py.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NUMBER = re.compile(r"\d+")
PACKED = re.compile(r"\.(?:gz|bz2|xz|zst|lz4)$")
SECOND = 10**9
OVERLAP_NS = SECOND  # at most: packets are written a little out of order, also across the cut
SHORT_NS = 60 * SECOND  # a pause that says nothing


class _File(NamedTuple):
    """A file that may be a piece: what its name and its first packet say."""

    path: str
    numbers: tuple[int, ...]
    alike: tuple[object, ...]  # what all pieces of a capture have in common
    first_ns: int


def shape(path: str) -> tuple[str, tuple[int, ...]]:
    """A name without its numbers, and the numbers: ``cap_00002_2026.pcap`` is ``cap_#_#.pcap`` and (2, 2026)."""
    folder, name = os.path.split(path)
    return os.path.join(folder, NUMBER.sub("#", name)), tuple(map(int, NUMBER.findall(name)))  # noqa: PTH118 - text


def _shapes(paths: Iterable[str]) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """Paths by shape.  tcpdump -C gives its first file no number: it goes with those that have one behind its name."""
    by_shape: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for path in paths:
        kind, numbers = shape(path)
        by_shape.setdefault(kind, []).append((path, numbers))
    for kind in list(by_shape):
        packing = PACKED.search(kind)
        stem, suffix = (kind[: packing.start()], packing[0]) if packing else (kind, "")
        numbered = by_shape.get(f"{stem}#{suffix}")
        if numbered and kind in by_shape:
            for path, numbers in list(by_shape[kind]):
                if any(others[:-1] == numbers for _, others in numbered):
                    numbered.append((path, (*numbers, 0)))
                    by_shape[kind].remove((path, numbers))
    return by_shape


def rotated(paths: Iterable[str]) -> list[list[str]]:
    """The sets among these files, each in order of time; files that stand alone are in none.

    Parameters
    ----------
    paths : iterable of str
        Files that can be opened.  Those that cannot be read belong to no set.
    """
    found = []
    for candidates in _shapes(paths).values():
        if len(candidates) > 1:
            files = [file for path, numbers in candidates if (file := _looked_at(path, numbers))]
            by_kind: dict[tuple[object, ...], list[_File]] = {}
            for file in files:
                by_kind.setdefault(file.alike, []).append(file)
            for alike in by_kind.values():
                found += [[file.path for file in run] for run in _runs(alike) if len(run) > 1]
    return sorted(found)


class Tail(NamedTuple):
    """What is remembered of the last file of a set, which may be gone when the next one comes; plain enough for JSON.

    `alike` as in `_File`, but as JSON has it.
    """

    path: str
    numbers: list[int]
    alike: list[Any]
    first_ns: int
    last_ns: int


def tail(path: str, last_ns: int) -> Tail | None:
    """What to remember of a file whose latest time is known; None if it cannot be one of a set."""
    file = _looked_at(path, shape(path)[1])
    return file and Tail(file.path, list(file.numbers), json.loads(json.dumps(file.alike)), file.first_ns, last_ns)


def can_begin(path: str) -> bool:
    """Whether a file can be the first of a set: a capture whose packets have times."""
    return _looked_at(path, ()) is not None


def continuing(end: Tail, paths: Iterable[str]) -> list[str]:
    """Those of these files that go on where a set ended, in order of time."""
    candidates = next((found for found in _shapes([end.path, *paths]).values() if end.path in dict(found)), [])
    files = [file for path, numbers in candidates if path != end.path and (file := _looked_at(path, numbers))]
    before, last_ns = _File(end.path, dict(candidates)[end.path], (), end.first_ns), end.last_ns
    following = []
    for file in sorted(files, key=lambda file: (file.first_ns, file.numbers)):
        if json.loads(json.dumps(file.alike)) == end.alike and _follows(before, file, last_ns):
            following.append(file.path)
            before, last_ns = file, _last(file)
    return following


def _looked_at(path: str, numbers: tuple[int, ...]) -> _File | None:
    try:
        with open_capture(path) as reader:
            for frames in reader:
                if not frames.time_ns[0]:
                    return None
                info = reader.info
                alike = (info.format, info.compression, info.snaplen, tuple(info.interfaces), frames.link[0])
                return _File(path, numbers, alike, frames.time_ns[0])
    except UnreadableError:
        pass
    return None


def _runs(files: list[_File]) -> Iterator[list[_File]]:
    """Files in order of time, cut where one does not adjoin the next."""
    files.sort(key=lambda file: (file.first_ns, file.numbers))
    run = files[:1]
    last_ns = _last(run[0])
    for before, file in itertools.pairwise(files):
        follows = _follows(before, file, last_ns)
        last_ns = _last(file)
        if follows:
            run.append(file)
        else:
            yield run
            run = [file]
    yield run


def _follows(before: _File, file: _File, last_ns: int) -> bool:
    """Whether a file is the next piece: it begins where the one before ends, or soon after, or has the next number."""
    pause, span = file.first_ns - last_ns, last_ns - before.first_ns
    if file.first_ns <= before.first_ns or pause < -min(OVERLAP_NS, span // 10) or file.numbers < before.numbers:
        return False
    steps = [after - number for number, after in zip(before.numbers, file.numbers, strict=False)]
    counted = bool(steps) and (steps[0] == 1 or steps[-1] == 1)
    return pause <= max(SHORT_NS, span) or counted


def _last(file: _File) -> int:
    """The latest time in a file."""
    with open_capture(file.path) as reader:
        for _ in reader:
            pass
    return reader.info.last_time_ns or file.first_ns


def in_order(paths: Sequence[str]) -> CaptureSet:
    """The set of these files, whatever they are called, by the time of their first packets.

    Raises
    ------
    UsageError
        If a file is standard input, which cannot be looked at beforehand.
    """
    if "-" in paths:
        raise UsageError("standard input cannot be one of a set")
    files = [(_looked_at(path, ()), path) for path in paths]
    ordered = sorted(files, key=lambda pair: pair[0].first_ns if pair[0] else 0)
    return CaptureSet(tuple(path for _, path in ordered))


def set_named(name: str) -> CaptureSet | None:
    """The set that a name such as ``cap_00001.pcap+`` stands for: that file and those beside it that continue it."""
    if not name.endswith(SIGN) or Path(name).exists():
        return None
    first = name.removesuffix(SIGN)
    if not Path(first).is_file():
        return None
    folder = os.path.dirname(first)  # noqa: PTH120 - as it is written
    beside = [entry.path if folder else entry.name for entry in os.scandir(folder or ".") if entry.is_file()]
    kinds = {shape(first)[0], shape(first)[0] + "#"}
    near = [path for path in beside if shape(path)[0] in kinds or shape(path)[0] + "#" in kinds]
    own = next((group for group in rotated(near) if first in group), [first])
    return CaptureSet(tuple(own[own.index(first) :]), name)

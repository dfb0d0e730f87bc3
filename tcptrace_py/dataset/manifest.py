"""What was done already: a small JSON file an input, which appears when all of its parts are on disk.

Knows what makes a result out of date.  Does not know how results are made.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = 12  # hexadecimal digits: a million captures collide once in 500 datasets
STEM = 60
RUN = "~"  # stands in no name that `name_for` gives


def name_for(capture: str) -> str:
    """The name of a capture's files in the dataset: what tells it from all others, then what people know it by."""
    digest = hashlib.sha256(capture.encode("utf-8", "surrogateescape")).hexdigest()[:KEY]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePath(capture.rpartition("!")[2]).name)[:STEM].strip("._-")
    return f"{digest}-{stem or 'capture'}"


def run_part(name: str, run: int) -> str:
    """The part with what had come to its end in one run of a set that goes on."""
    return f"{name}{RUN}{run:04}"


def open_part(name: str, run: int) -> str:
    """The part with what was open after that run; the next one replaces it."""
    return f"{run_part(name, run)}-open"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a result depends on beside its input."""

    version: str
    schema_version: int
    tables: list[str]
    options: dict[str, Any]  # of `Options`, but for those that change nothing


@dataclass(frozen=True, slots=True)
class Row:
    """What was made of one input.

    `kind` is capture, archive, or left_out (a file found in a folder that is no capture).  `stamp` is the time of
    the last change in nanoseconds; of a remote file, what its store gives to tell versions apart.  Size and stamp
    of a member are those of its archive.
    """

    capture: str
    kind: str
    size: int
    stamp: str
    sha256: str | None
    settings: dict[str, Any]
    status: str = "ok"
    reason: str = ""
    message: str = ""
    offset: int | None = None
    packets: int = 0
    connections: int = 0
    rows: dict[str, int] = field(default_factory=dict)  # table -> rows
    archive: str | None = None  # the archive that it is a member of
    pattern: str = ""  # which members were asked for
    files: list[str] = field(default_factory=list)  # of a set of rotated files
    members: list[str] = field(default_factory=list)  # of an archive: names of their files in the dataset
    left_out: dict[str, int] = field(default_factory=dict)  # of an archive: why -> members
    joined: str = ""  # the name of the part that holds its rows beside others'; empty for parts of its own
    joined_of: int = 0  # how many captures were joined there
    runs: int = 0  # of a set that goes on: how many batches have added to it
    pieces: list[list[Any]] = field(default_factory=list)  # likewise: path, size and stamp of each of `files`
    tail: list[Any] = field(default_factory=list)  # likewise: what tells which file comes next (`rotation.Tail`)

    @property
    def name(self) -> str:
        """The name of its files in the dataset."""
        return name_for(self.capture)

    @property
    def part(self) -> str:
        """The name of the files that hold its rows, unless it goes on."""
        return self.joined or self.name

    def parts(self, table: str) -> list[str]:
        """The names of the files that hold its rows of a table, in their order."""
        if not self.runs:
            return [self.part]
        ended = [] if table == "captures" else [run_part(self.name, run) for run in range(1, self.runs + 1)]
        return [*ended, open_part(self.name, self.runs)]

    @property
    def schema_version(self) -> int:
        """The version of the columns that its rows have."""
        return int(self.settings.get("schema_version", 0))

    def as_bytes(self) -> bytes:
        """One line of JSON."""
        return (json.dumps(asdict(self), sort_keys=True) + "\n").encode()

    def fits(self, size: int, stamp: str, settings: Settings, pattern: str = "") -> bool:
        """Whether it is what would be made of this input again; without a digest, reading had failed."""
        same_input = (self.size, self.stamp) == (size, stamp) and self.sha256 is not None
        return same_input and self.settings == asdict(settings) and self.pattern == pattern


def row_of(data: bytes) -> Row | None:
    """A row as it was written, or None if it makes no sense: then its input is done again.

    What a later version has added is passed over; that it is one shows in `Row.schema_version`.
    """
    try:
        facts = json.loads(data)
        return Row(**{one.name: facts[one.name] for one in fields(Row) if one.name in facts})
    except (ValueError, TypeError):
        return None


def under(capture: str, sources: Iterable[str]) -> bool:
    """Whether a capture was found in one of these sources."""
    return any(capture == s or capture.startswith((s.rstrip(os.sep) + os.sep, s + "!")) for s in sources)

"""What capinfos and tshark say of capture files: packets, verdict, earliest and latest time, every time.

Both are run, not imported; capinfos reads hundreds of files a call.  What it says only in words is told by the words.
"""

from __future__ import annotations

import csv
import re
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = {  # of capinfos -> our verdict
    "appears to have been cut short": "cut short",
    "appears to be damaged or corrupt": "damaged",
    "cannot be decompressed": "damaged",
    "isn't a capture file in a format": "unreadable",
    "contains record data that": "unsupported",
    "is a capture for a network type that": "unsupported",
}
NAMED = re.compile(r'file "([^"]*)"')
PLAIN = re.compile(r"-?\d+\.\d+")
AFTER = re.compile(r'after reading (\d+) packets? from "([^"]*)"')


class Said(NamedTuple):
    """What capinfos says of one file."""

    verdict: str = "unreadable"
    packets: int = 0
    format: str = ""
    first_ns: int | None = None
    last_ns: int | None = None
    why: str = ""


def capinfos(paths: Sequence[Path]) -> dict[str, Said]:
    """File name -> what is said of it."""
    command = ["capinfos", "-TmQr", "-t", "-c", "-a", "-e", "-S", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = dict.fromkeys(map(str, paths), Said())
    for name, kind, packets, first, last in csv.reader(done.stdout.splitlines()):
        found[name] = Said("ok", int(packets), kind, _ns(first), _ns(last))
    _words(done.stderr, found)
    return found


def _words(text: str, found: dict[str, Said]) -> None:
    """What stands on standard error only: the verdict, and how many packets came before it."""
    name = ""
    for line in text.splitlines():
        if after := AFTER.search(line):
            name = after[2]
            found[name] = found[name]._replace(packets=int(after[1]))
        elif (named := NAMED.search(line)) and named[1] in found:
            name = named[1]
            verdict = next((verdict for words, verdict in WORDS.items() if words in line), "")
            if verdict:
                found[name] = found[name]._replace(verdict=verdict, why=line.partition(f'"{name}" ')[2])
        elif name and line.startswith("("):
            found[name] = found[name]._replace(why=line[1:-1])


def _ns(text: str) -> int | None:
    """Nanoseconds of ``seconds.fraction``; None where there are none, or (an overflow of its own) a sign in between."""
    return int(Decimal(text).scaleb(9)) if PLAIN.fullmatch(text) else None


def tshark_times(path: Path) -> list[int]:
    """The time of every packet of which tshark tells one; it shows some blocks without packets as frames, too."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.time_epoch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(Decimal(line).scaleb(9)) for line in done.stdout.splitlines() if line]

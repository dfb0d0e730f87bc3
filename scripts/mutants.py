"""Spoilt captures by the thousand through the whole pipeline, beside capinfos: the table in docs/robustness.md.

python scripts/mutants.py                            2,000 of them; exits with 1 if anything is wrong
python scripts/mutants.py --count 100000 --write     the long run, its table written into the document
python scripts/mutants.py --corpus --write           the unspoilt captures of the reference folder instead
python scripts/mutants.py --digests FILE             a line a mutant, to compare two installations

A seed makes the same mutant wherever the reference folder (TCPTRACE_PY_CORPUS) is the same.  What is wrong is told
with its seed, and its file is left in the folder of --keep.  Where capinfos or tshark are absent, their word is not
asked for.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.by_capinfos import capinfos, tshark_times
from scripts.capinfos_reasons import REASONS, differs, reason_for, times_comparable
from scripts.documents import ROOT
from scripts.watched import VERDICTS, Reading, Watched
from tcptrace_py.capture import Mark
from tests.containers import frames_of
from tests.corpus import CORPUS
from tests.spoiling import mutant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.by_capinfos import Said

PAGE = ROOT / "docs" / "robustness.md"
END = "<!-- end -->"
AT_ONCE = 500  # files on disk, and in one call of capinfos
EVERY_TIME = 250  # of so many files one has all its times compared with tshark's
FOLDERS = ("captures", "tcptrace-suite", "probes")
KINDS = {".pcap", ".pcapng", ".dmp", ".dump"}


@dataclass
class Found:
    """What the run has seen."""

    files: Counter[str] = field(default_factory=Counter)  # by kind
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    agreed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    timed: Counter[str] = field(default_factory=Counter)
    packets: int = 0
    slowest: tuple[float, str] = (0.0, "")
    peak_kb: int = 0

    def take(self, name: str, kind: str, ours: Reading) -> None:
        """Count one file."""
        self.files[kind] += 1
        self.packets += ours.packets
        self.slowest = max(self.slowest, (ours.seconds, name))
        self.peak_kb = max(self.peak_kb, ours.peak_kb)
        if ours.verdict:
            self.verdicts[ours.verdict] += 1
        if ours.wrong:
            self.tell(name, kind, ours.wrong)

    def compare(self, path: Path, kind: str, ours: Reading, theirs: Said) -> None:
        """Hold one file against capinfos."""
        difference = differs(ours, theirs)
        if not difference:
            self.agreed += 1
        elif reason := reason_for(path.read_bytes(), ours, theirs):
            self.reasons[reason] += 1
        else:
            self.tell(path.name, kind, f"differs: {difference} ({theirs.format} {theirs.why})")

    def compare_times(self, path: Path, kind: str) -> None:
        """Hold every time of one file against tshark."""
        got, info = frames_of(path)
        if not times_comparable(path.read_bytes(), got, info):
            return
        mine = [frame.time_ns for frame in got if not frame.marks & Mark.NO_TIME]
        self.timed.update(files=1, packets=len(mine))
        if mine != (theirs := tshark_times(path)):
            self.tell(path.name, kind, f"times: {mine[:5]}..., tshark {theirs[:5]}...")

    def tell(self, name: str, kind: str, wrong: str) -> None:
        """Something that must not be."""
        self.wrong[wrong.partition(":")[0]] += 1
        print(f"{name} ({kind}): {wrong}", flush=True)


def spoilt(folder: Path, seeds: Iterable[int]) -> list[tuple[Path, str]]:
    """These mutants as files, with what they were made from."""
    made = []
    for seed in seeds:
        found = mutant(seed)
        path = folder / f"{seed:07d}"
        path.write_bytes(found.data)
        made.append((path, found.kind))
    return made


def groups(asked: argparse.Namespace, folder: Path) -> Iterator[list[tuple[Path, str]]]:
    """The files, some hundred at a time."""
    if asked.corpus:
        found = [path for name in FOLDERS if (CORPUS / name).is_dir() for path in sorted((CORPUS / name).iterdir())]
        yield [(path, path.parent.name) for path in found if path.suffix in KINDS]
        return
    until = time.monotonic() + asked.minutes * 60
    for first in range(asked.first, asked.first + asked.count, AT_ONCE):
        if time.monotonic() > until:
            return
        made = spoilt(folder, range(first, min(first + AT_ONCE, asked.first + asked.count)))
        yield made
        for path, _ in made:
            path.unlink()


def run(asked: argparse.Namespace, folder: Path) -> Found:
    """Read all of them, compare, count."""
    found = Found()
    word, times = (shutil.which(program) for program in ("capinfos", "tshark"))
    with Watched(digest=bool(asked.digests), agree=not asked.corpus) as watched:
        for files in groups(asked, folder):
            said = capinfos([path for path, _ in files]) if word else {}
            for number, (path, kind) in enumerate(files):
                ours = watched.read(path)
                wrong = found.wrong.total()
                found.take(path.name, kind, ours)
                if ours.verdict and said:
                    found.compare(path, kind, ours, said[str(path)])
                    sampled = asked.corpus or number % EVERY_TIME == 0
                    if times and sampled and ours.packets and not differs(ours, said[str(path)]):
                        found.compare_times(path, kind)
                if found.wrong.total() > wrong and asked.keep:
                    shutil.copy(path, asked.keep)
                if asked.digests:
                    print(path.name, kind, ours.verdict, ours.packets, ours.digest, file=asked.digests)
    return found


def table(asked: argparse.Namespace, found: Found, minutes: float) -> str:
    """What was found, for the document."""
    last = asked.first + found.files.total() - 1
    what = "every unspoilt capture of the reference folder" if asked.corpus else f"seeds {asked.first} to {last}"
    rows = {
        "files": f"{found.files.total():,} ({what}) with {found.packets:,} packets",
        "made from": _counts(found.files),
        "verdicts": ", ".join(f"{name} {found.verdicts[name]:,}" for name in VERDICTS),
        "tracebacks, hangs, contradictions, words on stderr, over 512 MB, differences that no reason explains": (
            _counts(found.wrong) or "none"
        ),
        "slowest": f"{found.slowest[0]:.2f} s",
        "most memory, the interpreter with its libraries included": f"{found.peak_kb / 1024:.0f} MB",
        "packet count, verdict, first and last time as capinfos has them": f"{found.agreed:,}",
        "different for a reason below": f"{found.reasons.total():,}",
        "every time to the nanosecond as tshark has it": (
            f"{found.timed['files']:,} files, {found.timed['packets']:,} packets"
        ),
        "took": f"{minutes:.0f} min",
    }
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    known = [each for each in REASONS if found.reasons[each.name]]
    if known:
        lines += ["", "| reason | files | right | why |", "|---|---|---|---|"]
    lines += [f"| {each.name} | {found.reasons[each.name]:,} | {each.right} | {each.why} |" for each in known]
    return "\n".join(lines) + "\n"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())


def write(name: str, text: str) -> None:
    """Put a table into the document."""
    begin = f"<!-- measured: {name} -->\n"
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    PAGE.write_text(before + begin + text + END + rest.split(END, 1)[1], encoding="utf-8")


def main() -> int:
    """Run as asked; 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=20_261_122, help="the first seed")
    parser.add_argument("--count", type=int, default=2_000, help="how many")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no more after so long")
    parser.add_argument("--corpus", action="store_true", help="the reference captures, unspoilt")
    parser.add_argument("--digests", type=argparse.FileType("w"), help="also write a line a mutant")
    parser.add_argument("--keep", type=Path, help="folder for files with which something is wrong")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    if asked.keep:
        asked.keep.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        found = run(asked, Path(folder))
    text = table(asked, found, (time.monotonic() - began) / 60)
    print(text)
    if asked.write:
        write("unspoilt" if asked.corpus else "mutants", text)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

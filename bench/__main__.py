"""python -m bench: make the workloads, run the programs on them in turn, tell what they cost."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import archive as batches
from bench import hostile, split
from bench.measure import Cost, FailedError, interleaved
from bench.programs import HERE, OURS, machine, ours, peers
from bench.workloads import USUAL, WORKLOADS, quick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.programs import Program

ROOT = HERE.parent
FIGURES = r"(<!-- generated: {mark} -->\n).*?(<!-- end -->)"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", choices=[*WORKLOADS, []], help=f"default: {' '.join(USUAL)}")
    parser.add_argument("--files", nargs="+", type=Path, default=[], help="measure on these captures instead")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], help="programs whose name begins so (and ours)")
    parser.add_argument("--folder", type=Path, default=HERE / "work", help="where workloads are made, and kept")
    parser.add_argument("--markdown", type=Path, help="write the tables into this file, at its mark for them")
    parser.add_argument("--stages", action="store_true", help="also where our time goes")
    parser.add_argument("--floods", action="store_true", help="instead: what a packet of a flood costs us")
    parser.add_argument("--archive", action="store_true", help="instead: what a second worker brings to a batch")
    parser.add_argument("--split", action="store_true", help="instead: what `batch --split` brings to one capture")
    parser.add_argument("--quick", action="store_true", help="everything once, in small: does it work at all")
    return parser.parse_args()


def made(name: str, folder: Path, *, quick: bool) -> Path:
    """The workload's file; made by a process of its own, so that this one stays small."""
    path = folder / f"{name}{'-quick' if quick else ''}.pcap"
    if quick or not path.exists():
        part = path.with_suffix(".part")
        command = [sys.executable, "-m", "bench.generator", name, str(part), *(["quick"] if quick else [])]
        print(f"{name}: ", end="", flush=True)
        subprocess.run(command, cwd=ROOT, check=True)
        part.rename(path)
    return path


def table(costs: dict[str, Cost]) -> list[list[str]]:
    """Rows of text: what each program cost, and how many times that is ours."""
    unit = costs[OURS].cpu_s
    head = ["program", "CPU s", "CPU, ours = 1", "wall s", "peak MB"]
    rows = [
        [name, f"{cost.cpu_s:.2f}", f"{cost.cpu_s / unit:.2f}", f"{cost.wall_s:.2f}", f"{cost.peak_mb:.0f}"]
        for name, cost in costs.items()
    ]
    return [head, *rows]


def plain(rows: list[list[str]]) -> str:
    """A table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def markdown(rows: list[list[str]]) -> str:
    """The same table for a document."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:]])


def measured(inputs: dict[str, Path], programs: list[Program], rounds: int) -> Iterator[tuple[str, list[list[str]]]]:
    """A table for every input."""
    for name, path in inputs.items():
        without = WORKLOADS[name].without if name in WORKLOADS else ()
        commands = {
            program.name: program.command(path) for program in programs if not program.name.startswith((*without, "-"))
        }
        yield name, table(interleaved(commands, rounds))


def write(path: Path, mark: str, text: str) -> None:
    """Put `text` into a document, between its marks for it."""
    pattern = re.compile(FIGURES.format(mark=mark), re.DOTALL)
    path.write_text(pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", path.read_text("utf-8")), "utf-8")


def floods(given: argparse.Namespace) -> int:
    """The table of the floods."""
    rounds = 1 if given.quick else given.rounds
    ordinary = quick(WORKLOADS[hostile.ORDINARY]) if given.quick else WORKLOADS[hostile.ORDINARY]
    about = f"{machine(ours(given.folder))}. Medians of {rounds} rounds."
    rows = hostile.costs(
        given.folder,
        lambda name: made(name, given.folder, quick=given.quick),
        ordinary.packets,
        rounds,
        quick=given.quick,
    )
    print(f"{about}\n{plain(rows)}")
    if given.markdown:
        write(given.markdown, "floods", f"{about}\n\n{markdown(rows)}")
    return 0


def archive(given: argparse.Namespace) -> int:
    """The table of a batch with one worker and with two."""
    name, rounds = "small", 1 if given.quick else given.rounds
    workload = quick(WORKLOADS[name]) if given.quick else WORKLOADS[name]
    path = made(name, given.folder, quick=given.quick)
    files = 4 if given.quick else batches.FILES
    rows = batches.speed_up(given.folder, path, workload.packets, rounds, files=files)
    about = f"{machine(ours(given.folder))}. {files} files of {workload.packets:,} packets; medians of {rounds} rounds."
    print(f"{about}\n{plain(rows)}")
    if given.markdown:
        write(given.markdown, "archive", f"{about}\n\n{markdown(rows)}")
    return 0


def one_capture(given: argparse.Namespace) -> int:
    """The table of a batch of one large capture, split or not."""
    name, rounds = "large-snap96", 1 if given.quick else given.rounds
    workload = quick(WORKLOADS[name]) if given.quick else WORKLOADS[name]
    path = made(name, given.folder, quick=given.quick)
    rows = split.speed_up(given.folder, path, workload.packets, rounds)
    what = f"{workload.packets:,} packets, {split.WORKERS} workers"
    about = f"{machine(ours(given.folder))}. {what}; medians of {rounds} rounds."
    print(f"{about}\n{plain(rows)}")
    if given.markdown:
        write(given.markdown, "split", f"{about}\n\n{markdown(rows)}")
    return 0


def main() -> int:
    """Measure, print, write."""
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.floods:
        return floods(given)
    if given.archive:
        return archive(given)
    if given.split:
        return one_capture(given)
    others = [peer for peer in peers(given.folder) if not given.only or peer.name.startswith(tuple(given.only))]
    programs = ours(given.folder) + others
    inputs = {path.name: path for path in given.files} or {
        name: made(name, given.folder, quick=given.quick) for name in given.workloads or USUAL
    }
    rounds = 1 if given.quick else given.rounds
    parts = [f"{machine(programs)}. Medians of {rounds} rounds."]
    print(f"\n{parts[0]}")
    try:
        for name, rows in measured(inputs, programs, rounds):
            print(f"\n{name} ({inputs[name].stat().st_size / 1e6:,.1f} MB)\n{plain(rows)}", flush=True)
            parts.append(f"**{name}**\n\n{markdown(rows)}")
    except FailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if given.stages or given.quick:
        print(flush=True)
        subprocess.run([sys.executable, "-m", "bench.stages", *map(str, inputs.values())], cwd=ROOT, check=True)
    if given.markdown:
        write(given.markdown, "figures", "\n\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())

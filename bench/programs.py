"""Who is measured: our own command, and the others where they are installed."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
OURS = "tcpflows analyze"
FIELDS = [
    "frame.time_epoch",
    "tcp.stream",
    "tcp.len",
    "tcp.seq",
    "tcp.analysis.flags",
    "tcp.analysis.ack_rtt",
    "tcp.analysis.retransmission",
    "tcp.analysis.out_of_order",
    "tcp.analysis.duplicate_ack",
]


@dataclass(frozen=True, slots=True)
class Program:
    """A way to get something out of a capture: its command on a capture, and how it tells its version."""

    name: str
    command: Callable[[Path], list[str]]
    version: list[str]


def own() -> list[str]:
    """Our command as it is installed beside this Python, or as it lies here."""
    installed = Path(sys.executable).with_name("tcpflows")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "tcptrace_py"]


def ours(work: Path) -> list[Program]:
    """The summary, and every segment labelled and written."""
    timeline = str(work / "timeline.parquet")
    version = [*own(), "--version"]
    return [
        Program(OURS, lambda path: [*own(), "analyze", "-q", str(path)], version),
        Program(
            "tcpflows timeline to Parquet",
            lambda path: [*own(), "analyze", "-q", str(path), "--table", "timeline", "-o", timeline],
            version,
        ),
    ]


def peers(work: Path) -> list[Program]:
    """Those that can be had here."""
    found = []
    if counter := _counter(work):
        found.append(Program("count", lambda path: [counter, str(path)], []))
    if shutil.which("tcptrace"):
        command = ["tcptrace", "-n", "-l", "-r"]
        found.append(Program("tcptrace", lambda path: [*command, str(path)], ["tcptrace", "-v"]))
    if shutil.which("tshark"):
        base, version = ["tshark", "-n", "-r"], ["tshark", "--version"]
        fields = [word for field in FIELDS for word in ("-e", field)]
        found.append(Program("tshark conversations", lambda path: [*base, str(path), "-q", "-z", "conv,tcp"], version))
        found.append(
            Program("tshark fields", lambda path: [*base, str(path), "-Y", "tcp", "-T", "fields", *fields], version)
        )
    return found


def _counter(work: Path) -> str | None:
    """The C program, compiled; None without a compiler or libpcap."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = work / "count_tuples"
    done = subprocess.run(
        [compiler, "-O2", "-o", program, HERE / "count_tuples.c", "-lpcap"], stderr=subprocess.PIPE, check=False
    )
    return None if done.returncode else str(program)


def machine(programs: list[Program]) -> str:
    """One line: what ran on what."""
    versions = {program.name.split()[0]: _version(program) for program in programs if program.version}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{_processor()}, {platform.system()}, Python {platform.python_version()}; {told}"


def _version(program: Program) -> str:
    """As it tells it: the first number with a dot, and ours also whether it is compiled."""
    done = subprocess.run(program.version, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)*( \((compiled|interpreted)\))?", done.stdout.decode(errors="replace"))
    return found[0] if found else "of unknown version"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.machine()

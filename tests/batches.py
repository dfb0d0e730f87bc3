"""What the tests of ``tcpflows batch`` share: captures to work on, a quick executor, and what a dataset holds."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import Executor, Future
from pathlib import Path

import tcptrace_py as tt

FIXTURES = Path(__file__).parent / "fixtures"
ROOT = FIXTURES.parents[1]
NAMES = ("four_way", "refused", "loss_bulk", "half_close", "port_reuse", "reset_abort")


class Inline(Executor):
    """Does the work at once, in this process."""

    def submit(self, work, /, *args, **options):
        future = Future()
        future.set_running_or_notify_cancel()
        future.set_result(work(*args, **options))
        return future


def batch(sources, dataset, **options):
    """A batch in this process."""
    return tt.batch(sources, dataset, executor=Inline(), **options)


def folder_of(path, names=NAMES):
    """A folder of captures."""
    path.mkdir(parents=True)
    for name in names:
        shutil.copy(FIXTURES / f"{name}.pcap", path)
    return path


def tar_of(members):
    """A tar archive in memory: of (name, bytes), or of TarInfo for what is no file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def capture(name):
    """The bytes of a fixture."""
    return (FIXTURES / f"{name}.pcap").read_bytes()


def shifted(name, days):
    """A fixture some days later."""
    data = bytearray(capture(name))
    at = 24
    while at < len(data):
        seconds, length = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 8 : at + 12], "little")
        data[at : at + 4] = (seconds + days * 86_400).to_bytes(4, "little")
        at += 16 + length
    return bytes(data)


def contents(dataset):
    """Every file that a reader of the dataset sees."""
    files = (path for path in Path(dataset).rglob("*") if path.is_file())
    return {str(path.relative_to(dataset)): path.read_bytes() for path in files if path.name != ".lock"}


def captures(dataset):
    """Captures and their status, by the last part of their name."""
    import pandas as pd

    table = pd.read_parquet(Path(dataset) / "captures")
    return {path.rpartition("/")[2]: status for path, status in zip(table["path"], table["status"], strict=True)}


def command(*args, env=None, **options):
    """The command as a process of its own."""
    program = [sys.executable, "-m", "tcptrace_py", "batch", *map(str, args)]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), **(env or {})}
    return subprocess.Popen(program, env=env, **{**streams, **options})


def run(*args, **options):
    """Exit code, standard output and standard error of the command."""
    process = command(*args, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err

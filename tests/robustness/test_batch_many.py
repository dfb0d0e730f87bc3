"""Many captures, broken ones and archives among them: whoever does the work, the dataset is the same to the octet.

TCPTRACE_PY_CAPTURES sets how many (usually 80).
"""

import contextlib
import gzip
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tcptrace_py.errors import ExitCode
from tests.batches import FIXTURES, ROOT, batch, command, contents, tar_of

CAPTURES = int(os.environ.get("TCPTRACE_PY_CAPTURES", "80"))
IN_ARCHIVES = 10  # one in so many
PATIENCE_S = 600
WORST = ExitCode.UNREADABLE  # some are cut within their headers
HAS_DASK = importlib.util.find_spec("distributed") is not None
WITH_DASK = pytest.mark.skipif(not HAS_DASK, reason="distributed is not installed")


def capture(number, rng):
    """A copy of a fixture, or one that is cut, spoilt or compressed."""
    data = bytearray(rng.choice(FIXTURE_DATA))
    kind = number % 5
    if kind == 1:
        del data[rng.randrange(len(data)) :]
    elif kind == 2:
        for _ in range(3):
            data[rng.randrange(24, len(data))] ^= 1 << rng.randrange(8)
    return gzip.compress(data, mtime=0) if kind == 3 else bytes(data)


FIXTURE_DATA = [path.read_bytes() for path in sorted(FIXTURES.glob("*.pcap"))]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    rng = random.Random(5)
    packed = []
    for number in range(CAPTURES):
        name, data = f"capture{number:04d}.pcap", capture(number, rng)
        if number % IN_ARCHIVES:
            (folder / name).write_bytes(data)
        else:
            packed.append((name, data))
    half = len(packed) // 2
    (folder / "first.tar").write_bytes(tar_of(packed[:half]))
    (folder / "second.tar.gz").write_bytes(gzip.compress(tar_of(packed[half:]), mtime=0))
    return folder


@pytest.fixture(scope="module")
def serial(tmp_path_factory, source):
    """The dataset as one process makes it, one capture after the other."""
    dataset = tmp_path_factory.mktemp("serial")
    result = batch(source, dataset)
    assert result.exit_code is WORST
    assert (result.files, result.files_done) == (len(list(source.iterdir())),) * 2
    assert min(result.counts[status] for status in ("ok", "partial", "unreadable")) > 0
    return contents(dataset)


def finished(dataset):
    return len(list((dataset / "manifest").glob("[!.]*.json")))


def wait_for(dataset, rows, process):
    until = time.monotonic() + PATIENCE_S
    while finished(dataset) < rows and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)


def ended(process):
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == WORST, err


def test_local_workers(tmp_path, source, serial):
    ended(command(source, "-o", tmp_path / "out", "-j", 2, "-q"))
    assert contents(tmp_path / "out") == serial


def test_a_local_worker_is_killed(tmp_path, source, serial):
    dataset = tmp_path / "out"
    process = command(source, "-o", dataset, "-j", 2, "-q")
    wait_for(dataset, CAPTURES // 3, process)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    ended(process)
    assert contents(dataset) == serial


@contextlib.contextmanager
def cluster(folder):
    """A dask scheduler and two workers, each a process of its own; the scheduler's address, and the workers."""
    told = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    common = ["--scheduler-file", str(told), "--host", "127.0.0.1", "--no-dashboard"]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *common]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *common]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": folder}
    with contextlib.ExitStack() as running:

        def start(words):
            process = running.enter_context(subprocess.Popen(words, **quiet))
            running.callback(process.kill)
            return process

        start(scheduler)
        until = time.monotonic() + 60
        while not (told.exists() and told.read_text().rstrip().endswith("}")) and time.monotonic() < until:
            time.sleep(0.05)
        workers = [start(worker), start(worker)]
        yield json.loads(told.read_text())["address"], workers


@WITH_DASK
def test_a_dask_scheduler_and_two_workers(tmp_path, source, serial):
    with cluster(tmp_path) as (address, _):
        ended(command(source, "-o", tmp_path / "out", "--scheduler", address, "-q"))
    assert contents(tmp_path / "out") == serial


@WITH_DASK
def test_a_dask_worker_is_killed(tmp_path, source, serial):
    dataset = tmp_path / "out"
    with cluster(tmp_path) as (address, workers):
        process = command(source, "-o", dataset, "--scheduler", address, "-q")
        wait_for(dataset, CAPTURES // 3, process)
        workers[0].kill()
        ended(process)
    assert contents(dataset) == serial

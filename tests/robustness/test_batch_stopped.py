"""A batch that is stopped, killed, refused space or robbed of its workers, and the one that comes after it.

The command runs as a process of its own.  TCPTRACE_PY_KILLS sets at how many points it is killed (usually 20).
"""

import contextlib
import gzip
import json
import multiprocessing
import os
import pty
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py.dataset.schedule import GivenExecutor, LocalWorkers, carried_out
from tcptrace_py.errors import ExitCode
from tests.batch_tasks import fatal, slow, square
from tests.batches import batch, capture, captures, command, contents, folder_of, run, tar_of

KILLS = int(os.environ.get("TCPTRACE_PY_KILLS", "20"))
MANY = 16


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Enough captures to be stopped among."""
    folder = folder_of(tmp_path_factory.mktemp("batch") / "in")
    for number in range(MANY - 8):
        shutil.copy(folder / "loss_bulk.pcap", folder / f"copy{number}.pcap")
    (folder / "cut.pcap").write_bytes(capture("four_way")[:-7])
    (folder / "x.tar.gz").write_bytes(gzip.compress(tar_of([(f"{n}.pcap", capture("port_reuse")) for n in range(6)])))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, source):
    """What the dataset holds when nothing happens."""
    dataset = tmp_path_factory.mktemp("whole")
    assert batch(source, dataset, tables=["connections", "timeline"]).exit_code is ExitCode.PARTIAL
    return contents(dataset)


def has_begun(process, dataset, rows):
    """Wait until the manifest has so many rows, or the process ends."""
    while process.poll() is None and len(list((dataset / "manifest").glob("*.json"))) < rows:
        time.sleep(0.002)


def no_part_is_half(dataset):
    """Every file that a reader sees can be read to its end."""
    import pyarrow.parquet as pq

    for path in dataset.rglob("*.parquet"):
        if not path.name.startswith("."):
            pq.read_table(path)
    for path in dataset.glob("manifest/[!.]*"):
        json.loads(path.read_text())


def children(pid):
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def gone(pid):
    """Whether a process has ended, or is only waiting to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_hostile_64_killed_at_any_point_and_run_again(tmp_path, source, whole):
    rng = random.Random(64)
    for number in range(KILLS):
        dataset = tmp_path / str(number)
        process = command(source, "-o", dataset, "-t", "connections", "--timeline", "-j", 1, "-q")
        has_begun(process, dataset, rng.randrange(MANY))
        time.sleep(rng.random() * 0.03)
        workers = children(process.pid)
        process.kill()
        process.communicate()
        until = time.monotonic() + 30
        while not all(map(gone, workers)) and time.monotonic() < until:
            time.sleep(0.002)
        assert all(map(gone, workers))  # they end with the batch
        no_part_is_half(dataset)
        batch(source, dataset, tables=["connections", "timeline"])
        assert contents(dataset) == whole, f"killed for the {number}th time"
        shutil.rmtree(dataset)


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_hostile_64_interrupted(tmp_path, source, whole, stop, code):
    for attempt in range(10):
        dataset = tmp_path / f"out{attempt}"
        process = command(source, "-o", dataset, "-t", "connections", "--timeline", "-j", 2, start_new_session=True)
        has_begun(process, dataset, 5)
        os.killpg(
            process.pid, stop
        ) if stop == signal.SIGINT else process.terminate()  # a keyboard reaches workers, too
        _, err = process.communicate(timeout=60)
        if process.returncode != ExitCode.PARTIAL:  # else it was done before the signal came
            break
    assert process.returncode == code
    done = len([path for path in dataset.glob("manifest/[!.]*") if json.loads(path.read_text())["archive"] is None])
    told = err.splitlines()[-1]
    assert told.startswith("tcpflows: interrupted: ")
    assert told.endswith(f" of {MANY} done, resume with the same command")
    assert done - 2 <= int(told.split()[2]) <= done
    assert "Traceback" not in err
    assert not list(dataset.rglob("*.tmp"))
    no_part_is_half(dataset)
    again = batch(source, dataset, tables=["connections", "timeline"])
    assert again.files_kept == done
    assert contents(dataset) == whole


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))


def test_hostile_63_a_quota_in_mid_batch(tmp_path, source, whole):
    dataset = tmp_path / "out"
    (tmp_path / "big").mkdir()
    options = ["-t", "connections", "--timeline", "-j", 1]
    code, _, err = run(source, "-o", dataset, *options, preexec_fn=limited)
    assert code == ExitCode.NOT_WRITTEN
    assert "cannot write" in err
    assert "File too large" in err
    assert "Traceback" not in err
    assert not list(dataset.rglob("*.tmp"))
    no_part_is_half(dataset)
    batch(source, dataset, tables=["connections", "timeline"])
    assert contents(dataset) == whole


@pytest.mark.parametrize("place", ["/dev/full", "/dev/null/x", "/proc/x", "file", "read-only"])
def test_hostile_63_places_that_cannot_be_written(tmp_path, source, place):
    (tmp_path / "file").touch()
    (tmp_path / "read-only").mkdir(mode=0o555)
    if place == "read-only" and os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    code, out, err = run(source, "-o", tmp_path / place, "-q")
    assert (code, out) == (ExitCode.NOT_WRITTEN, "")
    assert err.startswith(f"tcpflows: cannot write {tmp_path / place}")
    assert err.count("\n") == 1


def test_hostile_67_a_killed_worker_costs_a_retry(tmp_path, monkeypatch):
    monkeypatch.setenv("BATCH_TASKS", str(tmp_path))
    results = dict(carried_out(fatal, range(9), LocalWorkers(2), lambda number, _why: -number))
    assert results == {number: -3 if number == 3 else number * number for number in range(9)}


def test_hostile_67_a_batch_whose_workers_are_killed_goes_on(tmp_path, source, whole):
    killed = []

    def kill(so_far, _bad):
        if so_far.files_done in (3, 9) and len(killed) < 2:
            victim = multiprocessing.active_children()[0]
            killed.append(victim.pid)
            victim.kill()

    done = tt.batch(source, tmp_path, tables=["connections", "timeline"], workers=2, progress=kill)
    assert len(killed) == 2
    assert (done.files_done, done.exit_code) == (MANY, ExitCode.PARTIAL)
    assert contents(tmp_path) == whole


def test_any_executor_will_do(tmp_path, source, whole):
    with ThreadPoolExecutor(2) as executor:
        tt.batch(source, tmp_path, tables=["connections", "timeline"], executor=executor)
        assert executor.submit(square, 3).result() == 9  # it is not ours to end
    assert contents(tmp_path) == whole


def test_an_executor_that_fails_twice_has_its_say():
    class Failing(ThreadPoolExecutor):
        def submit(self, work, number, /):
            return super().submit(work, number if number != 2 else "x")

    with Failing(1) as executor:
        results = dict(carried_out(square, [1, 2], GivenExecutor(executor, 1), lambda _number, why: why))
    assert results == {1: 1, 2: "can't multiply sequence by non-int of type 'str'"}


def test_a_program_that_workers_cannot_import(tmp_path, source):
    program = tmp_path / "program.py"
    program.write_text(f"import tcptrace_py as tt\ntt.batch({str(source)!r}, {str(tmp_path / 'out')!r})\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(tt.__file__).parents[1]), *sys.path[1:]])}
    done = subprocess.run([sys.executable, program], env=env, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("tcptrace_py.errors.UsageError: workers cannot start: ")
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_workers_end_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("BATCH_TASKS", str(tmp_path))
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))

    def when_begun():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(when_begun)
        with pytest.raises(KeyboardInterrupt):
            list(carried_out(slow, range(9), LocalWorkers(2), lambda _task, _why: None))
    assert all(gone(int(path.name)) for path in tmp_path.iterdir())


def test_hostile_69_no_tmp_no_home_no_language_no_terminal(tmp_path, source, whole):
    env = {
        "PATH": os.environ["PATH"],
        "TMPDIR": "/nonexistent",
        "LANG": "C",
        "PYTHONPATH": os.pathsep.join(sys.path[1:]),
    }
    root = Path(tt.__file__).parents[1]
    program = [sys.executable, "-m", "tcptrace_py", "batch", str(source), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*program, "-t", "connections", "--timeline", "-j", "2"],
        env=env,
        cwd=root,
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == ExitCode.PARTIAL, done.stderr
    assert contents(tmp_path / "out") == whole


def test_a_dask_cluster_does_the_same(tmp_path, source, whole):
    distributed = pytest.importorskip("distributed")
    program = """
import sys, distributed, tcptrace_py as tt
if __name__ == "__main__":
    here = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(**here) as cluster:
        tables = ["connections", "timeline"]
        done = tt.batch(sys.argv[1], sys.argv[2], tables=tables, scheduler=cluster.scheduler_address)
    print(done.files_done)
"""
    assert distributed.__version__
    (tmp_path / "program.py").write_text(program)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(tt.__file__).parents[1]), *sys.path[1:]])}
    words = [sys.executable, str(tmp_path / "program.py"), str(source), str(tmp_path / "out")]
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True, timeout=120)
    assert done.stdout == f"{MANY}\n", done.stderr
    assert contents(tmp_path / "out") == whole


def test_progress_for_programs(tmp_path, source):
    code, out, err = run(source, "-o", tmp_path / "out", "--progress", "json", "-j", 1, "-q")
    facts = [json.loads(line) for line in err.splitlines()]
    assert (code, out) == (ExitCode.PARTIAL, "")
    assert [each["files_done"] for each in facts if each["kind"] == "progress"] == list(range(MANY + 1))
    (problem,) = (each for each in facts if each["kind"] == "problem")
    assert (problem["capture"], problem["status"]) == (str(source / "cut.pcap"), "partial")
    end = facts[-1]
    assert (end["kind"], end["exit_code"], end["bytes_done"]) == ("end", 3, end["bytes"])
    assert end["counts"] == {"ok": MANY + 4, "partial": 1}


def test_what_is_said_in_the_end(tmp_path, source):
    code, out, err = run(source, "-o", tmp_path / "out", "-j", 1)
    cut = f"{source}/cut.pcap: cut short in record 11 at byte 832 (wanted 52, got 45); 10 packets kept"
    assert code == ExitCode.PARTIAL
    assert f"tcpflows: {cut}" in err.splitlines()
    assert out.splitlines()[0] == f"{tmp_path / 'out'}  {MANY + 5} captures of {MANY} files"
    assert out.splitlines()[-5:] == [f"{MANY + 4:>11}  ok", "          1  partial", "", "Not ok", f"  {cut}"]
    again = run(source, "-o", tmp_path / "out", "-j", 1)
    assert again[0] == ExitCode.PARTIAL
    assert f"  {MANY} files of them unchanged, and not read again" in again[1].splitlines()
    assert set(captures(tmp_path / "out").values()) == {"ok", "partial"}


def test_progress_on_a_terminal(tmp_path, source):
    ours, theirs = pty.openpty()
    process = command(source, "-o", tmp_path / "out", "-j", 1, stderr=theirs, text=False)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert process.communicate()[0]
    lines = shown.decode().replace("\n", "\r").split("\r")
    assert any(f"{MANY} files, " in line and " packets" in line for line in lines)
    assert f"tcpflows: {source}/cut.pcap: cut short" in shown.decode()
    assert max(map(len, (line for line in lines if " files, " in line))) <= 79


def test_a_signal_is_heard_between_two_steps():
    """In the middle of one it could leave a lock taken, and the batch would wait for its workers for ever."""

    interrupted = []

    def end(_number, frame):
        interrupted.append(frame)  # what was under way; None where it was called, and nothing was
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, end)
    rng = random.Random(64)
    try:
        for _ in range(40):
            with ThreadPoolExecutor(2) as pool:
                tasks = deque(range(100_000))
                results = carried_out(square, tasks, GivenExecutor(pool, 8), lambda number, _why: number)
                assert next(results) in {(number, number**2) for number in range(8)}
                threading.Timer(rng.uniform(0.001, 0.02), os.kill, (os.getpid(), signal.SIGTERM)).start()
                with contextlib.closing(results), pytest.raises(SystemExit):
                    all(squared == number**2 for number, squared in results)
            assert signal.getsignal(signal.SIGTERM) is end
        assert interrupted == [None] * 40
    finally:
        signal.signal(signal.SIGTERM, before)

"""A compaction that is killed at one of its steps on disk, readers beside it, and the one that comes after it.

The command runs as a process of its own, which kills itself with SIGKILL before the step of that number.
TCPTRACE_PY_KILLS sets at how many points (usually 12).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py.dataset import compaction
from tcptrace_py.dataset.manifest import name_for
from tcptrace_py.dataset.store import Store
from tcptrace_py.tables import output
from tests.answers import rows_of
from tests.batches import ROOT, batch, capture, contents, folder_of

KILLS = int(os.environ.get("TCPTRACE_PY_KILLS", "12"))
TABLES = ["connections", "states", "events"]
PROGRAM = """
import os, pathlib, signal, sys
from tcptrace_py.dataset.compaction import compact
steps = 0
def counted(real):
    def step(*args, **options):
        global steps
        steps += 1
        if steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    return step
for name in ("replace", "unlink", "open"):
    setattr(pathlib.Path, name, counted(getattr(pathlib.Path, name)))
os.fsync = counted(os.fsync)
compact(sys.argv[1], rows=60, before_ns=int(sys.argv[3]) or None)
print(steps)
"""


def compacted(dataset, dies_at, before_ns=0):
    """The exit code of a compaction that dies at a step, and how many steps it took if it did not."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    words = [sys.executable, "-c", PROGRAM, str(dataset), str(dies_at), str(before_ns)]
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, int(done.stdout or 0)


def seen(dataset):
    """What readers see, by pyarrow and by DuckDB."""
    opened = tt.open_dataset(dataset)
    tables = {table: sorted(map(repr, rows_of(opened.arrow(table)))) for table in opened.tables}
    try:
        from tcptrace_py.dataset.query import query

        for table, rows in tables.items():
            assert sorted(map(repr, rows_of(query(dataset, f"SELECT * FROM {table}")))) == rows
    except tt.UsageError:
        pass  # no DuckDB here
    return tables


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset that was joined once, and has changed since: joined, stale and fresh parts."""
    folder = folder_of(tmp_path_factory.mktemp("compact") / "in")
    out = folder.parent / "out"
    batch(folder, out, tables=TABLES)
    tt.compact(out)
    (folder / "refused.pcap").write_bytes(capture("port_reuse"))
    for name in ("ipv6", "zero_window"):
        (folder / f"{name}.pcap").write_bytes(capture(name))
    batch(folder, out, tables=TABLES)
    return out


def test_killed_at_any_step_and_run_again(tmp_path, made):
    before = seen(made)
    shutil.copytree(made, tmp_path / "whole")
    code, steps = compacted(tmp_path / "whole", -1)
    assert code == 0
    whole = contents(tmp_path / "whole")
    assert seen(tmp_path / "whole") == before
    assert steps > 100
    for number in range(KILLS):
        dataset = tmp_path / str(number)
        shutil.copytree(made, dataset)
        assert compacted(dataset, 1 + number * steps // KILLS)[0] == -signal.SIGKILL
        assert seen(dataset) == before, f"killed for the {number}th time"
        if number % 2:
            assert batch(made.parent / "in", dataset, tables=TABLES).files_kept == 8  # a batch may come first
            assert seen(dataset) == before
        assert compacted(dataset, -1)[0] == 0
        assert contents(dataset) == whole, f"killed for the {number}th time"
        shutil.rmtree(dataset)


def test_killed_while_old_captures_are_removed(tmp_path, made):
    limit = tt.open_dataset(made).captures["last_time"].sort_values().iloc[4].value
    before = set(seen(made)["connections"])
    shutil.copytree(made, tmp_path / "whole")
    _, steps = compacted(tmp_path / "whole", -1, limit)
    whole = contents(tmp_path / "whole")
    after = set(seen(tmp_path / "whole")["connections"])
    assert after < before
    for number in range(4):
        dataset = tmp_path / str(number)
        shutil.copytree(made, dataset)
        assert compacted(dataset, 2 + number * steps // 6, limit)[0] == -signal.SIGKILL
        assert after <= set(seen(dataset)["connections"]) <= before
        assert compacted(dataset, -1, limit)[0] == 0
        assert contents(dataset) == whole
        shutil.rmtree(dataset)


def test_a_reader_sees_every_capture_once_at_every_moment(tmp_path, made, monkeypatch):
    dataset = tmp_path / "out"
    shutil.copytree(made, dataset)
    wanted = sorted(map(repr, rows_of(tt.open_dataset(dataset).arrow("connections"))))
    looked = []

    def looking(real):
        def step(*args):
            result = real(*args)
            assert sorted(map(repr, rows_of(tt.open_dataset(dataset).arrow("connections")))) == wanted
            looked.append(1)
            return result

        return step

    monkeypatch.setattr(Store, "point", looking(Store.point))
    monkeypatch.setattr(compaction, "_remove", looking(compaction._remove))  # noqa: SLF001
    tt.compact(dataset)
    assert len(looked) > 16


def test_a_reader_that_began_before_reads_on(tmp_path, made):
    """Parts that go while they are asked for: the answer is that of the new parts."""
    from tcptrace_py.dataset.finished import read_at_once
    from tcptrace_py.dataset.opened import _batches

    dataset = tmp_path / "out"
    shutil.copytree(made, dataset)
    tries = []

    def read(now):
        tries.append(now)
        if len(tries) == 1:
            tt.compact(dataset)
        return sum(each.num_rows for each in _batches(now, "connections", ["conn_id"], None))

    assert read_at_once(dataset, read) == len(tt.open_dataset(dataset).connections)
    assert len(tries) == 2


def test_a_full_disk_leaves_what_there_was(tmp_path, made, monkeypatch):
    dataset = tmp_path / "out"
    shutil.copytree(made, dataset)
    before = seen(dataset)

    def full(sink, _data):
        with output.failures_named(sink.name):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(output.Sink, "write", full)
        with pytest.raises(tt.OutputError, match="No space left on device"):
            tt.compact(dataset)
    assert seen(dataset) == before
    assert not list(dataset.rglob("*.tmp"))
    tt.compact(dataset)
    assert seen(dataset) == before


def test_the_manifest_tells_where_rows_are(made, tmp_path):
    dataset = tmp_path / "out"
    shutil.copytree(made, dataset)
    tt.compact(dataset)
    path = Path(dataset) / "manifest" / f"{name_for(str(made.parent / 'in' / 'ipv6.pcap'))}.json"
    row = json.loads(path.read_text())
    assert row["joined_of"] == 8
    assert sorted(path.stem for path in dataset.glob("connections/*")) == [row["joined"]]

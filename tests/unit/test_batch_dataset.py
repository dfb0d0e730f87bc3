"""The dataset: what its readers get, what a second run does again, and that nothing but the inputs shows in it."""

import gzip
import json
import os
from collections import Counter

import pandas as pd
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

import tcptrace_py as tt
from tcptrace_py.dataset.manifest import name_for
from tcptrace_py.errors import ExitCode, OutputError, UsageError
from tcptrace_py.options import BOUNDS
from tcptrace_py.tables.schema import SCHEMA_VERSION, arrow_schema
from tests.batches import NAMES, Inline, batch, capture, captures, contents, folder_of, tar_of

ALL = ("captures", "connections", "states", "events", "timeline")


def test_the_parts_are_what_analyze_gives(tmp_path):
    source = folder_of(tmp_path / "in")
    batch(source, tmp_path / "out", tables=ALL)
    for name in NAMES:
        path = str(source / f"{name}.pcap")
        trace = tt.analyze(path)
        for table in ALL:
            part = pq.read_table(tmp_path / "out" / table / f"{name_for(path)}.parquet")
            ours, wanted = part.to_pylist(), trace.arrow(table).to_pylist()
            if table == "captures":
                assert len(ours[0].pop("sha256")) == 64
                del wanted[0]["sha256"]
            assert ours == wanted
            assert part.schema.metadata[b"tcptrace_py.schema_version"] == str(SCHEMA_VERSION).encode()


def test_the_dataset_is_read_as_it_stands(tmp_path):
    source = folder_of(tmp_path / "in")
    (source / "empty.pcap").touch()
    batch(source, tmp_path / "out", tables=ALL)
    whole = {table: pd.read_parquet(tmp_path / "out" / table) for table in ALL}
    assert len(whole["captures"]) == len(NAMES) + 1
    joined = whole["timeline"].merge(whole["connections"], on=["capture", "conn_id"], validate="many_to_one")
    assert len(joined) == len(whole["timeline"]) == whole["captures"]["segments"].sum()
    assert whole["states"].merge(whole["connections"], on=["capture", "conn_id"], validate="many_to_one").shape[
        0
    ] == len(whole["states"])
    assert whole["connections"].merge(
        whole["captures"], left_on="capture", right_on="path", validate="many_to_one"
    ).shape[0] == len(whole["connections"])
    for table in ALL:
        arrow = pyarrow.dataset.dataset(tmp_path / "out" / table, format="parquet")
        assert arrow.schema.names == arrow_schema(table).names
        assert arrow.count_rows() == len(whole[table])


def test_duckdb_reads_it(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    batch(folder_of(tmp_path / "in"), tmp_path / "out")
    sql = f"select count(*), count(distinct capture) from '{tmp_path}/out/connections/*.parquet'"
    assert duckdb.sql(sql).fetchall() == [(8, len(NAMES))]


def test_polars_reads_it(tmp_path):
    polars = pytest.importorskip("polars")
    batch(folder_of(tmp_path / "in"), tmp_path / "out")
    assert polars.scan_parquet(f"{tmp_path}/out/connections/*.parquet").collect().height == 8


def test_the_manifest_says_what_was_done(tmp_path):
    source = folder_of(tmp_path / "in", ["loss_bulk"])
    path = source / "loss_bulk.pcap"
    batch(source, tmp_path / "out", msl2_ns=5)
    row = json.loads((tmp_path / "out" / "manifest" / f"{name_for(str(path))}.json").read_text())
    rows = row.pop("rows")
    assert (rows["captures"], rows["connections"]) == (1, 1)
    assert row.pop("settings") == {
        "version": tt.__version__,
        "schema_version": SCHEMA_VERSION,
        "tables": ["captures", "connections", "states", "events"],
        "options": {
            "reader": "own",
            "link_type": None,
            "verify_checksums": True,
            "msl2_ns": 5,
            "idle_timeout_ns": 0,
            "overlaps": False,
            "resync": False,
            "limits": {bound.name: bound.default for bound in BOUNDS},
        },
    }
    assert row == {
        "capture": str(path),
        "kind": "capture",
        "size": path.stat().st_size,
        "stamp": str(path.stat().st_mtime_ns),
        "sha256": pq.read_table(tmp_path / "out" / "captures")["sha256"][0].as_py(),
        "status": "ok",
        "reason": "",
        "message": "",
        "offset": None,
        "packets": 148,
        "connections": 1,
        "archive": None,
        "pattern": "",
        "files": [],
        "members": [],
        "left_out": {},
        "joined": "",
        "joined_of": 0,
        "runs": 0,
        "pieces": [],
        "tail": [],
    }


@pytest.fixture
def source(tmp_path):
    """Captures and archives of every fate."""
    folder = folder_of(tmp_path / "in")
    (folder / "cut.pcap").write_bytes(capture("four_way")[:-7])
    (folder / "empty.pcap").touch()
    (folder / "notes.txt").write_text("no capture\n")
    (folder / "x.tar.gz").write_bytes(gzip.compress(tar_of([("m.pcap", capture("refused")), ("n.pcap", b"x")])))
    return folder


def test_workers_and_order_do_not_show(tmp_path, source):
    done = batch(source, tmp_path / "a")
    assert done.counts == {"ok": 7, "partial": 1, "unreadable": 2}
    assert done.exit_code is ExitCode.UNREADABLE
    tt.batch([*sorted(source.iterdir(), reverse=True), source], tmp_path / "b", workers=3, batch_size=7)
    ours, theirs = contents(tmp_path / "a"), contents(tmp_path / "b")
    notes = [name for name in ours if "notes.txt" in name]
    assert len(notes) == 1  # once named by the user and once not
    for name in notes:
        del ours[name]
    assert ours == {name: data for name, data in theirs.items() if "notes.txt" not in name}


def test_a_second_run_does_nothing(tmp_path, source):
    first = batch(source, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*") if path.name != ".lock"}
    second = batch(source, tmp_path / "out")
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert second.files_kept == second.files == second.files_done == first.files
    assert (second.counts, second.left_out, sorted(second.bad)) == (first.counts, first.left_out, sorted(first.bad))
    assert (second.exit_code, second.packets) == (first.exit_code, first.packets)


def redone(source, out, **options):
    """How many files a run does, and that the dataset is then as if it had been made at once."""
    done = batch(source, out, **options)
    fresh = out.with_name("fresh")
    batch(source, fresh, **options)
    assert contents(out) == contents(fresh)
    import shutil

    shutil.rmtree(fresh)
    return done.files - done.files_kept


def test_what_has_changed_is_done_again(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    (source / "refused.pcap").write_bytes(capture("port_reuse"))
    (source / "new.pcap").write_bytes(capture("ipv6"))
    assert redone(source, out) == 2
    assert captures(out)["new.pcap"] == "ok"
    assert len(pd.read_parquet(out / "connections")["capture"].unique()) == 9


def test_a_touched_file_is_not_analysed_again(tmp_path, source, monkeypatch):
    out = tmp_path / "out"
    batch(source, out)
    os.utime(source / "refused.pcap", ns=(1, 1))
    os.utime(source / "x.tar.gz", ns=(2, 2))
    with monkeypatch.context() as patched:
        patched.setattr("tcptrace_py.pipeline.steps", None)  # would fail
        assert batch(source, out).counts == {"ok": 7, "partial": 1, "unreadable": 2}
    assert redone(source, out) == 0


def test_a_change_that_left_size_and_time_is_found_by_its_digest(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    path = source / "four_way.pcap"
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert batch(source, out).files_kept == 10
    assert batch(source, out, digests=True).files_kept == 0
    assert redone(source, out) == 0


def test_other_options_or_another_version_make_other_results(tmp_path, source, monkeypatch):
    out = tmp_path / "out"
    batch(source, out)
    assert redone(source, out, idle_timeout_ns=5) == 10
    assert redone(source, out, idle_timeout_ns=5, tables=ALL) == 10
    assert redone(source, out, idle_timeout_ns=5, tables=["connections"]) == 10
    assert {path.parent.name for path in out.rglob("*.parquet")} == {"captures", "connections"}
    monkeypatch.setattr(tt, "__version__", "0.0.0")
    assert redone(source, out, idle_timeout_ns=5, tables=["connections"]) == 10


def test_what_is_gone_stays_until_it_is_pruned(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    elsewhere = folder_of(tmp_path / "elsewhere", ["ipv6"])
    batch(elsewhere, out)
    (source / "refused.pcap").unlink()
    (source / "x.tar.gz").unlink()
    assert batch(source, out).pruned == 0
    assert {"refused.pcap", "x.tar.gz!m.pcap"} < captures(out).keys()
    assert batch(source, out, prune=True, pattern="*e*").pruned == 3
    assert captures(out).keys() & {"refused.pcap", "x.tar.gz!m.pcap", "ipv6.pcap", "loss_bulk.pcap"} == {
        "ipv6.pcap",
        "loss_bulk.pcap",
    }
    assert not [name for name in contents(out) if "refused" in name or "m.pcap" in name]


def test_an_empty_source_prunes_nothing(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    source.rename(tmp_path / "moved")
    assert batch(source, out, prune=True).pruned == 0
    source.mkdir()  # a disk that is not mounted
    assert batch(source, out, prune=True).pruned == 0


def test_members_that_an_archive_has_no_more_go(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    (source / "x.tar.gz").write_bytes(gzip.compress(tar_of([("o.pcap", capture("half_close"))])))
    assert redone(source, out) == 1
    (source / "x.tar.gz").write_bytes(capture("half_close"))  # and now it is none
    assert redone(source, out) == 1


def test_parts_that_somebody_removed_are_made_again(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    for name in ("refused.pcap", "m.pcap"):
        next((out / "states").glob(f"*{name}*")).unlink()
    assert redone(source, out) == 2


def test_what_a_killed_batch_left_is_removed(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    (out / "connections" / ".tcpflows-1-ab.tmp").write_bytes(b"half")
    (out / "manifest" / ".tcpflows-1-ab.tmp").write_bytes(b"half")
    (out / "connections" / "0123456789ab-gone.pcap.parquet").write_bytes(b"its row was never written")
    (out / "connections" / "mine.parquet").write_bytes(b"a user's own")
    next((out / "manifest").glob("*refused*")).write_bytes(b"{")
    batch(source, out)
    left = {path.name for path in out.rglob("*") if path.is_file()}
    assert not [name for name in left if name.endswith(".tmp") or "gone" in name]
    assert (out / "connections" / "mine.parquet").exists()
    (out / "connections" / "mine.parquet").unlink()
    assert redone(source, out) == 0


def test_a_row_goes_before_its_parts_are_replaced(tmp_path, source, monkeypatch):
    out = tmp_path / "out"
    batch(source, out)
    with monkeypatch.context() as patched:

        def stopped(self, table, name, batches):
            if table == "states":
                raise KeyboardInterrupt
            return real(self, table, name, batches)

        from tcptrace_py.dataset.store import Store

        real = Store.put
        patched.setattr(Store, "put", stopped)
        with pytest.raises(KeyboardInterrupt):
            batch(source, out, idle_timeout_ns=5)
    assert redone(source, out) == 1  # what was being replaced, although the options are those of the first run


def test_one_bug_costs_one_capture(tmp_path, source, monkeypatch):
    from tcptrace_py import pipeline

    real = pipeline.steps

    def buggy(given, *args, **options):
        if "four_way" in str(given.name):
            raise ZeroDivisionError("oops")
        return real(given, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "steps", buggy)
        done = batch(source, tmp_path / "out")
    assert done.counts == {"ok": 6, "partial": 1, "unreadable": 2, "failed": 1}
    assert done.exit_code is ExitCode.INTERNAL
    assert "internal error: ZeroDivisionError: oops; please report it" in [each.message for each in done.bad]
    assert redone(source, tmp_path / "out") == 1


def test_what_a_failing_disk_gave_is_not_taken_for_done(tmp_path, source, monkeypatch):
    from tcptrace_py.dataset import work

    class Failing:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def readinto(self, room):
            if self.file.tell() > 0:
                raise OSError(5, "Input/output error")
            return self.file.readinto(room[:500])

        def read(self, _size):
            raise AssertionError

    real = work.opened
    with monkeypatch.context() as patched:
        patched.setattr(work, "opened", lambda path: Failing(real(path)) if "four_way" in path else real(path))
        done = batch(source, tmp_path / "out")
    (bad,) = (each for each in done.bad if "four_way" in each.capture)
    assert (bad.status, bad.message) == ("partial", "reading failed: Input/output error, at byte 500")
    assert redone(source, tmp_path / "out") == 1


def test_every_input_is_told_of(tmp_path, source):
    told = []
    done = tt.batch(
        source,
        tmp_path / "out",
        executor=Inline(),
        progress=lambda so_far, bad: told.append((so_far.files_done, Counter(each.status for each in bad))),
    )
    assert [files for files, _ in told] == [0, *range(1, 11)]
    assert sum((bad for _, bad in told), Counter()) == {"unreadable": 2, "partial": 1}
    assert (done.files, done.bytes) == (10, done.bytes_done)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tables": ["segments"]}, "there is no table 'segments'"),
        ({"workers": 0}, "workers is at least 1, not 0"),
        ({"msl_ns": 1}, "there is no option msl_ns"),
        ({"batch_size": 0}, "batch_size is at least 1, not 0"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        tt.batch(tmp_path, tmp_path / "out", **options)


def test_hostile_68_two_batches_exclude_each_other(tmp_path, source):
    refused = []

    def meanwhile(*_):
        with pytest.raises(
            OutputError, match=f"another batch or compaction is writing to it \\(process {os.getpid()}\\)"
        ) as error:
            batch(source, tmp_path / "out")
        refused.append(error.value.exit_code)

    tt.batch(source, tmp_path / "out", executor=Inline(), progress=meanwhile)
    assert set(refused) == {ExitCode.NOT_WRITTEN}
    assert batch(source, tmp_path / "out").files_kept == 10

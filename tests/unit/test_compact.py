"""``tcpflows compact``: the same rows in fewer parts, whatever came before; what is old goes; versions."""

import dataclasses
import gzip
import json
import os
import re
import shutil
import time

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.dataset import compaction, migrations, store
from tcptrace_py.dataset.manifest import name_for
from tcptrace_py.dataset.migrations import MIGRATIONS, Migration
from tcptrace_py.dataset.store import Store
from tcptrace_py.errors import OutputError, UnreadableError, UnsupportedError, UsageError
from tcptrace_py.tables.schema import SCHEMA_VERSION, TABLES, arrow_schema
from tcptrace_py.views.cli import app
from tests.answers import rows_of
from tests.batches import NAMES, Inline, batch, capture, contents, folder_of, shifted, tar_of

ALL = ("captures", "connections", "states", "events", "timeline")
DAY = 86_400 * 10**9


@pytest.fixture
def source(tmp_path):
    """Captures of three days, damaged ones, empty ones, and an archive."""
    folder = folder_of(tmp_path / "in")
    for day in (1, 2):
        for name in NAMES:
            (folder / f"{'abc'[day]}-{name}.pcap").write_bytes(shifted(name, day))
    (folder / "cut.pcap").write_bytes(capture("four_way")[:-7])
    (folder / "empty.pcap").touch()
    (folder / "notes.txt").write_text("no capture\n")
    (folder / "x.tar.gz").write_bytes(
        gzip.compress(tar_of([("m.pcap", capture("refused")), ("o.pcap", capture("ipv6"))]))
    )
    return folder


def seen(dataset):
    """What a reader sees: every row of every table, however the rows are ordered."""
    opened = tt.open_dataset(dataset)
    return {t: sorted(map(repr, rows_of(opened.arrow(t)))) for t in opened.tables}


def parts(dataset):
    return {table: sorted(path.name for path in (dataset / table).glob("*.parquet")) for table in ALL}


def test_the_same_rows_in_fewer_parts(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out, tables=ALL)
    before, times = seen(out), [path.name for path in out.glob("captures/*")]
    told = []
    done = tt.compact(out, progress=lambda *now: told.append(now))
    assert (done.captures, done.removed, done.migrated) == (22, 0, 0)
    assert (done.before, done.written, done.after) == (5 * 22 - 4, 15, 16)  # of the empty one there is only its status
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert seen(out) == before
    assert len(times) == 22
    assert {len(names) for names in parts(out).values()} == {3, 4}
    for table in ALL:  # also for those who read what is there
        assert len(pd.read_parquet(out / table)) == len(before[table])
    assert tt.compact(out).written == 0


def test_rows_are_in_the_order_of_captures_with_statistics(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out, tables=ALL)
    tt.compact(out)
    for path in out.glob("timeline/joined-*"):
        table = pq.read_table(path)
        order = list(zip(table["capture"].to_pylist(), table["frame"].to_pylist(), strict=True))
        assert order == sorted(order)
        column = pq.ParquetFile(path).metadata.row_group(0).column(table.column_names.index("frame"))
        assert column.statistics.min == 1


def test_what_came_before_does_not_show(tmp_path, source):
    batch(source, tmp_path / "once", tables=ALL)
    tt.compact(tmp_path / "once")
    later = tmp_path / "later"
    later.mkdir()
    out = tmp_path / "out"
    for name in ("c-refused.pcap", "half_close.pcap", "x.tar.gz", "b-four_way.pcap"):
        (source / name).rename(later / name)
    batch(source, out, tables=ALL)
    tt.compact(out)
    for path in later.iterdir():
        path.rename(source / path.name)
        batch(source, out, tables=ALL)
        tt.compact(out, rows=500)
        tt.compact(out)
    assert contents(out) == contents(tmp_path / "once")


def test_row_groups_do_not_depend_on_batches(tmp_path, monkeypatch, source):
    from tcptrace_py.dataset import joining
    from tcptrace_py.tables import write

    monkeypatch.setattr(joining, "ROW_GROUP", 100)
    monkeypatch.setattr(write, "ROW_GROUP", 100)
    made = []
    for size in (1, 7, 1000):
        monkeypatch.setattr(joining, "AT_ONCE", size)
        out = tmp_path / str(size)
        batch(source, out, tables=ALL)
        before = seen(out)
        tt.compact(out, rows=800)
        tt.compact(out)
        assert seen(out) == before
        made.append(contents(out))
    assert made[0] == made[1] == made[2]
    part = next(path for path in out.glob("timeline/joined-*") if pq.read_metadata(path).num_row_groups > 2)
    sizes = [pq.read_metadata(part).row_group(n).num_rows for n in range(pq.read_metadata(part).num_row_groups)]
    assert set(sizes[:-1]) == {100}


def test_a_batch_knows_what_was_joined(tmp_path, source):
    out = tmp_path / "out"
    first = batch(source, out, tables=ALL)
    tt.compact(out)
    before = contents(out)
    again = batch(source, out, tables=ALL)
    assert again.files_kept == again.files == first.files
    assert (again.counts, again.packets) == (first.counts, first.packets)
    assert contents(out) == before
    os.utime(source / "refused.pcap", ns=(1, 1))
    batch(source, out, tables=ALL)
    assert parts(out) == {
        table: sorted(p.rpartition("/")[2] for p in before if p.startswith(f"{table}/")) for table in ALL
    }


def test_a_capture_that_changed_is_seen_once_and_anew(tmp_path, source):
    pytest.importorskip("duckdb")
    from tcptrace_py.dataset.query import query

    out, fresh = tmp_path / "out", tmp_path / "fresh"
    batch(source, out, tables=ALL)
    tt.compact(out)
    (source / "refused.pcap").write_bytes(capture("port_reuse"))
    (source / "x.tar.gz").write_bytes(gzip.compress(tar_of([("o.pcap", capture("zero_window"))])))
    (source / "c-four_way.pcap").unlink()
    done = batch(source, out, tables=ALL, prune=True)
    assert (done.files - done.files_kept, done.pruned) == (2, 1)
    batch(source, fresh, tables=ALL)
    assert seen(out) == seen(fresh)
    for table in ALL:
        ours = query(out, f"SELECT * FROM {table}")
        assert sorted(map(repr, rows_of(ours))) == sorted(map(repr, rows_of(query(fresh, f"SELECT * FROM {table}"))))
    where = [("capture", "in", [str(source / "refused.pcap"), str(source / "half_close.pcap")])]
    assert tt.open_dataset(out).arrow("connections", ["conn_id"], where).num_rows == 4
    tt.compact(out)
    tt.compact(fresh)
    assert contents(out) == contents(fresh)


def test_small_bounds_make_more_parts(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out, tables=ALL)
    before = seen(out)
    tt.compact(out, rows=1)
    assert not list(out.glob("*/joined-*"))
    tt.compact(out, rows=300)
    rows = {path.stem: 0 for path in out.glob("captures/joined-*")}
    for table in ALL:
        for path in out.glob(f"{table}/joined-*"):
            rows[path.stem] += pq.read_metadata(path).num_rows
    assert len(rows) > 3
    assert max(rows.values()) <= 300
    assert seen(out) == before
    tt.compact(out, rows=1)
    assert {len(pq.read_table(path)) for path in out.glob("captures/*")} == {1}  # alone again
    assert seen(out) == before
    assert batch(source, out, tables=ALL).files_kept == 22


def test_tables_that_some_captures_have_do_not_meet(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out, tables=ALL, pattern="[bc]-*")
    batch(source, out, pattern="[!bcx]*.pcap")
    before = seen(out)
    tt.compact(out)
    assert seen(out) == before
    assert len(parts(out)["timeline"]) == 2
    assert len(parts(out)["connections"]) == 3


def tcpflows(*args):
    result = CliRunner().invoke(app, ["compact", *map(str, args)], prog_name="tcpflows")
    return result.exit_code, result.stdout, result.stderr


def test_rotated_sets_are_joined_as_one(tmp_path):
    pytest.importorskip("duckdb")
    from tcptrace_py.dataset.query import query

    folder, out = folder_of(tmp_path / "in", ["refused", "half_close"]), tmp_path / "out"
    for number in (1, 2):
        (folder / f"ring_{number}.pcap").write_bytes(shifted("four_way", number - 1))
    batch(folder, out, tables=ALL)
    before = seen(out)
    assert len(before["captures"]) == 4
    assert tt.compact(out).captures == 3
    assert seen(out) == before
    assert sorted(len(names) for names in parts(out).values()) == [2] * 5  # it ends a day later
    tt.compact(out, before_ns=1795391999 * 10**9 + 999_999_999)
    assert len(tt.open_dataset(out)) == 1
    shutil.rmtree(out)
    for number in (1, 2):
        (folder / f"ring_{number}.pcap").write_bytes(shifted("four_way", 0))
    batch(folder, out, tables=ALL, join=True)
    tt.compact(out)
    assert {len(names) for names in parts(out).values()} == {1}
    (folder / "refused.pcap").write_bytes(capture("port_reuse"))
    batch(folder, out, tables=ALL)
    fresh = tmp_path / "fresh"
    batch(folder, fresh, tables=ALL)
    assert seen(out) == seen(fresh)
    for table in ALL:
        ours = query(out, f"SELECT * FROM {table}")
        assert sorted(map(repr, rows_of(ours))) == seen(fresh)[table]


def test_what_is_old_goes_and_stays_away(tmp_path, source):
    out = tmp_path / "out"
    first = batch(source, out, tables=ALL)
    tt.compact(out)
    code, text, err = tcpflows(out, "--before", "2026-11-23")
    assert (code, err) == (0, "")
    assert text.splitlines() == [
        f"{out}  13 captures",  # two days, and the empty one, which has no date
        "  16 parts before, 11 now, 0 of them written",
        "  9 captures removed, which ended too long ago",
    ]
    left = tt.open_dataset(out).captures
    assert left["first_time"].dropna().min() > pd.Timestamp("2026-11-23", tz="UTC")
    again = batch(source, out, tables=ALL)
    assert again.files_kept == first.files
    assert len(tt.open_dataset(out)) == 13
    (source / "refused.pcap").write_bytes(capture("port_reuse"))  # but what is new is new
    batch(source, out, tables=ALL)
    assert len(tt.open_dataset(out)) == 14
    text = tcpflows(out, "--before", "2100-01-01T00:00+01:00")[1]
    assert "  13 captures removed, which ended too long ago" in text.splitlines()
    assert tt.open_dataset(out).captures["path"].to_list() == [str(source / "empty.pcap")]
    assert [path.name for path in out.rglob("*.parquet")] == [f"{name_for(str(source / 'empty.pcap'))}.parquet"]


def test_what_is_kept_for_a_time(tmp_path, monkeypatch, source):
    out = tmp_path / "out"
    batch(source, out)
    end = tt.open_dataset(out).captures["last_time"].max().value
    monkeypatch.setattr(time, "time_ns", lambda: end + DAY // 2)
    assert "22 captures" in tcpflows(out, "--retain", "3d")[1]
    assert tcpflows(out, "--retain", "40h", "-q") == (0, "", "")
    assert len(tt.open_dataset(out)) == 13


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--retain", "soon"], 2, "--retain: 'soon' is not a duration such as 36h, 90d, 12w or 2y"),
        (["--before", "soon"], 2, "--before: 'soon' is not a date such as 2026-01-31"),
        (["--retain", "1d", "--before", "2026-01-01"], 2, "either --retain or --before, not both"),
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path, source, words, code, told):
    batch(source, tmp_path / "out")
    assert tcpflows(tmp_path / "out", *words) == (code, "", f"tcpflows: {told}\n")


def test_places_that_are_no_dataset(tmp_path):
    assert tcpflows(tmp_path / "x")[0] == 4
    assert not (tmp_path / "x").exists()
    with pytest.raises(UsageError, match="rows is at least 1, not 0"):
        tt.compact(tmp_path, rows=0)


def test_a_batch_and_a_compaction_exclude_each_other(tmp_path, source):
    refused = []

    def meanwhile(*_):
        with pytest.raises(OutputError, match=f"compaction is writing to it \\(process {os.getpid()}\\)"):
            tt.compact(tmp_path / "out")
        refused.append(1)

    tt.batch(source, tmp_path / "out", executor=Inline(), progress=meanwhile)
    assert refused


def test_a_damaged_part_is_named_and_nothing_is_lost(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out, tables=ALL)
    path = next((out / "states").glob("*-four_way*"))
    data = path.read_bytes()
    path.write_bytes(b"no parquet")
    with pytest.raises(
        UnreadableError, match=re.escape(f"{path}: damaged (") + ".*; remove it, and tcpflows batch makes"
    ):
        tt.compact(out)
    path.write_bytes(data)
    tt.compact(out)
    batch(source, tmp_path / "once", tables=ALL)
    assert seen(out) == seen(tmp_path / "once")


# -- versions ----------------------------------------------------------------------------------------------------

OLD = SCHEMA_VERSION - 1
SINCE = Migration(
    OLD,
    "handshake_ok is new, teardown was called ending, evidence was a float64, gone was there",
    renamed={"connections": {"ending": "teardown"}},
    added={"connections": {"handshake_ok": None, "evicted": False}},
)


def old_schema(table):
    """The columns as the version before is taken to have had them."""
    fields = []
    for field in arrow_schema(table):
        if table == "connections" and field.name in {"handshake_ok", "evicted"}:
            continue
        name = {"teardown": "ending"}.get(field.name, field.name) if table == "connections" else field.name
        kind = pa.float64() if (table, field.name) == ("events", "evidence") else field.type
        fields.append(pa.field(name, kind, field.nullable))
    fields += [pa.field("gone", pa.string())] if table == "states" else []
    return pa.schema(fields, {"tcptrace_py.table": table, "tcptrace_py.schema_version": str(OLD)})


def aged(dataset, name, monkeypatch):
    """Write a capture's parts again, through the same store, as an earlier version would have."""
    ours = Store(dataset)
    row = ours.row(name)
    with monkeypatch.context() as patched:
        patched.setattr(store, "dataset_schema", old_schema)
        ours.begin(name, row.rows)
        for table in row.rows:
            wanted = old_schema(table)
            was = pq.read_table(tt.dataset.store.Store(dataset).path(table, name))
            was = was.append_column("gone", pa.array(["x"] * len(was))) if table == "states" else was
            was = was.rename_columns(
                [{"teardown": "ending"}.get(n, n) if table == "connections" else n for n in was.column_names]
            )
            ours.put(table, name, was.select(wanted.names).cast(wanted).to_batches())
    ours.finish(dataclasses.replace(row, settings=row.settings | {"schema_version": OLD}))


@pytest.fixture
def mixed(tmp_path, source, monkeypatch):
    """A dataset of which some captures are of an earlier version."""
    out = tmp_path / "out"
    batch(source, out, tables=ALL)
    wanted = seen(out)
    for name in ("four_way.pcap", "b-port_reuse.pcap", "c-loss_bulk.pcap"):
        aged(out, name_for(str(source / name)), monkeypatch)
    return out, wanted


def without_new_columns(rows):
    return [re.sub(r"'handshake_ok': (True|False|None)", "'handshake_ok': ?", row) for row in rows]


@pytest.mark.parametrize("only", [False, True])
def test_an_earlier_version_is_brought_up_to_date(mixed, source, monkeypatch, only):
    out, wanted = mixed
    with pytest.raises(UnsupportedError, match=f"schema {OLD}, now {SCHEMA_VERSION}.*tcpflows compact --migrate"):
        tt.open_dataset(out)
    before = contents(out)
    with pytest.raises(UnsupportedError, match=f"nothing leads from schema {OLD} to {SCHEMA_VERSION}"):
        tt.compact(out)
    assert contents(out) == before
    monkeypatch.setattr(migrations, "MIGRATIONS", (SINCE,))
    done = tt.compact(out, migrate_only=only)
    assert done.migrated == 3
    ours = seen(out)
    assert ours.keys() == wanted.keys()
    for table in ALL:
        assert sorted(without_new_columns(ours[table])) == sorted(without_new_columns(wanted[table]))
    where = [("capture", "=", str(source / "four_way.pcap"))]
    (row,) = tt.open_dataset(out).arrow("connections", ["handshake_ok", "evicted", "teardown"], where).to_pylist()
    assert row == {"handshake_ok": None, "evicted": False, "teardown": "four_way"}
    for path in out.rglob("*.parquet"):
        schema = pq.read_schema(path)
        assert schema.equals(arrow_schema(path.parent.name)), path
        assert schema.metadata[b"tcptrace_py.schema_version"] == str(SCHEMA_VERSION).encode()
    assert {json.loads(path.read_text())["settings"]["schema_version"] for path in out.glob("manifest/*")} == {
        SCHEMA_VERSION
    }
    assert tt.compact(out, migrate_only=only).written == 0
    assert batch(source, out, tables=ALL).files_kept == 22


def test_migrating_alone_leaves_the_rest_as_it_is(mixed, monkeypatch, source):
    out, _ = mixed
    (source / "empty.pcap").unlink()
    monkeypatch.setattr(migrations, "MIGRATIONS", (SINCE,))
    monkeypatch.setattr(compaction, "CAPTURES", 1)  # every capture is a group
    before = contents(out)
    done = tt.compact(out, migrate_only=True)
    assert done.written == 15
    after = contents(out)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert len([name for name in changed if name.startswith("manifest/")]) == 3


def test_a_way_leads_from_every_version_to_the_present_one():
    assert [each.version for each in MIGRATIONS] == list(range(1, SCHEMA_VERSION))
    for each in MIGRATIONS:
        assert {*each.renamed, *each.added} <= TABLES.keys()


def test_a_later_version_is_left_alone(tmp_path, source):
    out = tmp_path / "out"
    batch(source, out)
    path = next((out / "manifest").glob("*four_way*"))
    row = json.loads(path.read_text()) | {"new_in_that_version": 1}
    row["settings"]["schema_version"] = SCHEMA_VERSION + 1
    path.write_text(json.dumps(row))
    before = contents(out)
    for attempt in (tt.compact, tt.open_dataset, lambda out: batch(source, out)):
        with pytest.raises(
            UnsupportedError, match=f"made by a later version of tcptrace_py \\(schema {SCHEMA_VERSION + 1}"
        ):
            attempt(out)
    assert contents(out) == before
    shutil.rmtree(out)

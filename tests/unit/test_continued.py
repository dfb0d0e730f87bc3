"""Sets that go on: what is open at the end of one run is followed further in the next."""

import io
import os
import shutil
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py import pipeline, suspended
from tcptrace_py.capture import CaptureSet
from tcptrace_py.dataset.store import CHECKPOINTS, Store
from tcptrace_py.errors import ExitCode, UnreadableError, UsageError
from tcptrace_py.options import Limits, Options
from tcptrace_py.tables import build, connections
from tcptrace_py.tables.of_datasets import DATASET_TABLES
from tcptrace_py.tables.states import state_rows
from tcptrace_py.trace import KEPT
from tests import seg
from tests.batches import batch, contents, run
from tests.containers import pcap
from tests.packets import ACK, SYN, ethernet, fragments_4, ipv4, tcp
from tests.rotated import cut, cut_packets, packets_of
from tests.unit.test_scenarios import SCENARIOS, script_of

FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("*.pcap"))
BULK = FIXTURES[0].with_name("loss_bulk.pcap")
SECOND = 10**9
START = 1_700_000_000 * SECOND
ALL = list(DATASET_TABLES)


def rows(dataset, table):
    """The rows of a table in an order of their own, without what tells the set's name."""
    found = tt.open_dataset(dataset).arrow(table)
    kept = found.drop_columns([name for name in ("capture", "set", "first_frame") if name in found.column_names])
    return sorted(kept.to_pylist(), key=repr)


def one_by_one(names, dataset, **options):
    """A run for every file; each is gone when the next one comes."""
    for name in names:
        assert batch([name], dataset, checkpoint=True, **options).exit_code is ExitCode.OK
        Path(name).unlink()


def is_the_whole(dataset, whole, **options):
    """Whether the set has the tables of all files read at once."""
    apart = dataset.with_name("whole")
    batch([whole], apart, **options)
    for table in tt.open_dataset(apart).tables:
        if table != "captures":
            assert rows(dataset, table) == rows(apart, table), table


def joined_fixtures():
    """All captures of raw IP together, each a second after the one before, and their link type."""
    together, begin = [], START
    for path in FIXTURES:
        packets, link = packets_of(path)
        if link == 101:
            together += [(begin + time - packets[0][0], frame) for time, frame in packets]
            begin = together[-1][0] + SECOND
    return together, 101


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("pieces", [2, 9])
def test_runs_that_go_on_come_to_the_whole(tmp_path, path, pieces):
    names, whole = cut(path, tmp_path / "ring", pieces)
    one_by_one(names, tmp_path / "out", tables=ALL)
    is_the_whole(tmp_path / "out", whole, tables=ALL)


def told_of(done, ended):
    """The rows of the tables for connections that have ended."""
    ids = {conn.conn_id for conn in ended}
    return {
        "connections": [connections.record(conn, "set", "", 0) for conn in ended],
        "states": [row for conn in ended for row in state_rows(conn, "set")],
        "events": build.found_events(build.Noted.taken(done, ids), ended, [], "set"),
    }


def followed(packets, link, step, folder):
    """The rows that a capture gives, suspended and taken up again after every so many packets."""
    resumed, found = None, {"connections": [], "states": [], "events": []}

    def take(done):
        for table, rows in told_of(done, done.tracker.finished).items():
            found[table] += rows

    def suspend(done):
        take(done)
        done.tracker.finished.clear()
        with (folder / "state").open("wb") as file:
            suspended.write(suspended.suspended(done, None), file)

    for at in range(0, len(packets), step):
        piece = CaptureSet((io.BytesIO(pcap(packets[at : at + step], link=link, unit=1)),), "set")
        *_, done = pipeline.steps(piece, Options(), keep=KEPT, resumed=resumed, ending=suspend)
        resumed = suspended.read(folder / "state")
    take(done)
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_pass_can_be_suspended_after_any_packet(tmp_path, name):
    packets, link = packets_of(seg.write(script_of(name), tmp_path / "scenario.pcap"))
    assert followed(packets, link, 1, tmp_path) == followed(packets, link, len(packets), tmp_path)


def test_fifty_runs_come_to_the_whole(tmp_path):
    names, whole = cut_packets(*joined_fixtures(), tmp_path / "ring", 50)
    assert len(names) == 50
    one_by_one(names, tmp_path / "out", tables=ALL)
    is_the_whole(tmp_path / "out", whole, tables=ALL)
    files = tt.open_dataset(tmp_path / "out").arrow("captures").to_pylist()
    assert [file["path"] for file in files] == names
    assert {file["set"] for file in files} == {f"{names[0]}+"}
    alone = tt.analyze(whole).summary.captures[0]
    assert files[-1]["first_frame"] + files[-1]["packets_read"] == alone["packets_read"] + 1
    for column in ("packets_read", "segments", "connections"):
        assert sum(file[column] for file in files) == alone[column]
    assert {tuple(file["findings"]) for file in files} == {tuple(alone["findings"])}


def flood_and_scan():
    """Connections to one listener that are never completed, and one source that asks many ports."""
    packets = [
        (START + n * 5_000_000, ethernet(ipv4(tcp(SYN, seq=n, sport=1000 + n, dport=80), src=f"10.0.{n}.1")))
        for n in range(150)
    ]
    scan = [(START + SECOND + n * 5_000_000, ethernet(ipv4(tcp(SYN, seq=n, sport=9, dport=1 + n)))) for n in range(80)]
    return packets + scan


def test_attacks_over_many_runs_are_found(tmp_path):
    names, whole = cut_packets(flood_and_scan(), 1, tmp_path / "ring", 8)
    one_by_one(names, tmp_path / "out")
    is_the_whole(tmp_path / "out", whole)
    found = {row["code"] for row in rows(tmp_path / "out", "events")}
    assert {"atk_syn_flood", "atk_scan"} <= found


def test_datagrams_in_pieces_and_unanswered_connections_go_on(tmp_path):
    """A SYN resent in vain is put right at the end alone; the fragments of a segment come in two files."""
    syn = ethernet(ipv4(tcp(SYN, seq=1)))
    halves = fragments_4(ipv4(tcp(ACK, seq=2, payload=bytes(4000))), 2000)
    packets = [(START, syn), (START + SECOND, syn), (START + 3 * SECOND, ethernet(halves[0]))]
    packets += [(START + 3 * SECOND + 1 + n, ethernet(half)) for n, half in enumerate(halves[1:])]
    packets += [(START + 7 * SECOND, syn)]
    names, whole = cut_packets(packets, 1, tmp_path / "ring", len(packets))
    one_by_one(names, tmp_path / "out", tables=ALL)
    is_the_whole(tmp_path / "out", whole, tables=ALL)


def test_tables_are_whole_after_every_run(tmp_path):
    """What is open is in the dataset as if nothing more came."""
    names, _ = cut(BULK, tmp_path / "ring", 5)
    for number, name in enumerate(names, 1):
        batch([name], tmp_path / "out", checkpoint=True, tables=ALL)
        sofar = tmp_path / f"sofar{number}"
        batch(names[:number], sofar, tables=ALL)
        for table in ALL:
            assert rows(tmp_path / "out", table) == rows(sofar, table)


def test_a_folder_is_gone_on_with_and_nothing_is_read_twice(tmp_path):
    names, whole = cut(BULK, tmp_path / "ring", 6)
    later = {name: Path(name).read_bytes() for name in names[3:]}
    for name in (*later, whole):
        Path(name).unlink()
    out = tmp_path / "out"
    batch(tmp_path / "ring", out, checkpoint=True)
    before = contents(out)
    again = batch(tmp_path / "ring", out, checkpoint=True)
    assert (again.files, again.files_kept) == (3, 3)
    assert contents(out) == before
    for name, data in later.items():
        Path(name).write_bytes(data)
    Path(names[0]).unlink()
    result = batch(tmp_path / "ring", out, checkpoint=True)
    assert (dict(result.counts), result.connections) == ({"ok": 1}, 1)
    (row,) = Store(out).rows()
    assert (row.runs, row.files) == (2, names)
    assert [row["path"] for row in tt.open_dataset(out).arrow("captures").to_pylist()] == names
    shutil.rmtree(tmp_path / "ring")
    cut(BULK, tmp_path / "ring", 6)
    is_the_whole(out, whole)


def test_two_sets_and_a_capture_alone_go_on_by_themselves(tmp_path):
    names, whole = cut(BULK, tmp_path / "ring", 4)
    Path(whole).unlink()
    others = [name.replace("ring_0", "other_0") for name in names]
    for name, other in zip(names, others, strict=True):
        shutil.copy(name, other)
    (tmp_path / "alone.pcap").write_bytes(pcap([(START, ethernet(ipv4(tcp(SYN))))]))
    for number in range(1, 5):
        found = [*names[:number], *others[:number], tmp_path / "alone.pcap"]
        batch(found, tmp_path / "out", checkpoint=True)
    runs = {Path(row.capture).name[:5]: row.runs for row in Store(tmp_path / "out").rows()}
    assert runs == {"ring_": 4, "other": 4, "alone": 1}


def test_a_file_that_changed_begins_the_set_anew_or_is_refused(tmp_path):
    names, _ = cut(BULK, tmp_path / "ring", 4)
    out = tmp_path / "out"
    data = Path(names[1]).read_bytes()
    Path(names[1]).write_bytes(data[: len(data) // 2])
    batch(names[:2], out, checkpoint=True)
    Path(names[1]).write_bytes(data)  # it was still being written
    batch(names[:3], out, checkpoint=True)
    (row,) = Store(out).rows()
    assert (row.runs, row.files) == (1, names[:3])
    Path(names[2]).write_bytes(data)
    Path(names[0]).unlink()
    before = contents(out)
    result = batch(names[1:], out, checkpoint=True)
    assert result.exit_code is ExitCode.UNREADABLE
    assert [bad.message for bad in result.bad] == [
        f"has changed since {names[0]}+ was read up to it, and files before it are gone"
    ]
    assert {path: data for path, data in contents(out).items() if "ring_00004" not in path} == before
    assert {Path(row.capture).name[:10]: row.files for row in Store(out).rows()} == {
        "ring_00001": names[:3],
        "ring_00004": names[3:],
    }


def test_other_options_begin_anew_and_what_cannot_be_read_again_stays(tmp_path):
    names, _ = cut(BULK, tmp_path / "ring", 3)
    out = tmp_path / "out"
    batch(names, out, checkpoint=True)
    batch(names, out, checkpoint=True, msl2_ns=SECOND)
    (row,) = Store(out).rows()
    assert (row.runs, row.settings["options"]["msl2_ns"]) == (1, SECOND)
    batch(names, out)  # without a checkpoint: other options, so it is made anew, and does not go on
    (row,) = Store(out).rows()
    assert row.runs == 0
    assert not list((out / CHECKPOINTS).iterdir())
    batch(names, out, checkpoint=True)
    (row,) = Store(out).rows()
    assert row.runs == 1


def test_compaction_leaves_alone_what_goes_on(tmp_path):
    names, whole = cut(BULK, tmp_path / "ring", 4)
    out = tmp_path / "out"
    batch(names[:2], out, checkpoint=True)
    shutil.copy(FIXTURES[0], tmp_path / "a.pcap")
    shutil.copy(FIXTURES[0], tmp_path / "b.pcap")
    batch([tmp_path / "a.pcap", tmp_path / "b.pcap"], out)
    assert tt.compact(out).captures == 2
    batch(names, out, checkpoint=True)
    row = next(row for row in Store(out).rows() if row.runs)
    assert row.runs == 2
    sizes = {table: len(rows(out, table)) for table in ("connections", "states")}
    alone = tmp_path / "alone"
    batch([whole, tmp_path / "a.pcap", tmp_path / "b.pcap"], alone)
    assert sizes == {table: len(rows(alone, table)) for table in sizes}


def test_a_checkpoint_that_is_gone_or_spoilt(tmp_path):
    names, _ = cut(BULK, tmp_path / "ring", 4)
    out = tmp_path / "out"
    batch(names[:2], out, checkpoint=True)
    (state,) = (out / CHECKPOINTS).glob("*.state")
    Path(names[0]).unlink()
    good = state.read_bytes()
    for spoilt, why in ((good[:60], "damaged"), (b"x" + good, "not a checkpoint")):
        state.write_bytes(spoilt)
        result = batch(names[1:3], out, checkpoint=True)
        assert result.exit_code is ExitCode.UNREADABLE
        assert why in result.bad[0].message
    state.write_bytes(good.replace(tt.__version__.encode(), b"9.9.9", 1))
    assert "made by tcptrace_py 9.9.9" in batch(names[1:3], out, checkpoint=True).bad[0].message
    state.write_bytes(good)
    assert batch(names[1:3], out, checkpoint=True).exit_code is ExitCode.OK


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_strangers_checkpoint_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = io.BytesIO()
    suspended.write(Evil(), file)
    Path("state").write_bytes(file.getvalue())
    with pytest.raises(UnreadableError, match="has no place in a checkpoint"):
        suspended.read(Path("state"))
    assert not Path("evil").exists()


def test_the_command(tmp_path):
    names, _ = cut(BULK, tmp_path / "ring", 3)
    for number in (1, 2, 3):
        code, out, err = run(*names[:number], "-o", tmp_path / "out", "--checkpoint", "-j", "1")
        assert (code, [line for line in err.splitlines() if "running uncompiled" not in line]) == (0, [])
        assert f"1 capture of {number} file" in out
    with pytest.raises(UsageError, match="are not joined"):
        batch(names, tmp_path / "out", checkpoint=True, join=False)
    code, _, err = run(*names, "-o", tmp_path / "out", "--checkpoint", "--no-join")
    assert (code, "not joined" in err) == (2, True)


def test_a_file_of_which_only_the_stamp_has_changed(tmp_path):
    names, _ = cut(BULK, tmp_path / "ring", 3)
    out = tmp_path / "out"
    batch(names[:2], out, checkpoint=True)
    (before,) = Store(out).rows()
    os.utime(names[0], (1, 1))
    for _ in range(2):
        batch(names[:2], out, checkpoint=True)
        (row,) = Store(out).rows()
        assert (row.runs, row.sha256, row.pieces[0][2]) == (1, before.sha256, "1000000000")
    batch(names, out, checkpoint=True)
    (row,) = Store(out).rows()
    assert (row.runs, len(row.files)) == (2, 3)


def test_pairs_that_are_forgotten_are_told(tmp_path):
    packets = [(START + n * SECOND * 100, ethernet(ipv4(tcp(SYN, seq=n, sport=n % 3 + 1)))) for n in range(9)]
    names, _ = cut_packets(packets, 1, tmp_path / "ring", 3)
    one_by_one(names, tmp_path / "out", limits=Limits(max_pairs=1))
    told = [row["limits"] for row in tt.open_dataset(tmp_path / "out").arrow("captures").to_pylist()]
    assert any(limit.startswith("max_pairs: ") for limits in told for limit in limits)

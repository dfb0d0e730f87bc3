"""Rotated files: recognised by name, kind and time, and read as if the capture had never been cut."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.capture import CaptureSet
from tcptrace_py.capture.rotation import rotated, shape
from tcptrace_py.errors import UnreadableError, UsageError
from tcptrace_py.tables.schema import TABLES
from tcptrace_py.views.cli import app
from tests.batches import batch
from tests.containers import pcap, pcapng
from tests.packets import SYN, ethernet, ipv4, tcp
from tests.rotated import cut

HERE = Path(__file__).resolve().parents[1]
FIXTURES = sorted((HERE / "fixtures").glob("*.pcap"))
BULK = HERE / "fixtures/loss_bulk.pcap"
SECOND = 10**9
START = 1_700_000_000 * SECOND


def contents(trace):
    """Every table but `captures`, without the name of the capture."""
    tables = {name: trace.arrow(name) for name in TABLES if name != "captures"}
    return {name: table.drop_columns(["capture"]).to_pylist() for name, table in tables.items()}


def syns(first, number, step=SECOND, port=1):
    times = [START + first + n * step for n in range(number)]
    return [(time, ethernet(ipv4(tcp(SYN, seq=n, sport=port + n)))) for n, time in enumerate(times)]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("pieces", [2, 7, 50])
def test_a_capture_in_pieces_gives_the_same_tables(tmp_path, path, pieces):
    names, whole = cut(path, tmp_path / "ring", pieces)
    joined, alone = tt.analyze(names), tt.analyze(whole)
    assert contents(joined) == contents(alone)
    files, (one,) = joined.summary.captures, alone.summary.captures
    assert [file["path"] for file in files] == names
    assert {file["set"] for file in files} == {f"{names[0]}+"} == set(joined.connections["capture"])
    sums = [column.name for column in TABLES["captures"] if column.type == "int64" and not column.nullable]
    for column in set(sums) - {"first_frame"}:
        assert sum(file[column] for file in files) == one[column]
    firsts = [sum(file["packets_read"] for file in files[:n]) + 1 for n in range(len(files))]
    assert [file["first_frame"] for file in files] == firsts
    assert joined.summary.joined == one | {"path": f"{names[0]}+", "set": f"{names[0]}+"}


def test_the_name_of_a_set_is_understood_everywhere(tmp_path, monkeypatch):
    names, whole = cut(BULK, tmp_path, 5)
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    first = Path(names[0]).name
    shown = run(app, ["show", "-q", f"{first}+", "0"]).stdout
    assert shown == run(app, ["show", "-q", whole, "0"]).stdout
    told = run(app, ["analyze", "-q", f"{first}+"]).stdout.splitlines()
    assert told[0].startswith(f"{first}+  pcap (ns)")
    assert "  5 files" in told
    assert [conn.record for conn in tt.stream(f"{first}+")] == [conn.record for conn in tt.analyze(f"{first}+")]
    later = tt.analyze(f"{Path(names[2]).name}+")
    assert [file["path"] for file in later.summary.captures] == [Path(name).name for name in names[2:]]
    (tmp_path / "odd+").write_bytes(Path(whole).read_bytes())
    assert tt.analyze("odd+").summary.joined is None


def test_join_takes_any_names_in_the_order_of_their_packets(tmp_path):
    names, whole = cut(BULK, tmp_path, 3)
    odd = [tmp_path / name for name in ("c", "a", "b")]
    for name, other in zip(names, odd, strict=True):
        Path(name).rename(other)
    done = CliRunner().invoke(
        app, ["analyze", "-q", "--join", *map(str, sorted(odd)), "-t", "timeline", "-f", "csv", "--columns", "frame"]
    )
    assert (done.exit_code, done.stdout) == (
        0,
        CliRunner().invoke(app, ["analyze", "-q", whole, "-t", "timeline", "-f", "csv", "--columns", "frame"]).stdout,
    )
    assert CliRunner().invoke(app, ["analyze", "--join", "-", str(odd[0])]).exit_code == 2


def test_damage_in_one_file_is_a_gap_in_the_set(tmp_path):
    names, _ = cut(BULK, tmp_path, 4)
    os.truncate(names[1], Path(names[1]).stat().st_size - 1)
    Path(names[2]).write_bytes(b"")
    trace = tt.analyze(names)
    assert trace.status == "partial"
    assert [file["status"] for file in trace.summary.captures] == ["ok", "partial", "unreadable", "ok"]
    marked = [row["frame"] for row in trace.arrow("timeline").to_pylist() if "after_gap" in row["marks"]]
    assert marked == [trace.summary.captures[3]["first_frame"]]
    done = CliRunner().invoke(app, ["analyze", "-q", "--join", names[0], names[1], names[3]])
    assert done.exit_code == 3
    assert done.stderr.startswith(f"tcpflows: {names[1]}: cut short in record ")
    for name in names:
        Path(name).write_bytes(b"")
    with pytest.raises(UnreadableError, match=r"empty file \(0 bytes\)"):
        tt.analyze(names)
    with pytest.raises(UsageError, match="at least one file"):
        CaptureSet(())


def test_shape():
    assert shape("a1/cap_00002_2026.pcap") == ("a1/cap_#_#.pcap", (2, 2026))
    assert shape("eth0-12.pcap3.gz") == ("eth#-#.pcap#.gz", (0, 12, 3))


@pytest.mark.parametrize(
    ("files", "sets"),
    [
        # tcpdump -C: the first file has no number; -W: all of them have
        ({"c.pcap": syns(0, 3), "c.pcap1": syns(3 * SECOND, 3)}, [["c.pcap", "c.pcap1"]]),
        ({f"c.pcap{n:02}": syns(n * 3 * SECOND, 3) for n in range(11)}, [[f"c.pcap{n:02}" for n in range(11)]]),
        # a ring that has begun again: order is that of time
        ({"r1.pcap": syns(9 * SECOND, 3), "r2.pcap": syns(6 * SECOND, 3), "r3.pcap": syns(0, 3)}, []),
        # -G by the hour, in a quiet network; and a long break between two of them
        (
            {f"e-{h}0000.pcap": syns(h * 3600 * SECOND, 2, 1800 * SECOND) for h in range(3)},
            [["e-00000.pcap", "e-10000.pcap", "e-20000.pcap"]],
        ),
        ({"e-090000.pcap": syns(0, 2), "e-230000.pcap": syns(50_000 * SECOND, 2)}, []),
        # the next number follows, however long the pause
        ({"n_7.pcap": syns(0, 2), "n_8.pcap": syns(50_000 * SECOND, 2)}, [["n_7.pcap", "n_8.pcap"]]),
        # copies, and captures taken at the same time, are none
        ({"a1.pcap": syns(0, 3), "a2.pcap": syns(0, 3)}, []),
        ({"a1.pcap": syns(0, 30), "a2.pcap": syns(20 * SECOND, 30)}, []),
        # other names, another snap length or link type
        ({"a.pcap": syns(0, 3), "b.pcap": syns(3 * SECOND, 3)}, []),
    ],
)
def test_which_files_are_a_set(tmp_path, files, sets):
    for name, packets in files.items():
        (tmp_path / name).write_bytes(pcap(packets, unit=1))
    found = rotated([str(tmp_path / name) for name in files])
    assert [[Path(path).name for path in group] for group in found] == sets


def test_kinds_that_differ_are_no_set(tmp_path):
    kinds = [pcap(syns(0, 3)), pcap(syns(3 * SECOND, 3), link=101), pcap(syns(6 * SECOND, 3), snaplen=96)]
    kinds += [pcapng(syns(9 * SECOND, 3)), b"no capture"]
    for n, data in enumerate(kinds):
        (tmp_path / f"x{n}.pcap").write_bytes(data)
    assert rotated([str(path) for path in tmp_path.iterdir()]) == []


# -- in a batch -----------------------------------------------------------------------------------------------------


def rows(dataset, table):
    import pyarrow.dataset as arrow

    found = arrow.dataset(dataset / table, format="parquet").to_table().to_pylist()
    return [{name: value for name, value in row.items() if name != "capture"} for row in found]


def test_a_batch_reads_a_rotated_set_as_one(tmp_path):
    names, whole = cut(BULK, tmp_path / "ring", 7)
    Path(whole).unlink()
    tables = [name for name in TABLES if name != "captures"]
    result = batch(tmp_path / "ring", tmp_path / "out", tables=tables)
    assert (result.files, result.files_done, dict(result.counts)) == (7, 7, {"ok": 1})
    trace = tt.analyze(names)
    for table in tables:
        assert rows(tmp_path / "out", table) == contents(trace)[table]
    again = batch(tmp_path / "ring", tmp_path / "out", tables=tables)
    assert (again.files_kept, again.connections) == (7, 1)


def test_a_set_that_grows_is_made_anew_and_one_that_is_taken_apart_goes(tmp_path):
    names, whole = cut(BULK, tmp_path / "ring", 3)
    Path(whole).unlink()
    last = Path(names[2]).read_bytes()
    Path(names[2]).unlink()
    out = tmp_path / "out"
    batch(tmp_path / "ring", out)
    assert len(rows(out, "captures")) == 2
    Path(names[2]).write_bytes(last)
    batch(tmp_path / "ring", out)
    assert [row["path"] for row in rows(out, "captures")] == names
    assert len(rows(out, "connections")) == 1
    batch(tmp_path / "ring", out, join=False)
    assert [row["set"] for row in rows(out, "captures")] == [None] * 3
    assert len(list((out / "connections").iterdir())) == 3
    batch(tmp_path / "ring", out)
    assert len(list((out / "connections").iterdir())) == 1


def test_what_a_set_gave_whose_first_files_are_gone_is_kept(tmp_path):
    """A ring that overwrites itself: what is in the dataset stays, and the files that follow are a set of their own."""
    names, whole = cut(BULK, tmp_path / "ring", 4)
    Path(whole).unlink()
    later = {name: Path(name).read_bytes() for name in names[2:]}
    for name in later:
        Path(name).unlink()
    out = tmp_path / "out"
    batch(tmp_path / "ring", out)
    Path(names[0]).unlink()
    for name, data in later.items():
        Path(name).write_bytes(data)
    result = batch(tmp_path / "ring", out)
    assert result.left_out == {"in a set whose first files are gone": 1}
    assert sorted(row["path"] for row in rows(out, "captures")) == names
    for name in names[1:]:
        Path(name).unlink()
    (tmp_path / "ring/other.pcap").write_bytes(pcap(syns(0, 1)))
    assert batch(tmp_path / "ring", out, prune=True).pruned == 2

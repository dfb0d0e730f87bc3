"""Inputs 63, 65, 66, 69: the system around the program, in processes of their own; 64, 67, 68 are about a batch."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tcptrace_py as tt
from tests.containers import pcap
from tests.robustness.hostile.door import TEN

ROOT = Path(__file__).resolve().parents[3]
WHOLE = pcap(TEN)
NAMES = [
    b"esc\x1b[31mred\x1b]0;title\x07.pcap",
    b"line\nline\r.pcap",
    b"markup[/foo][bold].pcap",
    "right-to-left\u202e\u2066.pcap".encode(),
    b"not utf-8 \xff\xfe.pcap",
    b"=cmd|'/c calc'!A0.pcap",
    b"<script>alert(1)<!--&.pcap",
    b"x" * 250 + b".pcap",
]
UNSAFE = {*range(32), 127, *range(0x80, 0xA0), 0x202E, 0x2066} - {10}


def run(*arguments, **how):
    command = [sys.executable, "-P", "-m", "tcptrace_py", *map(os.fsdecode, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, check=False, **{"env": environment, **streams, **how})


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "ten.pcap"
    path.write_bytes(WHOLE)
    return path


# -- 63: places that cannot be written -----------------------------------------------------------------------------

STREAMED = ("csv", "json", "ndjson", "arrow")
FORMS = [("csv", "x.csv"), ("json", "x.json"), ("ndjson", "x.ndjson"), ("parquet", "x.parquet"), ("arrow", "x.arrow")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
@pytest.mark.parametrize("form", STREAMED)
def test_63_a_full_disk_under_standard_output(capture, form):
    with Path("/dev/full").open("wb") as full:
        done = run("analyze", "-q", capture, "-t", "timeline", "-f", form, stdout=full)
    assert done.returncode == 5
    assert done.stderr == b"tcpflows: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize(("form", "name"), [*FORMS, ("csv", "folder")])
def test_63_a_folder_that_cannot_be_written(capture, form, name):
    """Not even root may make files in /proc."""
    done = run("analyze", "-q", capture, "-t", "timeline", "-f", form, "-o", f"/proc/{name}")
    assert done.returncode == 5
    assert done.stderr.startswith(f"tcpflows: cannot write /proc/{name}".encode())
    assert done.stderr.count(b"\n") == 1


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(("form", "name"), FORMS)
def test_63_a_disk_that_fills_up_keeps_nothing_half_written(tmp_path, small_disk, form, name):
    many = tmp_path / "many.pcap"
    many.write_bytes(pcap(TEN * 200))
    target = small_disk / name
    target.write_bytes(b"before")
    done = run("analyze", "-q", many, "-t", "timeline", "-f", form, "-o", target)
    assert done.returncode == 5
    assert done.stderr.startswith(f"tcpflows: cannot write {target}: No space left on device".encode())
    assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == {name: b"before"}


# -- 65: standard output closed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("-t", "timeline"), *(("-t", "timeline", "-f", form) for form in STREAMED)])
def test_65_whoever_reads_goes_away(tmp_path, arguments):
    path = tmp_path / "many.pcap"
    path.write_bytes(pcap(TEN * 500))
    read, write = os.pipe()
    os.close(read)
    done = run("analyze", "-q", path, *arguments, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_65_closed_from_the_start(capture):
    done = run("analyze", "-q", capture, stdout=None, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, b"")


# -- 66: names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "arguments", [(), ("-t", "captures"), *(("-t", "captures", "-f", form) for form, _ in FORMS[:3])]
)
def test_66_a_name_is_shown_safely(tmp_path, name, arguments):
    """Of a sound capture on standard output, of one that is cut on standard error, too."""
    path = os.fsencode(tmp_path) + b"/" + name
    Path(os.fsdecode(path)).parent.mkdir(exist_ok=True)
    Path(os.fsdecode(path)).write_bytes(WHOLE[:-1])
    done = run("analyze", "-q", path, *arguments)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 3
    assert err.count("\n") == 1
    assert "cut short in record 10" in err
    shown = err.removeprefix("tcpflows: ").partition(": cut short")[0]
    assert not UNSAFE & set(map(ord, out + err))
    assert shown.startswith(str(tmp_path))
    if "json" in arguments or "ndjson" in arguments:
        document = json.loads(out)
        (row,) = document["captures"] if "json" in arguments else [document]
        assert row["path"] in {shown, os.fsdecode(path)}
    elif "csv" in arguments:
        (row,) = csv.DictReader(out.splitlines())
        assert row["path"] == shown
    else:
        assert shown[:60] in out


def test_66_a_name_that_is_a_formula_in_a_spreadsheet(tmp_path):
    """A cell that begins with = would be calculated; a relative name can begin so."""
    (tmp_path / "=1+1.pcap").write_bytes(WHOLE)
    said = [
        run("analyze", "-q", "=1+1.pcap", "-t", "captures", "-f", "csv", *raw, cwd=tmp_path).stdout.decode()
        for raw in ((), ("--raw-csv",))
    ]
    assert [next(csv.DictReader(text.splitlines()))["path"] for text in said] == ["'=1+1.pcap", "=1+1.pcap"]


# -- 69: hardly any surroundings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", "-q", "ten.pcap"),
        ("analyze", "-q", "ten.pcap", "-f", "csv", "-t", "timeline"),
        ("analyze", "-q", "ten.pcap", "-f", "parquet", "-o", "out"),
        ("show", "-q", "ten.pcap", "0"),
        ("xplot", "-q", "ten.pcap", "0", "-o", "out"),
        ("catalog", "timeline"),
    ],
    ids=" ".join,
)
def test_69_no_tmp_no_home_no_language_no_terminal(capture, arguments):
    bare = {"PYTHONPATH": str(ROOT), "LANG": "C", "TMPDIR": "/nonexistent", "PYTHONUTF8": "0"}
    folder = capture.parent
    done = run(*arguments, env=bare, cwd=folder, stdin=None, preexec_fn=lambda: os.close(0))
    assert (done.returncode, done.stderr) == (0, b"")
    if "-o" in arguments:
        assert list((folder / "out").iterdir())
    else:
        assert b"ESTABLISHED" in done.stdout or b"three_way" in done.stdout or arguments[0] == "catalog"


def test_69_the_same_tables_as_anywhere(capture):
    bare = {"PYTHONPATH": str(ROOT), "LANG": "C", "TMPDIR": "/nonexistent"}
    done = run("analyze", "ten.pcap", "-t", "connections", "-f", "ndjson", env=bare, cwd=capture.parent)
    record = tt.analyze(capture)[0].record
    row = json.loads(done.stdout)
    assert {name: row[name] for name in ("handshake", "teardown", "c2s_octets", "community_id")} == {
        name: record[name] for name in ("handshake", "teardown", "c2s_octets", "community_id")
    }

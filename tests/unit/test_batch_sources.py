"""Where a batch finds captures, and what of it is taken: folders, links, hidden files, patterns, archives."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import zstandard
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.dataset import archives
from tcptrace_py.dataset.manifest import name_for
from tcptrace_py.errors import ExitCode, UsageError
from tcptrace_py.views.cli import app
from tests.batches import ROOT, batch, capture, captures, contents, folder_of, tar_of


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def test_a_folder_is_searched_to_its_end(tmp_path):
    folder_of(tmp_path / "in" / "a" / "b", ["four_way"])
    folder_of(tmp_path / "in" / "c", ["refused"])
    (tmp_path / "in" / "README").write_text("not for you")
    (tmp_path / "in" / "empty.pcap").touch()
    done = batch(tmp_path / "in", tmp_path / "out")
    assert captures(tmp_path / "out") == {"four_way.pcap": "ok", "refused.pcap": "ok", "empty.pcap": "unreadable"}
    assert dict(done.left_out) == {"not a capture": 1}
    assert done.bad == [(str(tmp_path / "in" / "empty.pcap"), "unreadable", "empty file (0 bytes)", 0)]
    assert done.exit_code is ExitCode.UNREADABLE


def test_what_is_hidden_or_our_own_is_left_out(tmp_path):
    source = folder_of(tmp_path / "in", ["four_way"])
    (source / ".tcpflows-1-2.tmp").write_bytes(capture("refused"))
    (source / ".hidden.pcap").write_bytes(capture("refused"))
    folder_of(source / ".git", ["refused"])
    for _ in range(2):  # the second time the dataset is there, in the folder itself
        done = batch(source, source / "dataset")
        assert (done.files, dict(done.left_out)) == (1, {"hidden": 2})


def test_links_are_not_followed_in_circles(tmp_path):
    source = folder_of(tmp_path / "in", ["four_way", "refused"])
    (source / "circle").symlink_to(source)
    (source / "self").symlink_to("self")
    (source / "aaa.pcap").symlink_to("four_way.pcap")
    (source / "nowhere.pcap").symlink_to("gone.pcap")
    (source / "elsewhere.pcap").symlink_to(folder_of(tmp_path / "other", ["half_close"]) / "half_close.pcap")
    os.mkfifo(source / "pipe.pcap")
    done = batch(source, tmp_path / "out")
    assert captures(tmp_path / "out") == dict.fromkeys(["elsewhere.pcap", "four_way.pcap", "refused.pcap"], "ok")
    assert dict(done.left_out) == {
        "another name of a file": 1,
        "link to a folder": 1,
        "neither file nor folder": 3,
    }


def test_a_source_that_is_a_link_is_followed(tmp_path):
    (tmp_path / "in").symlink_to(folder_of(tmp_path / "there", ["four_way"]))
    assert batch(tmp_path / "in", tmp_path / "out").counts == {"ok": 1}


def test_a_pattern_chooses(tmp_path):
    source = folder_of(tmp_path / "in", ["four_way", "refused"])
    folder_of(source / "deep", ["half_close"])
    assert batch(source, tmp_path / "a", pattern="*e*").left_out == {"does not match the pattern": 1}
    assert set(captures(tmp_path / "a")) == {"refused.pcap", "half_close.pcap"}
    batch(source, tmp_path / "b", pattern="deep/*")
    assert set(captures(tmp_path / "b")) == {"half_close.pcap"}


def test_a_file_named_by_the_user_has_to_be_a_capture(tmp_path):
    (tmp_path / "notes").write_text("Dear diary,\n")
    done = batch([tmp_path / "notes", tmp_path / "gone"], tmp_path / "out")
    assert done.bad == [
        (str(tmp_path / "gone"), "unreadable", "no such file", 0),
        (str(tmp_path / "notes"), "unreadable", "not a capture file (looks like text)", 0),
    ]


PACKED = {
    "x.tar": bytes,
    "x.tar.gz": gzip.compress,
    "x.tgz": gzip.compress,
    "x.tar.bz2": bz2.compress,
    "x.tar.xz": lzma.compress,
    "x.tar.zst": zstandard.compress,
}


@pytest.mark.parametrize("name", [*PACKED, "x.zip"])
@pytest.mark.parametrize("timeline", [False, True])
def test_members_give_what_the_files_give(tmp_path, name, timeline):
    members = [("a/four_way.pcap", capture("four_way")), ("b.pcap.gz", gzip.compress(capture("loss_bulk")))]
    data = zip_of(members) if name == "x.zip" else PACKED[name](tar_of(members))
    (tmp_path / name).write_bytes(data)
    tables = ["captures", "connections", "states", "events", *(["timeline"] if timeline else [])]
    batch(tmp_path / name, tmp_path / "out", tables=tables)
    assert captures(tmp_path / "out") == {
        "four_way.pcap": "ok",
        "x.zip!b.pcap.gz" if name == "x.zip" else f"{name}!b.pcap.gz": "ok",
    }
    for member, fixture in (("a/four_way.pcap", "four_way"), ("b.pcap.gz", "loss_bulk")):
        (tmp_path / "plain.pcap").write_bytes(capture(fixture))
        trace = tt.analyze(tmp_path / "plain.pcap")
        for table in tables[1:]:
            assert rows(part(tmp_path / "out", table, f"{tmp_path / name}!{member}")) == rows(trace.arrow(table)), table


def part(dataset, table, label):
    return pq.read_table(dataset / table / f"{name_for(label)}.parquet")


def rows(table):
    return table.drop_columns(["capture"]).to_pylist()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE = [
    "../../escaped.pcap",
    "/escaped.pcap",
    "a/../../../escaped.pcap",
    "esc\x1b[31m.pcap",
    "new\nline.pcap",
    "c:\\escaped.pcap",
]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_hostile_42_an_archive_through_a_pipe_is_refused(tmp_path, kind):
    """Members of a pipe could not be read twice, nor named; what to do instead is said."""
    members = [(name, capture("four_way")) for name in HOSTILE]
    data = tar_of(members) if kind == "tar" else zip_of(members)
    command = [sys.executable, "-m", "tcptrace_py", "analyze", "-q", "-"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=data, capture_output=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith(b"tcpflows: -: not a capture file (looks like ")
    assert b"try: tcpflows batch" in done.stderr
    assert done.stdout == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_hostile_42_nothing_is_written_outside(tmp_path, kind):
    work = tmp_path / "deep" / "er"
    work.mkdir(parents=True)
    members = [(name, capture("four_way")) for name in HOSTILE]
    links = [
        special("link.pcap", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.pcap", tarfile.LNKTYPE, "../../escaped.pcap"),
        special("device.pcap", tarfile.CHRTYPE),
        special("pipe.pcap", tarfile.FIFOTYPE),
    ]
    source = work / f"x.{kind}"
    source.write_bytes(tar_of([*members, *links]) if kind == "tar" else zip_of(members))
    before = {str(path) for path in tmp_path.rglob("*")}
    done = batch(source, work / "out")
    assert done.counts == {"ok": len(HOSTILE)}
    assert done.left_out == ({"link or device in an archive": 4} if kind == "tar" else {})
    new = {str(path) for path in tmp_path.rglob("*")} - before
    assert all(path.startswith(str(work / "out")) for path in new)
    assert not Path("/escaped.pcap").exists()
    names = {Path(name).name for name in contents(work / "out")}
    assert all(
        name.isascii() and name.isprintable() and name[12] == "-" and not set(name) & set("\\/ ") for name in names
    )
    paths = sorted(pd.read_parquet(work / "out" / "captures")["path"])
    assert paths == sorted(f"{source}!{name}".replace("\x1b", "\\x1b").replace("\n", "\\x0a") for name in HOSTILE)


def test_hostile_42_more_members_than_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    for name, data in (("a.tar", tar_of), ("b.zip", zip_of)):
        (tmp_path / name).write_bytes(data([(f"{n}.pcap", capture("four_way")) for n in range(5)]))
        done = batch(tmp_path / name, tmp_path / f"out-{name}")
        assert done.counts == {"ok": 3}
        assert [each.message for each in done.bad] == ["more than 3 members; the others are left out"]
        assert done.exit_code is ExitCode.PARTIAL


def test_hostile_42_an_archive_in_an_archive_is_not_opened(tmp_path):
    inner = {"i.zip": zip_of([("a.pcap", capture("four_way"))]), "i.tar.gz": gzip.compress(tar_of([("a.pcap", b"")]))}
    (tmp_path / "x.zip").write_bytes(zip_of([*inner.items(), ("b.pcap", capture("refused"))]))
    done = batch(tmp_path / "x.zip", tmp_path / "out")
    assert (done.counts, done.left_out) == ({"ok": 1}, {"archive in an archive": 2})
    assert done.bad == [(str(tmp_path / "x.zip"), "partial", "archive in an archive is not opened", 0)]


def test_hostile_42_long_headers_are_bounded(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    data = tar_of([("a.pcap", capture("four_way"))])
    (tmp_path / "x.tar").write_bytes(
        data[: -(-len(capture("four_way")) // 512) * 512 + 512] + header.tobuf(tarfile.GNU_FORMAT)
    )
    done = batch(tmp_path / "x.tar", tmp_path / "out")
    assert done.counts == {"ok": 1}
    assert [each.message for each in done.bad] == [f"the archive is damaged (an extended header of {8 << 30} bytes)"]


@pytest.mark.parametrize(
    ("data", "counts", "message"),
    [
        (lambda tar: tar[:-2000], {"ok": 1, "partial": 1}, None),
        (lambda tar: gzip.compress(tar)[:-2000], None, "gzip data ends too early"),
        (lambda tar: tar[:2048] + b"junk" * 3000, None, "damaged"),
    ],
    ids=["cut", "gzip-cut", "junk"],
)
def test_damage_in_an_archive_is_told(tmp_path, data, counts, message):
    tar = tar_of([("a.pcap", capture("four_way")), ("b.pcap", capture("loss_bulk"))])
    tar = tar[: len(tar.rstrip(b"\0")) + 1024]
    (tmp_path / "x.tar").write_bytes(data(tar))
    done = batch(tmp_path / "x.tar", tmp_path / "out")
    assert done.bad
    assert done.exit_code in (ExitCode.PARTIAL, ExitCode.UNREADABLE)
    if counts:
        assert done.counts == counts
    if message:
        assert any(message in each.message for each in done.bad), done.bad


def test_the_same_member_twice_is_two_captures(tmp_path):
    (tmp_path / "x.tar").write_bytes(tar_of([("a.pcap", capture("four_way")), ("a.pcap", capture("refused"))]))
    batch(tmp_path / "x.tar", tmp_path / "out")
    assert set(captures(tmp_path / "out")) == {"x.tar!a.pcap", "x.tar!a.pcap#2"}


def test_an_encrypted_member_is_told(tmp_path):
    data = bytearray(zip_of([("a.pcap", capture("four_way"))]))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + at] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    (bad,) = batch(tmp_path / "x.zip", tmp_path / "out").bad
    assert (bad.status, "encrypted" in bad.message) == ("unreadable", True)


def test_analyze_knows_where_archives_go(tmp_path):
    (tmp_path / "x.tar").write_bytes(tar_of([("a.pcap", capture("four_way"))]))
    told = CliRunner().invoke(app, ["analyze", "-q", str(tmp_path / "x.tar")])
    assert told.exit_code == ExitCode.UNREADABLE
    assert f"not a capture file (looks like a tar archive); try: tcpflows batch {tmp_path / 'x.tar'}" in told.stderr


def test_an_address_is_read_through_fsspec(tmp_path):
    pytest.importorskip("fsspec")
    source = folder_of(tmp_path / "in", ["four_way", "refused"])
    (source / "x.tar.gz").write_bytes(gzip.compress(tar_of([("m.pcap", capture("half_close"))])))
    (source / "x.zip").write_bytes(zip_of([("z.pcap", capture("half_close"))]))
    assert batch(f"file://{source}", tmp_path / "out").counts == {"ok": 4}
    assert batch(f"file://{source}", tmp_path / "out").files_kept == 4
    assert set(captures(tmp_path / "out")) == {"four_way.pcap", "refused.pcap", "x.tar.gz!m.pcap", "x.zip!z.pcap"}
    gone = batch(f"file://{source}/gone.pcap", tmp_path / "out").bad
    assert [each.message for each in gone] == ["no such file"]


def test_without_fsspec_an_address_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"s3://bucket/x: addresses need fsspec: pip install 'tcptrace_py\[remote\]'"):
        batch("s3://bucket/x", tmp_path / "out")

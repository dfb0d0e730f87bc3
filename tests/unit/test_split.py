"""A capture that is split over workers: the dataset is the same to the last byte, and failures cost no more."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import asdict
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py.dataset import splitting
from tcptrace_py.dataset.manifest import Settings
from tcptrace_py.dataset.merging import Merge
from tcptrace_py.dataset.share import Share
from tcptrace_py.dataset.sources import Input, set_of
from tcptrace_py.dataset.splitting import LEAST_BYTES, MOST_SHARES, Agenda
from tcptrace_py.dataset.work import Task
from tcptrace_py.options import Options
from tests import batch_tasks, packets
from tests.batches import FIXTURES, ROOT, batch, contents
from tests.packets import ACK, FIN, PSH, RST, SYN

ALL = ["captures", "connections", "states", "events", "timeline", "features"]
SHARES = (2, 3, 5)
MS = 10**6


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(splitting, "LEAST_BYTES", 0)


@pytest.fixture
def split_into(monkeypatch):
    """How many shares were followed."""
    followed = []
    monkeypatch.setattr(splitting, "follow", lambda share, do=splitting.follow: followed.append(share) or do(share))
    return followed


def assert_same(source, folder, *, shares=SHARES, **options):
    """The dataset and the report are the same, split or not; what the whole dataset holds."""
    options = {"tables": ALL} | options
    whole = batch(source, folder / "whole", **options)
    wanted = contents(folder / "whole")
    for number in shares:
        split = batch(source, folder / str(number), split=True, workers=number, **options)
        found = contents(folder / str(number))
        assert [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)] == []
        assert asdict(split) == asdict(whole)
    return wanted


# -- a mixture of all that concerns more than one connection ---------------------------------------------------------


def dialogue(at, port, isn, *, close=FIN, network=None):
    """A connection of some segments, as (ns, packet); a SYN-ACK without a good checksum, and some copies."""
    client, server = ("192.0.2.1", port, isn), ("203.0.113.5", 80, isn + 5000)
    said = [(0, SYN, 0, 0, b""), (1, SYN | ACK, 0, 1, b""), (0, ACK, 1, 1, b""), (0, PSH | ACK, 1, 1, b"question")]
    said += [(1, PSH | ACK, 1, 9, b"answer"), (0, close | ACK, 9, 7, b"")]
    said += [(1, FIN | ACK, 7, 10, b""), (0, ACK, 10, 8, b"")] if close == FIN else []
    made = []
    for place, (side, flags, seq, ack, octets) in enumerate(said):
        (source, sport, mine), (target, dport, other) = (client, server) if side == 0 else (server, client)
        tcp = packets.tcp(
            flags, seq=seq + mine, ack=ack + other if ack else 0, payload=octets, sport=sport, dport=dport
        )
        packet = packets.ipv4(tcp, source, target, ip_id=1 + place)
        if place == 3 and port % 7 == 0:
            packet = packet[:-1] + bytes([packet[-1] ^ 1])
        frame = packets.ethernet(packet) if network is None else packets.ethernet(packets.vlan(network, packet))
        copies = 2 if port % 5 == 0 and place == 4 else 1
        made += [(at + place * 3 * MS + k * MS // 10, frame) for k in range(copies)]
    return made


def quoting(at, port):
    """An ICMP error about the first segment of that dialogue."""
    tcp = packets.tcp(SYN, seq=9, ack=0, sport=port, dport=80)
    return [(at, packets.ethernet(packets.icmp_error(packets.ipv4(tcp, "192.0.2.1", "203.0.113.5", ip_id=1))))]


def flood(number, target):
    """SYNs that nobody answers, and one who asks many ports."""
    made = []
    for k in range(number):
        for source, sport, dport in ((f"198.51.100.{k % 250}", 1024 + k, 443), ("192.0.2.77", 9, 1 + k)):
            tcp = packets.tcp(SYN, seq=77 * k, ack=0, sport=sport, dport=dport)
            made.append((k * 2 * MS, packets.ethernet(packets.ipv4(tcp, source, target, ip_id=1 + k))))
    return made


def guesses(number):
    """A connection, and RSTs out of its window."""
    made = dialogue(0, 30_000, 1000, close=ACK)
    for k in range(number):
        tcp = packets.tcp(RST, seq=1_000_000 + k * 8192, ack=0, sport=30_000, dport=80)
        made.append(((100 + k) * MS, packets.ethernet(packets.ipv4(tcp, "192.0.2.1", "203.0.113.5", ip_id=500 + k))))
    return made


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    made = [*flood(120, "203.0.113.9"), *guesses(12)]
    for k in range(150):
        port = 20_000 + k % 40  # ports are used again
        made += dialogue(k * 5 * MS, port, 1000 + 7 * k, close=FIN if k % 3 else RST, network=k % 4 or None)
        made += quoting(k * 5 * MS + 4 * MS, port)
    made.sort(key=lambda one: one[0])
    times, data = zip(*((packets.BASE_NS + at, frame) for at, frame in made), strict=True)
    return packets.write_pcap(tmp_path_factory.mktemp("in") / "mixture.pcap", data, times=times)


def test_a_mixture_of_connections_is_the_same(tmp_path, mixture, split_into):
    assert_same(mixture, tmp_path)
    assert [(share.number, share.of) for share in split_into] == [(k, n) for n in SHARES for k in range(n)]
    found = {row["code"] for row in tt.analyze(mixture, tables=("events",)).arrow("events").to_pylist()}
    of_many = {"atk_syn_flood", "atk_scan", "atk_blind", "icmp_error", "duplicate_packet", "reused_port"}
    assert of_many | {"bad_checksum"} <= found  # else it is no mixture


def test_every_share_has_connections_and_no_two_the_same(mixture):
    from tcptrace_py import pipeline
    from tcptrace_py.flows import FlowTable

    firsts = []
    for number in range(3):
        *_, done = pipeline.steps(
            str(mixture), Options(), flows=FlowTable(7, number, 3), keep=frozenset({"connections"})
        )
        firsts.append({conn.conn_id for conn in done.tracker.finished})
        assert len(firsts[-1]) == done.tracker.next_id > 0
    *_, whole = pipeline.steps(str(mixture), Options(), keep=frozenset({"connections"}))
    assert sum(map(len, firsts)) == len(set().union(*firsts)) == whole.tracker.next_id


@pytest.mark.parametrize("table", ALL)
def test_one_table_alone_is_the_same(tmp_path, mixture, table):
    assert_same(mixture, tmp_path, tables=[table], shares=(3,))


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_a_fixture_is_the_same(tmp_path, path):
    assert_same(path, tmp_path, shares=(3,))


def test_runs_of_few_connections_are_merged_the_same(tmp_path, mixture, monkeypatch):
    monkeypatch.setattr("tcptrace_py.dataset.share.ENDED_AT_ONCE", 7)
    monkeypatch.setattr("tcptrace_py.dataset.share.ROWS_AT_ONCE", 3)
    monkeypatch.setattr("tcptrace_py.dataset.merging.ROW_GROUP", 64)
    monkeypatch.setattr("tcptrace_py.tables.write.ROW_GROUP", 64)
    monkeypatch.setattr("tcptrace_py.tables.build.AT_ONCE", 64)
    monkeypatch.setattr("tcptrace_py.dataset.merging.AT_ONCE", {"connections": 64, "features": 64})
    assert_same(mixture, tmp_path, batch_size=50)


def test_originals_are_forgotten_alike(tmp_path):
    """The rows of all pairs push each other out of the places where originals are remembered, broken ones too."""
    rng = random.Random(5)
    made, count = [], 0
    for k in range(6000):
        port, broken = rng.randrange(40), rng.random() < 0.2
        tcp = packets.tcp(PSH | ACK, seq=1 + 10 * k, ack=1, payload=b"x" * 10, sport=port, dport=80)
        packet = packets.ipv4(tcp, "192.0.2.1", "203.0.113.5", ip_id=1 + k)
        made.append((k * 1000, packet[:-1] + b"y" if broken else packet))
        if not broken and rng.random() < 0.3:
            made.append((k * 1000 + rng.randrange(5 * MS), packet))
            count += 1
    made.sort(key=lambda one: one[0])
    times, data = zip(*((packets.BASE_NS + at, packet) for at, packet in made), strict=True)
    path = packets.write_pcap(tmp_path / "dense.pcap", data, 101, times=times)
    assert_same(path, tmp_path, tables=["timeline"])
    rows = tt.analyze(path).arrow("timeline").column("anomalies").to_pylist()
    assert 0 < sum("duplicate_packet" in row for row in rows) < count  # else nothing was pushed out
    assert any("bad_checksum" in row for row in rows)


def test_a_set_of_files_and_a_compressed_one(tmp_path, mixture):
    import gzip

    (tmp_path / "in").mkdir()
    data = mixture.read_bytes()
    at = 24
    while at < len(data) // 2:
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
    (tmp_path / "in" / "cap.pcap").write_bytes(data[:at])
    (tmp_path / "in" / "cap.pcap1").write_bytes(data[:24] + data[at:])
    (tmp_path / "mixture.pcap.gz").write_bytes(gzip.compress(data, mtime=0))
    made = assert_same(tmp_path / "in", tmp_path / "set")
    assert sum(name.startswith("timeline") for name in made) == 1
    assert_same(tmp_path / "mixture.pcap.gz", tmp_path / "gz")


def test_limits_that_all_shares_reach_alike_are_counted_once(tmp_path):
    inner = packets.ipv4(packets.tcp(SYN), ip_id=1)
    for _ in range(3):
        inner = packets.ipip(inner)
    path = packets.write_pcap(tmp_path / "deep.pcap", [inner, packets.ipv4(packets.tcp(SYN), ip_id=2)], 101)
    limits = tt.Limits(max_tunnels=1)
    assert_same(path, tmp_path, limits=limits)


# -- what is wrong ---------------------------------------------------------------------------------------------------


def test_bad_inputs_are_reported_as_ever(tmp_path):
    whole = (FIXTURES / "four_way.pcap").read_bytes()
    for name, data in {
        "cut.pcap": whole[:-7],
        "empty.pcap": b"",
        "text.pcap": b"no capture",
        "head.pcap": whole[:24],
    }.items():
        (tmp_path / name).write_bytes(data)
        assert_same(tmp_path / name, tmp_path / f"of-{name}")


def test_an_archive_is_not_split(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(FIXTURES / "four_way.pcap", "a.pcap")
        archive.add(FIXTURES / "port_reuse.pcap", "b.pcap")
    assert len(assert_same(tmp_path / "x.tar.gz", tmp_path)) == 2 * len(ALL) + 3


def test_an_input_that_changes_meanwhile_is_not_written(tmp_path, mixture, monkeypatch):
    source = shutil.copy(mixture, tmp_path / "a.pcap")

    def grown(step):
        if isinstance(step, Share) and step.number == 1:
            data = mixture.read_bytes()
            Path(source).write_bytes(data + data[24:])
        return splitting.do(step)

    monkeypatch.setattr("tcptrace_py.dataset.run.do", grown)
    done = batch(source, tmp_path / "out", split=True, workers=2)
    assert dict(done.counts) == {"unreadable": 1}
    assert "changed while it was read" in done.bad[0].message
    assert contents(tmp_path / "out") == {}
    assert not list((tmp_path / "out").rglob("*.tmp"))


@pytest.mark.parametrize("always", [False, True])
def test_a_worker_that_dies_of_a_share(tmp_path, mixture, monkeypatch, always):
    monkeypatch.setenv("BATCH_TASKS", str(tmp_path))
    monkeypatch.setattr("tcptrace_py.dataset.run.do", batch_tasks.fatal_share)
    if always:
        (tmp_path / "always").touch()
    done = tt.batch(mixture, tmp_path / "out", tables=ALL, split=True, workers=2)
    assert (tmp_path / "once").exists()
    batch(mixture, tmp_path / "whole", tables=ALL)
    assert dict(done.counts) == ({"worker_died": 1} if always else {"ok": 1})
    assert contents(tmp_path / "out") == ({} if always else contents(tmp_path / "whole"))
    assert not list((tmp_path / "out").rglob("*.tmp"))


DRIVER = """
import sys
import tcptrace_py as tt
from tcptrace_py.dataset import splitting

splitting.LEAST_BYTES = 0
tt.batch(sys.argv[1], sys.argv[2], tables={tables}, split=True, workers=2)
"""


def test_killed_at_any_point_and_run_again(tmp_path, mixture):
    rng = random.Random(16)
    batch(mixture, tmp_path / "whole", tables=ALL)
    program = [sys.executable, "-P", "-c", DRIVER.format(tables=ALL), str(mixture)]
    env = {"PYTHONPATH": ":".join([str(ROOT), *sys.path[1:]])}
    for number in range(4):
        dataset = tmp_path / str(number)
        process = subprocess.Popen([*program, str(dataset)], env=env, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while process.poll() is None and not list(dataset.rglob("*.tmp")) and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert all(path.suffix in {".parquet", ".json", ".tmp"} for path in dataset.rglob("*-mixture*"))
        subprocess.run([*program, str(dataset)], env=env, check=True)
        assert contents(dataset) == contents(tmp_path / "whole")
        assert not list(dataset.rglob("*.tmp"))


def test_done_already_is_done_whether_split_or_not(tmp_path, mixture):
    batch(mixture, tmp_path, split=True, workers=2)
    assert batch(mixture, tmp_path).files_kept == 1
    assert batch(mixture, tmp_path, split=True, workers=3).files_kept == 1


# -- what is split ---------------------------------------------------------------------------------------------------


def tasks(*sizes, **options):
    """Tasks for files of these sizes, the largest first."""
    settings = Settings("1", 1, ["captures", "timeline"], asdict(Options(**options)))
    return [Task("/out", Input(f"/in/{k}.pcap", size, "1"), settings) for k, size in enumerate(sizes)]


def waiting(agenda):
    """Shares by capture, and captures that are read whole."""
    shares = [step.task.input.capture for step in agenda.waiting if isinstance(step, Share)]
    return {name: shares.count(name) for name in shares}, sum(isinstance(step, Task) for step in agenda.waiting)


def test_what_is_split_and_into_how_many_shares(monkeypatch):
    monkeypatch.setattr(splitting, "LEAST_BYTES", LEAST_BYTES)
    large, small = LEAST_BYTES, LEAST_BYTES - 1
    assert waiting(Agenda(tasks(large), 4)) == ({"/in/0.pcap": 4}, 0)
    assert waiting(Agenda(tasks(large, small), 4)) == ({"/in/0.pcap": 4}, 1)
    assert waiting(Agenda(tasks(large, large, large), 4)) == ({f"/in/{k}.pcap": 2 for k in range(3)}, 0)
    assert waiting(Agenda(tasks(*[large] * 9), 4)) == ({"/in/0.pcap": 4}, 8)
    assert waiting(Agenda(tasks(large), 1000)) == ({"/in/0.pcap": MOST_SHARES}, 0)


def test_what_is_not_split():
    assert waiting(Agenda(tasks(1), 1)) == ({}, 1)
    assert waiting(Agenda(tasks(1, 1, 1, 1), 2)) == ({}, 4)
    assert waiting(Agenda(tasks(1, overlaps=True), 2)) == ({}, 1)
    (task,) = tasks(1)
    for other in (
        Task(task.folder, task.input, task.settings, "digest"),
        Task(task.folder, Input("s3://bucket/a.pcap", 1, "1"), task.settings),
        Task(task.folder, set_of([["/in/1.pcap", 1, "1"]]).going_on(), task.settings),
    ):
        assert waiting(Agenda([other], 2)) == ({}, 1)


def test_no_table_is_merged_before_all_shares_are_there():
    agenda = Agenda(tasks(1), 2)
    shares = list(agenda.waiting)
    agenda.waiting.clear()
    line = {"packets_read": 1, "connections": 1, "findings": [], "limits": []}
    followed = splitting.Followed([line], None, ["digest"], [], {})
    assert agenda.after(shares[1], followed) is None
    assert not agenda.waiting
    assert agenda.after(shares[0], followed) is None
    assert sorted(step.table for step in agenda.waiting if isinstance(step, Merge)) == ["captures", "timeline"]

"""Input 44 with ``--follow``: growing files and live pipes, in a process of its own, with real signals."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import zlib

import pytest
from typer.testing import CliRunner

from tcptrace_py.views.cli import app
from tests.containers import pcap, pcap_record
from tests.robustness.hostile.door import TEN

PATIENCE_S = 60  # against hangs only
WHOLE = pcap(TEN)
RECORDS = [pcap_record(*packet) for packet in TEN]
LATER = [(time + 10**12, frame) for time, frame in TEN]  # the same again, long after TIME_WAIT


class Followed:
    """``tcpflows analyze --follow``, its lines as they come."""

    def __init__(self, *args, stdin=None, stdout=subprocess.PIPE):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "tcptrace_py", "analyze", "-q", "--follow", *map(str, args)]
        self.process = subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
        self.lines = queue.Queue()
        if self.process.stdout:
            threading.Thread(target=self._gather, daemon=True).start()

    def _gather(self):
        for line in self.process.stdout:
            self.lines.put(line.decode())

    def line(self):
        return self.lines.get(timeout=PATIENCE_S)

    def frames(self, number):
        return [json.loads(self.line())["frame"] for _ in range(number)]

    def end(self, number=None):
        """Exit code, the lines not taken yet, and standard error."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        rest = []
        with contextlib.suppress(queue.Empty):
            while True:
                rest.append(self.lines.get(timeout=0.5))
        return code, rest, self.process.stderr.read().decode()


@pytest.fixture
def follow():
    started = []

    def start(*args, **options):
        started.append(Followed(*args, **options))
        return started[-1]

    yield start
    for followed in started:
        followed.process.kill()
        followed.process.wait()
        for pipe in (followed.process.stdout, followed.process.stderr):
            if pipe:
                pipe.close()


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_44_the_timeline_of_a_growing_file(tmp_path, follow):
    """Each segment when it is whole, however it comes; Ctrl-C makes what was read final."""
    path = tmp_path / "growing.pcap"
    path.write_bytes(b"")
    followed = follow(path, "-t", "timeline", "-f", "ndjson")
    append(path, WHOLE[:10])
    append(path, WHOLE[10:24] + RECORDS[0] + RECORDS[1][:20])
    assert followed.frames(1) == [1]
    append(path, RECORDS[1][20:] + RECORDS[2])
    assert followed.frames(2) == [2, 3]
    append(path, b"".join(RECORDS[3:]))
    rows = [json.loads(followed.line()) for _ in range(7)]
    assert [row["client_state"] for row in rows][-3:] == ["FIN_WAIT_2", "TIME_WAIT", "TIME_WAIT"]
    append(path, RECORDS[0][:9])  # of no account: more would have come
    code, rest, err = followed.end(signal.SIGINT)
    assert (code, rest) == (130, [])
    assert err == f"tcpflows: {path}: interrupted; 10 packets read, results up to there are final\n"


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_44_connections_as_they_end(tmp_path, follow, kind):
    path = tmp_path / "growing.pcap"
    path.write_bytes(WHOLE)
    followed = follow(path, "-t", "connections", "-f", kind, "--columns", "conn_id,teardown,c2s_segments")
    if kind == "csv":
        assert followed.line() == "conn_id,teardown,c2s_segments\n"
    append(path, b"".join(pcap_record(*packet) for packet in LATER[:2]))
    first = {"ndjson": '{"conn_id":0,"teardown":"four_way","c2s_segments":6}\n', "csv": "0,four_way,6\n"}[kind]
    assert followed.line() == first
    code, rest, _ = followed.end(signal.SIGTERM)
    second = {"ndjson": '{"conn_id":1,"teardown":"open","c2s_segments":1}\n', "csv": "1,open,1\n"}[kind]
    assert (code, rest) == (143, [second])


def test_44_states_as_connections_end(tmp_path, follow):
    path = tmp_path / "growing.pcap"
    path.write_bytes(pcap(TEN + LATER[:1]))
    followed = follow(path, "-t", "states", "-f", "ndjson", "-w", "endpoint == client")
    seen = [json.loads(followed.line())["state"] for _ in range(5)]
    assert seen == ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"]
    assert followed.end(signal.SIGINT)[0] == 130


def test_44_the_summary_comes_at_the_end(tmp_path, follow):
    path = tmp_path / "growing.pcap"
    path.write_bytes(WHOLE)
    followed = follow(path)
    time.sleep(1)
    assert followed.lines.empty()
    code, lines, err = followed.end(signal.SIGINT)
    assert (code, err.count("\n")) == (130, 1)
    assert lines[0] == f"{path}  pcap, link type 1\n"
    assert "  10 segments on 1 connection\n" in lines
    assert "          1  four_way  FIN, ACK, FIN, ACK\n" in lines


def test_44_a_table_on_the_terminal_comes_line_by_line(tmp_path, follow):
    path = tmp_path / "growing.pcap"
    path.write_bytes(WHOLE[: len(pcap(TEN[:1]))])
    followed = follow(path, "-t", "timeline", "--columns", "frame,flags")
    assert [followed.line().split(), followed.line().split()] == [["frame", "flags"], ["1", "S"]]
    append(path, RECORDS[1])
    assert followed.line().split() == ["2", "SA"]
    assert followed.end(signal.SIGINT)[0] == 130


@pytest.mark.parametrize("way", ["fifo", "stdin"])
def test_44_a_live_pipe(tmp_path, follow, way):
    """Rows as their bytes come; the end of the pipe is the end of the capture."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    args = ("-t", "timeline", "-f", "ndjson")
    if way == "fifo":
        followed = follow(fifo, *args)
        pipe = fifo.open("wb", buffering=0)
    else:
        followed = follow("-", *args, stdin=subprocess.PIPE)
        pipe = followed.process.stdin
    for record, number in zip([WHOLE[:24] + RECORDS[0], *RECORDS[1:]], range(1, 11), strict=True):
        pipe.write(record)
        pipe.flush()
        assert followed.frames(1) == [number]
    pipe.close()
    assert followed.end() == (0, [], "")


def test_44_a_growing_file_as_standard_input(tmp_path, follow):
    """From where it stands: somebody has read the lines before the capture."""
    path = tmp_path / "growing"
    path.write_bytes(b"a line before it\n" + WHOLE[:24] + RECORDS[0])
    with path.open("rb", buffering=0) as stdin:
        stdin.readline()
        followed = follow("-", "-t", "timeline", "-f", "ndjson", stdin=stdin)
    assert followed.frames(1) == [1]
    append(path, RECORDS[1])
    assert followed.frames(1) == [2]
    os.truncate(path, 20)
    code, _, err = followed.end()
    before = len(WHOLE[:24] + RECORDS[0] + RECORDS[1])
    said = f"cut off while it was followed ({before} bytes before, 3 now), at byte {before}; 2 packets kept"
    assert (code, err) == (3, f"tcpflows: -: {said}\n")


def test_44_link_types_that_are_not_decoded(follow):
    followed = follow("-", stdin=subprocess.PIPE)
    followed.process.stdin.write(pcap(TEN, link=189))
    followed.process.stdin.close()
    code, _, err = followed.end()
    assert (code, err) == (4, "tcpflows: -: link type 189 (USB_LINUX) is not decoded: 10 packets not used\n")


def test_44_a_pipe_that_is_cut_is_partial(tmp_path, follow):
    followed = follow("-", "-t", "timeline", "-f", "ndjson", stdin=subprocess.PIPE)
    followed.process.stdin.write(WHOLE[:-7])
    followed.process.stdin.close()
    assert followed.frames(9) == list(range(1, 10))
    code, _, err = followed.end()
    at = len(WHOLE) - len(RECORDS[9])
    assert (code, err) == (
        3,
        f"tcpflows: -: cut short in record 10 at byte {at} (wanted 54, got 47); 9 packets kept\n",
    )


def truncate(path):
    os.truncate(path, 100)


def rewrite(path):
    path.write_bytes(pcap(LATER + LATER))


def replace(path):
    other = path.with_name("other")
    other.write_bytes(pcap(LATER))
    other.replace(path)


def remove(path):
    path.unlink()


ENDS = {
    truncate: f"cut off while it was followed ({len(WHOLE)} bytes before, 100 now)",
    rewrite: "written anew while it was followed",
    replace: "replaced by another file while it was followed",
    remove: "removed while it was followed",
}


@pytest.mark.parametrize("change", ENDS, ids=lambda change: change.__name__)
def test_44_a_followed_file_that_is_no_longer_itself(tmp_path, follow, change):
    path = tmp_path / "followed.pcap"
    path.write_bytes(WHOLE)
    followed = follow(path, "-t", "timeline", "-f", "ndjson")
    assert followed.frames(10) == list(range(1, 11))
    change(path)
    code, rest, err = followed.end()
    assert (code, rest) == (3, [])
    assert err == f"tcpflows: {path}: {ENDS[change]}, at byte {len(WHOLE)}; 10 packets kept\n"


def test_44_what_was_written_before_the_file_was_replaced_is_read(tmp_path, follow):
    path = tmp_path / "rotated.pcap"
    path.write_bytes(WHOLE[:24] + RECORDS[0])
    followed = follow(path, "-t", "timeline", "-f", "ndjson")
    assert followed.frames(1) == [1]
    append(path, b"".join(RECORDS[1:]))
    replace(path)
    code, rest, err = followed.end()
    assert (code, [json.loads(line)["frame"] for line in rest]) == (3, list(range(2, 11)))
    assert err == f"tcpflows: {path}: {ENDS[replace]}, at byte {len(WHOLE)}; 10 packets kept\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Dear reader,\nthis is \0 no capture", "not a capture file (begins with 44 65 61 72 20 72 65 61)"),
        (b"\x7fELF\2\1\1\0\0\0\0", "not a capture file (looks like an ELF program)"),
        (None, "no such file"),
    ],
)
def test_44_following_what_is_no_capture(tmp_path, follow, content, said):
    path = tmp_path / "what"
    if content is not None:
        path.write_bytes(content)
    assert follow(path).end() == (4, [], f"tcpflows: {path}: {said}\n")


def test_44_stopped_before_the_first_byte(tmp_path, follow):
    path = tmp_path / "empty"
    path.write_bytes(b"")
    followed = follow(path, "-t", "timeline", "-f", "csv", "--columns", "frame")
    assert followed.line() == "frame\n"  # so it has begun
    code, _, err = followed.end(signal.SIGINT)
    assert (code, err) == (130, f"tcpflows: {path}: interrupted before any packet could be read\n")


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH])
def test_44_a_growing_compressed_file(tmp_path, follow, flush):
    path = tmp_path / "growing.pcap.gz"
    packer = zlib.compressobj(wbits=31)
    path.write_bytes(packer.compress(WHOLE[:24] + RECORDS[0]) + packer.flush(flush))
    followed = follow(path, "-t", "timeline", "-f", "ndjson")
    assert followed.frames(1) == [1]
    append(path, packer.compress(b"".join(RECORDS[1:])) + packer.flush(flush))
    assert followed.frames(9) == list(range(2, 11))
    assert followed.end(signal.SIGINT)[0] == 130


def test_44_whoever_read_went_away(tmp_path, follow):
    path = tmp_path / "growing.pcap"
    path.write_bytes(WHOLE)
    reading, writing = os.pipe()
    followed = follow(path, "-t", "timeline", "-f", "ndjson", stdout=writing)
    os.close(writing)
    assert os.read(reading, 1 << 16).startswith(b'{"capture":')
    os.close(reading)
    append(path, b"".join(RECORDS))
    assert followed.process.wait(PATIENCE_S) == 141


def test_44_into_a_file_that_appears_at_the_end(tmp_path, follow):
    path, output = tmp_path / "growing.pcap", tmp_path / "rows.csv"
    path.write_bytes(WHOLE)
    followed = follow(path, "-t", "timeline", "--columns", "frame", "-o", output)
    time.sleep(1)
    assert not output.exists()
    assert followed.end(signal.SIGINT)[0] == 130
    assert output.read_text().split() == ["frame", *map(str, range(1, 11))]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["a", "b"], "--follow takes one capture, not 2"),
        (["a", "-t", "events"], "events is not known before the end; of what is followed there are"),
        (["a", "-t", "captures"], "captures is not known before the end"),
        (["a", "--schema", "zeek"], "--schema is made at the end of a capture: leave --follow"),
        (["a", "--reader", "dpkt", "--resync"], "resync is for our own reader"),
        (["a", "--reader", "dpkt"], "--follow is for our own reader"),
    ],
)
def test_44_what_cannot_be_followed(tmp_path, args, said):
    for name in "ab":
        (tmp_path / name).write_bytes(WHOLE)
    args = [str(tmp_path / arg) if arg in "ab" else arg for arg in args]
    result = CliRunner().invoke(app, ["analyze", "-q", "--follow", *args])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_43_standard_input_is_closed(follow):
    command = f"exec {sys.executable} -m tcptrace_py analyze -q {' '.join(follow)} - <&-"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "", "tcpflows: -: standard input is closed\n")

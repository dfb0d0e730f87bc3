"""Input 44: files that grow, shrink or are replaced while they are read; without ``--follow``."""

import json
import os

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py import pipeline
from tcptrace_py.capture import source as capture_source
from tcptrace_py.views.cli import app
from tests.containers import pcap, pcap_record
from tests.robustness.hostile.door import TEN

WHOLE = pcap(TEN)
CUT = WHOLE[:-3]
MORE = b"".join(pcap_record(time + 10**11, frame) for time, frame in TEN)
OTHER = pcap([(time + 5 * 10**9, frame) for time, frame in TEN])


def rewrite(data):
    return lambda path: path.write_bytes(data)


def grow(path):
    with path.open("ab") as file:
        file.write(MORE)


def replace(path):
    other = path.with_name("other")
    other.write_bytes(WHOLE)
    other.replace(path)


def spoil_the_middle(path):
    """What neither size nor beginning nor end show."""
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at : at + 1000] = bytes(1000)
    path.write_bytes(data)


@pytest.fixture
def before_second_reading(monkeypatch):
    """Something happens to the file between the first reading and the second."""

    def arrange(change, path):
        steps, readings = pipeline.steps, []

        def counted(source, *args, **options):
            readings.append(source)
            if len(readings) == 2:
                change(path)
            return steps(source, *args, **options)

        monkeypatch.setattr(pipeline, "steps", counted)

    return arrange


def tcpflows(*args):
    result = CliRunner().invoke(app, ["analyze", "-q", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("data", [WHOLE, CUT], ids=["whole", "cut"])
def test_44_growing_between_the_readings(tmp_path, monkeypatch, before_second_reading, data):
    """The second reading ends where the first one did: the tables are those of that moment."""
    path = tmp_path / "growing.pcap"
    path.write_bytes(data)
    args = ("-f", "json", "-t", "timeline,connections,events", path)
    still = tcpflows(*args)
    before_second_reading(grow, path)
    assert tcpflows(*args) == still
    assert path.stat().st_size == len(data) + len(MORE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (rewrite(pcap(TEN[:5])), f"it has {len(pcap(TEN[:5]))} bytes now, and {len(WHOLE)} were read before"),
        (rewrite(OTHER), "its content is another now"),
        (rewrite(OTHER + MORE), "its content is another now"),
        (replace, "another file has its name now"),
    ],
    ids=["shorter", "rewritten", "rewritten and longer", "replaced"],
)
def test_44_changed_between_the_readings(tmp_path, before_second_reading, change, why):
    path = tmp_path / "changing.pcap"
    path.write_bytes(WHOLE)
    before_second_reading(change, path)
    code, out, err = tcpflows("-f", "json", "-t", "timeline", path)
    document = json.loads(out)
    assert (code, document["timeline"]) == (3, [])
    assert err == f"tcpflows: {path}: changed while it was read ({why}); run it again\n"
    (capture,) = document["captures"]
    assert (capture["status"], capture["reason"]) == ("partial", "changed")


def test_44_removed_between_the_readings(tmp_path, before_second_reading):
    path = tmp_path / "gone.pcap"
    path.write_bytes(WHOLE)
    before_second_reading(lambda path: path.unlink(), path)
    code, out, err = tcpflows("-f", "csv", "-t", "timeline", "--columns", "frame", path)
    assert (code, out, err) == (3, "frame\n", f"tcpflows: {path}: no such file; it was read before\n")


def test_44_another_capture_is_read_all_the_same(tmp_path, before_second_reading):
    path, other = tmp_path / "changing.pcap", tmp_path / "other.pcap"
    path.write_bytes(WHOLE)
    other.write_bytes(pcap(TEN[:3]))
    before_second_reading(rewrite(pcap(TEN[:5])), path)
    code, out, err = tcpflows("-f", "csv", "-t", "timeline", "--columns", "frame", path, other)
    assert (code, out.split(), err.count("\n")) == (3, ["frame", "1", "2", "3"], 1)


@pytest.mark.parametrize("times", [20, 2000])
def test_44_changed_in_the_middle(tmp_path, before_second_reading, times):
    """Seen only at the end: where rows are out by then, no file is left that pretends to be whole."""
    path, output = tmp_path / "changing.pcap", tmp_path / "out.csv"
    path.write_bytes(pcap(TEN * times))
    before_second_reading(spoil_the_middle, path)
    code, out, err = tcpflows("-t", "timeline", "--columns", "frame", "-o", output, path)
    assert (code, out) == (3, "")
    assert err.startswith(f"tcpflows: {path}: changed while it was read (")
    assert err.endswith(f" packets now, {10 * times} before); run it again\n")
    left = {file.name for file in tmp_path.iterdir()} - {path.name}
    assert left == ({output.name} if times == 20 else set())
    assert times == 2000 or output.read_text() == "frame\n"


def test_44_python_gets_an_error_of_its_own(tmp_path):
    path = tmp_path / "changing.pcap"
    path.write_bytes(WHOLE)
    trace = tt.analyze(path)
    path.write_bytes(pcap(TEN[:5]))
    assert len(trace.connections) == 1
    for again in (lambda: trace.timeline, lambda: trace.states, trace[0].rows, lambda: trace.view("zeek")):
        with pytest.raises(tt.ChangedError, match="changed while it was read"):
            again()


def test_44_a_streamed_connection_asks_for_its_segments_when_the_file_is_another(tmp_path):
    path = tmp_path / "changing.pcap"
    path.write_bytes(WHOLE)
    (connection,) = tt.stream(path)
    grow(path)
    assert len(connection.rows()) == 10
    path.write_bytes(WHOLE)
    (connection,) = tt.stream(path)
    path.write_bytes(OTHER)
    with pytest.raises(tt.ChangedError, match="changed while it was read"):
        connection.rows()


@pytest.mark.parametrize("kept", [4, 2])
def test_44_shorter_in_the_middle_of_the_first_reading(tmp_path, monkeypatch, kept):
    """Even at a record's end that is not the end of the capture."""
    path = tmp_path / "shrinking.pcap"
    path.write_bytes(WHOLE)
    keep = len(pcap(TEN[:kept])) + (5 if kept == 2 else 0)
    read = capture_source.Source.readinto

    def shrinking(self, target):
        if not self.bytes_read:
            os.truncate(path, keep)
        return read(self, target)

    monkeypatch.setattr(capture_source.Source, "readinto", shrinking)
    code, out, err = tcpflows("-f", "csv", "-t", "connections", "--columns", "c2s_segments,s2c_segments", path)
    assert (code, out.split()[1]) == (3, "3,1" if kept == 4 else "1,1")
    said = f"became shorter while it was read (it had {len(WHOLE)} bytes), at byte {keep}; {kept} packets kept"
    assert err == f"tcpflows: {path}: {said}\n"


def test_44_growing_in_the_middle_of_the_first_reading(tmp_path, monkeypatch):
    path = tmp_path / "growing.pcap"
    path.write_bytes(CUT)
    read = capture_source.Source.readinto

    def growing(self, target):
        got = read(self, target)
        if self.bytes_read == len(CUT) and got:
            with path.open("ab") as file:
                file.write(WHOLE[-3:] + MORE)
        return got

    monkeypatch.setattr(capture_source.Source, "readinto", growing)
    code, out, err = tcpflows("-f", "csv", "-t", "timeline", "--columns", "frame", path)
    assert (code, err, len(out.split())) == (0, "", 1 + 20)

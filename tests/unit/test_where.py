"""``--where``: which rows a condition keeps, and what is said of one that makes no sense."""

import subprocess
import sys

import pytest
from hand_made import HandMadeTrace

from tcptrace_py.errors import UsageError
from tcptrace_py.views.where import parse


def frames(condition):
    """The frames of the hand-made connection that a condition keeps."""
    (batch,) = HandMadeTrace("hand.pcap").batches("timeline")
    return batch.filter(parse(condition, "timeline")(batch))["frame"].to_pylist()


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("frame == 3", [3]),
        ("frame < 3", [1, 2]),
        ("3 > frame", [1, 2]),
        ("2 <= frame <= 4", [2, 3, 4]),
        ("frame != 1 and frame < 3", [2]),
        ("frame == 1 or frame == 26", [1, 26]),
        ("not (frame > 1)", [1]),
        ("frame in (1, 5, 99)", [1, 5]),
        ("frame not in (1,) and frame < 4", [2, 3]),
        ("frame in 7", [7]),
        ("flags == SA", [2]),
        ("flags == 'SA'", [2]),
        ("'SA' == flags", [2]),
        ("server_state == CLOSED", [26]),
        ("client_state in (SYN_SENT, FIN_WAIT_1)", [1, 24]),
        ("anomalies has retransmission", [12]),
        ("anomalies has retransmission or anomalies has zero_window", [12, 21]),
        ("retransmission in anomalies", [12]),
        ("not anomalies has retransmission and frame in (11, 12)", [11]),
        ("steps has teardown_3", [25]),
        ("ack is null", [1]),
        ("ack == null", [1]),
        ("ack is not null and frame < 3", [2]),
        ("ack != null and frame < 3", [2]),
        ("rel_ack > rel_seq and frame < 6", [2, 5]),
        ("time >= '2023-11-14T22:13:20.902Z'", [26]),
        ("time > '2023-11-14 22:13:20.901999999'", [26]),
        ("time < 1700000000000200000", [1]),
        ("payload_bytes > 0.05us and frame < 6", [4]),
        ("-1 < rel_seq < 1", [1, 2]),
        ("rtt_ns > 1ms", []),
        ("rtt_ns < 1ms", []),
        ("not rtt_ns > 1ms", []),
    ],
)
def test_kept(condition, kept):
    assert frames(condition) == kept


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("client_ip in '192.168.0.0/16'", 1),
        ("client_ip in '10.0.0.0/8'", 0),
        ("client_ip == '192.168.1.116'", 1),
        ("evicted", 0),
        ("not evicted and handshake_ok", 1),
        ("evicted == false", 1),
        ("duration_ns >= 902ms and duration_ns < 0.9021s", 1),
        ("c2s_throughput > 1108.4", 1),
        ("closed_first == client", 0),
        ("findings has zero_window and not findings has cap_loss", 1),
    ],
)
def test_kept_connections(condition, kept):
    (batch,) = HandMadeTrace("hand.pcap").batches("connections")
    assert batch.filter(parse(condition, "connections")(batch)).num_rows == kept


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("frames > 1", "timeline has no column 'frames'; did you mean frame"),
        ("client_state == TIMEWAIT", "client_state is never 'TIMEWAIT'; did you mean TIME_WAIT"),
        ("anomalies has retransmision", "anomalies is never 'retransmision'; did you mean retransmission"),
        ("frame > rel_sek", "timeline has no column 'rel_sek'; did you mean rel_seq"),
        ("frame == 'x'", "frame (uint64) cannot be compared with 'x'"),
        ("flags == 5", "flags holds texts, not 5"),
        ("frame == true", "frame (uint64) cannot be compared with True"),
        ("anomalies == retransmission", "anomalies is a list: write anomalies has ..."),
        ("flags has S", "'has' asks a list; flags is not one"),
        ("time > 'yesterday'", "time is a time, such as '2026-01-31T12:00:00.5Z'; not 'yesterday'"),
        ("time > '2023-13-45'", "not '2023-13-45'"),
        ("frame < null", "frame cannot be ordered against null"),
        ("frame is 5", "'is' is for null"),
        ("frame in ()", "frame in an empty list"),
        ("frame == 99999999999999999999", "99999999999999999999 is beyond 64 bits"),
        ("frame", "'frame' is not a condition"),
        ("1", "'1' is not a condition"),
        ("frame ==", "not a condition"),
        ("", "not a condition"),
        ("1 == 1", "'1' stands where a column of timeline should"),
        ("frame == frame + 1", "'frame + 1' is not a number, a text or a label"),
        ("frame.real == 1", "'frame.real' stands where a column of timeline should"),
        ("__import__('os').system('x')", "is not a condition"),
        ("[x for x in frame]", "is not a condition"),
        ("lambda: frame", "is not a condition"),
        ("frame == 1; frame", "not a condition"),
        ("(" * 5000, "not a condition"),
        ("not " * 5000 + "frame == 1", "not a condition"),
        ("\0", "not a condition"),
    ],
)
def test_said_of_nonsense(condition, said):
    with pytest.raises(UsageError) as error:
        frames(condition)
    assert said in str(error.value)
    assert str(error.value).startswith("--where")


def test_a_network_that_is_none():
    with pytest.raises(UsageError, match=r"'ten' is not a network such as 10\.0\.0\.0/8"):
        parse("client_ip in 'ten'", "connections")


def test_conditions_load_no_pandas():
    code = """
import sys
import pyarrow as pa
from tcptrace_py.tables.rows import text_array
from tcptrace_py.views.where import parse
starts = pa.Array.from_buffers(pa.int32(), 3, [None, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]))])
frame = pa.Array.from_buffers(pa.uint64(), 2, [None, pa.py_buffer(bytes([7]) + bytes(15))])
lists = pa.ListArray.from_arrays(starts, text_array(["retransmission"]))
batch = pa.RecordBatch.from_arrays([frame, lists], ["frame", "anomalies"])
for condition in ("frame == 7", "anomalies has retransmission", "frame in (7, 8) and frame > 2.5"):
    print(batch.filter(parse(condition, "timeline")(batch)).num_rows, "pandas" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "1 False\n" * 3

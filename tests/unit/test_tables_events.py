"""Events: which findings become one, with which number, in which words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tcptrace_py.tables import events
from tcptrace_py.tracker.mirrors import mirrored
from tcptrace_py.vocabulary import ANOMALIES, BY_NAME, SEGMENT_ANOMALIES, Evidence, Severity

LOST, AGAIN, RESET = (BY_NAME[name].code for name in ("previous_segment_lost", "retransmission", "rst_abort"))


def test_noted():
    (event,) = events.segment_events([(3, 10, 11, 5_000, LOST, 1460, Evidence.ip_id)], [], "a.pcap")
    assert event == {
        "capture": "a.pcap",
        "conn_id": 3,
        "frame": 11,
        "time": 5_000,
        "code": "previous_segment_lost",
        "severity": "warning",
        "evidence": 1460,
        "basis": "ip_id",
        "sentence": "1460 octets before it are missing",
    }


def test_evidence_that_is_not_known():
    (event,) = events.segment_events([(0, 1, 1, 0, LOST, -1, 0)], [], "a.pcap")
    assert event["evidence"] is None
    assert event["basis"] is None
    assert event["sentence"] == "? octets before it are missing"


def test_whose_copy():
    copy = BY_NAME["duplicate_packet"].code
    noted = [(0, 1, 2, 0, copy, 1, 0), (1, 3, 4, 0, copy, 3, 0)]
    said = [event["sentence"] for event in events.segment_events(noted, [], "a.pcap", {1})]
    assert said == ["a copy of frame 1, made by the network", "a copy of frame 3, made by the capture"]


@pytest.mark.parametrize(("copies", "of_the_capture"), [(2, False), (3, True)])
def test_a_mirror_copies_more_than_a_fifth(copies, of_the_capture):
    ends = [SimpleNamespace(copies=copies, segments=6), SimpleNamespace(copies=0, segments=4)]
    assert mirrored(SimpleNamespace(client=ends[0], server=ends[1])) is of_the_capture


def test_dropped_later():
    noted = [(0, 7, 8, 1, RESET, -1, 0), (0, 9, 10, 2, RESET, -1, 0)]
    found = list(events.segment_events(noted, [(7, 0, 1 << RESET, 0, 8, 1, 12, 0)], "a.pcap"))
    assert [(event["frame"], event["code"]) for event in found] == [(10, "rst_abort")]


def test_added_later():
    found = list(events.segment_events([], [(7, 1 << LOST | 1 << AGAIN, 0, 4, 8, 1, 12, Evidence.dsack)], "a.pcap"))
    assert {(event["frame"], event["code"], event["evidence"], event["basis"]) for event in found} == {
        (8, "previous_segment_lost", 12, "dsack"),
        (8, "retransmission", 12, "dsack"),
    }


def test_of_a_whole_connection():
    bit = 1 << BY_NAME["cap_loss"].code - SEGMENT_ANOMALIES
    conn = SimpleNamespace(
        found_conn=bit | 1 << BY_NAME["icmp_error"].code - SEGMENT_ANOMALIES,
        conn_id=2,
        timed=True,
        end=77,
        client=SimpleNamespace(missing_octets=100, unique_octets=3000),
        server=SimpleNamespace(missing_octets=20, unique_octets=880),
    )
    (event,) = events.connection_events(conn, "a.pcap")  # the ICMP error has an event of its own
    assert (event["code"], event["frame"], event["time"], event["evidence"]) == ("cap_loss", None, 77, 120)
    assert event["sentence"] == "120 (3 %) acknowledged octets were not captured"
    conn.timed = False
    assert next(events.connection_events(conn, "a.pcap"))["time"] is None


def test_icmp_error():
    quote = SimpleNamespace(
        reporter_hi=0, reporter_lo=0xFFFF << 32 | 0xC0000209, icmp_type=3, code=4, frame=9, time_ns=5
    )
    (event,) = events.icmp_events([(1, quote)], "a.pcap")
    assert (event["conn_id"], event["frame"], event["evidence"]) == (1, 9, 0x304)
    assert "192.0.2.9 (type 3, code 4)" in event["sentence"]


@pytest.mark.parametrize("anomaly", ANOMALIES, ids=lambda anomaly: anomaly.name)
def test_every_anomaly_has_a_sentence(anomaly):
    event = events.event(anomaly, "a.pcap", 0, evidence=5)
    assert event["sentence"]
    assert "{" not in event["sentence"]
    assert event["severity"] in Severity.__members__


@pytest.mark.parametrize(
    ("basis", "evidence", "sentence"),
    [
        ("acknowledged", 401, "resent without need: already acknowledged up to 401"),
        ("sack", -1, "resent without need: the receiver had said that it holds all of it"),
        ("dsack", 12, "resent without need, as frame 12 shows"),
        ("tsecr", 12, "resent without need, as frame 12 shows"),
        ("too_early", 12, "resent without need, as frame 12 shows"),
        ("late_original", 12, "resent without need, as frame 12 shows"),
    ],
)
def test_sentence_of_a_needless_resend_fits_what_shows_it(basis, evidence, sentence):
    needless = BY_NAME["spurious_retransmission"].code
    if basis in ("acknowledged", "sack"):
        found = events.segment_events([(0, 7, 8, 1, needless, evidence, Evidence[basis])], [], "a.pcap")
    else:
        found = events.segment_events([], [(7, 1 << needless, 0, 0, 8, 1, evidence, Evidence[basis])], "a.pcap")
    assert [event["sentence"] for event in found] == [sentence]

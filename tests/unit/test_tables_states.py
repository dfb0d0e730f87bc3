"""The stays of an endpoint, out of the changes that the tracker notes."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from tcptrace_py.tables.states import state_rows, stays
from tcptrace_py.tracker.states import CHANGES
from tcptrace_py.vocabulary import State

CLIENT, SERVER = 0, 1


def entered(side, state, row):
    return ("entered", side, state, row, row + 1, 100 * row)


def proved(side, state, row):
    return ("proved", side, state, row, row + 1, 100 * row)


def refuted(side, state, since, row):
    return ("refuted", side, state, since, row + 1, 100 * row)


def noted(changes):
    """As the tracker notes them."""
    words = ((CHANGES.index(kind) << 16 | side << 8 | state, *where) for kind, side, state, *where in changes)
    return array("q", [word for change in words for word in change])


def told(changes, side=CLIENT):
    """(state, frame of entry, frame of proof) of each stay."""
    found = stays(changes, side)
    return [(State(stay.state).name, stay.entered[1], stay.proved[1] if stay.proved else None) for stay in found]


def test_assumed_then_proved():
    changes = [entered(CLIENT, State.ESTABLISHED, 1), proved(CLIENT, State.ESTABLISHED, 4)]
    assert told(changes) == [("ESTABLISHED", 2, 5)]


def test_the_first_proof_counts():
    changes = [proved(CLIENT, State.ESTABLISHED, 2), proved(CLIENT, State.ESTABLISHED, 4)]
    assert told(changes) == [("ESTABLISHED", 3, 3)]


def test_each_end_has_its_own():
    changes = [
        entered(CLIENT, State.SYN_SENT, 0),
        entered(SERVER, State.SYN_RCVD, 0),
        entered(CLIENT, State.ESTABLISHED, 1),
    ]
    assert told(changes, SERVER) == [("SYN_RCVD", 1, None)]
    assert [state for state, *_ in told(changes)] == ["SYN_SENT", "ESTABLISHED"]


def test_passed_through_is_no_stay():
    """A close of three segments: FIN_WAIT_2 lies between the two halves of one segment (RFC 9293 section 3.10.7.4)."""
    changes = [
        proved(CLIENT, State.FIN_WAIT_1, 0),
        entered(CLIENT, State.FIN_WAIT_1, 0),
        entered(CLIENT, State.TIME_WAIT, 1),
        proved(CLIENT, State.FIN_WAIT_2, 2),
        proved(CLIENT, State.TIME_WAIT, 2),
    ]
    assert told(changes) == [("FIN_WAIT_1", 1, 1), ("TIME_WAIT", 2, 3)]


def test_refuted_and_assumed_again():
    """The FIN was sent again, so the first had not arrived: ESTABLISHED until then."""
    changes = [
        proved(SERVER, State.ESTABLISHED, 0),
        entered(SERVER, State.CLOSE_WAIT, 3),
        refuted(SERVER, State.ESTABLISHED, 3, 5),
        entered(SERVER, State.CLOSE_WAIT, 5),
    ]
    assert told(changes, SERVER) == [("ESTABLISHED", 1, 1), ("CLOSE_WAIT", 6, None)]


def test_refuted_for_a_state_between():
    """The ACK of the FIN had arrived, the peer's FIN had not: FIN_WAIT_2 from the row where TIME_WAIT was assumed."""
    changes = [
        proved(CLIENT, State.FIN_WAIT_1, 0),
        entered(CLIENT, State.TIME_WAIT, 1),
        refuted(CLIENT, State.FIN_WAIT_2, 1, 2),
        entered(CLIENT, State.TIME_WAIT, 2),
    ]
    assert told(changes) == [("FIN_WAIT_1", 1, 1), ("FIN_WAIT_2", 2, None), ("TIME_WAIT", 3, None)]


def test_what_was_proved_is_not_refuted():
    changes = [
        proved(CLIENT, State.ESTABLISHED, 2),
        entered(CLIENT, State.CLOSED, 3),
        refuted(CLIENT, State.ESTABLISHED, 2, 4),
    ]
    assert told(changes) == [("ESTABLISHED", 3, 3)]


def test_back_to_where_it_was_before_the_capture():
    changes = [entered(SERVER, State.SYN_RCVD, 0), refuted(SERVER, State.LISTEN, 0, 3)]
    assert told(changes, SERVER) == []


def test_rows():
    changes = [
        proved(CLIENT, State.SYN_SENT, 0),
        entered(SERVER, State.SYN_RCVD, 0),
        entered(CLIENT, State.ESTABLISHED, 1),
    ]
    conn = SimpleNamespace(conn_id=4, changes=noted(changes), timed=True)
    first, second, third = state_rows(conn, "a.pcap")
    assert first == {
        "capture": "a.pcap",
        "conn_id": 4,
        "endpoint": "client",
        "state": "SYN_SENT",
        "entered_time": 0,
        "entered_frame": 1,
        "proved_time": 0,
        "proved_frame": 1,
        "left_time": 100,
        "left_frame": 2,
    }
    assert (second["state"], second["left_time"], second["proved_frame"]) == ("ESTABLISHED", None, None)
    assert (third["endpoint"], third["state"]) == ("server", "SYN_RCVD")


def test_rows_without_times():
    conn = SimpleNamespace(
        conn_id=4, changes=noted([proved(CLIENT, State.SYN_SENT, 0), entered(CLIENT, State.CLOSED, 1)]), timed=False
    )
    times = ("entered_time", "proved_time", "left_time")
    assert all(row[name] is None for row in state_rows(conn, "a.pcap") for name in times)
    assert [row["entered_frame"] for row in state_rows(conn, "a.pcap")] == [1, 2]

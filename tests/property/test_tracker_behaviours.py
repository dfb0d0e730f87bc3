"""Random behaviours on a network that knows the truth: what is said of them, and what must not change it."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tcptrace_py as tt
from tests.packets import FIN
from tests.tiny_network import FATES, Habits, Network

TABLES = ("connections", "timeline", "states", "events")
RAW = {"seq", "ack", "capture"}
PLACES = {f"{end}_{what}" for end in ("client", "server") for what in ("ip", "port", "addr")}
UNTRUE_WITHOUT_LOSS = {
    "ambiguous",
    "duplicate_packet",
    "original_not_captured",
    "out_of_order",
    "previous_segment_lost",
    "retransmission",
    "spurious_retransmission",
}

deeds = st.tuples(
    st.sampled_from((0, 1, 30, 200)),  # ms of waiting
    st.integers(0, 1),
    st.sampled_from(("send", "send", "send", "close")),
    st.sampled_from((2, 10, 100, 1000)),
)
resets = st.tuples(st.sampled_from((0, 30, 200)), st.integers(0, 1), st.just("reset"), st.just(0))
plans = st.lists(deeds, min_size=4, max_size=14).map(lambda plan: [(50, 0, "send", 20), *plan])
plans_with_reset = st.tuples(plans, st.lists(resets, max_size=1)).map(lambda two: two[0] + two[1])
fates = st.lists(st.sampled_from(sorted(FATES) + ["arrive"] * 5), min_size=12, max_size=40)
taps = st.integers(0, 1)
habits = st.builds(
    Habits,
    sack=st.booleans(),
    timestamps=st.booleans(),
    shift=st.sampled_from((None, 3)),
    room=st.sampled_from((65_528, 800)),
    ids=st.booleans(),
)
turns = st.tuples(
    st.sampled_from((0, 200, 1500)), st.integers(0, 1), st.sampled_from(("pause", "read", "alive")), st.just(0)
)
plans_with_all = st.tuples(
    st.lists(st.one_of(deeds, turns), min_size=4, max_size=14), st.lists(resets, max_size=1)
).map(lambda two: [(50, 0, "send", 20), *two[0], *two[1]])
few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def analysed(network: Network, *, batch_size: int = 8192, **how: object) -> tt.Trace:
    with tempfile.TemporaryDirectory() as folder:
        path = network.write(Path(folder) / "tiny.pcap", **how)
        return tt.analyze(io.BytesIO(path.read_bytes()), tables=TABLES, batch_size=batch_size)


def said(trace: tt.Trace, without: set[str]) -> dict[str, object]:
    """All tables, but for some columns."""
    made = {name: trace.arrow(name) for name in TABLES}
    return {
        name: table.drop_columns(sorted(without & set(table.column_names))).to_pydict() for name, table in made.items()
    }


@few
@given(plans_with_reset, fates, taps)
def test_octets_are_accounted_for(plan, fate, tap):
    network = Network(plan, fate, tap)
    record = analysed(network)[0].record
    for side, way in enumerate(("c2s", "s2c")):
        passed = [one.packet for one in network.seen if one.packet.sender == side and not one.copy]
        numbers = [number for packet in passed for number in range(packet.seq, packet.seq + packet.size)]
        assert record[f"{way}_octets"] == len(numbers)
        assert record[f"{way}_unique_octets"] == len(set(numbers))
        assert record[f"{way}_resent_octets"] == len(numbers) - len(set(numbers))
        assert record[f"{way}_segments"] == sum(one.packet.sender == side for one in network.seen)


@few
@given(plans, taps)
def test_without_loss_nothing_is_called_lost_and_the_ends_are_known(plan, tap):
    network = Network(plan, [], tap)
    trace = analysed(network)
    assert len(trace) == 1
    assert set(trace[0].record["findings"]) & UNTRUE_WITHOUT_LOSS == set()
    assert last_states(trace) == [end.state for end in network.ends]


@few
@given(plans, fates, taps)
def test_after_all_losses_are_mended_the_ends_are_known(plan, fate, tap):
    network = Network(plan, fate, tap)
    assume(first_fins_passed(network))
    trace = analysed(network)
    assert len(trace) == 1
    assert last_states(trace) == [end.state for end in network.ends]


@few
@given(plans, fates, taps)
def test_no_segment_is_accused_wrongly(plan, fate, tap):
    """A copy is called a copy; what is called resent was resent; what is called late was not, and was overtaken."""
    network = Network(plan, fate, tap)
    newest = [-1, -1]
    for one, row in zip(network.seen, analysed(network)[0].rows(), strict=True):
        packet, labels = one.packet, set(row["anomalies"])
        assert ("duplicate_packet" in labels) == one.copy
        if "retransmission" in labels:
            assert packet.resent
        if "out_of_order" in labels:
            assert not packet.resent
            assert packet.ip_id < newest[packet.sender]
        newest[packet.sender] = max(newest[packet.sender], packet.ip_id)


@few
@given(plans, fates, taps)
def test_every_resend_of_what_passed_here_is_called_one(plan, fate, tap):
    network = Network(plan, fate, tap)
    passed = [set(), set()]
    for one, row in zip(network.seen, analysed(network)[0].rows(), strict=True):
        packet = one.packet
        numbers = set(range(packet.seq, packet.end))
        if not one.copy and numbers & passed[packet.sender]:
            assert "retransmission" in row["anomalies"]
        passed[packet.sender] |= numbers


@few
@given(plans_with_all, fates, taps, habits, st.sampled_from((1, 2, 7, 30)))
def test_batch_size_changes_nothing(plan, fate, tap, habit, size):
    network = Network(plan, fate, tap, habit)
    assert said(analysed(network, batch_size=size), {"capture"}) == said(analysed(network), {"capture"})


@few
@given(plans_with_all, fates, taps, habits, st.tuples(*[st.integers(0, 2**32 - 1)] * 2))
def test_isn_changes_only_raw_numbers(plan, fate, tap, habit, isns):
    network = Network(plan, fate, tap, habit)
    assert said(analysed(network, isns=isns), RAW) == said(analysed(network), RAW)


@few
@given(plans_with_all, fates, taps, habits)
def test_exchanging_the_ends_exchanges_only_their_names(plan, fate, tap, habit):
    network = Network(plan, fate, tap, habit)
    without = PLACES | {"capture"}
    assert said(analysed(network, exchanged=True), without) == said(analysed(network), without)


def first_fins_passed(network: Network) -> bool:
    """Whether the first copy of every FIN passed the capture point; else nobody can tell whether the FINs crossed."""
    fins = [one.packet for one in network.seen if one.packet.flags & FIN]
    return all(any(not fin.resent for fin in fins if fin.sender == side) for side in {fin.sender for fin in fins})


def last_states(trace: tt.Trace) -> list[str]:
    record = trace[0].record
    return [record["client_state"], record["server_state"]]


@pytest.mark.parametrize(
    ("plan", "states"),
    [
        ([], ["ESTABLISHED", "ESTABLISHED"]),
        ([(50, 0, "close", 0)], ["FIN_WAIT_2", "CLOSE_WAIT"]),
        ([(50, 0, "close", 0), (0, 1, "close", 0)], ["TIME_WAIT", "TIME_WAIT"]),
        ([(50, 1, "close", 0), (50, 0, "close", 0)], ["CLOSED", "TIME_WAIT"]),
        ([(50, 0, "reset", 0)], ["CLOSED", "CLOSED"]),
    ],
)
def test_the_network_itself_closes_as_the_rfc_says(plan, states):
    assert [end.state for end in Network(plan, [], 0).ends] == states

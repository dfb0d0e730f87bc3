"""The tracker and its naive twin say the same of every segment of random behaviours, and of every scenario."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tcptrace_py as tt
from tcptrace_py.vocabulary import ANOMALIES, SEGMENT_ANOMALIES
from tests import seg
from tests.naive import rules
from tests.naive.agreement import disagreements
from tests.naive.rows import of_network, of_script
from tests.tiny_network import FATES, Habits, Network

if TYPE_CHECKING:
    from tests.tiny_network import Packet

few = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FOLDER = Path(__file__).parent.parent / "scenarios"
ANOTHER_NUMBER = {"syn_ack_of_a_listener_again", "syn_ack_of_another_connection", "syn_ack_with_another_number"}
"""Scenarios in which a side begins anew with another number: the twin's rows have one line of numbers a side."""

habits = st.builds(
    Habits,
    sack=st.booleans(),
    timestamps=st.booleans(),
    shift=st.sampled_from((None, 0, 3)),
    room=st.sampled_from((65_528, 65_528, 2_400, 800)),
    ids=st.booleans(),
    probe_octets=st.integers(0, 1),
)
deeds = st.tuples(
    st.sampled_from((0, 0, 0, 1, 20, 30, 200, 1500)),  # ms of waiting
    st.integers(0, 1),
    st.sampled_from(("send", "send", "send", "send", "send", "close", "pause", "read", "alive", "reset")),
    st.sampled_from((1, 10, 100, 1000)),
)
plans = st.lists(deeds, min_size=4, max_size=14).map(lambda plan: [(50, 0, "send", 20), *plan])
fates = st.lists(st.sampled_from(sorted(FATES) + ["arrive"] * 5), min_size=12, max_size=40)
taps = st.integers(0, 1)


def traced(network: Network) -> tt.Trace:
    """Numbers wrap on the way."""
    with tempfile.TemporaryDirectory() as folder:
        path = network.write(Path(folder) / "tiny.pcap", isns=(2**32 - 30, 2**31 - 20))
        return tt.analyze(io.BytesIO(path.read_bytes()), tables=("connections", "timeline"))


@few
@given(plans, fates, taps, habits)
def test_twin_agrees_on_random_behaviours(plan, fate, tap, habit):
    network = Network(plan, fate, tap, habit)
    trace = traced(network)
    wrong = list(disagreements(of_network(network), seg.rows(trace), trace[0].record))
    assert not wrong, "\n".join(wrong)


def in_another_order(network: Network, delays: list[int]) -> None:
    """The same packets, as a capture of several queues has them: each later by up to a millisecond."""
    late = (replace(one, time=one.time + delay) for one, delay in zip(network.seen, cycle(delays), strict=False))
    network.seen = sorted(late, key=lambda one: one.time)


@few
@given(plans, fates, taps, habits, st.lists(st.sampled_from((0, 0, 10**5, 9 * 10**5, 10**6)), min_size=5, max_size=11))
def test_another_order_of_the_capture_loses_nothing(plan, fate, tap, habit, delays):
    network = Network(plan, fate, tap, habit)
    before = lost(network)
    in_another_order(network, delays)
    assert lost(network) == before
    trace = traced(network)
    wrong = list(disagreements(of_network(network), seg.rows(trace), trace[0].record))
    assert not wrong, "\n".join(wrong)


def lost(network: Network) -> tuple[list[int], int, int]:
    """ACKs of what was not captured, and how many octets were not."""
    trace = traced(network)
    acks = [
        id(one.packet)
        for one, row in zip(network.seen, seg.rows(trace), strict=True)
        if "ack_of_unseen_segment" in row["anomalies"]
    ]
    record = trace[0].record
    return sorted(acks), record["c2s_missing_octets"], record["s2c_missing_octets"]


@few
@given(plans, fates, taps, habits)
def test_what_is_called_spurious_was_not_needed(plan, fate, tap, habit):
    """In the widest meaning: an earlier transmission of all its octets reached the receiver, before it or after."""
    network = Network(plan, fate, tap, habit)
    rows = seg.rows(traced(network))
    for one, row in zip(network.seen, rows, strict=True):
        if "spurious_retransmission" in row["anomalies"]:
            assert numbers(one.packet) <= reached(network, one.packet), (one, row)


def numbers(packet: Packet) -> set[int]:
    return set(range(packet.seq, packet.end))


def reached(network: Network, packet: Packet) -> set[int]:
    """What its receiver got of transmissions before this one."""
    earlier = [one for one in network.arrived if one.sender == packet.sender and one.ip_id < packet.ip_id]
    return set().union(*(numbers(one) for one in earlier))


def one_connection() -> list[Path]:
    """Scenarios of one connection with one line of numbers a side."""
    paths = sorted(path for path in FOLDER.rglob("*.seg") if path.stem not in ANOTHER_NUMBER)
    return [path for path in paths if len(seg.parse(path.read_text()).lives) == 1]


@pytest.mark.parametrize("path", one_connection(), ids=lambda path: path.stem)
def test_twin_agrees_on_scenario(path, tmp_path):
    script = seg.parse(path.read_text())
    trace = tt.analyze(seg.write(script, tmp_path / "scenario.pcap"), tables=("connections", "timeline"))
    wrong = list(disagreements(of_script(script), seg.rows(trace), trace[0].record))
    assert not wrong, "\n".join(wrong)


def test_every_label_of_a_segment_has_a_naive_rule_or_says_why_not():
    every = {anomaly.name for anomaly in ANOMALIES if anomaly.code < SEGMENT_ANOMALIES}
    named = set(rules.OF_A_ROW) | set(rules.OF_THE_ENDS) | set(rules.BY_THE_TRUTH)
    assert every - named == set(rules.NONE)
    assert set(rules.OF_A_ROW).isdisjoint(rules.OF_THE_ENDS)

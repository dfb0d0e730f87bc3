"""The tracker and its naive twin say the same of every segment of random behaviours, and of every scenario."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tcptrace_py as tt
from tests import seg
from tests.naive.agreement import disagreements
from tests.naive.rows import of_network, of_script
from tests.tiny_network import FATES, Habits, Network

few = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

habits = st.builds(
    Habits,
    sack=st.booleans(),
    timestamps=st.booleans(),
    shift=st.sampled_from((None, 0, 3)),
    room=st.sampled_from((65_528, 2_400, 800)),
    probe_octets=st.integers(0, 1),
)
deeds = st.tuples(
    st.sampled_from((0, 1, 30, 200, 1500)),
    st.integers(0, 1),
    st.sampled_from(("send", "send", "send", "send", "close", "pause", "read", "alive", "reset")),
    st.sampled_from((1, 10, 100, 1000)),
)
plans = st.lists(deeds, min_size=4, max_size=14).map(lambda plan: [(50, 0, "send", 20), *plan])
fates = st.lists(st.sampled_from(sorted(FATES) + ["arrive"] * 5), min_size=12, max_size=40)


def timeline(network: Network, **how: object) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = network.write(Path(folder) / "tiny.pcap", **how)
        trace = tt.analyze(io.BytesIO(path.read_bytes()), tables=("connections", "timeline"))
    return seg.rows(trace)


@few
@given(plans, fates, st.integers(0, 1), habits)
def test_twin_agrees_on_random_behaviours(plan, fate, tap, habit):
    network = Network(plan, fate, tap, habit)
    wrong = list(disagreements(of_network(network), timeline(network, isns=(2**32 - 30, 2**31 - 20))))
    assert not wrong, "\n".join(wrong)

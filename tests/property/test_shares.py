"""Shares of random behaviours: what each follows of its own pairs is what one tracker of all would say of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcptrace_py.dataset import splitting
from tests import packets
from tests.batches import batch, contents
from tests.property.test_tracker_behaviours import fates, habits, plans_with_all, taps
from tests.tiny_network import Network

TABLES = ["captures", "connections", "states", "events", "timeline"]
networks = st.lists(st.builds(Network, plans_with_all, fates, taps, habits), min_size=2, max_size=5)


def written(path: Path, at_once: list[Network], lives: int) -> Path:
    """Networks that one capture saw at once, each with its own port, all of them again some seconds later."""
    seen = [
        (time + life * 7 * 10**9, packet)
        for life in range(lives)
        for place, network in enumerate(at_once)
        for time, packet in network.captured(port=40_000 + place, isns=(1000 + 10**6 * life, 7000 + 10**6 * life))
    ]
    seen.sort(key=lambda one: one[0])
    return packets.write_pcap(path, [packet for _, packet in seen], 101, times=[time for time, _ in seen])


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(networks, st.sampled_from((1, 2)), st.sampled_from((2, 3, 5)), st.sampled_from((1, 30, 4096)))
def test_shares_together_are_the_whole(at_once, lives, shares, size):
    least, splitting.LEAST_BYTES = splitting.LEAST_BYTES, 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = written(Path(folder) / "in.pcap", at_once, lives)
            batch(path, Path(folder) / "whole", tables=TABLES, batch_size=size)
            batch(path, Path(folder) / "split", tables=TABLES, batch_size=size, split=True, workers=shares)
            assert contents(Path(folder) / "split") == contents(Path(folder) / "whole")
    finally:
        splitting.LEAST_BYTES = least

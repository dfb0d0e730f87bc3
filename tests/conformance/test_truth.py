"""Captures whose states are known from the kernel: how often ours are right, at every capture point.

The bounds are those reached when this was written; they may only rise.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.corpus import CORPUS, needs

pytestmark = [
    *needs("truth"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

EXACT, EXACT_OF_TABLE, EXACT_WHERE_A_ROW_CAN, LAST = 0.93, 0.97, 0.97, 0.98
TAPS = ["client", "mid", "server"]
LEAST = {
    "rexmit": 0.96,
    "spurious": 0.87,
    "reorder": 0.97,
    "netdup": 0.98,
    "lost": 0.98,
    "keepalive": 1,
    "keepalive_ack": 1,
    "zwp": 1,
    "zwp_ack": 1,
    "corrupt": 1,
}
"""F1 of each label."""
LEAST_WITHOUT_IDS = {
    "client": {"rexmit": 0.94, "spurious": 0.87, "reorder": 0.96, "netdup": 0.97, "lost": 0.96},
    "mid": {"rexmit": 0.94, "spurious": 0.9, "reorder": 0.93, "netdup": 1, "lost": 0.9},
    "server": {"rexmit": 0.95, "spurious": 0.88, "reorder": 0.85, "netdup": 0.97, "lost": 0.93},
}
ROUND_TRIPS = {"clean": 0.99, "hole filled": 0.94, "karn": 0.95}
"""Share of the true round trips that are given within 5 % or half a millisecond."""


def scored(*, ip_ids):
    sys.path.insert(0, str(CORPUS / "truth"))
    try:
        import score
    finally:
        sys.path.pop(0)
    from scripts.truth_table import truth_table

    runs = CORPUS / "truth" / "runs"
    return score.score(str(runs), truth_table(runs, ip_ids=ip_ids))


@pytest.fixture(scope="module")
def found():
    """What the scorer says of our labels."""
    return scored(ip_ids=True)


@pytest.fixture(scope="module")
def found_without_ids():
    """The same where no packet has an IP ID."""
    return scored(ip_ids=False)


def f1(found, tap):
    return {row["cls"]: row["f1"] for row in found["labels"] if row["tap"] == tap}


@pytest.mark.parametrize("tap", TAPS)
def test_labels(found, tap):
    right = f1(found, tap)
    assert {label: right[label] for label, least in LEAST.items() if right[label] < least} == {}


@pytest.mark.parametrize("tap", TAPS)
def test_labels_without_ip_ids(found_without_ids, tap):
    right = f1(found_without_ids, tap)
    assert {label: right[label] for label, least in LEAST_WITHOUT_IDS[tap].items() if right[label] < least} == {}


@pytest.mark.parametrize("tap", TAPS)
def test_at_most_one_ignored_reset_is_missed_and_none_is_invented(found, tap):
    (row,) = (row for row in found["labels"] if row["tap"] == tap and row["cls"] == "rst_ignored")
    assert row["fn"] <= 1
    assert row["fp"] == 0


@pytest.mark.parametrize("tap", TAPS)
def test_round_trips(found, tap):
    right = {row["kind"]: row["right_of_truth"] for row in found["rtt"] if row["tap"] == tap and "right" in row}
    assert {kind: right[kind] for kind, least in ROUND_TRIPS.items() if right[kind] < least} == {}


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize("side", ["client", "server"])
def test_states_are_the_kernels(found, tap, side):
    (mine,) = (row for row in found["states"] if row["tap"] == tap and row["side"] == side)
    assert mine["exact"] >= EXACT
    assert mine["last"] >= LAST


@pytest.fixture(scope="module")
def ends():
    from scripts.state_sequences import endpoints

    return list(endpoints(CORPUS / "truth" / "runs"))


def test_the_states_table_has_what_the_kernel_went_through(ends):
    """Both states, too, where an endpoint passes two in one frame, which a row of the timeline cannot show."""
    from scripts.state_sequences import right_sequences

    right = right_sequences(ends)
    assert {(row, tap): share for row in right for tap, share in right[row].items() if share < EXACT_OF_TABLE} == {}
    assert [sorted(taps) for taps in right.values()] == [TAPS, TAPS]


def test_what_the_timeline_leaves_out_of_a_sequence_is_what_no_row_can_show(ends):
    from scripts.state_sequences import NOT_SHOWN, why_not

    asked = Counter((end.tap, end.side) for end in ends)
    unshown = Counter((end.tap, end.side) for end in ends if why_not(end) == NOT_SHOWN)
    assert {where: n for where, n in unshown.items() if n / asked[where] > 1 - EXACT_WHERE_A_ROW_CAN} == {}
    assert sum(asked.values()) == 826

"""Captures whose states are known from the kernel: how often ours are right, at every capture point.

The bounds are those reached when this was written; they may only rise.
"""

from __future__ import annotations

import sys

import pytest

from tests.corpus import CORPUS, needs

pytestmark = [
    *needs("truth"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

EXACT, LAST = 0.93, 0.96


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """The scorer's table of endpoint states: exact sequence and last state by tap and side."""
    import pandas as pd

    sys.path.insert(0, str(CORPUS / "truth"))
    try:
        import score
    finally:
        sys.path.pop(0)
    from scripts.truth_table import truth_table

    table = tmp_path_factory.mktemp("truth") / "ours.parquet"
    truth_table(CORPUS / "truth" / "runs").to_parquet(table)
    return pd.DataFrame(score.score(str(CORPUS / "truth" / "runs"), score.read_table(str(table)))["states"])


@pytest.mark.parametrize("tap", ["client", "mid", "server"])
@pytest.mark.parametrize("side", ["client", "server"])
def test_states_are_the_kernels(states, tap, side):
    mine = states[(states.tap == tap) & (states.side == side)].iloc[0]
    assert mine.exact >= EXACT
    assert mine["last"] >= LAST

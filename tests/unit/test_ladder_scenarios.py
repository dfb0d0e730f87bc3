"""The ladder of every scenario, as ``tcpflows show`` draws it; ``python -m tests.ladders --update`` shows a change."""

import pytest

from tests import ladders


@pytest.mark.usefixtures("without_advice")
@pytest.mark.parametrize("name", ladders.SCENARIOS)
def test_ladder(name, tmp_path):
    differs = ladders.difference(name, ladders.drawn(name, tmp_path))
    if differs:
        pytest.fail(differs, pytrace=False)


def test_every_ladder_has_its_scenario():
    there = {str(path.relative_to(ladders.GOLDEN).with_suffix("")) for path in ladders.GOLDEN.rglob("*.txt")}
    assert there == set(ladders.SCENARIOS)

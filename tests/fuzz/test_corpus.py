"""Every input that a fuzzer found worth keeping, and every one that once was a bug, through its target again."""

import pytest

from tests.fuzz.__main__ import HERE, MOST_BYTES, MOST_FILES
from tests.fuzz.targets import TARGETS

INPUTS = [path for target in TARGETS for path in sorted((HERE / target).iterdir())]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_input(path, capfd):
    TARGETS[path.parent.name](path.read_bytes())
    assert capfd.readouterr().err == ""


def test_the_corpus_stays_small():
    assert {path.name for path in HERE.iterdir()} == set(TARGETS)
    assert all(path.stat().st_size <= MOST_BYTES for path in INPUTS)
    assert all(0 < len(list((HERE / target).iterdir())) <= MOST_FILES for target in TARGETS)

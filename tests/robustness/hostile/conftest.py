"""The ways in, for all tests of this folder."""

import pytest

from tests.robustness.hostile.door import WAYS, Door


@pytest.fixture(params=WAYS)
def analyze(request, tmp_path):
    """The command, by a file and through a pipe."""
    return Door(request.param, tmp_path)

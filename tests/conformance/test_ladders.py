"""The ladders of the probes, read back, show what the timeline says; nothing of them is kept here."""

import pytest

import tcptrace_py as tt
from tests.corpus import CORPUS, needs
from tests.drawings import assert_folded, assert_shown

pytestmark = needs("probes")
PROBES = sorted(path.name for path in (CORPUS / "probes").glob("*.pcap*"))


@pytest.mark.parametrize("name", PROBES)
def test_every_segment_in_every_drawing(name):
    for conn in tt.analyze(CORPUS / "probes" / name):
        assert_shown(conn)
        assert_folded(conn)

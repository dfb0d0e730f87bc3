"""The ladders of the probes, read back, show what the timeline says; nothing of them is kept here."""

import hashlib
import json

import pytest

import tcptrace_py as tt
from tests import ladders
from tests.corpus import CORPUS, needs
from tests.drawings import assert_folded, assert_shown

pytestmark = needs("probes")
PROBES = sorted(path.name for path in (CORPUS / "probes").glob("*.pcap*"))


@pytest.mark.parametrize("name", PROBES)
def test_every_segment_in_every_drawing(name):
    for conn in tt.analyze(CORPUS / "probes" / name):
        assert_shown(conn)
        assert_folded(conn)


@pytest.mark.parametrize("name", PROBES)
def test_the_ladder_is_the_one_that_was_read(name):
    """As text, 110 columns wide; python -m tests.ladders FILE shows it, and --update takes it as it is now."""
    drawn = ladders.of_capture(CORPUS / "probes" / name, ["-q"])
    assert hashlib.sha256(drawn.encode()).hexdigest() == json.loads(ladders.DIGESTS.read_text())[name]

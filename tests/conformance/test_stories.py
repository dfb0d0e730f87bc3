"""The stories of the probes: in every language, complete, and with no number that is not a column."""

import re

import pytest

import tcptrace_py as tt
from tcptrace_py.views.story.door import sections
from tcptrace_py.views.story.language import languages
from tests.corpus import CORPUS, needs
from tests.stories import foreign_numbers, untold

pytestmark = needs("probes")
PROBES = sorted(path.name for path in (CORPUS / "probes").glob("*.pcap*"))


@pytest.mark.parametrize("name", PROBES)
def test_a_story(name):
    for conn in tt.analyze(CORPUS / "probes" / name):
        told = sections(conn)
        assert foreign_numbers(conn, told) == set()
        assert untold(conn, told) == set()
        assert not any(re.search(r"[{}\0]", conn.explain(lang)) for lang in languages())

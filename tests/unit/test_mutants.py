"""Every rule is held by a scenario: with its label struck out of the tracker, one of those that expect it fails."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py.analysis import compiled
from tcptrace_py.vocabulary import ANOMALIES, SEGMENT_ANOMALIES
from tests import seg
from tests.unit.test_scenarios import NOT_YET, SCENARIOS, script_of

RULE = re.compile(r'^(\w+) = cython\.declare\(cython\.\w+, (?:1 << )?BY_NAME\["(\w+)"\]\.code', re.MULTILINE)
MODULES = [
    importlib.import_module(f"tcptrace_py.tracker.{path.stem}")
    for path in sorted(Path(tt.__file__).parent.glob("tracker/_[a-z]*.py"))
]
REACHED = [anomaly for anomaly in ANOMALIES if anomaly.name not in NOT_YET]

pytestmark = pytest.mark.skipif(compiled(), reason="compiled constants cannot be changed")


def constants(label: str) -> list[tuple[object, str]]:
    """Where the rules have the label's code."""
    return [
        (module, name)
        for module in MODULES
        for name, of in RULE.findall(Path(str(module.__file__)).read_text())
        if of == label
    ]


def expecting(label: str) -> list[str]:
    """The scenarios in which it is expected."""
    scripts = {name: script_of(name) for name in SCENARIOS}
    return [
        name
        for name, script in scripts.items()
        if any(label in one.expected[2] for one in script.segments) or any(label in life.found for life in script.lives)
    ]


@pytest.mark.parametrize("anomaly", REACHED, ids=lambda anomaly: anomaly.name)
def test_a_scenario_fails_without_the_label(anomaly, monkeypatch, tmp_path):
    found = constants(anomaly.name)
    assert found
    for module, name in found:  # a bit that is none, or the bit of a finding that nobody declares
        monkeypatch.setattr(module, name, 0 if anomaly.code < SEGMENT_ANOMALIES else 127)
    for name in expecting(anomaly.name):
        script = script_of(name)
        try:
            wrong = seg.differences(script, tt.analyze(seg.write(script, tmp_path / "mutant.pcap"), **script.asked))
        except (KeyError, IndexError):  # the finding that nobody declares
            return
        if wrong:
            return
    pytest.fail(f"no scenario misses {anomaly.name}")

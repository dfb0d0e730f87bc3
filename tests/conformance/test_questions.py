"""The questions of ``tcpflows query --ask`` over the reference captures, against loops over their rows."""

import shutil

import pytest

from tcptrace_py.dataset.questions import QUESTIONS
from tests.answers import Known, answer, comparable, rows_of
from tests.batches import batch
from tests.corpus import CORPUS, needs

pytest.importorskip("duckdb")
pytestmark = needs("captures")

SOFT = {"threshold_ms": 1, "threshold_s": 0.01, "within_s": 10**6}
"""Thresholds at which these small captures have something to say."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    dataset = tmp_path_factory.mktemp("questions")
    batch(CORPUS / "captures", dataset / "all", pattern="*.pcap*", join=False)
    paths = sorted(p for p in (CORPUS / "captures").iterdir() if ".pcap" in p.name)
    yield dataset / "all", Known(map(str, paths))
    shutil.rmtree(dataset)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("soft", [False, True])
def test_every_question_is_answered_right(asked, name, soft):
    from tcptrace_py.dataset.query import query

    dataset, known = asked
    settings = QUESTIONS[name].values({})
    if soft:
        settings |= {setting: SOFT[setting] for setting in settings.keys() & SOFT.keys()}
        settings |= {"rows": 10**6} if "rows" in settings else {}
    ours = rows_of(query(dataset, QUESTIONS[name].sql, settings))
    wanted = answer(known, name, **settings)
    assert comparable(ours) == comparable(wanted)
    assert ours or not soft or name == "time-wait-reuse"

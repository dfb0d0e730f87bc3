"""Every scenario: the states, steps and findings of each line, whatever the numbers and whoever is the client."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py.tables.schema import TABLES
from tcptrace_py.tracker.states import TRANSITIONS
from tcptrace_py.vocabulary import ANOMALIES, Handshake, Input, State, Step, Teardown
from tests import seg
from tests.agreement import UNCAPPED, contradictions

FOLDER = Path(__file__).parent.parent / "scenarios"
SCENARIOS = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.seg"))
NEAR_WRAP = 2**32 - 3

NOT_YET = {
    "atk_blind": "of many findings: see test_attacks",
    "atk_scan": "of many connections: see test_attacks",
    "atk_syn_flood": "of many connections: see test_attacks",
    "cap_gap": "of a damaged file: see test_capture_resync",
    "cap_snap": "of the capture, not of TCP: see test_tracker_findings",
    "cap_offload": "of the packet's length, not of TCP: see test_tracker_findings",
    "cap_origlen": "of the packet's length, not of TCP: see test_tracker_findings",
    "evicted": "of the bounds, not of TCP: see test_tracker_findings",
    "holes_capped": "of the bounds, not of TCP: see test_floods",
    "icmp_error": "of another protocol: see test_tracker_findings",
    "rtt_sampling_limited": "of the bounds, not of TCP: see test_floods",
}
"""Anomalies that no scenario reaches, and why."""

UNREACHED = {
    "CLOSED SENT_SYN": "a SYN after the close opens a new connection, whose ends begin anew",
    "CLOSED SENT_SYN_ACK": "only until a forged refusal is found out: the rows are put right then",
}
"""Entries of the table that no scenario takes in its final form, and why."""


def script_of(name: str) -> seg.Script:
    return seg.parse((FOLDER / f"{name}.seg").read_text())


@pytest.mark.parametrize(
    "how",
    [{}, {"isns": (NEAR_WRAP, NEAR_WRAP)}, {"exchanged": True}],
    ids=["plain", "near_wrap", "exchanged"],
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name, how, tmp_path):
    script = script_of(name)
    wrong = seg.differences(script, tt.analyze(seg.write(script, tmp_path / "scenario.pcap", **how), **script.asked))
    if wrong:
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("name", SCENARIOS)
def test_tables_of_a_scenario_agree(name, tmp_path):
    script = script_of(name)
    trace = tt.analyze(seg.write(script, tmp_path / "scenario.pcap"), tables=TABLES, limits=UNCAPPED)
    assert contradictions(trace) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_is_short_and_begins_with_a_sentence(name):
    lines = (FOLDER / f"{name}.seg").read_text().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 150
    assert lines[0].startswith("# ")
    assert lines[0].endswith(".")
    assert script_of(name).lives


# -- completeness: all that the tracker can say is said somewhere ----------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every scenario with its trace."""
    folder = tmp_path_factory.mktemp("scenarios")
    made = []
    for name in SCENARIOS:
        script = script_of(name)
        made.append((script, tt.analyze(seg.write(script, folder / f"{name.replace('/', '-')}.pcap"), **script.asked)))
    return made


def agreed(runs) -> set[str]:
    """Labels that a scenario expects on a segment or a connection, and that are found there."""
    labels = set()
    for script, trace in runs:
        for one, row in zip(script.segments, seg.rows(trace), strict=True):
            labels |= one.expected[2] & seg.said(row)[2]
        for life, conn in zip(script.lives, trace, strict=False):
            labels |= life.found & set(conn.record["findings"])
            labels |= {f"handshake {conn.record['handshake']}", f"teardown {conn.record['teardown']}"} & {
                f"handshake {life.shape[0]}",
                f"teardown {life.shape[1]}",
            }
    return labels


def test_every_step_and_shape_is_reached(runs):
    every = {step.name for step in Step}
    every |= {f"handshake {shape}" for shape in Handshake} | {f"teardown {shape}" for shape in Teardown}
    assert every - agreed(runs) == set()


def test_every_anomaly_is_reached_or_says_why_not(runs):
    assert {anomaly.name for anomaly in ANOMALIES} - agreed(runs) == set(NOT_YET)


def test_every_transition_is_reached_or_says_why_not(runs):
    taken = {entry for _, trace in runs for conn in trace for entry in transitions_of(conn.rows())}
    every = {(state, given) for state, row in TRANSITIONS.items() for given in row}
    assert {f"{state.name} {given.name}" for state, given in every - taken} == set(UNREACHED)


def transitions_of(rows) -> set[tuple[State, Input]]:
    """The entries of the table that explain how both ends went from row to row."""
    taken = set()
    before = {side: State[{"S": "LISTEN"}.get(rows[0]["flags"], "UNKNOWN")] for side in ("c2s", "s2c")}
    before[rows[0]["direction"]] = State.UNKNOWN
    for row in rows:
        now = {"c2s": State[row["client_state"]], "s2c": State[row["server_state"]]}
        for side, state in now.items():
            taken |= path(before[side], state, inputs(row, own=side == row["direction"]))
        before = now
    return taken


def inputs(row, *, own: bool) -> list[Input]:
    """What a segment can be to one end, in the order in which it is applied: what it had got, what it sends or gets."""
    flags = set(row["flags"])
    syn = Input.SENT_SYN_ACK if "A" in flags else Input.SENT_SYN
    got_syn = Input.GOT_SYN_ACK if "A" in flags else Input.GOT_SYN
    of_ack = [Input.GOT_ACK_OF_SYN, Input.GOT_ACK_OF_FIN] if "A" in flags else []
    if own:
        came = [Input.GOT_SYN] * (flags == {"S"})  # the crossing SYN may arrive just after this one was sent
        had = [Input.GOT_SYN, Input.GOT_SYN_ACK, *of_ack, Input.GOT_FIN] if "A" in flags else []
        sent = {"S": syn, "F": Input.SENT_FIN, "R": Input.SENT_RST}
        return had + [given for flag, given in sent.items() if flag in flags] + came
    resets = [Input.GOT_RST, Input.GOT_RST_PASSIVE] if "R" in flags else []
    return [got_syn] * ("S" in flags) + of_ack + [Input.GOT_FIN] * ("F" in flags) + resets


def path(state: State, target: State, given: list[Input]) -> set[tuple[State, Input]]:
    """The fewest of the inputs, in order, that lead there by the table; what was sent is among them if it can be."""
    ways = [chosen for size in range(1, len(given) + 1) for chosen in combinations(given, size)]
    for chosen in sorted(ways, key=lambda way: -sum(one <= Input.SENT_RST for one in way)):
        at, taken = state, set()
        for one in chosen:
            taken.add((at, one))
            at = TRANSITIONS[at].get(one)
            if at is None:
                break
        if at == target != state:
            return taken
    return set()

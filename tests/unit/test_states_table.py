"""The state machine of one endpoint: the table against RFC 9293's figure 5, written down here a second time."""

from __future__ import annotations

import pytest

from tcptrace_py.tracker.states import TABLE, TRANSITIONS, lay_out
from tcptrace_py.vocabulary import STATE_MEANING, Input, State

FIGURE_5 = """
    LISTEN      GOT_SYN         SYN_RCVD
    LISTEN      SENT_SYN        SYN_SENT
    SYN_SENT    GOT_SYN_ACK     ESTABLISHED
    SYN_SENT    GOT_SYN         SYN_RCVD
    SYN_RCVD    GOT_ACK_OF_SYN  ESTABLISHED
    SYN_RCVD    SENT_FIN        FIN_WAIT_1
    ESTABLISHED SENT_FIN        FIN_WAIT_1
    ESTABLISHED GOT_FIN         CLOSE_WAIT
    FIN_WAIT_1  GOT_ACK_OF_FIN  FIN_WAIT_2
    FIN_WAIT_1  GOT_FIN         CLOSING
    FIN_WAIT_2  GOT_FIN         TIME_WAIT
    CLOSE_WAIT  SENT_FIN        LAST_ACK
    CLOSING     GOT_ACK_OF_FIN  TIME_WAIT
    LAST_ACK    GOT_ACK_OF_FIN  CLOSED
    CLOSED      SENT_SYN        SYN_SENT
    SYN_RCVD    GOT_RST_PASSIVE LISTEN
"""
RESETS = {Input.SENT_RST, Input.GOT_RST}  # where no rule says otherwise, these close


def after(state: State, given: Input) -> State:
    return State(TABLE[state * len(Input) + given])


@pytest.mark.parametrize("line", FIGURE_5.split("\n")[1:-1])
def test_arrow_of_the_figure(line):
    state, given, target = line.split()
    assert after(State[state], Input[given]) == State[target]


@pytest.mark.parametrize("state", State)
def test_what_has_no_rule_changes_nothing(state):
    for given in set(Input) - RESETS - set(TRANSITIONS[state]):
        assert after(state, given) == state


@pytest.mark.parametrize("state", State)
def test_an_accepted_reset_closes(state):
    for given in RESETS:
        assert after(state, given) == State.CLOSED


@pytest.mark.parametrize("state", State)
def test_nothing_in_time_wait_or_after_reopens(state):
    """No input but a SYN of its own leads from a closed end to an open one; that is a new connection's."""
    if state in (State.CLOSED, State.TIME_WAIT):
        for given in set(Input) - {Input.SENT_SYN, Input.SENT_SYN_ACK}:
            assert after(state, given) in (state, State.CLOSED)


@pytest.mark.parametrize(
    ("inputs", "target"),
    [
        ("SENT_FIN GOT_ACK_OF_FIN GOT_FIN", "TIME_WAIT"),
        ("SENT_FIN GOT_FIN GOT_ACK_OF_FIN", "TIME_WAIT"),
        ("GOT_FIN SENT_FIN GOT_ACK_OF_FIN", "CLOSED"),
        ("SENT_FIN GOT_FIN", "CLOSING"),
        ("GOT_FIN GOT_FIN", "CLOSE_WAIT"),
        ("SENT_FIN SENT_FIN", "FIN_WAIT_1"),
    ],
)
def test_ways_to_close(inputs, target):
    state = State.ESTABLISHED
    for given in inputs.split():
        state = after(state, Input[given])
    assert state == State[target]


def test_every_state_can_be_entered_and_has_a_meaning():
    """UNKNOWN is where everyone begins: nothing leads back there."""
    entered = {target for row in TRANSITIONS.values() for target in row.values()}
    assert set(State) - entered == {State.UNKNOWN}
    assert set(STATE_MEANING) == set(State) == set(TRANSITIONS)


def test_laid_out_table_has_a_place_for_every_pair():
    assert len(TABLE) == len(State) * len(Input)
    assert lay_out({})[State.CLOSING * len(Input) + Input.GOT_FIN] == State.CLOSING

"""The state machine of one TCP endpoint (RFC 9293 section 3.3.2), as a table.

Knows states and inputs.  Does not know sequence numbers, time, or which end it serves: the tracker runs it twice.
An input is what the endpoint *sent*, or what it *got*: proved by its own later segments, or still on its way.
What the table lacks leaves the state as it is: we observe, we do not enforce.
"""

from __future__ import annotations

from tcptrace_py.vocabulary import Input as I  # noqa: N817 - the table below is read, and short names align it
from tcptrace_py.vocabulary import State as S  # noqa: N817

CHANGES = ("entered", "proved", "refuted", "passed")
"""How a state of an endpoint is known; the tracker notes a change by its place here."""

TRANSITIONS: dict[S, dict[I, S]] = {
    S.UNKNOWN: {  # picked up in the middle: what it sends tells
        I.SENT_SYN: S.SYN_SENT,
        I.SENT_SYN_ACK: S.SYN_RCVD,
        I.SENT_FIN: S.FIN_WAIT_1,
        I.GOT_SYN_ACK: S.ESTABLISHED,
        I.GOT_FIN: S.CLOSE_WAIT,
    },
    S.CLOSED: {I.SENT_SYN: S.SYN_SENT, I.SENT_SYN_ACK: S.SYN_RCVD},
    S.LISTEN: {I.GOT_SYN: S.SYN_RCVD, I.SENT_SYN: S.SYN_SENT, I.SENT_SYN_ACK: S.SYN_RCVD},
    S.SYN_SENT: {
        I.GOT_SYN_ACK: S.ESTABLISHED,
        I.GOT_SYN: S.SYN_RCVD,  # simultaneous open, split handshake
        I.SENT_SYN_ACK: S.SYN_RCVD,
    },
    S.SYN_RCVD: {
        I.GOT_ACK_OF_SYN: S.ESTABLISHED,
        I.GOT_SYN_ACK: S.ESTABLISHED,
        I.SENT_FIN: S.FIN_WAIT_1,
        I.GOT_FIN: S.CLOSE_WAIT,
        I.GOT_RST_PASSIVE: S.LISTEN,
    },
    S.ESTABLISHED: {I.SENT_FIN: S.FIN_WAIT_1, I.GOT_FIN: S.CLOSE_WAIT},
    S.FIN_WAIT_1: {I.GOT_ACK_OF_FIN: S.FIN_WAIT_2, I.GOT_FIN: S.CLOSING},  # GOT_FIN first: simultaneous close
    S.FIN_WAIT_2: {I.GOT_FIN: S.TIME_WAIT},
    S.CLOSE_WAIT: {I.SENT_FIN: S.LAST_ACK},
    S.CLOSING: {I.GOT_ACK_OF_FIN: S.TIME_WAIT},
    S.LAST_ACK: {I.GOT_ACK_OF_FIN: S.CLOSED},
    S.TIME_WAIT: {},
}


def lay_out(rules: dict[S, dict[I, S]]) -> bytes:
    """``table[state * len(Input) + given]`` is the next state; where no rule speaks, the same state.

    A reset that is accepted leads to CLOSED from everywhere.
    """
    table = [state for state in S for _ in I]
    for state, row in rules.items():
        for given, target in row.items():
            table[state * len(I) + given] = target
    for state in S:
        for reset in (I.SENT_RST, I.GOT_RST):
            table[state * len(I) + reset] = S.CLOSED
    return bytes(table)


TABLE = lay_out(TRANSITIONS)

"""One endpoint for the twin: the RFC's figure as a table of words, and the inputs that are on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.naive.rows import Row

GOES_TO = {  # RFC 9293 figure 5, read along its arrows
    "UNKNOWN": {
        "sent SYN": "SYN_SENT",
        "sent SYN-ACK": "SYN_RCVD",
        "sent FIN": "FIN_WAIT_1",
        "got SYN-ACK": "ESTABLISHED",
        "got FIN": "CLOSE_WAIT",
    },
    "CLOSED": {"sent SYN": "SYN_SENT", "sent SYN-ACK": "SYN_RCVD"},
    "LISTEN": {"got SYN": "SYN_RCVD", "sent SYN": "SYN_SENT", "sent SYN-ACK": "SYN_RCVD"},
    "SYN_SENT": {"got SYN-ACK": "ESTABLISHED", "got SYN": "SYN_RCVD", "sent SYN-ACK": "SYN_RCVD"},
    "SYN_RCVD": {
        "got ACK of SYN": "ESTABLISHED",
        "got SYN-ACK": "ESTABLISHED",
        "sent FIN": "FIN_WAIT_1",
        "got FIN": "CLOSE_WAIT",
        "got RST as listener": "LISTEN",
    },
    "ESTABLISHED": {"sent FIN": "FIN_WAIT_1", "got FIN": "CLOSE_WAIT"},
    "FIN_WAIT_1": {"got ACK of FIN": "FIN_WAIT_2", "got FIN": "CLOSING"},
    "FIN_WAIT_2": {"got FIN": "TIME_WAIT"},
    "CLOSE_WAIT": {"sent FIN": "LAST_ACK"},
    "CLOSING": {"got ACK of FIN": "TIME_WAIT"},
    "LAST_ACK": {"got ACK of FIN": "CLOSED"},
    "TIME_WAIT": {},
}


def step_to(state: str, given: str) -> str:
    if given in ("sent RST", "got RST"):
        return "CLOSED"
    return GOES_TO[state].get(given, state)


@dataclass(eq=False)
class Coming:
    """An input on its way."""

    given: str
    since: int  # row
    lost: bool = False


@dataclass
class End:
    """An endpoint: what its own segments have shown, what may have arrived, and what it has sent so far."""

    side: int
    proved: str = "UNKNOWN"
    coming: list[Coming] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)  # sent
    needs: int | None = None  # an ACK of this number proves that the ACK of its FIN arrived
    sent_syn_ack: bool = False  # one that answers the peer's SYN
    told_syn_acked: bool = False  # an ACK of the peer's SYN has passed
    told_fin_acked: bool = False
    told_fin: bool = False
    fin: Row | None = None  # the first one
    fin_again: bool = False
    syn_again: bool = False
    fin_acked_by: Row | None = None

    @property
    def seen(self) -> bool:
        return bool(self.rows)

    @property
    def syns(self) -> list[Row]:
        return [row for row in self.rows if row.syn]

    @property
    def syn_payload(self) -> int:
        return next((row.size for row in self.rows if row.bare_syn), 0)

    @property
    def estimate(self) -> str:
        """Its state if all that is on its way has arrived."""
        state = self.proved
        for one in self.coming:
            state = step_to(state, one.given)
        return state

    def waits_for(self, given: str) -> Coming | None:
        return next((one for one in self.coming if one.given == given), None)

    def sends(self, given: str) -> None:
        self.proved = step_to(self.proved, given)

    def gets(self, given: str, row: int) -> bool:
        """An input passes; of an end that has never been seen nothing is assumed."""
        if self.proved == "UNKNOWN" and not self.seen:
            return False
        self.coming.append(Coming(given, row))
        if given == "got ACK of FIN":
            self.needs = None
        return True

    def strike(self, one: Coming) -> None:
        one.lost = True
        self.coming.remove(one)

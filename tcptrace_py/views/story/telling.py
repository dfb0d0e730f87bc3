"""The story of one connection: which sections it has, and what is said in each.

Knows the columns.  States, steps, shapes and findings are told as the tables have them; nothing is inferred here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tcptrace_py.views.story.data import data
from tcptrace_py.views.story.findings import findings
from tcptrace_py.views.story.said import N_, Instant, Paragraph, Said, Section, Span, tell
from tcptrace_py.views.story.shapes import CLOSING, OPENING, ROLES
from tcptrace_py.views.story.steps import SENTENCES, Step
from tcptrace_py.views.wording import endpoint
from tcptrace_py.vocabulary import STATE_MEANING, STEP_MEANING, State
from tcptrace_py.vocabulary import Step as VocabularyStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcptrace_py.views.story.steps import Row

SENDERS = {"c2s": "client", "s2c": "server"}
PEERS = {"client": "server", "server": "client"}
SIDES = {"client": N_("the client {address}"), "server": N_("the server {address}")}
SHORT = {"client": N_("the client"), "server": N_("the server")}
MEANINGS = {state.name: meaning for state, meaning in STATE_MEANING.items()}
MOST = 40  # paragraphs of a section
MARKS = {True: ("✓", "right"), False: ("✗", "wrong"), None: ("?", "faint")}


def story(record: Row, rows: Sequence[Row], events: Sequence[Row], states: Sequence[Row]) -> list[Section]:
    """The story of one connection.

    Parameters
    ----------
    record : mapping
        Its row of the `connections` table.
    rows, events, states : sequence of mappings
        Its rows of the tables `timeline`, `events` and `states`, in order; times in nanoseconds.
    """
    names = Names(record)
    opening, closing = _steps(record, rows, names)
    sections = [
        Section(
            tell("Connection {conn_id}: {client} and {server}", conn_id=record["conn_id"], **names.endpoints),
            tuple(_who(record, names)),
        ),
        Section(tell("Opening"), (Paragraph((tell(OPENING[record["handshake"]]),)), *opening)),
        Section(tell("Data"), tuple(data(record, names.sides))),
        Section(tell("Closing"), (Paragraph(tuple(_shape_of_close(record, names))), *closing)),
        Section(tell("Findings"), tuple(findings(record, events))),
        Section(tell("At the end of the capture"), tuple(_proved(states, names))),
    ]
    return [section for section in sections if section.paragraphs]


class Names:
    """What both ends are called: by role and address, with the port where the address does not tell them apart."""

    def __init__(self, record: Row) -> None:
        same = record["client_ip"] == record["server_ip"]
        self.endpoints = {side: endpoint(record[f"{side}_ip"], record[f"{side}_port"]) for side in SIDES}
        self.sides = {
            side: tell(SIDES[side], address=self.endpoints[side] if same else record[f"{side}_ip"]) for side in SIDES
        }
        self.short = {side: tell(SHORT[side]) for side in SIDES}


def _who(record: Row, names: Names) -> Iterator[Paragraph]:
    said = [tell(ROLES[record["roles_from"]], **names.endpoints)]
    if record["network"]:
        said.append(tell("The connection runs inside {network}.", network=record["network"]))
    if record["start"] is not None and record["duration_ns"] is not None:
        start, span = Instant(record["start"]), Span(record["duration_ns"])
        said.append(
            tell(
                "Its first segment was captured at {start} UTC; from there to the last one it is {span}.",
                start=start,
                span=span,
            )
        )
    if record["retry_of"] is not None:
        said.append(tell("It tries again what connection {other} has tried in vain.", other=record["retry_of"]))
    if record["continues"] is not None:
        said.append(
            tell("It goes on with connection {other}, which had to be given up before.", other=record["continues"])
        )
    yield Paragraph(tuple(said))


# -- steps ------------------------------------------------------------------------------------------------------------


def _steps(record: Row, rows: Sequence[Row], names: Names) -> tuple[list[Paragraph], list[Paragraph]]:
    """The steps of the opening and those of the close, and what else changes a state, as paragraphs."""
    seen = _Seen()
    states = _States(rows, names)
    opening: list[tuple[Row, Paragraph]] = []
    closing: list[tuple[Row, Paragraph]] = []
    for i, row in enumerate(rows):
        changes = list(states.after(i))
        told = list(_told_steps(row, record, names, seen, moves=states.moves(i)))
        if changes and not told and row["flags"]:
            who = names.sides[SENDERS[row["direction"]]]
            told.append(tell("{who} sends a segment with the flags {flags}.", who=who, flags=row["flags"]))
        seen.add(row)
        if told or changes:
            mark, style = _mark(row)
            into = closing if _closes(row, begun=bool(closing), complete=seen.complete) else opening
            into.append((row, Paragraph((*told, *changes), mark, style)))
        seen.complete = seen.complete or "handshake_3" in row["steps"]
    return _bounded(opening), _bounded(closing)


def _closes(row: Row, *, begun: bool, complete: bool) -> bool:
    """Whether a segment is told as part of the close: a FIN, a RST after the handshake, what follows them."""
    kinds = {name.partition("_")[0] for name in row["steps"]}
    return "teardown" in kinds or (begun and "handshake" not in kinds) or (complete and "reset" in kinds)


def _bounded(told: list[tuple[Row, Paragraph]]) -> list[Paragraph]:
    """The paragraphs, of very many the first ones: a thousand RSTs are no story."""
    shown = [paragraph for _, paragraph in told[:MOST]]
    if len(told) > MOST:
        shown.append(Paragraph((tell("There are more, the last one on frame {frame}.", frame=told[-1][0]["frame"]),)))
    return shown


class _Seen:
    """What has passed before a segment, each way: the first with SYN, with FIN, with each step."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], Row] = {}  # (direction, flag or step)
        self.complete = False

    def add(self, row: Row) -> None:
        for what in (*(flag for flag in "SF" if flag in row["flags"]), *row["steps"]):
            self.first.setdefault((row["direction"], what), row)

    def again(self, row: Row, step: str) -> bool:
        """Whether the same had been sent before, with the same number."""
        before = self.first.get((row["direction"], step))
        return before is not None and before["seq"] == row["seq"]


def _told_steps(row: Row, record: Row, names: Names, seen: _Seen, *, moves: bool) -> Iterator[Said]:
    me, it = row["direction"], "s2c" if row["direction"] == "c2s" else "c2s"
    sender = SENDERS[me]
    for name, holds in zip(row["steps"], row["steps_ok"], strict=True):
        yield from SENTENCES[name](
            Step(
                row=row,
                record=record,
                who=names.sides[sender],
                peer=names.sides[PEERS[sender]],
                me=names.short[sender],
                it=names.short[PEERS[sender]],
                holds=holds,
                again=seen.again(row, name),
                moves=moves,
                both={"teardown_2", "teardown_3"} <= {*row["steps"]},
                syn=seen.first.get((it, "S")),
                fin=seen.first.get((it, "F")),
                own_syn=seen.first.get((me, "S")),
                own_fin=seen.first.get((me, "F")),
                answer=seen.first.get((it, "handshake_2")),
                half=seen.first.get((me, "teardown_2")),
            )
        )


def _mark(row: Row) -> tuple[Said, str]:
    """The steps that a segment is, with their verdicts, its frame, and where the RFC describes the steps."""
    steps = [
        tell("step {number} {verdict}", number=int(name[-1]), verdict=MARKS[holds][0])
        if name[-1].isdecimal()
        else tell("RST")
        for name, holds in zip(row["steps"], row["steps_ok"], strict=True)
    ]
    mark = _listed([*steps, tell("frame {frame}", frame=row["frame"])])
    sources = dict.fromkeys(STEP_MEANING[VocabularyStep[name]][1] for name in row["steps"])
    if sources:
        mark = tell("{mark} ({sources})", mark=mark, sources=_listed([Said(source) for source in sources]))
    verdicts = set(row["steps_ok"])
    worst = next((holds for holds in (False, None, True) if holds in verdicts), None)
    return mark, MARKS[worst][1]


def _listed(things: list[Said]) -> Said:
    *before, listed = things
    for thing in reversed(before):
        listed = tell("{first}, {rest}", first=thing, rest=listed)
    return listed


NOW = N_("{who} is now in {state}."), N_("{who} is now in {state} ({meaning}).")
STILL = N_("{who} is in {state}."), N_("{who} is in {state} ({meaning}).")
ARRIVED = N_("When it arrives, {who} is in {state}."), N_("When it arrives, {who} is in {state} ({meaning}).")
"""In which state an end is, without and with what that means."""


class _States:
    """What is said of states: the sender's at each of its steps, the receiver's where it changes.

    What a state means is said once: where its end acts in it, or else where it is entered.
    """

    def __init__(self, rows: Sequence[Row], names: Names) -> None:
        self.rows, self.names = rows, names
        self.explained: set[str] = set()
        self.to_come = Counter(row[f"{SENDERS[row['direction']]}_state"] for row in rows if row["steps"])

    def moves(self, i: int) -> bool:
        """Whether a segment changes a state."""
        ends = ("client_state", "server_state")
        return not i or any(self.rows[i][end] != self.rows[i - 1][end] for end in ends)

    def after(self, i: int) -> Iterator[Said]:
        """What a segment does to both ends."""
        row = self.rows[i]
        before = self.rows[i - 1] if i else {}
        sender = SENDERS[row["direction"]]
        moved = {side: row[f"{side}_state"] != before.get(f"{side}_state") for side in PEERS}
        self.to_come[row[f"{sender}_state"]] -= bool(row["steps"])
        peer = PEERS[sender]
        if moved[sender] or row["steps"]:
            yield self._said(NOW if moved[sender] else STILL, row, sender)
        if moved[peer]:
            yield self._said(ARRIVED if i else STILL, row, peer)
        if row["client_state"] == row["server_state"] and any(moved.values()):
            yield tell("Both ends are now in {state}.", state=row["client_state"])

    def _said(self, messages: tuple[str, str], row: Row, side: str) -> Said:
        """In which state an end is, and what that means unless it was said or is better said later."""
        state = row[f"{side}_state"]
        who: dict[str, Any] = {"who": self.names.short[side], "state": state}
        acts = side == SENDERS[row["direction"]]
        if state in self.explained or (not acts and self.to_come[state] > 0):
            return Said(messages[0], who)
        self.explained.add(state)
        return Said(messages[1], {**who, "meaning": Said(MEANINGS[state])})


# -- data, close, end -------------------------------------------------------------------------------------------------


def _shape_of_close(record: Row, names: Names) -> Iterator[Said]:
    yield tell(CLOSING[record["teardown"]])
    if record["closed_first"] in names.short:
        yield tell("{who} closes first.", who=names.short[record["closed_first"]])
    if record["reset_by"] in names.short:
        yield tell("The RST comes from {who}.", who=names.short[record["reset_by"]])
    if record["last_ack_missing"]:
        yield tell(
            "Step 4, the last ACK, is missing: without it the second closer sends its FIN again, until it is "
            "acknowledged or the end gives up."
        )


LIKELY = N_("{who} is most likely in {state}; nothing that it sent later proves it.")
UNPROVED = {State.UNKNOWN.name: N_("The state of {who} is not known: {state}.")}


def _proved(states: Sequence[Row], names: Names) -> Iterator[Paragraph]:
    """The last state of each end, and what proves it."""
    last = {row["endpoint"]: row for row in states}
    said = []
    for side, row in last.items():
        values: dict[str, Any] = {"who": names.sides[side], "state": row["state"]}
        if row["proved_frame"] is not None:
            said.append(
                tell("{who} is in {state}, as its own frame {frame} proves.", frame=row["proved_frame"], **values)
            )
        else:
            said.append(Said(UNPROVED.get(row["state"], LIKELY), values))
    if said:
        yield Paragraph(tuple(said))

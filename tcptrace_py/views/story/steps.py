"""The steps of handshake and close in sentences: who sends which flag and number, why that number, and what is wrong.

Knows what each step's equation says (the textbooks' j, k, u, v, w).  Whether it holds, the column `steps_ok` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.views.story.said import N_, Said, Span, tell_n

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one segment: its row, its verdict, what both ends are called, and what had passed before.

    `who` and `peer` are the sender and the other end with their addresses, `me` and `it` the same without.
    `syn`, `fin`: the peer's segment with that flag, which this one answers; `own_syn`, `own_fin`: the sender's own;
    `answer`: the SYN-ACK that the peer had sent; `half`: the sender's first ACK of the peer's FIN.
    `again`: the sender has sent this step before; `both`: the ACK and the second FIN of a close are one segment;
    `moves`: the segment changes a state.
    """

    row: Row
    record: Row
    who: Said
    peer: Said
    me: Said
    it: Said
    holds: bool | None
    again: bool
    both: bool
    moves: bool
    syn: Row | None
    fin: Row | None
    own_syn: Row | None
    own_fin: Row | None
    answer: Row | None
    half: Row | None

    def say(self, message: str, **more: Any) -> Said:
        """A sentence with this segment's numbers in it, and with those that it answers."""
        row = self.row
        ends = {"who": self.who, "peer": self.peer, "me": self.me, "it": self.it}
        return Said(message, {**ends, **{name: row[name] for name in NUMBERS}, **more})


NUMBERS = ("seq", "ack", "payload_bytes")


def _known(row: Row | None) -> bool:
    return row is not None and row["seq"] is not None


def _number(row: Row | None) -> int:
    return int(row["seq"]) if row is not None else 0


def _wraps(step: Step, before: int) -> Iterator[Said]:
    """What is said where counting on from a number begins anew."""
    if step.row["ack"] is not None and step.row["ack"] < before:
        yield step.say("After 4294967295 the numbers begin again with 0.")


def _carries(step: Step) -> Iterator[Said]:
    """What is said of payload on a segment of the handshake."""
    if step.row["payload_bytes"]:
        yield tell_n(
            "The segment carries {n:,} octet of data already.",
            "The segment carries {n:,} octets of data already.",
            step.row["payload_bytes"],
        )


def _handshake_1(step: Step) -> Iterator[Said]:
    """SYN, seq j."""
    if step.row["seq"] is None:
        yield step.say("{who} sends SYN: it asks {peer} for a connection, and waits for the answer.")
    elif step.again:
        yield step.say("{who} sends its SYN with the sequence number {seq} again, because no answer has reached it.")
    elif step.syn is not None:
        yield step.say(
            "{who} sends a SYN of its own, with the sequence number {seq}, which it has chosen itself, and without "
            "ACK: it does not answer the SYN of {peer}."
        )
    else:
        yield step.say(
            "{who} sends SYN with the sequence number {seq}, which it has chosen itself (j). It asks {peer} for a "
            "connection, and waits for the answer."
        )
    yield from _carries(step)


def _handshake_2(step: Step) -> Iterator[Said]:
    """SYN-ACK, seq k, ack j+1."""
    if step.own_syn is not None and step.own_syn["ack"] is None and not step.again:
        yield step.say(
            "{who} answers the SYN of {peer} with SYN and ACK; its own number is {seq}, as in its SYN before."
        )
    elif step.again:
        yield step.say("{who} sends SYN and ACK with the sequence number {seq} again: the answer has not reached it.")
    else:
        yield step.say(
            "{who} answers with SYN and ACK in one segment; its own number, which it has chosen, is {seq} (k)."
        )
    yield from _answers_syn(step)
    rtt = step.record.get("syn_rtt_ns")
    if rtt is not None and not step.again and step.own_syn is None:
        yield step.say("At the place of the capture the answer comes {rtt} after the SYN.", rtt=Span(rtt))


def _answers_syn(step: Step) -> Iterator[Said]:
    """How the number of a SYN-ACK follows from the SYN."""
    syn = step.syn
    if step.again and step.holds:
        return
    if syn is None or not _known(syn) or step.holds is None:
        yield step.say(
            "It acknowledges {ack}; the SYN that this answers is not in the capture, so that it cannot be checked."
        )
    elif not step.holds:
        yield step.say(
            "It acknowledges {ack}, but it should be {syn} + 1, for the SYN of {it} has the number {syn}: this is no "
            "answer to that SYN, and {it} has to refuse it with a RST.",
            syn=_number(syn),
        )
    elif syn["payload_bytes"] and step.row["rel_ack"] != 1:
        yield step.say(
            "It acknowledges {ack}: the SYN of {it} with the number {syn}, and data on it.", syn=_number(syn)
        )
    else:
        yield step.say(
            "It acknowledges {ack}, which is {syn} + 1: the number of the SYN of {it}, and one more, because a SYN "
            "consumes one sequence number.",
            syn=_number(syn),
        )
        yield from _wraps(step, _number(syn))


def _handshake_3(step: Step) -> Iterator[Said]:
    """ACK, ack k+1."""
    answer, own = step.answer, step.own_syn
    checked = step.holds and not step.again and answer is not None and answer["rel_ack"] == 1 and _known(own)
    if answer is not None and checked:
        yield step.say(
            "{who} checks the answer: the ACK flag is set, and {confirmed} is its own number {own} + 1.",
            confirmed=answer["ack"],
            own=_number(own),
        )
    if not _known(step.syn) or step.holds is None:
        yield step.say(
            "{who} sends ACK {ack}; the number that it answers is not in the capture, so that it cannot be checked."
        )
    elif not step.holds:
        yield step.say(
            "{who} sends ACK {ack}. The answer to the SYN of {it} is {syn} + 1, or more by what {it} has sent after "
            "it, in a segment that goes on where the SYN of {me} ended.",
            syn=_number(step.syn),
        )
    elif step.row["rel_ack"] != 1:
        yield step.say(
            "{who} sends ACK {ack}: the SYN of {it} with the number {syn}, and what {it} has sent after it already.",
            syn=_number(step.syn),
        )
    else:
        start = N_("So {me} sends ACK {ack}, which is {syn} + 1: the number of the SYN of {it}, and one more.")
        if not checked:
            start = N_("{who} sends ACK {ack}, which is {syn} + 1: the number of the SYN of {it}, and one more.")
        yield step.say(start, syn=_number(step.syn))
        yield from _wraps(step, _number(step.syn))
        yield step.say(
            "{it} checks that in the same way; then the connection is established, and data may flow both ways."
        )
    yield from _carries(step)


def _teardown_1(step: Step) -> Iterator[Said]:
    """FIN of the first closer, number u."""
    if step.again:
        yield step.say("{who} sends its FIN again, with the sequence number {seq}: its acknowledgment has not come.")
        return
    if step.fin is not None:
        yield step.say("{who} closes its direction as well, before it has the FIN of {peer}: the two have crossed.")
    else:
        yield step.say("{who} has nothing more to send, and closes its direction with a FIN.")
    yield from _number_of_fin(step)
    yield step.say("A FIN consumes one sequence number, even if it carries no data.")
    yield step.say("{me} sends no data any more, but still receives them.")


def _number_of_fin(step: Step) -> Iterator[Said]:
    """Which number a FIN has, and why."""
    if step.row["seq"] is None:
        return
    if step.row["payload_bytes"]:
        yield tell_n(
            "The segment begins with {seq} and brings the last {n:,} octet of data; the FIN's number is the next.",
            "The segment begins with {seq} and brings the last {n:,} octets of data; the FIN's number is the next.",
            step.row["payload_bytes"],
            seq=step.row["seq"],
        )
    elif step.holds:
        letter = "w" if step.fin is not None and "teardown_3" in step.row["steps"] else "u"
        yield step.say(
            "The FIN has the sequence number {seq} ({letter}), one more than the last octet that {me} has sent.",
            letter=letter,
        )
    elif step.holds is None:
        yield step.say(
            "The FIN has the sequence number {seq}. It should be one more than the last octet that {me} has sent; that "
            "cannot be checked, because octets before it had not been captured."
        )
    else:
        yield step.say("The FIN has the sequence number {seq}, which is not one more than the last octet before it.")


def _teardown_2(step: Step) -> Iterator[Said]:
    """ACK u+1."""
    if step.both:
        yield step.say("{who} has nothing more to send either: one segment acknowledges the FIN and brings its own.")
    elif step.again:
        yield step.say("{who} acknowledges the FIN of {peer} again.")
    else:
        yield step.say("{who} acknowledges the FIN of {peer} at once.")
    yield from _answers_fin(step)
    if step.both or step.again:
        return
    if step.own_fin is not None:  # both close at the same time
        return
    if step.row["seq"] is not None:
        yield step.say("Its own sequence number is {seq} (v), one more than the last octet that it has sent so far.")
    yield step.say(
        "The connection is now half-closed: the direction from {it} is released, but {me} may still send data, and "
        "{it} must still receive them."
    )


def _answers_fin(step: Step) -> Iterator[Said]:
    """How the number of an ACK follows from a FIN."""
    fin = step.fin
    if step.again and step.holds:
        return
    if fin is None or not _known(fin) or step.holds is None:
        yield step.say("It acknowledges {ack}, which cannot be checked against the FIN.")
    elif not step.holds:
        yield step.say("It acknowledges {ack}, which is not one more than the number of the FIN.")
    elif fin["payload_bytes"]:
        yield step.say("It acknowledges {ack}: all data of {it}, and one more for the FIN.")
    else:
        yield step.say(
            "It acknowledges {ack}, which is {fin} + 1: the number of the FIN, and one more.", fin=_number(fin)
        )
        yield from _wraps(step, _number(fin))


def _teardown_3(step: Step) -> Iterator[Said]:
    """FIN of the second closer, number w, still ack u+1."""
    if step.again:
        yield step.say("{who} sends its FIN again, with the sequence number {seq}: its acknowledgment has not come.")
        return
    if not step.both:
        yield step.say("{who} has nothing more to send either, and closes its direction with a FIN of its own.")
    yield from _number_of_fin(step)
    if step.row["ack"] is not None and not step.both:
        yield step.say("The segment still acknowledges {ack}, for {it} has sent nothing since its FIN.")
    yield from _between(step)


def _between(step: Step) -> Iterator[Said]:
    """Whether the second closer has sent data after it acknowledged the first FIN: w against v."""
    half, octets = step.half, step.record.get("half_close_octets")
    if step.both or half is None or not _known(half):
        return
    if octets:
        yield tell_n(
            "Since its ACK with {v} (v) {me} has sent {n:,} octet, so that w differs from v; that took {span}.",
            "Since its ACK with {v} (v) {me} has sent {n:,} octets, so that w differs from v; that took {span}.",
            octets,
            v=_number(half),
            me=step.me,
            span=Span(step.record.get("half_close_ns") or 0),
        )
    elif half["seq"] == step.row["seq"]:
        yield step.say("This is v again: {me} has sent no data in between.")


def _teardown_4(step: Step) -> Iterator[Said]:
    """ACK w+1; its sender waits."""
    if step.again:
        yield step.say("{who} acknowledges the FIN of {peer} again, because it has come again.")
    else:
        yield step.say("{who} must acknowledge the FIN of {peer}.")
    yield from _answers_fin(step)
    if _known(step.own_fin) and step.row["seq"] is not None and not _has_payload(step.own_fin):
        yield step.say("Its own sequence number is {seq}, which is {own} + 1.", own=_number(step.own_fin))
    if not step.again:
        yield step.say(
            "It is not closed with that: it waits for twice the longest life of a segment (2MSL) in TIME_WAIT, so that "
            "it can answer if the FIN comes again, and only then is CLOSED."
        )


def _has_payload(row: Row | None) -> bool:
    return row is not None and bool(row["payload_bytes"])


def _reset(step: Step) -> Iterator[Said]:
    """RST."""
    if step.row["seq"] is None:
        yield step.say("{who} sends RST.")
    elif "rst_forged" in step.row["anomalies"]:
        yield step.say("A RST with the sequence number {seq} comes in the name of {who}, which has not sent it.")
    elif step.row["ack"] is None:
        yield step.say("{who} sends RST with the sequence number {seq}.")
    elif step.syn is not None and _known(step.syn) and "hs_refused" in step.row["anomalies"]:
        yield step.say(
            "{who} answers the SYN of {peer} with RST and ACK; it acknowledges {ack} for the number {syn} of the SYN.",
            syn=_number(step.syn),
        )
    else:
        yield step.say("{who} sends RST with the sequence number {seq}, and acknowledges {ack}.")
    if not step.moves:
        yield step.say("It has no effect: neither end changes its state.")


SENTENCES: dict[str, Callable[[Step], Iterator[Said]]] = {
    "handshake_1": _handshake_1,
    "handshake_2": _handshake_2,
    "handshake_3": _handshake_3,
    "teardown_1": _teardown_1,
    "teardown_2": _teardown_2,
    "teardown_3": _teardown_3,
    "teardown_4": _teardown_4,
    "reset": _reset,
}

"""Every word that a user can meet, declared once: meaning, source, and what other tools call it.

The ground floor: imports nothing of ours but `anomalies`, its second half.  Help, documentation, colours and tests
are made from these declarations.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from tcptrace_py.anomalies import (
    ANOMALIES,
    BY_NAME,
    SEGMENT_ANOMALIES,
    SEVERITY_MEANING,
    Anomaly,
    Severity,
    codes_of,
)

__all__ = [
    "ANOMALIES",
    "BY_NAME",
    "EVIDENCE_MEANING",
    "HANDSHAKE_MEANING",
    "ROLES_MEANING",
    "SEGMENT_ANOMALIES",
    "SEVERITY_MEANING",
    "STATE_MEANING",
    "STEP_MEANING",
    "TEARDOWN_MEANING",
    "UNUSED_MEANING",
    "Anomaly",
    "Direction",
    "Evidence",
    "Handshake",
    "Input",
    "RolesFrom",
    "Severity",
    "State",
    "Step",
    "Teardown",
    "Unused",
    "codes_of",
]


class State(IntEnum):
    """State of one endpoint (RFC 9293 section 3.3.2)."""

    UNKNOWN = 0
    CLOSED = 1
    LISTEN = 2
    SYN_SENT = 3
    SYN_RCVD = 4
    ESTABLISHED = 5
    FIN_WAIT_1 = 6
    FIN_WAIT_2 = 7
    CLOSE_WAIT = 8
    CLOSING = 9
    LAST_ACK = 10
    TIME_WAIT = 11


STATE_MEANING = {
    State.UNKNOWN: "the capture does not tell (it begins in the middle, and this end has not spoken)",
    State.CLOSED: "no connection: before its start, after its end, or after an accepted RST",
    State.LISTEN: "waits for a SYN from anyone",
    State.SYN_SENT: "has sent a SYN and waits for its acknowledgment and the peer's SYN",
    State.SYN_RCVD: "has sent and received a SYN and waits for the acknowledgment of its own",
    State.ESTABLISHED: "open: data may flow both ways",
    State.FIN_WAIT_1: "has sent its FIN, which is not yet acknowledged",
    State.FIN_WAIT_2: "its FIN is acknowledged; waits for the peer's FIN",
    State.CLOSE_WAIT: "has received the peer's FIN; its own application has not closed yet",
    State.CLOSING: "both FINs have crossed; waits for the acknowledgment of its own",
    State.LAST_ACK: "has received and sent a FIN; waits for the acknowledgment of its own",
    State.TIME_WAIT: "closed both ways; waits 2MSL for what may still be on its way",
}


class Input(IntEnum):
    """What moves an endpoint: something it sent, or something that reached it."""

    SENT_SYN = 0
    SENT_SYN_ACK = 1
    SENT_FIN = 2
    SENT_RST = 3
    GOT_SYN = 4
    GOT_SYN_ACK = 5
    GOT_ACK_OF_SYN = 6
    GOT_ACK_OF_FIN = 7
    GOT_FIN = 8
    GOT_RST = 9
    GOT_RST_PASSIVE = 10  # in SYN-RECEIVED, by an end that had been listening


class Direction(IntEnum):
    """Which way a segment goes."""

    c2s = 0
    s2c = 1


class Unused(IntEnum):
    """Why a packet that was read gave no row; counted, so that packets read = packets with a row + these."""

    not_ip = 0
    not_tcp = 1
    truncated_header = 2
    bad_ip_header = 3
    bad_tcp_header = 4
    fragment = 5
    icmp_error = 6
    depth_limit = 7
    unsupported_link = 8
    empty_frame = 9
    not_decoded = 10
    unparsed_line = 11


UNUSED_MEANING = {
    Unused.not_ip: "neither IPv4 nor IPv6 inside (ARP, LLDP, MAC control, ...)",
    Unused.not_tcp: "IP, but another protocol than TCP",
    Unused.truncated_header: "the capture ends inside a link, IP or TCP header",
    Unused.bad_ip_header: "IP version, header length or total length impossible",
    Unused.bad_tcp_header: "TCP data offset below 5 or past the segment's end",
    Unused.fragment: "IP fragment: held for reassembly, or never completed",
    Unused.icmp_error: "ICMP error that quotes TCP: kept as an event of the connection it quotes",
    Unused.depth_limit: "more nested headers than the bounds allow",
    Unused.unsupported_link: "a link type that is not decoded",
    Unused.empty_frame: "a record without bytes",
    Unused.not_decoded: "encrypted, compressed, or a later piece of a message (ESP, 802.11 with protection, ...)",
    Unused.unparsed_line: "a line of printed text that is not a TCP packet",
}


class Evidence(IntEnum):
    """What decided that a segment was sent again, was late, or was not needed; the strongest that there was."""

    none = 0
    octets = 1
    ip_id = 2
    tsval = 3
    duplicate_acks = 4
    sack = 5
    dsack = 6
    tsecr = 7
    acknowledged = 8
    too_early = 9
    age = 10
    late_original = 11


EVIDENCE_MEANING = {
    Evidence.none: ("nothing that decides", ""),
    Evidence.octets: ("the same octets were captured before", "RFC 9293 section 3.8.1"),
    Evidence.ip_id: ("the IP ID, which this sender counts up, tells the order of sending", "RFC 6864"),
    Evidence.tsval: ("the timestamp tells the order of sending", "RFC 7323 section 5"),
    Evidence.duplicate_acks: ("three duplicate ACKs came first", "RFC 5681 section 3.2"),
    Evidence.sack: ("SACK blocks name what the receiver holds", "RFC 6675 section 4"),
    Evidence.dsack: ("a later DSACK says that the octets came twice", "RFC 2883"),
    Evidence.tsecr: ("the ACK echoes a timestamp older than the resend's (Eifel)", "RFC 3522"),
    Evidence.acknowledged: ("an ACK of these octets had been captured", "RFC 9293 section 3.4"),
    Evidence.too_early: ("the ACK came sooner after it than any answer can", "RFC 3522"),
    Evidence.age: ("time alone: the age of the hole, or the pause before, against RTT and timeout", "RFC 6298"),
    Evidence.late_original: ("the original came later", "capture"),
}


class Step(IntEnum):
    """Numbered steps of the handshake and the teardown; the value is the bit in the tracker's step word."""

    handshake_1 = 0
    handshake_2 = 1
    handshake_3 = 2
    teardown_1 = 3
    teardown_2 = 4
    teardown_3 = 5
    teardown_4 = 6
    reset = 7


STEP_MEANING = {
    Step.handshake_1: ("SYN, seq j", "RFC 9293 section 3.5"),
    Step.handshake_2: (
        "SYN-ACK, seq k, ack j+1 (beyond it, up to the data on the SYN, with Fast Open)",
        "RFC 9293 section 3.5",
    ),
    Step.handshake_3: ("ACK, seq j+1, ack k+1; more by what was sent before it", "RFC 9293 section 3.5"),
    Step.teardown_1: (
        "FIN of the side that closes first, number u: one more than its last octet",
        "RFC 9293 section 3.6",
    ),
    Step.teardown_2: ("ACK u+1: the first closer's direction is closed", "RFC 9293 section 3.6"),
    Step.teardown_3: ("FIN of the other side, number w, still ack u+1", "RFC 9293 section 3.6"),
    Step.teardown_4: ("ACK w+1; its sender waits 2MSL in TIME-WAIT", "RFC 9293 section 3.6"),
    Step.reset: ("RST: refuses, aborts, or answers a segment that fits no connection", "RFC 9293 section 3.5.2"),
}


class Handshake(StrEnum):
    """How a connection was opened."""

    three_way = "three_way"
    fast_open = "fast_open"
    simultaneous_open = "simultaneous_open"
    split_4 = "split_4"
    split_5 = "split_5"
    refused = "refused"
    no_answer = "no_answer"
    half_open = "half_open"
    backscatter = "backscatter"
    not_seen = "not_seen"


HANDSHAKE_MEANING = {
    Handshake.three_way: "SYN, SYN-ACK, ACK",
    Handshake.fast_open: "data on the SYN, acknowledged by the SYN-ACK (RFC 7413)",
    Handshake.simultaneous_open: "a SYN each way, neither acknowledging the other (RFC 9293 figure 7)",
    Handshake.split_4: "the SYN is answered by a bare SYN; the client sends the SYN-ACK",
    Handshake.split_5: "the SYN is answered by an ACK and then a bare SYN; the client sends the SYN-ACK",
    Handshake.refused: "an acceptable RST answers the SYN",
    Handshake.no_answer: "one SYN or more, and nothing back",
    Handshake.half_open: "SYN and SYN-ACK, and nothing more from the client",
    Handshake.backscatter: "a SYN-ACK or RST without any SYN in the capture, and nothing after",
    Handshake.not_seen: "the capture begins in the middle of the connection",
}


class Teardown(StrEnum):
    """How a connection was closed; decided by acknowledgment numbers, so the same at any capture point."""

    four_way = "four_way"
    three_segment = "three_segment"
    simultaneous = "simultaneous"
    half_close = "half_close"
    one_fin = "one_fin"
    abort = "abort"
    reset_after_fin = "reset_after_fin"
    refused = "refused"
    open = "open"


TEARDOWN_MEANING = {
    Teardown.four_way: "FIN, ACK, FIN, ACK",
    Teardown.three_segment: "FIN, FIN-ACK, ACK: the second FIN is the segment that acknowledges the first",
    Teardown.simultaneous: "neither FIN acknowledges the other; both ends pass CLOSING",
    Teardown.half_close: "new data from the second closer after it had acknowledged the first FIN",
    Teardown.one_fin: "only one side's FIN was seen, and no RST",
    Teardown.abort: "an accepted RST, no FIN before",
    Teardown.reset_after_fin: "a FIN or two, then an accepted RST",
    Teardown.refused: "refused in the handshake",
    Teardown.open: "neither FIN nor accepted RST: the capture or the connection's traffic ends first",
}


class RolesFrom(StrEnum):
    """What told client from server."""

    syn = "syn"
    syn_ack = "syn_ack"
    port = "port"
    first_sender = "first_sender"


ROLES_MEANING = {
    RolesFrom.syn: "the client sent the SYN",
    RolesFrom.syn_ack: "the client is the destination of the first SYN-ACK; its SYN is not in the capture",
    RolesFrom.port: "no SYN: the server has the well-known, or else the lower, port",
    RolesFrom.first_sender: "no SYN, and the ports do not tell: the client sent the first captured segment",
}

"""How a connection was opened and closed, in words: what each shape is, what it implies, where the RFC says so."""

from __future__ import annotations

from tcptrace_py.views.story.said import N_
from tcptrace_py.vocabulary import Handshake, RolesFrom, Teardown

ROLES = {
    RolesFrom.syn: N_("{client} is the client, because it sends the SYN; {server} is the server."),
    RolesFrom.syn_ack: N_(
        "{client} is the client, because the first SYN-ACK goes to it; its SYN is not in the capture. {server} is the "
        "server."
    ),
    RolesFrom.port: N_(
        "There is no SYN in the capture. {server} is taken for the server, because its port is the well-known one, or "
        "the lower one; {client} is the client."
    ),
    RolesFrom.first_sender: N_(
        "There is no SYN in the capture, and the ports do not tell. {client} is taken for the client, because it sends "
        "the first captured segment; {server} is the server."
    ),
}

OPENING = {
    Handshake.three_way: N_(
        "The connection is opened by a three-way handshake: SYN, SYN and ACK, ACK. Each end tells the other the number "
        "from which it counts its octets, and has it acknowledged (RFC 9293 section 3.5)."
    ),
    Handshake.fast_open: N_(
        "The connection is opened with Fast Open: the SYN carries data, and the SYN-ACK acknowledges them, so that "
        "they need not wait for a round trip (RFC 7413)."
    ),
    Handshake.simultaneous_open: N_(
        "Both ends open at the same time: each sends a SYN before the other's reaches it, and each acknowledges the "
        "other's. It is one connection, not two (RFC 9293 section 3.5, figure 7)."
    ),
    Handshake.split_4: N_(
        "The handshake is split: the server answers the SYN with a bare SYN, and SYN with ACK comes from the client. "
        "The rules allow it (RFC 9293 section 3.5), hardly any system does it, and some filters are misled by it."
    ),
    Handshake.split_5: N_(
        "The handshake is split: the server answers the SYN with an ACK and then a bare SYN, and SYN with ACK comes "
        "from the client. The rules allow it (RFC 9293 section 3.5), hardly any system does it, and some filters are "
        "misled by it."
    ),
    Handshake.refused: N_(
        "The connection is refused: a RST answers the SYN. As a rule no program listens on that port, or a filter "
        "answers in its place (RFC 9293 section 3.5.2)."
    ),
    Handshake.no_answer: N_(
        "Nothing answers the SYN: step 2 is missing. The address may not be in use, a filter may drop the segments, or "
        "the answers take a way on which they are not captured. The client tries again until it gives up (RFC 9293 "
        "section 3.8.3)."
    ),
    Handshake.half_open: N_(
        "The handshake is not completed: SYN, and SYN with ACK, but step 3 is missing. The server keeps the half-open "
        "connection until it gives up. Lost segments look like this, and so do scans and SYN floods (RFC 4987)."
    ),
    Handshake.backscatter: N_(
        "The capture holds an answer, and no SYN that asked for it. Someone else may have used the address of the "
        "client as a forged sender (RFC 4987), or the SYN took another way."
    ),
    Handshake.not_seen: N_(
        "The capture begins in the middle of the connection. The handshake is not in it, so the numbers that the ends "
        "chose and the options that they agreed on are not known."
    ),
}

CLOSING = {
    Teardown.four_way: N_(
        "The connection is closed in four steps: each end sends a FIN when it has no more to send, and each FIN is "
        "acknowledged (RFC 9293 section 3.6)."
    ),
    Teardown.three_segment: N_(
        "The connection is closed with three segments: the second FIN stands on the segment that acknowledges the "
        "first one (RFC 9293 section 3.6)."
    ),
    Teardown.simultaneous: N_(
        "Both ends close at the same time: neither FIN acknowledges the other. Both go through CLOSING, and both wait "
        "in TIME_WAIT at the end (RFC 9293 section 3.6, figure 13)."
    ),
    Teardown.half_close: N_(
        "The connection stays half-closed for a while: one end has closed its direction, and the other one goes on "
        "sending data before it closes, too (RFC 9293 section 3.6.1)."
    ),
    Teardown.one_fin: N_(
        "Only one end closes its direction; no FIN of the other one is in the capture. The connection is half-closed "
        "when the capture ends, or the rest of it was not captured (RFC 9293 section 3.6)."
    ),
    Teardown.abort: N_(
        "The connection is aborted by a RST instead of being closed. What is still on its way is lost, and nobody "
        "acknowledges a RST (RFC 9293 section 3.10.5)."
    ),
    Teardown.reset_after_fin: N_(
        "The close begins with a FIN and ends with a RST, so it is not completed: what was still on its way is lost "
        "(RFC 9293 section 3.6.1)."
    ),
    Teardown.refused: N_("There is nothing to close: the connection never came into being."),
    Teardown.open: N_(
        "The connection is not closed in this capture: there is neither a FIN nor a RST that its receiver accepts. The "
        "capture ends before, or the ends just fell silent."
    ),
}

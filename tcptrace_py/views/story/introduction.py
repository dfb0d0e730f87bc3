"""What is told before the first connection: what TCP is, how a story is to be read, and what the capture holds."""

from __future__ import annotations

from tcptrace_py.views.story.said import N_, Paragraph, Said, Section, tell, tell_n

WHAT_TCP_IS = (
    N_(
        "TCP, the Transmission Control Protocol (RFC 9293), is a host-to-host transport: it carries octets from a "
        "program on one host to one on another, reliably and in order. It is connection-oriented: both ends open a "
        "connection before they send data, and close it at the end."
    ),
    N_(
        "Each segment has a header with a sequence number, which counts the octets that its sender sends, and an "
        "acknowledgment number, which names the next octet that it expects; and with six flag bits: SYN opens, ACK "
        "acknowledges, PSH pushes data on to the program, FIN finishes, RST resets, URG marks urgent data."
    ),
)
HOW_TO_READ = N_(
    "Each end is in one of eleven states (RFC 9293 section 3.3.2). A capture shows what passed one place: what an end "
    "has sent proves its state; what was sent to it is taken to have arrived, unless a later segment shows that it had "
    "not."
)


def introduction(capture: str, connections: int, told: int) -> Section:
    """The section before the stories of `told` connections, of those in the capture."""
    here = [
        tell_n(
            "{n:,} connection was found in {capture}.",
            "{n:,} connections were found in {capture}.",
            connections,
            capture=capture,
        )
    ]
    if told < connections:
        here.append(
            tell(
                "The one whose findings weigh most is told here; tcpflows explain CAPTURE ID tells another, and "
                "tcpflows analyze CAPTURE lists them."
            )
        )
    paragraphs = (tuple(map(Said, WHAT_TCP_IS)), (Said(HOW_TO_READ),), tuple(here))
    return Section(tell("TCP in short"), tuple(map(Paragraph, paragraphs)))

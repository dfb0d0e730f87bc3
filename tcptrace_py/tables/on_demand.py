"""Tables that are made of the five when somebody asks for them, declared; `population` and `series` make their rows.

Imports nothing heavy: the catalog lists them.
"""

from __future__ import annotations

from tcptrace_py.tables.schema import Column

POPULATION = (
    Column("time", "time", "", "Beginning of the step"),
    Column("state", "label", "", "State (RFC 9293 section 3.3.2), but for CLOSED", "state"),
    Column("endpoints", "int64", "", "Endpoints in the state at the beginning of the step"),
    Column("proved", "int64", "", "Of these, those whose own segments have proved it by then"),
    Column("most", "int64", "", "Most endpoints in the state at once within the step"),
    Column("entered", "int64", "", "Endpoints that entered the state within the step"),
)
STANDING = (
    Column("capture", "label", "", "File that the connection was read from"),
    Column("conn_id", "uint32", "", "Connection"),
    Column("endpoint", "label", "", "Which end", "endpoint"),
    Column("state", "label", "", "State of this end at the time asked for: the best estimate", "state"),
    Column("local_ip", "text", "", "Address of this end"),
    Column("local_port", "uint16", "", "Port of this end"),
    Column("peer_ip", "text", "", "Address of the other end"),
    Column("peer_port", "uint16", "", "Port of the other end"),
    Column("network", "text", "", "VLAN and tunnel ids; empty for none"),
    Column("entered_time", "time", "", "The earliest time at which the end can have entered the state"),
    Column("entered_frame", "uint64", "", "Frame of that time", nullable=True),
    Column("proved", "bool", "", "The end's own segments up to the time asked for prove that it had entered the state"),
    Column(
        "possible",
        "labels",
        "",
        "Every state that the end may have been in: from the last one proved by then to the best estimate",
        "state",
    ),
)

THROUGHPUT = (
    Column("time", "time", "", "Beginning of the step"),
    Column("direction", "label", "", "c2s: sent by the client; s2c: sent by the server", "direction"),
    Column("step_ns", "int64", "ns", "How long the step is"),
    Column(
        "octets",
        "int64",
        "octets",
        "TCP payload sent in the step, resent octets included, copies (duplicate_packet) not",
    ),
    Column("acked_octets", "int64", "octets", "Of this direction, newly acknowledged in the step"),
    Column("throughput", "float64", "octets/s", "Octets sent over the length of the step"),
)

ON_DEMAND = {"population": POPULATION, "standing": STANDING, "throughput": THROUGHPUT}

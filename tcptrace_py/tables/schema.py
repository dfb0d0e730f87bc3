"""The five tables, declared: every column's name, type, unit, meaning, and what other tools call it.

Knows no values and infers nothing.  Arrow schemas, the reference, ``--where`` and the JSON output are made from here.
Imports nothing heavy: pyarrow is loaded only when an Arrow type is asked for.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcptrace_py.vocabulary import (
    ANOMALIES,
    UNUSED_MEANING,
    Direction,
    Evidence,
    Handshake,
    RolesFrom,
    Severity,
    State,
    Step,
    Teardown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

SCHEMA_VERSION = 1
FLAG_LETTERS = "FSRPAUECN"  # bit 0 upwards: FIN SYN RST PSH ACK URG ECE CWR, then AE (once NS)

WORDS: dict[str, tuple[str, ...]] = {
    "state": tuple(state.name for state in State),
    "direction": tuple(direction.name for direction in Direction),
    "step": tuple(step.name for step in Step),
    "handshake": tuple(Handshake),
    "teardown": tuple(Teardown),
    "roles": tuple(RolesFrom),
    "severity": tuple(severity.name for severity in Severity),
    "anomaly": tuple(anomaly.name for anomaly in ANOMALIES),
    "evidence": tuple(evidence.name for evidence in Evidence),
    "endpoint": ("client", "server"),
    "closer": ("client", "server", "both"),
    "status": ("ok", "partial", "unreadable", "unsupported"),
}
"""The closed sets of values.  A label column names its set and stores a value as its position in the set."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, declared.

    `type` is one of int64, uint8 to uint64, float64, bool, time (ns, UTC), label (few different strings), text,
    binary16, labels (list of strings), numbers (list of int64), bools (list of bool or null).  `words` names the set in
    `WORDS` that closes the values of a label column; empty for an open set.  `zeek`, `tshark`, `tcptrace`: the nearest
    equivalent there.
    """

    name: str
    type: str
    unit: str
    meaning: str
    words: str = ""
    nullable: bool = False
    zeek: str = ""
    tshark: str = ""
    tcptrace: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """The values that can occur, in the order of their stored numbers; empty for an open set."""
        return WORDS[self.words] if self.words else ()


def _column(name: str, spec: str, unit: str, meaning: str, **equivalents: str) -> Column:
    """`spec` is the type; ``label:state`` names the set of its values, a question mark at the end allows null."""
    kind, _, words = spec.removesuffix("?").partition(":")
    return Column(name, kind, unit, meaning, words, spec.endswith("?"), **equivalents)


_c = _column

TIMELINE = (
    _c("capture", "label", "", "File that the segment was read from"),
    _c(
        "frame",
        "uint64",
        "",
        "Number of the frame in its capture, from 1; of the completing one for IP fragments",
        tshark="frame.number",
    ),
    _c("part", "uint16", "", "0, 1, ... among the segments of one frame (aggregates)"),
    _c("time", "time?", "", "When the frame was captured", zeek="ts", tshark="frame.time_epoch"),
    _c("conn_id", "uint32", "", "Connection, numbered from 0 in order of first segment", tshark="tcp.stream"),
    _c("direction", "label:direction", "", "c2s: sent by the client; s2c: sent by the server", zeek="is_orig"),
    _c(
        "flags", "label", "", "A letter a flag, in the order FSRPAUECN: S, SA, A, PA, FA, R, RA", tshark="tcp.flags.str"
    ),
    _c("flags_raw", "uint16", "", "The 12 bits as they stand in the header", tshark="tcp.flags"),
    _c("seq", "uint32?", "", "Sequence number as it stands in the header", tshark="tcp.seq_raw"),
    _c(
        "ack",
        "uint32?",
        "",
        "Acknowledgment number as it stands in the header; null without the ACK flag",
        tshark="tcp.ack_raw",
    ),
    _c("rel_seq", "int64?", "octets", "Sequence number counted from the sender's SYN (0), unwrapped", tshark="tcp.seq"),
    _c("rel_ack", "int64?", "octets", "Acknowledgment counted from the peer's SYN (0), unwrapped", tshark="tcp.ack"),
    _c(
        "rel_sack",
        "numbers",
        "octets",
        "SACK blocks, left and right edge of each, counted as rel_ack is",
        tshark="tcp.options.sack_le, tcp.options.sack_re",
    ),
    _c("payload_bytes", "uint32?", "octets", "TCP payload by the IP header's length", tshark="tcp.len"),
    _c("wire_bytes", "uint32?", "octets", "Length of the frame on the wire", tshark="frame.len"),
    _c(
        "window",
        "int64?",
        "octets",
        "Offered window, scaled; null where the scale is not known",
        tshark="tcp.window_size",
    ),
    _c("window_raw", "uint16?", "", "Window as it stands in the header", tshark="tcp.window_size_value"),
    _c(
        "steps",
        "labels:step",
        "",
        "Numbered steps of handshake and teardown that this segment is",
        tshark="tcp.completeness (per connection)",
    ),
    _c("steps_ok", "bools", "", "For each step: does its equation hold; null where it cannot be checked"),
    _c("client_state", "label:state", "", "The client's state after this segment: the best estimate in its final form"),
    _c("server_state", "label:state", "", "The server's state after this segment: the best estimate in its final form"),
    _c("anomalies", "labels:anomaly", "", "Findings on this segment", tshark="tcp.analysis.flags"),
    _c(
        "rtt_ns",
        "int64?",
        "ns",
        "From the transmission that this ACK answers to this ACK, at the capture point",
        tshark="tcp.analysis.ack_rtt",
    ),
    _c(
        "rtt_ambiguous",
        "bool?",
        "",
        "Only time told which of several transmissions was answered (Karn's algorithm): averages leave it out",
        tshark="tcp.analysis.ack_rtt",
    ),
    _c(
        "in_flight",
        "int64?",
        "octets",
        "Sent by this side and not yet acknowledged, after this segment",
        tshark="tcp.analysis.bytes_in_flight",
        tcptrace="owin",
    ),
    _c("tsval", "uint32?", "", "Timestamp option: the sender's clock", tshark="tcp.options.timestamp.tsval"),
    _c("tsecr", "uint32?", "", "Timestamp option: the peer's clock, echoed", tshark="tcp.options.timestamp.tsecr"),
    _c("ttl", "uint8?", "", "TTL or hop limit", tshark="ip.ttl"),
    _c("ip_id", "uint16?", "", "IPv4 identification; null for IPv6", tshark="ip.id"),
    _c("interface", "uint32?", "", "pcapng interface, counted over all sections", tshark="frame.interface_id"),
    _c(
        "marks",
        "labels",
        "",
        "What capture and decoder say about the frame: no_time, after_gap (the first segment of its connection behind "
        "a stretch that was left out), checksum_bad, cut and so on",
    ),
)


def _each_way(direction: str) -> tuple[Column, ...]:
    """What is known of one direction of a connection."""
    side, peer = ("client", "server") if direction == "c2s" else ("server", "client")
    zeek = "orig" if direction == "c2s" else "resp"

    def _c(name: str, spec: str, unit: str, meaning: str, **equivalents: str) -> Column:
        text = meaning.replace("SIDE", side).replace("PEER", peer)
        return _column(f"{direction}_{name}", spec, unit, text, **equivalents)

    return (
        _c("segments", "uint32", "", "Segments from the SIDE", zeek=f"{zeek}_pkts", tcptrace="total packets"),
        _c("wire_bytes", "int64?", "octets", "Frames from the SIDE, as long as they were on the wire"),
        _c(
            "octets",
            "int64?",
            "octets",
            "TCP payload from the SIDE, resent octets included",
            tcptrace="actual data bytes",
        ),
        _c(
            "unique_octets",
            "int64?",
            "octets",
            "TCP payload from the SIDE, each octet counted once",
            zeek=f"{zeek}_bytes",
            tcptrace="unique bytes sent",
        ),
        _c("resent_octets", "int64?", "octets", "Payload octets sent again", tcptrace="rexmt data bytes"),
        _c(
            "missing_octets",
            "int64?",
            "octets",
            "Octets below the highest one that the capture does not hold",
            zeek="missed_bytes",
            tcptrace="missed data",
        ),
        _c("data_segments", "uint32?", "", "Segments with payload", tcptrace="actual data pkts"),
        _c("retransmissions", "uint32?", "", "Segments marked retransmission", tcptrace="rexmt data pkts"),
        _c("loss_events", "uint32?", "", "Times that the SIDE began to resend, however many segments that took"),
        _c("out_of_order", "uint32?", "", "Segments marked out_of_order", tcptrace="outoforder pkts"),
        _c("lost_segments", "uint32?", "", "Segments marked previous_segment_lost"),
        _c("duplicate_packets", "uint32", "", "Segments marked duplicate_packet", tcptrace="hardware dups"),
        _c("duplicate_acks", "uint32?", "", "Segments marked duplicate_ack"),
        _c("syns", "uint32", "", "Segments with SYN", tcptrace="SYN/FIN pkts sent"),
        _c("fins", "uint32", "", "Segments with FIN", tcptrace="SYN/FIN pkts sent"),
        _c("rsts", "uint32", "", "Segments with RST", tcptrace="resets sent"),
        _c(
            "rtt_samples",
            "uint32",
            "",
            "Round trips measured: the SIDE's data, answered by the PEER",
            tcptrace="RTT samples",
        ),
        _c("rtt_min_ns", "int64?", "ns", "Least of these round trips", tcptrace="RTT min"),
        _c("rtt_avg_ns", "int64?", "ns", "Mean of these round trips", tcptrace="RTT avg"),
        _c("rtt_max_ns", "int64?", "ns", "Greatest of these round trips", tcptrace="RTT max"),
        _c("rtt_stdev_ns", "int64?", "ns", "Standard deviation of these round trips", tcptrace="RTT stdev"),
        _c("window_min", "int64?", "octets", "Least window that the SIDE offered, scaled", tcptrace="min win adv"),
        _c("window_max", "int64?", "octets", "Greatest window that the SIDE offered, scaled", tcptrace="max win adv"),
        _c("zero_windows", "uint32?", "", "Segments marked zero_window", tcptrace="zero win adv"),
        _c("zero_window_ns", "int64?", "ns", "How long the window of the SIDE was closed in all"),
        _c(
            "mss",
            "uint16?",
            "octets",
            "Maximum segment size option of the SIDE's SYN",
            tshark="tcp.options.mss_val",
            tcptrace="mss requested",
        ),
        _c(
            "wscale",
            "uint8?",
            "bits",
            "Window scale option of the SIDE's SYN",
            tshark="tcp.options.wscale.shift",
            tcptrace="adv wind scale",
        ),
        _c("sack_permitted", "bool?", "", "The SIDE's SYN permits selective acknowledgment", tcptrace="req sack"),
        _c("timestamps", "bool?", "", "The SIDE's SYN carries the timestamp option", tcptrace="req 1323 ts"),
        _c("ttl", "uint8?", "", "TTL or hop limit of the SIDE's first segment"),
        _c(
            "initial_window",
            "int64?",
            "octets",
            "Sent by the SIDE before the first ACK of its data",
            tcptrace="initial window",
        ),
        _c("max_in_flight", "int64?", "octets", "Most octets of the SIDE unacknowledged at once", tcptrace="max owin"),
        _c("max_segment", "uint32?", "octets", "Largest payload of one segment", tcptrace="max segm size"),
        _c("first_data_time", "time?", "", "First segment with payload"),
        _c("last_data_time", "time?", "", "Last segment with payload"),
        _c("idle_max_ns", "int64?", "ns", "Longest pause between segments of the SIDE", tcptrace="idletime max"),
        _c("throughput", "float64?", "octets/s", "Unique octets over the connection's duration", tcptrace="throughput"),
    )


CONNECTIONS = (
    _c("capture", "label", "", "File that the connection was read from"),
    _c("conn_id", "uint32", "", "Number of the connection, from 0 in order of first segment", tshark="tcp.stream"),
    _c(
        "community_id",
        "text",
        "",
        "Community ID v1 of addresses and ports; not unique when a port is used again",
        zeek="community_id",
    ),
    _c("instance", "uint32", "", "How many connections of the same network, addresses and ports came before"),
    _c("client_ip", "text", "", "Address of the client", zeek="id.orig_h", tcptrace="host a"),
    _c("client_port", "uint16", "", "Port of the client", zeek="id.orig_p", tcptrace="port a"),
    _c("server_ip", "text", "", "Address of the server", zeek="id.resp_h", tcptrace="host b"),
    _c("server_port", "uint16", "", "Port of the server", zeek="id.resp_p", tcptrace="port b"),
    _c("client_addr", "binary16", "", "Address of the client as 16 bytes; IPv4 as ::ffff:a.b.c.d"),
    _c("server_addr", "binary16", "", "Address of the server as 16 bytes; IPv4 as ::ffff:a.b.c.d"),
    _c("roles_from", "label:roles", "", "What told client from server"),
    _c("network", "text", "", "VLAN and tunnel ids, as in 'vlan 5'; empty for none", zeek="vlan, tunnel_parents"),
    _c("start", "time?", "", "First segment", zeek="ts", tcptrace="first packet"),
    _c("end", "time?", "", "Last segment", tcptrace="last packet"),
    _c("duration_ns", "int64?", "ns", "First to last segment", zeek="duration", tcptrace="elapsed time"),
    _c(
        "handshake",
        "label:handshake",
        "",
        "How the connection was opened",
        zeek="conn_state",
        tshark="tcp.completeness",
        tcptrace="complete conn",
    ),
    _c("handshake_ok", "bool?", "", "Every step of the handshake that can be checked holds; null if there is none"),
    _c("syn_time", "time?", "", "First SYN"),
    _c("syn_ack_time", "time?", "", "First SYN-ACK"),
    _c("hs_ack_time", "time?", "", "First ACK of the SYN-ACK"),
    _c("syn_rtt_ns", "int64?", "ns", "SYN to SYN-ACK at the capture point; null if either was sent twice"),
    _c("ack_rtt_ns", "int64?", "ns", "SYN-ACK to ACK at the capture point; null if either was sent twice"),
    _c("syn_count", "uint32", "", "SYNs, resent ones included"),
    _c("syn_ack_count", "uint32", "", "SYN-ACKs, resent ones included"),
    _c("teardown", "label:teardown", "", "How the connection was closed", zeek="conn_state", tcptrace="complete conn"),
    _c("closed_first", "label:closer?", "", "Who sent FIN first, by acknowledgment numbers; both if simultaneous"),
    _c("reset_by", "label:closer?", "", "Who sent the accepted RST"),
    _c("last_ack_missing", "bool", "", "Both FINs, and no ACK of the second one"),
    _c("half_close_octets", "int64?", "octets", "New payload of the second closer after its ACK of the first FIN"),
    _c("half_close_ns", "int64?", "ns", "From the ACK of the first FIN to the second FIN"),
    _c("fin_1_time", "time?", "", "FIN of the side that closes first"),
    _c("ack_1_time", "time?", "", "First ACK of that FIN"),
    _c("fin_2_time", "time?", "", "FIN of the other side"),
    _c("ack_2_time", "time?", "", "First ACK of that FIN: the last ACK"),
    _c("client_state", "label:state", "", "The client's state at the end: the best estimate"),
    _c("server_state", "label:state", "", "The server's state at the end: the best estimate"),
    _c("client_proved", "label:state", "", "The client's state that its own segments prove"),
    _c("server_proved", "label:state", "", "The server's state that its own segments prove"),
    _c("retry_of", "uint32?", "", "conn_id of the refused or unanswered connection that this one tries again"),
    _c("reuse_gap_ns", "int64?", "ns", "From the end of the earlier connection on the same addresses and ports"),
    _c("findings", "labels:anomaly", "", "Kinds of finding on this connection and its segments, worst first"),
    _c("severity", "label:severity?", "", "Severity of the worst finding; null without any"),
    _c("evicted", "bool", "", "Written out before it ended because a bound was reached"),
    _c("continues", "uint32?", "", "conn_id of the evicted connection that this one goes on with"),
    *_each_way("c2s"),
    *_each_way("s2c"),
)

STATES = (
    _c("capture", "label", "", "File that the connection was read from"),
    _c("conn_id", "uint32", "", "Connection"),
    _c("endpoint", "label:endpoint", "", "Which end"),
    _c("state", "label:state", "", "State (RFC 9293 section 3.3.2) that this end was in"),
    _c("entered_time", "time?", "", "The earliest time at which the end can have entered the state"),
    _c("entered_frame", "uint64?", "", "Frame of that time"),
    _c("proved_time", "time?", "", "When the end's own segments prove that it has entered; null if none does"),
    _c("proved_frame", "uint64?", "", "Frame that proves it"),
    _c("left_time", "time?", "", "When the end left the state; null if it was in it at the end of the capture"),
    _c("left_frame", "uint64?", "", "Frame with which it left"),
)

EVENTS = (
    _c("capture", "label", "", "File that the finding was made in"),
    _c("conn_id", "uint32?", "", "Connection; null for a finding about the capture"),
    _c("frame", "uint64?", "", "Frame that the finding is about; null for one about a whole connection"),
    _c("time", "time?", "", "When that frame was captured"),
    _c("code", "label:anomaly", "", "Kind of finding"),
    _c("severity", "label:severity", "", "How much attention it asks for"),
    _c("evidence", "int64?", "", "The frame or number that shows it"),
    _c("basis", "label:evidence?", "", "What decided a finding of the sequence: a kind of evidence; null for others"),
    _c("sentence", "text", "", "The finding in words"),
)

CAPTURES = (
    _c("path", "text", "", "File, as it was named to the program"),
    _c("set", "text?", "", "What the other tables call the set of files that it is one of; null if it stands alone"),
    _c("first_frame", "int64", "", "Number of its first packet, in the set: frames are numbered through"),
    _c("sha256", "text?", "", "Digest of the file; null unless asked for"),
    _c("format", "text", "", "Container: pcap, pcapng, snoop, printed text and others"),
    _c("compression", "text", "", "Compression, outermost first; empty for none"),
    _c("link_types", "labels", "", "Link types that occur"),
    _c("status", "label:status", "", "ok; partial: damaged, and everything before the damage is kept; or nothing read"),
    _c("reason", "text", "", "Code of what is wrong; empty if nothing"),
    _c("message", "text", "", "What is wrong, in words"),
    _c("offset", "int64?", "octets", "Where the damage begins in the uncompressed input"),
    _c("packets_read", "int64", "", "Packets in the file, up to the damage", tshark="frame.number (last)"),
    _c("packets_used", "int64", "", "Packets with a row in the timeline; the others are counted in unused_*"),
    _c("segments", "int64", "", "Rows in the timeline"),
    *(_c(f"unused_{reason.name}", "int64", "", f"Packets not used: {text}") for reason, text in UNUSED_MEANING.items()),
    _c("first_time", "time?", "", "Earliest packet"),
    _c("last_time", "time?", "", "Latest packet"),
    _c("connections", "int64", "", "Connections found"),
    _c("findings", "labels", "", "Findings on the quality of the capture: duplicates, one-sided, offload, loss"),
    _c("limits", "labels", "", "Bounds that were reached, each with how often: max_tunnels: 3"),
    _c("notes", "labels", "", "Oddities that cost nothing"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "captures": CAPTURES,
    "connections": CONNECTIONS,
    "timeline": TIMELINE,
    "states": STATES,
    "events": EVENTS,
}


def flag_letters(raw: int) -> str:
    """The flags of a segment as letters: 0x12 is SA."""
    return "".join(letter for bit, letter in enumerate(FLAG_LETTERS) if raw >> bit & 1)


@functools.cache  # a trace of a few packets would spend a quarter of its time here
def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type in which a column is stored."""
    import pyarrow as pa

    compound = {
        "bool": pa.bool_(),
        "time": pa.timestamp("ns", "UTC"),
        "label": pa.dictionary(pa.int8() if column.words else pa.int16(), pa.string()),
        "text": pa.string(),
        "binary16": pa.binary(16),
        "labels": pa.list_(pa.string()),
        "numbers": pa.list_(pa.int64()),
        "bools": pa.list_(pa.bool_()),
    }
    return compound.get(column.type) or pa.type_for_alias(column.type)


def arrow_schema(table: str, names: Sequence[str] = ()) -> pa.Schema:
    """The Arrow schema of a table, or of some of its columns, with the schema version in its metadata."""
    return schema_of(table, TABLES[table], names)


def schema_of(table: str, declared: Sequence[Column], names: Sequence[str] = ()) -> pa.Schema:
    """The same for a table, or a view, whose columns are declared elsewhere."""
    import pyarrow as pa

    columns = {column.name: column for column in declared}
    fields = [pa.field(name, arrow_type(columns[name]), columns[name].nullable) for name in names or columns]
    return pa.schema(fields, {"tcptrace_py.table": table, "tcptrace_py.schema_version": str(SCHEMA_VERSION)})

"""Every finding, declared once: what it means exactly, where the rule stands, and what other tools call it.

The ground floor, with `vocabulary`: imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How much attention a finding asks for."""

    info = 0
    note = 1
    warning = 2
    error = 3


SEVERITY_MEANING = {
    Severity.info: "worth knowing, nothing wrong",
    Severity.note: "ordinary on a real network; many of them cost time",
    Severity.warning: "something was lost, stalled or refused, or the capture lacks something",
    Severity.error: "against the protocol's rules, or the sign of a forgery",
}


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding: its public name and what it means.

    `code` below 64 is a bit in the anomaly word of a segment; from 64 on the finding is about a whole connection
    and appears in `events` and `connections` only.  `one_sided`: usable when one direction only was captured.
    `condition` is exact; `sentence` is the event's text, formatted with ``evidence`` (a frame or a number), and
    `by_basis` has other ones for some kinds of evidence, by their names.
    """

    code: int
    name: str
    severity: Severity
    condition: str
    source: str
    sentence: str = ""
    tshark: str = ""
    zeek: str = ""
    tcptrace: str = ""
    one_sided: bool = False
    by_basis: tuple[tuple[str, str], ...] = ()

    def said_by(self, basis: str | None) -> str:
        """The event's text where this kind of evidence decided."""
        return dict(self.by_basis).get(basis or "", self.sentence)


_I, _N, _W, _E = Severity.info, Severity.note, Severity.warning, Severity.error

# A finding in two or three lines reads better than in ten.
# fmt: off
ANOMALIES = (
    Anomaly(0, "retransmission", _N,
            "Octets (payload, SYN or FIN) that this side had sent before, as far as the capture shows",
            "RFC 9293 section 3.8.1", sentence="resends octets first captured before",
            tshark="tcp.analysis.retransmission", zeek="history T", tcptrace="rexmt data pkts", one_sided=True),
    Anomaly(1, "fast_retransmission", _N,
            "A resend after three duplicate ACKs of its first octet, or SACK evidence of its loss",
            "RFC 5681 section 3.2", sentence="resent on duplicate ACKs", tshark="tcp.analysis.fast_retransmission"),
    Anomaly(2, "timeout_retransmission", _N,
            "A resend of the first unacknowledged octet after a pause of at least the retransmission timeout",
            "RFC 6298", sentence="resent on timeout", tshark="tcp.analysis.rto"),
    Anomaly(3, "tail_loss_probe", _N,
            "The last segment alone, resent two smoothed RTTs or more after the last send, before the timeout",
            "RFC 8985 section 7", sentence="resent as a tail loss probe"),
    Anomaly(4, "spurious_retransmission", _N,
            "A resend of which the capture shows that every octet had arrived or had been acknowledged",
            "RFC 3522, RFC 2883", sentence="resent without need, as frame {evidence} shows",
            tshark="tcp.analysis.spurious_retransmission",
            by_basis=(("acknowledged", "resent without need: already acknowledged up to {evidence}"),
                      ("sack", "resent without need: the receiver had said that it holds all of it"))),
    Anomaly(5, "original_not_captured", _N,
            "Fills a hole, and was sent later than its neighbours: a resend whose first copy never passed here",
            "RFC 6675", sentence="fills a hole and was sent later than what follows it", tcptrace="out-of-order"),
    Anomaly(6, "out_of_order", _N,
            "Fills a hole, and was sent earlier than segments captured before it; captured up to 1 ms after its ACK, "
            "it fills none",
            "RFC 9293 section 3.8.1", sentence="overtaken on the way by later segments",
            tshark="tcp.analysis.out_of_order", tcptrace="out-of-order", one_sided=True),
    Anomaly(7, "duplicate_packet", _N,
            "The same transmission captured again: a mirror's copy (more than a fifth of the connection's packets are "
            "copies), or the network's; it has no further effect",
            "TCP header, IP ID and time", sentence="a copy of frame {evidence}", tcptrace="hardware dups",
            one_sided=True),
    Anomaly(8, "previous_segment_lost", _W,
            "Begins beyond the highest octet seen: octets before it passed elsewhere or were lost",
            "RFC 9293 section 3.8.1", sentence="{evidence} octets before it are missing",
            tshark="tcp.analysis.lost_segment", zeek="history G", tcptrace="missed data", one_sided=True),
    Anomaly(9, "ack_of_unseen_segment", _W,
            "Acknowledges octets that the capture does not hold, neither before it nor up to 1 ms after it (so soon, "
            "they were captured in another order)",
            "RFC 9293 section 3.4", sentence="acknowledges {evidence} octets that were not captured",
            tshark="tcp.analysis.ack_lost_segment", zeek="missed_bytes", one_sided=True),
    Anomaly(10, "duplicate_ack", _N,
            "Data outstanding, no payload, SYN, FIN or RST, ack and window unchanged; or new SACK blocks and no more",
            "RFC 5681 section 2", sentence="repeats the last ACK", tshark="tcp.analysis.duplicate_ack",
            tcptrace="dup acks"),
    Anomaly(11, "keep_alive", _I,
            "0 or 1 octet one below the highest sent, all acknowledged, the peer's window open, idle for 1 s or more",
            "RFC 9293 section 3.8.4", sentence="asks whether the peer is alive", tshark="tcp.analysis.keep_alive"),
    Anomaly(12, "keep_alive_ack", _I, "The answer to a keep-alive", "RFC 9293 section 3.8.4",
            sentence="answers a keep-alive", tshark="tcp.analysis.keep_alive_ack"),
    Anomaly(13, "zero_window", _W, "Window 0 on a segment without SYN, FIN or RST", "RFC 9293 section 3.8.6",
            sentence="can take no more data", tshark="tcp.analysis.zero_window", zeek="history W",
            tcptrace="zero win adv", one_sided=True),
    Anomaly(14, "zero_window_probe", _I,
            "The peer's last window is 0; one new octet, none at one below, or the first unacknowledged one again",
            "RFC 9293 section 3.8.6.1", sentence="probes a closed window", tshark="tcp.analysis.zero_window_probe",
            tcptrace="zwnd probe pkts"),
    Anomaly(15, "zero_window_probe_ack", _I, "The answer to a window probe", "RFC 9293 section 3.8.6.1",
            sentence="answers a window probe", tshark="tcp.analysis.zero_window_probe_ack"),
    Anomaly(16, "window_full", _N, "The octets in flight fill the last offered window", "RFC 9293 section 3.8.6",
            sentence="fills the offered window", tshark="tcp.analysis.window_full"),
    Anomaly(17, "window_update", _I, "No payload, ack unchanged, window grown", "RFC 9293 section 3.8.6",
            sentence="opens the window", tshark="tcp.analysis.window_update"),
    Anomaly(18, "window_shrunk", _W, "The right edge of the window moved left by more than rounding explains",
            "RFC 7323 section 2.4", sentence="takes back {evidence} octets of its window", zeek="window_recision"),
    Anomaly(19, "bad_checksum", _N,
            "The whole segment was captured, its checksum is wrong, not for offload; no further effect",
            "RFC 9293 section 3.1", sentence="checksum wrong", tshark="tcp.checksum.bad", zeek="history C",
            one_sided=True),
    Anomaly(20, "rst_ignored", _E,
            "A RST that its target survived: a later segment proves it, or it lies below what the target acknowledged",
            "RFC 5961 section 3", sentence="the target went on, as frame {evidence} shows",
            by_basis=(("acknowledged", "below what the target had acknowledged"),)),
    Anomaly(21, "rst_forged", _E, "Two or more independent signs that the claimed sender did not send this RST",
            "RFC 5961", sentence="the claimed sender did not send it"),
    Anomaly(22, "rst_unacceptable", _E,
            "RST to an endpoint in SYN-SENT without ACK, or with an ack that its SYN did not ask for",
            "RFC 9293 section 3.10.7.3", sentence="not acceptable in SYN-SENT"),
    Anomaly(23, "rst_out_of_window", _W, "RST outside the receive window: silently dropped",
            "RFC 9293 section 3.10.7.4", sentence="outside the window by {evidence}"),
    Anomaly(24, "rst_inexact", _W,
            "RST inside the window, but not at the next expected number: answered by a challenge ACK",
            "RFC 5961 section 3.2", sentence="in the window, {evidence} above the expected number"),
    Anomaly(25, "rst_abort", _N, "Accepted RST, no FIN before", "RFC 9293 section 3.10.5",
            sentence="aborts the connection", zeek="conn_state RSTO, RSTR", tcptrace="resets", one_sided=True),
    Anomaly(26, "rst_after_fin", _I, "RST by a side that had sent its FIN", "RFC 9293 section 3.6.1",
            sentence="reset after its own FIN", one_sided=True),
    Anomaly(27, "challenge_ack", _N,
            "An empty ACK of the current numbers: answers an inexact RST, a SYN in sync or an unacceptable ack",
            "RFC 5961 sections 3 to 5", sentence="answers frame {evidence}"),
    Anomaly(28, "hs_syn_retx", _N, "The same SYN again (same number, not a copy)", "RFC 6298 section 5",
            sentence="SYN resent", tshark="tcp.analysis.retransmission", one_sided=True),
    Anomaly(29, "hs_syn_new_isn", _W, "A SYN with another number while the one before is unanswered",
            "RFC 9293 section 3.10.7", sentence="gives up the unanswered SYN for one with another number",
            zeek="SYN_seq_jump", tcptrace="bad_behavior", one_sided=True),
    Anomaly(30, "hs_synack_retx", _N, "The same SYN-ACK again", "RFC 6298 section 5", sentence="SYN-ACK resent",
            tshark="tcp.analysis.retransmission"),
    Anomaly(31, "hs_synack_bad_ack", _E, "SYN-ACK whose ack is not j+1 (nor within the data on the SYN)",
            "RFC 9293 section 3.10.7.3", sentence="acknowledges {evidence} instead of the SYN", zeek="bad_SYN_ack"),
    Anomaly(32, "hs_synack_diff_seq", _W,
            "A second SYN-ACK with another number for the same SYN, the first acceptable, and no RST between",
            "RFC 9293 section 3.10.7", sentence="another server number for the same SYN"),
    Anomaly(33, "hs_refused", _N, "An acceptable RST answers the SYN", "RFC 9293 section 3.5.2",
            sentence="refuses the connection", zeek="conn_state REJ"),
    Anomaly(34, "hs_simultaneous_open", _N, "A SYN each way, neither acknowledging the other", "RFC 9293 section 3.5",
            sentence="crosses the peer's SYN", zeek="simultaneous_open"),
    Anomaly(35, "hs_split", _W, "The SYN is answered by a bare SYN, or by an ACK and then a SYN",
            "RFC 9293 section 3.5", sentence="bare SYN from the server"),
    Anomaly(36, "hs_tfo_used", _I, "Data on the SYN, acknowledged by the SYN-ACK", "RFC 7413",
            sentence="takes the data on the SYN", tshark="tcp.analysis.tfo_ack"),
    Anomaly(37, "hs_tfo_ignored", _N,
            "Data on a SYN with the Fast Open option that the SYN-ACK does not acknowledge (without it they wait, "
            "RFC 9293)",
            "RFC 7413", sentence="leaves the data on the SYN", tshark="tcp.analysis.tfo_ignored"),
    Anomaly(38, "hs_tfo_cookie_req", _I, "A Fast Open option without cookie: asks for one", "RFC 7413 section 4.1.2",
            sentence="asks for a Fast Open cookie", tshark="tcp.analysis.tfo_syn", one_sided=True),
    Anomaly(39, "hs_data_on_syn", _N,
            "Payload on a SYN without the Fast Open option: the SYN-ACK need not acknowledge it",
            "RFC 9293 section 3.5", sentence="{evidence} octets on the SYN", zeek="SYN_with_data", one_sided=True),
    Anomaly(40, "hs_capture_reorder", _I, "The SYN-ACK was captured before the SYN that it acknowledges",
            "capture order", sentence="captured after the SYN-ACK that answers it", zeek="history ^"),
    Anomaly(41, "td_fin_retx", _N, "The same FIN again", "RFC 6298 section 5", sentence="FIN resent",
            tshark="tcp.analysis.retransmission", one_sided=True),
    Anomaly(42, "td_last_ack_retx", _I, "The last ACK again, after a FIN again", "RFC 9293 section 3.10.7.8",
            sentence="repeats the last ACK from TIME-WAIT", tshark="tcp.analysis.duplicate_ack"),
    Anomaly(43, "td_fin_seq_changed", _E, "A FIN at another number than before, or octets beyond it",
            "RFC 9293 section 3.10.7.4", sentence="beyond the FIN", zeek="FIN_advanced_last_seq",
            tcptrace="bad_behavior", one_sided=True),
    Anomaly(44, "td_data_after_close", _W, "Payload to a side that has closed both ways; it answers by RST",
            "RFC 9293 section 3.6.1", sentence="data for a closed endpoint"),
    Anomaly(45, "tw_assassination", _W,
            "An old duplicate draws an ACK from TIME-WAIT, and the closed peer's RST ends it early", "RFC 1337",
            sentence="ends TIME-WAIT early"),
    Anomaly(46, "reused_port", _N,
            "A SYN on the addresses and ports of an earlier connection, open or closed for less than 2MSL",
            "RFC 9293 section 3.4.1", sentence="the same addresses and ports as an earlier connection",
            tshark="tcp.analysis.reused_ports", zeek="connection_reuse"),
    Anomaly(47, "tw_reuse_ok", _I,
            "New SYN within 2MSL of the last close; its number or timestamp is above the old ones", "RFC 6191",
            sentence="opens {evidence} ms after the close, above the old numbers"),
    Anomaly(48, "tw_reuse_bad", _W, "New SYN within 2MSL of the last close, not above the old numbers", "RFC 6191",
            sentence="opens {evidence} ms after the close, not above the old numbers",
            zeek="premature_connection_reuse"),
    Anomaly(49, "ambiguous", _I, "The evidence does not tell a resend from reordering", "no order evidence",
            sentence="resend or late: the capture does not tell"),
    Anomaly(50, "seq_overlap_diff", _E, "The same octets with other content; looked for only with --overlaps",
            "RFC 9293 section 3.8.1",
            sentence="the octets differ from those of frame {evidence}", tshark="tcp.segment.overlap.conflict",
            zeek="rexmit_inconsistency", one_sided=True),
    Anomaly(51, "seq_beyond_window", _W, "Octets beyond the right edge of the window that the peer offered",
            "RFC 9293 section 3.8.6", sentence="{evidence} octets beyond the window"),
    Anomaly(52, "ack_old", _I, "An ack more than the largest window below what was acknowledged", "RFC 5961 section 5",
            sentence="acknowledges less than before"),
    Anomaly(53, "opt_paws", _W, "Octets with a TSval older than that of an acknowledged segment: dropped by PAWS",
            "RFC 7323 section 5",
            sentence="timestamp goes back"),
    Anomaly(54, "opt_missing_ts", _N, "No timestamp although both SYNs agreed on it", "RFC 7323 section 3.2",
            sentence="the agreed timestamp is missing"),
    Anomaly(55, "opt_stripped", _W, "An option in the SYN-ACK that the SYN never offered", "RFC 7323 section 2.3",
            sentence="carries an option that the SYN did not offer"),
    Anomaly(56, "mss_clamped", _N, "MSS below what Ethernet allows: 1460 for IPv4, 1440 for IPv6",
            "RFC 9293 section 3.7.1", sentence="MSS {evidence}", one_sided=True),
    Anomaly(57, "wscale_gt14", _W, "Window shift above 14: taken as 14", "RFC 7323 section 2.3",
            sentence="window shift {evidence}", zeek="TCP_scale_range", one_sided=True),
    Anomaly(58, "flag_illegal", _W,
            "A set of flags that no state machine sends, reserved bits set, or an ack number without the ACK flag",
            "RFC 9293 section 3.1", sentence="flags that no endpoint sends", zeek="history Q, I", one_sided=True),
    Anomaly(59, "mbx_ttl_shift", _N, "The TTL of this direction changed by more than one, and stays", "path",
            sentence="TTL differs by {evidence}", one_sided=True),
    Anomaly(60, "cap_ts_back", _N, "The time stamp lies before the one of the packet captured earlier", "capture time",
            sentence="time goes back", one_sided=True),
    Anomaly(61, "cap_offload", _I,
            "Larger than the agreed MSS, IP length 0, or an unfinished checksum: captured before the network card",
            "segmentation offload", sentence="cut or joined by the network card", one_sided=True),
    Anomaly(62, "cap_origlen", _W, "The record claims fewer octets than the IP header: IP is believed",
            "IP total length", sentence="the record's length is too small", tcptrace="truncated", one_sided=True),
    Anomaly(63, "mbx_seq_rewrite", _W,
            "A SACK block beyond all that its sender ever offered room for, or below the peer's first number: numbers "
            "were rewritten on the way, and those of the block were not", "RFC 2018 section 3",
            sentence="a SACK block {evidence} octets away from the ack: numbers rewritten on the way"),
    Anomaly(64, "hs_no_answer", _W, "One SYN or more, nothing back", "RFC 9293 section 3.8.3",
            sentence="the SYN was never answered", zeek="conn_state S0", tcptrace="unidirectional", one_sided=True),
    Anomaly(65, "hs_half_open", _W, "SYN-ACK, and nothing more from the client", "RFC 4987",
            sentence="the client never completed the handshake", zeek="conn_state S1"),
    Anomaly(66, "hs_backscatter", _W, "SYN-ACK or RST without a SYN in the capture, and nothing after", "RFC 4987",
            sentence="an answer without a question", zeek="conn_state OTH, SHR", one_sided=True),
    Anomaly(67, "td_no_last_ack", _W, "Both FINs, and no ACK of the second one", "RFC 9293 section 3.6",
            sentence="the second FIN was never acknowledged"),
    Anomaly(68, "td_half_close_long", _N, "Half-closed for more than 30 s, or CLOSE-WAIT never left",
            "RFC 9293 section 3.6.1", sentence="half-closed for {evidence} ms"),
    Anomaly(69, "win_stall", _W, "The window stayed closed for a second or more in all", "RFC 9293 section 3.8.6",
            sentence="closed window for {evidence} ms"),
    Anomaly(70, "cap_loss", _W, "Acknowledged octets that were never captured", "capture",
            sentence="{evidence} acknowledged octets were not captured", zeek="missed_bytes", one_sided=True),
    Anomaly(71, "cap_one_sided", _I, "Only one direction was captured", "capture",
            sentence="only one direction was captured", tcptrace="unidirectional", one_sided=True),
    Anomaly(72, "cap_midstream", _I, "The first captured segment is not a SYN", "capture",
            sentence="the capture begins in the middle of the connection", one_sided=True),
    Anomaly(73, "icmp_error", _W, "An ICMP error quoted a segment of this connection", "RFC 792, RFC 4443",
            sentence="ICMP error from {evidence}", one_sided=True),
    Anomaly(74, "evicted", _N, "Left memory before it ended because a bound was reached", "bounds",
            sentence="written out early: too many connections open", one_sided=True),
    Anomaly(75, "cap_snap", _I, "The capture holds fewer octets of some packets than these had", "snap length",
            sentence="captured in part", one_sided=True),
    Anomaly(76, "atk_syn_flood", _E,
            "100 connections or more to one listener begun within a second and never completed, most of all to it",
            "RFC 4987", sentence="SYN flood: {evidence}", one_sided=True),
    Anomaly(77, "atk_scan", _E,
            "50 targets (address and port) or more of one source that refused or did not answer, most of all of it",
            "capture", sentence="scan: {evidence}", zeek="Scan::Port_Scan, Scan::Address_Scan", one_sided=True),
    Anomaly(78, "atk_blind", _E,
            "10 different numbers or more tried by RSTs of one connection that none of its ends accepts", "RFC 5961",
            sentence="{evidence} numbers tried by RSTs that no end accepts"),
    Anomaly(79, "holes_capped", _N, "More holes in a direction than are told apart: the farthest were given up",
            "bounds",
            sentence="more holes than the bound max_ranges; counts of octets are not exact", one_sided=True),
    Anomaly(80, "rtt_sampling_limited", _N,
            "More transmissions waited for their ACK than are remembered: the oldest gave no RTT sample", "bounds",
            sentence="more unacknowledged segments than the bound max_unacked; not every RTT was measured",
            one_sided=True),
    Anomaly(81, "cap_gap", _W,
            "A damaged stretch of the capture was left out before this frame (--resync): what it held is missing",
            "capture", sentence="{evidence} left out as damaged", one_sided=True),
)
# fmt: on


def codes_of(word: int) -> list[int]:
    """The codes whose bits are set in a word."""
    return [code for code in range(word.bit_length()) if word >> code & 1]


SEGMENT_ANOMALIES = 64  # codes below are bits of a segment's anomaly word
BY_NAME = {anomaly.name: anomaly for anomaly in ANOMALIES}

"""Why tcptrace's counters of a connection differ from ours: the rules, and the counters that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]

COUNTERS = {
    "segments": "total packets",
    "data_segments": "actual data pkts",
    "octets": "actual data bytes",
    "unique_octets": "unique bytes sent",
    "retransmissions": "rexmt data pkts",
    "resent_octets": "rexmt data bytes",
    "out_of_order": "outoforder pkts",
    "zero_windows": "zero win adv",
    "duplicate_acks": "duplicate acks",
}
"""Our column of a direction -> tcptrace's counter; it prints duplicate ACKs on the data sender's side."""
SILENCE_NS = 240_000_000_000
STREAM = ("data_segments", "octets", "unique_octets", "retransmissions", "resent_octets", "out_of_order")
RESENT = ("retransmissions", "resent_octets", "out_of_order", "data_segments", "octets", "unique_octets")


@dataclass(slots=True)
class Count:
    """One counter that differs: of a direction of a connection, or `connections` on one pair of addresses and ports."""

    name: str
    mine: int
    theirs: int
    rows: list[Row]  # our connections
    way: str = ""

    def found(self, *names: str) -> bool:
        """Is one of these findings on one of the connections?"""
        return any(name in row["findings"] for row in self.rows for name in names)

    def total(self, column: str) -> int:
        """A column of both directions, over all rows."""
        return sum(row[f"{way}_{column}"] or 0 for row in self.rows for way in ("c2s", "s2c"))


@dataclass(frozen=True, slots=True)
class CounterRule:
    """One reason; fields as those of `rules.Rule`."""

    name: str
    counters: tuple[str, ...]
    condition: str
    we: str
    they: str
    holds: Callable[[Count], bool]


def counter_rule_of(count: Count) -> CounterRule | None:
    """The first rule that explains a difference; None: nothing does."""
    return next((rule for rule in COUNTER_RULES if count.name in rule.counters and rule.holds(count)), None)


# fmt: off
COUNTER_RULES = (
    CounterRule("packets_not_read", ("connections",), "tcptrace has no connection of these addresses and ports",
                "Tunnels, fragments and all these link types are decoded", "does not read such packets",
                lambda c: c.theirs == 0),
    CounterRule("idle_over_four_minutes", ("connections",),
                "tcptrace has more, and a side of ours paused for four minutes or more",
                "Silence never splits a connection", "splits after four minutes of silence",
                lambda c: c.theirs > c.mine and any(
                    (row[f"{way}_idle_max_ns"] or 0) >= SILENCE_NS for row in c.rows for way in ("c2s", "s2c"))),
    CounterRule("other_networks", ("connections",), "ours lie in different networks (VLAN, tunnel)",
                "The network is part of a connection's identity", "knows addresses and ports only",
                lambda c: c.theirs < c.mine and len({row["network"] for row in c.rows}) > 1),
    CounterRule("attempts_after_refusal", ("connections",), "we have more, and one of ours has `reused_port`",
                "A SYN after a refusal or a close is another connection", "keeps a SYN of the same number",
                lambda c: c.theirs < c.mine and c.found("reused_port")),
    CounterRule("no_such_segment", ("connections",), "we have no connection of these addresses and ports",
                "A TCP header of impossible length, or the rest of a fragmented datagram, is no segment",
                "takes it for one", lambda c: c.mine == 0),
    CounterRule("reset_or_fin_ends_it", ("connections",), "tcptrace has more, and one of ours has a RST or FIN",
                "What was refused, ignored or closed by one side goes on as the same connection",
                "opens another connection at a SYN behind any RST or FIN",
                lambda c: c.theirs > c.mine and c.total("rsts") + c.total("fins") > 0),
    CounterRule("copies_counted", tuple(COUNTERS), "`duplicate_packet` on the connection",
                "A copy made by the capture or the network is no transmission", "counts it as sent",
                lambda c: c.total("duplicate_packets") > 0),
    CounterRule("damaged_counted", tuple(COUNTERS), "`bad_checksum` on the connection",
                "A damaged segment has no effect", "believes it", lambda c: c.found("bad_checksum")),
    CounterRule("lengths_of_the_record", tuple(COUNTERS), "`cap_origlen` or `cap_offload`, and tcptrace counts less",
                "IP length 0 is the frame's length; a cut record has the IP header's", "drops such packets",
                lambda c: c.found("cap_origlen", "cap_offload") and c.theirs < c.mine),
    CounterRule("syn_and_fin_are_octets", ("retransmissions", "resent_octets"), "a SYN, SYN-ACK or FIN was resent",
                "Octets are payload; a SYN or FIN that is resent is a retransmission without octets",
                "counts SYN and FIN as an octet each",
                lambda c: c.found("hs_syn_retx", "hs_synack_retx", "td_fin_retx")),
    CounterRule("late_or_resent", ("retransmissions", "resent_octets", "out_of_order"), "`original_not_captured`",
                "What fills a hole and was sent later is a resend",
                "calls every segment that fills a hole out of order",
                lambda c: c.found("original_not_captured")),
    CounterRule("keep_alives_are_no_data", RESENT, "`keep_alive` or `zero_window_probe` on the connection",
                "A probe's octet is no new octet and no resend", "counts the octet of a keep-alive",
                lambda c: c.found("keep_alive", "zero_window_probe")),
    CounterRule("payload_of_a_reset", STREAM, "a RST on the connection, and tcptrace counts more",
                "What a RST bears beside it is no part of the stream", "counts its octets",
                lambda c: c.total("rsts") > 0 and c.theirs > c.mine),
    CounterRule("any_repeated_ack", ("duplicate_acks",), "tcptrace counts more",
                "A duplicate ACK needs outstanding data; answers to probes and copies are none (RFC 5681 section 2)",
                "counts empty segments that repeat the ACK, with FIN and RST as well", lambda c: c.theirs > c.mine),
    CounterRule("sack_with_another_window", ("duplicate_acks",), "we count more, and the receiver may send SACK blocks",
                "An ACK with new SACK blocks is a duplicate ACK also with another window (RFC 6675 section 2)",
                "wants the same window",
                lambda c: c.mine > c.theirs and any(row[f"{c.way}_sack_permitted"] for row in c.rows)),
)
# fmt: on

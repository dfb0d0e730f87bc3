"""Every label of a segment by its naive rule, and the labels that have none, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.naive import octets, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.naive.states import Ends
    from tests.naive.story import Story

OF_A_ROW: dict[str, Callable[[Story, int], bool]] = {
    rule.__name__: rule
    for rule in (
        octets.ambiguous,
        octets.ack_of_unseen_segment,
        octets.fast_retransmission,
        octets.original_not_captured,
        octets.out_of_order,
        octets.previous_segment_lost,
        octets.retransmission,
        octets.tail_loss_probe,
        octets.timeout_retransmission,
        windows.ack_old,
        windows.bad_checksum,
        windows.cap_ts_back,
        windows.duplicate_ack,
        windows.duplicate_packet,
        windows.flag_illegal,
        windows.keep_alive,
        windows.keep_alive_ack,
        windows.mbx_seq_rewrite,
        windows.mbx_ttl_shift,
        windows.mss_clamped,
        windows.opt_missing_ts,
        windows.opt_paws,
        windows.opt_stripped,
        windows.seq_beyond_window,
        windows.window_full,
        windows.window_shrunk,
        windows.window_update,
        windows.wscale_gt14,
        windows.zero_window,
        windows.zero_window_probe,
        windows.zero_window_probe_ack,
    )
}
"""Rules that ask for one row of the story."""

OF_THE_ENDS = (
    "challenge_ack",
    "hs_capture_reorder",
    "hs_data_on_syn",
    "hs_refused",
    "hs_simultaneous_open",
    "hs_split",
    "hs_syn_retx",
    "hs_synack_bad_ack",
    "hs_synack_retx",
    "hs_tfo_cookie_req",
    "hs_tfo_ignored",
    "hs_tfo_used",
    "rst_abort",
    "rst_after_fin",
    "rst_forged",
    "rst_ignored",
    "rst_inexact",
    "rst_out_of_window",
    "rst_unacceptable",
    "td_data_after_close",
    "td_fin_retx",
    "td_fin_seq_changed",
    "td_last_ack_retx",
    "tw_assassination",
)
"""Labels that fall off when both ends are followed."""

BY_THE_TRUTH = {
    "spurious_retransmission": "what was acknowledged or SACKed when it passed is a rule; the simulated network, which "
    "knows what arrived, is asked about what a DSACK, an echoed timestamp or a late original say later",
}

NONE = {
    "cap_offload": "of the packet's length: the decoder's twin has the mark",
    "cap_origlen": "of the packet's length: the decoder's twin has the mark",
    "hs_syn_new_isn": "of two lives of a pair; the twin reads one",
    "hs_synack_diff_seq": "a side begins anew with another number; the twin's rows have one line of numbers a side",
    "reused_port": "of two lives of a pair; the twin reads one",
    "seq_overlap_diff": "of what the octets are; the twin knows their numbers only",
    "tw_reuse_bad": "of two lives of a pair; the twin reads one",
    "tw_reuse_ok": "of two lives of a pair; the twin reads one",
}
"""Labels without a naive rule, and why; scenarios and unit tests reach them."""


def labels(story: Story, ends: Ends) -> list[set[str]]:
    """What is to be said of every row."""
    made = []
    for i in range(len(story.rows)):
        said = {name for name, rule in OF_A_ROW.items() if rule(story, i)} | ends.labels[i]
        if octets.spurious_when_sent(story, i):
            said.add("spurious_retransmission")
        if ends.steps[i].keys() & {"handshake_3", "teardown_2", "teardown_4"}:
            said.discard("duplicate_ack")  # a step again
        if "challenge_ack" in said:
            said.discard("duplicate_ack")
        made.append(said)
    return made

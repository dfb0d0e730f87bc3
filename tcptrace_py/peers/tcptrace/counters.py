"""The counters of one direction under tcptrace's own names, in its units, to the precision that it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcptrace_py.peers.tcptrace.ends import End
    from tcptrace_py.peers.tcptrace.times import Times

SECOND = 1_000_000


def counters(end: End, lasted: int, file_end: int | None) -> dict[str, Any]:
    """Name -> value, None where tcptrace prints NA.

    Parameters
    ----------
    end : End
        The end that sends in this direction.
    lasted : int
        Microseconds from the first packet of the connection to the last.
    file_end : int or None
        When the capture ends, if the connection was still open.
    """
    return {
        **_packets(end),
        **_options(end),
        **_windows(end, lasted),
        **_stream(end, lasted, file_end),
        **_round_trips(end),
    }


def _packets(end: End) -> dict[str, Any]:
    return {
        "total_packets": end.packets,
        "resets_sent": end.resets,
        "ack_pkts_sent": end.acks,
        "pure_acks_sent": end.pure_acks,
        "sack_pkts_sent": end.sacks,
        "dsack_pkts_sent": end.dsacks,
        "max_sack_blks_per_ack": end.most_blocks,
        "unique_bytes_sent": end.unique(),
        "actual_data_pkts": end.data_packets,
        "actual_data_bytes": end.data_octets,
        "rexmt_data_pkts": end.resent_packets,
        "rexmt_data_bytes": end.resent_octets,
        "zwnd_probe_pkts": end.probes,
        "zwnd_probe_bytes": end.probe_octets,
        "outoforder_pkts": end.late_packets,
        "pushed_data_pkts": end.pushed,
    }


def _options(end: End) -> dict[str, Any]:
    asked = ("NY"[end.advertised.asked], "NY"[end.timestamps])
    return {
        "syn_fin_pkts": f"{end.syns}/{end.fins}",
        "req_1323_ws_ts": "/".join(asked),
        "adv_wind_scale": end.advertised.shift,
        "req_sack": end.sack,
        "sacks_sent": end.sacks,
        "urgent_data_pkts": end.urgent_packets,
        "urgent_data_bytes": end.urgent_octets,
        "mss_requested_bytes": end.mss,
        "max_segm_size_bytes": end.largest,
        "min_segm_size_bytes": end.smallest,
        "avg_segm_size_bytes": int(end.data_octets / (end.data_packets + 0.001)),
    }


def _windows(end: End, lasted: int) -> dict[str, Any]:
    advertised, outstanding = end.advertised, end.outstanding
    return {
        "max_win_adv_bytes": advertised.most,
        "min_win_adv_bytes": advertised.least,
        "zero_win_adv": advertised.zero,
        "avg_win_adv_bytes": advertised.mean(),
        "max_owin_bytes": outstanding.most,
        "min_non_zero_owin_bytes": outstanding.least,
        "avg_owin_bytes": outstanding.mean(),
        "wavg_owin_bytes": int(outstanding.over_time * SECOND / lasted) if lasted else None,
        "initial_window_bytes": end.initial_octets,
        "initial_window_pkts": end.initial_packets,
    }


def _stream(end: End, lasted: int, file_end: int | None) -> dict[str, Any]:
    length = end.last_number - end.syn - 1 if end.syn is not None and end.fins and end.last_number else None
    idle = end.idle
    if end.latest is not None and file_end is not None:
        idle = max(idle, file_end - end.latest)
    sending = end.data_to - end.data_from if end.data_from is not None else 0
    return {
        "ttl_stream_length_bytes": length,
        "missed_data_bytes": None if length is None else length - end.unique(),
        "truncated_data_bytes": end.cut_octets,
        "truncated_packets": end.cut_packets,
        "data_xmit_time_secs": round(sending / SECOND, 3),
        "idletime_max_ms": None if end.latest is None else _ms(idle),
        "hardware_dups": end.copies,
        "throughput_bps": round(end.unique() / (lasted / SECOND)) if lasted else None,
    }


def _round_trips(end: End) -> dict[str, Any]:
    answers, octets = end.answers, end.octets
    return {
        "rtt_samples": answers.samples.count,
        **_summed_up(answers.samples, "rtt_{}_ms", "stdev"),
        "rtt_from_3whs_ms": _ms(answers.handshake),
        "rtt_full_sz_smpls": answers.full.count,
        **_summed_up(answers.full, "rtt_full_sz_{}_ms", "stdev"),
        "post_loss_acks": answers.post_loss,
        "ambiguous_acks": answers.last.count,
        **_summed_up(answers.last, "rtt_{}_last_ms", "sdv"),
        "segs_cum_acked": answers.cumulative,
        "duplicate_acks": answers.duplicates,
        "triple_dupacks": answers.triples,
        "max_retrans": octets.most_resent,
        **_summed_up(octets.gaps, "{}_retr_time_ms", "sdv"),
    }


def _summed_up(times: Times, name: str, deviation: str) -> dict[str, float]:
    values = {"min": times.least, "max": times.most, "avg": times.mean(), deviation: times.deviation()}
    return {name.format(which): _ms(value) for which, value in values.items()}


def _ms(microseconds: float) -> float:
    return round(microseconds / 1000, 1)

"""The view `tcptrace`: its columns, and rows out of what `peers.tcptrace` found.

Names are those of tcptrace's long output in snake case with their unit; values have the precision that it prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.tables import addresses
from tcptrace_py.tables.schema import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Row = dict[str, Any]

FRONT = (
    Column("capture", "label", "", "File that the connection was read from"),
    Column("host_a", "text", "", "Address of a, the sender of the first packet"),
    Column("port_a", "uint16", "", "Port of a"),
    Column("host_b", "text", "", "Address of b"),
    Column("port_b", "uint16", "", "Port of b"),
    Column("complete", "label", "", "yes: SYN and FIN of both ends were seen; RESET: a RST was, whatever else; or no"),
    Column("syns", "uint8", "", "Ends of which a SYN was seen"),
    Column("fins", "uint8", "", "Ends of which a FIN was seen"),
    Column("first_packet", "time", "", "First packet, in whole microseconds"),
    Column("last_packet", "time", "", "Last packet, in whole microseconds"),
    Column("elapsed_time_ns", "int64", "ns", "First to last packet, in whole microseconds"),
    Column("total_packets", "int64", "", "Packets of both ends"),
)
COUNTERS: tuple[tuple[str, str, str, str], ...] = (
    ("total_packets", "int64", "", "Packets"),
    ("resets_sent", "int64", "", "Packets with RST"),
    ("ack_pkts_sent", "int64", "", "Packets with ACK"),
    ("pure_acks_sent", "int64", "", "Packets with ACK and without payload, SYN, FIN or RST"),
    ("sack_pkts_sent", "int64", "", "Packets with SACK blocks"),
    ("dsack_pkts_sent", "int64", "", "Packets whose first SACK block is acknowledged, or within the second"),
    ("max_sack_blks_per_ack", "int64", "", "Most SACK blocks in a packet"),
    ("unique_bytes_sent", "int64", "octets", "Octets of payload without those sent again and those of window probes"),
    ("actual_data_pkts", "int64", "", "Packets with payload"),
    ("actual_data_bytes", "int64", "octets", "Octets of payload, as often as sent"),
    ("rexmt_data_pkts", "int64", "", "Packets with octets that were seen before, SYN and FIN among them"),
    ("rexmt_data_bytes", "int64", "octets", "Such octets; a SYN or FIN is one"),
    ("zwnd_probe_pkts", "int64", "", "Packets with payload or FIN while the peer advertises a window of 0"),
    ("zwnd_probe_bytes", "int64", "octets", "Their payload"),
    ("outoforder_pkts", "int64", "", "Packets with new octets before such as were seen"),
    ("pushed_data_pkts", "int64", "", "Packets with payload and PSH"),
    ("syn_fin_pkts", "text", "", "Packets with SYN, a slash, packets with FIN"),
    ("req_1323_ws_ts", "text", "", "Y or N, a slash, Y or N: window scaling on the SYN, timestamps on any packet"),
    ("adv_wind_scale", "int64", "", "Shift of the window; 0 unless both ends have asked for scaling"),
    ("req_sack", "bool", "", "SACK permitted, on the SYN"),
    ("sacks_sent", "int64", "", "The same as sack_pkts_sent"),
    ("urgent_data_pkts", "int64", "", "Packets with URG"),
    ("urgent_data_bytes", "int64", "octets", "Sum of their urgent pointers"),
    ("mss_requested_bytes", "int64", "octets", "MSS option; 0 for none"),
    ("max_segm_size_bytes", "int64", "octets", "Largest payload"),
    ("min_segm_size_bytes", "int64", "octets", "Smallest payload above 0"),
    ("avg_segm_size_bytes", "int64", "octets", "Payload over a thousandth more than the packets with payload, cut"),
    ("max_win_adv_bytes", "int64", "octets", "Largest window, scaled; that of SYN counts only without scaling"),
    ("min_win_adv_bytes", "int64", "octets", "Smallest window above 0"),
    ("zero_win_adv", "int64", "", "Packets with a window of 0, without SYN and RST"),
    ("avg_win_adv_bytes", "int64", "octets", "Sum of windows over packets, cut"),
    ("max_owin_bytes", "int64", "octets", "Most octets outstanding, one too many once there is an acknowledgment"),
    ("min_non_zero_owin_bytes", "int64", "octets", "Fewest above 0"),
    ("avg_owin_bytes", "int64", "octets", "Mean over packets in order, cut"),
    ("wavg_owin_bytes", "int64?", "octets", "Mean over time, cut; null for a connection of no duration"),
    ("initial_window_bytes", "int64", "octets", "Payload sent before the peer acknowledges any"),
    ("initial_window_pkts", "int64", "", "Its packets"),
    (
        "ttl_stream_length_bytes",
        "int64?",
        "octets",
        "By the numbers of SYN and last FIN or RST; null without",
    ),
    ("missed_data_bytes", "int64?", "octets", "Of these not seen; below 0 where octets lie beyond the last FIN"),
    ("truncated_data_bytes", "int64", "octets", "Payload that the capture cut off"),
    ("truncated_packets", "int64", "", "Packets of which it cut off payload"),
    ("data_xmit_time_secs", "float64", "s", "First to last packet with payload"),
    ("idletime_max_ms", "float64?", "ms", "Longest silence; of an open connection also to the capture's last segment"),
    ("hardware_dups", "int64", "", "Packets with IP ID and number of one of the eight before; counted all the same"),
    ("throughput_bps", "int64?", "octets/s", "unique_bytes_sent over the connection's duration; null where that is 0"),
    ("rtt_samples", "int64", "", "Acknowledgments of a segment sent once, with nothing below it sent later"),
    ("rtt_min_ms", "float64", "ms", "Least round trip"),
    ("rtt_max_ms", "float64", "ms", "Greatest"),
    ("rtt_avg_ms", "float64", "ms", "Mean, over 0.0001 more than the samples"),
    ("rtt_stdev_ms", "float64", "ms", "Standard deviation; 0 below three samples"),
    ("rtt_from_3whs_ms", "float64", "ms", "Round trip of the SYN; 0 if there is none"),
    ("rtt_full_sz_smpls", "int64", "", "Samples of segments as large as the largest; each of one octet starts afresh"),
    ("rtt_full_sz_min_ms", "float64", "ms", "Least of them"),
    ("rtt_full_sz_max_ms", "float64", "ms", "Greatest"),
    ("rtt_full_sz_avg_ms", "float64", "ms", "Mean, as above"),
    ("rtt_full_sz_stdev_ms", "float64", "ms", "Standard deviation, as above"),
    ("post_loss_acks", "int64", "", "Acknowledgments of a segment with something below it sent later"),
    ("ambiguous_acks", "int64", "", "Acknowledgments of a segment that was sent again"),
    ("rtt_min_last_ms", "float64", "ms", "Least time of these from the last sending"),
    ("rtt_max_last_ms", "float64", "ms", "Greatest"),
    ("rtt_avg_last_ms", "float64", "ms", "Mean, as above"),
    ("rtt_sdv_last_ms", "float64", "ms", "Standard deviation, as above"),
    ("segs_cum_acked", "int64", "", "Segments first acknowledged in part, or along with later ones"),
    (
        "duplicate_acks",
        "int64",
        "",
        "Acknowledgments without payload that repeat number and window of the last",
    ),
    ("triple_dupacks", "int64", "", "Third ones in a row"),
    ("max_retrans", "int64", "", "Most times that a segment was sent again"),
    ("min_retr_time_ms", "float64", "ms", "Least time from sending to sending again"),
    ("max_retr_time_ms", "float64", "ms", "Greatest"),
    ("avg_retr_time_ms", "float64", "ms", "Mean, as above"),
    ("sdv_retr_time_ms", "float64", "ms", "Standard deviation, as above"),
)
"""Name, type (a question mark allows null), unit and meaning of what is counted in each direction."""

DIRECTIONS = {"a2b": "a to b", "b2a": "b to a"}


def _columns() -> Iterator[Column]:
    yield from FRONT
    for name, kind, unit, meaning in COUNTERS:
        for way, words in DIRECTIONS.items():
            nullable = kind.endswith("?")
            yield Column(f"{way}_{name}", kind.removesuffix("?"), unit, f"{words}: {meaning}", nullable=nullable)


COLUMNS = tuple(_columns())
ON_SCREEN = (
    *("host_a", "port_a", "host_b", "port_b", "complete", "elapsed_time_ns", "total_packets"),
    *("a2b_actual_data_bytes", "b2a_actual_data_bytes", "a2b_rexmt_data_pkts", "b2a_rexmt_data_pkts"),
    *("a2b_rtt_avg_ms", "b2a_rtt_avg_ms"),
)
"""What a terminal shows; the other columns are for csv, json and parquet."""


def rows(records: Iterable[Row]) -> list[Row]:
    """What `peers.Tcptrace` found, as rows of the view."""
    return [_row(record) for record in records]


def _row(record: Row) -> Row:
    ends = {
        f"{what}_{side}": value
        for side, (hi, lo, port) in zip("ab", record["ends"], strict=True)
        for what, value in (("host", addresses.text(hi, lo)), ("port", port))
    }
    times = {name: record[name] * 1000 for name in ("first_packet", "last_packet")}
    elapsed = times["last_packet"] - times["first_packet"]
    counters = {f"{way}_{name}": value for way in DIRECTIONS for name, value in record[way].items()}
    return record | ends | times | {"elapsed_time_ns": elapsed} | counters

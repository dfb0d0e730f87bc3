"""Our labels of captures with known truth, in the form that the truth's scorer reads.

python scripts/truth_table.py RUNS OUT.parquet [--no-ip-id]

RUNS is the folder with the captures (classic pcap of raw IP).  With --no-ip-id every IPv4 identification is set to zero
first: what is left to tell the order of sending are timestamps and what the receiver says.
"""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tcptrace_py as tt

if TYPE_CHECKING:
    import pandas as pd

LABELS = {
    "retransmission": "rexmit",
    "spurious_retransmission": "spurious",
    "out_of_order": "reorder",
    "duplicate_packet": "netdup",
    "previous_segment_lost": "lost",
    "keep_alive": "keepalive",
    "keep_alive_ack": "keepalive_ack",
    "zero_window_probe": "zwp",
    "zero_window_probe_ack": "zwp_ack",
    "bad_checksum": "corrupt",
    "rst_ignored": "rst_ignored",
}
STATES = {
    "SYN_RCVD": "SYN_RECV",
    "FIN_WAIT_1": "FIN_WAIT1",
    "FIN_WAIT_2": "FIN_WAIT2",
    "LISTEN": "CLOSED",
    "UNKNOWN": "CLOSED",
}


def without_ip_ids(data: bytes) -> bytes:
    """The same classic pcap of raw IP with every IPv4 identification zero; no header checksum is put right."""
    made, at = bytearray(data), 24
    while at + 16 <= len(made):
        size = struct.unpack_from("<I", made, at + 8)[0]
        at += 16
        if made[at] >> 4 == 4:
            made[at + 4 : at + 6] = bytes(2)
        at += size
    return bytes(made)


def rows_of(capture: Path, *, ip_ids: bool) -> list[tuple[str, int, str, float | None, str, str]]:
    """One row a segment: capture, frame, labels, RTT in seconds, state of its sender, of its receiver."""
    rows = []
    data = capture.read_bytes()
    source = io.BytesIO(data if ip_ids else without_ip_ids(data))
    for conn in tt.analyze(source, tables=["connections", "timeline"]):
        for row in conn.rows():
            ends = [STATES.get(row[name], row[name]) for name in ("client_state", "server_state")]
            labels = ",".join(LABELS[name] for name in row["anomalies"] if name in LABELS)
            rtt = None if row["rtt_ns"] is None else row["rtt_ns"] / 1e9
            rows.append((capture.name, row["frame"], labels, rtt, *ends[:: 1 if row["direction"] == "c2s" else -1]))
    return rows


def truth_table(runs: Path, *, ip_ids: bool = True) -> pd.DataFrame:
    """The table of all captures in a folder."""
    import pandas as pd

    rows = [row for capture in sorted(runs.glob("*.pcap")) for row in rows_of(capture, ip_ids=ip_ids)]
    return pd.DataFrame(rows, columns=["capture", "frame", "labels", "rtt", "state_src", "state_dst"])


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if word != "--no-ip-id"]
    if len(asked) != 2:
        sys.exit(__doc__)
    truth_table(Path(asked[0]), ip_ids="--no-ip-id" not in sys.argv).to_parquet(asked[1])

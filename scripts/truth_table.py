"""Our labels of captures with known truth, in the form that the truth's scorer reads.

python scripts/truth_table.py RUNS OUT.parquet      RUNS: the folder with the captures
"""

from __future__ import annotations

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


def rows_of(capture: Path) -> list[tuple[str, int, str, float | None, str, str]]:
    """One row a segment: capture, frame, labels, RTT in seconds, state of its sender, of its receiver."""
    rows = []
    for conn in tt.analyze(capture):
        for row in conn.rows():
            ends = [STATES.get(row[name], row[name]) for name in ("client_state", "server_state")]
            labels = ",".join(LABELS[name] for name in row["anomalies"] if name in LABELS)
            rtt = None if row["rtt_ns"] is None else row["rtt_ns"] / 1e9
            rows.append((capture.name, row["frame"], labels, rtt, *ends[:: 1 if row["direction"] == "c2s" else -1]))
    return rows


def truth_table(runs: Path) -> pd.DataFrame:
    """The table of all captures in a folder."""
    import pandas as pd

    rows = [row for capture in sorted(runs.glob("*.pcap")) for row in rows_of(capture)]
    return pd.DataFrame(rows, columns=["capture", "frame", "labels", "rtt", "state_src", "state_dst"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    truth_table(Path(sys.argv[1])).to_parquet(sys.argv[2])

"""How right the labels are, against captures whose truth is known, beside tshark: the table in docs/accuracy.md.

python scripts/accuracy.py TRUTH      TRUTH: the folder with `runs/`, `score.py` and `tshark.parquet`
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.documents import ROOT
from scripts.state_sequences import endpoints, reasons, right_sequences
from scripts.truth_table import truth_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.state_sequences import Endpoint

PAGE = ROOT / "docs" / "accuracy.md"
BEGIN, END = "<!-- measured: {} -->\n", "<!-- end -->"
CLASSES = {
    "rexmit": "retransmission",
    "spurious": "spurious_retransmission",
    "spurious(acked)": "the same, where an ACK had passed here before",
    "reorder": "out_of_order",
    "netdup": "duplicate_packet",
    "lost": "previous_segment_lost",
    "keepalive": "keep_alive",
    "keepalive_ack": "keep_alive_ack",
    "zwp": "zero_window_probe",
    "zwp_ack": "zero_window_probe_ack",
    "corrupt": "bad_checksum",
    "rst_ignored": "rst_ignored",
}
ROUND_TRIPS = {
    "clean": "round trip, nothing lost",
    "hole filled": "round trip after a filled hole",
    "karn": "round trip of what was sent twice",
}
TAPS = ("client", "mid", "server")
SIDES = ("client", "server")


def scored(truth: Path, table: Any) -> dict[str, dict[str, float]]:
    """Row of the table -> tap -> share right (F1 for labels)."""
    sys.path.insert(0, str(truth))
    import score

    with contextlib.redirect_stdout(io.StringIO()):
        found = score.score(str(truth / "runs"), table)
    rows: dict[str, dict[str, float]] = {}
    for label in found["labels"]:
        if label["cls"] in CLASSES:
            rows.setdefault(CLASSES[label["cls"]], {})[label["tap"]] = label["f1"]
    for rtt in found.get("rtt", ()):
        if rtt["kind"] in ROUND_TRIPS:
            rows.setdefault(ROUND_TRIPS[rtt["kind"]], {})[rtt["tap"]] = rtt["right_of_truth"]
    for state in found.get("states", ()):
        rows.setdefault(f"exact sequence of the {state['side']}'s states", {})[state["tap"]] = state["exact"]
        rows.setdefault(f"last state of the {state['side']}", {})[state["tap"]] = state["last"]
    return rows


def markdown(columns: dict[str, dict[str, dict[str, float]]]) -> str:
    """A row a class; in each cell the three capture points."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        cells = [
            " ".join(f"{column[name][tap]:.2f}" for tap in TAPS) if name in column else "none"
            for column in columns.values()
        ]
        lines.append(
            f"| {f'`{name}`' if name in CLASSES.values() and ' ' not in name else name} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


def sequences(ends: Sequence[Endpoint]) -> str:
    """Why the timeline's sequence of states is not the kernel's: endpoints, client and server at each capture point."""
    lines = ["| | " + " | ".join(f"{side}, at the {tap}" for tap in TAPS for side in SIDES) + " |", "|---" * 7 + "|"]
    for reason, found in reasons(ends).items():
        lines.append(f"| {reason} | {' | '.join(str(found[tap, side]) for tap in TAPS for side in SIDES)} |")
    asked = Counter((end.tap, end.side) for end in ends)
    lines.append(f"| of | {' | '.join(str(asked[tap, side]) for tap in TAPS for side in SIDES)} |")
    return "\n".join(lines) + "\n"


def main(truth: Path) -> None:
    """Measure, and write the table into the page."""
    import pandas as pd

    ends = list(endpoints(truth / "runs"))
    table = markdown(
        {
            "tcpflows": scored(truth, truth_table(truth / "runs")) | right_sequences(ends),
            "tcpflows, IP IDs set to 0": scored(truth, truth_table(truth / "runs", ip_ids=False)),
            "tshark 4.0.17": scored(truth, pd.read_parquet(truth / "tshark.parquet")),
        }
    )
    put("accuracy", table)
    put("state sequences", sequences(ends))


def put(name: str, table: str) -> None:
    """Write a table into the page, in place of the one before."""
    begin = BEGIN.format(name)
    before, rest = PAGE.read_text().split(begin)
    PAGE.write_text(before + begin + table + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))

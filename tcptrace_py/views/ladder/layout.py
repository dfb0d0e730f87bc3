"""What a ladder shows, as data: which segments have a rung, which runs are folded, where time stands still.

Knows no TCP beyond what the columns of the timeline say, and not how anything is drawn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.vocabulary import BY_NAME, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

FOLD_FROM = 12  # a shorter run of ordinary segments is shown whole
SHOWN_BEFORE, SHOWN_AFTER = 3, 1  # segments of a folded run that stay
SHOWN_WARNINGS = 3  # of a kind; more of them do not keep a run from being folded
PAUSE_NS = 200_000_000  # the least timeout after which senders in use resend: who waits longer waits for something
SHOWN_PAUSES = 5  # the longest ones keep a run from being folded; the others are told by the fold


@dataclass(frozen=True, slots=True)
class Rung:
    """One segment: when, which way, what it says, both states after it, its steps (with verdict) and findings.

    `pause_ns` is the time since the segment before, where that is long; `gap`: here the capture is damaged.
    """

    frame: str
    since_ns: int | None
    to_server: bool
    flags: str
    numbers: tuple[tuple[str, int], ...]
    client: str
    server: str
    client_moved: bool
    server_moved: bool
    steps: tuple[tuple[str, bool | None], ...]
    findings: tuple[str, ...]
    pause_ns: int | None
    gap: bool

    @property
    def label(self) -> str:
        """Flags and numbers, as they stand on the arrow."""
        return " ".join([self.flags or "none", *(f"{name} {number}" for name, number in self.numbers)])


@dataclass(frozen=True, slots=True)
class Fold:
    """A run of segments that is told and not shown.

    `rungs` are its segments, for who wants to unfold it; empty where there are too many to show at all.
    """

    segments: int
    with_data: int
    span_ns: int | None
    pause_ns: int | None
    to_server: int
    to_client: int
    findings: tuple[tuple[str, int], ...]
    rungs: tuple[Rung, ...] = ()


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is to be drawn: the connection's record, the time of the first rung, and the rungs in order."""

    record: Row
    start_ns: int | None
    rungs: tuple[Rung | Fold, ...]
    exact: bool  # times to the nanosecond

    def shown(self) -> Iterator[Rung]:
        """The segments outside folds."""
        return (rung for rung in self.rungs if isinstance(rung, Rung))

    def findings(self) -> Counter[str]:
        """How many segments have each finding, folded ones included."""
        found = Counter[str]()
        for rung in self.rungs:
            found.update(dict(rung.findings) if isinstance(rung, Fold) else rung.findings)
        return found


def lay_out(record: Row, rows: Sequence[Row], *, unfold: bool = False, at_most: int | None = None) -> Ladder:
    """The ladder of the connection's segments, long runs of ordinary ones folded unless `unfold`.

    `at_most` bounds how many segments are shown, folded ones included; the others are told in a fold without rungs.
    """
    start = next((row["time"] for row in rows if row["time"] is not None), None)
    kept = rows if at_most is None else rows[:at_most]
    rungs: list[Rung | Fold] = []
    for run, ordinary in _runs(kept):
        made = [_rung(kept, i, start) for i in run]
        if unfold or not ordinary or len(run) < FOLD_FROM:
            rungs += made
        else:
            hidden = slice(SHOWN_BEFORE, -SHOWN_AFTER)
            rungs += made[:SHOWN_BEFORE]
            rungs.append(_fold(rows, run[hidden], made[hidden]))
            rungs += made[-SHOWN_AFTER:]
    if len(kept) < len(rows):
        rungs.append(_fold(rows, range(len(kept), len(rows)), []))
    return Ladder(record, start, tuple(rungs), any(row["time"] is not None and row["time"] % 1000 for row in rows))


def _runs(rows: Sequence[Row]) -> Iterator[tuple[range, bool]]:
    """Maximal runs of ordinary rows, and of others between them."""
    seen: Counter[str] = Counter()
    pauses = {i for i in range(1, len(rows)) if _pause(rows, i) is not None}
    longest = sorted(pauses, key=lambda i: (-(_pause(rows, i) or 0), i))[:SHOWN_PAUSES]
    begin, kind = 0, False
    for i, row in enumerate(rows):
        serious = [name for name in row["anomalies"] if name in BY_NAME and BY_NAME[name].severity >= Severity.warning]
        seen.update(serious)
        ordinary = (
            i > 0
            and not row["steps"]
            and _states(row) == _states(rows[i - 1])
            and not _after_gap(row)
            and i not in longest
            and all(seen[name] > SHOWN_WARNINGS for name in serious)
        )
        if ordinary != kind:
            if i > begin:
                yield range(begin, i), kind
            begin, kind = i, ordinary
    if rows:
        yield range(begin, len(rows)), kind


def _states(row: Row) -> tuple[str, str]:
    return row["client_state"], row["server_state"]


def _after_gap(row: Row) -> bool:
    return "after_gap" in (row.get("marks") or ())


def _pause(rows: Sequence[Row], i: int) -> int | None:
    """How long nothing was captured before this row, if that is long."""
    before, now = (rows[i - 1]["time"], rows[i]["time"]) if i else (None, None)
    return now - before if before is not None and now is not None and now - before >= PAUSE_NS else None


def _rung(rows: Sequence[Row], i: int, start: int | None) -> Rung:
    row = rows[i]
    before = _states(rows[i - 1]) if i else ("", "")
    time = row["time"]
    return Rung(
        frame=f"{row['frame']}" + (f".{row['part']}" if row.get("part") else ""),
        since_ns=None if time is None or start is None else time - start,
        to_server=row["direction"] == "c2s",
        flags=row["flags"],
        numbers=tuple(_numbers(row)),
        client=row["client_state"],
        server=row["server_state"],
        client_moved=row["client_state"] != before[0],
        server_moved=row["server_state"] != before[1],
        steps=tuple(zip(row["steps"], row["steps_ok"], strict=True)),
        findings=tuple(row["anomalies"]),
        pause_ns=_pause(rows, i),
        gap=_after_gap(row),
    )


def _numbers(row: Row) -> Iterator[tuple[str, int]]:
    """As in the header where numbers are chosen (SYN), else counted from there."""
    opens = "S" in row["flags"]
    seq, ack = (row["seq"], row["ack"]) if opens else (row["rel_seq"], row["rel_ack"])
    if seq is not None:
        yield "seq", seq
    if ack is not None:
        yield "ack", ack
    if row["payload_bytes"]:
        yield "len", row["payload_bytes"]


def _fold(rows: Sequence[Row], run: range, rungs: Sequence[Rung]) -> Fold:
    octets, findings = Counter[str](), Counter[str]()
    for row in rows[run.start : run.stop]:
        octets[row["direction"]] += row["payload_bytes"] or 0
        findings.update(row["anomalies"])
    first, last = rows[run.start]["time"], rows[run.stop - 1]["time"]
    return Fold(
        segments=len(run),
        with_data=sum(bool(rows[i]["payload_bytes"]) for i in run),
        span_ns=None if first is None or last is None else last - first,
        pause_ns=max((pause for i in run if (pause := _pause(rows, i)) is not None), default=None),
        to_server=octets["c2s"],
        to_client=octets["s2c"],
        findings=tuple(findings.most_common()),
        rungs=tuple(rungs),
    )

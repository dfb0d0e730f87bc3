"""What each end sent, in words: how much, what of it was resent or lost, how long answers took, closed windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.views.story.said import N_, Paragraph, Said, Span, forms, tell, tell_n
from tcptrace_py.views.wording import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcptrace_py.views.story.steps import Row

DIRECTIONS = {"c2s": "client", "s2c": "server"}
COUNTS = {
    "retransmissions": forms(
        "{n:,} segment was sent again (retransmission).", "{n:,} segments were sent again (retransmission)."
    ),
    "out_of_order": forms(
        "{n:,} segment was overtaken on the way (out of order).",
        "{n:,} segments were overtaken on the way (out of order).",
    ),
    "missing_octets": forms("{n:,} octet of it is not in the capture.", "{n:,} octets of it are not in the capture."),
}
"""Columns of a direction that are told where they are not 0."""


def data(record: Row, names: Mapping[str, Said]) -> Iterator[Paragraph]:
    """A paragraph for each end; one for both where neither sent any data."""
    counts = {way: {name: record[f"{way}_{name}"] for name in ("data_segments", *COUNTS)} for way in DIRECTIONS}
    if not any(counts[way]["data_segments"] != 0 or counts[way]["retransmissions"] for way in DIRECTIONS):
        yield Paragraph((tell("No data were sent."),))
        return
    for way, side in DIRECTIONS.items():
        told = [*_sent(record, way, names[side]), *_answered(record, way), *_closed(record, way)]
        if told:
            yield Paragraph(tuple(told))


def _sent(record: Row, way: str, who: Said) -> Iterator[Said]:
    segments = record[f"{way}_data_segments"]
    if segments:
        octets = tell_n("{n:,} octet of data", "{n:,} octets of data", record[f"{way}_unique_octets"])
        yield tell_n(
            "{who} sends {octets} in {n:,} segment.",
            "{who} sends {octets} in {n:,} segments.",
            segments,
            who=who,
            octets=octets,
        )
    elif segments == 0:
        yield tell("{who} sends no data.", who=who)
    for name, (one, many) in COUNTS.items():
        if number := record[f"{way}_{name}"]:
            yield Said(one, {"n": number}, many, number)


def _answered(record: Row, way: str) -> Iterator[Said]:
    """How long its acknowledgments took."""
    if record[f"{way}_rtt_avg_ns"] is not None:
        times = {name: record[f"{way}_rtt_{name}_ns"] for name in ("avg", "min", "max")}
        message = N_(
            "At the place of the capture, the answer to what it sends comes after {avg} on average ({min} to {max})."
        )
        if duration(times["min"]) == duration(times["max"]):
            message = N_("At the place of the capture, the answer to what it sends comes after {avg}.")
        yield Said(message, {name: Span(ns) for name, ns in times.items()})


def _closed(record: Row, way: str) -> Iterator[Said]:
    """How often and how long its window was closed."""
    if record[f"{way}_zero_windows"]:
        yield tell_n(
            "It says {n:,} time that it can take no more data (window 0), for {span} in all.",
            "It says {n:,} times that it can take no more data (window 0), for {span} in all.",
            record[f"{way}_zero_windows"],
            span=Span(record[f"{way}_zero_window_ns"] or 0),
        )

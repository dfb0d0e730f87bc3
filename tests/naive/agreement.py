"""Where a trace and the naive twin disagree, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.naive import octets, rules
from tests.naive.states import Ends
from tests.naive.story import Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.naive.rows import Row

LATER = {"spurious_retransmission"}
"""Labels that later segments may add for reasons of their own: the network's truth is asked about these."""


def story_of(rows: list[Row], timeline: list[dict[str, Any]]) -> Story:
    """The round trips that RFC 6298 is fed with are the timeline's; which of them are right is tested by itself."""
    samples = [None if row["rtt_ambiguous"] else row["rtt_ns"] for row in timeline]
    return Story(rows, samples)


def disagreements(rows: list[Row], timeline: list[dict[str, Any]], record: dict[str, Any]) -> Iterator[str]:
    """What the timeline and the row of one connection say otherwise than the twin."""
    story = story_of(rows, timeline)
    ends = Ends(story)
    for i, (said, row) in enumerate(zip(rules.labels(story, ends), timeline, strict=True)):
        told = set(row["anomalies"])
        if not said & LATER:
            told -= LATER
        yield from unlike(i, rows[i], "anomalies", sorted(said), sorted(told))
        steps = dict(zip(row["steps"], row["steps_ok"], strict=True))
        yield from unlike(i, rows[i], "steps", ends.steps[i], steps)
        yield from unlike(i, rows[i], "states", ends.states[i], [row["client_state"], row["server_state"]])
        yield from unlike(i, rows[i], "window", story.window(i) if plain(story, i) else row["window"], row["window"])
        if octets.clean_trip(story, i) is not None:
            yield from unlike(i, rows[i], "rtt_ns", octets.clean_trip(story, i), row["rtt_ns"])
    yield from unlike(
        i, rows[i], "shapes", [ends.handshake(), ends.teardown()], [record["handshake"], record["teardown"]]
    )


def plain(story: Story, i: int) -> bool:
    return story.counts(i) and not story.rows[i].rst


def unlike(i: int, row: Row, what: str, naive: object, fast: object) -> Iterator[str]:
    if naive != fast:
        yield f"row {i} {row}: {what}: naive {naive}, fast {fast}"

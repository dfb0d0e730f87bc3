"""Where the time goes inside one pass: CPU nanoseconds a segment, by stage.

python -m bench.stages CAPTURE...
"""

from __future__ import annotations

import sys
from collections import Counter
from time import process_time_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace_py.capture import open_capture
from tcptrace_py.decode import Batch, Decoder
from tcptrace_py.flows import FlowTable
from tcptrace_py.pipeline import BATCH_SIZE, Options, _no_cycles
from tcptrace_py.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Adds up what each stage took."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()

    def time(self, stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do the work, on this stage's account."""
        start = process_time_ns()
        result = work(*arguments)
        self.spent[stage] += process_time_ns() - start
        return result


def measure(path: str) -> tuple[int, dict[str, float]]:
    """The pass of `tcptrace_py.pipeline` over one capture, with a clock at each door; ns a segment."""
    clock, flows, chosen = Clock(), FlowTable(), Options()
    tracker = Tracker(flows, BATCH_SIZE, chosen.msl2_ns, chosen.idle_timeout_ns, chosen.max_connections, frozenset())
    decoder, batch = Decoder(), Batch(BATCH_SIZE)
    slots, sides = memoryview(np.zeros(BATCH_SIZE, np.int32)), memoryview(np.zeros(BATCH_SIZE, np.uint8))

    def flush() -> None:
        clock.time("assign", flows.assign, batch, slots, sides)
        clock.time("track", tracker.track, batch, slots, sides, 0, batch.n)
        clock.time("let go", tracker.let_go)
        batch.n = 0
        decoder.quotes.clear()

    with open_capture(path) as reader, _no_cycles():
        chunks = iter(reader)
        while (frames := clock.time("read", next, chunks, None)) is not None:
            at = 0
            while at < frames.n:
                at = clock.time("decode", decoder.decode, frames, at, batch)
                if batch.n == batch.capacity or at < frames.n:
                    flush()
        decoder.finish()
        flush()
        clock.time("finish", tracker.finish)
    rows = int(tracker.row)
    return rows, {stage: spent / max(rows, 1) for stage, spent in clock.spent.items()}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        segments, stages = measure(name)
        told = ", ".join(f"{stage} {spent:.0f}" for stage, spent in stages.items())
        print(f"{name}: {segments:,} segments, ns each: {told}; together {sum(stages.values()):.0f}")

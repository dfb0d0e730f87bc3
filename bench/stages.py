"""Where the time goes inside one pass: CPU nanoseconds a segment, by stage.

python -m bench.stages CAPTURE...

The pipeline is the real one; its parts are wrapped in clocks.
"""

from __future__ import annotations

import sys
from collections import Counter
from time import process_time_ns
from typing import Any
from unittest import mock

from tcptrace_py import pipeline
from tcptrace_py.options import Options

CLOCKED = {"decode": "decode", "assign": "assign", "track": "track", "let_go": "let go", "finish": "finish"}


class Clocked:
    """Stands for a part of the pipeline, and adds up what its calls take."""

    def __init__(self, part: Any, spent: Counter[str]) -> None:
        self.part = part
        self._spent = spent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        if name not in CLOCKED:
            return found

        def clocked(*arguments: Any) -> Any:
            start = process_time_ns()
            try:
                return found(*arguments)
            finally:
                self._spent[CLOCKED[name]] += process_time_ns() - start

        return clocked


def measure(path: str) -> tuple[int, dict[str, float]]:
    """One pass over a capture: its segments, and ns a segment by stage; what no stage took is reading."""
    spent: Counter[str] = Counter()
    table, tracker, decoder = pipeline.FlowTable, pipeline.Tracker, pipeline.Decoder
    parts = {
        "FlowTable": lambda seed: Clocked(table(seed), spent),
        "Tracker": lambda flows, *options: Clocked(tracker(flows.part, *options), spent),
        "Decoder": lambda **options: Clocked(decoder(**options), spent),
    }
    start = process_time_ns()
    with mock.patch.multiple(pipeline, **parts):
        done = pipeline.run(path, Options())
    whole = process_time_ns() - start
    rows = int(done.tracker.row)
    stages = {"read": whole - spent.total(), **spent}
    return rows, {stage: taken / max(rows, 1) for stage, taken in stages.items()}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        segments, stages = measure(name)
        told = ", ".join(f"{stage} {taken:.0f}" for stage, taken in stages.items())
        print(f"{name}: {segments:,} segments, ns each: {told}; together {sum(stages.values()):.0f}")

"""The TCP rules: lives of a pair, states, sequence space, resets, windows, RTT."""

from tcptrace_py.tracker.attacks import Attack, attacks
from tcptrace_py.tracker.mirrors import mirrored
from tcptrace_py.tracker.overlaps import Overlaps

try:  # compiled, all files of this folder are one module
    from tcptrace_py.tracker._joined import Tracker, closed_first, compiled, handshake_shape, teardown_shape
except ModuleNotFoundError:
    from tcptrace_py.tracker._lives import closed_first, handshake_shape, teardown_shape
    from tcptrace_py.tracker._track import Tracker, compiled

__all__ = [
    "Attack",
    "Overlaps",
    "Tracker",
    "attacks",
    "closed_first",
    "compiled",
    "handshake_shape",
    "mirrored",
    "teardown_shape",
]

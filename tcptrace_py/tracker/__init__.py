"""The TCP rules: lives of a pair, states, sequence space, resets, windows, RTT.

`attacks`, `mirrors` and `overlaps` are asked for by few, who import them when they do.
"""

try:  # compiled, all files of this folder whose names begin with an underscore are one module
    from tcptrace_py.tracker._joined import Tracker, closed_first, compiled, handshake_shape, teardown_shape
except ModuleNotFoundError:
    from tcptrace_py.tracker._lives import closed_first, handshake_shape, teardown_shape
    from tcptrace_py.tracker._track import Tracker, compiled

__all__ = ["Tracker", "closed_first", "compiled", "handshake_shape", "teardown_shape"]

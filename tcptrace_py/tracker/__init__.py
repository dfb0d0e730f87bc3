"""The TCP rules: lives of a pair, states, sequence space, resets, windows, RTT."""

from tcptrace_py.tracker._track import Tracker, compiled

__all__ = ["Tracker", "compiled"]

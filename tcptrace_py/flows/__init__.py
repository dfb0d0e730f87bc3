"""Which pair of endpoints a segment belongs to."""

from tcptrace_py.flows._table import FlowTable

__all__ = ["FlowTable"]

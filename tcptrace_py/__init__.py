"""tcptrace_py: what happened on every TCP connection in a capture.

>>> import tcptrace_py as tt
>>> trace = tt.analyze("tests/fixtures/four_way.pcap")
>>> trace.connections[["client_ip", "server_ip", "handshake", "teardown"]].iloc[0].to_list()
['10.9.0.1', '10.9.0.2', 'three_way', 'four_way']
"""

from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import ChangedError, OutputError, TraceError, UnreadableError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from tcptrace_py.analysis import Connection, Summary, Trace, analyze, follow, stream
    from tcptrace_py.comparison import compare_tools
    from tcptrace_py.dataset import BatchResult, Compaction, Dataset, batch, compact, open_dataset
    from tcptrace_py.flow_audit import Audit, audit
    from tcptrace_py.options import Limits

__version__ = "0.1.0"
__all__ = [
    "Audit",
    "BatchResult",
    "ChangedError",
    "Compaction",
    "Connection",
    "Dataset",
    "Limits",
    "OutputError",
    "Summary",
    "Trace",
    "TraceError",
    "UnreadableError",
    "UnsupportedError",
    "UsageError",
    "__version__",
    "analyze",
    "audit",
    "batch",
    "compact",
    "compare_tools",
    "follow",
    "open_dataset",
    "stream",
]


def __getattr__(name: str) -> Any:
    """Load the analysis on first use: ``tcpflows --help`` needs none of it."""
    if name == "compare_tools":
        from tcptrace_py.comparison import compare_tools

        return compare_tools
    if name in {"Audit", "audit"}:
        from tcptrace_py import flow_audit

        return getattr(flow_audit, name)
    if name == "Limits":
        from tcptrace_py.options import Limits

        return Limits
    if name in {"BatchResult", "Compaction", "Dataset", "batch", "compact", "open_dataset"}:
        from tcptrace_py import dataset

        return getattr(dataset, name)
    if name in __all__:
        from tcptrace_py import analysis

        return getattr(analysis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

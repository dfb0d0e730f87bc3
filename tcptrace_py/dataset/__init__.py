"""Many captures at once: folders and archives in, a Parquet dataset out; resumable, parallel.

Composes the other rooms.  Knows files, processes and what was done already.  Does not know TCP.
"""

from tcptrace_py.dataset.compaction import Compaction, compact
from tcptrace_py.dataset.opened import Dataset, open_dataset
from tcptrace_py.dataset.report import BatchResult, Outcome
from tcptrace_py.dataset.run import batch

__all__ = ["BatchResult", "Compaction", "Dataset", "Outcome", "batch", "compact", "open_dataset"]

"""Which connections are the worst: by what was found on them, as the summary ranks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace_py.tables import arrays
from tcptrace_py.vocabulary import BY_NAME, Severity

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

WEIGHT = {Severity.info: 0, Severity.note: 1, Severity.warning: 30, Severity.error: 1000}
"""Of a kind of finding, however often it occurs: as many notes as there are do not outweigh a warning or two."""


def worst_first(connections: pa.Table) -> npt.NDArray[Any]:
    """The rows of `connections` in the order of what was found on them, the worst first."""
    findings = connections.column("findings").combine_chunks()
    offsets = arrays.plain(findings.offsets)
    coded = findings.values.slice(offsets[0], offsets[-1] - offsets[0]).dictionary_encode()
    weights = np.array([WEIGHT[BY_NAME[name].severity] for name in coded.dictionary.to_pylist()], np.int64)
    score = np.zeros(connections.num_rows, np.int64)
    np.add.at(score, np.repeat(np.arange(len(score)), np.diff(offsets)), weights[arrays.plain(coded)])
    return np.argsort(-score, kind="stable")

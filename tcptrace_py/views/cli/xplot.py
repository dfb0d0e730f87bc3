"""``tcpflows xplot``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, ConnId, Debug, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows xplot capture.pcap 7 -o graphs && xplot graphs/7_s2c_tsg.xpl
"""


@door(EXAMPLES)
@reads
def xplot(
    capture: Capture,
    conn_id: ConnId,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go; made if need be.")
    ] = Path(),
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Write tcptrace's graphs of one connection, for xplot or jPlot."""
    from tcptrace_py.views import commands

    return commands.xplot(capture, conn_id, output, reading)

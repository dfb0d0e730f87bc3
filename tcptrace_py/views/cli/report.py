"""``tcpflows report``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, Debug, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows report capture.pcap
  tcpflows report capture.pcap -o - > report.html
  tcpflows report capture.pcap --connections 3,7 -o two.html
"""


@door(EXAMPLES)
@reads
def report(  # noqa: PLR0913 - the options of a command line
    capture: Capture,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Default: the capture's name and .html; -: standard output."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=0, help="Graphs and ladders of so many. Default: what fits in 3 MB.")
    ] = None,
    connections: Annotated[
        str, typer.Option("--connections", metavar="ID[,...]", help="Graphs and ladders of these instead.")
    ] = "",
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Write one HTML page that says and draws it all."""
    from tcptrace_py.views import report_command

    return report_command.report(capture, output, reading, top, connections)

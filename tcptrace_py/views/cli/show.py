"""``tcpflows show``: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, ConnId, Debug, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows show capture.pcap 7
  tcpflows show capture.pcap 7 --all | less
"""


@door(EXAMPLES)
@reads
def show(  # noqa: PLR0913 - the options of a command line
    capture: Capture,
    conn_id: ConnId,
    *,
    unfold: Annotated[bool, typer.Option("--all", "-a", help="Every segment; long runs are folded otherwise.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Draw one connection as a ladder."""
    from tcptrace_py.views import commands

    return commands.show(capture, conn_id, reading, unfold=unfold, ascii_only=ascii_only)

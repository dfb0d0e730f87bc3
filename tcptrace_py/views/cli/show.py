"""``tcpflows show``: its options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, ConnId, Debug, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows show capture.pcap 7
  tcpflows show capture.pcap 7 --all | less
  tcpflows show capture.pcap 7 -o ladder.svg
"""


class LadderForm(StrEnum):
    """How a connection is drawn."""

    text = "text"
    svg = "svg"
    html = "html"


@door(EXAMPLES)
@reads
def show(  # noqa: PLR0913 - the options of a command line
    capture: Capture,
    conn_id: ConnId,
    *,
    form: Annotated[LadderForm | None, typer.Option("--format", "-f", help="Default: text; or by the -o name.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file.")] = None,
    unfold: Annotated[bool, typer.Option("--all", "-a", help="Every segment; long runs are folded otherwise.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Draw one connection as a ladder."""
    from tcptrace_py.views import show_command

    kind = form.value if form else ""
    return show_command.show(capture, conn_id, reading, kind, output, unfold=unfold, ascii_only=ascii_only)

"""``tcpflows explain``: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, Debug, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows explain capture.pcap
  tcpflows explain capture.pcap 7 --lang zh
"""


@door(EXAMPLES)
@reads
def explain(
    capture: Capture,
    conn_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="A connection.  Default: what TCP is, and the worst one.")
    ] = None,
    *,
    lang: Annotated[str, typer.Option("--lang", metavar="LANGUAGE", help="en, zh.")] = "en",
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Tell one connection as a story, with its own numbers."""
    from tcptrace_py.views import explain_command

    return explain_command.explain(capture, conn_id, reading, lang)

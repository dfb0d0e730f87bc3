"""``tcpflows analyze``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Captures, Debug, Form, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows analyze capture.pcap
  tcpdump -U -w - | tcpflows analyze - --follow
  tcpflows analyze *.pcap.gz --table connections --where 'handshake == no_answer'
  tcpflows analyze capture.pcap --table timeline --where 'anomalies has retransmission and rtt_ns > 10ms'
  tcpflows analyze capture.pcap --format parquet -o results
  tcpflows analyze capture.pcap --schema zeek --format ndjson
  tcpflows analyze capture.pcap --fail-on error,cap_loss
  tcpflows analyze ring_00001.pcapng+
"""


@door(EXAMPLES)
@reads
def analyze(  # noqa: PLR0913 - the options of a command line
    captures: Captures,
    *,
    form: Annotated[
        Form | None, typer.Option("--format", "-f", help="Default: the summary; or by the -o name.")
    ] = None,
    table: Annotated[
        str,
        typer.Option("--table", "-t", metavar="NAME[,...]", help="captures, connections, timeline, states, events."),
    ] = "",
    schema: Annotated[
        str,
        typer.Option("--schema", metavar="NAME", help="A view instead: zeek, tcptrace, tshark, cic, ecs."),
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file, or a folder for a file a table (no suffix).")
    ] = None,
    where: Annotated[str, typer.Option("--where", "-w", metavar="CONDITION", help="Only rows that meet it.")] = "",
    columns: Annotated[str, typer.Option("--columns", metavar="NAME[,...]", help="Only these columns.")] = "",
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="NAME[,...]", help="Exit with 1 on these findings or severities.")
    ] = "",
    top: Annotated[int, typer.Option("--top", min=0, max=20, help="How many connections the summary shows.")] = 20,
    raw_csv: Annotated[bool, typer.Option("--raw-csv", help="Do not defuse formulas and controls in CSV.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for more, as the file grows or the pipe brings it; Ctrl-C ends.")
    ] = False,
    join: Annotated[bool, typer.Option("--join", help="The captures are pieces of one: read them as one.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Say what happened: a summary, or tables."""
    from tcptrace_py.views import commands

    request = commands.Request(
        captures, reading, form.value if form else "", table, output, where, columns, fail_on, top, raw_csv, schema
    )
    request.follow, request.join = follow, join
    return commands.analyze(request)

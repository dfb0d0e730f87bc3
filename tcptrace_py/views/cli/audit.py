"""``tcpflows audit``: its options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, Debug, Form, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows audit flows.csv capture.pcap
  tcpflows audit flows.csv capture.pcap --table flows -o flows-audited.csv
"""


class AuditTable(StrEnum):
    """What a row is."""

    connections = "connections"
    flows = "flows"


@door(EXAMPLES)
@reads
def audit(  # noqa: PLR0913 - the options of a command line
    flows: Annotated[Path, typer.Argument(metavar="FLOWS.csv", help="A table of flows, as CICFlowMeter writes it.")],
    capture: Capture,
    *,
    table: Annotated[AuditTable, typer.Option("--table", "-t", help="A row a connection, or a flow.")] = (
        AuditTable.connections
    ),
    offset: Annotated[
        float | None,
        typer.Option("--offset", metavar="SECONDS", help="The table's clock ahead of UTC. Default: most rows' own."),
    ] = None,
    form: Annotated[Form | None, typer.Option("--format", "-f", help="Default: a summary; or by the -o name.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file.")] = None,
    top: Annotated[int, typer.Option("--top", min=0, help="How many connections the summary shows.")] = 20,
    raw_csv: Annotated[bool, typer.Option("--raw-csv", help="Do not defuse formulas and controls in CSV.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Show how a table of flows cuts, mixes and reverses the connections of its capture."""
    from tcptrace_py.views import audit_command

    asked = audit_command.Asked(flows, capture, table.value, offset, form.value if form else "", output, top)
    return audit_command.audit(asked, reading, raw_csv=raw_csv)

"""``tcpflows compare-tools``: its options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Debug, RowForm, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows compare-tools capture.pcap
  tcpflows compare-tools capture.pcap --tool tshark --format csv > disagreements.csv
  tcpflows compare-tools capture.pcap --format ndjson | grep '"rule":null'
"""


class Tool(StrEnum):
    """Another program that reads captures."""

    tshark = "tshark"
    tcptrace = "tcptrace"


@door(EXAMPLES)
@reads
def compare_tools(  # noqa: PLR0913 - the options of a command line
    capture: Annotated[str, typer.Argument(metavar="CAPTURE", help="A file, which the other programs read too.")],
    *,
    form: Annotated[RowForm, typer.Option("--format", "-f")] = RowForm.table,
    tool: Annotated[
        Tool | None, typer.Option("--tool", help="This one alone. Default: all that are installed.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.001, help="Stop a tool that takes longer.")
    ] = 600.0,
    raw_csv: Annotated[bool, typer.Option("--raw-csv", help="Do not defuse formulas and controls in CSV.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """List where tshark and tcptrace disagree, with our evidence and the rule that explains it."""
    from tcptrace_py.views import compare

    tools = [tool.value] if tool else [each.value for each in Tool]
    return compare.compare(capture, reading, tools, form.value, timeout, raw_csv=raw_csv)

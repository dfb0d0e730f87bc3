"""``tcpflows states``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Capture, Debug, Form, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows states capture.pcap
  tcpflows states capture.pcap --step 100ms --format csv > population.csv
  tcpflows states capture.pcap --at +1.5s
  tcpflows states capture.pcap --at 2026-01-31T12:00:00.25Z --format json
"""


@door(EXAMPLES)
@reads
def states(  # noqa: PLR0913 - the options of a command line
    capture: Capture,
    *,
    step: Annotated[
        str, typer.Option("--step", metavar="DURATION", help="As in 100ms, 1.5s, 2min. Default: about 20 steps.")
    ] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="One moment instead: ISO 8601 (UTC), epoch seconds, or +1.5s.")
    ] = "",
    form: Annotated[Form | None, typer.Option("--format", "-f", help="Default: table; or by the -o name.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE")] = None,
    raw_csv: Annotated[bool, typer.Option("--raw-csv", help="Do not defuse formulas and controls in CSV.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Count endpoints by state over time, or list them at one moment."""
    from tcptrace_py.views import states_command

    asked = states_command.Asked(step, at, form.value if form else "", output, raw_csv)
    return states_command.states(capture, reading, asked)

"""``tcpflows compact``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Debug, door

EXAMPLES = """\
  tcpflows compact dataset
  tcpflows compact dataset --retain 90d
  tcpflows compact dataset --before 2026-01-01
  tcpflows compact dataset --migrate
"""


@door(EXAMPLES)
def compact(  # noqa: PLR0913 - the options of a command line
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="What tcpflows batch has made.")],
    *,
    rows: Annotated[
        int, typer.Option("--rows", min=1, help="The most rows that are joined, of all tables.")
    ] = 5_000_000,
    retain: Annotated[
        str, typer.Option("--retain", metavar="DURATION", help="Remove captures that ended before: 90d, 36h.")
    ] = "",
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="The same by date (UTC): 2026-01-01, 2026-01-01T06:00.")
    ] = "",
    migrate: Annotated[bool, typer.Option("--migrate", help="Only what an earlier version has made.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Join a dataset's small parts, remove what is old, bring it up to date."""
    from tcptrace_py.views import compact_command

    return compact_command.compact(dataset, rows, retain, before, migrate=migrate, quiet=quiet)

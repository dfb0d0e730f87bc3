"""``tcpflows query``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Debug, Form, door

EXAMPLES = """\
  tcpflows query
  tcpflows query dataset --ask slow-handshakes --set threshold_ms=100
  tcpflows query dataset "SELECT teardown, count(*) FROM connections GROUP BY ALL"
  tcpflows query dataset "FROM events WHERE code = $code" --set code=rst_forged --format csv
"""


@door(EXAMPLES)
def query(  # noqa: PLR0913 - the options of a command line
    dataset: Annotated[Path | None, typer.Argument(metavar="DATASET", help="What tcpflows batch has made.")] = None,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; the tables are the dataset's.")] = "",
    *,
    ask: Annotated[
        str, typer.Option("--ask", "-a", metavar="NAME", help="A question that is known by name; list: which are.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="For $NAME in the SQL; may be repeated."),
    ] = None,
    form: Annotated[Form | None, typer.Option("--format", "-f", help="Default: table; or by the -o name.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file.")] = None,
    raw_csv: Annotated[bool, typer.Option("--raw-csv", help="Do not defuse formulas and controls in CSV.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Ask a dataset in SQL, or by the name of a question."""
    from tcptrace_py.views import query_command

    asked = query_command.Asked(dataset, sql, ask, settings or [])
    return query_command.query(asked, form.value if form else "", output, raw_csv=raw_csv)

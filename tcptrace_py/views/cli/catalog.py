"""``tcpflows catalog``: its options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Debug, door

EXAMPLES = """\
  tcpflows catalog duplicate_ack
  tcpflows catalog timeline
  tcpflows catalog --format markdown > reference.md
"""


class CatalogForm(StrEnum):
    """How the catalog is written."""

    table = "table"
    markdown = "markdown"
    json = "json"


@door(EXAMPLES)
def catalog(
    name: Annotated[str | None, typer.Argument(help="A finding, state, step, column, table... Default: all.")] = None,
    form: Annotated[CatalogForm, typer.Option("--format", "-f")] = CatalogForm.table,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Explain a label or a column."""
    from tcptrace_py.views import commands

    return commands.catalog(name, form.value)

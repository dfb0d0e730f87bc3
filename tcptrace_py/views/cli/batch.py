"""``tcpflows batch``: its options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import Debug, door
from tcptrace_py.views.reading import Reading, reads

EXAMPLES = """\
  tcpflows batch /var/captures -o dataset
  tcpflows batch monday.tar.gz tuesday.zip -o dataset --pattern '*.pcap'
  tcpflows batch /var/captures -o dataset --timeline --workers 8
  tcpflows batch /var/ring -o dataset --checkpoint
  tcpflows batch /shared/captures -o /shared/dataset --scheduler tcp://head:8786
"""


class ProgressForm(StrEnum):
    """How a batch tells how far it has come."""

    auto = "auto"
    json = "json"
    none = "none"


@door(EXAMPLES)
@reads
def batch(  # noqa: PLR0913 - the options of a command line
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Captures, folders, tar and zip archives, addresses.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DATASET", help="The folder of the dataset.")],
    table: Annotated[
        str,
        typer.Option(
            "--tables", "-t", metavar="NAME[,...]", help="Default: all but timeline, features. captures always."
        ),
    ] = "",
    timeline: Annotated[bool, typer.Option("--timeline", help="The timeline, too.")] = False,
    pattern: Annotated[
        str, typer.Option("--pattern", metavar="GLOB", help="Only files in folders, and members, named so.")
    ] = "",
    join: Annotated[
        bool, typer.Option("--join/--no-join", help="Files that one capture was cut into are read as one.")
    ] = True,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Go on where the last run ended: read only files that are new.")
    ] = False,
    workers: Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Default: the cores.")] = None,
    scheduler: Annotated[str, typer.Option("--scheduler", metavar="ADDRESS", help="A dask scheduler.")] = "",
    split: Annotated[bool, typer.Option("--split", help="A large capture is divided over idle workers.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Forget captures whose file is gone.")] = False,
    digests: Annotated[bool, typer.Option("--digests", help="Compare the SHA-256 of what seems unchanged.")] = False,
    progress: Annotated[
        ProgressForm, typer.Option("--progress", help="auto: on a terminal; json: an object a line.")
    ] = ProgressForm.auto,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `door`
) -> ExitCode:
    """Make a Parquet dataset of many captures; again, of what is new."""
    from tcptrace_py.views import batch_command

    asked = {
        "pattern": pattern,
        "join": join,
        "checkpoint": checkpoint,
        "workers": workers,
        "scheduler": scheduler,
        "split": split,
        "prune": prune,
        "digests": digests,
    }
    tables = batch_command.tables(table, timeline=timeline)
    return batch_command.batch(sources, output, reading, progress.value, {"tables": tables, **asked})

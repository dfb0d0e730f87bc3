"""What the commands of the command line have in common: arguments, and how one ends, with a word and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from tcptrace_py.errors import ExitCode, TraceError
from tcptrace_py.views.ink import say

if TYPE_CHECKING:
    from collections.abc import Callable

STYLE: dict[str, Any] = {
    "rich_markup_mode": None,  # plain help: rich would cost 0.1 s, and reads file names as markup
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""How every command shows its help."""

# Options that several commands share.
Captures = Annotated[list[str], typer.Argument(metavar="CAPTURE", help="Files, or - for standard input.")]
Capture = Annotated[str, typer.Argument(metavar="CAPTURE", help="A file, or - for standard input.")]
ConnId = Annotated[int, typer.Argument(metavar="ID", help="The connection's number in the tables.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an internal error came from.")]


class Form(StrEnum):
    """How a table is written."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"
    parquet = "parquet"
    arrow = "arrow"


class RowForm(StrEnum):
    """How rows are written to standard output."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


def door(examples: str) -> Callable[[Callable[..., ExitCode]], Any]:
    """Make a command out of a function that returns its exit code; its options are the function's parameters."""

    def hung(command: Callable[..., ExitCode]) -> Any:
        alone = typer.Typer(add_completion=False, **STYLE)
        alone.command(epilog=f"\b\nExamples:\n{examples}")(_guarded(command))
        return get_command(alone)

    return hung


def _guarded(command: Callable[..., ExitCode]) -> Callable[..., None]:
    """Give a command its exit code: every failure becomes one line on standard error and a code of its own."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        raise typer.Exit(_outcome(lambda: command(*args, **options), debug=options.get("debug", False)))

    return run


def _outcome(work: Callable[[], ExitCode], *, debug: bool) -> ExitCode:
    try:
        return work()
    except TraceError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:
        return ExitCode.PIPE_CLOSED
    except KeyboardInterrupt:
        say("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line: a bug of ours must not look like one of the user's
        if debug:
            import traceback  # here: it takes as long to load as the command to answer

            traceback.print_exc()
        advice = "please report it with the lines above" if debug else "please report it, with what --debug shows"
        say(f"internal error: {type(error).__name__}: {error}; {advice}")
        return ExitCode.INTERNAL
    finally:
        _let_go_of_output()


def _let_go_of_output() -> None:
    """What standard output refused has been told of; Python would try again at exit, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

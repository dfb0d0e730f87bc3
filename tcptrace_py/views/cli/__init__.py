"""The command ``tcpflows``: which commands there are, how it starts and how it ends.

Each command stands in a module of its own that is loaded when it is asked for: none pays for the others.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli.door import STYLE

if TYPE_CHECKING:
    from types import FrameType

COMMANDS = (
    *("analyze", "show", "explain", "report", "states", "xplot", "compare-tools"),
    *("batch", "query", "compact", "audit", "catalog"),
)
"""In the order of the help; each is the function of that name in the module of that name."""


class _Loaded(Mapping[str, Any]):
    """The commands by name, each loaded when it is taken."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        function = name.replace("-", "_")
        command = getattr(importlib.import_module(f"{__name__}.{function}"), function)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Commands(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Loaded()


app = typer.Typer(
    name="tcpflows",
    help="TCP connections out of captures: both endpoints' states, each step, anomalies with evidence.",
    cls=_Commands,
    no_args_is_help=True,
    **STYLE,
)


def _version(wanted: bool) -> None:
    if wanted:
        from tcptrace_py import __version__
        from tcptrace_py.analysis import compiled

        typer.echo(f"tcpflows {__version__} ({'compiled' if compiled() else 'interpreted'})")
        raise typer.Exit


@app.callback()
def tcpflows(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version, and if compiled.")
    ] = False,
) -> None:
    """TCP connections out of captures: both endpoints' states, each step, anomalies with evidence."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """Leave by the ordinary way out, so that temporary files are removed."""
    raise SystemExit(ExitCode.TERMINATED)


def run() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _terminate)
    for name in ("stdout", "stderr"):  # either may have been closed by the caller (>&-)
        stream = getattr(sys, name) or Path(os.devnull).open("w")  # noqa: SIM115 - open to the end
        stream.reconfigure(errors="backslashreplace")  # a name from a stranger never stops the output
        setattr(sys, name, stream)
    try:
        app(prog_name="tcpflows")
    except SystemExit as done:
        _leave(done.code)


def _leave(code: str | int | None) -> None:
    """End at once: all is written, and taking hundreds of thousands of connections apart would cost as much again.

    Whoever measures coverage or profiles the program has hooked `sys.exit`'s way out, and gets it.
    """
    if not isinstance(code, int | None) or sys.gettrace() or sys.getprofile() or "coverage" in sys.modules:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code or 0)

"""The command ``tcpflows``: options, help, exit codes.  The work is in `commands`, which is loaded when there is any.

Importing this module must stay cheap: ``tcpflows --help`` and shell completion pay for it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tcptrace_py.errors import ExitCode, TraceError
from tcptrace_py.views.ink import say
from tcptrace_py.views.reading import Reading, reads

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


app = typer.Typer(
    name="tcpflows",
    help="TCP connections out of captures: both endpoints' states, each step, anomalies with evidence.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich would cost 0.1 s, and reads file names as markup
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


class Tool(StrEnum):
    """Another program that reads captures."""

    tshark = "tshark"
    tcptrace = "tcptrace"


class CatalogForm(StrEnum):
    """How the catalog is written."""

    table = "table"
    markdown = "markdown"
    json = "json"


class LadderForm(StrEnum):
    """How a connection is drawn."""

    text = "text"
    svg = "svg"
    html = "html"


class ProgressForm(StrEnum):
    """How a batch tells how far it has come."""

    auto = "auto"
    json = "json"
    none = "none"


# Options that several commands share.
Captures = Annotated[list[str], typer.Argument(metavar="CAPTURE", help="Files, or - for standard input.")]
Capture = Annotated[str, typer.Argument(metavar="CAPTURE", help="A file, or - for standard input.")]
ConnId = Annotated[int, typer.Argument(metavar="ID", help="The connection's number in the tables.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an internal error came from.")]


def guarded(command: Callable[..., ExitCode]) -> Callable[..., None]:
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


ANALYZE_EXAMPLES = """\b
Examples:
  tcpflows analyze capture.pcap
  tcpdump -U -w - | tcpflows analyze - --follow
  tcpflows analyze *.pcap.gz --table connections --where 'handshake == no_answer'
  tcpflows analyze capture.pcap --table timeline --where 'anomalies has retransmission and rtt_ns > 10ms'
  tcpflows analyze capture.pcap --format parquet -o results
  tcpflows analyze capture.pcap --schema zeek --format ndjson
  tcpflows analyze capture.pcap --fail-on error,cap_loss
"""


@app.command(epilog=ANALYZE_EXAMPLES)
@guarded
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
        typer.Option("--schema", metavar="NAME", help="A view instead: zeek, tcptrace, tshark, ecs."),
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
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Say what happened: a summary, or tables."""
    from tcptrace_py.views import commands

    request = commands.Request(
        captures, reading, form.value if form else "", table, output, where, columns, fail_on, top, raw_csv, schema
    )
    request.follow = follow
    return commands.analyze(request)


SHOW_EXAMPLES = """\b
Examples:
  tcpflows show capture.pcap 7
  tcpflows show capture.pcap 7 --all | less
  tcpflows show capture.pcap 7 -o ladder.svg
"""


@app.command(epilog=SHOW_EXAMPLES)
@guarded
@reads
def show(  # noqa: PLR0913 - the options of a command line
    capture: Capture,
    conn_id: ConnId,
    *,
    form: Annotated[LadderForm | None, typer.Option("--format", "-f", help="Default: text; or by the -o name.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file.")] = None,
    unfold: Annotated[bool, typer.Option("--all", "-a", help="Every segment; long runs are folded otherwise.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII.")] = False,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Draw one connection as a ladder."""
    from tcptrace_py.views import show_command

    kind = form.value if form else ""
    return show_command.show(capture, conn_id, reading, kind, output, unfold=unfold, ascii_only=ascii_only)


EXPLAIN_EXAMPLES = """\b
Examples:
  tcpflows explain capture.pcap
  tcpflows explain capture.pcap 7 --lang zh
"""


@app.command(epilog=EXPLAIN_EXAMPLES)
@guarded
@reads
def explain(
    capture: Capture,
    conn_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="A connection.  Default: what TCP is, and the worst one.")
    ] = None,
    *,
    lang: Annotated[str, typer.Option("--lang", metavar="LANGUAGE", help="en, zh.")] = "en",
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Tell one connection as a story, with its own numbers."""
    from tcptrace_py.views import explain_command

    return explain_command.explain(capture, conn_id, reading, lang)


XPLOT_EXAMPLES = """\b
Examples:
  tcpflows xplot capture.pcap 7 -o graphs && xplot graphs/7_s2c_tsg.xpl
"""


@app.command(epilog=XPLOT_EXAMPLES)
@guarded
@reads
def xplot(
    capture: Capture,
    conn_id: ConnId,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go; made if need be.")
    ] = Path(),
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Write tcptrace's graphs of one connection, for xplot or jPlot."""
    from tcptrace_py.views import commands

    return commands.xplot(capture, conn_id, output, reading)


REPORT_EXAMPLES = """\b
Examples:
  tcpflows report capture.pcap
  tcpflows report capture.pcap -o - > report.html
  tcpflows report capture.pcap --connections 3,7 -o two.html
"""


@app.command(epilog=REPORT_EXAMPLES)
@guarded
@reads
def report(  # noqa: PLR0913 - the options of a command line
    capture: Capture,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Default: the capture's name and .html; -: standard output."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=0, help="Graphs and ladders of so many. Default: what fits in 3 MB.")
    ] = None,
    connections: Annotated[
        str, typer.Option("--connections", metavar="ID[,...]", help="Graphs and ladders of these instead.")
    ] = "",
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Write one HTML page that says and draws it all."""
    from tcptrace_py.views import report_command

    return report_command.report(capture, output, reading, top, connections)


STATES_EXAMPLES = """\b
Examples:
  tcpflows states capture.pcap
  tcpflows states capture.pcap --step 100ms --format csv > population.csv
  tcpflows states capture.pcap --at +1.5s
  tcpflows states capture.pcap --at 2026-01-31T12:00:00.25Z --format json
"""


@app.command(epilog=STATES_EXAMPLES)
@guarded
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
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Count endpoints by state over time, or list them at one moment."""
    from tcptrace_py.views import states_command

    asked = states_command.Asked(step, at, form.value if form else "", output, raw_csv)
    return states_command.states(capture, reading, asked)


COMPARE_EXAMPLES = """\b
Examples:
  tcpflows compare-tools capture.pcap
  tcpflows compare-tools capture.pcap --tool tshark --format csv > disagreements.csv
  tcpflows compare-tools capture.pcap --format ndjson | grep '"rule":null'
"""


@app.command(epilog=COMPARE_EXAMPLES)
@guarded
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
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """List where tshark and tcptrace disagree, with our evidence and the rule that explains it."""
    from tcptrace_py.views import compare

    tools = [tool.value] if tool else [each.value for each in Tool]
    return compare.compare(capture, reading, tools, form.value, timeout, raw_csv=raw_csv)


BATCH_EXAMPLES = """\b
Examples:
  tcpflows batch /var/captures -o dataset
  tcpflows batch monday.tar.gz tuesday.zip -o dataset --pattern '*.pcap'
  tcpflows batch /var/captures -o dataset --timeline --workers 8
  tcpflows batch /shared/captures -o /shared/dataset --scheduler tcp://head:8786
"""


@app.command(epilog=BATCH_EXAMPLES)
@guarded
@reads
def batch(  # noqa: PLR0913 - the options of a command line
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Captures, folders, tar and zip archives, addresses.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DATASET", help="The folder of the dataset.")],
    table: Annotated[
        str,
        typer.Option("--tables", "-t", metavar="NAME[,...]", help="Default: all but timeline. captures always."),
    ] = "",
    timeline: Annotated[bool, typer.Option("--timeline", help="The timeline, too.")] = False,
    pattern: Annotated[
        str, typer.Option("--pattern", metavar="GLOB", help="Only files in folders, and members, named so.")
    ] = "",
    workers: Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Default: the cores.")] = None,
    scheduler: Annotated[str, typer.Option("--scheduler", metavar="ADDRESS", help="A dask scheduler.")] = "",
    prune: Annotated[bool, typer.Option("--prune", help="Forget captures whose file is gone.")] = False,
    digests: Annotated[bool, typer.Option("--digests", help="Compare the SHA-256 of what seems unchanged.")] = False,
    progress: Annotated[
        ProgressForm, typer.Option("--progress", help="auto: on a terminal; json: an object a line.")
    ] = ProgressForm.auto,
    reading: Reading,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Make a Parquet dataset of many captures; again, of what is new."""
    from tcptrace_py.views import batch_command

    asked = {"pattern": pattern, "workers": workers, "scheduler": scheduler, "prune": prune, "digests": digests}
    tables = batch_command.tables(table, timeline=timeline)
    return batch_command.batch(sources, output, reading, progress.value, {"tables": tables, **asked})


CATALOG_EXAMPLES = """\b
Examples:
  tcpflows catalog duplicate_ack
  tcpflows catalog timeline
  tcpflows catalog --format markdown > reference.md
"""


@app.command(epilog=CATALOG_EXAMPLES)
@guarded
def catalog(
    name: Annotated[str | None, typer.Argument(help="A finding, state, step, column, table... Default: all.")] = None,
    form: Annotated[CatalogForm, typer.Option("--format", "-f")] = CatalogForm.table,
    debug: Debug = False,  # noqa: ARG001 - read by `guarded`
) -> ExitCode:
    """Explain a label or a column."""
    from tcptrace_py.views import commands

    return commands.catalog(name, form.value)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """Leave by the ordinary way out, so that temporary files are removed."""
    raise SystemExit(ExitCode.TERMINATED)


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that spin; nothing here is for them
    gc.disable()  # one run makes no garbage cycles that matter, and the collector would walk every connection again
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


if __name__ == "__main__":
    main()

"""The manual of the command, from the options as they are declared: docs/commands.md and the man page.

python scripts/documents.py writes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ABOUT = """\
Reads captures (pcap, pcapng, snoop, tcpdump's printed text; compressed or not; files, pipes, rotated sets), splits
them into TCP connections, follows the RFC 9293 state of both endpoints, numbers the steps of handshake and teardown
with their arithmetic checked, flags anomalies with their evidence, and measures."""


def _commands() -> Iterator[tuple[str, Any, Any]]:
    """Name, command and its context, in the order of the help."""
    import typer.main

    from tcptrace_py.views.cli import app

    group: Any = typer.main.get_command(app)
    above = group.make_context("tcpflows", [], resilient_parsing=True)
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        yield name, command, command.context_class(command, info_name=name, parent=above)


def _usage(command: Any, context: Any) -> str:
    return f"tcpflows {context.info_name} {' '.join(command.collect_usage_pieces(context))}"


def _examples(command: Any) -> list[str]:
    """The command lines below a command's help."""
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


def _parameters(command: Any, context: Any) -> list[tuple[str, str]]:
    """How each argument and option is written, and what it means."""
    told = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    return [(how.strip(), " ".join(meaning.split())) for how, meaning in filter(None, told)]


def markdown() -> str:
    """Every command, as a page."""
    parts = [
        "# Commands",
        "Made from the options as they are declared; `tcpflows COMMAND --help` says the same, and `man tcpflows`.",
    ]
    for name, command, context in _commands():
        rows = [
            f"| `{how.replace('|', chr(92) + '|')}` | {_cell(meaning)} |"
            for how, meaning in _parameters(command, context)
        ]
        parts += [
            f"## {name}",
            command.help.replace("\b", ""),
            f"```text\n{_usage(command, context)}\n```",
            "\n".join(["| | |", "|---|---|", *rows]),
            "```sh\n" + "\n".join(_examples(command)) + "\n```",
        ]
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def man_page() -> str:
    """The same for man(1)."""
    from tcptrace_py import __version__
    from tcptrace_py.errors import EXIT_MEANING

    parts = [
        f'.TH TCPFLOWS 1 "" "tcptrace_py {__version__}" "User Commands"',
        ".SH NAME\ntcpflows \\- what happened on every TCP connection in a capture",
        ".SH SYNOPSIS\n.B tcpflows\n.I COMMAND\n[options] ...",
        ".SH DESCRIPTION\n" + _roff(ABOUT),
        ".SH COMMANDS",
    ]
    for _, command, context in _commands():
        parts.append(f".SS {_roff(_usage(command, context))}\n{_roff(command.help)}")
        parts += [f".TP\n.B {_roff(how)}\n{_roff(meaning)}" for how, meaning in _parameters(command, context)]
        examples = "\n".join(map(_roff, _examples(command)))
        parts.append(f".PP\nExamples:\n.PP\n.nf\n.RS\n{examples}\n.RE\n.fi")
    parts.append(".SH EXIT STATUS")
    parts += [f".TP\n.B {code.value}\n{_roff(meaning)}" for code, meaning in EXIT_MEANING.items()]
    parts += [
        ".SH ENVIRONMENT",
        ".TP\n.B NO_COLOR\nNo colour, whatever the terminal.",
        ".TP\n.B COLUMNS\nThe width of the output.",
        ".SH SEE ALSO\n.BR tcpdump (8),\n.BR tshark (1),\n.BR tcptrace (1)\n.PP\n"
        + _roff("tcpflows catalog explains every label and every column."),
    ]
    return "\n".join(parts) + "\n"


def _roff(text: str) -> str:
    """Text that nothing in it turns into a request."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("\b", "")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in safe.splitlines())

"""The options of reading, the same for every command that reads: made from the declaration in `options`.

Knows how an option is typed.  What it means and what its default is, the declaration says.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tcptrace_py.errors import UsageError
from tcptrace_py.options import BOUNDS, Limits, Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcptrace_py.errors import ExitCode

LIMIT_HELP = f"Change a bound, as in {BOUNDS[0].name}=50000; may be repeated.  tcpflows catalog bound lists them."


@dataclass(frozen=True)
class Reading:
    """How captures are read: `options` go to `tcptrace_py.analyze` as they are."""

    options: dict[str, Any] = field(default_factory=dict)
    quiet: bool = False


def reads(command: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """Give a command the options of reading; it takes them as one: `reading`."""
    own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name != "reading"]
    names = [one.name for one in _READING]

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> ExitCode:
        chosen = {name: value for name in names if (value := given.pop(name, None)) is not None}
        if limits := given.pop("limit", None):
            chosen["limits"] = _limits(limits)
        return command(*args, reading=Reading(chosen, given.pop("quiet", False)), **given)

    added = [_parameter(one) for one in _READING]
    added += [_LIMIT, _QUIET]
    wrapper: Any = run
    wrapper.__signature__ = inspect.Signature([*own, *added])
    wrapper.__annotations__ = {one.name: one.annotation for one in (*own, *added)}
    return run


_KINDS: dict[str, Any] = get_type_hints(Options)
_READING = [one for one in fields(Options) if one.metadata["flag"]]


def _parameter(one: Field[Any]) -> inspect.Parameter:
    """One option as typer wants it: a parameter that is None unless the option was given."""
    kind = _KINDS[one.name]
    how: dict[str, Any] = {"help": one.metadata["help"], "show_default": False}
    if one.name.endswith("_ns"):
        how |= {"parser": nanoseconds, "metavar": "SECONDS"}
    elif one.metadata["least"] is not None:
        how |= {"min": one.metadata["least"], "metavar": "NUMBER"}
    return _keyword(one.name, kind | None, typer.Option(one.metadata["flag"], **how), None)


def _keyword(name: str, kind: Any, option: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


_LIMIT = _keyword("limit", list[str] | None, typer.Option("--limit", metavar="NAME=NUMBER", help=LIMIT_HELP), None)
_QUIET = _keyword("quiet", bool, typer.Option("--quiet", "-q", help="No progress, no advice on standard error."), False)


def nanoseconds(text: str) -> int:
    """Seconds as they are typed, exactly."""
    from decimal import Decimal, InvalidOperation

    try:
        ns = Decimal(text) * 10**9
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is not a number of seconds") from error
    if not 0 <= ns < 2**63:
        raise typer.BadParameter(f"{text} seconds are out of range")
    return int(ns)


def _limits(given: list[str]) -> Limits:
    """Bounds as they are typed: NAME=NUMBER."""
    chosen: dict[str, int] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in Limits.__dataclass_fields__:
            from tcptrace_py.views.where import nearest

            raise UsageError(f"--limit: there is no bound {name!r}{nearest(name, Limits.__dataclass_fields__)}")
        try:
            chosen[name] = int(number.replace("_", ""))
        except ValueError:
            raise UsageError(f"--limit: {text!r} is not NAME=NUMBER") from None
    return Limits(**chosen)

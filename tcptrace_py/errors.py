"""What can go wrong, as a user meets it: one exception with few children, and the exit codes of the command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What ``tcpflows`` returns to the shell."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    PARTIAL = 3
    UNREADABLE = 4
    NOT_WRITTEN = 5
    INTERNAL = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


EXIT_MEANING = {
    ExitCode.OK: "done",
    ExitCode.FINDINGS: "done, and --fail-on found what it was asked to look for",
    ExitCode.USAGE: "the command line makes no sense",
    ExitCode.PARTIAL: "read in part; the results are valid up to the damage",
    ExitCode.UNREADABLE: "no input could be read",
    ExitCode.NOT_WRITTEN: "the output could not be written",
    ExitCode.INTERNAL: "an error of the program itself; please report it",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
    ExitCode.PIPE_CLOSED: "whoever read the output went away",
    ExitCode.TERMINATED: "terminated by a signal",
}


class TraceError(Exception):
    """The base of all errors that this package raises on purpose; its text is one line fit for a terminal."""

    exit_code = ExitCode.INTERNAL


class UnreadableError(TraceError):
    """No packet can be had from this input; `reason` is a snake_case code."""

    exit_code = ExitCode.UNREADABLE

    def __init__(self, message: str, reason: str = "not_a_capture") -> None:
        super().__init__(message)
        self.reason = reason

    def about(self, name: str) -> "UnreadableError":
        """The same error with the input's name in front."""
        return type(self)(f"{name}: {self}", self.reason)


class UnsupportedError(UnreadableError):
    """A capture format that is known by name and not read."""


class ChangedError(UnreadableError):
    """The input is no longer what it was in an earlier reading."""

    exit_code = ExitCode.PARTIAL


class UsageError(TraceError):
    """The request itself makes no sense: an unknown column, an impossible option."""

    exit_code = ExitCode.USAGE


class OutputError(TraceError):
    """A result could not be written."""

    exit_code = ExitCode.NOT_WRITTEN

"""analyze() and stream(): captures in, tables and connections out."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tcptrace_py import pipeline, tracker
from tcptrace_py.connection import Connection
from tcptrace_py.errors import UsageError
from tcptrace_py.options import Limits, Options
from tcptrace_py.summary import Summary
from tcptrace_py.trace import Trace, name_of, rereadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tcptrace_py.capture.following import Following

__all__ = ["Connection", "Summary", "Trace", "analyze", "compiled", "follow", "stream"]

DEFAULT = Options()


def compiled() -> bool:
    """Whether the hot modules are compiled; uncompiled they give the same results, much more slowly."""
    return bool(tracker.compiled)


def analyze(  # noqa: PLR0913 - options, all with defaults, all by keyword
    source: Any,
    *,
    tables: str | Iterable[str] = ("connections",),
    reader: Literal["own", "dpkt"] = DEFAULT.reader,
    link_type: int | None = DEFAULT.link_type,
    verify_checksums: bool = DEFAULT.verify_checksums,
    idle_timeout_ns: int = DEFAULT.idle_timeout_ns,
    msl2_ns: int = DEFAULT.msl2_ns,
    batch_size: int = DEFAULT.batch_size,
    overlaps: bool = DEFAULT.overlaps,
    resync: bool = DEFAULT.resync,
    limits: Limits = DEFAULT.limits,
    progress: Callable[[int, int | None], None] | None = None,
) -> Trace:
    """Analyse one capture.

    Parameters
    ----------
    source : str, path, list of paths, binary file object, or iterable of (timestamp, bytes)
        A capture of any format, compressed or not, or tcpdump's printed text; ``"-"`` is standard input.
        A list of paths is one capture that was cut into these files; so is ``"cap_00001.pcap+"``: that file and those
        beside it that continue it, by their names and times.  A dpkt reader is an iterable of (timestamp, bytes).
    tables : str or iterable of str
        Tables to keep from the first reading.  Others are made on first use by reading the input again; an input
        that cannot be read twice (a pipe, an iterable) has only those named here.  The timeline of a file is always
        read again: it is not held in memory.
    reader : {"own", "dpkt"}
        ``"dpkt"`` reads and decodes with dpkt alone: slow, and independent of everything compiled.
    link_type : int, optional
        LINKTYPE number of an iterable of packets that does not tell its own.
    verify_checksums : bool
        Segments with a wrong checksum are marked and have no effect, unless the pattern is that of offloading.
    idle_timeout_ns : int
        Split a connection after so much silence; 0 never does.
    msl2_ns : int
        2MSL, for which a closed connection is remembered (RFC 9293 section 3.4.2); Linux keeps TIME-WAIT for 60 s.
    limits : Limits
        Bounds on memory; a bound that is reached is told by `Trace.captures` and marked where it has an effect.
    batch_size : int
        Segments handled together.  Changes nothing but speed.
    overlaps : bool
        Compare octets that come again with those captured before (`seq_overlap_diff`): the last 64 KiB of each of the
        1,024 directions that sent last are held.  Slower.
    resync : bool
        After damage in the middle of a pcap or pcapng file, go on at the next place that looks like a packet, instead
        of stopping.  What was left out is told (`cap_gap` in `events`; the `captures` table), and the first segment of
        each connection after it is marked ``after_gap`` in the timeline.
    progress : callable, optional
        Called with the bytes read and their total (None if not known).

    Returns
    -------
    Trace

    Raises
    ------
    UnreadableError
        When no packet can be had from the input.  A damaged capture is no error: see `Trace.status`.
    """
    options = Options(
        reader, link_type, verify_checksums, msl2_ns, idle_timeout_ns, batch_size, overlaps, resync, limits
    )
    return Trace(_joined(source), options, frozenset([tables] if isinstance(tables, str) else tables), progress)


def _joined(source: Any) -> Any:
    """The set of files that a source stands for, if it does."""
    if isinstance(source, str) and source.endswith("+"):
        from tcptrace_py.capture.rotation import set_named  # here: few ask for it

        return set_named(source) or source
    if isinstance(source, (list, tuple)) and source and all(isinstance(each, (str, os.PathLike)) for each in source):
        from tcptrace_py.capture import CaptureSet

        return CaptureSet(tuple(map(os.fspath, source)))
    return source


def follow(path: str | os.PathLike[str]) -> Following:
    """A capture that is still being written, as a file object for `stream` or `analyze` that waits for more.

    Parameters
    ----------
    path : str or path
        A file that grows, a named pipe, or ``"-"`` for standard input.

    Returns
    -------
    Following
        It ends when the pipe is closed, the file is cut off, replaced or removed (then the result is ``partial``), or
        somebody calls its `stop()`.
    """
    from tcptrace_py.capture.following import Following

    return Following(path)


def stream(source: Any, **options: Any) -> Iterator[Connection]:
    """The connections of an input, each as it ends, in bounded memory.

    Parameters
    ----------
    source, **options
        As for `analyze`; no table is kept.

    Yields
    ------
    Connection
        In the order in which connections end: when both ends have been closed for 2MSL in capture time, or with the
        capture.  Its `record` is there at once; its segments are read from the file again when they are asked for.
    """
    from tcptrace_py.tables.build import Instances, connection

    chosen, source = replace(DEFAULT, **options), _joined(source)
    path = name_of(source)
    instances = Instances()

    @functools.cache
    def again() -> Trace:
        if not rereadable(source):
            raise UsageError(f"{path} cannot be read again: analyze(..., tables=['timeline']) keeps its segments")
        return Trace(source, chosen, frozenset(), before=ended[0] if ended else None)

    ended: list[pipeline.Pass] = []
    for done in pipeline.steps(source, chosen, keep=frozenset({"connections"})):
        if done.extent:
            ended.append(done)
        for conn in done.tracker.finished:
            yield Connection(conn.conn_id, again, connection(done, conn, path, instances))
        done.tracker.finished.clear()

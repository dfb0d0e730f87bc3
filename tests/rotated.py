"""Captures cut into files, as programs that rotate them do, for the tests of sets."""

from __future__ import annotations

from itertools import pairwise

from tcptrace_py.capture import open_capture
from tests.containers import pcap


def packets_of(path):
    """Time and frame of every packet, and the link type."""
    packets, link = [], None
    with open_capture(path) as reader:
        for frames in reader:
            link = frames.link[0]
            for at, size, time in zip(frames.offset, frames.captured, frames.time_ns[: frames.n], strict=False):
                packets.append((time, bytes(frames.buffer[at : at + size])))
    return packets, link


def cut_packets(packets, link, folder, pieces):
    """The packets in so many files, as `dumpcap -b` names them, and all in one beside them."""
    folder.mkdir(exist_ok=True)
    bounds = [len(packets) * n // pieces for n in range(pieces + 1)]
    cuts = [(at, after) for at, after in pairwise(bounds) if at < after]
    names = []
    for n, (at, after) in enumerate(cuts, 1):
        name = folder / f"ring_{n:05d}_{20261126000000 + n}.pcap"
        name.write_bytes(pcap(packets[at:after], link=link, unit=1))
        names.append(str(name))
    whole = folder / "whole.pcap"
    whole.write_bytes(pcap(packets, link=link, unit=1))
    return names, str(whole)


def cut(path, folder, pieces):
    """The same for the packets of a capture."""
    return cut_packets(*packets_of(path), folder, pieces)

"""Inputs to begin with: sound and spoilt, made from our own fixtures and hand-made packets alone."""

from __future__ import annotations

from tests import packets as p
from tests.fuzz.targets import LINKS
from tests.robustness.test_decode_mutants import OPTIONS, SAMPLES
from tests.spoiling import files
from tests.spoiling.frames import ours


def spoilt_of_ours(target, chance):
    """An input of some hundred octets for this target."""
    data = _SOUND[target](chance)
    for _ in range(chance.choice((0, 1, 1, 3))):
        data = chance.choice((files.flip, files.octet, files.number, files.cut, files.taken_out))(chance, data or b"\0")
    return data[:4096]


def _records(chance):
    link, records = chance.choice(ours())
    return link, records[: chance.randrange(1, 6)]


def _pcap(chance):
    link, records = _records(chance)
    return files.as_pcap(chance, records, link)


def _pcapng(chance):
    link, records = _records(chance)
    return files.many_blocks(chance, records, link)


def _text(chance):
    lines = list(files.TEXT)
    chance.shuffle(lines)
    return "\n".join(lines[: chance.randrange(1, 6)]).encode()


def _frame(chance):
    frame, link = chance.choice([(frame, link) for frame, link in SAMPLES if link in LINKS])
    return bytes([LINKS.index(link), 255]) + frame


def _options(chance):
    at = chance.randrange(len(OPTIONS))
    return (OPTIONS[at:] + p.sack((1, 2), (5, 9)) + OPTIONS[:at])[:40]


def _tracker(chance):
    """An opening, then anything."""
    opening = bytes.fromhex("0402001000ff000200010400800300100011000000018400000011001100000001".ljust(66, "0"))
    return opening[:30] + chance.randbytes(10 * chance.randrange(1, 12))


_SOUND = {"pcap": _pcap, "pcapng": _pcapng, "text": _text, "frame": _frame, "options": _options, "tracker": _tracker}

"""Inputs 28 to 38: pcapng, through the command, from a file and through a pipe."""

import struct

import pytest

from tests.containers import block, enhanced, interface, obsolete, option, pcapng, section, simple, tsoffset, tsresol
from tests.packets import sll
from tests.robustness.hostile.door import FRAMES, PACKETS, TEN, TIMES, Door

MICRO = [time // 1000 * 1000 for time in TIMES]
BEFORE = pcapng(TEN[:5])  # what every damaged file begins with
AFTER = b"".join(enhanced(time // 1000, frame) for time, frame in TEN[5:])
TOO_MANY = 100_000


@pytest.fixture
def story(tmp_path):
    return Door("file", tmp_path)(pcapng(TEN)).story


@pytest.mark.parametrize("order", ["<", ">"], ids=["28", "29"])
def test_28_29_byte_orders(analyze, story, order):
    answer = analyze(pcapng(TEN, order))
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)
    assert answer.capture["format"] == ("pcapng" if order == "<" else "pcapng big-endian")


def test_29_two_interfaces_with_clocks_of_their_own(analyze, story):
    data = section() + interface() + interface(options=tsresol(9))
    for n, (time, frame) in enumerate(TEN):
        data += enhanced(time if n % 2 else time // 1000, frame, number=n % 2)
    answer = analyze(data)
    assert (answer.code, answer.story) == (0, story)
    assert answer.times == [time if n % 2 else time // 1000 * 1000 for n, time in enumerate(TIMES)]
    assert [row["interface"] for row in answer.timeline] == [0, 1] * 5


def test_30_a_clock_of_powers_of_two(analyze, story):
    units = [time * 2**20 // 10**9 for time in TIMES]
    answer = analyze(
        section()
        + interface(options=tsresol(0x80 | 20))
        + b"".join(enhanced(unit, frame) for unit, frame in zip(units, FRAMES, strict=True))
    )
    assert (answer.code, answer.story) == (0, story)
    assert answer.times == [unit * 10**9 // 2**20 for unit in units]
    assert answer.capture["notes"][0].startswith("10 packets with an odd time")


@pytest.mark.parametrize("offset", [1_000_000_000, -5])
def test_31_tsoffset(analyze, story, offset):
    data = section() + interface(options=tsresol(9) + tsoffset(offset))
    data += b"".join(enhanced(time - offset * 10**9, frame) for time, frame in TEN)
    answer = analyze(data)
    assert (answer.code, answer.times, answer.story) == (0, TIMES, story)


def test_32_two_sections_of_either_byte_order(analyze, story):
    answer = analyze(pcapng(TEN[:5]) + pcapng(TEN[5:], ">"))
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)
    assert [row["interface"] for row in answer.timeline] == [0] * 5 + [1] * 5


def test_33_simple_packet_blocks(analyze, story):
    answer = analyze(section() + interface() + b"".join(map(simple, FRAMES)))
    assert (answer.code, answer.times, answer.story) == (0, [None] * 10, story)
    assert {tuple(row["marks"]) for row in answer.timeline} == {("no_time",)}
    assert answer.capture["notes"] == ["10 packets without a time"]
    assert (answer.capture["first_time"], answer.capture["last_time"]) == (None, None)


def test_34_obsolete_packet_blocks(analyze, story):
    answer = analyze(section() + interface() + b"".join(obsolete(time // 1000, frame) for time, frame in TEN))
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)


@pytest.mark.parametrize(
    "other",
    [
        block(0x0BAD, struct.pack("<I", 32473) + b"custom, may be copied"),
        block(0x40000BAD, struct.pack("<I", 32473) + b"custom, not to be copied"),
        block(0x7777, b"unknown"),
        block(5, struct.pack("<III", 0, 0, 0) + option(0, b"")),
        block(4, struct.pack("<HH", 1, 9) + b"\x0a\0\0\1host\0" + b"\0\0\0" + struct.pack("<HH", 0, 0)),
        block(10, struct.pack("<II", 0x544C534B, 4) + b"key\n"),
    ],
    ids=["custom", "custom-private", "unknown", "statistics", "names", "secrets"],
)
def test_35_blocks_without_packets(analyze, story, other):
    data = section() + other + interface() + other
    data += b"".join(enhanced(time // 1000, frame) + other for time, frame in TEN)
    answer = analyze(data)
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)


def test_36_packet_before_its_interface(analyze):
    answer = analyze(section() + AFTER)
    said = "damaged in the block of frame 1 at byte 28 (interface 0 is not described)"
    assert (answer.code, answer.said) == (3, f"{said}; 0 packets kept")
    assert (answer.capture["reason"], answer.capture["packets_read"]) == ("bad_interface", 0)


def test_36_interface_that_is_not_there(analyze, story):
    answer = analyze(BEFORE + enhanced(1, FRAMES[5], number=7) + AFTER)
    said = f"damaged in the block of frame 6 at byte {len(BEFORE)} (interface 7 is not described)"
    assert (answer.code, answer.said) == (3, f"{said}; 5 packets kept")
    assert answer.story == story[:5]


WRONG = {
    "length 0": (enhanced(1, b"x", length=0), "bad_length", "block length 0", []),
    "length 4": (enhanced(1, b"x", length=4), "bad_length", "block length 4", []),
    "length 4 G - 4": (enhanced(1, b"x", length=2**32 - 4), "bad_length", "block length 4294967292", ["max_block: 1"]),
    "trailer": (enhanced(1, b"x", trailer=40), "bad_trailer", "its two lengths differ", []),
    "captured": (enhanced(1, b"x", captured=5000), "bad_length", "captured length 5000 is more than the block", []),
    "option": (
        enhanced(1, b"x", options=option(2, b"\0\0\0\0", length=400)),
        "bad_option",
        "an option is longer than the block",
        [],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_37_impossible_blocks(analyze, story, name):
    wrong, reason, why, limits = WRONG[name]
    answer = analyze(BEFORE + wrong + AFTER)
    said = f"damaged in the block of frame 6 at byte {len(BEFORE)} ({why})"
    assert (answer.code, answer.said) == (3, f"{said}; 5 packets kept")
    assert (answer.capture["reason"], answer.capture["offset"]) == (reason, len(BEFORE))
    assert answer.capture["limits"] == limits
    assert answer.story == story[:5]
    resumed = analyze(BEFORE + wrong + AFTER, "--resync")
    assert (resumed.code, resumed.story) == (3, story)
    assert [row["marks"] for row in resumed.timeline] == [[]] * 5 + [["after_gap"]] + [[]] * 4


def test_37_impossible_clock(analyze, story):
    answer = analyze(BEFORE + interface(options=tsresol(0xFF)) + AFTER)
    said = f"damaged in a block at byte {len(BEFORE)} (clock unit 2^-127)"
    assert (answer.code, answer.said) == (3, f"{said}; 5 packets kept")
    assert answer.capture["limits"] == ["max_clock_exponent: 1"]
    assert answer.story == story[:5]


def test_37_a_hundred_thousand_interfaces(analyze, story):
    answer = analyze(BEFORE + interface(options=option(2, b"eth0")) * TOO_MANY + AFTER)
    assert answer.code == 3
    assert answer.said.endswith(" (more than 65536 interfaces); 5 packets kept")
    assert answer.capture["limits"] == ["max_interfaces: 1"]
    assert answer.story == story[:5]


def test_38_two_link_types_and_snap_lengths(analyze, story):
    data = section() + interface(1, snaplen=96) + interface(113, snaplen=60)
    for n, time in enumerate(TIMES):
        frame = sll(PACKETS[n]) if n % 2 else FRAMES[n]
        data += enhanced(time // 1000, frame[: 60 if n % 2 else 96], number=n % 2, original=len(frame))
    answer = analyze(data)
    assert (answer.code, answer.times, answer.story) == (0, MICRO, story)
    assert answer.capture["link_types"] == ["1", "113"]


def test_38_one_interface_that_is_not_decoded(analyze, story):
    """The other interfaces are analysed all the same."""
    data = section() + interface(1) + interface(189)
    for time, frame in TEN:
        data += enhanced(time // 1000, frame) + enhanced(time // 1000, b"\0" * 48, number=1)
    answer = analyze(data)
    said = "link type 189 (USB_LINUX) is not decoded: 10 packets not used"
    assert (answer.code, answer.said) == (3, f"{said}; 20 packets kept")
    assert (answer.capture["status"], answer.capture["reason"]) == ("partial", "unsupported_link")
    assert (answer.times, answer.story) == (MICRO, story)

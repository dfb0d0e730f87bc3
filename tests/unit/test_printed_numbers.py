"""Relative numbers in print, made absolute: both SYNs, one, none; -S; resets; reused pairs; several runs."""

from collections import Counter

from tcptrace_py.decode import _batch as b
from tcptrace_py.decode.printed import PrintedDecoder

AB, BA = "10.0.0.1.5 > 10.0.0.2.80", "10.0.0.2.80 > 10.0.0.1.5"
J, K = 3626544836, 4294967290


def numbers(*lines):
    """(seq, ack) of each line; None for what is not printed."""
    decoder = PrintedDecoder(Counter())
    got = [decoder.decode(f"IP {line}, win 512, length 0") for line in lines]
    return [
        (None if packet.marks & b.NO_SEQ else packet.seq, packet.ack if packet.flags & 16 else None) for packet in got
    ]


HANDSHAKE = (f"{AB}: Flags [S], seq {J}", f"{BA}: Flags [S.], seq {K}, ack {J + 1}")
ABSOLUTE = [(J, None), (K, J + 1)]


def test_after_a_handshake():
    got = numbers(
        *HANDSHAKE,
        f"{AB}: Flags [.], ack 1",
        f"{AB}: Flags [P.], seq 1:11, ack 1",
        f"{BA}: Flags [F.], seq 1:21, ack 11",
    )
    assert got == [*ABSOLUTE, (None, K + 1), (J + 1, K + 1), (K + 1, J + 11)]


def test_past_the_wrap():
    assert numbers(*HANDSHAKE, f"{BA}: Flags [P.], seq 5:15, ack 1", f"{AB}: Flags [.], ack 15")[2:] == [
        (K + 5, J + 1),
        (None, (K + 15) % 2**32),
    ]


def test_printed_with_absolute_numbers():
    got = numbers(*HANDSHAKE, f"{AB}: Flags [.], ack {K + 1}", f"{AB}: Flags [P.], seq {J + 1}:{J + 11}, ack {K + 1}")
    assert got == [*ABSOLUTE, (None, K + 1), (J + 1, K + 1)]


def test_small_initial_numbers_are_told_apart():
    syns = (f"{AB}: Flags [S], seq 100", f"{BA}: Flags [S.], seq 500, ack 101")
    assert numbers(*syns, f"{AB}: Flags [P.], seq 1:11, ack 1")[2] == (101, 501)
    assert numbers(*syns, f"{AB}: Flags [P.], seq 101:111, ack 501")[2] == (101, 501)


def test_a_reset_without_ack_is_absolute_one_with_it_is_not():
    got = numbers(
        *HANDSHAKE, f"{AB}: Flags [.], ack 1", f"{AB}: Flags [R], seq {J + 1}", f"{AB}: Flags [R.], seq 1, ack 1"
    )
    assert got[3:] == [(J + 1, None), (J + 1, K + 1)]


def test_without_the_syn_ack():
    """The first ACK is printed as it is, without its number, which after a SYN is known."""
    got = numbers(
        HANDSHAKE[0], f"{AB}: Flags [.], ack {K + 1}", f"{AB}: Flags [P.], seq 0:10, ack 1", f"{BA}: Flags [.], ack 10"
    )
    assert got[1:] == [(None, K + 1), (J + 1, K + 1), (None, J + 11)]


def test_in_the_middle_data_first():
    got = numbers(
        f"{AB}: Flags [P.], seq {J}:{J + 10}, ack {K}",
        f"{BA}: Flags [P.], seq 1:5, ack 10",
        f"{AB}: Flags [.], seq 10:20, ack 5",
    )
    assert got == [(J, K), (K, J + 10), (J + 10, K + 4)]


def test_in_the_middle_bare_ack_first_leaves_one_side_relative():
    got = numbers(f"{AB}: Flags [.], ack {K}", f"{BA}: Flags [P.], seq 1:5, ack 1", f"{AB}: Flags [P.], seq 1:9, ack 5")
    assert got[0] == (None, K)
    assert got[2] == (1, K + 4)
    assert got[1][1] == 1


def test_a_refused_connection_on_a_pair_used_before():
    """SYNs are not looked up; the RST+ACK is, and printed less the old connection's numbers."""
    again = 7
    got = numbers(
        *HANDSHAKE,
        f"{AB}: Flags [.], ack 1",
        f"{AB}: Flags [S], seq {again}",
        f"{BA}: Flags [R.], seq {-K % 2**32}, ack {(again + 1 - J) % 2**32}",
    )
    assert got[3:] == [(again, None), (0, again + 1)]


def test_a_new_handshake_renews_the_bases():
    second = (
        f"{AB}: Flags [S], seq 1000",
        f"{BA}: Flags [S.], seq 2000, ack 1001",
        f"{AB}: Flags [P.], seq 1:2, ack 1",
    )
    assert numbers(*HANDSHAKE, f"{AB}: Flags [.], ack 1", *second)[3:] == [(1000, None), (2000, 1001), (1001, 2001)]


def test_a_syn_ack_makes_tcpdump_forget_the_pairs_behind_it():
    """There are 919 chains; ports 80 and 1000, and 80 and 1919, share one."""
    low, high = "10.0.0.2.80 > 10.0.0.1.1000", "10.0.0.2.80 > 10.0.0.1.1919"
    assert (80 << 16 | 1000) % 919 == (80 << 16 | 1919) % 919
    got = numbers(
        f"{low}: Flags [S.], seq 100, ack 1000",
        f"{high}: Flags [S.], seq {K}, ack {J}",
        f"{high}: Flags [P.], seq 1:2, ack 1",
        f"{low}: Flags [S.], seq 300, ack 3000",
        f"{high}: Flags [P.], seq 1000:1001, ack 2000",  # printed as it is, and a base again
        f"{high}: Flags [P.], seq 1:2, ack 1",
    )
    assert got[2] == (K + 1, J)
    assert got[4:] == [(1000, 2000), (1001, 2000)]


def test_another_run_of_tcpdump_in_the_same_text():
    got = numbers(
        *HANDSHAKE,
        f"{AB}: Flags [.], ack 1",
        f"{AB}: Flags [P.], seq {J + 1}:{J + 5}, ack {K + 1}",
        f"{AB}: Flags [P.], seq 4:6, ack 1",
    )
    assert got[3:] == [(J + 1, K + 1), (J + 5, K + 1)]


def test_sack_edges_are_relative_even_where_ack_is_not():
    decoder = PrintedDecoder(Counter())
    first = decoder.decode(f"IP {AB}: Flags [.], ack {K}, win 5, options [nop,nop,sack 1 {{101:201}}], length 0")
    assert first.sack == [((K + 100) % 2**32, (K + 200) % 2**32)]
    later = decoder.decode(f"IP {AB}: Flags [.], ack 1, win 5, options [nop,nop,sack 1 {{301:401}}], length 0")
    assert later.sack == [((K + 300) % 2**32, (K + 400) % 2**32)]


def test_addresses_and_ports_are_told_apart_in_both_families():
    six = "2001:db8::1.5 > 2001:db8::2.80", "2001:db8::2.80 > 2001:db8::1.5"
    got = numbers(
        *HANDSHAKE,
        f"{six[0]}: Flags [S], seq 1",
        f"{six[1]}: Flags [S.], seq 2, ack 2",
        f"{six[0]}: Flags [P.], seq 1:2, ack 1",
        f"{AB}: Flags [P.], seq 1:2, ack 1",
    )
    assert got[4:] == [(2, 3), (J + 1, K + 1)]

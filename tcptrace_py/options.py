"""How captures are read and followed: every option and every bound, declared once.

The ground floor, with `vocabulary`.  `analyze`, the command line and the catalog have them from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from tcptrace_py.errors import UsageError

MOST = (1 << 31) - 1
MOST_OCTETS = (1 << 63) - 1


class Bound(NamedTuple):
    """A bound on what hostile or endless input may take: its name, default and least value, and what it does.

    How often it was reached stands in the column `limits` of the `captures` table; of `max_repeats`, in `events`.
    `mark` is the finding on the connections that it touched (empty: it touches packets or the input, which are
    counted by reason).
    """

    name: str
    default: int
    meaning: str
    reached: str
    mark: str
    least: int


def _bound(default: int, meaning: str, reached: str, *, mark: str = "", least: int = 1) -> Any:
    told = {"meaning": meaning, "reached": reached, "mark": mark, "least": least}
    return field(default=default, metadata=told)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on memory and time; `BOUNDS` says what each means and what happens where it is reached.

    Results depend on them only where one is reached, which the tables tell.

    Raises
    ------
    UsageError
        For a value below the least that makes sense.
    """

    max_connections: int = _bound(
        200_000,
        "connections held open at once",
        "a quarter of them leave early: those closed, then half-open ones, then the longest idle",
        mark="evicted",
    )
    max_ranges: int = _bound(
        1024,
        "runs of octets of a direction beyond a hole",
        "the two farthest become one, and the hole between them is given up",
        mark="holes_capped",
        least=2,
    )
    max_unacked: int = _bound(
        8192,
        "transmissions of a direction whose ACK is awaited",
        "the oldest gives no RTT sample",
        mark="rtt_sampling_limited",
        least=8,
    )
    max_repeats: int = _bound(
        25,
        "events of one kind of one connection in the `events` table",
        "the others are counted in one event more; the timeline has them all",
    )
    max_amendments: int = _bound(
        2_000_000,
        "corrections by later evidence that are remembered for the timeline",
        "later ones are counted in the totals, and the timeline shows what was known before",
    )
    max_datagrams: int = _bound(
        4096,
        "fragmented IP datagrams held at once",
        "the oldest is given up; its packets count as unused_fragment",
    )
    max_fragment_octets: int = _bound(
        64 << 20,
        "octets of all fragmented IP datagrams together, with what a piece itself takes",
        "the oldest is given up; its packets count as unused_fragment",
    )
    max_tunnels: int = _bound(4, "tunnels inside each other", "the packet is not used", least=0)
    max_vlans: int = _bound(8, "VLAN tags of a packet", "the packet is not used", least=0)
    max_extension_headers: int = _bound(16, "IPv6 extension headers of a packet", "the packet is not used", least=0)
    max_networks: int = _bound(131_072, "tunnels told apart by their numbers", "those beyond are one: others")
    max_pairs: int = _bound(
        1 << 20, "pairs of endpoints remembered while following", "the oldest is forgotten: its instance is 0 again"
    )
    max_record: int = _bound(
        262_144,
        "captured octets of a packet in pcap and snoop, unless the header's snaplen is more (up to 16 MiB)",
        "the input counts as damaged there",
    )
    max_block: int = _bound(16 << 20, "octets of a pcapng block", "the input counts as damaged there", least=32)
    max_interfaces: int = _bound(65_536, "interfaces of a pcapng file", "the input counts as damaged there")
    max_zstd_window: int = _bound(
        128 << 20, "octets of memory that zstd data may want", "the input counts as damaged there", least=1 << 10
    )
    max_xz_memory: int = _bound(
        256 << 20, "octets of memory that xz data may want", "the input counts as damaged there", least=1 << 16
    )
    max_uncompressed: int = _bound(
        0, "octets inside a compressed input; 0: any number", "the input counts as cut short there", least=0
    )

    def __post_init__(self) -> None:
        for bound in BOUNDS:
            value = getattr(self, bound.name)
            most = MOST_OCTETS if bound.name == "max_uncompressed" else MOST
            if not bound.least <= value <= most:
                raise UsageError(f"{bound.name} is from {bound.least} to {most}, not {value}")


BOUNDS = tuple(
    Bound(
        one.name,
        one.default,  # type: ignore[arg-type]  # every field of Limits has a number
        one.metadata["meaning"],
        one.metadata["reached"],
        one.metadata["mark"],
        one.metadata["least"],
    )
    for one in fields(Limits)
)


FIXED = {
    name: Bound(name, value, meaning, reached, "", value)
    for name, value, meaning, reached in (
        ("max_compressions", 2, "compressions inside each other", "the input is not read"),
        ("max_interface_name", 256, "octets of an interface's name", "the name is cut"),
        ("max_clock_exponent", 18, "digits of a clock unit of pcapng (63 binary ones)", "the input counts as damaged"),
        ("max_gaps_told", 1000, "stretches left out by --resync that are told one by one", "the others are counted"),
        ("max_text", 1 << 20, "octets of printed text without a line's end", "they are left out"),
        ("max_lines", 16, "lines of a printed packet", "the others are left out"),
        ("max_line", 4096, "octets of a printed line", "the rest is left out"),
        (
            "max_remembered_syns",
            1 << 16,
            "printed SYNs remembered",
            "the oldest is forgotten: its numbers stay relative",
        ),
        (
            "max_remembered_pairs",
            1 << 18,
            "printed pairs remembered",
            "the oldest is forgotten: its numbers stay relative",
        ),
        ("max_peeled", 24, "headers of a packet other than Ethernet, VLAN, IP, TCP", "the packet is not used"),
        ("max_gtp_extensions", 8, "extension headers of GTP-U", "the packet is not used"),
        ("max_quoted_extensions", 8, "extension headers of a quoted IPv6 packet", "the quotation is not used"),
        ("max_parts", 64, "packets of an 802.11 aggregate", "the others are left out"),
        ("max_datagram", 65_535, "octets of a joined datagram", "its packets count as unused_fragment"),
        ("fragment_timeout", 60, "seconds that fragments are waited for", "they count as unused_fragment"),
        ("max_members", 100_000, "members of an archive that `tcpflows batch` reads", "the others are left out"),
        ("max_nesting", 2, "a compression, and an archive in it", "an archive in an archive is not opened"),
    )
}
"""Bounds that a format sets, or that lie so far beyond use that there is no option for them."""


def _option(default: Any, flag: str, help: str, *, least: int | None = None) -> Any:  # noqa: A002 - as typer names it
    return field(default=default, metadata={"flag": flag, "help": help, "least": least})


@dataclass(frozen=True, slots=True)
class Options:
    """How to read and to follow; the same options give the same result.

    A field whose flag is empty has no place on the command line.
    """

    reader: Literal["own", "dpkt"] = _option("own", "--reader", "Who reads: dpkt is slow, and independent.")
    link_type: int | None = _option(None, "--link-type", "Take frames for this link type (a number).", least=0)
    verify_checksums: bool = _option(True, "--checksums/--no-checksums", "Set segments with a wrong checksum aside.")
    msl2_ns: int = _option(60_000_000_000, "--msl2", "How long TIME_WAIT lasts (2MSL).", least=0)
    idle_timeout_ns: int = _option(0, "--idle-timeout", "Split a connection idle that long; 0 never does.", least=0)
    batch_size: int = _option(4096, "", "Segments handled together.", least=1)
    overlaps: bool = _option(False, "--overlaps", "Compare octets that come again with those before (slower).")
    resync: bool = _option(False, "--resync", "After damage, go on at the next packet that makes sense.")
    limits: Limits = field(default=Limits(), metadata={"flag": "", "help": "Bounds on memory and time.", "least": None})

    @classmethod
    def of(cls, values: dict[str, Any]) -> Options:
        """The options that `dataclasses.asdict` has made `values` of."""
        return cls(**values | {"limits": Limits(**values["limits"])})

    def __post_init__(self) -> None:
        for one in fields(self):
            least, value = one.metadata["least"], getattr(self, one.name)
            if least is not None and value is not None and value < least:
                raise UsageError(f"{one.name} is at least {least}, not {value}")
        if self.reader not in ("own", "dpkt"):
            raise UsageError(f"reader is 'own' or 'dpkt', not {self.reader!r}")
        if self.resync and self.reader == "dpkt":
            raise UsageError("resync is for our own reader: dpkt's stops where it stops")

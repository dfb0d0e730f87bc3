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
    max_tunnels: int = _bound(4, "tunnels inside each other", "the packet is not used", least=0)
    max_vlans: int = _bound(8, "VLAN tags of a packet", "the packet is not used", least=0)
    max_extension_headers: int = _bound(16, "IPv6 extension headers of a packet", "the packet is not used", least=0)
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

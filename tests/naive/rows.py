"""What the twins of the tracker read: one connection's segments with their true numbers, which nobody had to unwrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.seg import Script
    from tests.tiny_network import Network

FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclass(frozen=True)
class Row:
    """A captured segment; numbers relative to the ISN of their direction, times in ns."""

    time: int
    side: int  # 0 client, 1 server
    flags: int
    seq: int
    ack: int | None
    size: int
    window: int  # as in the header
    ip_id: int
    tsval: int | None = None
    tsecr: int | None = None
    sack: tuple[tuple[int, int], ...] = ()
    ttl: int = 64
    mss: int | None = None
    wscale: int | None = None
    sack_permitted: bool = False
    cookie: str | None = None  # of a Fast Open option
    sum_is_bad: bool = False

    @property
    def end(self) -> int:
        """The number after its last one: SYN and FIN count."""
        return self.seq + self.size + self.syn + self.fin

    @property
    def syn(self) -> bool:
        return bool(self.flags & SYN)

    @property
    def fin(self) -> bool:
        return bool(self.flags & FIN)

    @property
    def rst(self) -> bool:
        return bool(self.flags & RST)

    @property
    def bare_syn(self) -> bool:
        return self.syn and self.ack is None

    @property
    def syn_ack(self) -> bool:
        return self.syn and self.ack is not None

    @property
    def takes(self) -> bool:
        """Does it take numbers?"""
        return self.end > self.seq

    @property
    def numbers(self) -> set[int]:
        return set(range(self.seq, self.end))

    @property
    def octets(self) -> set[int]:
        """The numbers of its payload."""
        return set(range(self.seq + self.syn, self.seq + self.syn + self.size))


def of_network(network: Network) -> list[Row]:
    """What passed the capture point of the simulated network."""
    made = []
    for one in network.seen:
        packet = one.packet
        stamped = packet.tsecr is not None
        made.append(
            Row(
                one.time,
                packet.sender,
                packet.flags,
                packet.seq,
                packet.ack if packet.flags & ACK else None,
                packet.size,
                packet.window,
                packet.ip_id * network.habits.ids,
                packet.tsval if stamped else None,
                packet.tsecr,
                packet.sack,
                wscale=network.habits.shift if packet.flags & SYN else None,
                sack_permitted=network.habits.sack and bool(packet.flags & SYN),
            )
        )
    return made


def of_script(script: Script, first_id: int = 100) -> list[Row]:
    """The lines of a scenario."""
    made: list[Row] = []
    now = 0
    for seg in script.segments:
        now += seg.after_ns
        side = int(seg.way == "<")
        options = {name: values for name, *values in map(str.split, filter(str.strip, seg.options.split(",")))}
        counted = first_id + sum(row.side == side for row in made)
        stamp = options.get("TS")
        made.append(
            Row(
                now,
                side,
                seg.flags,
                seg.seq,
                seg.ack if seg.flags & ACK else None,
                seg.size,
                seg.win,
                int(seg.packet.get("id", counted)),
                int(stamp[1]) if stamp else None,
                int(stamp[3]) if stamp else None,
                tuple(tuple(map(int, block.split(":"))) for block in options.get("sack", ())),  # type: ignore[misc]
                int(seg.packet.get("ttl", 64)),
                int(options["mss"][0]) if "mss" in options else None,
                int(options["wscale"][0]) if "wscale" in options else None,
                "sackOK" in options,
                "".join(options["FO"]) if "FO" in options else None,
                sum_is_bad=seg.packet.get("sum") == "bad",
            )
        )
    return made

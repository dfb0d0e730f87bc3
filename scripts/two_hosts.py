"""Two real TCP hosts of the Linux kernel, and a path between them that errs on command.

Each host is an unnamed network namespace with one TUN device; this process carries the packets between the two
devices, delays, loses, doubles or overtakes them as the recipe says, and writes down what passes the capture point.
So what the network did is known, and what the endpoints did is the kernel's own doing.
Needs Linux, root, iproute2 and /dev/net/tun.  The namespaces have no names and end with the process.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FIN, SYN, RST, PSH, ACK = (1 << bit for bit in range(5))
NEW_NET = 0x40000000  # CLONE_NEWNET
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SO_TIMESTAMPNS = 35
OUTGOING = 4  # PACKET_OUTGOING
RAW, ETHERNET = 101, 1  # LINKTYPE numbers
CLIENT, SERVER = "10.9.0.1", "10.9.0.2"
CLIENT_6, SERVER_6 = "fd00:9::1", "fd00:9::2"
PORT = 80
LIBC = ctypes.CDLL(None, use_errno=True)


def _into(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Host:
    """A network namespace with one TUN device; `with host:` sockets that are made belong to it."""

    def __init__(self, *addresses: str) -> None:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _into(LIBC.unshare(NEW_NET))
        self.inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.outside = home
        try:
            self.tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
            self.sysctl("net.ipv4.tcp_congestion_control", "reno")
            for address in addresses:
                options = ["nodad"] if ":" in address else []
                _ip("address", "add", address, "dev", "tun0", *options)
            _ip("link", "set", "lo", "up")
            _ip("link", "set", "tun0", "up")
        finally:
            self.__exit__()

    def __enter__(self) -> None:
        _into(LIBC.setns(self.inside, NEW_NET))

    def __exit__(self, *_: object) -> None:
        _into(LIBC.setns(self.outside, NEW_NET))

    def sysctl(self, name: str, value: str) -> None:
        """Set a kernel parameter of the namespace that the thread is in."""
        Path("/proc/sys", *name.split(".")).write_text(value)

    def socket(self, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        """A TCP socket of this host that sends every write at once."""
        with self:
            made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return made

    def close(self) -> None:
        """Leave nothing: without an open descriptor the namespace ends."""
        for descriptor in (self.tun, self.inside, self.outside):
            os.close(descriptor)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass(frozen=True)
class Packet:
    """An IP packet with TCP inside, and the few of its fields that faults are chosen by."""

    data: bytes
    flags: int
    payload: int

    @classmethod
    def of(cls, data: bytes) -> Packet | None:
        """None for what is not TCP."""
        if data[0] >> 4 == 4:
            header, protocol, length = (data[0] & 15) * 4, data[9], int.from_bytes(data[2:4], "big")
        else:
            header, protocol, length = 40, data[6], 40 + int.from_bytes(data[4:6], "big")
        if protocol != socket.IPPROTO_TCP:
            return None
        return cls(data, data[header + 13], length - header - (data[header + 12] >> 4) * 4)


@dataclass
class Fault:
    """What the path does to the packets one way that match: those after the first `skip`, `times` of them.

    `delays` are seconds beyond the path's own: none is a loss, two are a duplicate, a large one is overtaken.
    """

    way: str
    match: Callable[[Packet], bool]
    delays: tuple[float, ...] = ()
    skip: int = 0
    times: int = 1
    met: int = field(default=0, init=False)

    def takes(self, way: str, packet: Packet) -> bool:
        """Whether this packet is one of them."""
        if way != self.way or not self.match(packet):
            return False
        self.met += 1
        return self.skip < self.met <= self.skip + self.times


def syn(packet: Packet) -> bool:
    """Whether it is a SYN or SYN-ACK."""
    return bool(packet.flags & SYN)


def fin(packet: Packet) -> bool:
    """Whether it is a FIN."""
    return bool(packet.flags & FIN)


def data(packet: Packet) -> bool:
    """Whether it carries payload."""
    return packet.payload > 0


def any_packet(_: Packet) -> bool:
    """Every packet."""
    return True


class Wire(threading.Thread):
    """Carries packets between the two devices, and writes down what passes the capture point."""

    def __init__(self, client: Host, server: Host, recipe: Recipe) -> None:
        super().__init__(daemon=True)
        self.tuns = {"c2s": (client.tun, server.tun), "s2c": (server.tun, client.tun)}
        self.recipe = recipe
        self.faults = recipe.faults()
        self.waiting: list[tuple[float, int, str, bytes]] = []
        self.number = count()
        self.records: list[tuple[int, bytes]] = []
        self.over = False

    def run(self) -> None:
        """Carry until `over`."""
        sources = {tuns[0]: way for way, tuns in self.tuns.items()}
        while not self.over:
            pause = self.waiting[0][0] - time.monotonic() if self.waiting else 0.02
            ready, _, _ = select.select(list(sources), [], [], min(max(pause, 0), 0.02))
            for tun in ready:
                self.take(os.read(tun, 65536), sources[tun])
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                _, _, way, packet = heapq.heappop(self.waiting)
                os.write(self.tuns[way][1], packet)
                self.note(packet, way, "out")

    def take(self, octets: bytes, way: str) -> None:
        """A packet enters the path."""
        packet = Packet.of(octets)
        if packet is None:
            return
        self.note(octets, way, "in")
        delays: tuple[float, ...] = (0,)
        for fault in self.faults:
            if fault.takes(way, packet):
                delays = fault.delays
        now = time.monotonic() + self.recipe.delay
        for delay in delays:
            heapq.heappush(self.waiting, (now + delay, next(self.number), way, octets))

    def note(self, octets: bytes, way: str, where: str) -> None:
        """Every fault lies beyond the capture point as seen from the client, unless that is at the server."""
        here = "out" if (way == "s2c") != (self.recipe.tap == "server") else "in"
        if where == here:
            half = int(self.recipe.delay * 1e9 / 2) if self.recipe.tap == "middle" else 0
            self.records.append((time.time_ns() + (half if here == "in" else -half), octets))


@dataclass
class Recipe:
    """How one capture is made: `story` plays both applications."""

    title: str
    story: Callable[[Net], None]
    delay: float = 0.005  # seconds, one way
    tap: str = "client"  # or "middle", "server"
    faults: Callable[[], Iterable[Fault]] = list
    snap: int = 65535
    after: float = 0.1  # seconds for the last packets


class Net:
    """Two hosts and the wire between them."""

    def __init__(self, recipe: Recipe) -> None:
        self.client, self.server = Host(CLIENT + "/24", CLIENT_6 + "/64"), Host(SERVER + "/24", SERVER_6 + "/64")
        self.wire = Wire(self.client, self.server, recipe)
        self.link = RAW
        self.open: list[socket.socket] = []
        self.wire.start()

    def listen(self, family: socket.AddressFamily = socket.AF_INET, port: int = PORT) -> socket.socket:
        """A listening socket of the server."""
        listener = self.server.socket(family)
        self.open.append(listener)
        listener.bind(("", port))
        listener.listen()
        return listener

    def join(self, listener: socket.socket, source: int = 0) -> tuple[socket.socket, socket.socket]:
        """A new connection to the listener: the client's socket and the server's."""
        client = self.client.socket(listener.family)
        self.open.append(client)
        six = listener.family == socket.AF_INET6
        client.bind((CLIENT_6 if six else CLIENT, source))
        client.connect((SERVER_6 if six else SERVER, listener.getsockname()[1]))
        server, _ = listener.accept()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open.append(server)
        return client, server

    def connected(self) -> tuple[socket.socket, socket.socket]:
        """A connection to port 80 over IPv4."""
        return self.join(self.listen())

    def close(self) -> None:
        """Stop the wire, then the sockets: what they still send is not recorded."""
        self.wire.over = True
        self.wire.join()
        for each in self.open:
            each.close()
        self.client.close()
        self.server.close()


def read(source: socket.socket, octets: int) -> None:
    """Take that many octets."""
    while octets > 0:
        octets -= len(source.recv(octets))


def read_to_end(source: socket.socket) -> None:
    """Take all, up to the peer's FIN."""
    while source.recv(65536):
        pass


def talk(client: socket.socket, server: socket.socket) -> None:
    """A request and an answer."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: server.example\r\nUser-Agent: fixture\r\n\r\n")
    server.recv(65536)
    server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, TCP.\n")
    client.recv(65536)


def abort(end: socket.socket) -> None:
    """Close by RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def send_all_and_close(sender: socket.socket, octets: int) -> None:
    """Send in the background: the caller reads."""

    def send() -> None:
        sender.sendall(bytes(value % 251 for value in range(octets)))
        sender.close()

    threading.Thread(target=send, daemon=True).start()


def finish(first: socket.socket, second: socket.socket, pause: float = 0.1) -> None:
    """`first` closes, `second` a moment later: FIN, ACK, FIN, ACK."""
    first.close()
    read_to_end(second)
    time.sleep(pause)
    second.close()


def write_pcap(path: Path, records: Iterable[tuple[int, bytes]], link: int, snap: int) -> None:
    """A pcap with nanoseconds, records in the order of time."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap, link))
        for time_ns, octets in sorted(records, key=lambda record: record[0]):
            kept = octets[:snap]
            file.write(struct.pack("<IIII", *divmod(time_ns, 10**9), len(kept), len(octets)) + kept)


def record(name: str, recipe: Recipe, out: Path) -> None:
    """Play one recipe and write its capture."""
    net = Net(recipe)
    try:
        recipe.story(net)
        time.sleep(recipe.after + 2 * recipe.delay)
    finally:
        net.close()
    write_pcap(out / f"{name}.pcap", net.wire.records, net.link, recipe.snap)

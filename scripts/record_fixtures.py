"""Record real Linux TCP into small captures.

    python scripts/record_fixtures.py OUT [NAME ...]

Knows what the applications at both ends do and what the path does to them: one function a capture.  The hosts and
the path are made by `two_hosts`, which says what that needs (Linux, root, iproute2).
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from two_hosts import (
    CLIENT,
    ETHERNET,
    OUTGOING,
    PORT,
    SERVER,
    SO_TIMESTAMPNS,
    Fault,
    Net,
    Packet,
    Recipe,
    abort,
    any_packet,
    data,
    fin,
    finish,
    read,
    read_to_end,
    record,
    send_all_and_close,
    syn,
    talk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MSG_FASTOPEN = 0x20000000
BULK = 120_000  # octets
SNAP = 96

RECIPES: dict[str, Recipe] = {}


def recipe(**options: object) -> Callable[[Callable[[Net], None]], Callable[[Net], None]]:
    """Register a story under its function's name; its docstring is the title."""

    def register(story: Callable[[Net], None]) -> Callable[[Net], None]:
        RECIPES[story.__name__] = Recipe(str(story.__doc__).rstrip("."), story, **options)  # type: ignore[arg-type]
        return story

    return register


# -- open and close -------------------------------------------------------------------------------------------------


@recipe()
def four_way(net: Net) -> None:
    """Request, answer; the client closes first, each of the four segments of the close apart."""
    client, server = net.connected()
    talk(client, server)
    finish(client, server)


@recipe()
def three_segment(net: Net) -> None:
    """The server closes as soon as it reads the end of the request: its FIN carries the ACK."""
    client, server = net.connected()
    talk(client, server)
    client.close()
    read_to_end(server)
    server.close()


@recipe()
def half_close(net: Net) -> None:
    """The client closes its half; the server sends three more messages, then closes."""
    client, server = net.connected()
    client.sendall(b"all that I have to say\n")
    client.shutdown(socket.SHUT_WR)
    read_to_end(server)
    for number in range(3):
        time.sleep(0.05)
        server.sendall(b"message %d\n" % number)
    server.close()
    read_to_end(client)
    client.close()


@recipe(delay=0.02)
def simultaneous_close(net: Net) -> None:
    """Both ends close at the same moment; the FINs cross on the way."""
    client, server = net.connected()
    talk(client, server)
    time.sleep(0.1)
    client.close()
    server.close()


@recipe(delay=0.03, tap="middle")
def simultaneous_open(net: Net) -> None:
    """Both ends open at the same moment; the SYNs cross on the way."""
    client, server = net.client.socket(), net.server.socket()
    net.open += [client, server]
    for end, own, other in ((client, CLIENT, SERVER), (server, SERVER, CLIENT)):
        end.bind((own, 4000))
        end.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            end.connect((other, 4000))
    time.sleep(0.2)
    client.setblocking(True)
    server.setblocking(True)
    talk(client, server)
    finish(client, server)


def _fast_open(net: Net, listener: socket.socket, message: bytes) -> None:
    client = net.client.socket()
    net.open.append(client)
    client.sendto(message, MSG_FASTOPEN, (SERVER, PORT))
    server, _ = listener.accept()
    read(server, len(message))
    server.sendall(b"answer\n")
    read(client, 7)
    finish(client, server, 0.05)


@recipe()
def fast_open(net: Net) -> None:
    """TCP Fast Open: the first connection asks for a cookie, the second sends data on its SYN."""
    for host in (net.client, net.server):
        with host:
            host.sysctl("net.ipv4.tcp_fastopen", "3")
    listener = net.listen()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    _fast_open(net, listener, b"first question\n")
    _fast_open(net, listener, b"second question\n")


@recipe()
def refused(net: Net) -> None:
    """Nobody listens on the port."""
    client = net.client.socket()
    net.open.append(client)
    with contextlib.suppress(ConnectionRefusedError):
        client.connect((SERVER, PORT))


@recipe(faults=lambda: [Fault("c2s", syn, times=99)], after=3.3)
def no_answer(net: Net) -> None:
    """Every SYN is lost beyond the capture point."""
    client = net.client.socket()
    net.open.append(client)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((SERVER, PORT))


@recipe(faults=lambda: [Fault("c2s", syn)])
def syn_lost(net: Net) -> None:
    """The first SYN is lost beyond the capture point."""
    four_way(net)


@recipe(faults=lambda: [Fault("s2c", syn)], tap="server")
def synack_lost(net: Net) -> None:
    """The first SYN-ACK is lost after the capture point."""
    four_way(net)


@recipe(faults=lambda: [Fault("c2s", fin)], after=0.5)
def fin_lost(net: Net) -> None:
    """The client closes first; the first copy of its FIN is lost."""
    four_way(net)


def _last_ack() -> list[Fault]:
    """The client's segments after its FIN: the first is the last ACK."""
    closed = []

    def after_fin(packet: Packet) -> bool:
        before = bool(closed)
        closed.extend([1] * fin(packet))
        return before

    return [Fault("c2s", after_fin)]


@recipe(faults=_last_ack, after=0.6)
def last_ack_lost(net: Net) -> None:
    """The last ACK is lost; the server sends its FIN again."""
    four_way(net)


# -- resets -----------------------------------------------------------------------------------------------------------


@recipe()
def reset_abort(net: Net) -> None:
    """The client aborts with a RST (SO_LINGER 0)."""
    client, server = net.connected()
    talk(client, server)
    abort(client)


@recipe()
def reset_after_fin(net: Net) -> None:
    """The client has closed both ways; data of the server are answered by a RST."""
    client, server = net.connected()
    talk(client, server)
    client.close()
    time.sleep(0.1)
    server.sendall(b"is anybody there?\n")


@recipe()
def reset_unread(net: Net) -> None:
    """The server closes with unread data in its buffer: RST instead of FIN."""
    client, server = net.connected()
    client.sendall(b"nobody reads this\n")
    time.sleep(0.1)
    server.close()


# -- losses, order, copies --------------------------------------------------------------------------------------------


def bulk(net: Net) -> None:
    """The server sends and closes; the client reads it all."""
    client, server = net.connected()
    send_all_and_close(server, BULK)
    read_to_end(client)
    client.close()


@recipe(
    faults=lambda: [Fault("s2c", data, skip=n) for n in (20, 45, 46)],
    delay=0.01,
    snap=SNAP,
    after=0.5,
)
def loss_bulk(net: Net) -> None:
    """120 kB from the server; three segments are lost before the capture point."""
    bulk(net)


@recipe(
    faults=lambda: [Fault("s2c", data, skip=n) for n in (15, 40, 60, 61)],
    delay=0.01,
    tap="server",
    snap=SNAP,
    after=0.5,
)
def loss_bulk_sender(net: Net) -> None:
    """120 kB from the server, captured there; four segments are lost on their way."""
    bulk(net)


@recipe(
    faults=lambda: [Fault("s2c", data, (0.003,), skip=n) for n in (12, 25, 50, 70)],
    delay=0.01,
    snap=SNAP,
)
def reorder_bulk(net: Net) -> None:
    """120 kB from the server; four segments are overtaken on their way."""
    bulk(net)


@recipe(
    faults=lambda: [Fault("s2c", any_packet, (0, 0.0003), skip=1, times=3), Fault("s2c", fin, (0, 0.0003))],
)
def duplicates(net: Net) -> None:
    """The network delivers some packets twice, 0.3 ms apart."""
    client, server = net.connected()
    for _ in range(3):
        talk(client, server)
        time.sleep(0.02)
    finish(client, server)


# -- windows and timers ------------------------------------------------------------------------------------------------


@recipe(snap=SNAP)
def zero_window(net: Net) -> None:
    """The server does not read for 1.5 s: its window closes, is probed, opens again."""
    listener = net.listen()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client, server = net.join(listener)
    send_all_and_close(client, 30_000)
    time.sleep(1.5)
    read_to_end(server)
    server.close()


@recipe()
def keep_alive(net: Net) -> None:
    """Idle, with keep-alives after a second."""
    client, server = net.connected()
    talk(client, server)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    time.sleep(2.5)
    finish(client, server)


# -- places and lives -------------------------------------------------------------------------------------------------


@recipe()
def ipv6(net: Net) -> None:
    """Request, answer and a close of four segments over IPv6, fd00:9::1 to fd00:9::2."""
    client, server = net.join(net.listen(socket.AF_INET6))
    talk(client, server)
    finish(client, server)


@recipe()
def port_reuse(net: Net) -> None:
    """Three connections one after the other from the same port; the server closes first, so it holds TIME-WAIT."""
    listener = net.listen()
    for _ in range(3):
        client, server = net.join(listener, source=40_000)
        talk(client, server)
        finish(server, client, 0.02)
        time.sleep(0.05)


@recipe()
def mid_stream(net: Net) -> None:
    """The capture begins after the handshake, between request and answer."""
    client, server = net.connected()
    talk(client, server)
    time.sleep(0.1)
    net.wire.records.clear()
    talk(client, server)
    finish(client, server)


@recipe(delay=0, tap="lo")
def loopback(net: Net) -> None:
    """A capture on a host's loopback interface: Ethernet header, checksums left unfinished."""
    with net.client:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    tap.bind(("lo", 0))
    tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tap.settimeout(0.5)
    net.link = ETHERNET
    reader = threading.Thread(target=_read_loopback, args=(net, tap))
    reader.start()
    listener, client = net.client.socket(), net.client.socket()
    listener.bind(("127.0.0.1", PORT))
    listener.listen()
    client.connect(("127.0.0.1", PORT))
    server, _ = listener.accept()
    net.open += [listener, client, server]
    talk(client, server)
    finish(client, server)
    reader.join()
    tap.close()


def _read_loopback(net: Net, tap: socket.socket) -> None:
    """Each packet passes twice, out and in: like libpcap, keep what comes in."""
    with contextlib.suppress(TimeoutError):
        while True:
            octets, control, _, source = tap.recvmsg(65536, 64)
            seconds, nanoseconds = (int.from_bytes(control[0][2][at : at + 8], "little") for at in (0, 8))
            if source[2] != OUTGOING:
                net.wire.records.append((seconds * 10**9 + nanoseconds, octets))


# -- the captures ----------------------------------------------------------------------------------------------------


def describe(out: Path, recipes: dict[str, Recipe]) -> None:
    """README.md beside the captures."""
    kernel = platform.release().split("-")[0]
    lines = [
        "# Fixtures",
        "",
        "Real TCP of the Linux kernel, between 10.9.0.1 (client) and 10.9.0.2 (server), recorded by",
        "`python scripts/record_fixtures.py tests/fixtures` (as root); there each recipe can be read.",
        f"Kernel {kernel}, one-way delay and capture point as listed, raw IP, nanoseconds.",
        "",
        "| file | what happens | delay | captured at |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name}.pcap | {recipe.title} | {recipe.delay * 1000:g} ms | {recipe.tap} |"
        for name, recipe in sorted(recipes.items())
    ]
    (out / "README.md").write_text("\n".join(lines) + "\n")


def main(out: Path, names: list[str]) -> None:
    """Record the named captures, or all."""
    if os.geteuid() != 0:
        raise SystemExit("record_fixtures: making network namespaces needs root")
    out.mkdir(parents=True, exist_ok=True)
    for name in names or RECIPES:
        record(name, RECIPES[name], out)
        print(f"{name:20} {(out / f'{name}.pcap').stat().st_size:7} octets", flush=True)
    describe(out, RECIPES)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(f"usage: {sys.argv[0]} OUT [NAME ...]")
    main(Path(sys.argv[1]), sys.argv[2:])

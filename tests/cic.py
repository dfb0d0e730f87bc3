"""CICFlowMeter's columns and its cutting of flows, once more: over a list of packets that dpkt has read.

Features are reckoned from their definitions with the standard library.  The cutter follows the rules that are
published for CICFlowMeter: a flow begins with the first packet of a pair of endpoints and ends 120 s after its
beginning or with a FIN; flows of one packet are not written; after a timeout the direction of the old flow goes on.
"""

from __future__ import annotations

import csv
import io
import socket
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import dpkt

FIN, PSH, URG = 1, 8, 32
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}
TIMEOUT_NS = 120 * 10**9


@dataclass(frozen=True)
class Packet:
    time: int  # ns
    src: tuple
    dst: tuple
    flags: int
    size: int
    header: int
    window: int


def packets(path):
    """The TCP packets of a little-endian pcap file."""
    return list(_packets(path.read_bytes()))


def _packets(data):
    nano, link = data[0] == 0x4D, data[20]
    at = 24
    while at < len(data):
        seconds, fraction, length = (int.from_bytes(data[at + k : at + k + 4], "little") for k in (0, 4, 8))
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        if link == 1:
            frame = frame[14:]
        elif link in (0, 108):
            frame = frame[4:]
        ip = dpkt.ip6.IP6(frame) if frame[0] >> 4 == 6 else dpkt.ip.IP(frame)
        tcp = ip.data
        if not isinstance(tcp, dpkt.tcp.TCP):
            continue
        family = socket.AF_INET6 if frame[0] >> 4 == 6 else socket.AF_INET
        src, dst = (socket.inet_ntop(family, address) for address in (ip.src, ip.dst))
        whole = ip.plen if family == socket.AF_INET6 else ip.len - ip.hl * 4
        yield Packet(
            seconds * 10**9 + fraction * (1 if nano else 1000),
            (src, tcp.sport),
            (dst, tcp.dport),
            tcp.flags,
            whole - tcp.off * 4,
            tcp.off * 4,
            tcp.win,
        )


def spread(name, values, order, scale=1):
    """Mean, std, max, min of values."""
    facts = {"Mean": None, "Std": None, "Max": None, "Min": None}
    if values:
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        facts = {"Mean": statistics.fmean(values), "Std": deviation, "Max": max(values), "Min": min(values)}
    return {f"{name} {each}": facts[each] if facts[each] is None else facts[each] / scale for each in order.split()}


def gaps(some):
    return [b.time - a.time for a, b in pairwise(some)]


def bulks(some, sender):
    """Lists of packets: runs of data of one side with no pause over a second and no data of the other side between."""
    runs = [[]]
    for packet in some:
        if not packet.size:
            continue
        if packet.src != sender:
            runs.append([])
        elif runs[-1] and packet.time - runs[-1][-1].time > 10**9:
            runs.append([packet])
        else:
            runs[-1].append(packet)
    return [run for run in runs if len(run) >= 4]


def features(some, client):
    """The columns of one connection, by their definitions."""
    both = {"Fwd": [p for p in some if p.src == client], "Bwd": [p for p in some if p.src != client]}
    server = next(end for end in (some[0].src, some[0].dst) if end != client)
    seconds = (some[-1].time - some[0].time) / 1e9
    rate = (lambda number: number / seconds) if seconds else (lambda _number: None)
    row = {
        "Flow ID": f"{client[0]}-{server[0]}-{client[1]}-{server[1]}-6",
        "Src IP": client[0],
        "Src Port": client[1],
        "Dst IP": server[0],
        "Dst Port": server[1],
        "Protocol": 6,
        "Timestamp": some[0].time,
        "Flow Duration": (some[-1].time - some[0].time) / 1000,
        "Total Fwd Packet": len(both["Fwd"]),
        "Total Bwd packets": len(both["Bwd"]),
        "Flow Bytes/s": rate(sum(p.size for p in some)),
        "Flow Packets/s": rate(len(some)),
        "Down/Up Ratio": len(both["Bwd"]) / len(both["Fwd"]) if both["Fwd"] else None,
        "Average Packet Size": sum(p.size for p in some) / len(some),
        "Packet Length Variance": statistics.variance([p.size for p in some]) if len(some) > 1 else 0.0,
        "Fwd Act Data Pkts": sum(p.size > 0 for p in both["Fwd"]),
        "Fwd Seg Size Min": min((p.header for p in both["Fwd"]), default=None),
        "FWD Init Win Bytes": both["Fwd"][0].window if both["Fwd"] else None,
        "Bwd Init Win Bytes": both["Bwd"][0].window if both["Bwd"] else None,
        **{f"{name} Flag Count": sum(bool(p.flags & bit) for p in some) for name, bit in FLAGS.items()},
        **spread("Packet Length", [p.size for p in some], "Min Max Mean Std"),
        **spread("Flow IAT", gaps(some), "Mean Std Max Min", 1000),
    }
    subflows = 1 + sum(gap > 10**9 for gap in gaps(some))
    pauses = [gap for gap in gaps(some) if gap > 5 * 10**9]
    periods = [[some[0]]]
    for before, packet in pairwise(some):
        if packet.time - before.time > 5 * 10**9:
            periods.append([])
        periods[-1].append(packet)
    active = [period[-1].time - period[0].time for period in periods if period[-1].time > period[0].time]
    row |= spread("Active", active, "Mean Std Max Min", 1000) | spread("Idle", pauses, "Mean Std Max Min", 1000)
    for way, sent in both.items():
        sizes = [p.size for p in sent]
        runs = bulks(some, client if way == "Fwd" else server)
        octets, lasting = sum(p.size for r in runs for p in r), sum(r[-1].time - r[0].time for r in runs)
        row |= {
            f"Total Length of {way} Packet": sum(sizes),
            f"{way} IAT Total": sum(gaps(sent)) / 1000,
            f"{way} PSH Flags": sum(bool(p.flags & PSH) for p in sent),
            f"{way} URG Flags": sum(bool(p.flags & URG) for p in sent),
            f"{way} Header Length": sum(p.header for p in sent),
            f"{way} Packets/s": rate(len(sent)),
            f"{way} Segment Size Avg": statistics.fmean(sizes) if sizes else None,
            f"{way} Bytes/Bulk Avg": octets / len(runs) if runs else None,
            f"{way} Packet/Bulk Avg": sum(map(len, runs)) / len(runs) if runs else None,
            f"{way} Bulk Rate Avg": octets / (lasting / 1e9) if lasting else None,
            f"Subflow {way} Packets": len(sent) / subflows,
            f"Subflow {way} Bytes": sum(sizes) / subflows,
            **spread(f"{way} Packet Length", sizes, "Max Min Mean Std"),
            **spread(f"{way} IAT", gaps(sent), "Mean Std Max Min", 1000),
        }
    return row


# -- how CICFlowMeter cuts ---------------------------------------------------------------------------------------


@dataclass
class Cut:
    """A flow as CICFlowMeter has it: its direction, and its packets by their numbers."""

    src: tuple
    dst: tuple
    numbers: list


def cut(some):
    """The flows of more than one packet, in the order in which they are written."""
    open_flows, done = {}, []
    for number, packet in enumerate(some):
        key = frozenset((packet.src, packet.dst)) if packet.src != packet.dst else packet.src
        flow = open_flows.get(key)
        if flow is None:
            open_flows[key] = Cut(packet.src, packet.dst, [number])
        elif packet.time // 1000 - some[flow.numbers[0]].time // 1000 > TIMEOUT_NS // 1000:
            done.append(flow)
            open_flows[key] = Cut(flow.src, flow.dst, [number])
        else:
            flow.numbers.append(number)
            if packet.flags & FIN:
                done.append(open_flows.pop(key))
    return [flow for flow in (*done, *open_flows.values()) if len(flow.numbers) > 1]


def table(some, flows, form="%d/%m/%Y %I:%M:%S %p", hours=0):
    """The CSV that it writes, as far as an audit reads it."""
    out = io.StringIO()
    writer = csv.writer(out)
    ends = ("Flow ID", "Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol")
    writer.writerow([*ends, "Timestamp", "Flow Duration", "Total Fwd Packet", "Total Bwd packets", "Label"])
    for flow in flows:
        held = [some[number] for number in flow.numbers]
        forward = sum(packet.src == flow.src for packet in held)
        begin = datetime.fromtimestamp(held[0].time // 10**9 + hours * 3600, UTC)
        identity = f"{flow.src[0]}-{flow.dst[0]}-{flow.src[1]}-{flow.dst[1]}-6"
        duration = held[-1].time // 1000 - held[0].time // 1000
        row = [
            identity,
            *flow.src,
            *flow.dst,
            6,
            begin.strftime(form),
            duration,
            forward,
            len(held) - forward,
            "BENIGN",
        ]
        writer.writerow(row)
    return out.getvalue()

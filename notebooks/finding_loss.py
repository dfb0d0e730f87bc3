# %% [markdown]
# # Finding and proving loss, and what else makes a transfer slow
#
# Three real captures: a transfer that lost segments, seen by its receiver; one that lost segments, seen by its sender;
# and one that lost nothing and was slower still. In each the question is the same: what held it up, and what shows it?

# %%
from pathlib import Path

import tcptrace_py as tt

root = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "tests/fixtures").is_dir())
receiver = tt.analyze(root / "tests/fixtures/loss_bulk.pcap")
receiver

# %% [markdown]
# ## Is the capture good enough?
#
# What a capture lacks is not what the network lost. Before anything else: was it read to its end, were packets left
# out, did the receiver acknowledge octets that were never captured?

# %%
quality = receiver.captures[["status", "packets_read", "packets_used", "findings", "limits"]].iloc[0]
lacking = receiver.connections[["c2s_missing_octets", "s2c_missing_octets"]].sum().sum()
quality, lacking

# %% [markdown]
# Nothing is missing in the end. `cap_snap` says that payloads were cut off, which does no harm here: lengths come from
# the IP header.
#
# ## Seen by the receiver: the loss itself
#
# 120 kB from the server in 0.2 s. `previous_segment_lost` marks the segment *behind* a hole: the ones that should have
# come before it were lost on their way to this point. `original_not_captured` marks the segment that fills the hole
# later: it was sent again, and its first copy never came by.

# %%
loss = receiver.events[receiver.events["code"].isin(["previous_segment_lost", "original_not_captured"])]
loss[["frame", "code", "evidence", "basis", "sentence"]]

# %% [markdown]
# `basis` names what decided. Here it is the IP ID: the sender counts it up, so the segment that fills the hole was sent
# *after* those that had overtaken it. A segment that was only late would bear an older number. How many octets were
# lost, and how many came again:

# %%
lost_octets = int(receiver.events.query("code == 'previous_segment_lost'")["evidence"].sum())
timeline = receiver[0].timeline.set_index("frame")
filled = timeline[timeline["anomalies"].map(lambda found: "original_not_captured" in found)]
came_again = int(filled["payload_bytes"].sum())
lost_octets, came_again

# %% [markdown]
# The two numbers agree. In the time-sequence graph holes stand as gaps between the segments; red bars fill them a
# round trip later, and the blue bars between are what the receiver reports as held (SACK).

# %%
receiver[0].plot("time-sequence")

# %% [markdown]
# How long it took from the hole to the segment that filled it:

# %%
holes = timeline[timeline["anomalies"].map(lambda found: "previous_segment_lost" in found)]
delays = [filled["time"].iloc[0] - holes["time"].iloc[0], filled["time"].iloc[1] - holes["time"].iloc[1]]
round_trip = receiver.connections["syn_rtt_ns"].iloc[0] / 1e6
[f"{delay.total_seconds() * 1000:.1f} ms" for delay in delays], f"round trip {round_trip:.1f} ms"

# %% [markdown]
# One round trip each: the sender did not wait for a timeout. It had been told by duplicate ACKs.
#
# ## Seen by the sender: what it knew
#
# The same kind of transfer, captured at the server. Here both copies of a lost segment pass the capture point, so
# there is no hole to be seen; a retransmission is proved by the octets themselves (`basis` is `octets`, `evidence` the
# number of the first of them), and why it was made by the SACK blocks before it.

# %%
sender = tt.analyze(root / "tests/fixtures/loss_bulk_sender.pcap")
resent = sender.events[sender.events["code"].isin(["retransmission", "fast_retransmission"])]
resent[["frame", "code", "evidence", "basis", "sentence"]]

# %% [markdown]
# What the receiver said before the first of them. Each ACK repeats the same number and adds to what it holds beyond
# the hole; after three of them a sender resends without waiting for its timeout (RFC 5681, RFC 6675).

# %%
said = sender[0].timeline
first = int(resent["frame"].iloc[0])
repeated = said[(said["frame"] < first) & said["anomalies"].map(lambda found: "duplicate_ack" in found)]
repeated[["frame", "rel_ack", "rel_sack"]]

# %% [markdown]
# The hole that these ACKs describe begins at the number that they repeat and ends at the left edge of the block:

# %%
hole = (int(repeated["rel_ack"].iloc[0]), int(repeated["rel_sack"].iloc[0][0]))
again = said[said["frame"] == first].iloc[0]
resent_range = (int(again["rel_seq"]), int(again["rel_seq"] + again["payload_bytes"]))
hole, resent_range

# %% [markdown]
# The sender resends what is missing, and nothing else. Octets in flight show the price. The most of them before,
# between and after the three times that it began to resend:

# %%
sender[0].plot("in-flight")

# %%
begun = [0, 61, 88, 116]  # frames: the first resend of each time
data = said[said["direction"] == "s2c"]
part = data["frame"].map(lambda frame: sum(frame >= first for first in begun))
most = data.groupby(part)["in_flight"].max().to_list()
most

# %% [markdown]
# By the third loss the sender trusts the path with half of what it began with.

# %% [markdown]
# ## Slow without any loss: a receiver that does not read
#
# 31 kB in 1.5 s: a twentieth of the rate of the transfers with losses, over a path with half their round trip.

# %%
closed = tt.analyze(root / "tests/fixtures/zero_window.pcap")
numbers = closed.connections[
    ["c2s_octets", "c2s_retransmissions", "s2c_zero_windows", "s2c_zero_window_ns", "duration_ns"]
].iloc[0]
numbers

# %% [markdown]
# Of the whole duration the server's window was closed for

# %%
share = numbers["s2c_zero_window_ns"] / numbers["duration_ns"]
f"{share:.0%}"

# %% [markdown]
# The one retransmission was not needed (`spurious_retransmission`: a DSACK says that the octets had arrived), so the
# network is not at fault. The window shows who is: it goes to 0 when the server's buffer is full, is probed, and opens
# when the application reads at last.

# %%
closed[0].plot("window")

# %%
proof = closed.events[closed.events["code"].isin(["zero_window", "zero_window_probe", "window_update", "win_stall"])]
proof[["frame", "code", "sentence"]]

# %% [markdown]
# ## All of it on one page
#
# `tcpflows report capture.pcap`, or

# %%
import tempfile

page = Path(tempfile.mkdtemp()) / "zero_window.html"
closed.report(page)
f"{page.stat().st_size // 1000} kB"

# %% [markdown]
# # A handshake and a teardown, step by step
#
# `four_way.pcap` holds one connection between two Linux hosts: three segments to open it, a request and an answer,
# four segments to close it.

# %%
from pathlib import Path

import tcptrace_py as tt

root = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "tests/fixtures").is_dir())
trace = tt.analyze(root / "tests/fixtures/four_way.pcap")
connection = trace[0]
trace.connections[["client_ip", "server_ip", "handshake", "teardown", "closed_first"]]

# %% [markdown]
# The whole connection at a glance. Time runs down; the states are those *after* each segment.

# %%
print(connection.ladder(width=106))

# %% [markdown]
# ## The textbook's lines
#
# A textbook shows the opening and the closing alone, as `tcpdump` prints them without times: a SYN with a number *j*, a
# SYN-ACK with a number *k* that acknowledges *j* + 1, an ACK; then FIN, ACK, FIN, ACK. Printed text is a capture, too.

# %%
import io

LINES = """\
IP 192.168.1.116.3337 > 192.168.1.123.7788: S 3626544836:3626544836(0)
IP 192.168.1.123.7788 > 192.168.1.116.3337: S 1739326486:1739326486(0) ack 3626544837
IP 192.168.1.116.3337 > 192.168.1.123.7788: . ack 1739326487
IP 192.168.1.116.3337 > 192.168.1.123.7788: F 3626544837:3626544837(0) ack 1739326487
IP 192.168.1.123.7788 > 192.168.1.116.3337: . ack 3626544838
IP 192.168.1.123.7788 > 192.168.1.116.3337: F 1739326487:1739326487(0) ack 3626544838
IP 192.168.1.116.3337 > 192.168.1.123.7788: . ack 1739326488
"""
textbook = tt.analyze(io.BytesIO(LINES.encode()), tables=["connections", "timeline", "states"])[0]
print(textbook.ladder(width=106))

# %% [markdown]
# What the lines do not print (times, windows, some numbers) is not known, and is left empty. Back to the real capture.
#
# ## The timeline
#
# One row a segment. `seq` and `ack` are the numbers on the wire; `rel_seq` and `rel_ack` count from the first SYN of
# their direction.

# %%
timeline = connection.timeline.set_index("frame")
timeline["ms"] = (timeline["time"] - timeline["time"].iloc[0]).dt.total_seconds() * 1000
timeline[["ms", "direction", "flags", "rel_seq", "rel_ack", "payload_bytes", "client_state", "server_state"]].round(1)

# %% [markdown]
# ## The handshake
#
# `steps` numbers the segments that open a connection, and `steps_ok` says whether their arithmetic holds: the SYN-ACK
# acknowledges *j* + 1, the ACK acknowledges *k* + 1, where *j* and *k* are the initial numbers of client and server.

# %%
opening = timeline[timeline["steps"].map(lambda steps: any(step.startswith("handshake") for step in steps))]
opening[["direction", "flags", "seq", "ack", "steps", "steps_ok"]]

# %%
j, k = opening["seq"].iloc[0], opening["seq"].iloc[1]
handshake_holds = opening["ack"].to_list()[1:] == [j + 1, k + 1]
handshake_holds

# %% [markdown]
# How long each half took, seen from the capture point (here: the client's own interface).

# %%
trace.connections[["syn_rtt_ns", "ack_rtt_ns"]] / 1e6  # milliseconds

# %% [markdown]
# ## The teardown
#
# A FIN takes a sequence number of its own, as a SYN does; so the answer to a FIN with number *u* acknowledges *u* + 1.

# %%
closing = timeline[timeline["steps"].map(lambda steps: any(step.startswith("teardown") for step in steps))]
closing[["direction", "flags", "rel_seq", "rel_ack", "steps", "client_state", "server_state"]]

# %% [markdown]
# ## What is certain, and from when
#
# The timeline assumes that a segment which passed the capture point arrived. The `states` table keeps apart when a
# state was first possible (`entered`) and which frame proves it (`proved`). Nothing proves that the last ACK arrived:
# the server's CLOSED has no proof.

# %%
states = trace.states[["endpoint", "state", "entered_frame", "proved_frame", "left_frame"]]
states

# %% [markdown]
# The same over time, client above server; and which end was in which state 20 ms after the first packet, as `ss -tan`
# would have told on the two hosts. `possible` lists what the server may have been in by then: its own next segment
# comes later.

# %%
connection.plot("states")

# %%
trace.states_at("+20ms")[["endpoint", "state", "local_ip", "local_port", "proved", "possible"]]

# %% [markdown]
# ## The other way to close: three segments
#
# When the server closes as soon as it reads the end, its FIN carries the ACK, and one segment is two steps.

# %%
three = tt.analyze(root / "tests/fixtures/three_segment.pcap")[0].timeline.set_index("frame")
shorter = three[three["steps"].map(lambda steps: any(step.startswith("teardown") for step in steps))]
shorter[["direction", "flags", "steps", "client_state", "server_state"]]

# %% [markdown]
# # An archive of captures as one dataset
#
# `tcpflows batch` turns folders of captures into Parquet; this notebook makes a small dataset of the captures that come
# with the sources, opens it, and asks it questions. With a year of captures nothing changes but the path.

# %%
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import tcptrace_py as tt

root = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "tests/fixtures").is_dir())
place = tempfile.TemporaryDirectory()
path = Path(place.name) / "dataset"

# %% [markdown]
# In a file or on the command line the work is done by processes; in a notebook a thread will do for a few captures.

# %%
with ThreadPoolExecutor(1) as executor:
    done = tt.batch(
        root / "tests/fixtures", path, tables=["connections", "states", "events", "timeline"], executor=executor
    )
dict(done.counts), done.packets, done.connections

# %% [markdown]
# Again, only what is new or has changed would be done. Nothing is, so nothing is read.

# %%
with ThreadPoolExecutor(1) as executor:
    again = tt.batch(
        root / "tests/fixtures", path, tables=["connections", "states", "events", "timeline"], executor=executor
    )
nothing_was_read = again.files_kept == again.files
nothing_was_read

# %%
dataset = tt.open_dataset(path)
dataset

# %% [markdown]
# ## Questions that have names
#
# `tcpflows query` lists them. Thresholds can be set: these captures last a second.

# %%
shapes = dataset.ask("teardown-shapes")
shapes

# %%
slow = dataset.ask("slow-handshakes", threshold_ms=20, rows=5)
slow.assign(capture=slow["capture"].map(lambda name: Path(name).name))[["capture", "handshake_ns", "syn_count"]]

# %% [markdown]
# ## SQL
#
# The tables of the dataset are the tables of the SQL; times are exact nanoseconds.

# %%
lost = dataset.query(
    """
    SELECT parse_filename(c.capture) AS capture, c.conn_id, count(*) AS resent,
        epoch_ns(max(t.time)) - epoch_ns(min(t.time)) AS spread_ns
    FROM timeline t JOIN connections c ON c.capture = t.capture AND c.conn_id = t.conn_id
    WHERE list_contains(t.anomalies, $finding)
    GROUP BY ALL ORDER BY resent DESC, capture LIMIT 5
    """,
    finding="retransmission",
)
lost

# %% [markdown]
# ## Columns and rows, without SQL
#
# Only what is asked for is read: two columns, and of them the connections that were refused.

# %%
refused = dataset.arrow("connections", ["client_ip", "server_port"], [("teardown", "=", "refused")])
refused.to_pylist()

# %% [markdown]
# The timeline of a year does not fit into memory; it is read a batch at a time. Here: the round trips of all segments,
# in a histogram by powers of ten of a microsecond.

# %%
histogram = {}
for batch in dataset.batches("timeline", ["rtt_ns"], pc.field("rtt_ns") > pa.scalar(0)):
    decades = pc.floor(pc.log10(pc.divide(batch["rtt_ns"].cast("float64"), 1000.0)))
    for pair in pc.value_counts(decades).to_pylist():
        histogram[pair["values"]] = histogram.get(pair["values"], 0) + pair["counts"]
dict(sorted(histogram.items()))

# %% [markdown]
# ## Fewer, larger files
#
# A part a capture is what a batch can write safely. For reading they are joined; the rows stay the same.

# %%
before = dataset.connections.shape
compaction = tt.compact(path)
before == dataset.connections.shape, compaction.before, compaction.after

# %% [markdown]
# ## Features for machine learning
#
# CICFlowMeter's columns, a row a connection: a port that is used again (three times here) gives three rows.

# %%
features = tt.analyze(root / "tests/fixtures/port_reuse.pcap").view("cic")
features[["Src Port", "Dst Port", "Flow Duration", "Total Fwd Packet", "Total Bwd packets", "FIN Flag Count"]]

# %%
place.cleanup()

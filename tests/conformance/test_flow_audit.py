"""An audit of the flows that a small cutter makes of the reference captures, against what the cutter knows."""

import pytest

import tcptrace_py as tt
from tests import cic
from tests.corpus import CORPUS, needs

pytestmark = needs("captures")
LITTLE = (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
PLAIN = [
    path
    for path in sorted((CORPUS / "captures").glob("*.pcap"))
    if path.read_bytes()[:4] in LITTLE and path.stat().st_size < 2_000_000
]


def packets_as_ours(path):
    """The packets as dpkt reads them, if they are those of our timeline one by one; else None."""
    try:
        some = cic.packets(path)
        timeline = tt.analyze(path).timeline
    except Exception:  # noqa: BLE001 - not every capture is for the plain reader
        return None, None
    times = [packet.time for packet in some]
    same = times == [time.value for time in timeline["time"]]
    return (some, timeline["conn_id"].to_list()) if same and some else (None, None)


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_every_flow_is_found(tmp_path, path):
    some, conns = packets_as_ours(path)
    flows = cic.cut(some) if some else []
    if not flows:
        pytest.skip("tunnels, fragments or others that the plain reader does not know")
    table = tmp_path / "flows.csv"
    table.write_text(cic.table(some, flows, hours=1))
    done = tt.audit(table, path, offset_s=3600)
    assert done.found == {"exact": len(flows)}
    told = [sorted(map(int, row["conn_ids"])) for row in done.rows["flows"]]
    assert told == [sorted({conns[number] for number in flow.numbers}) for flow in flows]

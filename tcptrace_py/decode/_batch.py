"""The batch that leaves this room: TCP segments as columns.

Knows what stood in the headers.  Does not know connections, direction or state.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

from tcptrace_py.columns import zeros

MAX_SACK = 4
COLUMNS = {
    "frame": "q",  # number of the frame, from 1; of the completing frame for a reassembled datagram
    "time_ns": "q",  # nanoseconds since 1970 UTC; meaningless with NO_TIME
    "part": "H",  # 0, 1, ... among the segments of one frame
    "src_hi": "Q",  # source address, 128 bits in two words; IPv4 as ::ffff:a.b.c.d
    "src_lo": "Q",
    "dst_hi": "Q",
    "dst_lo": "Q",
    "net": "Q",  # which network: VLAN ids and tunnel ids; 0 for none (see decode/nets.py)
    "sport": "H",
    "dport": "H",
    "flags": "H",  # 12 bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256, reserved
    "window": "H",  # raw
    "urgent": "H",
    "ip_id": "H",  # IPv4 only, else 0
    "seq": "I",
    "ack": "I",
    "payload": "I",  # octets of TCP payload by the IP header's length
    "uncaptured": "I",  # of these, how many the capture lacks; 0 without CUT
    "wire_bytes": "I",  # the frame's original length
    "tsval": "I",  # valid with option TIMESTAMP
    "tsecr": "I",
    "marks": "I",  # Mark bits below
    "options": "I",  # Option bits below
    "interface": "I",
    "ttl": "B",  # or hop limit
    "tos": "B",  # TOS or traffic class: DSCP and ECN
    "sack_n": "B",  # SACK blocks in `sack`, at most 4
    "header": "B",  # octets of the TCP header, 20 to 60; 0 where it is not known (printed text)
    "tfo_cookie": "B",  # octets of a Fast Open cookie; 0 with option FAST_OPEN is a request for one
    "mss": "i",  # -1: no such option
    "wscale": "h",  # -1: no such option; the raw shift
}

# Option bits
SACK_PERMITTED = 1
TIMESTAMP = 2
SACK = 4
FAST_OPEN = 8  # option 34, or experimental 254 with 0xF989
MPTCP = 16
MD5 = 32
AUTHENTICATION = 64  # TCP-AO
USER_TIMEOUT = 128
OTHER_OPTION = 256  # any other kind
BAD_OPTION = 512  # length 0 or 1, past the header's end, or of an impossible size; options before it are kept
TRUNCATED_OPTIONS = 1024  # the capture ends within the options

# Mark bits
NO_TIME = 1
AFTER_GAP = 2
NO_SEQ = 4  # printed text only: the line lacks a sequence number
NO_ACK = 8  # the ACK flag is set, but the number is not known
NO_WINDOW = 16
NO_LENGTH = 32
CHECKSUM_BAD = 64  # whole segment captured, sum wrong, and not an offload pattern
CHECKSUM_OFFLOAD = 128  # only the pseudo-header was summed: the sending host's card finishes it
CHECKSUM_GOOD = 256
LENGTH_FROM_FRAME = 512  # IP length 0 (segmentation offload) or jumbogram
CUT = 1024  # captured fewer octets than the IP length says
FRAGMENTS = 2048  # put together from IP fragments
IPV6 = 4096
ORIGINAL_LENGTH_WRONG = 8192  # the record's original length is below what IP and link headers need
NO_IP = 16384  # printed text: no TTL, IP ID, TOS
TIME_ODD = 32768


@cython.final
@cython.cclass
class Batch:
    """Columns of segments, `n` rows in use of `capacity`.

    `payloads` is None, or, where a decoder was asked for it, each row's payload: None unless all of it was captured.
    """

    def __init__(self, capacity: cython.Py_ssize_t):
        self.n = 0
        self.capacity = capacity
        self.payloads = None
        for name, code in COLUMNS.items():
            setattr(self, name, memoryview(zeros(code, capacity)))
        edges = memoryview(zeros("I", capacity * 2 * MAX_SACK))  # left, right edge of each block
        self.sack = edges.cast("B").cast("I", (capacity, 2 * MAX_SACK))

    def column(self, name: str):
        """The rows in use of one column, as a numpy array that shares memory with the batch."""
        import numpy as np  # here: a summary does without

        return np.asarray(getattr(self, name))[: self.n]

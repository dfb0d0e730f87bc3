"""The batch that leaves this room: TCP segments as columns.

Knows what stood in the headers.  Does not know connections, direction or state.
"""

from __future__ import annotations

import numpy as np

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

MAX_SACK = 4
COLUMNS = {
    "frame": np.int64,  # number of the frame, from 1; of the completing frame for a reassembled datagram
    "time_ns": np.int64,  # nanoseconds since 1970 UTC; meaningless with NO_TIME
    "part": np.uint16,  # 0, 1, ... among the segments of one frame
    "src_hi": np.uint64,  # source address, 128 bits in two words; IPv4 as ::ffff:a.b.c.d
    "src_lo": np.uint64,
    "dst_hi": np.uint64,
    "dst_lo": np.uint64,
    "net": np.uint64,  # which network: VLAN ids and tunnel ids; 0 for none (see decode/nets.py)
    "sport": np.uint16,
    "dport": np.uint16,
    "flags": np.uint16,  # 12 bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256, reserved
    "window": np.uint16,  # raw
    "urgent": np.uint16,
    "ip_id": np.uint16,  # IPv4 only, else 0
    "seq": np.uint32,
    "ack": np.uint32,
    "payload": np.uint32,  # octets of TCP payload by the IP header's length
    "wire_bytes": np.uint32,  # the frame's original length
    "tsval": np.uint32,  # valid with option TIMESTAMP
    "tsecr": np.uint32,
    "marks": np.uint32,  # Mark bits below
    "options": np.uint32,  # Option bits below
    "digest": np.uint32,  # CRC-32 of the payload where all of it was captured and asked for, else 0
    "interface": np.uint32,
    "ttl": np.uint8,  # or hop limit
    "tos": np.uint8,  # TOS or traffic class: DSCP and ECN
    "sack_n": np.uint8,  # SACK blocks in `sack`, at most 4
    "tfo_cookie": np.uint8,  # octets of a Fast Open cookie; 0 with option FAST_OPEN is a request for one
    "mss": np.int32,  # -1: no such option
    "wscale": np.int8,  # -1: no such option; the raw shift, at most 127
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
    """Columns of segments, `n` rows in use of `capacity`."""

    def __init__(self, capacity: cython.Py_ssize_t):
        self.n = 0
        self.capacity = capacity
        for name, dtype in COLUMNS.items():
            setattr(self, name, memoryview(np.zeros(capacity, dtype)))
        self.sack = memoryview(np.zeros((capacity, 2 * MAX_SACK), np.uint32))  # left, right edge of each block

    def column(self, name: str):
        """The rows in use of one column, as a numpy array that shares memory with the batch."""
        return np.asarray(getattr(self, name))[: self.n]

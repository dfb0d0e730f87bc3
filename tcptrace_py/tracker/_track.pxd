from tcptrace_py.decode._batch cimport Batch
from tcptrace_py.flows._table cimport FlowTable
from tcptrace_py.tracker._follow cimport follow
from tcptrace_py.tracker._lives cimport (
    client_by_ports, conclude, distance, fits_older, handshake_shape, opens_anew, reuse, teardown_shape,
)
from tcptrace_py.tracker._resets cimport judge, survive
from tcptrace_py.tracker._rings cimport Rings
from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._evidence cimport copied, least_rtt, remember
from tcptrace_py.tracker._sequence cimport acknowledge, offer, send
from tcptrace_py.tracker._state cimport Connection, Endpoint, warm, warm_item, warm_place

cdef class Tracker:
    cdef public bint writing
    cdef public list by_slot, finished, worst
    cdef public FlowTable flows
    cdef public Journal log
    cdef public long long linger, idle, max_open, clock, row, packets, next_id, live, evicted
    cdef public long long[::1] conn, rel_seq, rel_ack, window, rtt, in_flight
    cdef public unsigned long long[::1] anomalies
    cdef public unsigned char[::1] direction, client_state, server_state, rtt_ambiguous
    cdef public unsigned short[::1] steps, checked, failed
    cdef public long long[::1] found_segments, found_connections, handshakes, teardowns
    cdef Segment seg
    cdef Rings rings
    cdef object overlaps
    cdef list closed, spare
    cdef Py_ssize_t closed_head
    cdef int expect(self, Py_ssize_t far, Py_ssize_t near) except? -1
    cdef long long[::1] recent  # places of 4 words: identity, time, frame, unused

    cdef int compare_octets(self, Batch b, Py_ssize_t i, Connection conn, Endpoint me) except? -1
    cdef int segment(self, Batch b, Py_ssize_t i, Py_ssize_t slot, unsigned char side) except? -1
    cdef int read(self, Batch b, Py_ssize_t i) except? -1
    cdef Connection life(self, Connection conn, Batch b, Py_ssize_t i, Py_ssize_t slot, unsigned char side)
    cdef Connection succeed(self, Connection older, Connection conn, unsigned char side)
    cdef Connection open(self, Batch b, Py_ssize_t i, Py_ssize_t slot, unsigned char side)
    cdef int place(self, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef bint is_copy(self, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef long long copies_within(self, Endpoint me, Endpoint peer, long long age) except? -2
    cdef int apply(self, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef int closing(self, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef int other_ttl(self, Endpoint me) except? -1
    cdef int options(self, Endpoint me, Endpoint peer) except? -1
    cdef int notice(self, Connection conn) except? -1
    cdef int count(self, Connection conn, Endpoint me) except? -1
    cdef int write(self, Py_ssize_t i, Connection conn, Endpoint me) except? -1
    cdef int end(self, Connection conn) except? -1
    cdef int leave(self, Py_ssize_t slot, Connection conn) except? -1
    cdef bint same_again(self, Connection conn, unsigned char side) except? -1

cdef int ones(unsigned long long word) noexcept nogil
cdef Connection new_connection()

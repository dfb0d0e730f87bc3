from tcptrace_py.tracker._state cimport Connection, Endpoint

cdef class Segment:
    cdef public long long row, frame, time, s, e, a, payload, span, window, rtt, in_flight
    cdef public bint timed, has_ts, has_seq
    cdef public unsigned int flags, seq, ack, tsval, tsecr, marks, options, wire_bytes
    cdef public unsigned short ip_id
    cdef public unsigned char ttl, sack_n, tfo_cookie
    cdef public int raw_window, wscale, mss
    cdef public unsigned long long bits
    cdef public dict told, basis  # anomaly bit -> the number that shows it; the kind of evidence
    cdef unsigned int edges[8]  # of its SACK blocks, raw
    cdef public int order_by
    cdef public bint rtt_ambiguous
    cdef public unsigned int steps, checked, failed

    cdef int step(self, int which, int holds) except? -1
    cdef int find(self, unsigned long long bit, long long evidence) except? -1
    cdef int because(self, unsigned long long bit, int basis) except? -1

cdef class Journal:
    cdef public list states, labels, events
    cdef public bint keep_events, keep_changes

    cdef int got(self, Endpoint end, int given, Segment seg) except? -1
    cdef int arrived(self, Endpoint end, int upto, Segment seg, Connection conn) except? -1
    cdef int not_yet(self, Endpoint end, int which, bint drop, Segment seg, Connection conn) except? -1
    cdef int was(self, Endpoint end, unsigned char state, long long first, long long after, Segment seg, Connection conn) except? -1
    cdef int amend_states(self, long long conn_id, unsigned char side, long long first, long long after, unsigned char state) except? -1
    cdef int sent(self, Endpoint end, int given, Segment seg, Connection conn) except? -1
    cdef int now_is(self, Endpoint end, unsigned char state, Segment seg, Connection conn) except? -1
    cdef int settle(self, Endpoint end, Segment seg, Connection conn) except? -1
    cdef int amend(
        self, long long row, long long frame, long long time, unsigned long long add, unsigned long long drop, int basis,
        Connection conn, Segment seg,
    ) except? -1

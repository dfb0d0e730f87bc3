from tcptrace_py.tracker._state cimport Connection, Endpoint

cdef class Segment:
    cdef public long long row, frame, time, s, e, a, payload, span, window, evidence, rtt, in_flight
    cdef public bint timed, has_ts, has_seq
    cdef public unsigned int flags, seq, ack, tsval, tsecr, marks, options, wire_bytes
    cdef public unsigned short ip_id
    cdef public unsigned char ttl, sack_n, tfo_cookie
    cdef public int raw_window, wscale, mss
    cdef public unsigned long long bits
    cdef public unsigned int steps, checked, failed

    cdef void step(self, int which, int holds)
    cdef void find(self, unsigned long long bit, long long evidence)

cdef class Journal:
    cdef public list states, labels, events
    cdef public bint keep_events, keep_changes
    cdef public object counts

    cdef void got(self, Endpoint end, int given, Segment seg, Connection conn)
    cdef void arrived(self, Endpoint end, Py_ssize_t upto, Segment seg, Connection conn)
    cdef void not_yet(self, Endpoint end, Py_ssize_t which, bint drop, Segment seg, Connection conn)
    cdef void sent(self, Endpoint end, int given, Segment seg, Connection conn)
    cdef void now_is(self, Endpoint end, unsigned char state, Segment seg, Connection conn)
    cdef void settle(self, Endpoint end, Segment seg, Connection conn)
    cdef void amend(self, long long row, unsigned long long add, unsigned long long drop, Connection conn, Segment seg)

from tcptrace_py.tracker._recovery cimport Hole, Recovery, Resend
from tcptrace_py.tracker._rings cimport Rings
from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef Recovery recovery_of(Endpoint end)
cdef bint counts_ids(Endpoint me) except? -1
cdef int sent_order(Segment seg, Endpoint me) except? -2
cdef int compare(Segment seg, Endpoint me, unsigned short ip_id, unsigned int tsval, bint has_tsval) except? -2
cdef int order_by_feedback(Segment seg, Endpoint me, Endpoint peer, Hole hole) except? -2
cdef long long least_rtt(Endpoint end) except? -2
cdef long long timeout(Endpoint me) except? -1
cdef int remember(Segment seg, Endpoint me, Endpoint peer) except? -1
cdef int gap(Segment seg, Endpoint me) except? -1
cdef int send_again(
    Segment seg, Connection conn, Endpoint me, Endpoint peer, long long new, long long fresh, Journal log
) except? -1
cdef int fill_hole(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int close_holes(Segment seg, Connection conn, Endpoint me, bint late, Journal log) except? -1
cdef bint late_original(Segment seg, Connection conn, Endpoint me, Journal log) except? -1
cdef int resent(Segment seg, Endpoint me, bint first) except? -1
cdef int keep_resend(Segment seg, Endpoint me, bint first, bint explained) except? -1
cdef bint reports_twice(Segment seg, Endpoint peer, Resend resend) except? -1
cdef int kind_of_resend(Segment seg, Endpoint me, Recovery rec) except? -1
cdef bint surely_lost(Recovery rec, long long upto, Endpoint me) except? -1
cdef long long trigger(Segment seg, Endpoint peer, Rings rings) except? -2
cdef int heard(Segment seg, Connection conn, Endpoint peer, long long una, Journal log) except? -1
cdef int take_blocks(Segment seg, Connection conn, Endpoint peer, Recovery rec, Journal log) except? -1
cdef bint within_next(Segment seg, Endpoint peer, long long lo, long long hi) except? -1
cdef int came_twice(
    Segment seg, Connection conn, Endpoint peer, Recovery rec, long long lo, long long hi, Journal log
) except? -1
cdef int unneeded(Resend resend, int basis, Connection conn, Segment seg, Journal log) except? -1
cdef int copied(Segment seg, Endpoint me) except? -1
cdef int answer_resends(
    Segment seg, Connection conn, Endpoint peer, Recovery rec, long long una, Journal log
) except? -1
cdef int tell_of_holes(Segment seg, Endpoint peer, Recovery rec) except? -1
cdef bint tells_more(Segment seg, Endpoint peer) except? -1
cdef bint no_room(Connection conn, Endpoint peer, long long lo, long long hi) except? -1

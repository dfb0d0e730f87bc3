from tcptrace_py.tracker._rings cimport Rings
from tcptrace_py.tracker._segment cimport Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef void send(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings)
cdef void send_again(Segment seg, Connection conn, Endpoint me, Endpoint peer, long long new)
cdef void fill_hole(Segment seg, Endpoint me, Endpoint peer)
cdef bint probe(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef void acknowledge(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings)
cdef void sample(Segment seg, Endpoint peer, long long sent)
cdef void repeat_ack(Segment seg, Endpoint me, Endpoint peer)
cdef void offer(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef void remember(Segment seg, Endpoint me)
cdef int sent_order(Segment seg, Endpoint me)
cdef long long timeout(Endpoint me)

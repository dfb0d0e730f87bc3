from tcptrace_py.tracker._rings cimport Rings
from tcptrace_py.tracker._segment cimport Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef int send(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings)
cdef int send_again(Segment seg, Connection conn, Endpoint me, Endpoint peer, long long new)
cdef int fill_hole(Segment seg, Endpoint me, Endpoint peer)
cdef bint probe(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef int acknowledge(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings)
cdef int sample(Segment seg, Endpoint peer, long long sent)
cdef int repeat_ack(Segment seg, Endpoint me, Endpoint peer)
cdef int offer(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef int remember(Segment seg, Endpoint me)
cdef int sent_order(Segment seg, Endpoint me)
cdef long long timeout(Endpoint me)

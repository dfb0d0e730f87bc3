from tcptrace_py.tracker._rings cimport Rings
from tcptrace_py.tracker._segment cimport Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef int send(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings) except? -1
cdef int send_again(Segment seg, Endpoint me, long long new, long long fresh) except? -1
cdef long long catch_up(Segment seg, Endpoint me) except? -1
cdef int fill_hole(Segment seg, Endpoint me) except? -1
cdef bint probe(Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
cdef int acknowledge(Segment seg, Endpoint me, Endpoint peer, Rings rings) except? -1
cdef int sample(Segment seg, Endpoint peer, long long sent) except? -1
cdef int repeat_ack(Segment seg, Endpoint me, Endpoint peer) except? -1
cdef int offer(Segment seg, Endpoint me, Endpoint peer) except? -1
cdef int remember(Segment seg, Endpoint me) except? -1
cdef int sent_order(Segment seg, Endpoint me) except? -1
cdef long long timeout(Endpoint me) except? -1

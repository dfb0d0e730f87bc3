from tcptrace_py.tracker._evidence cimport gap, heard, send_again, sent_order, tells_more, trigger
from tcptrace_py.tracker._rings cimport Rings
from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint

cdef int send(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings, Journal log) except? -1
cdef long long catch_up(Segment seg, Endpoint me) except? -1
cdef bint probe(Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
cdef int acknowledge(Segment seg, Connection conn, Endpoint me, Endpoint peer, Rings rings, Journal log) except? -1
cdef int sample(Segment seg, Endpoint peer, long long sent, bint counts) except? -1
cdef int repeat_ack(Segment seg, Endpoint me, Endpoint peer) except? -1
cdef int offer(Segment seg, Endpoint me, Endpoint peer) except? -1

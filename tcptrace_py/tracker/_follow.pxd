from tcptrace_py.tracker._state cimport Connection, Endpoint
from tcptrace_py.tracker._segment cimport Journal, Segment

cdef int follow(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int prove(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int assume(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef bint proves(int given, Segment seg, Endpoint me, Endpoint peer) except? -1
cdef int open_with_syn(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int open_with_syn_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int open_with_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int close_with_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int close_with_ack(Segment seg, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int pass_fin(Segment seg, Endpoint me, Endpoint peer, Journal log) except? -1
cdef bint second_fin(Endpoint me, Endpoint peer) except? -1
cdef int pass_ack_of_fin(Segment seg, Endpoint me, Endpoint peer, Journal log) except? -1

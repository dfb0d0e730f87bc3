from tcptrace_py.tracker._state cimport Connection, Endpoint
from tcptrace_py.tracker._segment cimport Journal, Segment

cdef int follow(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int prove(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int assume(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef bint proves(int given, Segment seg, Endpoint me, Endpoint peer)
cdef int open_with_syn(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int open_with_syn_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int open_with_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int close_with_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int close_with_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int pass_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef bint second_fin(Endpoint me, Endpoint peer)
cdef int pass_ack_of_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)

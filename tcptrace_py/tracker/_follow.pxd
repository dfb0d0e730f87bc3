from tcptrace_py.tracker._state cimport Connection, Endpoint
from tcptrace_py.tracker._segment cimport Journal, Segment

cdef void follow(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void prove(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void assume(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef bint proves(list pending, Segment seg, Endpoint me, Endpoint peer)
cdef void open_with_syn(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void open_with_syn_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void open_with_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void close_with_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void close_with_ack(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef void pass_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef bint second_fin(Endpoint me, Endpoint peer)
cdef Py_ssize_t waiting(Endpoint end, int given)
cdef void pass_ack_of_fin(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)

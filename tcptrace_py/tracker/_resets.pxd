from tcptrace_py.tracker._follow cimport waiting
from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef void judge(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int verdict(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef void accept(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef int signs_of_forgery(Segment seg, Endpoint me)
cdef void survive(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log)
cdef bint sent_after(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef void revoke(Segment seg, Connection conn, Endpoint end, int given, Journal log)
cdef void keep(Segment seg, Connection conn, Endpoint me)

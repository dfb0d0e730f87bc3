from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef int judge(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int verdict(Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
cdef int accept(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef int signs_of_forgery(Segment seg, Endpoint me) except? -1
cdef int survive(Segment seg, Connection conn, Endpoint me, Endpoint peer, Journal log) except? -1
cdef bint sent_after(Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
cdef int revoke(Segment seg, Connection conn, Endpoint end, int given, Journal log) except? -1
cdef int keep(Segment seg, Connection conn, Endpoint me) except? -1
cdef int amend_rst(unsigned long long add, unsigned long long drop, Connection conn, Segment seg, Journal log) except? -1
cdef int never_refused(Segment seg, Connection conn, Endpoint me, Journal log) except? -1

from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef bint opens_anew(Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
cdef bint fits_older(Segment seg, Connection conn, Endpoint me, Endpoint peer, unsigned char side) except? -1
cdef long long distance(Segment seg, Endpoint me, Endpoint peer) except? -1
cdef int reuse(Segment seg, Connection conn, Connection older, unsigned char side) except? -1
cdef int client_by_ports(unsigned int sport, unsigned int dport) except? -1
cpdef int handshake_shape(Connection conn) except? -1
cpdef int teardown_shape(Connection conn) except? -1
cpdef int closed_first(Connection conn) except? -1
cdef int conclude(Connection conn, Journal log) except? -1
cdef int find(Connection conn, int code) except? -1
cdef long long closed_window(Endpoint end, Connection conn) except? -1

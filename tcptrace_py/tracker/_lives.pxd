from tcptrace_py.tracker._segment cimport Journal, Segment
from tcptrace_py.tracker._state cimport Connection, Endpoint, seq_delta

cdef bint opens_anew(Segment seg, Connection conn, Endpoint me, Endpoint peer)
cdef bint fits_older(Segment seg, Connection conn, Endpoint me, Endpoint peer, unsigned char side)
cdef long long distance(Segment seg, Endpoint me, Endpoint peer)
cdef int reuse(Segment seg, Connection conn, Connection older, unsigned char side)
cdef int client_by_ports(unsigned int sport, unsigned int dport)
cpdef int handshake_shape(Connection conn)
cpdef int teardown_shape(Connection conn)
cpdef int closed_first(Connection conn)
cdef int conclude(Connection conn, Journal log)
cdef int find(Connection conn, int code)

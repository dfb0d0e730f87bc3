from tcptrace_py.tracker._state cimport Endpoint

cdef class Rings:
    cdef long long[::1] words
    cdef list vacant
    cdef Py_ssize_t used

    cdef int put(self, Endpoint sender, long long end, long long time) except? -1
    cdef long long sent_at(self, Endpoint sender, long long ack) except? -1
    cdef long long beyond(self, Endpoint sender, long long ack) except? -1
    cdef long long first_end(self, Endpoint sender, long long above, long long unless) except? -1
    cdef Py_ssize_t take(self, int size_class) except? -1
    cdef int enlarge(self, Endpoint sender) except? -1
    cpdef object give_back(self, Endpoint sender)

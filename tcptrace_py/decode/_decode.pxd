# The C shape of `Walk`; the code is in _decode.py, which runs uncompiled without this file.
from tcptrace_py._octets cimport big_16, big_32
from tcptrace_py.decode._batch cimport Batch


cdef class Walk:
    cdef public Py_ssize_t index, at, end, wire_end, ip_at, ip_end
    cdef public int kind, vlans, max_vlans
    cdef public unsigned int marks
    cdef public unsigned short part
    cdef public unsigned long long net, src_hi, src_lo, dst_hi, dst_lo
    cdef public long long[::1] unused, too_deep, payload_at

    cdef const unsigned char[::1] buffer, peelable
    cdef const unsigned long long[::1] words
    cdef long long[::1] offset, captured, original, time_ns
    cdef int[::1] link, interface, frame_marks
    cdef Py_ssize_t n
    cdef long long first_frame
    cdef bint verify
    cdef int extensions, max_extensions
    cdef unsigned char ttl, tos
    cdef unsigned short ip_id

    cpdef int run(self, Py_ssize_t index, Batch batch) except? -1
    cpdef void enter(self, Py_ssize_t index) noexcept nogil
    cpdef int follow(self, Batch batch) noexcept nogil
    cdef int _ethernet(self) noexcept nogil
    cdef int _link(self) noexcept nogil
    cdef int _raw(self) noexcept nogil
    cdef int _null(self) noexcept nogil
    cdef int _llc(self) noexcept nogil
    cdef int _ethertype(self) noexcept nogil
    cdef int _vlan(self) noexcept nogil
    cdef int _ipv4(self) noexcept nogil
    cdef int _ipv6(self) noexcept nogil
    cdef int _ip_protocol(self) noexcept nogil
    cdef int _extension(self, int protocol) noexcept nogil
    cdef void _final_destination(self, Py_ssize_t at, int size) noexcept nogil
    cdef int _fragment_header(self) noexcept nogil
    cdef int _icmp(self, int protocol) noexcept nogil
    cdef int _udp(self) noexcept nogil
    cdef int _tcp(self, Batch batch) noexcept nogil
    cdef void _identity(self, Batch batch, Py_ssize_t row) noexcept nogil
    cdef int _typed(self, Py_ssize_t at, int ethertype) noexcept nogil
    cdef void _packet(self, Py_ssize_t at, Py_ssize_t ip_end, unsigned int version) noexcept nogil
    cdef unsigned int _lengths(self) noexcept nogil

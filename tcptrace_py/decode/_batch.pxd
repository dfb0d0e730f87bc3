cdef class Batch:
    cdef public Py_ssize_t n, capacity
    cdef public list payloads
    cdef public long long[::1] frame, time_ns
    cdef public unsigned short[::1] part
    cdef public unsigned long long[::1] src_hi, src_lo, dst_hi, dst_lo, net
    cdef public unsigned short[::1] sport, dport, flags, window, urgent, ip_id
    cdef public unsigned int[::1] seq, ack, payload, uncaptured, wire_bytes, tsval, tsecr, marks, options, interface
    cdef public unsigned char[::1] ttl, tos, sack_n, header, tfo_cookie
    cdef public int[::1] mss
    cdef public short[::1] wscale
    cdef public unsigned int[:, ::1] sack

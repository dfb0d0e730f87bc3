cdef long long merge(list spans, long long lo, long long hi) except? -1

cdef class Hole:
    cdef public long long lo, hi, left, row, frame, time, told, sure
    cdef public bint lost

cdef class Resend:
    cdef public long long lo, hi, row, frame, time
    cdef public unsigned int tsval
    cdef public unsigned short ip_id
    cdef public bint has_ts, spurious, first
    cdef public int told_twice

cdef class Recovery:
    cdef public list holes, waiting, covered, sacked, copied
    cdef public long long point, episode_end

    cdef int open_hole(self, long long lo, long long hi, long long row, long long frame, long long time) except? -1
    cdef Hole hole_at(self, long long number)
    cdef int add(self, Resend resend) except? -1
    cdef int cover(self, Resend resend) except? -1
    cdef int acknowledged(self, long long upto) except? -1
    cdef int sack(self, long long lo, long long hi) except? -1
    cdef bint holds(self, long long lo, long long hi) except? -1

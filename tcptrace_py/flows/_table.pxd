from tcptrace_py.decode._batch cimport Batch

cdef extern from *:
    """
    static CYTHON_INLINE void tcptrace_warm_word(int *word) {
    #if defined(__GNUC__)
        __builtin_prefetch(word);
    #endif
    }
    """
    void warm_word "tcptrace_warm_word" (int *word) noexcept nogil

cdef class FlowTable:
    cdef public Py_ssize_t used, high, capacity
    cdef public unsigned long long[::1] keys, hashes
    cdef public int[::1] index, vacant
    cdef public Py_ssize_t n_vacant, filled
    cdef public unsigned long long share, shares
    cdef unsigned long long mask, seed

    cpdef object release(self, Py_ssize_t slot)
    cdef int expect_release(self, Py_ssize_t slot) except? -1
    cdef int expect_place(self, Py_ssize_t slot) except? -1
    cdef unsigned long long digest(self, Py_ssize_t slot) noexcept
    cpdef object sides(self, Py_ssize_t slot)
    cdef unsigned long long hash_again(self, Py_ssize_t key) noexcept
    cdef int hash_all(self, Batch batch, Py_ssize_t n) except? -1
    cdef unsigned long long hash_of(self, Batch batch, Py_ssize_t i) noexcept nogil
    cdef Py_ssize_t look(self, unsigned long long h, Batch batch, Py_ssize_t i) noexcept nogil
    cdef int side_of(self, Py_ssize_t key, Batch batch, Py_ssize_t i) noexcept nogil
    cdef Py_ssize_t add(self, unsigned long long h, Batch batch, Py_ssize_t i) except? -1
    cdef int enter(self, Py_ssize_t slot) except? -1

    cdef int expect(self, unsigned long long far, unsigned long long near) noexcept

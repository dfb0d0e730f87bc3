from tcptrace_py.tracker._recovery cimport Recovery, merge

cdef extern from *:
    """
    static CYTHON_INLINE void tcptrace_warm(PyObject *object, long octets) {
    #if defined(__GNUC__)
        for (long at = 0; at < octets; at += 64) __builtin_prefetch((char *) object + at);
    #endif
    }
    static CYTHON_INLINE void tcptrace_warm_place(PyObject *list, Py_ssize_t at) {
    #if defined(__GNUC__) && defined(CYTHON_ASSUME_SAFE_MACROS) && CYTHON_ASSUME_SAFE_MACROS
        __builtin_prefetch(&((PyListObject *) list)->ob_item[at]);
    #endif
    }
    static CYTHON_INLINE void tcptrace_warm_item(PyObject *list, Py_ssize_t at, long octets) {
    #if defined(CYTHON_ASSUME_SAFE_MACROS) && CYTHON_ASSUME_SAFE_MACROS
        tcptrace_warm(((PyListObject *) list)->ob_item[at], octets);
    #endif
    }
    """
    void warm "tcptrace_warm" (object thing, long octets) noexcept
    void warm_place "tcptrace_warm_place" (list items, Py_ssize_t at) noexcept
    void warm_item "tcptrace_warm_item" (list items, Py_ssize_t at, long octets) noexcept

cdef long long seq_delta(unsigned int a, unsigned int b) noexcept nogil

cdef class Endpoint:
    # touched by every segment, so they stand together
    cdef public unsigned char side, proved, state, ttl, other_ttl, other_ttl_n
    cdef public bint seen, based, has_isn, has_tsval, initial_over, any_good_sum, timestamps
    cdef public int pending, raw_window, wscale, mss, probe_kind, dup_acks, id_steps, id_good
    cdef public unsigned int base, last_tsval, ts_recent
    cdef public unsigned short last_id, syn_id
    cdef public long long top, front, floor, una, fin_end, last_ack, window, edge
    cdef public long long probe_end, last_time, last_data, zero_since
    cdef public list ranges
    cdef public Recovery recovery
    cdef public int ring_at, ring_class, ring_head, ring_n
    cdef public unsigned int segments, data_segments
    cdef public long long wire_bytes, octets, unique_octets, max_in_flight, max_segment, idle_max
    cdef public long long window_min, window_max, last_payload_row, last_payload_ack, last_payload_frame, last_payload_time
    cdef public long long rtt_n, rtt_min, rtt_max
    cdef public double rtt_sum, rtt_squares, srtt, rttvar
    # state
    cdef public bint fin_passed, ack_of_fin_passed, ack_of_syn_passed
    cdef public bint sent_syn_ack, syn_again, fin_again, fin_acked, fin_acked_by_fin
    cdef public bint sack_permitted
    cdef public unsigned long long queue
    cdef public long long need, fin_ack, syn_payload
    cdef long long since[11]
    # rare events
    cdef public long long late_lo, late_hi  # acknowledged before it was captured, if it ever was
    cdef public long long gap_time, first_data, fin_time, fin_acked_time, after_fin_octets
    cdef public long long initial_window, resent_octets, missing_octets
    cdef public unsigned int retransmissions, out_of_order, lost_segments, copies, duplicate_acks
    cdef public unsigned int syns, fins, rsts, zero_windows, recoveries
    cdef public long long zero_window_ns

    cdef int begin(self, unsigned char side, unsigned char state) except? -1
    cdef long long rel(self, unsigned int number) except? -1
    cdef int base_at(self, unsigned int number, long long relative) except? -1
    cdef long long cover(self, long long lo, long long hi) except? -1
    cdef long long cover_apart(self, long long lo, long long hi) except? -1
    cdef long long begin_earlier(self, long long lo, long long hi) except? -1
    cdef long long skip_to(self, long long to) except? -1
    cdef unsigned char estimate(self, int upto) except? 255
    cdef int push(self, int given, long long row) except? -1
    cdef int pending_at(self, int k) except? -1
    cdef int waiting(self, int given) except? -1
    cdef int take(self, int first, int n) except? -1

cdef class Connection:
    cdef public Endpoint client, server
    cdef public Connection older
    cdef public unsigned char client_side, roles_from, split, rst_side, reset_by
    cdef public bint simultaneous, tfo_used, refused, evicted, synack_first, steady, ended, timed, shown
    cdef public bint rst_accepted, reset_after_close
    cdef public unsigned int steps_checked, steps_failed
    cdef public long long conn_id, end, last_row, closed_time, queued_time
    cdef public unsigned long long found, found_conn, rst_bits, rst_stood
    cdef public Py_ssize_t slot
    cdef public long long first_frame, start
    # handshake and teardown
    cdef public long long syn_time, syn_ack_time, hs_ack_time
    cdef public long long bad_ack, retry_of, reuse_gap
    cdef public long long crossed_row, crossed_frame, crossed_time  # the SYN that crossed the peer's
    cdef public unsigned int syns, syn_acks
    # the last RST whose fate is open
    cdef public long long rst_row, rst_frame, rst_time, rst_top
    cdef public int rst_signs
    cdef public list changes  # state changes, where the states table is asked for
    cdef public object pair  # addresses, ports and network, where its row is asked for

    cdef int begin(self, long long conn_id, Py_ssize_t slot, unsigned char client_side) except? -1

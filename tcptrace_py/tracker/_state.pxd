cdef long long seq_delta(unsigned int a, unsigned int b) noexcept nogil

cdef class Endpoint:
    # state
    cdef public unsigned char side, proved, state
    cdef public list pending
    cdef public bint seen, fin_passed, ack_of_fin_passed, ack_of_syn_passed
    # sequence space of what it sends, relative to `base`
    cdef public unsigned int base
    cdef public bint based, has_isn
    cdef public long long top, front, floor, una, fin_end, fin_ack, syn_payload
    cdef public list ranges
    cdef public long long last_ack, last_end
    # the window that it offers, and its options
    cdef public long long window, edge
    cdef public int raw_window, wscale, mss
    cdef public bint sack_permitted, timestamps
    # evidence for the order of sending
    cdef public unsigned short last_id, syn_id
    cdef public int id_steps, id_good
    cdef public unsigned int last_tsval
    cdef public bint has_tsval, any_good_sum
    cdef public unsigned char ttl
    # RTT of what it sends; holes; probes
    cdef public int ring_at, ring_class, ring_head, ring_n
    cdef public long long karn_end, gap_time, gap_end, probe_end
    cdef public int dup_acks, probe_kind
    # counts
    cdef public long long segments, wire_bytes, octets, unique_octets, resent_octets, missing_octets
    cdef public long long data_segments, retransmissions, out_of_order, lost_segments, copies, duplicate_acks
    cdef public long long syns, fins, rsts, zero_windows, window_min, window_max
    cdef public long long rtt_n, rtt_min, rtt_max
    cdef public double rtt_sum, rtt_squares, srtt, rttvar
    cdef public long long initial_window, max_in_flight, max_segment, idle_max
    cdef public long long first_data, last_data, last_time, fin_time, fin_acked_time
    cdef public long long after_fin_octets, after_fin_time, last_payload_row, last_payload_ack
    cdef public bint fin_acked, fin_acked_by_fin, initial_over
    cdef public bint sent_syn_ack, syn_again, fin_again

    cdef long long rel(self, unsigned int number)
    cdef void base_at(self, unsigned int number, long long relative)
    cdef long long cover(self, long long lo, long long hi)
    cdef long long cover_apart(self, long long lo, long long hi)
    cdef long long skip_to(self, long long to)
    cdef unsigned char estimate(self, Py_ssize_t upto)
    cpdef object push(self, int given, long long row, long long frame, long long time)


cdef class Connection:
    cdef public long long conn_id, first_frame, start, end, last_row, rows
    cdef public Py_ssize_t slot
    cdef public unsigned char client_side, roles_from, split
    cdef public Endpoint client, server
    cdef public Connection older
    cdef public unsigned long long found, found_conn, rst_bits
    # handshake and teardown
    cdef public long long syn_time, syn_ack_time, hs_ack_time, fin_2_time, last_ack_time, closed_time, queued_time, reset_time
    cdef public long long syns, syn_acks, bad_ack, retry_of, reuse_gap
    cdef public unsigned int steps_seen, steps_checked, steps_failed
    cdef public bint simultaneous, tfo_used, refused, evicted, synack_first, steady, ended, timed
    # the last RST whose fate is open
    cdef public long long rst_row, rst_frame, rst_time, rst_top
    cdef public unsigned char rst_side, reset_by
    cdef public int rst_signs
    cdef public unsigned int rst_tsval
    cdef public bint rst_accepted, reset_after_close
    cdef public list changes  # state changes, where the states table is asked for
    cdef public object pair  # addresses, ports and network, where its row is asked for

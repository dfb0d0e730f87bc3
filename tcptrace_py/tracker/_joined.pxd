# The C shape of the tracker's classes.  Its files are compiled as one module (see setup.py), so its functions need none;
# uncompiled, none of this is read.
from tcptrace_py.decode._batch cimport Batch
from tcptrace_py.flows._table cimport FlowTable

cdef extern from *:
    ctypedef bint flag "unsigned char"  # a bint of one octet: an int's four would cost a connection two cache lines

cdef class Hole:
    cdef public long long lo, hi, left, row, frame, time, told, sure
    cdef public bint lost

cdef class Resend:
    cdef public long long lo, hi, row, frame, time
    cdef public unsigned int tsval
    cdef public unsigned short ip_id
    cdef public bint has_ts, spurious, first
    cdef public int told_twice

cdef class EarlyAck:
    cdef public long long lo, hi, row, frame, time

cdef class Recovery:
    cdef public list holes, waiting, covered, sacked, copied, missing, early
    cdef public long long point, episode_end
    cdef public unsigned int unseen

    cdef int open_hole(self, long long lo, long long hi, long long row, long long frame, long long time) except? -1
    cdef Hole hole_at(self, long long number)
    cdef int add(self, Resend resend) except? -1
    cdef int cover(self, Resend resend) except? -1
    cdef int acknowledged(self, long long upto) except? -1
    cdef int sack(self, long long lo, long long hi) except? -1
    cdef bint holds(self, long long lo, long long hi) except? -1
    cdef int open_early(self, long long lo, long long hi, long long row, long long frame, long long time) except? -1
    cdef int set_aside(self, long long lo, long long hi) except? -1

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
    static CYTHON_INLINE void tcptrace_warm_number(long long *place) {
    #if defined(__GNUC__)
        __builtin_prefetch(place);
    #endif
    }
    """
    void warm_number "tcptrace_warm_number" (long long *place) noexcept
    void warm "tcptrace_warm" (object thing, long octets) noexcept
    void warm_place "tcptrace_warm_place" (list items, Py_ssize_t at) noexcept
    void warm_item "tcptrace_warm_item" (list items, Py_ssize_t at, long octets) noexcept

cdef class Endpoint:
    # touched by every segment, so they stand together
    cdef public unsigned char side, proved, state, ttl, other_ttl, other_ttl_n
    cdef public flag seen, based, has_isn, has_tsval, initial_over, any_good_sum, timestamps
    cdef public unsigned char before_proved, before_pending
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
    cdef public flag fin_passed, ack_of_fin_passed, ack_of_syn_passed
    cdef public flag sent_syn_ack, syn_again, fin_again, fin_acked, fin_acked_by_fin
    cdef public flag sack_permitted, fast_open, any_syn_ack
    cdef public unsigned long long queue, before_queue
    cdef public long long proved_row
    cdef public long long need, fin_ack, syn_payload
    cdef long long since[11]
    # rare events
    cdef public long long late_lo, late_hi  # acknowledged and not captured, but may still come: the newest such run
    cdef public long long gap_time, first_data, fin_time, fin_acked_time, after_fin_octets
    cdef public long long initial_window, resent_octets, missing_octets
    cdef public unsigned int retransmissions, out_of_order, lost_segments, copies, duplicate_acks
    cdef public unsigned int syns, fins, rsts, zero_windows, recoveries
    cdef public long long zero_window_ns

    cdef int begin(self, unsigned char side, unsigned char state) except? -1
    cdef long long rel(self, unsigned int number) except? -1
    cdef int base_at(self, unsigned int number, long long relative) except? -1
    cdef long long cover(self, long long lo, long long hi) except? -1
    cdef long long begin_earlier(self, long long lo, long long hi) except? -1
    cdef long long cover_apart(self, long long lo, long long hi) except? -1
    cdef long long skip_to(self, long long to) except? -1
    cdef long long miss(self, long long lo, long long hi) except? -1
    cdef int set_aside(self, long long lo, long long hi) except? -1
    cdef long long catch_up(self, long long lo, long long hi) except? -1
    cdef bint misses(self, long long lo, long long hi) except? -1
    cdef int prove(self, unsigned char state, long long row) except? -1
    cdef int prove_all(self, unsigned char state) except? -1
    cdef int strike(self, int which) except? -1
    cdef bint passed_in(self, long long row) except? -1
    cdef unsigned char estimate(self, int upto) except? 255
    cdef unsigned char estimate_at(self, long long row, int without) except? 255
    cdef long long next_since(self, long long row, long long before, int without) except? -1
    cdef int push(self, int given, long long row) except? -1
    cdef int pending_at(self, int k) except? -1
    cdef int waiting(self, int given) except? -1
    cdef int take(self, int first, int n) except? -1

cdef class Connection:
    cdef public Endpoint client, server
    cdef public Connection older
    cdef public unsigned char client_side, roles_from, split, rst_side, reset_by
    cdef public flag simultaneous, tfo_used, refused, evicted, synack_first, steady, ended, timed, shown
    cdef public flag rst_accepted, reset_after_close
    cdef public unsigned int steps_checked, steps_failed
    cdef public long long conn_id, end, last_row, closed_time, queued_time
    cdef public unsigned long long found, found_conn, rst_bits, rst_stood
    cdef public Py_ssize_t slot
    cdef public long long first_frame, start
    # handshake and teardown
    cdef public long long syn_time, syn_ack_time, hs_ack_time
    cdef public long long bad_ack, retry_of, reuse_gap, continues
    cdef public long long crossed_row, crossed_frame, crossed_time  # the SYN that crossed the peer's
    cdef public unsigned int syns, syn_acks
    # the last RST whose fate is open
    cdef public long long rst_row, rst_frame, rst_time, rst_top
    cdef public int rst_signs
    cdef public object changes  # state changes, where the states table is asked for
    cdef public object pair  # addresses, ports and network, where its row is asked for

    cdef int begin(self, long long conn_id, Py_ssize_t slot, unsigned char client_side) except? -1

cdef class Rings:
    cdef public long long[::1] words, vacant
    cdef public Py_ssize_t used
    cdef public long long most, dropped

    cdef int put(self, Endpoint sender, long long end, long long time) except? -1
    cdef long long sent_at(self, Endpoint sender, long long ack) except? -2
    cdef long long beyond(self, Endpoint sender, long long ack) except? -2
    cdef long long first_end(self, Endpoint sender, long long above, long long unless) except? -1
    cdef Py_ssize_t take(self, int size_class) except? -1
    cdef int enlarge(self, Endpoint sender) except? -1
    cdef int leave(self, Py_ssize_t at, int size_class) except? -1
    cpdef object give_back(self, Endpoint sender)

cdef class Segment:
    cdef public long long row, frame, time, s, e, a, payload, span, window, rtt, in_flight
    cdef public bint timed, has_ts, has_seq
    cdef public unsigned int flags, seq, ack, tsval, tsecr, marks, options, wire_bytes
    cdef public unsigned short ip_id
    cdef public unsigned char ttl, sack_n, tfo_cookie
    cdef public int raw_window, wscale, mss
    cdef public unsigned long long bits
    cdef public bint telling
    cdef public dict told, basis  # anomaly bit -> the number that shows it; the kind of evidence
    cdef unsigned int edges[8]  # of its SACK blocks, raw
    cdef public int order_by
    cdef public bint rtt_ambiguous
    cdef public unsigned int steps, checked, failed

    cdef int step(self, int which, int holds) except? -1
    cdef int find(self, unsigned long long bit, long long evidence) except? -1
    cdef int because(self, unsigned long long bit, int basis) except? -1

cdef class Ledger:
    cdef public Py_ssize_t width, used
    cdef public long long[::1] words

    cdef Py_ssize_t add(self) except? -1

cdef class Journal:
    cdef public Ledger states, labels
    cdef public list events
    cdef public dict repeats
    cdef public long long[::1] changed
    cdef public bint keep_events, keep_changes
    cdef public long long max_amendments, max_repeats, forgotten
    cdef long long amended, amended_to

    cdef int change(self, Connection conn, int how, int side, int state, long long row, long long frame, long long time) except? -1
    cdef int got(self, Endpoint end, int given, Segment seg) except? -1
    cdef int arrived(self, Endpoint end, int upto, Segment seg, Connection conn) except? -1
    cdef int not_yet(self, Endpoint end, int which, bint drop, Segment seg, Connection conn) except? -1
    cdef int amend_states(self, long long conn_id, unsigned char side, long long first, long long after, unsigned char state) except? -1
    cdef int sent(self, Endpoint end, int given, Segment seg, Connection conn) except? -1
    cdef int now_is(self, Endpoint end, unsigned char state, Segment seg, Connection conn) except? -1
    cdef int was(self, Endpoint end, unsigned char state, long long first, long long after, Segment seg, Connection conn) except? -1
    cdef int crossed(self, Endpoint end, Segment seg, Connection conn) except? -1
    cdef bint has_room(self) except? -1
    cdef int note(self, Connection conn, Segment seg, int code, object evidence, object basis) except? -1
    cdef int settle(self, Endpoint end, Segment seg, Connection conn) except? -1
    cdef int amend(
        self, long long row, long long frame, long long time, unsigned long long add, unsigned long long drop, int basis,
        Connection conn, Segment seg,
    ) except? -1

cdef class Copies:
    cdef public long long[::1] places  # four words a place
    cdef unsigned long long[::1] digests

    cdef int digest(self, Batch b, Py_ssize_t first, Py_ssize_t after) except? -1
    cdef int expect(self, Py_ssize_t i) except? -1
    cdef bint has(self, Py_ssize_t i, Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef int take_place(self, Py_ssize_t i, long long conn_id) except? -1

cdef class Departed:
    cdef public bint any
    cdef public unsigned long long[::1] digests
    cdef public long long[::1] conn_ids

    cdef int add(self, FlowTable flows, Py_ssize_t slot, long long conn_id, bint half_open) except? -1
    cdef long long find(self, FlowTable flows, Py_ssize_t slot) except? -2

cdef class Totals:
    cdef public long long[::1] found_segments, found_connections, handshakes, teardowns
    cdef public list worst
    cdef long long bar

    cdef int notice(self, Segment seg, Connection conn, Journal log) except? -1
    cdef int add(self, Connection conn, FlowTable flows) except? -1

cdef class Roster:
    cdef public list by_slot, closed, finished
    cdef public Totals totals
    cdef public Departed departed
    cdef public long long linger, max_open, live, evicted
    cdef public Py_ssize_t closed_head
    cdef FlowTable flows
    cdef Journal log
    cdef Rings rings
    cdef public object overlaps
    cdef list spare

    cdef int expect(self, Py_ssize_t farthest, Py_ssize_t far, Py_ssize_t near) except? -1
    cdef Connection enter(self, long long conn_id, Py_ssize_t slot, unsigned char client_side)
    cdef Connection another(self)
    cdef int close(self, Connection conn, long long now) except? -1
    cdef int expect_to_leave(self, Py_ssize_t at) except? -1
    cdef int expect_eviction(self, Py_ssize_t far, Py_ssize_t near) except? -1
    cdef int end(self, Connection conn) except? -1
    cdef int leave(self, Py_ssize_t slot, Connection conn) except? -1

cdef class Tracker:
    cdef public bint writing
    cdef public list finished
    cdef public FlowTable flows
    cdef public Journal log
    cdef public Roster roster
    cdef public Totals totals
    cdef public Rings rings
    cdef public Copies copies
    cdef public long long idle, max_runs, clock, row, packets, next_id, capped
    cdef public long long[::1] conn, rel_seq, rel_ack, window, rtt, in_flight
    cdef public unsigned long long[::1] anomalies
    cdef public unsigned char[::1] direction, client_state, server_state, rtt_ambiguous
    cdef public unsigned short[::1] steps, checked, failed
    cdef Segment seg

    cdef int track_share(self, Batch batch, int[::1] slots, unsigned char[::1] sides, Py_ssize_t first, Py_ssize_t after) except? -1
    cdef int pass_over(self, Batch b, Py_ssize_t i) except? -1
    cdef int segment(self, Segment seg, Batch b, Py_ssize_t i, Py_ssize_t slot, unsigned char side) except? -1
    cdef int compare_octets(self, Batch b, Py_ssize_t i, Connection conn, Endpoint me) except? -1
    cdef int read(self, Segment seg, Batch b, Py_ssize_t i) except? -1
    cdef int apply(self, Segment seg, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef int cap_holes(self, Connection conn, Endpoint me) except? -1
    cdef int closing(self, Connection conn, Endpoint me, Endpoint peer) except? -1
    cdef int write(self, Py_ssize_t i, Connection conn, Endpoint me) except? -1
    cdef Connection life(self, Connection conn, Batch b, Py_ssize_t i, Py_ssize_t slot, unsigned char side)
    cdef bint same_again(self, Connection conn, unsigned char side) except? -1
    cdef Connection open(self, Batch b, Py_ssize_t i, Py_ssize_t slot, unsigned char side)
    cdef Connection succeed(self, Connection older, Connection conn, unsigned char side)

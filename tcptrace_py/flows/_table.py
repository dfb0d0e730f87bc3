"""The table of flows: which pair of endpoints a segment belongs to, and which of the two sent it.

Knows addresses, ports and networks (VLAN, tunnel).  Does not know sequence numbers, flags or time: when a pair is
used again, or its slot may be given away, is for the tracker to say.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._batch import Batch

    def warm_word(word):
        """Ask the processor for a word that will soon be wanted; compiled, a prefetch."""


from tcptrace_py.columns import filled, held, longer, zeros

# Words of a slot's key: eight, so that a key is one cache line
WORDS = cython.declare(cython.Py_ssize_t, 8)
A_HI = cython.declare(cython.Py_ssize_t, 0)
A_LO = cython.declare(cython.Py_ssize_t, 1)
B_HI = cython.declare(cython.Py_ssize_t, 2)
B_LO = cython.declare(cython.Py_ssize_t, 3)
NET = cython.declare(cython.Py_ssize_t, 4)
PORTS = cython.declare(cython.Py_ssize_t, 5)
HASH = cython.declare(cython.Py_ssize_t, 6)

AHEAD = cython.declare(cython.Py_ssize_t, 12)
FREE = cython.declare(cython.int, -1)  # in the index: never used
LEFT = cython.declare(cython.int, -2)  # in the index: released, so a search goes on past it
M64 = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
MIX_1 = cython.declare(cython.ulonglong, 0xBF58476D1CE4E5B9)
MIX_2 = cython.declare(cython.ulonglong, 0x94D049BB133111EB)
GOLDEN = cython.declare(cython.ulonglong, 0x9E3779B97F4A7C15)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def mixed(x: cython.ulonglong) -> cython.ulonglong:
    """Every bit of `x` in every bit of the result (the finaliser of SplitMix64)."""
    x = ((x ^ (x >> 30)) * MIX_1) & M64
    x = ((x ^ (x >> 27)) * MIX_2) & M64
    return x ^ (x >> 31)


@cython.final
@cython.cclass
class FlowTable:
    """Slots for pairs of endpoints, found by open addressing.

    A slot is a small number that stays with a pair until it is released; side 0 of a pair is the endpoint that was
    seen sending first.  `seed` makes collisions unpredictable to whoever writes captures; slots do not depend on it.
    Of several `shares`, into which tables of one seed divide all pairs, it has one; other pairs get the slot -1.
    """

    def __init__(self, seed: cython.ulonglong, share: cython.ulonglong = 0, shares: cython.ulonglong = 1):
        self.seed, self.share, self.shares = seed, share, shares
        self.used = 0  # slots in use
        self.high = 0  # slots ever in use
        self.filled = 0  # index places that are not FREE
        self.n_vacant = 0
        self.capacity = 0
        self.keys = self.hashes = memoryview(zeros("Q", 0))
        self.vacant = memoryview(zeros("i", 0))
        self.grow(1024)
        self.reindex(4096)

    def assign(self, batch: Batch, slots: cython.int[::1], sides: cython.uchar[::1]):
        """Give every segment of the batch the slot of its pair, and the side of the pair that sent it."""
        i: cython.Py_ssize_t
        found: cython.Py_ssize_t
        n: cython.Py_ssize_t = batch.n
        if len(self.hashes) < batch.capacity:
            self.hashes = memoryview(zeros("Q", batch.capacity))
        if not 0 <= n <= min(batch.capacity, len(slots), len(sides)):
            raise ValueError("a column is shorter than the batch")
        self.hash_all(batch, n)
        for i in range(n):
            if i + AHEAD < n:
                self.expect(self.hashes[i + AHEAD], self.hashes[i + AHEAD // 2])
            if self.shares > 1 and (self.hashes[i] >> 32) % self.shares != self.share:
                slots[i] = -1
                sides[i] = 0
                continue
            found = self.look(self.hashes[i], batch, i)
            if found < 0:
                found = 2 * self.add(self.hashes[i], batch, i)
            slots[i] = found >> 1
            sides[i] = found & 1

    @cython.cfunc
    @cython.boundscheck(False)  # as many rows as `assign` has made sure of
    @cython.exceptval(-1, check=True)
    def hash_all(self, batch: Batch, n: cython.Py_ssize_t) -> cython.int:
        i: cython.Py_ssize_t
        for i in range(n):
            self.hashes[i] = self.hash_of(batch, i)

    @cython.cfunc
    @cython.boundscheck(False)  # what `mask` leaves is a place, and what stands there is a slot
    @cython.exceptval(check=False)
    def expect(self, far: cython.ulonglong, near: cython.ulonglong) -> cython.int:
        """Have the places and keys of pairs to come brought into the cache."""
        if cython.compiled:
            warm_word(cython.address(self.index[far & self.mask]))
            slot: cython.Py_ssize_t = self.index[near & self.mask]
            if slot >= 0:
                warm_word(cython.cast(cython.p_int, cython.address(self.keys[WORDS * slot])))

    def find(self, batch: Batch, i: cython.Py_ssize_t):
        """The slot of the pair in row `i` of a batch, or -1; nothing is added."""
        if not 0 <= i < batch.capacity:
            raise IndexError(i)
        return self.look(self.hash_of(batch, i), batch, i) >> 1

    @cython.ccall
    def release(self, slot: cython.Py_ssize_t):
        """Forget the pair in `slot`; the slot may be given to another pair from now on."""
        at: cython.ulonglong = self.keys[WORDS * slot + HASH] & self.mask
        while self.index[at] != slot:
            at = (at + 1) & self.mask
        self.index[at] = LEFT
        self.vacant[self.n_vacant] = slot
        self.n_vacant += 1
        self.used -= 1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def expect_release(self, slot: cython.Py_ssize_t) -> cython.int:
        """Have the key of a pair that is soon released brought into the cache."""
        if cython.compiled:
            warm_word(cython.cast(cython.p_int, cython.address(self.keys[WORDS * slot])))

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def expect_place(self, slot: cython.Py_ssize_t) -> cython.int:
        """The same, a little later, for its place in the index."""
        if cython.compiled:
            warm_word(cython.address(self.index[self.keys[WORDS * slot + HASH] & self.mask]))

    @cython.ccall
    def sides(self, slot: cython.Py_ssize_t):
        """The pair in `slot`: ((hi, lo, port) of side 0, (hi, lo, port) of side 1, net)."""
        at: cython.Py_ssize_t = WORDS * slot
        ports: cython.ulonglong = self.keys[at + PORTS]
        first = (self.keys[at + A_HI], self.keys[at + A_LO], ports >> 16)
        return first, (self.keys[at + B_HI], self.keys[at + B_LO], ports & 0xFFFF), self.keys[at + NET]

    @cython.cfunc
    @cython.exceptval(check=False)
    def digest(self, slot: cython.Py_ssize_t) -> cython.ulonglong:
        """64 bits that stand for the pair in `slot`: the same whichever end sent first, and in every run."""
        at: cython.Py_ssize_t = WORDS * slot
        ports: cython.ulonglong = self.keys[at + PORTS]
        a: cython.ulonglong = mixed((self.keys[at + A_LO] + GOLDEN * ((ports >> 16) + 1)) & M64) ^ self.keys[at + A_HI]
        b: cython.ulonglong = (
            mixed((self.keys[at + B_LO] + GOLDEN * ((ports & 0xFFFF) + 1)) & M64) ^ self.keys[at + B_HI]
        )
        return mixed(((a * GOLDEN & M64) + (b * GOLDEN & M64) + self.keys[at + NET]) & M64)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.boundscheck(False)
    @cython.exceptval(check=False)
    def hash_of(self, batch: Batch, i: cython.Py_ssize_t) -> cython.ulonglong:
        """The same for both directions: a sum of what each end gives."""
        src: cython.ulonglong = mixed((batch.src_lo[i] + GOLDEN * (batch.sport[i] + 1) + self.seed) & M64)
        dst: cython.ulonglong = mixed((batch.dst_lo[i] + GOLDEN * (batch.dport[i] + 1) + self.seed) & M64)
        src ^= batch.src_hi[i]
        dst ^= batch.dst_hi[i]
        return mixed(((src * GOLDEN & M64) + (dst * GOLDEN & M64) + batch.net[i]) & M64)

    @cython.cfunc
    @cython.nogil
    @cython.boundscheck(False)  # as in `expect`; the caller knows that row `i` is there
    @cython.exceptval(check=False)
    def look(self, h: cython.ulonglong, batch: Batch, i: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Twice the slot of the pair in row `i`, plus the side that sent it; negative if the pair is not there."""
        at: cython.ulonglong = h & self.mask
        slot: cython.Py_ssize_t = self.index[at]
        side: cython.int
        while slot != FREE:
            if slot >= 0 and self.keys[WORDS * slot + HASH] == h:
                side = self.side_of(WORDS * slot, batch, i)
                if side >= 0:
                    return 2 * slot + side
            at = (at + 1) & self.mask
            slot = self.index[at]
        return -1

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.boundscheck(False)
    @cython.exceptval(check=False)
    def side_of(self, key: cython.Py_ssize_t, batch: Batch, i: cython.Py_ssize_t) -> cython.int:
        """Which end of the pair whose key begins at `key` has sent row `i`; -1 if it is another pair's."""
        sport: cython.ulonglong = batch.sport[i]
        dport: cython.ulonglong = batch.dport[i]
        a_lo: cython.ulonglong = self.keys[key + A_LO]
        a_hi: cython.ulonglong = self.keys[key + A_HI]
        b_lo: cython.ulonglong = self.keys[key + B_LO]
        b_hi: cython.ulonglong = self.keys[key + B_HI]
        ports: cython.ulonglong = self.keys[key + PORTS]
        if batch.net[i] != self.keys[key + NET]:
            return -1
        if ports == (sport << 16 | dport) and batch.src_lo[i] == a_lo and batch.dst_lo[i] == b_lo:
            if batch.src_hi[i] == a_hi and batch.dst_hi[i] == b_hi:
                return 0
        if ports == (dport << 16 | sport) and batch.src_lo[i] == b_lo and batch.dst_lo[i] == a_lo:
            if batch.src_hi[i] == b_hi and batch.dst_hi[i] == a_hi:
                return 1
        return -1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def add(self, h: cython.ulonglong, batch: Batch, i: cython.Py_ssize_t) -> cython.Py_ssize_t:
        slot: cython.Py_ssize_t
        if self.n_vacant > 0:
            self.n_vacant -= 1
            slot = self.vacant[self.n_vacant]
        else:
            if self.high == self.capacity:
                self.grow(2 * self.capacity)
            slot = self.high
            self.high += 1
        at: cython.Py_ssize_t = WORDS * slot
        self.keys[at + A_HI], self.keys[at + A_LO] = batch.src_hi[i], batch.src_lo[i]
        self.keys[at + B_HI], self.keys[at + B_LO] = batch.dst_hi[i], batch.dst_lo[i]
        self.keys[at + PORTS] = cython.cast(cython.ulonglong, batch.sport[i]) << 16 | batch.dport[i]
        self.keys[at + NET] = batch.net[i]
        self.keys[at + HASH] = h
        self.used += 1
        if 2 * self.filled >= len(self.index):
            self.reindex(4 * max(self.used, 1024))
        else:
            self.enter(slot)
        return slot

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def enter(self, slot: cython.Py_ssize_t) -> cython.int:
        at: cython.ulonglong = self.keys[WORDS * slot + HASH] & self.mask
        while self.index[at] >= 0:
            at = (at + 1) & self.mask
        if self.index[at] == FREE:
            self.filled += 1
        self.index[at] = slot

    def suspended(self):
        """What `resume` needs to hold the same pairs in the same slots: (keys, vacant slots), as octets."""
        keys = memoryview(self.keys)[: WORDS * self.high].tobytes()
        return keys, memoryview(self.vacant)[: self.n_vacant].tobytes()

    def resume(self, keys: bytes, vacant: bytes):
        """Take up what another table has left; this one was empty, and has a seed of its own."""
        slot: cython.Py_ssize_t
        known: cython.ulonglong[::1] = memoryview(held(keys, "Q"))
        gone: cython.int[::1] = memoryview(held(vacant, "i"))
        self.grow(max(len(known) // WORDS, self.capacity))
        self.keys[: len(known)] = known
        self.vacant[: len(gone)] = gone
        self.high, self.n_vacant = len(known) // WORDS, len(gone)
        self.used = self.high - self.n_vacant
        for slot in range(self.high):
            self.keys[WORDS * slot + HASH] = self.hash_again(WORDS * slot)
        self.reindex(4 * max(self.used, 1024))

    @cython.cfunc
    @cython.exceptval(check=False)
    def hash_again(self, key: cython.Py_ssize_t) -> cython.ulonglong:
        """What `hash_of` gives for a segment of the pair whose key begins at `key`."""
        ports: cython.ulonglong = self.keys[key + PORTS]
        a: cython.ulonglong = mixed((self.keys[key + A_LO] + GOLDEN * ((ports >> 16) + 1) + self.seed) & M64)
        b: cython.ulonglong = mixed((self.keys[key + B_LO] + GOLDEN * ((ports & 0xFFFF) + 1) + self.seed) & M64)
        a ^= self.keys[key + A_HI]
        b ^= self.keys[key + B_HI]
        return mixed(((a * GOLDEN & M64) + (b * GOLDEN & M64) + self.keys[key + NET]) & M64)

    def grow(self, capacity):
        """Make room for `capacity` slots."""
        self.capacity = capacity
        self.keys = longer("Q", self.keys, WORDS * capacity)
        self.vacant = longer("i", self.vacant, capacity)

    def reindex(self, at_least):
        """Build the index anew, with the places of released slots free again."""
        size = 1 << (int(at_least) - 1).bit_length()
        gone = {self.vacant[i] for i in range(self.n_vacant)}
        self.index = memoryview(filled("i", size, -1))
        self.mask = size - 1
        self.filled = 0
        slot: cython.Py_ssize_t
        for slot in range(self.high):
            if not gone or slot not in gone:
                self.enter(slot)

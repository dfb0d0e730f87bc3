"""Rows of numbers, as many as come, without an object for each.

Knows nothing of what the numbers mean.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

from tcptrace_py.columns import longer, zeros

FIRST_ROWS = cython.declare(cython.Py_ssize_t, 64)


@cython.final
@cython.cclass
class Ledger:
    """int64 numbers in rows of one width, `used` of them in use: an array that grows by doubling."""

    def __init__(self, width: cython.Py_ssize_t):
        self.width = width
        self.used = 0
        self.words = memoryview(zeros("q", 0))

    def __len__(self):
        """How many rows there are."""
        return self.used // self.width

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def add(self) -> cython.Py_ssize_t:
        """One more row: where its first number is to stand."""
        at: cython.Py_ssize_t = self.used
        if at + self.width > len(self.words):
            self.words = longer("q", self.words, max(2 * len(self.words), FIRST_ROWS * self.width))
        self.used = at + self.width
        return at

    def view(self):
        """The numbers of all rows, one after the other: a memoryview."""
        return memoryview(self.words)[: self.used]

    def take(self, numbers):
        """Have these rows and no others."""
        self.used = len(numbers)
        self.words = longer("q", numbers, self.used)

    def clear(self):
        """Have no rows."""
        self.used = 0

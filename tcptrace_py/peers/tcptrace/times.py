"""Times as tcptrace sums them up."""

from __future__ import annotations

from math import sqrt

FEWEST = 3  # times that have a standard deviation


class Times:
    """Count, least, greatest, mean and standard deviation of times in microseconds."""

    def __init__(self) -> None:
        self.count = self.sum = self.squares = self.least = self.most = 0

    def take(self, time: int) -> None:
        """One time more; where the clock went back it is 0, and a least of 0 gives way to whatever comes next."""
        time = max(time, 0)
        if not self.least or time < self.least:
            self.least = time
        self.most = max(self.most, time)
        self.count += 1
        self.sum += time
        self.squares += time * time

    def mean(self) -> float:
        """The sum over a little more than the count: 424.4 alone gives 424.36."""
        return self.sum / (self.count + 0.0001)

    def deviation(self) -> float:
        """Of a sample; 0 for fewer than three."""
        if self.count < FEWEST:
            return 0.0
        return sqrt(max(self.squares - self.sum * self.sum / self.count, 0) / (self.count - 1))

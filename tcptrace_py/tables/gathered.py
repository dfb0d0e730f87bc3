"""The facts of many connections at once, a column at a time: what makes the `connections` table quick.

Knows how the tracker's objects become columns of numbers.  What a column means is said in `connections`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace_py.tables import arrays
from tcptrace_py.tables.connections import ALL_FACTS, Question, Together, by_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from tcptrace_py.tables.connections import Fact
    from tcptrace_py.tables.schema import Column

    Numbers = arrays.Numbers
    Mask = arrays.Mask

ENDS = {"client", "server"}


class Many(Together):
    """Many connections, or one end of each: an attribute is a column of int64.

    Each is gathered when it is first asked for.
    """

    def __init__(self, things: list[Any]) -> None:
        self._things = things
        self._answers: dict[Question, Any] = {}

    def __getattr__(self, name: str) -> Any:
        gathered = self._gathered(Question(attrgetter(name), "end" if name in ENDS else "number"))
        setattr(self, name, gathered)  # asked again, it is found before this is called
        return gathered

    def answer(self, question: Question) -> Any:
        """What each of them answers: a column of int64, the ends as `Many`, or a list of what is neither."""
        if question not in self._answers:
            self._answers[question] = self._gathered(question)
        return self._answers[question]

    def _gathered(self, question: Question) -> Any:
        answers = map(question.ask, self._things)
        if question.kind == "number":
            return np.fromiter(answers, np.int64, len(self._things))
        return Many(list(answers)) if question.kind == "end" else list(answers)


def columns(conns: list[Any], declared: Iterable[Column], beside: Mapping[str, Sequence[Any]]) -> list[pa.Array]:
    """The columns of some connections; `beside` has the values of those that do not follow from a connection."""
    asked = by_end(Many(conns))
    with np.errstate(divide="ignore", invalid="ignore"):  # of a connection of one moment, whose throughput is null
        return [
            arrays.from_values(column, beside[column.name]) if column.name in beside else _column(column, asked)
            for column in declared
        ]


def _column(column: Column, asked: dict[str, Many]) -> pa.Array:
    end, fact = ALL_FACTS[column.name]
    values = fact.value(asked[end])
    if isinstance(values, list):
        return arrays.from_values(column, values)
    known = _known(fact, asked[end], asked[""])
    if known is not None:
        values = np.where(known, values, 0)
    if column.type == "bool":
        return arrays.booleans(values, known)
    return arrays.labels(column, values, known) if column.type == "label" else arrays.numbers(column, values, known)


def _known(fact: Fact, of: Many, conns: Many) -> Mask | None:
    """Where the column is not null; None if that is everywhere."""
    masks = [] if fact.known is None else [fact.known(of)]
    masks += [conns.timed] if fact.timed else []
    return np.logical_and.reduce(masks) if masks else None

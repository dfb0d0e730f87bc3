"""``--where``: a condition on the columns of a table, ``anomalies has retransmission and rtt_ns > 10ms``.

The condition is parsed by Python's own parser, checked against a short list of what is allowed, and turned into Arrow
operations on whole columns.  Nothing is ever evaluated as Python.  As in SQL, a comparison with null is not true.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import re
from array import array
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace_py.errors import UsageError
from tcptrace_py.tables.schema import TABLES, Column
from tcptrace_py.tables.times import UNITS, iso
from tcptrace_py.views.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    Mask = Callable[[pa.RecordBatch], pa.Array]

CONSTANTS = {"true": True, "false": False, "null": None}
COMPARISONS = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
MIRRORED = {"less": "greater", "less_equal": "greater_equal", "greater": "less", "greater_equal": "less_equal"}
_TOKEN = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?<![\w.])(?P<number>\d+(?:\.\d+)?)(?P<unit>ns|us|ms|s|min|h)\b|(?P<has>\bhas\b)"""
)
HELP = "comparisons, and, or, not, in, has, parentheses; numbers with ns, us, ms, s, min or h; texts in quotes"


class Value(NamedTuple):
    """A number, a text, or None, as it stands in the condition."""

    value: Any


def parse(condition: str, table: str) -> Mask:
    """The condition as a function from a batch of the table to a mask of its rows.

    Raises
    ------
    UsageError
        With the place or the name that is wrong, and what may have been meant.
    """
    try:
        tree = ast.parse(_TOKEN.sub(_plain_python, condition).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"--where {shortened(condition, 60)!r}: not a condition ({HELP})") from error
    try:
        return _Condition(table).mask(tree.body)
    except RecursionError as error:
        raise UsageError("--where: nested too deeply") from error


def _plain_python(token: re.Match[str]) -> str:
    if token["unit"]:
        ns = Decimal(token["number"]) * UNITS[token["unit"]]
        return str(int(ns)) if ns == int(ns) else str(ns)
    return token["text"] or " @ "  # `has` binds more tightly than `not` and `and`, as @ does


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint at what was meant, or nothing."""
    close = difflib.get_close_matches(name, list(names), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


class _Condition:
    """Turns the nodes of one condition into masks; the table's declarations say what is allowed."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.columns = {column.name: column for column in TABLES[table]}

    def mask(self, node: ast.expr) -> Mask:
        """A node that is true or false."""
        match node:
            case ast.BoolOp(op, values):
                return self._joined("and_kleene" if isinstance(op, ast.And) else "or_kleene", values)
            case ast.UnaryOp(ast.Not(), operand):
                return self._negated(self.mask(operand))
            case ast.Compare(left, [op], [right]):
                return self._compared(left, op, right)
            case ast.Compare(left, ops, rights):  # 1 < x < 5
                sides = [left, *rights]
                pairs = [ast.Compare(sides[i], [op], [sides[i + 1]]) for i, op in enumerate(ops)]
                return self._joined("and_kleene", pairs)
            case ast.BinOp(left, ast.MatMult(), right):
                return self._has(left, right)
            case ast.Name(name) if self._named(name).type == "bool":
                return lambda batch: batch.column(name)
        raise UsageError(f"--where: {shortened(ast.unparse(node), 60)!r} is not a condition ({HELP})")

    def _joined(self, how: str, nodes: Iterable[ast.expr]) -> Mask:
        masks = [self.mask(node) for node in nodes]

        def joined(batch: pa.RecordBatch) -> pa.Array:
            result = masks[0](batch)
            for mask in masks[1:]:
                result = _compute(how, result, mask(batch))
            return result

        return joined

    def _negated(self, mask: Mask) -> Mask:
        return lambda batch: _compute("invert", mask(batch))

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Mask:
        if isinstance(op, ast.In | ast.NotIn):
            found = self._within(left, right)
            return self._negated(found) if isinstance(op, ast.NotIn) else found
        if isinstance(op, ast.Is | ast.IsNot):
            column = self._column(left)
            found = self._is_null(column, self._value(right, column))
            return self._negated(found) if isinstance(op, ast.IsNot) else found
        how = COMPARISONS[type(op)]
        if self._is_column(left) and self._is_column(right):
            return self._both(how, self._column(left), self._column(right))
        if self._is_column(right):
            left, right, how = right, left, MIRRORED.get(how, how)
        column = self._column(left)
        return self._against(how, column, self._value(right, column))

    def _is_column(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self.columns

    def _named(self, name: str) -> Column:
        if name not in self.columns:
            raise UsageError(f"--where: {self.table} has no column {name!r}{nearest(name, self.columns)}")
        return self.columns[name]

    def _column(self, node: ast.expr) -> Column:
        if not isinstance(node, ast.Name):
            raise UsageError(f"--where: {ast.unparse(node)!r} stands where a column of {self.table} should")
        return self._named(node.id)

    def _value(self, node: ast.expr, column: Column) -> Value:
        match node:
            case ast.Constant(value) if value is None or isinstance(value, bool | int | float | str):
                return Value(value)
            case ast.UnaryOp(ast.USub(), ast.Constant(value)) if isinstance(value, int | float):
                return Value(-value)
            case ast.Name(name) if name.lower() in CONSTANTS:
                return Value(CONSTANTS[name.lower()])
            case ast.Name(name) if _kind(column) == "text":  # a label need not be quoted: client_state == TIME_WAIT
                return Value(name)
            case ast.Name(name):
                self._named(name)
        raise UsageError(f"--where: {ast.unparse(node)!r} is not a number, a text or a label")

    def _both(self, how: str, left: Column, right: Column) -> Mask:
        if left.type != right.type and "text" in {_kind(left), _kind(right)}:
            raise UsageError(f"--where: {left.name} and {right.name} cannot be compared")
        return lambda batch: _compute(how, _bare(batch, left), _bare(batch, right))

    def _against(self, how: str, column: Column, given: Value) -> Mask:
        if column.type in {"labels", "bools"}:
            raise UsageError(f"--where: {column.name} is a list: write {column.name} has ...")
        if column.type == "numbers":
            raise UsageError(f"--where: {column.name} is a list of numbers, which cannot be compared")
        value = _fitting(column, given.value)
        if value is None:
            if how not in {"equal", "not_equal"}:
                raise UsageError(f"--where: {column.name} cannot be ordered against null")
            found = self._is_null(column, Value(None))
            return found if how == "equal" else self._negated(found)
        scalar = _scalar(value)
        return lambda batch: _compute(how, _bare(batch, column), scalar)

    def _is_null(self, column: Column, given: Value) -> Mask:
        if given.value is not None:
            raise UsageError(f"--where: 'is' is for null: {column.name} is null")
        return lambda batch: batch.column(column.name).is_null()

    def _within(self, left: ast.expr, right: ast.expr) -> Mask:
        """``port in (80, 443)``, ``client_ip in "10.0.0.0/8"``, ``retransmission in anomalies``."""
        if self._is_column(right) and self._column(right).type == "labels":
            return self._has(right, left)
        column = self._column(left)
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            equal = [self._against("equal", column, self._value(item, column)) for item in right.elts]
            if not equal:
                raise UsageError(f"--where: {column.name} in an empty list")
            return lambda batch: _any([mask(batch) for mask in equal])
        given = self._value(right, column).value
        if column.name.endswith("_ip") and isinstance(given, str):
            return self._in_network(column, given)
        return self._against("equal", column, Value(given))

    def _in_network(self, column: Column, given: str) -> Mask:
        try:
            network = ip_network(given, strict=False)
        except ValueError as error:
            raise UsageError(f"--where: {given!r} is not a network such as 10.0.0.0/8") from error

        def inside(batch: pa.RecordBatch) -> pa.Array:
            addresses = batch.column(column.name).dictionary_encode()
            good = [ip_address(text) in network for text in addresses.dictionary.to_pylist()]
            return _booleans(good).take(addresses.indices)

        return inside

    def _has(self, listed: ast.expr, wanted: ast.expr) -> Mask:
        column = self._column(listed)
        if column.type != "labels":
            raise UsageError(f"--where: 'has' asks a list; {column.name} is not one")
        label = _scalar(_fitting(column, self._value(wanted, column).value))

        def has(batch: pa.RecordBatch) -> pa.Array:
            import pyarrow.compute as pc

            lists = batch.column(column.name)
            rows = pc.list_parent_indices(lists).filter(_compute("equal", pc.list_flatten(lists), label))
            found = bytearray(len(lists))
            for row in memoryview(rows.buffers()[1]).cast("q")[: len(rows)] if len(rows) else ():  # see _scalar
                found[row] = 1
            return _booleans(found)

        return has


def _kind(column: Column) -> str:
    return "text" if column.type in {"text", "label", "labels"} else column.type


def _fitting(column: Column, value: Any) -> Any:
    """The value, if the column can hold it at all."""
    if value is None:
        return None
    if _kind(column) == "text":
        if not isinstance(value, str):
            raise UsageError(f"--where: {column.name} holds texts, not {value}")
        if column.values and value not in column.values:
            raise UsageError(f"--where: {column.name} is never {value!r}{nearest(value, column.values)}")
        return value
    if column.type == "time":
        return _time(column, value)
    if isinstance(value, bool) != (column.type == "bool") or isinstance(value, str) or column.type == "bools":
        raise UsageError(f"--where: {column.name} ({column.type}) cannot be compared with {value!r}")
    return value


def _time(column: Column, value: Any) -> int:
    """Nanoseconds since 1970: given as such, or as ISO 8601 in UTC."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    with contextlib.suppress(UsageError):
        return iso(str(value))
    raise UsageError(f"--where: {column.name} is a time, such as '2026-01-31T12:00:00.5Z'; not {value!r}")


def _bare(batch: pa.RecordBatch, column: Column) -> pa.Array:
    """A column as it is compared: labels as texts, times as nanoseconds."""
    values = batch.column(column.name)
    if column.type == "label":
        return values.dictionary_decode()
    return values.cast("int64") if column.type == "time" else values


def _compute(how: str, *arguments: Any) -> pa.Array:
    import pyarrow.compute as pc

    return getattr(pc, how)(*arguments)


def _any(masks: list[pa.Array]) -> pa.Array:
    result = masks[0]
    for mask in masks[1:]:
        result = _compute("or_kleene", result, mask)
    return result


def _scalar(value: str | float) -> pa.Scalar:
    """A value as Arrow holds it; made from bytes, since pyarrow would load pandas to convert it."""
    import pyarrow as pa

    from tcptrace_py.tables.rows import constant

    if isinstance(value, str):
        return constant(value)
    if isinstance(value, bool):
        return _booleans([value])[0]
    kind, code = (pa.int64(), "q") if isinstance(value, int) else (pa.float64(), "d")
    try:
        held = pa.py_buffer(array(code, [value]))
    except OverflowError as error:
        raise UsageError(f"--where: {value} is beyond 64 bits") from error
    return pa.Array.from_buffers(kind, 1, [None, held])[0]


def _booleans(values: Iterable[Any]) -> pa.Array:
    """A bool column."""
    import pyarrow as pa

    held = bytes(values)
    return pa.Array.from_buffers(pa.uint8(), len(held), [None, pa.py_buffer(held)]).cast(pa.bool_())

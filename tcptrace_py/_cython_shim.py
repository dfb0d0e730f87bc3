"""The few names of the ``cython`` module that our sources use, for running them uncompiled without Cython installed."""

import contextlib
from typing import Any

compiled = False


def _same(thing: Any) -> Any:
    return thing


class _NoGil(contextlib.nullcontext[None]):
    """``with cython.nogil:`` and ``@cython.nogil`` alike."""

    def __call__(self, function: Any) -> Any:
        return function


class _AnyType:
    """Stands for a C type in an annotation: ``uint``, ``uint[::1]``, ``const[uchar][::1]``, ``pointer(uint)``."""

    def __getitem__(self, _item: Any) -> "_AnyType":
        return self

    def __call__(self, *values: Any) -> Any:
        return values[0] if values else None


cclass = cfunc = ccall = inline = final = no_gc = _same
nogil = _NoGil()


def exceptval(*_args: Any, **_options: Any) -> Any:
    return _same


def boundscheck(_on: bool) -> Any:
    return _same


def declare(_type: Any = None, value: Any = None, **_options: Any) -> Any:
    return value


def cast(_type: Any, value: Any, **_options: Any) -> Any:
    return value


def __getattr__(name: str) -> _AnyType:
    if name.startswith("__"):
        raise AttributeError(name)
    return _AnyType()

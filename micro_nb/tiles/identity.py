"""Whether a function is still the same function when a run is resumed: its name, its code and the values it closes over."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..errors import PlanError

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), PurePath, np.dtype, np.generic, slice, range)


def identity(fn: Callable[..., Any], *, key: str | None = None) -> str:
    """A short text that stays the same for the same function and changes with its code or the values it holds.

    Parameters
    ----------
    fn : functions, lambdas, methods, partials and dataclass instances, holding plain values, arrays and the like.
    key : what the caller says identifies the function; then nothing of it is looked at.

    Raises
    ------
    PlanError : the function holds something that cannot be compared between runs (a model, an open file); name it with ``key``.

    Examples
    --------
    >>> identity(lambda x: x + 1) == identity(lambda x: x + 2)
    False
    """
    if key is not None:
        return f"key:{key}"
    digest = hashlib.sha256()
    for part in _parts(fn, frozenset(), name(fn)):
        digest.update(part)
    return f"{name(fn)}:{digest.hexdigest()[:16]}"


def name(fn: Any) -> str:
    """How people call it."""
    inner = fn.func if isinstance(fn, functools.partial) else fn
    return getattr(inner, "__qualname__", type(inner).__qualname__).split(".<locals>.")[-1]


def _parts(value: Any, inside: frozenset[int], of: str) -> Iterator[bytes]:
    """Bytes that stand for a value."""
    yield type(value).__qualname__.encode() + b"\0"
    if isinstance(value, _PLAIN):
        yield repr(value).encode()
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    elif isinstance(value, type | ModuleType | BuiltinFunctionType | np.ufunc):
        yield f"{getattr(value, '__module__', '')}.{value.__name__}".encode()
    elif id(value) not in inside:  # a function that calls itself is followed once
        for part in _members(value, of):
            yield from _parts(part, inside | {id(value)}, of)
        yield b"\1"


def _members(value: Any, of: str) -> Iterator[Any]:
    """The values that make up a container or a function."""
    if isinstance(value, list | tuple):
        yield from value
    elif isinstance(value, set | frozenset):
        yield from sorted(value, key=repr)
    elif isinstance(value, dict):
        yield from (item for pair in value.items() for item in pair)
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, FunctionType):
        yield from _function(value)
    elif isinstance(value, CodeType):
        yield from (value.co_code, value.co_names, value.co_consts, value.co_varnames)
    elif is_dataclass(value):
        yield from (getattr(value, field.name) for field in fields(value))
        yield vars(type(value)).get("__call__")
    else:
        raise PlanError(
            f"{of} holds a {type(value).__module__}.{type(value).__qualname__}, which cannot be compared with what an "
            "interrupted run used; say what identifies the function, such as map_tiles(..., key='my model, version 3')"
        )


def _function(fn: FunctionType) -> Iterator[Any]:
    """Name, code, defaults, closed-over values, and what it calls or uses from its own module.

    Functions of installed packages stand for themselves by name and version: what they call is not followed.
    """
    module = sys.modules.get(fn.__module__)
    package = (fn.__module__ or "").split(".")[0]
    yield (fn.__module__, fn.__qualname__)
    if "site-packages" in str(getattr(module, "__file__", "")):
        yield getattr(sys.modules.get(package), "__version__", "")
        return
    yield (fn.__code__, fn.__defaults__, fn.__kwdefaults__)
    closed = inspect.getclosurevars(fn) if fn.__closure__ else None
    yield dict(sorted(closed.nonlocals.items())) if closed else None
    for used in sorted(set(fn.__code__.co_names)):
        value = fn.__globals__.get(used)
        if isinstance(value, (FunctionType, np.ndarray, *_PLAIN)) and value is not None:
            yield (used, value)

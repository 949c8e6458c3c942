"""The one decorator of every compiled function, and the pointers through which kernels see memory.

Why these flags: ``nogil`` lets the disk and compression threads run during a long pass; ``boundscheck`` stays off, so
every kernel keeps its own bounds; ``fastmath`` stays off, because the same facts must give the same bytes on every
machine (design §4); ``error_model="numpy"`` spares a branch for each division, so kernels test divisors themselves;
``cache`` keeps the set-up at about one second from the second start on. numba itself judges a cached function by its
own file only and would go on running machine code with an old callee inlined from another file; so each module caches
in a folder named by the digest of its source and of every project module it imports.

A kernel called for each frame takes integers only: an integer argument costs nothing beside the 0.16 µs of the call,
each array argument 40 ns more (latency notes). ``rows_at``, ``bytes_at`` and ``pointer_to`` turn an address back into
memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, config, from_dtype, njit, types
from numba.extending import intrinsic

_ROOT = Path(__file__).resolve().parent.parent.parent
_IMPORT = re.compile(rb"^(?:from|import) ((?:core|models|data_collector|exchange|storage|tests)\.[\w.]+)", re.MULTILINE)
_SOURCES: dict[str, bytes] = {}

KERNELS: dict[str, Callable[..., Any]] = {}
"""Every public kernel by its qualified name; tests walk it to prove that each has a naive twin."""


def kernel(function: Callable[..., Any], *, signature: Any = None, nogil: bool = True) -> Any:
    """Compile ``function`` with the project's flags and register it. Names with a leading underscore need no twin."""
    kept = config.CACHE_DIR
    config.CACHE_DIR = _cache_folder(function.__module__) or kept
    try:
        compiled = njit(signature, cache=True, nogil=nogil, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = kept
    if not function.__name__.startswith("_"):
        KERNELS[f"{function.__module__}.{function.__name__}"] = compiled
    return compiled


def door(function: Callable[..., Any]) -> Callable[..., int]:
    """Compile a kernel of int64 arguments that is called for each heard frame; returns its bare entry.

    The bare entry skips the dispatcher's look at the types (210 → 130 ns for five integers; tests.bench.receive), so it
    must be given integers. It keeps the interpreter lock: letting it go for a microsecond costs 60 ns, and another
    thread that takes it may keep it for milliseconds.
    """
    count = function.__code__.co_argcount
    compiled = kernel(function, signature=types.int64(*[types.int64] * count), nogil=False)
    entry: Callable[..., int] = compiled.overloads[(types.int64,) * count].entry_point
    return entry


_PASS = types.int64(*[types.int64] * 5)


def pass_entry(function: Callable[..., Any]) -> int:
    """The machine address of a kernel ``(engine, venue, rows, start, stop) -> index << 8 | bits``, for ``call_pass``.

    So a venue's own pass is called from compiled code that does not know the venue.
    """
    kept = config.CACHE_DIR
    config.CACHE_DIR = _cache_folder(function.__module__) or kept
    try:
        entry = cfunc(_PASS, cache=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = kept
    _ENTRIES.append(entry)
    return int(entry.address)


_ENTRIES: list[Any] = []  # keeps the machine code of every entry alive


@intrinsic
def call_pass(typing_context: Any, entry: Any, engine: Any, venue: Any, rows: Any, start: Any, stop: Any) -> Any:
    """Call the pass at address ``entry``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        pointer = builder.inttoptr(arguments[0], ir.FunctionType(word, [word] * 5).as_pointer())
        return builder.call(pointer, arguments[1:])

    return types.int64(*[types.int64] * 6), generate


def _sources(module: str, seen: set[str]) -> None:
    """Add to ``seen`` the module and every project module its source imports, directly or not."""
    if module in seen:
        return
    if module not in _SOURCES:
        path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
        _SOURCES[module] = path.read_bytes() if path.is_file() else b""
    if _SOURCES[module]:
        seen.add(module)
        for name in _IMPORT.findall(_SOURCES[module]):
            _sources(name.decode(), seen)


def _cache_folder(module: str) -> str:
    """The cache folder of a module's compiled functions; empty, numba's own choice, when the tree is read-only."""
    seen: set[str] = set()
    _sources(module, seen)
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(name.encode() + b"\0" + _SOURCES[name] + b"\0")
    base = Path(config.CACHE_DIR) if config.CACHE_DIR else Path(__file__).parent / "__pycache__"
    folder = base / f"{module.rpartition('.')[2]}-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder)


def _caster(pointee: Any) -> Any:
    @intrinsic
    def cast(typing_context: Any, address: Any) -> Any:
        signature = types.CPointer(pointee)(types.int64)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return signature, generate

    return cast


pointer_to_words = _caster(types.int64)
pointer_to_bytes = _caster(types.uint8)
pointer_to_doubles = _caster(types.float64)


def pointer_to(dtype: np.dtype) -> Any:
    """An intrinsic ``cast(address) -> pointer`` to records of ``dtype``; use ``carray(cast(address), (n,))``."""
    return _caster(from_dtype(dtype))


@kernel
def _rows_at(address: int, count: int) -> np.ndarray:
    """Rows at ``address`` as ``int64[count, 8]`` (see ``models.rows.WORD_*``)."""
    return carray(pointer_to_words(address), (count, 8))


@kernel
def _bytes_at(address: int, count: int) -> np.ndarray:
    """Raw bytes at ``address`` as ``uint8[count]``."""
    return carray(pointer_to_bytes(address), (count,))


rows_at = _rows_at
bytes_at = _bytes_at


def address_of(array: np.ndarray) -> int:
    """The address of an array's first element; the caller keeps the array alive and in place."""
    return int(array.ctypes.data)

"""How Python becomes machine code here, and the few things that it has no words for: blocks of bytes."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numba.extending
import numpy as np
import numpy.typing as npt
from llvmlite import ir

from ingest.validation.scan import places, signs

F = TypeVar("F", bound=Callable[..., Any])
Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

# Numba says less about these than is used here.
njit: Any = numba.njit
_intrinsic: Any = numba.extending.intrinsic
_config: Any = numba.config
_INTEGER = ir.IntType(64)
_LANES = ir.VectorType(ir.IntType(8), places.BLOCK)

ByteArray = numba.types.Array(numba.types.uint8, 1, "C")
NumberArray = numba.types.Array(numba.types.int64, 1, "C")


def compiled(function: F) -> F:
    """The function as machine code; it may be called from other such functions.

    Without counting references: the caller of the scan holds all arrays.
    """
    return cast(F, njit(nogil=True, error_model="numpy", _nrt=False)(function))


def inlined(function: F) -> F:
    """The same, put into the place of each call: for what is short and called for every token."""
    return cast(F, njit(nogil=True, error_model="numpy", _nrt=False, forceinline=True)(function))


def _pointer(context: Any, builder: Any, kind: Any, arguments: Any, to: Any, size: int) -> Any:
    """Where the `size` bytes are that an array (the first argument) has from an index (the second) on.

    NUMBA_BOUNDSCHECK=1 looks whether they are in the array.
    """
    array, index = arguments[:2]
    found = context.make_array(kind)(context, builder, array)
    if _config.BOUNDSCHECK:
        length = builder.extract_value(found.shape, 0)
        beyond = builder.icmp_signed(">", builder.add(index, ir.Constant(index.type, size)), length)
        outside = builder.or_(beyond, builder.icmp_signed("<", index, ir.Constant(index.type, 0)))
        with builder.if_then(outside, likely=False):
            context.call_conv.return_user_exc(builder, IndexError, ("out of the array",))
    return builder.bitcast(builder.gep(found.data, [index]), to.as_pointer())


def _any_of(builder: Any, lanes: Any, characters: bytes) -> Any:
    """Of 32 bytes: which is a control character, beyond ASCII (negative) or one of `characters`."""
    found = builder.icmp_signed("<", lanes, ir.Constant(_LANES, [signs.SPACE] * places.BLOCK))
    for character in characters:
        equal = builder.icmp_signed("==", lanes, ir.Constant(_LANES, [character] * places.BLOCK))
        found = builder.or_(found, equal)
    return found


def _finder(characters: bytes) -> Any:
    def typing(_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _pointer(context, builder, signature.args[0], arguments, _LANES, places.BLOCK)
            found = _any_of(builder, builder.load(place, align=1), characters)
            bits = builder.bitcast(found, ir.IntType(places.BLOCK))
            return builder.zext(bits, ir.IntType(64))

        return numba.types.int64(ByteArray, numba.types.int64), code

    return _intrinsic(typing)


special = _finder(b'"\\')
"""Of the 32 bytes at a place of the array, as bits: those that a string does not simply go on with."""
attribute_special = _finder(b'"\\\x7f')
"""The same for an attribute's string."""


def _first(_context: Any, _bits: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return numba.types.int64(numba.types.int64), code


first = _intrinsic(_first)
"""The number of the lowest bit that is set (there is one)."""


def _load(_context: Any, _array: Any, _index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], arguments, _INTEGER, 8)
        return builder.load(place, align=1)

    return numba.types.int64(ByteArray, numba.types.int64), code


load = _intrinsic(_load)
"""Eight bytes as a number, the first byte being the lowest."""


def _store(_context: Any, _array: Any, _index: Any, _value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], arguments, _INTEGER, 8)
        builder.store(arguments[2], place, align=1)
        return context.get_dummy_value()

    return numba.types.void(ByteArray, numba.types.int64, numba.types.int64), code


store = _intrinsic(_store)
"""Write such a number."""


def _copy_block(_context: Any, _to: Any, _at: Any, _source: Any, _start: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        there = _pointer(context, builder, signature.args[0], arguments, _LANES, places.BLOCK)
        here = _pointer(context, builder, signature.args[2], arguments[2:], _LANES, places.BLOCK)
        builder.store(builder.load(here, align=1), there, align=1)
        return context.get_dummy_value()

    return numba.types.void(ByteArray, numba.types.int64, ByteArray, numba.types.int64), code


copy_block = _intrinsic(_copy_block)
"""Copy 32 bytes."""

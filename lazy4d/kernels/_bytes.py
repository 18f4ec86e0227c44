"""Unaligned loads, stores and copies at addresses, for kernels that unpack bytes; the kernel checks the bounds."""

from __future__ import annotations

from typing import Any

from numba import extending, types
from numba.core import cgutils

intrinsic: Any = extending.intrinsic
ir: Any = cgutils.ir

_VECTOR = ir.VectorType(ir.IntType(8), 16)


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def load64(typingctx, address):
    """The eight bytes at an address as an unsigned number in the order of the machine."""

    def generate(context, builder, signature, args):
        return builder.load(_at(builder, args[0], ir.IntType(64)), align=1)

    return types.uint64(types.uintp), generate


@intrinsic
def store64(typingctx, address, value):
    """Store eight bytes at an address."""

    def generate(context, builder, signature, args):
        builder.store(args[1], _at(builder, args[0], ir.IntType(64)), align=1)
        return context.get_dummy_value()

    return types.void(types.uintp, types.uint64), generate


@intrinsic
def copy8(typingctx, to, source):
    """Copy eight bytes from one address to another."""

    def generate(context, builder, signature, args):
        value = builder.load(_at(builder, args[1], ir.IntType(64)), align=1)
        builder.store(value, _at(builder, args[0], ir.IntType(64)), align=1)
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp), generate


@intrinsic
def copy16(typingctx, to, source):
    """Copy sixteen bytes from one address to another."""

    def generate(context, builder, signature, args):
        value = builder.load(_at(builder, args[1], _VECTOR), align=1)
        builder.store(value, _at(builder, args[0], _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp), generate


_PAIR = ir.VectorType(ir.IntType(64), 2)
_EVERY_OTHER = ((1, 0x5555555555555555), (2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F))


@intrinsic
def turn_bits(typingctx, to, source, stride):
    """Turn eight rows of 16 bytes, `stride` apart, into 128 bytes: byte 8 i + e takes its bit k from row k.

    Bit e of byte i of row k becomes bit k of byte 8 i + e: first within 8 x 8 bits, by swapping ever larger squares
    between pairs of rows, then the eight rows are put together byte by byte.
    """

    def generate(context, builder, signature, args):
        to, source, stride = args
        rows = []
        for k in range(8):
            address = builder.add(source, builder.mul(stride, ir.Constant(stride.type, k)))
            rows.append(builder.bitcast(builder.load(_at(builder, address, _VECTOR), align=1), _PAIR))
        for shift, pattern in _EVERY_OTHER:
            mask = ir.Constant(_PAIR, [pattern] * 2)
            by = ir.Constant(_PAIR, [shift] * 2)
            for k in range(8):
                if k & shift:
                    continue
                a, b = rows[k], rows[k + shift]
                t = builder.and_(builder.xor(builder.lshr(a, by), b), mask)
                rows[k + shift] = builder.xor(b, t)
                rows[k] = builder.xor(a, builder.shl(t, by))
        rows = [builder.bitcast(row, _VECTOR) for row in rows]
        rows = _woven(builder, rows)
        for k, row in enumerate(rows):
            builder.store(row, _at(builder, builder.add(to, ir.Constant(to.type, 16 * k)), _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.uintp), generate


def _woven(builder: Any, rows: list[Any]) -> list[Any]:
    """Vectors with the first bytes of all rows, then their second ones, and so on."""
    if len(rows) == 1:
        return rows
    result = []
    for a, b in zip(_woven(builder, rows[0::2]), _woven(builder, rows[1::2]), strict=True):
        for start in (0, 8):
            order = [n for k in range(start, start + 8) for n in (k, 16 + k)]
            result.append(builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), 16), order)))
    return result

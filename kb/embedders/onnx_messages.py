"""Writes an ONNX model as bytes: the few kinds of messages that `onnx_graph` needs.

The package `onnx` does this in general, but would be another 35 MB to install. The numbers of fields and types are
those of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), and the encoding is that of Protocol
Buffers: a tag (field number and wire type), then a number, or a length and bytes.
"""

import struct
from collections.abc import Sequence
from typing import Final

from kb.embedders.model_file import Array

FLOAT: Final = 1  # TensorProto.DataType
UINT8: Final = 2
INT64: Final = 7
_DATA_TYPES: Final = {"float32": FLOAT, "uint8": UINT8, "int64": INT64}
_VARINT, _LENGTH, _FIXED32 = 0, 2, 5  # wire types
_FLOAT_ATTRIBUTE, _INT_ATTRIBUTE = 1, 2  # AttributeProto.AttributeType
_IR_VERSION: Final = 10
OPSETS: Final = {"": 20, "com.microsoft": 1}  # 20 is the newest that was released when MatMulNBits got its bias
Attribute = int | float


def tensor(name: str, values: Array) -> bytes:
    """TensorProto: a constant of a graph."""
    dims = b"".join(_number(1, size) for size in values.shape)
    data = values.tobytes()
    return dims + _number(2, _DATA_TYPES[values.dtype.name]) + _text(8, name) + _bytes(9, data)


def node(
    operator: str, inputs: Sequence[str], output: str, *, domain: str = "", attributes: dict[str, Attribute]
) -> bytes:
    """NodeProto: one operation. An empty string leaves an optional input out."""
    given = b"".join(_text(1, name) for name in inputs)
    set_to = b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())
    return given + _text(2, output) + _text(4, operator) + set_to + _text(7, domain)


def floats(name: str, *dims: int | str) -> bytes:
    """ValueInfoProto: an input or an output of a graph, with its shape; a size that varies has a name instead."""
    shape = b"".join(_bytes(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in dims)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, shape)))


def model(
    name: str, *, nodes: Sequence[bytes], constants: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]
) -> bytes:
    """ModelProto with its only graph."""
    parts = [*((1, one) for one in nodes), (2, name.encode()), *((5, one) for one in constants)]
    parts += [*((11, one) for one in inputs), *((12, one) for one in outputs)]
    graph = b"".join(_bytes(field, value) for field, value in parts)
    opsets = b"".join(_bytes(8, _text(1, domain) + _number(2, version)) for domain, version in OPSETS.items())
    return _number(1, _IR_VERSION) + _bytes(7, graph) + opsets


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _tag(2, _FIXED32) + struct.pack("<f", value) + _number(20, _FLOAT_ATTRIBUTE)
    return _text(1, name) + _number(3, value) + _number(20, _INT_ATTRIBUTE)


def _number(field: int, value: int) -> bytes:
    return _tag(field, _VARINT) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _tag(field, _LENGTH) + _varint(len(value)) + value


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Seven bits per byte, the lowest first; the high bit says that more follow. Negative numbers have 64 bits."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])

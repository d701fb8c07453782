"""Re-encodes uploaded pictures: only size, palette, transparency and pixels of a PNG file survive. Pure.

There is no image library in the core, and the browser turns other formats into PNG before it sends them
(`console/picture.js`). Pixels are decompressed within the size that the header allows, and compressed again.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_BYTES: Final = 512 * 1024
MAX_SIDE: Final = 1024
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_HEADER: Final = struct.Struct(">IIBBBBB")
_INTERLACED: Final = 1
_FILTERS: Final = 5


class NotReadable(ValueError):
    """The file is not a PNG file that can be re-encoded."""


class TooLarge(ValueError):
    """The picture has too many bytes or pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    png: bytes
    width: int
    height: int


def rewritten(data: bytes) -> Picture:
    """Return a PNG file's picture, re-encoded; raises NotReadable or TooLarge."""
    if len(data) > MAX_BYTES:
        raise TooLarge
    if not data.startswith(SIGNATURE):
        raise NotReadable
    parts: dict[bytes, bytes] = {}
    for kind, body in _chunks(data):
        if kind == b"IDAT":
            parts[kind] = parts.get(kind, b"") + body
        elif kind in {b"IHDR", b"PLTE", b"tRNS"}:
            parts.setdefault(kind, body)
    try:
        header = _HEADER.unpack(parts[b"IHDR"])
    except (KeyError, struct.error) as error:
        raise NotReadable from error
    pixels = _pixels(parts.get(b"IDAT", b""), header)
    kept = [(kind, parts[kind]) for kind in (b"IHDR", b"PLTE", b"tRNS") if kind in parts]
    png = SIGNATURE + b"".join(_chunk(*part) for part in [*kept, (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")])
    return Picture(png, header[0], header[1])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length
        if len(body) < length or at > len(data) or zlib.crc32(kind + body) != struct.unpack_from(">I", data, at - 4)[0]:
            raise NotReadable
        yield kind, body
        if kind == b"IEND":
            return
    raise NotReadable


def _pixels(compressed: bytes, header: tuple[int, ...]) -> bytes:
    """Return the filtered rows; there must be exactly as many bytes as the header says."""
    width, height, depth, colour, _, _, interlace = header
    if depth not in _DEPTHS.get(colour, ()) or header[4:6] != (0, 0) or interlace == _INTERLACED:
        raise NotReadable
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise TooLarge
    row = 1 + (width * depth * _CHANNELS[colour] + 7) // 8
    unpacker = zlib.decompressobj()
    try:
        pixels = unpacker.decompress(compressed, row * height + 1)
    except zlib.error as error:
        raise NotReadable from error
    if len(pixels) != row * height or any(pixels[at] >= _FILTERS for at in range(0, len(pixels), row)):
        raise NotReadable
    return pixels


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

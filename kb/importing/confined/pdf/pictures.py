"""The pictures in a PDF that are worth showing: no decorations, no backgrounds, none that many pages repeat."""

import hashlib
import io
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from pypdf.generic import ArrayObject, StreamObject

from kb.importing.confined.pdf.canvas import Drawing, PageText
from kb.importing.confined.pdf.geometry import Box
from kb.importing.confined.pdf.picture_descriptions import Descriptions
from kb.importing.confined.picture import MAX_EDGE, MAX_PIXELS

MAX_PICTURES: Final = 50
MAX_TOTAL_BYTES: Final = 100_000_000
LEAST_POINTS: Final = 36  # half an inch per side
LEAST_PIXELS: Final = 32
MOST_PAGES: Final = 2  # a picture on more pages is a logo
MOST_OF_A_PAGE: Final = 0.85  # share of its area; a larger picture with text is a background or a scan
_JPEG: Final = b"\xff\xd8\xff"
_FILTERS: Final = frozenset({
    "/ASCII85Decode", "/ASCIIHexDecode", "/DCTDecode", "/FlateDecode", "/LZWDecode", "/RunLengthDecode",
})  # fmt: skip
CPU_SECONDS: Final = 60  # half of the process's limit: the text is more important


@dataclass(frozen=True, slots=True)
class PlacedPicture:
    """A picture on a page, by its name."""

    page: int
    box: Box
    name: str
    description: str = ""


@dataclass(slots=True)
class Pictures:
    placed: list[PlacedPicture]
    contents: list[bytes]  # PNG files; the first is named `picture-1`
    left_out: int = 0


def pictures_of(pages: Sequence[PageText], described: Descriptions) -> Pictures:
    """Return the pictures worth showing, each stored once; those that cannot be decoded are counted."""
    found = Pictures([], [])
    wanted = [(page.number, one) for page in pages for one in page.drawings if _shows_something(one, page)]
    keys = {id(one.stream): hashlib.sha256(one.stream._data).hexdigest() for _, one in wanted}
    on_pages = Counter(key for _, key in {(number, keys[id(one.stream)]) for number, one in wanted})
    names: dict[str, str] = {}
    for number, one in wanted:
        key = keys[id(one.stream)]
        if on_pages[key] > MOST_PAGES:
            continue
        if key not in names:
            names[key] = _stored(one.stream, found)
        if names[key]:
            description = one.description or ("" if one.mark is None else described.get((number, one.mark), ""))
            found.placed.append(PlacedPicture(number, one.box, names[key], description))
        else:
            found.left_out += 1
    return found


def _shows_something(one: Drawing, page: PageText) -> bool:
    left, bottom, right, top = one.box
    is_background = bool(page.runs) and (right - left) * (top - bottom) > MOST_OF_A_PAGE * page.area
    return min(right - left, top - bottom) >= LEAST_POINTS and not is_background


def _stored(stream: StreamObject, found: Pictures) -> str:
    if len(found.contents) >= MAX_PICTURES or time.process_time() > CPU_SECONDS:
        return ""
    try:
        content = _content(stream)
    except Exception:  # noqa: BLE001  # decoders may raise anything on a hostile picture, and the text is read anyway
        return ""
    if not content or sum(map(len, found.contents)) + len(content) > MAX_TOTAL_BYTES:
        return ""
    found.contents.append(content)
    return f"picture-{len(found.contents)}"


def _content(stream: StreamObject) -> bytes:
    width, height = cast("int", stream["/Width"]), cast("int", stream["/Height"])
    if width * height > MAX_PIXELS or min(width, height) < LEAST_PIXELS or not _is_known(stream):
        return b""
    image = stream.decode_as_image()
    image.thumbnail((MAX_EDGE, MAX_EDGE))
    if image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    target = io.BytesIO()
    image.save(target, "PNG", compress_level=1)  # it is encoded again by the caller
    return target.getvalue()


def _is_known(stream: StreamObject) -> bool:
    """Return whether a picture and its mask need only the decoders that picture files need."""
    named = stream.get("/Filter", ArrayObject())
    filters = list(named) if isinstance(named, ArrayObject) else [named]
    if not _FILTERS.issuperset(filters) or ("/DCTDecode" in filters and not stream.get_data().startswith(_JPEG)):
        return False
    masks = [stream[name].get_object() for name in ("/SMask", "/Mask") if name in stream]
    return all(_is_known(mask) for mask in masks if isinstance(mask, StreamObject) and mask is not stream)

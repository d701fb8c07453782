"""Pictures, re-encoded: only the pixels of the first frame survive, upright, in sRGB and at a size that fits a page."""

import io
import struct
import warnings
from importlib import import_module
from typing import Any, BinaryIO, Final

from PIL import Image, ImageCms, ImageOps

from kb.importing.confined.refusal import Refused

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
MAX_EDGE: Final = 1_600
MAX_LOGO_EDGE: Final = 256
MAX_PIXELS: Final = 40_000_000  # 160 MB with transparency, and twice that while the picture is scaled down
WEBP_QUALITY: Final = 82
# Measured: WebP makes screenshots up to four times smaller and blurs their letters; it makes photos eight to ten times
# smaller.
MOST_TIMES_SMALLER: Final = 5
MOST_EXACT_BYTES: Final = 1_000_000
# Pillow imports these when a file needs them, but a confined process cannot open modules.
_LATER: Final = (
    "copy", "PIL.GifImagePlugin", "PIL.ImageChops", "PIL.ImageColor", "PIL.ImagePalette", "PIL.ImageSequence",
    "PIL.JpegImagePlugin", "PIL.MpoImagePlugin", "PIL.PngImagePlugin", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin",
)  # fmt: skip
for _name in _LATER:
    import_module(_name)
Image.preinit()


def read_picture(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Return {type, width, height, sizes} and the picture: a PNG file, or a WebP file if that is much smaller.

    Raises Refused.
    """
    image = _drawn(source, MAX_EDGE)
    exact, small = _saved(image, "PNG"), _saved(image, "WEBP", quality=WEBP_QUALITY)
    is_photo = len(exact) > min(len(small) * MOST_TIMES_SMALLER, MOST_EXACT_BYTES)
    return _facts(image, "image/webp", small) if is_photo else _facts(image, "image/png", exact)


def read_logo(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Return {type, width, height, sizes} and a small PNG file. Raises Refused."""
    image = _drawn(source, MAX_LOGO_EDGE)
    return _facts(image, "image/png", _saved(image, "PNG"))


def _facts(image: Image.Image, media_type: str, content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    return {"type": media_type, "width": image.width, "height": image.height, "sizes": [len(content)]}, [content]


def _drawn(source: BinaryIO, edge: int) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        return _scaled(Image.open(io.BytesIO(source.read()), formats=FORMATS), edge)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Refused("picture_pixels", limit=MAX_PIXELS // 1_000_000) from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # what Pillow raises for broken files
        raise Refused("picture_damaged") from error


def _scaled(image: Image.Image, edge: int) -> Image.Image:
    image.draft(None, (edge, edge))  # a JPEG file is decoded at a fraction of its size
    if image.mode.startswith("I"):  # 16-bit grey
        image = image.point(lambda grey: grey / 256).convert("L")
    if image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.has_transparency_data:  # transparency given by a single colour
        image = image.convert("RGBA")
    image.thumbnail((edge, edge))
    image = _in_srgb(ImageOps.exif_transpose(image))
    image.info.clear()  # Pillow would write some of this metadata into the new file
    return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the picture with its colours converted to sRGB, so that it needs no colour profile."""
    target = "RGB" if image.mode == "CMYK" else image.mode
    profile = image.info.get("icc_profile")
    if not profile or image.mode == "L":
        return image if image.mode == target else image.convert(target)
    try:
        stored = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        turned = ImageCms.profileToProfile(image, stored, ImageCms.createProfile("sRGB"), outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):  # a broken profile, or one for a different colour space
        turned = None
    return turned or image.convert(target)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()

"""Pictures like those that people have, made with Pillow."""

import io
from typing import Any

from PIL import Image

LEFT, RIGHT = (220, 40, 40), (30, 60, 200)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def two_halves(width: int = 80, height: int = 40) -> Image.Image:
    """Return a picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (width, height), LEFT)
    image.paste(RIGHT, (width // 2, 0, width, height))
    return image


def painted(kind: str, *, width: int = 80, height: int = 40, **options: Any) -> bytes:
    return encoded(two_halves(width, height), kind, **options)


def photo(width: int = 800, height: int = 600) -> Image.Image:
    """Return a picture with as many colours as a photo has."""
    shade = Image.linear_gradient("L").resize((width, height))
    grain = Image.effect_noise((width, height), 12)
    return Image.merge("RGB", (shade, grain, shade.transpose(Image.Transpose.ROTATE_180)))


def shown(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGBA")


def near(one: tuple[int, ...], other: tuple[int, ...], most: int = 40) -> bool:
    return all(abs(a - b) <= most for a, b in zip(one[:3], other[:3], strict=True))

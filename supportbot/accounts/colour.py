"""Adjusts an accent colour as far as WCAG 2.2 AA requires and no further, so that every choice is legible.

Pure. Colours are three sRGB channels from 0 to 1. They are mixed in OKLab, as `color-mix(in oklab, …)` does in the
style sheets, with Björn Ottosson's published matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Colour = tuple[float, float, float]
TEXT: Final = 4.5
CONTROL: Final = 3.0
MARGIN: Final = 0.06  # needed because browsers round a mixed colour to 256 steps
STEP: Final = 0.97


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme's backgrounds, and how it mixes the accent: the values in kb/static/kb/tokens.css."""

    bg: str
    sunken: str
    surface: str
    hover: str
    faintest_ink: str
    away: str  # the colour towards which an accent is moved to become legible
    solid_share: float
    ink_share: float
    soft_share: float


LIGHT: Final = Theme("#f7f5f1", "#f1eee8", "#ffffff", "#f4f1ec", "#6c675f", "#000000", 1.0, 0.92, 0.11)
DARK: Final = Theme("#141311", "#171614", "#1c1b19", "#272522", "#9d978c", "#ffffff", 0.86, 0.46, 0.22)
DARK_INK: Final = "#1e1c19"


@lru_cache(maxsize=256)
def fit(accent: str, theme: Theme) -> dict[str, str]:
    """Return the accent tokens for a colour such as `#1f5b45` in a theme, by the names that tokens.css uses."""
    colour, far = parse(accent), parse(theme.away)
    on, solid, hover = _solid(blend(colour, far, theme.solid_share))
    soft = _soft(colour, theme)
    backgrounds = [parse(theme.bg), parse(theme.sunken), parse(theme.surface), parse(theme.hover), soft]
    ink = _ink(blend(colour, far, theme.ink_share), far, backgrounds)
    named = {"on-accent": on, "accent-solid": solid, "accent-hover": hover, "accent-ink": ink, "accent-soft": soft}
    return {"accent": accent} | {name: to_hex(value) for name, value in named.items()}


def _solid(solid: Colour) -> tuple[Colour, Colour, Colour]:
    """Return the colours of a button's text, of the button, and of the button while the pointer is over it."""
    white, dark = parse("#ffffff"), parse(DARK_INK)
    on = white if contrast(white, solid) >= CONTROL else dark  # white if a small adjustment makes it legible
    away = parse("#000000") if on == white else white
    while min(contrast(on, solid), contrast(on, blend(solid, away, 0.9))) < TEXT + MARGIN:
        solid = blend(solid, away, STEP)
    return on, solid, blend(solid, away, 0.9)


def _soft(colour: Colour, theme: Theme) -> Colour:
    """Return a tint that keeps even the theme's faintest text legible."""
    share, surface, ink = theme.soft_share, parse(theme.surface), parse(theme.faintest_ink)
    while share > 0 and contrast(ink, blend(colour, surface, share)) < TEXT + MARGIN:
        share -= 0.01
    return blend(colour, surface, max(share, 0.0))


def _ink(ink: Colour, far: Colour, backgrounds: Sequence[Colour]) -> Colour:
    """Return the accent as a text colour that is legible on every background of the theme."""
    while min(contrast(ink, one) for one in backgrounds) < TEXT + MARGIN:
        ink = blend(ink, far, STEP)
    return ink


def parse(text: str) -> Colour:
    """Return the colour of `#rrggbb`."""
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def to_hex(colour: Colour) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in colour)


def contrast(one: Colour, two: Colour) -> float:
    """Return the contrast ratio as WCAG defines it, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def blend(one: Colour, two: Colour, share: float) -> Colour:
    """Return a mixture in OKLab: `share` of `one`, and the rest of `two`."""
    first, second = _to_oklab(one), _to_oklab(two)
    light, a, b = (share * x + (1 - share) * y for x, y in zip(first, second, strict=True))
    return _from_oklab((light, a, b))


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(channel) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _encoded(channel: float) -> float:
    raised = 12.92 * channel if channel <= 0.0031308 else float(1.055 * channel ** (1 / 2.4) - 0.055)
    return min(1.0, max(0.0, raised))


def _to_oklab(colour: Colour) -> Colour:
    red, green, blue = (_linear(channel) for channel in colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _from_oklab(lab: Colour) -> Colour:
    light, a, b = lab
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return _encoded(red), _encoded(green), _encoded(blue)

"""Finds the letter case that a format expects, such as capitals in an order number. Pure."""

from collections.abc import Callable


def in_fitting_case(text: str, fits: Callable[[str], bool]) -> str | None:
    """Return the text if it fits. Otherwise, return it in upper or lower case if only one of these fits ("CS-1001" for
    "cs-1001"), or else None.
    """
    if fits(text):
        return text
    fitting = [one for one in (text.upper(), text.lower()) if fits(one)]
    return fitting[0] if len(fitting) == 1 else None

"""The errors that pypdf raises for a part of a file that is broken or that it cannot decode."""

from typing import Final

from pypdf.errors import DependencyError, PyPdfError

BROKEN: Final = (
    PyPdfError,
    DependencyError,  # a filter whose package is missing
    NotImplementedError,  # an unknown filter
    RecursionError,
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)

"""Positions on a page of a PDF: boxes, and the matrices that move, turn and scale what is drawn. Pure."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

Matrix = tuple[float, float, float, float, float, float]


class Box(NamedTuple):
    """A rectangle or a straight line of a page, in points from the bottom left."""

    left: float
    bottom: float
    right: float
    top: float


IDENTITY: Final[Matrix] = (1, 0, 0, 1, 0, 0)
UNIT_SQUARE: Final = Box(0, 0, 1, 1)  # where a picture is drawn before the page places it


def turned(degrees: int) -> Matrix:
    """Return the matrix of a page that is displayed rotated clockwise."""
    turns: dict[int, Matrix] = {90: (0, -1, 1, 0, 0, 0), 180: (-1, 0, 0, -1, 0, 0), 270: (0, 1, -1, 0, 0, 0)}
    return turns.get(degrees, IDENTITY)


def matrix_of(values: Sequence[Any]) -> Matrix:
    a, b, c, d, e, f = (float(value) for value in values)
    return a, b, c, d, e, f


def times(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    p, q, r, s, t, u = other
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def point_at(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    return x * matrix[0] + y * matrix[2] + matrix[4], x * matrix[1] + y * matrix[3] + matrix[5]


def placed(box: Box, matrix: Matrix) -> Box:
    corners = [point_at(matrix, x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


def contains(box: Box, x: float, y: float) -> bool:
    return box.left - 1 <= x <= box.right + 1 and box.bottom - 1 <= y <= box.top + 1

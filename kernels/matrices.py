"""3x3 matrices in continuous pixel coordinates: x to the right, y down, pixel i covers i to i + 1.

Each maps an input point (x, y, 1) to an output point, so a picture's corners are (0, 0) and (width, height). They are
plain tuples, row by row: for so few numbers an array costs several times the arithmetic. What `kernels.route` calls is
compiled too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels.op import Matrix
from kernels.tensors import Size

Point = tuple[float, float]
Points = NDArray[np.float64]
"""(n, 2) x and y."""
Quad = tuple[Point, Point, Point, Point]
"""Top left, top right, bottom right, bottom left."""
IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
NOWHERE: Point = (math.nan, math.nan)


def linear(xx: float, xy: float, yx: float, yy: float) -> Matrix:
    """x' = xx x + xy y, y' = yx x + yy y."""
    return xx, xy, 0.0, yx, yy, 0.0, 0.0, 0.0, 1.0


def translation(x: float, y: float) -> Matrix:
    return 1.0, 0.0, x, 0.0, 1.0, y, 0.0, 0.0, 1.0


def scaling(x: float, y: float) -> Matrix:
    return linear(x, 0.0, 0.0, y)


def rotation(degrees: float) -> Matrix:
    """A turn about the origin, counter-clockwise as one sees it; exact for multiples of 90."""
    turn = math.fmod(degrees, 360.0)
    quarters = turn / 90.0
    if quarters == int(quarters):
        cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    else:
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return linear(cosine, sine, -sine, cosine)


def shear(x_degrees: float, y_degrees: float) -> Matrix:
    """Vertical lines leaned by `x_degrees`, horizontal ones by `y_degrees`. Singular where tan x tan y = 1."""
    return linear(1.0, math.tan(math.radians(x_degrees)), math.tan(math.radians(y_degrees)), 1.0)


def product(*matrices: Matrix) -> Matrix:
    """The map that applies the last of `matrices` first, as in a product written out."""
    total = matrices[0]
    for matrix in matrices[1:]:
        total = multiply(total, matrix)
    return total


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """left times right, by sums of three in a fixed order: a BLAS may differ in the last bit between machines."""
    if left == IDENTITY:
        return right
    if right == IDENTITY:
        return left
    a, b, c, d, e, f, g, h, i = left
    j, k, m, n, o, p, q, r, s = right
    if g == h == q == r == 0.0 and i == s == 1.0:  # nearly always, and half the work: what is left out adds nothing
        return (
            a * j + b * n,
            a * k + b * o,
            a * m + b * p + c,
            d * j + e * n,
            d * k + e * o,
            d * m + e * p + f,
            0.0,
            0.0,
            1.0,
        )
    return (
        a * j + b * n + c * q,
        a * k + b * o + c * r,
        a * m + b * p + c * s,
        d * j + e * n + f * q,
        d * k + e * o + f * r,
        d * m + e * p + f * s,
        g * j + h * n + i * q,
        g * k + h * o + i * r,
        g * m + h * p + i * s,
    )


def about_centre(matrix: Matrix, size: Size) -> Matrix:
    """An affine `matrix` with the centre of a picture of `size` as its fixed point instead of the corner."""
    a, b, c, d, e, f = matrix[:6]
    x, y = size.width / 2, size.height / 2
    return a, b, -a * x - b * y + (c + x), d, e, -d * x - e * y + (f + y), 0.0, 0.0, 1.0


def window(left: float, top: float, width: float, height: float, output: Size) -> Matrix:
    """A window of the input, stretched to fill `output`."""
    scale_x, scale_y = output.width / width, output.height / height
    return scale_x, 0.0, scale_x * -left, 0.0, scale_y, scale_y * -top, 0.0, 0.0, 1.0


def covering(source: Size, target: Size) -> Matrix:
    """A picture scaled alike both ways and centred, so that it just covers `target`; what is too much is cut off."""
    scale = max(target.width / source.width, target.height / source.height)
    centre = translation(target.width / 2, target.height / 2)
    return product(centre, scaling(scale, scale), translation(-source.width / 2, -source.height / 2))


def quad_to_quad(source: Quad, target: Quad) -> Matrix:
    """The perspective that takes the corners of `source` to those of `target`; both convex, corners in one order."""
    return multiply(_from_unit_square(target), inverse(_from_unit_square(source)))


def _from_unit_square(quad: Quad) -> Matrix:
    """Heckbert's closed form: the unit square's corners to those of `quad`."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    return x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h, 1.0


def inverse(matrix: Matrix) -> Matrix:
    """The inverse, whose third coordinate is above 0 where the matrix's own is. ZeroDivisionError for a singular one."""
    a, b, c, d, e, f, g, h, i = matrix
    if g == h == 0.0 and i == 1.0:
        determinant = a * e - b * d
        if determinant == 0.0:
            raise ZeroDivisionError("a singular matrix has no inverse")
        x, y = (b * f - c * e) / determinant, (c * d - a * f) / determinant
        return e / determinant, -b / determinant, x, -d / determinant, a / determinant, y, 0.0, 0.0, 1.0
    determinant = a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)
    if determinant == 0.0:
        raise ZeroDivisionError("a singular matrix has no inverse")
    return (
        (e * i - f * h) / determinant,
        (c * h - b * i) / determinant,
        (b * f - c * e) / determinant,
        (f * g - d * i) / determinant,
        (a * i - c * g) / determinant,
        (c * d - a * f) / determinant,
        (d * h - e * g) / determinant,
        (b * g - a * h) / determinant,
        (a * e - b * d) / determinant,
    )


def is_affine(matrix: Matrix) -> bool:
    return matrix[6] == 0.0 and matrix[7] == 0.0


def moved(matrix: Matrix, points: Points) -> Points:
    """Points moved by `matrix`; not finite where perspective sends them to or behind the horizon."""
    a, b, c, d, e, f, g, h, i = matrix
    x, y = points[:, 0], points[:, 1]
    w = g * x + h * y + i
    w = np.where(w > 0.0, w, np.nan)
    return np.stack([(a * x + b * y + c) / w, (d * x + e * y + f) / w], axis=1)


def moved_point(matrix: Matrix, point: Point) -> Point:
    """The same for one point: NOWHERE if perspective sends it to or behind the horizon."""
    a, b, c, d, e, f, g, h, i = matrix
    x, y = point
    w = g * x + h * y + i
    return ((a * x + b * y + c) / w, (d * x + e * y + f) / w) if w > 0.0 else NOWHERE


def moved_quad(matrix: Matrix, quad: Quad) -> Quad:
    """The same for four corners."""
    first, second, third, fourth = quad
    return moved_point(matrix, first), moved_point(matrix, second), moved_point(matrix, third), moved_point(matrix, fourth)


def steps(matrix: Matrix, x: float, y: float) -> Point:
    """How far the output point moves, in pixels, for one input pixel along x, and along y, at an input point."""
    a, b, c, d, e, f, g, h, i = matrix
    w = g * x + h * y + i
    if w <= 0.0:
        return 1.0, 1.0
    u, v = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    return length(a - u * g, d - v * g) / w, length(b - u * h, e - v * h) / w


def length(x: float, y: float) -> float:
    """Of a vector. math.hypot has other last bits where it is compiled; each operation here is rounded alike everywhere."""
    return math.sqrt(x * x + y * y)

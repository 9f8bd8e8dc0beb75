"""A line search: how far to go in a direction, by the strong conditions of Wolfe."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DECREASE = 1e-4  # of the loss, as a share of what its slope at the start promises
CURVATURE = 0.9  # of the slope, as a share of that at the start


class Point(NamedTuple):
    """Where the search was: ``t`` times the direction away from the start."""

    t: float
    loss: float
    grad: np.ndarray
    slope: float  # along the direction


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, narrowest: float, most: int
) -> tuple[Point, int]:
    """A point with ``loss <= start.loss + DECREASE * t * start.slope`` and
    ``|slope| <= CURVATURE * |start.slope|``, and how often ``at`` was called for it; the best
    there is after ``most`` further points, or in a bracket below ``narrowest``.

    (Nocedal and Wright 2006, algorithms 3.5 and 3.6; the order of the tests and the limits of the
    steps are those of minFunc, as in PyTorch.)
    """

    def is_too_high(point: Point) -> bool:
        return point.loss > start.loss + DECREASE * point.t * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * start.slope

    before, new, count = start, at(t), 0
    ends = [start, new]
    while count < most:
        if is_too_high(new) or (count > 1 and new.loss >= before.loss):
            ends = [before, new]
            break
        if is_flat(new):
            return new, count + 1
        if new.slope >= 0:
            ends = [before, new]
            break
        t = minimum(before, new, new.t + 0.01 * (new.t - before.t), 10 * new.t)
        before, new, count = new, at(t), count + 1
        ends = [start, new]

    low = 0 if ends[0].loss <= ends[1].loss else 1
    stalled = False
    while count < most and abs(ends[1].t - ends[0].t) >= narrowest:
        least, largest = sorted(end.t for end in ends)
        t = minimum(ends[0], ends[1], least, largest)
        margin = 0.1 * (largest - least)
        near_an_end = min(largest - t, t - least) < margin
        if near_an_end and (stalled or not least < t < largest):
            t = largest - margin if abs(t - largest) < abs(t - least) else least + margin
            near_an_end = False
        stalled = near_an_end
        new, count = at(t), count + 1
        if is_too_high(new) or new.loss >= ends[low].loss:
            ends[1 - low] = new
            low = 0 if ends[0].loss <= ends[1].loss else 1
            continue
        if is_flat(new):
            return new, count + 1
        if new.slope * (ends[1 - low].t - ends[low].t) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = new
    return ends[low], count + 1


def minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is smallest, within limits; the middle
    of these where it has no minimum. (Nocedal and Wright 2006, equation 3.59.)"""
    a, b = (a, b) if a.t <= b.t else (b, a)
    if a.t != b.t:
        d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
        square = d1 * d1 - a.slope * b.slope
        if square >= 0:
            d2 = math.sqrt(square)
            if bend := b.slope - a.slope + 2 * d2:
                t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bend)
                return min(max(t, least), most)
    return (least + most) / 2

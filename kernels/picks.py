"""Picks: choices and orders made of fractions in [0, 1), one each and none thrown away, so their number is known before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


def weighed(weights: Sequence[float], fraction: float) -> int:
    """The place that a fraction falls on, each as wide as its weight; never one of weight 0. Some weight is above 0."""
    left = fraction * sum(weights)
    for place, weight in enumerate(weights):
        if left < weight:
            return place
        left -= weight
    # the differences may round to a little more than what is left of the last
    return max(place for place, weight in enumerate(weights) if weight > 0.0)


def weighed_without_return(weights: Sequence[float], fractions: Sequence[float]) -> list[int]:
    """A place for each fraction, each at most once, chosen by the weights of those that are left; fewer where none is."""
    left = list(weights)
    chosen: list[int] = []
    for fraction in fractions:
        if not any(left):
            break
        chosen.append(weighed(left, fraction))
        left[chosen[-1]] = 0.0
    return chosen


def shuffled(places: Sequence[int], fractions: Sequence[float]) -> list[int]:
    """The places in an order that is as likely as any other. fractions: one for each place but one, or more.

    Fisher and Yates's shuffle, from the end.
    """
    order = list(places)
    for last in range(len(order) - 1, 0, -1):
        other = int(fractions[last - 1] * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order


def one_of(things: Sequence[Thing], fraction: float) -> Thing:
    """The one of some things that a fraction in [0, 1] falls on, each as likely as the others."""
    return things[min(int(fraction * len(things)), len(things) - 1)]

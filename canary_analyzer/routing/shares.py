"""Arithmetic of whole-number weights."""

from collections.abc import Sequence
from math import gcd


def apportion(weights: Sequence[int]) -> list[int]:
    """`weights` scaled to a sum of exactly 100 by largest remainder (Hamilton's method); ties go to the first.

    Weights that already sum to 100 come back unchanged, so that repeated writes never drift. All zero: all zero.
    """
    total = sum(weights)
    if total == 0:
        return list(weights)
    points = [weight * 100 // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(weights[i] * 100 % total))
    for i in by_remainder[: 100 - sum(points)]:
        points[i] += 1
    return points


def enlarged(weights: Sequence[int], largest: int) -> list[int]:
    """`weights` in exactly the same proportion, fine enough to take percentages of each; unchanged by repetition.

    They sum to 100 where that is exact, else to a multiple of 100. Where a weight would exceed `largest`, they are
    rounded to 100.
    """
    factor = gcd(*weights)
    if factor == 0:
        return list(weights)
    reduced = [weight // factor for weight in weights]
    total = sum(reduced)
    by = 100 // total if 100 % total == 0 else 100
    return [weight * by for weight in reduced] if max(reduced) * by <= largest else apportion(weights)


def split(share: int, weight: int) -> int:
    """The canary's points out of `share` points at `weight` percent, rounded to the nearest.

    Strictly between 0 and 100 percent both arms keep at least one point where there are two to divide: an arm without
    traffic cannot be judged. A share of one point stays with stable until the canary is given everything.
    """
    if weight in (0, 100):
        return share * weight // 100
    nearest = (share * weight + 50) // 100
    return max(0, min(max(nearest, 1), share - 1))


def split_three(share: int, canary: int, baseline: int) -> tuple[int, int, int]:
    """Points of stable, canary and fresh baseline out of `share`, for percentages of the latter two.

    Stable keeps a point, as the others do, where it is to have traffic and there are enough to go round.
    """
    canary_points = split(share, canary)
    left = share - canary_points - (1 if canary + baseline < 100 else 0)
    baseline_points = max(0, min(split(share, baseline), left))
    return share - canary_points - baseline_points, canary_points, baseline_points

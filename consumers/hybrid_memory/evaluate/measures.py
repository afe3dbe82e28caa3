"""How good a ranking is, and how sure that one is better than another. Pure.

Relevance is yes or no. nDCG as Järvelin and Kekäläinen define it (2002), with log2 discounts; the interval is of the
paired bootstrap: questions are drawn anew, each with both of its values.
"""

import math
import random
from collections.abc import Collection, Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean, and where 95 % of the resampled means lie."""

    mean: float
    low: float
    high: float


def recall(found: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of the relevant that is among the first `k`."""
    return len(set(found[:k]) & set(relevant)) / len(relevant)


def ndcg(found: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The gain of the first `k`, discounted by place, as a share of the best possible."""
    gain = sum(1 / math.log2(place + 2) for place, one in enumerate(found[:k]) if one in relevant)
    best = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
    return gain / best


def mrr(found: Sequence[str], relevant: Collection[str], k: int) -> float:
    """One divided by the place of the first relevant; 0 where none is among the first `k`."""
    return next((1 / (place + 1) for place, one in enumerate(found[:k]) if one in relevant), 0.0)


def bootstrap(values: Sequence[float], seed: int, rounds: int = 2000) -> Interval:
    """The mean of the values, one a question, and its 95 % interval. Of differences, this is the paired bootstrap.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there are no values")
    chance, count = random.Random(seed), len(values)
    means = sorted(sum(chance.choices(values, k=count)) / count for _ in range(rounds))
    return Interval(sum(values) / count, means[int(rounds * 0.025)], means[int(rounds * 0.975) - 1])

"""Corrections to the frozen weights of a linear model, learned one text at a time: FTRL-Proximal (McMahan et al. 2013, "Ad click
prediction: a view from the trenches", algorithm 1), of which the weights are what is added to the frozen ones.

L2 pulls every weight back to the frozen one, L1 leaves it alone until a text or two has spoken for a change. Additions, products
and roots in a fixed order, kept as 32-bit floats: the same on every machine, and after every pause.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Mapping, Sequence
from hashlib import blake2b
from math import sqrt

#: Learning rate, its damping, and the two pulls; chosen on reviews of hotels, phones and fruit (`bench.sentiment --learning`).
ALPHA, BETA, L1, L2 = 3.0, 1.0, 0.02, 0.1
#: At most so many features are corrected. Beyond, the least corrected go back to the frozen weight, until so many are left.
FEATURES_MAX, FEATURES_LEFT = 8192, 7168
#: A feature that the frozen model does not know is learned once customers of so many of the CROWDS have used it: at least as many
#: people. So nobody's name or number gets in.
CROWDS, CROWDS_LEAST = 16, 5
#: So many features wait for that, as digests; who has waited longest since it was last seen leaves first.
WAITING_MAX = 16_384


class Corrections:
    """``frozen``: the features that the frozen model knows. ``width``: how many weights a feature has.

    ``rows``: feature -> what FTRL calls z, for each weight, then n, for each. ``waiting``: digest -> crowds seen, as bits.
    """

    def __init__(self, frozen: Container[str], width: int = 1, features_max: int = FEATURES_MAX) -> None:
        self._frozen, self.width, self._max = frozen, width, features_max
        self.rows: dict[str, array[float]] = {}
        self.waiting: dict[int, int] = {}
        self._none = (0.0,) * width

    def of(self, feature: str) -> Sequence[float]:
        """What is to be added to its weights."""
        row = self.rows.get(feature)
        if row is None:
            return self._none
        return [_weight(row[k], row[self.width + k]) for k in range(self.width)]

    def learn(self, seen: Mapping[str, float], slopes: Sequence[float], crowd: int) -> None:
        """A text's features with their values, and the slope of the loss by each score (`width` of them). ``crowd``: of CROWDS,
        the one that its writer belongs to."""
        for feature in sorted(seen):
            row = self.rows.get(feature)
            if row is None:
                if not (feature in self._frozen or self._common(feature, crowd)):
                    continue
                row = self.rows[feature] = array("f", bytes(8 * self.width))
            _step(row, self.width, seen[feature], slopes)
        if len(self.rows) > self._max:
            self._let_go()

    def _common(self, feature: str, crowd: int) -> bool:
        digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
        crowds = self.waiting.pop(digest, 0) | 1 << crowd
        if crowds.bit_count() >= CROWDS_LEAST:
            return True
        self.waiting[digest] = crowds  # the last in line
        if len(self.waiting) > WAITING_MAX:
            del self.waiting[next(iter(self.waiting))]
        return False

    def _let_go(self) -> None:
        left = self._max * FEATURES_LEFT // FEATURES_MAX
        ranked = sorted(self.rows, key=lambda feature: (-max(map(abs, self.of(feature))), feature))
        self.rows = {feature: self.rows[feature] for feature in sorted(ranked[:left])}


def _step(row: array[float], width: int, value: float, slopes: Sequence[float]) -> None:
    for k in range(width):
        slope = slopes[k] * value
        z, n = row[k], row[width + k]
        more = n + slope * slope
        row[k] = z + slope - (sqrt(more) - sqrt(n)) / ALPHA * _weight(z, n)
        row[width + k] = more


def _weight(z: float, n: float) -> float:
    if abs(z) <= L1:
        return 0.0
    return -(z - L1 if z > 0 else z + L1) / ((BETA + sqrt(n)) / ALPHA + L2)

"""Learning the parameters of a distribution online: one step of Adam (Kingma, Ba 2015) up the likelihood of each observation, on
the logarithms of the parameters. The step's length does not depend on the gradient's, so that no single observation, however
absurd, moves them far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, sqrt

MEMORY, MEMORY_SQUARES, TINY = 0.9, 0.999, 1e-8


class Ascent:
    """``limits``: (least, greatest) of each logarithm; ``rate``: steps so far -> the length of a step. ``state`` is all of it."""

    def __init__(
        self,
        start: Sequence[float],
        limits: Sequence[tuple[float, float]],
        rate: Callable[[int], float],
        state: Sequence[float] | None = None,
    ) -> None:
        n = len(start)
        self._limits, self._rate = limits, rate
        self.logs, self._means, self._squares, self.steps = list(start), [0.0] * n, [0.0] * n, 0
        if state is not None:
            if len(state) != 3 * n + 1:
                raise ValueError(f"{len(state)} numbers where {3 * n + 1} are the state of {n} parameters")
            self.logs, self._means, self._squares = list(state[:n]), list(state[n : 2 * n]), list(state[2 * n : 3 * n])
            self.steps = int(state[-1])

    @property
    def state(self) -> list[float]:
        return [*self.logs, *self._means, *self._squares, float(self.steps)]

    @property
    def values(self) -> list[float]:
        return [exp(value) for value in self.logs]

    def step(self, slopes: Sequence[float]) -> None:
        """``slopes``: the log-likelihood's, by the logarithms."""
        self.steps += 1
        rate = self._rate(self.steps)
        fade, fade_squares = 1 - MEMORY**self.steps, 1 - MEMORY_SQUARES**self.steps
        for i, slope in enumerate(slopes):
            self._means[i] += (1 - MEMORY) * (slope - self._means[i])
            self._squares[i] += (1 - MEMORY_SQUARES) * (slope * slope - self._squares[i])
            moved = self.logs[i] + rate * (self._means[i] / fade) / (sqrt(self._squares[i] / fade_squares) + TINY)
            least, greatest = self._limits[i]
            self.logs[i] = min(max(moved, least), greatest)

"""A generation that learns anew proves itself before anybody is scored by it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from portrait.models.measures import FADE_LABELS


class Trial(msgspec.Struct):
    """Against the version that goes on scoring meanwhile. Plain data.

    It is passed with as many labels as the other had; or once it has read as far and, over the last thousand labels, its own
    predictions, made before it learned each, were no worse than the other's. Where neither has a label: once it has read as far.
    """

    against: str
    against_labels: int
    against_offsets: dict[str, int]
    read: bool = False
    judged: int = 0
    log_loss: float = 0.0
    against_log_loss: float = 0.0

    def judge(self, loss: float, against_loss: float) -> None:
        """One label, which both have predicted."""
        self.judged += 1
        rate = max(1 / self.judged, 1 / FADE_LABELS)
        self.log_loss += rate * (loss - self.log_loss)
        self.against_log_loss += rate * (against_loss - self.against_log_loss)

    def follow(self, offsets: Mapping[str, int]) -> None:
        """``offsets``: the next lessons to be read."""
        self.read = self.read or all(offsets.get(at, 0) >= offset for at, offset in self.against_offsets.items())

    def passed(self, labels: int) -> bool:
        better = self.judged >= FADE_LABELS and self.log_loss <= self.against_log_loss
        as_many = labels >= self.against_labels and (labels > 0 or self.read)
        return as_many or (self.read and better)

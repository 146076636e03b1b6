"""How good frozen and learned models are on what they had not seen yet: each text is judged before it is learned from."""

from __future__ import annotations

from math import log

import msgspec

#: Recent figures fade by a thousandth a text.
FADING = 0.999
#: No probability is taken for nearer to 0 than this.
LEAST = 1e-6
#: Fewer texts say too little of a model to trust it.
TEXTS_LEAST = 100


class Sums(msgspec.Struct, array_like=True):
    """Over texts: how many, of how many each model was right, and their log-losses (in nats)."""

    texts: float = 0
    right_frozen: float = 0
    right_learned: float = 0
    loss_frozen: float = 0
    loss_learned: float = 0

    def add(self, fading: float, frozen: tuple[bool, float], learned: tuple[bool, float]) -> None:
        """Each: whether it was right, and the probability that it gave to the truth."""
        self.texts = fading * self.texts + 1
        self.right_frozen = fading * self.right_frozen + frozen[0]
        self.right_learned = fading * self.right_learned + learned[0]
        self.loss_frozen = fading * self.loss_frozen - log(max(frozen[1], LEAST))
        self.loss_learned = fading * self.loss_learned - log(max(learned[1], LEAST))

    @property
    def no_worse(self) -> bool:
        return self.right_learned >= self.right_frozen and self.loss_learned <= self.loss_frozen

    def means(self) -> dict[str, float]:
        names = ("right_frozen", "right_learned", "loss_frozen", "loss_learned")
        return {name: round(getattr(self, name) / self.texts, 4) for name in names} if self.texts else {}


class Progress(msgspec.Struct, array_like=True):
    """Of one kind of texts: since the beginning, and recently."""

    whole: Sums = msgspec.field(default_factory=Sums)
    recent: Sums = msgspec.field(default_factory=Sums)

    def add(self, frozen: tuple[bool, float], learned: tuple[bool, float]) -> None:
        self.whole.add(1.0, frozen, learned)
        self.recent.add(FADING, frozen, learned)

    @property
    def no_worse(self) -> bool:
        """Whether the learned model did no worse, both ways, since the beginning and recently."""
        return self.whole.no_worse and self.recent.no_worse

"""What a shop's own texts teach: corrections to the frozen models of tone and of complaints' categories, lesson by lesson.

A pure function of the lessons in their order. It holds no text. Nothing of it is used to understand a text until an operator
decides so (`language.learned.adopted`, `language.force`): facts must not depend on when they were folded (ADR 19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, fsum, sqrt

from language import complaints, tone
from language.complaints import CATEGORIES, CONCEPT, concepts, scored
from language.corrections import Corrections
from language.lessons import Lesson
from language.progress import Progress
from language.text import Language, language_of, normalise
from language.tone import Model, leaning, log_odds, witnesses
from language.weights import Weights

MODELS: tuple[Model, ...] = ("zh", "en")
#: Ids of the latest lessons: an event that comes again within so many is not learned twice.
RECENT_MAX = 5000
#: So many complaints wait for somebody to name their category; the one that has waited longest leaves.
OPEN_MAX = 5000
#: Of the more frequent answer a lesson weighs less, as if both were as frequent; until so many are known, not by much.
KNOWN_FIRST = 10


class Learner:
    """``tones``, ``categories``: the frozen models, by language. ``offsets``: "topic/partition" -> where its log is read on."""

    def __init__(
        self,
        tones: Mapping[Model, Weights] = tone.SHIPPED,
        categories: Mapping[Model, complaints.Weights] | None = None,
    ) -> None:
        self.tones = tones
        self.categories = categories or {model: complaints.shipped(model) for model in MODELS}
        self.parts: dict[str, Corrections] = {f"tone_{model}": Corrections(tones[model].by_gram) for model in MODELS}
        for model in MODELS:
            self.parts[f"complaints_{model}"] = Corrections(self.categories[model], len(CATEGORIES))
        self.lessons = 0
        self.offsets: dict[str, int] = {}
        self.progress: dict[str, Progress] = {}  # kind of texts -> figures
        self.answers: dict[str, dict[str, int]] = {}  # kind of texts -> answer -> lessons
        self.recent: dict[bytes, None] = {}  # ids, the latest last
        self.open: dict[bytes, tuple[int, int]] = {}  # complaint -> partition and offset of its opening, which has the text

    def learn(self, lesson: Lesson) -> bool:
        """Judge the text by both models, then learn from it. False: nothing is understood of it, or it has been learned."""
        if lesson.id in self.recent:
            return False
        text = normalise(lesson.text)
        language = language_of(text)
        if lesson.pleased is not None:
            learned = self._hear(text, language, lesson.pleased, lesson.crowd)
        else:
            learned = language != "" and lesson.category in CATEGORIES and self._sort(text, language, lesson)
        if learned:
            self.lessons += 1
            self.recent[lesson.id] = None
            if len(self.recent) > RECENT_MAX:
                del self.recent[next(iter(self.recent))]
        return learned

    def wait(self, complaint: bytes, partition: int, offset: int) -> None:
        """For somebody to name its category."""
        self.open.setdefault(complaint, (partition, offset))
        if len(self.open) > OPEN_MAX:
            del self.open[next(iter(self.open))]

    def _hear(self, text: str, language: Language, pleased: bool, crowd: int) -> bool:
        heard = [(model, grams, 1 / sqrt(len(grams))) for model, grams in witnesses(text, language) if grams]
        if not heard or (not language and any(map(str.isalpha, text))):  # of another language only its stops are seen
            return False
        frozen = sum(log_odds(self.tones[model], grams) for model, grams, _ in heard)
        odds = frozen
        for model, grams, share in heard:
            part = self.parts[f"tone_{model}"]
            odds += share * fsum(part.of(gram)[0] for gram in grams)
        kind = f"tone {language or 'emoji'}"
        sides = [((each > 0) == pleased and each != 0, (1 + leaning(each if pleased else -each)) / 2) for each in (frozen, odds)]
        self.progress.setdefault(kind, Progress()).add(sides[0], sides[1])
        slope = ((1 + leaning(odds)) / 2 - pleased) * self._weigh(kind, "pleased" if pleased else "displeased")
        for model, grams, share in heard:
            self.parts[f"tone_{model}"].learn(dict.fromkeys(grams, share), [slope], crowd)
        return True

    def _sort(self, text: str, language: Language, lesson: Lesson) -> bool:
        model: Model = "en" if language == "en" else "zh"
        found, named = complaints.grams(text, model), list(concepts(text, model))
        seen = dict.fromkeys(found, 1 / sqrt(len(found) or 1)) | {f"@{name}": CONCEPT for name in named}
        if not seen:
            return False
        part = self.parts[f"complaints_{model}"]
        frozen = [each / 100 for each in scored(found, named, self.categories[model])]
        deltas = [(value, part.of(feature)) for feature, value in seen.items()]
        scores = [each + fsum(value * delta[k] for value, delta in deltas) for k, each in enumerate(frozen)]
        truth = CATEGORIES.index(lesson.category or "other")
        sides, told = zip(*(_judged(each, truth) for each in (frozen, scores)), strict=True)
        kind = f"complaints {model}"
        self.progress.setdefault(kind, Progress()).add(sides[0], sides[1])
        weight = self._weigh(kind, CATEGORIES[truth])
        part.learn(seen, [weight * (p - (k == truth)) for k, p in enumerate(told[1])], lesson.crowd)
        return True

    def _weigh(self, kind: str, answer: str) -> float:
        """How much a lesson with this answer counts: less than 1 if no other answer is as frequent."""
        counts = self.answers.setdefault(kind, {})
        others = max((n for other, n in counts.items() if other != answer), default=0)
        counts[answer] = counts.get(answer, 0) + 1
        return min(1.0, (others + KNOWN_FIRST) / (counts[answer] + KNOWN_FIRST))


def _judged(scores: Sequence[float], truth: int) -> tuple[tuple[bool, float], list[float]]:
    """Whether they are right and the probability of the truth; and all probabilities."""
    most = max(scores)
    odds = [exp(score - most) for score in scores]
    told = [each / fsum(odds) for each in odds]
    return (scores.index(most) == truth, told[truth]), told

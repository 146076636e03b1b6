"""Which models a process understands texts with: those that were shipped, or these with what was learned added to them.

Facts rest on it, so it is never changed by learning, but by an operator's decision alone, for all processes at once: a document
that workers, `portrait rebuild` and `portrait verify` read before they fold anything (docs/language.md, ADR 19).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from language import complaints, tone
from language.complaints import CATEGORIES
from language.frozen import base
from language.learned import FORMAT, Unusable, version_of
from language.learner import MODELS, Learner
from language.progress import TEXTS_LEAST, Progress

#: The version of a process that understands with what was shipped.
SHIPPED = "shipped"
#: No honest correction is greater: the frozen numbers of tone are within 127, those of complaints within some hundreds.
LARGEST = 10_000
_WIDTHS = {f"{kind}_{model}": width for kind, width in (("tone", 1), ("complaints", len(CATEGORIES))) for model in MODELS}


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """Corrections in whole numbers, in the units of the frozen weights. ``digest``: SHA-256 of all the rest."""

    format: int = FORMAT
    version: str
    base: str  # `language.frozen.base` of the models that are corrected
    lessons: int
    tables: dict[str, dict[str, list[int]]]  # model -> feature -> a number for each weight
    digest: str = ""

    def digested(self) -> str:
        plain = msgspec.structs.replace(self, digest="")
        return sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()


_in_force = [SHIPPED]


def version() -> str:
    """Of what is in force in this process."""
    return _in_force[0]


def adopted_from(learner: Learner, texts_least: int = TEXTS_LEAST) -> Adopted:
    """What would come into force; of a model that has judged fewer texts, nothing. The same learner gives the same document."""
    tables: dict[str, dict[str, list[int]]] = {}
    for name, part in learner.parts.items():
        kind, _, model = name.partition("_")
        if learner.progress.get(f"{kind} {model}", Progress()).whole.texts < texts_least:
            continue
        unit = 1 / 100 if kind == "complaints" else learner.tones["en" if model == "en" else "zh"].scale
        rows = ((feature, [round(number / unit) for number in part.of(feature)]) for feature in sorted(part.rows))
        tables[name] = {feature: row for feature, row in rows if any(row)}
    plain = Adopted(version=version_of(learner), base=base(), lessons=learner.lessons, tables=tables)
    return msgspec.structs.replace(plain, digest=plain.digested())


def read(document: bytes) -> Adopted:
    """Raises Unusable, which says what to do."""
    try:
        adopted = msgspec.json.decode(document, type=Adopted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"it can't be read: {error}") from error
    if adopted.format != FORMAT:
        raise Unusable(f"it has format {adopted.format}, and this release reads {FORMAT}")
    if adopted.digested() != adopted.digest:
        raise Unusable("it is broken, or was changed by somebody: its digest is another")
    if adopted.base != base():
        raise Unusable("it corrects other frozen models than this release has")
    rows = [(row, _WIDTHS.get(name)) for name, table in adopted.tables.items() for row in table.values()]
    if any(len(row) != width or max(map(abs, row)) > LARGEST for row, width in rows):
        raise Unusable("it holds numbers that no learner makes")
    return adopted


def come_into_force(adopted: Adopted | None) -> None:
    """From now on this process understands with it; None: with what was shipped."""
    tables: Mapping[str, Mapping[str, list[int]]] = adopted.tables if adopted else {}
    for model in MODELS:
        shipped, changes = tone.SHIPPED[model], tables.get(f"tone_{model}", {})
        numbers = {gram: shipped.by_gram.get(gram, 0) + row[0] for gram, row in changes.items()}
        tone.in_force[model] = shipped._replace(by_gram={**shipped.by_gram, **numbers}) if numbers else shipped
        rows = tables.get(f"complaints_{model}", {})
        if rows:
            weights = complaints.shipped(model)
            changed = {name: weights.get(name, 0) + complaints.packed(row) for name, row in rows.items()}
            complaints.in_force[model] = {**weights, **changed}
        else:
            complaints.in_force.pop(model, None)
    _in_force[0] = adopted.version if adopted else SHIPPED
    _forget()


def _forget() -> None:
    """What was understood of the last texts before."""
    from language import understand

    for each in (understand.understand, understand.understand_complaint):
        each.cache_clear()

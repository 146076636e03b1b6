"""What one shop's model has learned, as a file that another shop may start from: how much each feature counts, and how features
usually vary. It names no customer, and tells nothing of how many there are.

Left out is what is the shop's own, and the new one learns at once for itself: the base rate (`portrait.models.prior`), and the
intercept, which corrects it. Nor does it hold what never varied there, of which nothing was learned.
"""

from __future__ import annotations

from math import isfinite

import msgspec

from portrait.models.churn import INDEX, MODEL, PRIOR, digest_of
from schemas.outputs import Learned, Snapshot, Start

FORMAT = 1
#: As many labels of its own as the other shop's scaling counts for: its own soon outweighs it.
SCALING_LABELS = 200
#: Beyond these no model that was learned comes: weights are of a standard deviation, features logarithms or small counts.
WEIGHT_MAX, MEAN_MAX, VARIANCE_MAX = 10.0, 1e3, 1e6


def export(snapshot: Snapshot) -> Start:
    """Of a version that was checked. Raises ValueError where it has learned nothing that would help."""
    if not snapshot.learner.get("labels"):
        raise ValueError(f"version {snapshot.version} has learned no label yet: it is the prior alone, as every start is")
    weights, means, variances = (snapshot.learner.get(part, {}) for part in ("weights", "means", "vars"))
    features = {
        name: Learned(weight=weights.get(name, 0.0), mean=means.get(name, 0.0), variance=variance)
        for name, variance in sorted(variances.items())
        if variance > 0 and name in INDEX
    }
    horizon_days = int(snapshot.scorer["horizon_days"])
    unsigned = Start(model=MODEL, version=snapshot.version, horizon_days=horizon_days, features=features, digest="")
    return checked(msgspec.structs.replace(unsigned, digest=_digest(unsigned)))


def read(data: bytes) -> Start:
    """Raises ValueError, with what to do, where it is no such file, or was changed, or does not fit this code."""
    try:
        start = msgspec.json.decode(data, type=Start)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not what `portrait model export` writes ({error})") from error
    return checked(start)


def checked(start: Start) -> Start:
    """As it was given. Raises ValueError as `read` does."""
    if (start.model, start.format) != (MODEL, FORMAT):
        raise ValueError(f"of model {start.model!r}, format {start.format}: this code reads {MODEL!r}, format {FORMAT}")
    if _digest(start) != start.digest:
        raise ValueError("its digest does not match its contents: it was changed since it was exported; export it again")
    unknown = sorted(start.features.keys() - INDEX.keys())
    if unknown or PRIOR not in start.features:
        what = f"knows features that this code does not: {', '.join(unknown)}" if unknown else f"lacks the feature {PRIOR}"
        raise ValueError(f"it {what}; export it with this version of Portrait")
    for name, of in start.features.items():
        if not _sane(of):
            raise ValueError(f"what it says of {name} is nothing that was learned: {of.weight:g}, {of.mean:g}, {of.variance:g}")
    return start


def _sane(of: Learned) -> bool:
    finite = isfinite(of.weight) and isfinite(of.mean) and isfinite(of.variance)
    return finite and abs(of.weight) <= WEIGHT_MAX and abs(of.mean) <= MEAN_MAX and 0 < of.variance <= VARIANCE_MAX


def _digest(start: Start) -> str:
    return digest_of(msgspec.structs.replace(start, digest=""))

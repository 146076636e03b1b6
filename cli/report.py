"""The report about the model: one HTML page that holds everything it shows. No customer is named in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from math import log
from typing import NamedTuple

from cli import output, plots
from cli.plots import Figure
from cli.present import STAGES, ago, date
from cli.shelf import Read, newest_first, roles
from cli.top import reader
from cli.words import by_week, calibration, prior_words, row, shifts, weights
from portrait.models.churn import from_snapshot
from portrait.models.measures import BINS, WEEK_MS, Z_MAX
from portrait.models.watch import watched
from schemas.outputs import Snapshot
from streams.settings import Settings

CHUNK = 100
RISK_TICKS = (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)

_CSS = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6878; --paper: #fff; --line: #dfe4ea;
  --one: #c2410c; --two: #0f766e; --flow: #64748b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b6; --paper: #12161c; --line: #2c3440;
    --one: #fb923c; --two: #2dd4bf; --flow: #94a3b8; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
p { margin: .25rem 0 .5rem; color: var(--soft); }
figure { margin: .5rem 0; } svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); } svg .axis { fill: var(--ink); }
.grid { stroke: var(--line); } .ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
.one { fill: var(--one); } .two { fill: var(--two); } .stage { fill: var(--ink); } .flow { fill: var(--flow); opacity: .35; }
.one-line { stroke: var(--one); fill: none; stroke-width: 2; } .two-line { stroke: var(--two); fill: none; stroke-width: 2; }
svg .one-words { fill: var(--one); font-weight: 600; } svg .two-words { fill: var(--two); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .5rem; margin: 1rem 0 0; padding: 0;
  list-style: none; }
.tiles li { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
.tiles b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .85rem; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
summary { cursor: pointer; color: var(--soft); } .scroll { overflow-x: auto; } .none { font-style: italic; }
@media print { details { display: none; } }
"""


class Stages(NamedTuple):
    """``counts`` of everybody; ``moves`` (from, to) as the profiles that were looked at tell of their last stages."""

    counts: Mapping[str, int]
    moves: Mapping[tuple[str, str], int]
    looked_at: int


async def read_stages(settings: Settings, sample: int) -> Stages:
    """At most about ``sample`` profiles, of each stage its share. Raises StoreError."""
    moves: Counter[tuple[str, str]] = Counter()
    looked_at = 0
    async with reader(settings) as profiles:
        counts = await profiles.stage_counts()
        everybody = sum(counts.values())
        with output.progress() as bar:
            task = bar.add_task("profiles looked at", total=min(sample, everybody))
            for stage, n in counts.items():
                share = min(n, round(sample * n / everybody)) if everybody else 0
                ids = await profiles.by_stage(stage, share) if share else []
                for first in range(0, len(ids), CHUNK):
                    for profile in await profiles.get_many(ids[first : first + CHUNK]):
                        bar.advance(task)
                        if profile is not None:
                            looked_at += 1
                            moves.update(_moves(profile.dims.get("lifecycle") or {}))
    return Stages(counts, moves, looked_at)


def _moves(lifecycle: Mapping[str, object]) -> list[tuple[str, str]]:
    before = lifecycle.get("before")
    earlier = [str(each[0]) for each in before if isinstance(each, list)] if isinstance(before, list) else []
    names = [*reversed(earlier), str(lifecycle.get("stage", ""))]
    return list(pairwise(names))


def page(read: Read, stages: Stages, now_ms: int) -> str:
    """The HTML document."""
    shelf = read.shelf
    scoring, newest = shelf.scoring, shelf.newest
    made = f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    parts = [f"<h1>The churn model</h1><p>{escape(_headline(read, now_ms))} Made {made}.</p>"]
    if newest is not None:
        parts.append(_tiles(newest))
        parts += [plots.section(figure) for figure in _figures(newest)]
        parts.append(_alarms(newest))
    parts += [plots.section(figure) for figure in _stage_figures(stages)]
    if scoring is not None:
        parts += [_weights(scoring), _prior(scoring)]
    parts.append(_versions(read, now_ms))
    title = f"Portrait: churn model {scoring.version if scoring else ''}".strip()
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _headline(read: Read, now_ms: int) -> str:
    shelf = read.shelf
    if shelf.scoring is None:
        return "No version yet: scores come from the prior until lessons are learned."
    words = f"Version {shelf.scoring.version} scores, trained {ago(shelf.scoring.trained_at_ms, now_ms)}"
    words += ", because it is pinned." if shelf.scoring.version == shelf.pinned else "."
    if shelf.newest is not None and not shelf.newest.ready:
        words += f" Generation {shelf.newest.generation} is on trial."
    return words


def _tiles(newest: Snapshot) -> str:
    shown = (
        ("auc", "AUC: 0.5 is chance", "{:.3f}"),
        ("log_loss", "log-loss: less is better", "{:.3f}"),
        ("ece", "ECE: error of the risks told", "{:.3f}"),
        ("brier", "Brier score", "{:.3f}"),
        ("base_rate", "left, of all", "{:.1%}"),
        ("labels", "labels known", "{:,.0f}"),
    )
    tiles = [
        f"<li><b>{words.format(newest.metrics[name])}</b><span>{about}</span></li>"
        for name, about, words in shown
        if name in newest.metrics
    ]
    return f'<ul class="tiles">{"".join(tiles)}</ul>'


def _figures(newest: Snapshot) -> list[Figure]:
    weeks = [(date(at_ms), figures) for at_ms, figures in by_week(newest)]
    moved = sorted(shifts(newest).items(), key=lambda item: -abs(item[1]))
    return [
        plots.calibration(
            [(group.weight, group.risk, group.share) for group in calibration(newest)],
            "Calibration",
            "Of customers of whom a risk was told, how many left? On the dashed line as many as was said. Larger: more labels.",
        ),
        plots.lines(
            [(at, [figures["auc"]], figures["labels"]) for at, figures in weeks],
            ["AUC"],
            "AUC by week",
            "The chance that of one who left and one who stayed, the first had the higher risk. Labels come after the horizon.",
        ),
        plots.lines(
            [(at, [figures["log_loss"], figures["base_rate"]], figures["labels"]) for at, figures in weeks],
            ["log-loss", "share that left"],
            "Log-loss by week",
            "How far off the risks were; less is better. It moves with the share that left, which is drawn beside it.",
        ),
        plots.bars(
            [(name, size, f"{size:+.2f}") for name, size in moved],
            "Drift by feature",
            "The last few hundred labels beside the last ten thousand, in standard deviations. Operators hear of sudden moves.",
            ("feature", "standard deviations"),
        ),
        _scores(newest),
    ]


def _scores(newest: Snapshot) -> Figure:
    measures = watched(newest).measures
    step = 2 * Z_MAX / BINS
    counts = zip(measures.bins.left, measures.bins.stayed, strict=True)
    rows = [
        (n * step - Z_MAX, (n + 1) * step - Z_MAX, left / measures.unit, stayed / measures.unit)
        for n, (left, stayed) in enumerate(counts)
    ]
    ticks = {log(p / (1 - p)): f"{p:.0%}" for p in RISK_TICKS}
    about = (
        "Risks that were told, by what became of the customers. The further apart the colours, the better they are told apart."
    )
    return plots.histogram(rows, ticks, "Scores", about)


def _stage_figures(stages: Stages) -> list[Figure]:
    known = [name for name in STAGES if stages.counts.get(name)]
    return [
        plots.bars(
            [(name, float(stages.counts[name]), f"{stages.counts[name]:,}") for name in known],
            "Stages now",
            "Customers in each stage of the lifecycle.",
            ("stage", "customers"),
        ),
        plots.flows(
            stages.moves,
            list(STAGES),
            "Flows between stages",
            f"The last moves of {stages.looked_at:,} customers taken at random, two each at the most.",
        ),
    ]


def _alarms(newest: Snapshot) -> str:
    rows = [
        (
            date(alarm.week * WEEK_MS),
            alarm.subject,
            ", ".join(f"{name} {value:+.2f}" for name, value in alarm.what.items()),
        )
        for alarm in reversed(watched(newest).alarms)
    ]
    if not rows:
        return ""
    return f"<section><h2>Drifts that operators were told of</h2>{plots.table(('week of', 'subject', 'what'), rows)}</section>"


def _weights(scoring: Snapshot) -> str:
    rows = [(w.feature, f"{w.weight:+.3f}", w.meaning, w.words) for w in weights(scoring)]
    about = f"<p>Version {scoring.version}. A step is one standard deviation among the lessons.</p>"
    shown = plots.table(("feature", "weight", "more of it means", "and"), rows)
    return f'<section><h2>Weights</h2>{about}<div class="scroll">{shown}</div></section>'


def _prior(scoring: Snapshot) -> str:
    shown = plots.table(("parameters", "say"), prior_words(from_snapshot(scoring)))
    return f"<section><h2>The prior</h2><p>Learned from purchase days alone, without labels (MBG/NBD).</p>{shown}</section>"


def _versions(read: Read, now_ms: int) -> str:
    columns = ("version", "trained", "lessons", "log-loss", "AUC", "ECE", "")
    rows: list[Sequence[str]] = []
    for snapshot in newest_first(read.shelf):
        each = row(snapshot, roles(read.shelf, snapshot))
        figures = ["" if each[name] is None else f"{each[name]:.4f}" for name in ("log_loss", "auc", "ece")]
        trained = ago(snapshot.trained_at_ms, now_ms)
        rows.append((snapshot.version, trained, f"{snapshot.lessons:,}", *figures, ", ".join(each["is"])))
    return f"<section><h2>Versions</h2>{plots.table(columns, rows)}</section>"

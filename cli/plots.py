"""Plots as inline SVG, and the tables behind them. They need no script; colours come from the page's CSS, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import exp
from typing import NamedTuple

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 40
TICKS = 5


class Figure(NamedTuple):
    """A plot with the table that says the same. ``svg`` empty: there is nothing to draw yet."""

    title: str
    about: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Axes:
    """Data coordinates to those of the picture."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], *, height: int = HEIGHT) -> None:
        self.x_from, self.x_to = x
        self.y_from, self.y_to = y
        self.height = height

    def x(self, value: float) -> float:
        share = (value - self.x_from) / ((self.x_to - self.x_from) or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.y_from) / ((self.y_to - self.y_from) or 1)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def frame(self, x_title: str, y_title: str, x_ticks: Mapping[float, str], y_words: Callable[[float], str]) -> str:
        """Lines, ticks and titles."""
        parts = []
        for step in range(TICKS):
            value = self.y_from + (self.y_to - self.y_from) * step / (TICKS - 1)
            at = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y_words(value)}</text>')
        for value, words in x_ticks.items():
            parts.append(
                f'<text class="tick" x="{self.x(value):.1f}" y="{self.height - BOTTOM + 16}" text-anchor="middle">{words}</text>'
            )
        middle = (self.height - BOTTOM + TOP) / 2
        parts.append(
            f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{self.height - 6}" text-anchor="middle">{x_title}</text>'
        )
        parts.append(
            f'<text class="axis" x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{y_title}</text>'
        )
        return "".join(parts)


def svg(content: str, title: str, about: str, height: int = HEIGHT) -> str:
    words = f"<title>{escape(title)}</title><desc>{escape(about)}</desc>"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{words}{content}</svg>'


def percent(value: float) -> str:
    return f"{value:.0%}"


def calibration(groups: Sequence[tuple[float, float, float]], title: str, about: str) -> Figure:
    """``groups``: (labels, told, happened)."""
    rows = [(f"{told:.1%}", f"{happened:.1%}", f"{labels:,.0f}") for labels, told, happened in groups]
    axes = Axes((0, 1), (0, 1))
    most = max((labels for labels, _, _ in groups), default=1)
    drawn = [axes.frame("risk that was told", "share that left", {n / 5: percent(n / 5) for n in range(6)}, percent)]
    drawn.append(f'<line class="ideal" x1="{axes.x(0)}" y1="{axes.y(0)}" x2="{axes.x(1)}" y2="{axes.y(1)}"/>')
    points = [(axes.x(told), axes.y(happened)) for _, told, happened in groups]
    drawn.append(_line(points, "one"))
    for (x, y), (labels, told, happened) in zip(points, groups, strict=True):
        tip = f"told {told:.1%}, happened {happened:.1%}, {labels:,.0f} labels"
        radius = 3 + 6 * (labels / most) ** 0.5
        drawn.append(f'<circle class="one" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{tip}</title></circle>')
    return Figure(title, about, svg("".join(drawn), title, about) if groups else "", ("told", "happened", "labels"), rows)


def lines(
    points: Sequence[tuple[str, Sequence[float | None], int]],
    names: Sequence[str],
    title: str,
    about: str,
    y: tuple[float, float] | None = None,
) -> Figure:
    """Series over time. ``points``: (date, a value for each of ``names``, labels)."""
    rows = [(date, *("" if v is None else f"{v:.4f}" for v in values), f"{n:,}") for date, values, n in points]
    known = [v for _, values, _ in points for v in values if v is not None]
    if not known:
        return Figure(title, about, "", ("week of", *names, "labels"), rows)
    low, high = y or (min(known), max(known))
    room = (high - low) * 0.1 or 0.05
    axes = Axes((0, max(1, len(points) - 1)), (low - room, high + room) if y is None else y)
    every = -(-len(points) // 6)
    drawn = [
        axes.frame(
            "week in which it was told", "", {n: points[n][0][2:] for n in range(0, len(points), every)}, lambda v: f"{v:.2f}"
        )
    ]
    for series, name in enumerate(names):
        css = ("one", "two")[series]
        at = [(axes.x(n), axes.y(v)) for n, (_, values, _) in enumerate(points) if (v := values[series]) is not None]
        drawn.append(_line(at, css))
        drawn += [f'<circle class="{css}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>' for px, py in at]
        drawn.append(f'<text class="{css}-words" x="{LEFT + 8 + 110 * series}" y="{TOP + 10}">{escape(name)}</text>')
    return Figure(title, about, svg("".join(drawn), title, about), ("week of", *names, "labels"), rows)


def bars(rows: Sequence[tuple[str, float, str]], title: str, about: str, columns: Sequence[str]) -> Figure:
    """Lying bars from zero, to the left and the right. ``rows``: (name, value, words)."""
    if not rows:
        return Figure(title, about, "", columns, [])
    pitch, name_width = 20, 130
    height = TOP + pitch * len(rows) + 8
    reach = max(*(abs(value) for _, value, _ in rows), 1e-9)
    least, most = min(0.0, *(v for _, v, _ in rows)), max(0.0, *(v for _, v, _ in rows))
    scale = (WIDTH - name_width - 80) / ((most - least) or reach)
    zero = name_width + 8 - least * scale
    drawn = [f'<line class="grid" x1="{zero:.1f}" x2="{zero:.1f}" y1="{TOP - 6}" y2="{height - 6}"/>']
    for n, (name, value, words) in enumerate(rows):
        y = TOP + n * pitch
        drawn.append(f'<text class="tick" x="{name_width}" y="{y + 9}" text-anchor="end">{escape(name)}</text>')
        css = "one" if value >= 0 else "two"
        from_, width = min(zero, zero + value * scale), abs(value) * scale
        drawn.append(f'<rect class="{css}" x="{from_:.1f}" y="{y}" width="{width:.1f}" height="12"/>')
        drawn.append(f'<text class="tick" x="{max(zero, zero + value * scale) + 5:.1f}" y="{y + 9}">{escape(words)}</text>')
    return Figure(title, about, svg("".join(drawn), title, about, height), columns, [(name, words) for name, _, words in rows])


def histogram(rows: Sequence[tuple[float, float, float, float]], ticks: Mapping[float, str], title: str, about: str) -> Figure:
    """Standing bars of two classes on top of each other. ``rows``: (from, to, left, stayed), places on the x axis."""
    table = [
        (f"{ticks_of(a)} to {ticks_of(b)}", f"{left:,.1f}", f"{stayed:,.1f}") for a, b, left, stayed in rows if left + stayed
    ]
    columns = ("risk that was told", "left", "stayed")
    most = max((left + stayed for *_, left, stayed in rows), default=0)
    if not most:
        return Figure(title, about, "", columns, table)
    axes = Axes((rows[0][0], rows[-1][1]), (0, most))
    drawn = [axes.frame("risk that was told (log-odds scale)", "labels", ticks, lambda v: f"{v:,.0f}")]
    for a, b, left, stayed in rows:
        x, width = axes.x(a), axes.x(b) - axes.x(a) - 1
        top, middle, bottom = axes.y(left + stayed), axes.y(left), axes.y(0)
        drawn.append(f'<rect class="one" x="{x:.1f}" y="{middle:.1f}" width="{width:.1f}" height="{bottom - middle:.1f}"/>')
        drawn.append(f'<rect class="two" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{middle - top:.1f}"/>')
    for n, (css, words) in enumerate((("one", "left"), ("two", "stayed"))):
        drawn.append(f'<text class="{css}-words" x="{LEFT + 8 + 60 * n}" y="{TOP + 10}">{words}</text>')
    return Figure(title, about, svg("".join(drawn), title, about), columns, table)


def ticks_of(z: float) -> str:
    """The risk at these log-odds, in few digits."""
    return f"{1 / (1 + exp(-z)):.1%}"


def flows(counts: Mapping[tuple[str, str], int], order: Sequence[str], title: str, about: str) -> Figure:
    """Ribbons from the stages on the left to those on the right."""
    rows = [(a, b, f"{n:,}") for (a, b), n in sorted(counts.items(), key=lambda item: -item[1])]
    columns = ("from", "to", "customers")
    total = sum(counts.values())
    if not total:
        return Figure(title, about, "", columns, rows)
    height, gap, column = 360, 10, 14
    left, right = [s for s in order if any(a == s for a, _ in counts)], [s for s in order if any(b == s for _, b in counts)]
    usable = height - 2 * TOP - gap * (max(len(left), len(right)) - 1)
    x_left, x_right = 110.0, WIDTH - 110.0
    drawn: list[str] = []

    def column_of(names: Sequence[str], side: int, x: float, anchor: str) -> dict[str, float]:
        y, tops = float(TOP), {}
        for name in names:
            size = sum(n for pair, n in counts.items() if pair[side] == name) / total * usable
            tops[name] = y
            words_x = x - 6 if anchor == "end" else x + column + 6
            drawn.append(f'<rect class="stage" x="{x}" y="{y:.1f}" width="{column}" height="{max(size, 1):.1f}"/>')
            drawn.append(
                f'<text class="tick" x="{words_x}" y="{y + size / 2 + 4:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
            )
            y += size + gap
        return tops

    at_left, at_right = column_of(left, 0, x_left, "end"), column_of(right, 1, x_right, "start")
    for a in left:
        for b in right:
            if n := counts.get((a, b), 0):
                size = n / total * usable
                drawn.append(_ribbon(x_left + column, at_left[a], x_right, at_right[b], size, f"{a} to {b}: {n:,}"))
                at_left[a] += size
                at_right[b] += size
    return Figure(title, about, svg("".join(drawn), title, about, height), columns, rows)


def _ribbon(x0: float, y0: float, x1: float, y1: float, size: float, words: str) -> str:
    m = (x0 + x1) / 2
    return (
        f'<path class="flow" d="M{x0:.1f} {y0:.1f} C{m:.1f} {y0:.1f} {m:.1f} {y1:.1f} {x1:.1f} {y1:.1f} '
        f'V{y1 + size:.1f} C{m:.1f} {y1 + size:.1f} {m:.1f} {y0 + size:.1f} {x0:.1f} {y0 + size:.1f} Z">'
        f"<title>{escape(words)}</title></path>"
    )


def _line(points: Sequence[tuple[float, float]], css: str) -> str:
    return f'<polyline class="{css}-line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def section(figure: Figure) -> str:
    """A plot, what it says, and its table behind it."""
    picture = figure.svg or "<p class=none>Nothing to show yet.</p>"
    behind = f"<details><summary>The numbers</summary>{table(figure.columns, figure.rows)}</details>" if figure.rows else ""
    return f"<section><h2>{escape(figure.title)}</h2><p>{escape(figure.about)}</p><figure>{picture}</figure>{behind}</section>"

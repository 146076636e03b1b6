"""How customers look on a terminal: shared by up, show, watch and top. Plain data in, texts and colours out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.console import Console, RenderableType
from rich.text import Text

from cli import output
from schemas.words import Why

Lang = Literal["en", "zh"]
#: ``own``: each customer's language, as their attributes tell it.
LangChoice = Literal["own", "en", "zh", "both"]

#: Stage -> colour, and what it is called in Chinese. In the order of a customer's life.
STAGES: Mapping[str, tuple[str, str]] = {
    "prospect": ("bright_black", "潜在"),
    "new": ("cyan", "新客"),
    "growing": ("green", "成长"),
    "mature": ("bright_green", "成熟"),
    "won_back": ("magenta", "挽回"),
    "declining": ("yellow", "衰退"),
    "dormant": ("dark_orange", "沉睡"),
    "churned": ("red", "流失"),
}
_RISK_COLOURS = ((0.8, "red"), (0.6, "dark_orange"), (0.3, "yellow"), (0.0, "green"))

#: ISO 4217: digits of the minor unit, where they are not two.
MINOR_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_SPANS: tuple[tuple[int, str, str], ...] = (
    (365 * DAY_MS, "year", "年"),
    (30 * DAY_MS, "month", "个月"),
    (DAY_MS, "day", "天"),
    (HOUR_MS, "hour", "小时"),
    (MINUTE_MS, "minute", "分钟"),
    (1000, "second", "秒"),
)


def money(minor: int, currency: str) -> str:
    """``1,234.50 CNY`` from 123450: as many decimals as the currency has."""
    digits = MINOR_DIGITS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    decimals = f".{rest:0{digits}d}" if digits else ""
    return f"{'-' if minor < 0 else ''}{whole:,}{decimals} {currency}"


def span(ms: int, lang: Lang = "en") -> str:
    """A length of time in its greatest unit: ``3 days``, ``3 天``."""
    size, en, zh = next((row for row in _SPANS if ms >= row[0]), _SPANS[-1])
    n = max(0, ms) // size
    return f"{n} {zh}" if lang == "zh" else f"{n} {en}{'' if n == 1 else 's'}"


def ago(ms: int, now_ms: int, lang: Lang = "en") -> str:
    """How long before ``now_ms`` that was: ``3 days ago``."""
    if now_ms - ms < 1000:
        return "刚刚" if lang == "zh" else "just now"
    return f"{span(now_ms - ms, lang)}前" if lang == "zh" else f"{span(now_ms - ms)} ago"


def date(ms: int) -> str:
    """The UTC day, as profiles count days."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"


def clock(ms: int) -> str:
    """The local time of day."""
    return f"{datetime.fromtimestamp(ms / 1000):%H:%M:%S}"


def percent(risk: float | None) -> str:
    """``97%``; never rounded to a certainty that nobody has. ``-``: no score yet."""
    return "-" if risk is None else f"{min(99, max(1, round(risk * 100)))}%"


def risk_colour(risk: float) -> str:
    return next(colour for least, colour in _RISK_COLOURS if risk >= least)


def bar(share: float, width: int, colour: str) -> Text:
    """``share`` (0 to 1) of ``width`` cells; what is more than nothing shows at least one."""
    cells = min(width, max(1 if share > 0 else 0, round(share * width)))
    return Text.assemble(("█" * cells, colour), ("░" * (width - cells), "bright_black"))


def risk_bar(risk: float | None, width: int = 10) -> Text:
    return Text(" " * width) if risk is None else bar(risk, width, risk_colour(risk))


def risk_text(risk: float | None) -> Text:
    return Text(percent(risk), "bright_black" if risk is None else risk_colour(risk))


def stage_text(stage: str, lang: LangChoice = "en") -> Text:
    """The stage's name in its colour; ``both`` and ``own`` give both languages."""
    colour, zh = STAGES.get(stage, ("white", ""))
    names = {"en": stage, "zh": zh or stage}
    return Text(names.get(lang) or f"{stage} {zh}".strip(), colour)


def move_text(
    stage_before: str | None, stage: str, risk_before: float | None, risk: float | None, lang: LangChoice = "en"
) -> Text:
    """``growing → declining  41% → 62%``; without what was before, only what is now."""
    text = Text()
    if stage_before is not None and stage_before != stage:
        text += Text.assemble(stage_text(stage_before or "-", lang), " → ")
    text += stage_text(stage or "-", lang)
    if risk is None:
        return text
    text.append("  ")
    if risk_before is not None and percent(risk_before) != percent(risk):
        arrow = (" → ", "red" if risk > risk_before else "green")
        text += Text.assemble((percent(risk_before), "bright_black"), arrow)
    return text + risk_text(risk)


def language_of(dims: Mapping[str, Any]) -> Lang:
    """The customer's own, of those that we speak."""
    attributes = (dims.get("basic") or {}).get("attributes") or {}
    return "zh" if str(attributes.get("language", "")).lower().startswith("zh") else "en"


def say(words: Mapping[str, str], choice: LangChoice, own: Lang = "en") -> str:
    """A reason or suggestion (``en`` and ``zh``) in the language that was chosen."""
    if choice == "both":
        return f"{words.get('en', '')} {words.get('zh', '')}".strip()
    return words.get(own if choice == "own" else choice) or words.get("en", "")


def top_reason(dims: Mapping[str, Any]) -> Mapping[str, str]:
    """Of the churn risk: the strongest that raises it, else the stage's. Empty where there is none."""
    reasons: Sequence[Mapping[str, str]] = (dims.get("risk") or {}).get("reasons") or ()
    raising = next((reason for reason in reasons if reason.get("code", "").endswith(".up")), None)
    return raising or _worded((dims.get("lifecycle") or {}).get("why"))


def _worded(stored: Any) -> Mapping[str, str]:
    """A stored `Why` in words."""
    try:
        return msgspec.to_builtins(msgspec.convert(stored, Why).reason()) if stored else {}
    except msgspec.ValidationError:  # written by another version
        return {}


def plain(text: str) -> str:
    """``text`` of users without what would move a terminal's cursor; for `Text`, which knows no markup."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def save_picture(shown: RenderableType, path: Path, title: str, columns: int, rows: int | None = None) -> None:
    """A picture of the terminal, as SVG. A file that can't be written ends the verb."""
    console = Console(
        record=True,
        emoji=False,
        width=columns,
        height=rows,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print(shown)
    try:
        console.save_svg(str(path), title=title)
    except OSError as error:
        output.fail(f"{path}: {error.strerror}", output.USAGE)

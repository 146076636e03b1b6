"""``portrait quality``: how complete, fresh and valid the data are, dimension by dimension."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from rich.table import Table
from rich.text import Text

from cli import output
from cli.present import Lang, bar, percent
from portrait.quality import FRESH_DAYS, Assessment, Quality
from portrait.state import BrokenState, NewerFormat, decode
from portrait.structures import DAY_MS
from profile_store.scan import StateReader
from streams.settings import Settings

WORST = 8
CELLS = 12
#: As metrics: name, and what it says.
MEASURES = {
    "complete": "Share of customers of whom the dimension tells anything",
    "fresh": f"Of those, the share with evidence of the last {FRESH_DAYS} days",
    "valid": "Of the values that came for it, the share accepted",
    "median_age_days": "Age of its newest evidence, the median",
}
_WORDS = {
    "dimension": ("dimension", "维度"),
    "complete": ("complete", "完整度"),
    "age": ("newest", "最新证据"),
    "fresh": ("fresh", "新鲜度"),
    "valid": ("valid", "有效率"),
    "legend": (
        "newest: age of the newest evidence, median; fresh: within {days} days; valid: of the values that came, those accepted",
        "最新证据：距今天数的中位数；新鲜度：{days} 天内有证据的占比；有效率：收到的值中被接受的占比",
    ),
    "days": ("{n} days", "{n} 天"),
    "customers": ("{n} customers", "{n} 位客户"),
    "sampled": (", the first that were found", "，为最先读到的部分"),
    "fields": ("Fields with values that can't be right", "存在无效值的字段"),
    "sources": ("Sources of such values", "无效值来源"),
    "disputed": ("Attributes of which systems disagree", "各系统说法不一的属性"),
    "refused": ("{refused} of {came} refused ({share})", "{came} 个值中拒绝 {refused} 个（{share}）"),
    "per_event": ("{refused} refused in {events} events", "{events} 条事件中拒绝 {refused} 个值"),
    "in_clear": (
        "{n} customer ids look like e-mail addresses or telephone numbers, and stand in the clear: publish them as "
        "email:ADDRESS, phone:NUMBER (docs/publishing.md, Identities)",
        "{n} 个客户 ID 像是邮箱或电话号码，以明文保存：请以 email:地址、phone:号码 发布（docs/publishing.md，Identities）",
    ),
    "none": ("No value was refused.", "没有被拒绝的值。"),
}


def command(
    sample: Annotated[int, typer.Option(min=0, help="Look at so many customers only, those that are found first; 0: all.")] = 0,
    lang: Annotated[Lang, typer.Option(help="Of the words.")] = "en",
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON on stdout.")] = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="As Prometheus metrics, for a textfile collector.")] = False,
) -> None:
    """How complete, fresh and valid the data are, dimension by dimension; the worst fields and sources.

    Complete: the share of customers of whom the dimension tells anything. Fresh: the age of its newest evidence. Valid: of the
    values that came for it, the share that cleaning did not refuse. It changes nothing, and works while workers run:
    docs/quality.md.

    \b
    portrait quality
    portrait quality --sample 5000 --lang zh
    portrait quality --prometheus > /var/lib/node_exporter/portrait.prom
    portrait quality --json | jq '.dimensions[] | select(.complete < 0.5)'

    Exit codes: 0 done, 1 there are no profiles, or one can't be read, 2 usage, 3 Redis can't be reached.
    """
    settings = output.settings()
    try:
        found = output.run(assess(settings, sample, time.time_ns() // 1_000_000))
    except (BrokenState, NewerFormat) as error:
        output.fail(str(error))
    if not found.customers:
        output.fail("there are no profiles yet: `portrait up` makes some, `portrait publish` and `portrait worker` put events in")
    if prometheus:
        typer.echo(_metrics(found), nl=False)
    elif json:
        output.write_json(_row(found))
    else:
        _print(found, lang, sampled=bool(sample) and found.customers == sample)


async def assess(settings: Settings, sample: int, now_ms: int) -> Assessment:
    """Raises BrokenState, NewerFormat, StoreError."""
    found = Assessment(now_ms // DAY_MS)
    seen: set[str] = set()  # of those that are found twice the first counts
    with output.progress() as progress:
        reader = StateReader(settings.redis, prefix=settings.prefix, cluster=settings.cluster)
        async with reader:
            total = await reader.count()
            task = progress.add_task("profiles", total=min(sample, total) if sample else total)
            async for customer_id, loaded in reader.scan_states():
                if customer_id in seen:
                    continue
                seen.add(customer_id)
                state = decode(loaded.state)
                found.take_id(customer_id)
                if not state.events:  # an identity of which only links are known
                    continue
                found.take(state)
                progress.advance(task)
                if found.customers == sample:
                    break
    return found


def _metrics(found: Assessment) -> str:
    """Gauges by dimension; what is not known is left out."""
    registry = CollectorRegistry()
    for name, words in MEASURES.items():
        gauge = Gauge(f"portrait_quality_{name}", words, ["dimension"], registry=registry)
        for quality in found.components.values():
            if (measured := getattr(quality, name)) is not None:
                gauge.labels(quality.name).set(measured)
    Gauge("portrait_quality_customers", "Customers that were looked at", registry=registry).set(found.customers)
    words = "Customer ids that look like e-mail addresses or telephone numbers, and stand in the clear"
    Gauge("portrait_quality_ids_in_clear", words, registry=registry).set(found.in_clear)
    return generate_latest(registry).decode()


def _row(found: Assessment) -> dict[str, Any]:
    return {
        "customers": found.customers,
        "fresh_days": FRESH_DAYS,
        "dimensions": [
            {
                "name": quality.name,
                "zh": quality.zh,
                "complete": quality.complete,
                "median_age_days": quality.median_age_days,
                "fresh": quality.fresh,
                "valid": quality.valid,
                "values": quality.accepted + quality.refused,
                "refused": quality.refused,
            }
            for quality in found.components.values()
        ],
        "fields": [{"name": f, "accepted": accepted, "refused": refused} for f, accepted, refused in found.worst_fields(1000)],
        "sources": [{"name": s, "events": events, "refused": refused} for s, events, refused in found.worst_sources(1000)],
        "disputed": dict(found.disputed.most_common()),
        "ids_in_clear": found.in_clear,
    }


def _print(found: Assessment, lang: Lang, *, sampled: bool) -> None:
    def t(key: str, **values: object) -> str:
        en, zh = _WORDS[key]
        return (zh if lang == "zh" else en).format(**values)

    out = output.out
    out.print(t("customers", n=f"{found.customers:,}") + (t("sampled") if sampled else ""))
    table = Table(box=None, pad_edge=False, header_style="bright_black")
    for head in (t("dimension"), t("complete"), "", t("age"), t("fresh"), t("valid")):
        table.add_column(head, no_wrap=True)
    for quality in found.components.values():
        table.add_row(*_cells(quality, lang, t))
    out.print(table)
    out.print(f"[bright_black]{t('legend', days=FRESH_DAYS)}[/bright_black]")
    fields, sources = found.worst_fields(WORST), found.worst_sources(WORST)
    if not fields:
        out.print(f"\n{t('none')}")
    lists = (
        (
            "fields",
            [(f, t("refused", refused=f"{no:,}", came=f"{yes + no:,}", share=_share(no / (yes + no)))) for f, yes, no in fields],
        ),
        ("sources", [(s, t("per_event", refused=f"{no:,}", events=f"{events:,}")) for s, events, no in sources]),
        ("disputed", [(name, t("customers", n=f"{n:,}")) for name, n in found.disputed.most_common(WORST)]),
    )
    for title, rows in lists:
        if rows:
            out.print(f"\n[bold]{t(title)}[/bold]")
            grid = Table.grid(padding=(0, 2))
            for name, words in rows:
                grid.add_row(f"  {output.escape(name)}", words)
            out.print(grid)
    if found.in_clear:
        out.print(f"\n[yellow]{t('in_clear', n=f'{found.in_clear:,}')}[/yellow]", soft_wrap=True)


def _cells(quality: Quality, lang: Lang, t: Any) -> tuple[Any, ...]:
    age, complete = quality.median_age_days, quality.complete or 0.0
    return (
        quality.zh if lang == "zh" else quality.name,
        bar(complete, CELLS, "cyan"),
        Text(_share(complete), justify="right"),
        Text("-" if age is None else t("days", n=age), justify="right"),
        Text(_share(quality.fresh), justify="right"),
        Text(_share(quality.valid), justify="right"),
    )


def _share(share: float | None) -> str:
    """``-``: not known. Neither all nor nothing is told of what is nearly so."""
    if share is None or share in (0.0, 1.0):
        return "-" if share is None else f"{share:.0%}"
    return percent(share)

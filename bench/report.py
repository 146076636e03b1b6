"""What a run says: the figures as one JSON object, tables for people, and the part of docs/benchmarks.md between its markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import middle, rounded, spread
from bench.latency import Latency
from bench.linking import Linking
from bench.meter import Measured
from bench.reads import Reads
from bench.sizes import Sizes
from bench.throughput import Run

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- figures: begin (written by `make bench`) -->", "<!-- figures: end -->"

#: A contender, its figure in the JSON, and what it is called for people.
PEERS = {
    "faust": ("stock_faust_noop", "stock Faust, `take(1000)`, doing nothing"),
    "faust-uvloop": ("stock_faust_noop_uvloop", "the same on uvloop"),
    "quix": ("quix", "Quix Streams, same core and commit"),
    "naive": ("naive", "an event at a time: JSON, GET, update, River, SET"),
}
OURS = ("ours", "our worker, everything on")
LIVE_PEERS = ("faust", "quix")

Figures = dict[str, Any]


def of_rounds(found: Sequence[Mapping[str, Run]]) -> Figures:
    """Medians over the rounds; each ratio is made within its round, so that a slow minute slows both sides."""
    ours = [found_round["ours"] for found_round in found]
    figures: Figures = {"events": ours[0].events, "rounds": len(found)}
    for name, (key, _) in PEERS.items():
        peers = [found_round[name] for found_round in found]
        ratios = [our.per_s / peer.per_s for our, peer in zip(ours, peers, strict=True)]
        figures[f"vs_{key}"], figures[f"vs_{key}_spread"] = middle(ratios), spread(ratios)
    for name, (key, _) in {"ours": OURS, **PEERS}.items():
        runs = [found_round[name] for found_round in found]
        short = "our" if name == "ours" else key
        figures[f"{short}_events"] = runs[0].events
        figures[f"{short}_events_per_s"] = middle([run.per_s for run in runs])
        figures[f"{short}_events_per_s_spread"] = spread([run.per_s for run in runs])
        figures[f"{short}_cpu_us_per_event"] = middle([run.cpu_us_per_event for run in runs])
        figures[f"{short}_store_cpu_us_per_event"] = middle([run.store_cpu_us_per_event for run in runs])
        figures[f"{short}_memory_mb"] = middle([max(w.memory_mb for w in run.workers) for run in runs])
    figures["cpu_us_per_event"] = figures["our_cpu_us_per_event"]
    figures["cpu_us_per_event_spread"] = spread([run.cpu_us_per_event for run in ours])
    figures["our_work"] = _work(ours[-1].workers[0])
    return figures


def _work(measured: Measured) -> dict[str, float]:
    """What the worker did besides folding: that ticks, actions and the trainer were on."""
    counts = measured.counts
    names = {
        "ticks": "ticks_total",
        "actions": "published_total.retention-actions",
        "lessons": "published_total.lessons",
        "lessons_learned": "lessons_total.learned",
        "model_snapshots_used": "snapshots_total.used",
        "states_loaded": "states_loaded_total",
        "conflicts": "conflicts_total",
        "batches": "batch_records_count",
    }
    return {name: counts.get(key, 0.0) for name, key in names.items()}


def of_live(found: Sequence[Mapping[str, Run]]) -> Figures:
    """The same, of events that lie within one day."""
    ours = [found_round["ours"] for found_round in found]
    figures: Figures = {
        "live_our_events_per_s": middle([run.per_s for run in ours]),
        "live_cpu_us_per_event": middle([run.cpu_us_per_event for run in ours]),
    }
    for name in LIVE_PEERS:
        ratios = [found_round["ours"].per_s / found_round[name].per_s for found_round in found]
        figures[f"live_vs_{PEERS[name][0]}"], figures[f"live_vs_{PEERS[name][0]}_spread"] = middle(ratios), spread(ratios)
    return figures


def of_second_worker(pairs: Sequence[tuple[Run, Run]]) -> Figures:
    """(one worker, two workers), measured one after the other."""
    ratios = [two.per_s / one.per_s for one, two in pairs]
    return {
        "second_worker_ratio": middle(ratios),
        "second_worker_ratio_spread": spread(ratios),
        "second_worker_conflicts": middle([sum(w.counts.get("conflicts_total", 0.0) for w in two.workers) for _, two in pairs]),
    }


def of_where(run: Run) -> Figures:
    return {"cpu_where": run.workers[0].where}


def of_latency(found: Latency) -> Figures:
    return {
        "p50_ms": found.p50_ms,
        "p99_ms": found.p99_ms,
        "p999_ms": found.p999_ms,
        "max_ms": found.max_ms,
        "latency_events": found.events,
        "latency_events_per_s": found.per_s,
        "latency_seconds": found.seconds,
        "latency_profiles": found.profiles,
        "acked_p50_ms": found.acked_p50_ms,
        "acked_p99_ms": found.acked_p99_ms,
        "aof_rewrite_ms": found.rewrite_ms,
        "aof_rewrite_p99_ms": found.rewrite_p99_ms,
        "read_under_load_p50_ms": found.reads.p50_ms,
        "read_under_load_p99_ms": found.reads.p99_ms,
    }


def of_linking(found: Linking) -> Figures:
    return msgspec.structs.asdict(found)


def of_reads(found: Reads) -> Figures:
    return {"reads": found.reads, "read_p50_ms": found.p50_ms, "read_p99_ms": found.p99_ms, "read_max_ms": found.max_ms}


def of_sizes(found: Sequence[Sizes]) -> Figures:
    """The first store, with our setting for hashes, gives the main figures."""
    figures: Figures = {}
    ours = found[0].store.split(",")[0]
    for sizes in found:
        if sizes.store.startswith(ours):
            suffix = "_stock_config" if "stock" in sizes.store else ""
            figures[f"bytes_per_profile_{sizes.events}{suffix}"] = sizes.mean
            figures[f"bytes_per_profile_{sizes.events}{suffix}_max"] = sizes.largest
    return figures


# -- for people ---------------------------------------------------------------------------------------------------------------

Row = tuple[str, ...]
Titled = tuple[str, Row, list[Row]]


def tables(figures: Figures, sizes: Sequence[Sizes]) -> list[Titled]:
    """(title, heads, rows) of every part that was run."""
    found: list[Titled] = []
    if "vs_quix" in figures:
        found.append(_throughput(figures))
    if "live_our_events_per_s" in figures:
        found.append(_live(figures))
    if "cpu_where" in figures:
        rows: list[Row] = [(layer, f"{share:.1%}") for layer, share in figures["cpu_where"].items()]
        found.append(("Where the worker's CPU time goes (sampled)", ("layer", "share"), rows))
    if times := _times(figures):
        found.append(("Milliseconds", ("what", "p50", "p99", "p99.9", "max"), times))
    if sizes:
        heads = ("store", "events", "profiles", "bytes a profile", "largest", "state", "view", "share of indexes")
        found.append(("Bytes a profile in Redis", heads, [_size(one) for one in sizes]))
    return found


def _throughput(figures: Figures) -> Titled:
    rows: list[Row] = []
    for name, (key, title) in {"ours": OURS, **PEERS}.items():
        short = "our" if name == "ours" else key
        low, high = figures[f"{short}_events_per_s_spread"]
        ratio = "1" if name == "ours" else "{:.2f} ({:.2f} to {:.2f})".format(figures[f"vs_{key}"], *figures[f"vs_{key}_spread"])
        row = (
            title,
            f"{figures[f'{short}_events']:,}",
            f"{figures[f'{short}_events_per_s']:,.0f} ({low:,.0f} to {high:,.0f})",
            ratio,
            f"{figures[f'{short}_cpu_us_per_event']:.0f}",
            f"{figures[f'{short}_store_cpu_us_per_event']:.0f}",
            f"{figures[f'{short}_memory_mb']:.0f}",
        )
        rows.append(row)
    if "second_worker_ratio" in figures:
        low, high = figures["second_worker_ratio_spread"]
        per_s = figures["our_events_per_s"] * figures["second_worker_ratio"]
        both = f"x {figures['second_worker_ratio']:.2f} ({low:.2f} to {high:.2f})"
        rows.append(("two workers of ours, together", f"{figures['our_events']:,}", f"about {per_s:,.0f}", both, "", "", ""))
    heads = ("consumer", "events", "events/s (least to greatest)", "ours / this", "CPU us/event", "store CPU us/event", "MB")
    return f"Throughput, medians of {figures['rounds']} interleaved rounds", heads, rows


def _live(figures: Figures) -> Titled:
    rows: list[Row] = [(OURS[1], f"{figures['live_our_events_per_s']:,.0f}", "1", f"{figures['live_cpu_us_per_event']:.0f}")]
    for key, title in (PEERS[name] for name in LIVE_PEERS):
        ratio = "{:.2f} ({:.2f} to {:.2f})".format(figures[f"live_vs_{key}"], *figures[f"live_vs_{key}_spread"])
        rows.append((title, "", ratio, ""))
    return "Throughput, as many events within one day", ("consumer", "events/s", "ours / this", "CPU us/event"), rows


def _times(figures: Figures) -> list[Row]:
    rows: list[Row] = []
    if "p99_ms" in figures:
        title = f"publishing to readable, {figures['latency_events_per_s']:,} events/s for {figures['latency_seconds']} s"
        rows.append((title, *(f"{figures[key]:g}" for key in ("p50_ms", "p99_ms", "p999_ms", "max_ms"))))
        rows.append(
            ("of it, until the broker's acknowledgement", f"{figures['acked_p50_ms']:g}", f"{figures['acked_p99_ms']:g}", "", "")
        )
        rewrite = f"events meant for the {figures['aof_rewrite_ms']:.0f} ms of the AOF rewrite"
        rows.append((rewrite, "", f"{figures['aof_rewrite_p99_ms']:g}", "", ""))
        under = (f"{figures['read_under_load_p50_ms']:g}", f"{figures['read_under_load_p99_ms']:g}")
        rows.append(("`ProfileReader.get` meanwhile", *under, "", ""))
    if "link_p99_ms" in figures:
        beside = f"beside {figures['links_beside_events_per_s']:,} events/s"
        for word, title in (("link", "linked, until a reader of either"), ("unlink", "parted, until a reader of each")):
            seen = (f"{figures[f'{word}_p50_ms']:g}", f"{figures[f'{word}_p99_ms']:g}", "", f"{figures[f'{word}_max_ms']:g}")
            rows.append((f"{figures['links']:,} {title} sees it, {beside}", *seen))
    if "read_p99_ms" in figures:
        reads = (f"{figures['read_p50_ms']:g}", f"{figures['read_p99_ms']:g}", "", f"{figures['read_max_ms']:g}")
        rows.append(("`ProfileReader.get`, nothing else going on", *reads))
    return rows


def _size(one: Sizes) -> Row:
    numbers = (one.events, one.profiles, one.mean, one.largest, one.state, one.profile, one.indexes)
    return (one.store, *(f"{rounded(number):,.0f}" for number in numbers))


def markdown(figures: Figures, sizes: Sequence[Sizes]) -> str:
    """What stands between the markers."""
    machine = figures["machine"]
    lines = [
        f"Run of {figures['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, "
        f"Python {machine['python']}; load before the run {machine['load_at_start']}. {figures['kafka']}; {figures['store']}.",
    ]
    for title, heads, rows in tables(figures, sizes):
        lines += ["", f"**{title}**", "", _line(heads), _line(["---"] * len(heads)), *map(_line, rows)]
    if work := figures.get("our_work"):
        lines += [
            "",
            "Besides, our worker: " + ", ".join(f"{name.replace('_', ' ')} {count:,.0f}" for name, count in work.items()) + ".",
        ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def between_markers(page: str, text: str) -> str:
    """``page`` with ``text`` between its markers. Raises ValueError if it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no markers for the figures")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"

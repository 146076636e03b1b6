"""The benchmark's arithmetic: what it says follows from what it measured."""

from __future__ import annotations

import numpy as np
import pytest

from bench import report
from bench.figures import middle, quantile, spread
from bench.latency import Latency, waits
from bench.linking import Linking
from bench.meter import Measured
from bench.observer import Seen
from bench.reads import Reads, summary
from bench.sizes import Sizes, make
from bench.throughput import Run
from portrait.state import decode

S = 1_000_000_000


def measured(events: int, seconds: float, cpu_s: float = 1.0, first_ns: int = S) -> Measured:
    return Measured(events=events, first_ns=first_ns, last_ns=first_ns + int(seconds * S), cpu_s=cpu_s, memory_mb=100)


def round_of(ours_s: float, others_s: float) -> dict[str, Run]:
    runs = {name: Run(name=name, workers=[measured(1000, others_s)], store_cpu_s=0.1) for name in report.PEERS}
    return {**runs, "ours": Run(name="ours", workers=[measured(1000, ours_s, cpu_s=0.05)], store_cpu_s=0.02)}


def test_a_run_of_two_workers_lasts_from_the_first_record_of_either_to_the_last_of_both() -> None:
    run = Run(name="ours", workers=[measured(600, 2.0), measured(400, 2.0, first_ns=2 * S)], store_cpu_s=0.5)
    assert run.events == 1000
    assert run.per_s == pytest.approx(1000 / 3)
    assert run.cpu_us_per_event == pytest.approx(2000)
    assert run.store_cpu_us_per_event == pytest.approx(500)


def test_ratios_are_made_within_a_round() -> None:
    """A slow round, slow for all, changes no ratio: 2, 2 and 4."""
    figures = report.of_rounds([round_of(1.0, 2.0), round_of(10.0, 20.0), round_of(1.0, 4.0)])
    assert figures["vs_quix"] == 2.0
    assert figures["vs_quix_spread"] == [2.0, 4.0]
    assert figures["our_events_per_s"] == 1000
    assert figures["cpu_us_per_event"] == 50
    assert figures["rounds"] == 3


def test_the_second_worker_is_compared_with_the_first_of_its_pair() -> None:
    one, two = round_of(2.0, 1.0)["ours"], round_of(1.25, 1.0)["ours"]
    assert report.of_second_worker([(one, two)])["second_worker_ratio"] == 1.6


def test_a_wait_counts_from_the_intended_moment_to_the_first_look_at_a_later_position() -> None:
    sent = {
        "topic": np.array(["clicks", "clicks", "clicks", "orders"]),
        "partition": np.array([0, 0, 1, 0]),
        "offset": np.array([10, 11, 5, 0]),
        "intended_ns": np.array([0, 1, 2, 3]) * 1_000_000,
    }
    seen = [
        Seen(5_000_000, {"clicks/0": 10}),  # the next offset: event 10 itself is not folded yet
        Seen(8_000_000, {"clicks/0": 11, "clicks/1": 6}),
        Seen(20_000_000, {"clicks/0": 12, "orders/0": 1}),
    ]
    took_ms, intended_ns = waits(sent, seen)
    assert dict(zip(intended_ns.tolist(), took_ms.tolist(), strict=True)) == {
        0: 8.0,
        1_000_000: 19.0,
        2_000_000: 6.0,
        3_000_000: 17.0,
    }


def test_an_event_that_never_came_to_be_readable_is_an_error_and_no_gap_in_the_figures() -> None:
    sent = {"topic": np.array(["clicks"]), "partition": np.array([0]), "offset": np.array([3]), "intended_ns": np.array([0])}
    with pytest.raises(RuntimeError, match="never came to be readable"):
        waits(sent, [Seen(1, {"clicks/0": 3})])
    with pytest.raises(RuntimeError):
        waits(sent, [])


def test_figures() -> None:
    assert middle([3.0, 1.0, 2.0]) == 2.0
    assert spread([3.0, 1.0, 2.0]) == [1.0, 3.0]
    assert quantile(list(range(1, 101)), 0.99) == 99
    assert summary([2.0] * 99 + [50.0]) == Reads(reads=100, p50_ms=2.0, p99_ms=2.0, max_ms=50.0)


def test_the_main_sizes_are_those_of_the_first_store_with_our_setting() -> None:
    def size(store: str, mean: float) -> Sizes:
        return Sizes(store=store, events=100, profiles=1, mean=mean, largest=mean, state=1, profile=1, indexes=1)

    figures = report.of_sizes(
        [size("Valkey 9, AOF, stock hashes", 3), size("Valkey 9, AOF, ours", 2), size("Redis 7, AOF, ours", 9)]
    )
    assert figures["bytes_per_profile_100"] == 2
    assert figures["bytes_per_profile_100_stock_config"] == 3


def test_a_profile_of_the_size_measurement_holds_all_its_events() -> None:
    write = make(60, seed=3, end_ms=1_767_225_600_000)
    state = decode(write.state)
    assert state.events == 60
    assert not state.effects
    assert write.fields["stage"].decode() == write.stage == state.stage
    assert make(60, seed=3, end_ms=1_767_225_600_000) == write


def all_figures() -> report.Figures:
    machine = {"cpu": "a", "cores": 2, "memory_gb": 8, "system": "Linux", "python": "3.11", "load_at_start": 0.1}
    latency = Latency(
        events=180_000, per_s=1000, seconds=180, profiles=9, p50_ms=5, p99_ms=20, p999_ms=30, max_ms=40, acked_p50_ms=1,
        acked_p99_ms=2, rewrite_ms=900, rewrite_p99_ms=25, reads=summary([1.0]),
    )  # fmt: skip
    linking = Linking(
        links=90, links_beside_events_per_s=1000, link_p50_ms=5, link_p99_ms=20, link_max_ms=40, unlink_p50_ms=6,
        unlink_p99_ms=21, unlink_max_ms=41,
    )  # fmt: skip
    return {
        "date": "2026-01-01",
        "machine": machine,
        "kafka": "Kafka",
        "store": "Valkey",
        **report.of_rounds([round_of(1.0, 2.0)]),
        **report.of_second_worker([(round_of(2.0, 1.0)["ours"], round_of(1.0, 1.0)["ours"])]),
        **report.of_latency(latency),
        **report.of_linking(linking),
        **report.of_reads(summary([1.0])),
        "cpu_where": {"decode": 0.5},
    }


def test_every_table_has_as_many_cells_as_heads() -> None:
    found = report.tables(all_figures(), [])
    assert len(found) == 3
    assert all(len(row) == len(heads) for _, heads, rows in found for row in rows)


def test_the_page_keeps_what_is_outside_its_markers() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.between_markers(page, report.markdown(all_figures(), []))
    assert once.startswith("before\n") and once.endswith("\nafter\n") and "old" not in once and "2.00" in once
    assert report.between_markers(once, report.markdown(all_figures(), [])) == once
    with pytest.raises(ValueError, match="markers"):
        report.between_markers("a page without", "text")


def test_the_documented_page_has_the_markers() -> None:
    report.between_markers((report.DOCS / "benchmarks.md").read_text(), "")

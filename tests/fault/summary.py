"""What a run gave, over all its sittings, from its journal and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fault.journal import Entry, Journal
from tests.fault.judge import Verdict
from tests.fault.load import At

#: Sums of faults, as in the issue that asked for them.
SUMS = {
    "kills": ("kill", "point"),
    "rebalances": ("rebalance", "restart"),
    "zombies": ("zombie",),
    "redis_restarts": ("redis_kill", "lost_tail", "backup", "away", "away_long"),
    "lost_tails": ("lost_tail", "backup"),
    "wipes": ("wipe",),
    "failovers": ("failover",),
    "broker_kills": ("broker_kill",),
    "other_faults": ("hang", "full", "disconnect", "half_reply", "slow"),
}


def summary_of(journal: Journal, verdict: Verdict, load: At, directory: Path, judging_s: float) -> tuple[dict[str, Any], bool]:
    """The summary, and whether all was right. What was wrong goes to verdict.txt."""
    problems = [entry["what"] for entry in journal.of("problem")]
    exits = [f"worker {e['worker']} ended by itself (exit {e['exit']}): ...{e['log']}" for e in journal.of("ended by itself")]
    told = [*problems, *exits, *verdict.notes]
    (directory / "verdict.txt").write_text("\n\n".join(told))
    fine = verdict.fine and not problems and not exits
    faults = [entry for entry in journal.of("fault") if _did_harm(entry)]
    done = Counter(entry["name"] for entry in faults)
    (first, *_), (*_, quiet) = journal.of("sitting"), journal.of("quiet")
    summary = {
        **{name: number for name in verdict.__struct_fields__ if isinstance(number := getattr(verdict, name), int)},
        "sent": load.sent,
        "rate": round(load.sent / load.seconds) if load.seconds else 0,
        **{name: sum(done[fault] for fault in of) for name, of in SUMS.items()},
        "kills_at_points": sum(bool(entry.get("died_at")) for entry in faults),
        "faults": dict(sorted(done.items())),
        "points": dict(sorted(Counter(entry["died_at"] for entry in faults if entry.get("died_at")).items())),
        "unexpected_exits": len(exits),
        "ended_late": sum("exit" in entry and entry["exit"] is None for entry in faults),  # asked to end, and had to be killed
        **_recovery(journal.of("recovered")),
        "recoveries_unseen": len({e["number"] for e in journal.of("fault")} - {e["number"] for e in journal.of("recovered")}),
        "minutes": round(quiet["s"] / 60, 1),
        "judging_minutes": round(judging_s / 60, 1),
        "sittings": len(journal.of("sitting")),
        "seed": first["seed"],
        "problems": len(told),
        "directory": str(directory),
    }
    journal.tell("verdict", **summary)
    return summary, fine


def _did_harm(fault: Entry) -> bool:
    return not fault.get("failed") and all(fault.get(name) != 0 for name in ("lost_bytes", "lag_bytes", "cuts"))


def _recovery(recoveries: Sequence[Entry]) -> dict[str, Any]:
    """Seconds."""
    by_fault: dict[str, list[float]] = {}
    for entry in recoveries:
        by_fault.setdefault(entry["fault"], []).append(entry["took_s"])
    every = [took for of_fault in by_fault.values() for took in of_fault]
    return {
        "recovery_s_median": round(quantile(every, 0.5), 1),
        "recovery_s_worst": round(max(every, default=0.0), 1),
        "recovery_s_by_fault": {
            name: [round(quantile(took, 0.5), 1), round(max(took), 1)] for name, took in sorted(by_fault.items())
        },
    }


def quantile(numbers: Sequence[float], q: float) -> float:
    """0 for none."""
    ranked = sorted(numbers)
    return ranked[min(len(ranked) - 1, int(q * len(ranked)))] if ranked else 0.0

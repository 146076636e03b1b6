"""``make fuzz``: both targets under atheris, coverage-guided, then a look for leaks.

The last line is JSON; exit code 1: something broke.

python -m tests.fuzz --seconds 60
python -m tests.fuzz --replay .fuzz/crashes/loop-crash-...     one input again, without atheris, with its traceback
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.case import pack, readable, seeds, unpack
from tests.fuzz.judge import TARGETS
from tests.fuzz.leak import growth, leaks

INPUT_BYTES_MAX = 320 * 1024  # more than an event may have
INPUT_S_MAX = 20
MEMORY_MB_MAX = 2048
#: Of the corpus, for the look for leaks.
LEAK_CASES, LEAK_CASE_BYTES_MAX = 80, 20_000
#: It takes so much of the time given, beside it, and so many seconds at the least.
LEAK_SHARE, LEAK_S_LEAST = 0.25, 10


class Outcome(NamedTuple):
    """What one target came to."""

    execs: int
    covered: int  # edges
    corpus: int
    crashes: list[str]


def main() -> int:
    options = _options()
    if options.replay:
        return replay(options.replay)
    if importlib.util.find_spec("atheris") is None:
        print(
            "atheris is not installed: it has wheels for Linux only. tests/property fuzzes the same without it", file=sys.stderr
        )
        return 2
    began_s = time.monotonic()
    targets = [options.target] if options.target else list(TARGETS)
    found = {name: fuzz(name, options.directory, options.seconds / len(targets)) for name in targets}
    left, records = leak(options.directory, targets, max(LEAK_S_LEAST, options.seconds * LEAK_SHARE))
    crashes = [path for outcome in found.values() for path in outcome.crashes]
    for path in crashes:
        print(f"replay it: python -m tests.fuzz --replay {path}")
    summary = {
        "execs": sum(outcome.execs for outcome in found.values()),
        "crashes": len(crashes),
        "covered": {name: outcome.covered for name, outcome in found.items()},
        "corpus": {name: outcome.corpus for name, outcome in found.items()},
        "left_bytes": left,
        "left_of_records": records,
        "seconds": round(time.monotonic() - began_s, 1),
    }
    print(json.dumps(summary))
    return 1 if crashes or leaks(left, records) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=60, help="for all targets together; the look for leaks takes up to a quarter more"
    )
    parser.add_argument("--target", choices=TARGETS, help="only this one")
    parser.add_argument(
        "--directory", type=Path, default=Path(".fuzz"), help="corpus and crashes; a corpus that is there is gone on with"
    )
    parser.add_argument("--replay", type=Path, help="one input, as it was written when it broke something")
    return parser.parse_args()


def fuzz(target: str, directory: Path, seconds: float) -> Outcome:
    """Run one target until the time is over, or it breaks."""
    corpus, crashes = directory / "corpus" / target, directory / "crashes"
    crashes.mkdir(parents=True, exist_ok=True)
    sow(corpus)
    before = set(crashes.iterdir())
    command = [
        sys.executable, "-m", "tests.fuzz.child", target, str(corpus), f"-max_total_time={max(1, round(seconds))}",
        f"-artifact_prefix={crashes}/{target}-", f"-max_len={INPUT_BYTES_MAX}", "-len_control=0", f"-timeout={INPUT_S_MAX}",
        f"-rss_limit_mb={MEMORY_MB_MAX}", "-print_final_stats=1", "-report_slow_units=5",
    ]  # fmt: skip
    print(f"{target}: {seconds:.0f} s", flush=True)
    with subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, errors="replace") as child:
        assert child.stdout is not None
        said = []
        for line in child.stdout:
            said.append(line)
            if not line.startswith(("#", "INFO: Instrumenting", "\tNEW")):
                print(line, end="", flush=True)
    broken = sorted(str(path) for path in set(crashes.iterdir()) - before if "slow-unit" not in path.name)
    if child.returncode and not broken:
        broken = [f"(no input written: {target} ended with {child.returncode})"]
    return read("".join(said), broken)


def sow(corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for case in seeds():
        content = pack(case)
        (corpus / hashlib.sha1(content).hexdigest()).write_bytes(content)


def read(said: str, crashes: list[str]) -> Outcome:
    """What libFuzzer said in the end."""
    execs = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    last = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)/", said)
    covered, corpus = last[-1] if last else (0, 0)
    return Outcome(int(execs[1]) if execs else 0, int(covered), int(corpus), crashes)


def leak(directory: Path, targets: list[str], seconds: float) -> tuple[int, int]:
    """Bytes that stay in a worker after the corpus has come again and again, and the records of it. In about so many seconds."""
    print(f"leaks: {seconds:.0f} s", flush=True)
    files = [path for target in targets for path in (directory / "corpus" / target).iterdir()]
    files.sort(key=lambda path: path.name)  # hashes: all targets mixed, for there may not be time for all
    small = [path for path in files if path.stat().st_size <= LEAK_CASE_BYTES_MAX]
    cases = [unpack(path.read_bytes()) for path in small[:: max(1, len(small) // LEAK_CASES)]]
    return growth(cases, seconds=seconds, told=lambda text: print(f"leaks: {text}", flush=True))


def replay(path: Path) -> int:
    case = unpack(path.read_bytes())
    print(readable(case))
    target = path.name.partition("-")[0]
    for name in [target] if target in TARGETS else TARGETS:
        TARGETS[name](case)  # what it raises is the answer
        print(f"{name}: nothing broke")
    return 0


if __name__ == "__main__":
    sys.exit(main())

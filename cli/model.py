"""``portrait model``: the versions of the churn model. See them, choose which one scores, go back, begin anew."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from cli import output
from cli.present import ago
from cli.shelf import Read, newest_first, obeyed, publish, read_shelf, roles, scoring_version, version_of
from cli.words import Weight, in_full, row
from portrait.models import start as starts
from portrait.models.churn import MODEL
from portrait.models.shelf import ORDER_KEY, PIN_KEY, Shelf
from schemas.outputs import Order, Pin, Snapshot, Start
from streams.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The churn model's versions: list, show, pin, roll back, learn anew, take to another shop, and a report. "
    "What they are: docs/models.md.",
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait until the trainer has done it; 0: don't.")]
WAIT_S = 30.0


@app.command("list")
def list_versions(json: Json = False) -> None:
    """The versions that are kept, newest first: when, from how many lessons, how well they predicted, and which one scores.

    Kept are the newest 6, the last of each of 8 days, and of each of 9 weeks; besides what is pinned or scores. A version is
    GENERATION.LESSONS: a generation begins with each rollback and each retrain.

    Log-loss, AUC and ECE judge the risks that were told to customers, as they were told, by whichever version it was; "own"
    is what the version itself would have said. Exit code: 0, whether there are any or not.
    """
    read = output.run(read_shelf(output.settings()))
    rows = [row(snapshot, roles(read.shelf, snapshot)) for snapshot in newest_first(read.shelf)]
    if json:
        output.write_json(
            {
                "scoring": scoring_version(read.shelf),
                "pinned": read.shelf.pinned or None,
                "versions": rows,
                "refused": read.refused,
            }
        )
        return
    if not rows:
        output.err.print("none yet: scores come from the prior until lessons are learned, the first after the horizon")
    else:
        _print_rows(rows)
    _print_notes(read)


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="GENERATION.LESSONS; if not given, the one that scores.")] = None,
    json: Json = False,
) -> None:
    """One version in full: what each weight says, in words, the prior's parameters, its calibration. Exit code 1: not kept."""
    shelf = output.run(read_shelf(output.settings())).shelf
    snapshot = version_of(shelf, version) if version else shelf.scoring
    if snapshot is None:
        output.fail("no version scores yet: scores come from the prior until lessons are learned")
    full = in_full(snapshot, roles(shelf, snapshot))
    if json:
        output.write_json(full)
    else:
        _print_full(full)


@app.command()
def pin(
    version: Annotated[str | None, typer.Argument(help="GENERATION.LESSONS, of those in `portrait model list`.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Back to the newest version.")] = False,
    json: Json = False,
) -> None:
    """Make all workers score with one version, until `portrait model pin --none`. Training goes on meanwhile.

    \b
    portrait model pin 1.4810
    portrait model pin --none

    Workers switch within a second, without a pause. Each customer's score is made anew when they are looked at next, and the
    change of version by itself raises no action. Exit code 1: this version is not kept.
    """
    if (version is None) != none:
        output.fail("name a version, or say --none. See --help", output.USAGE)
    settings = output.settings()
    wanted = version or ""
    shelf = output.run(_pin(settings, wanted))
    if json:
        output.write_json({"pinned": wanted or None, "scoring": scoring_version(shelf)})
    elif wanted:
        output.err.print(f"all workers score with {wanted} from now on, until: portrait model pin --none")
    else:
        output.err.print(
            f"nothing is pinned: workers score with the newest version, {scoring_version(shelf) or 'the prior alone'}"
        )


@app.command()
def rollback(
    version: Annotated[
        str | None, typer.Argument(help="GENERATION.LESSONS; if not given, the one before that which scores.")
    ] = None,
    wait: Wait = WAIT_S,
    json: Json = False,
) -> None:
    """Go back to an older version, as a new generation: it scores, and learning goes on from it.

    What was learned since is forgotten and not learned again; lessons that come from now on count. For when bad data got in,
    or a version does harm. To score with an older one for a while, and lose nothing: portrait model pin.

    Exit codes: 0 done, 1 this version is not kept, the trainer declined, or none answered in time (the order stands).
    """
    settings = output.settings()
    shelf = output.run(read_shelf(settings)).shelf
    source = version_of(shelf, version) if version else _before(shelf)
    if not source.ready:
        output.fail(f"version {source.version} is on trial and has never scored: there is nothing to go back to")
    _order(settings, shelf, source.version, wait, json, f"from {source.version}")


@app.command()
def retrain(wait: Wait = WAIT_S, json: Json = False) -> None:
    """Begin anew, as a new generation, with all lessons that the topic still has (90 days of them, as planned).

    The old version goes on scoring until the new one has learned as many labels, or has read as far and predicted the last
    thousand no worse. `portrait model list` shows it on trial until then; `portrait model rollback` ends it.

    Exit codes: 0 begun, 1 no trainer answered in time (the order stands).
    """
    settings = output.settings()
    _order(settings, output.run(read_shelf(settings)).shelf, "", wait, json, "anew")


@app.command()
def export(
    version: Annotated[str | None, typer.Argument(help="GENERATION.LESSONS; if not given, the one that scores.")] = None,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it; - is stdout.")] = Path("-"),
) -> None:
    """What a version has learned, as JSON for another shop to start from: portrait model start FILE.

    It holds a weight, a mean and a variance for each feature, and a digest. It names no customer and does not say how many
    there are; the mean of the feature spend does tell what an order usually comes to.

    Exit codes: 0 written, 1 this version is not kept or has learned no label yet, 2 the file can't be written.
    """
    shelf = output.run(read_shelf(output.settings())).shelf
    snapshot = version_of(shelf, version) if version else shelf.scoring
    if snapshot is None:
        output.fail("no version scores yet: there is nothing to export")
    try:
        found = starts.export(snapshot)
    except ValueError as error:
        output.fail(str(error))
    text = msgspec.json.format(msgspec.json.encode(found)).decode() + "\n"
    try:
        output.out.file.write(text) if str(to) == "-" else to.write_text(text, encoding="utf-8")
    except OSError as error:
        output.fail(f"{to}: {error.strerror}", output.USAGE)
    if str(to) != "-":
        written = f"version {found.version}, {len(found.features)} features, digest {found.digest}"
        output.err.print(f"{output.escape(str(to))}: {written}", soft_wrap=True)


@app.command()
def start(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `portrait model export` wrote in another shop.")],
    wait: Wait = WAIT_S,
    json: Json = False,
) -> None:
    """For a shop that begins: a new generation that starts from another shop's weights, and learns on from all lessons here.

    The base rate is this shop's own from the first day on. If a version scores already, this one is on trial against it as after
    a retrain; before any label, it scores at once. By itself the change raises no action.

    Exit codes: 0 begun, 1 no trainer answered in time (the order stands) or it declined, 2 the file can't be used.
    """
    try:
        given = starts.read(file.read_bytes())
    except OSError as error:
        output.fail(f"{file}: {error.strerror}", output.USAGE)
    except ValueError as error:
        output.fail(f"{file} can't be started from: {error}", output.USAGE)
    settings = output.settings()
    shelf = output.run(read_shelf(settings)).shelf
    _order(settings, shelf, "", wait, json, f"from {output.escape(str(file))}", given)


@app.command()
def report(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it; - is stdout.")] = Path(
        "model-report.html"
    ),
    sample: Annotated[int, typer.Option(min=0, help="Profiles to look at for the flows between stages.")] = 2000,
) -> None:
    """One HTML page about the model: calibration, AUC and log-loss by week, drift, scores, stages, weights, versions.

    It holds everything it shows, fetches nothing, runs no script, and names no customer.

    Exit codes: 0 written, 2 the file can't be, 3 Kafka or Redis can't be reached.
    """
    from cli.report import page, read_stages

    settings = output.settings()
    read = output.run(read_shelf(settings))
    html = page(read, output.run(read_stages(settings, sample)), now_ms())
    try:
        output.out.file.write(html) if str(out) == "-" else out.write_text(html, encoding="utf-8")
    except OSError as error:
        output.fail(f"{out}: {error.strerror}", output.USAGE)
    if str(out) != "-":
        output.err.print(f"{out}: {len(html) / 1024:,.0f} KB")


async def _pin(settings: Settings, version: str) -> Shelf:
    """The shelf afterwards."""
    shelf = (await read_shelf(settings)).shelf
    if version:
        version_of(shelf, version)
    await publish(settings, PIN_KEY, Pin(model=MODEL, version=version, at_ms=now_ms()))
    shelf = (await read_shelf(settings)).shelf
    if version:
        version_of(shelf, version)  # the trainer may have let go of it just now
    return shelf


def _order(
    settings: Settings, shelf: Shelf, version: str, wait_s: float, json: bool, words: str, start: Start | None = None
) -> None:
    id, generation = secrets.token_hex(8), shelf.next_generation
    order = Order(model=MODEL, id=id, generation=generation, version=version, at_ms=now_ms(), start=start)

    async def give() -> Snapshot | None:
        await publish(settings, ORDER_KEY, order)
        return await obeyed(settings, order, wait_s) if wait_s else None

    begun = output.run(give())
    declined = begun is not None and begun.declined == order.id
    if declined:
        begun = None
    if json:
        output.write_json(
            {
                "generation": order.generation,
                "from": version or (start.digest if start else None),
                "begun": begun.version if begun else None,
                "declined": declined,
            }
        )
    elif declined:
        output.err.print(f"declined: the trainer can't begin {words}, and its log says why; the model goes on as it was")
    elif begun:
        output.err.print(f"generation {order.generation} has begun {words}: version {begun.version}")
        if shelf.pinned:
            output.err.print(f"{shelf.pinned} stays pinned, and goes on scoring: portrait model pin --none")
    elif wait_s:
        output.err.print(
            f"ordered, but no trainer has begun generation {order.generation} within {wait_s:g} s: is a worker running? "
            "It will when one does; portrait model list",
            soft_wrap=True,
        )
    raise typer.Exit(output.FAILED if wait_s and not begun else output.OK)


def _before(shelf: Shelf) -> Snapshot:
    """Ends the process where it is not clear which."""
    scoring = shelf.scoring
    before = shelf.before(scoring) if scoring else None
    if before is not None:
        return before
    others = [each.version for each in newest_first(shelf) if each.ready and each is not scoring]
    if scoring is None or not others:
        output.fail("there is no older version to go back to; portrait model list")
    output.fail(
        f"which version scored before generation {scoring.generation} is not recorded, or it is no longer kept. "
        f"Name the one to go back to, of {', '.join(others)}: portrait model rollback VERSION"
    )


def _print_rows(rows: list[dict[str, Any]]) -> None:
    table = Table("version", "is", "trained", "lessons", "log-loss", "own", "AUC", "ECE", box=None, pad_edge=False)
    table.columns[1].no_wrap = True
    for each in rows:
        figures = [f"{each[name]:.4f}" if each[name] is not None else "" for name in ("log_loss", "own_log_loss", "auc", "ece")]
        trained = ago(each["trained_at_ms"], now_ms())
        table.add_row(each["version"], ", ".join(each["is"]), trained, f"{each['lessons']:,}", *figures)
    output.out.print(table)


def _print_notes(read: Read) -> None:
    shelf = read.shelf
    if shelf.pinned and shelf.pinned not in shelf.versions:
        output.err.print(f"[yellow]{shelf.pinned} is pinned, but not kept: workers score with the newest[/yellow]")
    if shelf.waiting:
        output.err.print(f"[yellow]generation {shelf.waiting.generation} is ordered, and no trainer has begun it yet[/yellow]")
    for key, why in read.refused.items():
        output.err.print(f"[yellow]refused:[/yellow] {output.escape(f'{key}: {why}')}", soft_wrap=True)


def _print_full(full: dict[str, Any]) -> None:
    out = output.out
    roles_ = f" ({', '.join(full['is'])})" if full["is"] else ""
    out.print(f"[bold]{full['version']}[/bold]{roles_}: {full['lessons']:,} lessons, horizon {full['horizon_days']} days")
    for line in full["prior_words"]:
        out.print(f"prior: {line}", soft_wrap=True)
    table = Table("feature", "weight", "mean", "more of it means", "and", box=None, pad_edge=False)
    for each in full["weights"]:
        weight = Weight(**{name: each[name] for name in Weight._fields})
        table.add_row(weight.feature, f"{weight.weight:+.3f}", f"{weight.mean:.2f}", weight.meaning, weight.words)
    out.print(table)
    table = Table("told", "happened", "labels", title="Calibration", box=None, pad_edge=False, title_justify="left")
    for group in full["calibration"]:
        table.add_row(f"{group['risk']:.1%}", f"{group['share']:.1%}", f"{group['weight']:,.0f}")
    out.print(table)


def now_ms() -> int:
    return time.time_ns() // 1_000_000

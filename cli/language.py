"""``portrait language``: models of texts go on learning from the log, and come into force when somebody decides so."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from cli import output
from cli.tasks import Stop, asked_to_stop
from language.complaints import CATEGORIES, unpacked
from language.force import SHIPPED, Adopted, adopted_from
from language.learned import Unusable, unpack, version_of
from language.learner import Learner
from language.progress import TEXTS_LEAST
from language.tone import Model
from streams import kafka
from streams.learning import (
    ADOPTED_KEY,
    TOPICS,
    CantLearn,
    Counts,
    FileStore,
    Learning,
    Store,
    TopicStore,
    learner_of,
    publish,
    records,
)
from streams.log import TP
from streams.settings import Settings
from streams.texts import Standing, standing

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Models of texts: learn from stars and named categories, see how good that is, put it into force. docs/language.md.",
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
State = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="Where what was learned is kept, instead of the topic models.")
]
#: How often a log that is followed is looked at, and when what was learned is stored at the latest.
LOOK_S, SAVE_S = 1.0, 60.0
SHOWN = 15


@app.command()
def learn(
    state: State = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as events come, until Ctrl-C or SIGTERM.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Forget what was learned, and begin where the log begins.")] = False,
    json: Json = False,
) -> None:
    """Learn from texts with stars or a score, and from complaints with a category that was named, where it left off.

    Nothing that is learned is used before `portrait language adopt`. No text is kept, and no word that fewer than five
    customers use. Interrupted, it goes on where it was; an event counts once. Run one of these at a time.

    \b
    portrait language learn
    portrait language learn --follow
    portrait language learn --state learned.bin

    Exit codes: 0 done, 1 what was learned before can't be gone on with, 2 usage, 3 Kafka can't be reached, 130 interrupted.
    """
    settings = output.settings()
    store: Store = FileStore(state) if state else TopicStore(settings.kafka)
    try:
        counts, learner, stopped = output.run(_learn(settings, store, follow=follow, anew=again))
    except (Unusable, CantLearn) as error:
        output.fail(str(error))
    except OSError as error:
        output.fail(f"{state}: {error.strerror}", output.USAGE)
    version = version_of(learner)
    if json:
        output.write_json({"version": version, "records": counts.records, "new": counts.lessons, "lessons": learner.lessons})
    else:
        output.out.print(
            f"{counts.records:,} records read, {counts.lessons:,} lessons learned; version {version}, {learner.lessons:,} lessons"
        )
    raise typer.Exit(output.INTERRUPTED if stopped and not follow else output.OK)


@app.command()
def report(
    state: State = None,
    shown: Annotated[int, typer.Option("--words", min=0, help="So many of the features that changed the most.")] = SHOWN,
    json: Json = False,
) -> None:
    """How good the learned models are beside the frozen ones, on each text before it was learned; and what has changed the most.

    "right" is the share of texts of which the tone's side, or the complaint's category, was told right; "loss" is the log-loss
    of the truth. Both since the beginning, and recently (fading over a thousand texts).

    Exit codes: 0 told, 1 nothing was learned yet or it can't be used, 3 Kafka can't be reached.
    """
    settings = output.settings()
    learner, found = _learned(settings, state), output.run(records(settings.kafka))
    row = _row(learner, found, shown)
    if json:
        output.write_json(row)
    else:
        _print(row)


@app.command()
def adopt(
    which: Annotated[str | None, typer.Argument(metavar="[VERSION|FILE]", help="What was learned; else the newest.")] = None,
    shipped: Annotated[bool, typer.Option("--shipped", help="Back to the models that were shipped.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Though by its own figures it is worse, or too little is known.")
    ] = False,
    json: Json = False,
) -> None:
    """Understand texts with what was learned, from now on, in all workers. Then: portrait rebuild --all.

    \b
    portrait language adopt 4810.a3f29c01     as `portrait language report` names it
    portrait language adopt learned.bin       what learn --state has written
    portrait language adopt --shipped

    Refused if, of any kind of texts with at least a hundred, fewer were told right or the loss was greater than with the frozen
    models; of kinds with fewer texts nothing is taken over. Running workers take it over within seconds. What texts said that
    were folded before stays as it is until profiles are made anew.

    Exit codes: 0 in force, 1 refused, 2 usage, 3 Kafka can't be reached.
    """
    settings = output.settings()
    if shipped and which:
        output.fail("name a version, or say --shipped. See --help", output.USAGE)
    adopted = None if shipped else _wanted(settings, which, force)
    output.run(publish(settings.kafka, ADOPTED_KEY, msgspec.json.encode(adopted) if adopted else None))
    version = adopted.version if adopted else SHIPPED
    if json:
        output.write_json({"version": version, "features": {name: len(table) for name, table in _tables(adopted).items()}})
        return
    output.err.print(
        f"all workers understand texts with {version} from now on. "
        "What was folded before stays as it was understood then, until: portrait rebuild --all",
        soft_wrap=True,
    )


async def _learn(settings: Settings, store: Store, *, follow: bool, anew: bool) -> tuple[Counts, Learner, bool]:
    """What was read and learned; the learner; whether it was asked to stop."""
    learner = Learner() if anew else await learner_of(store)
    partitions = await _partitions(settings)
    with asked_to_stop() as stop, output.progress() as bar:
        task = bar.add_task("records read", total=None)
        async with kafka.log_reader(settings.kafka) as log, kafka.log_reader(settings.kafka) as again:
            work = Learning(
                log,
                again,
                partitions,
                store,
                learner,
                stop=lambda: stop.asked,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
            counts = await work.to_the_end()
            await work.save()
            saved_s = time.monotonic()
            while follow and not stop.asked:
                await _pause(stop)
                more = await work.to_the_end()
                counts = Counts(counts.records + more.records, counts.lessons + more.lessons)
                if stop.asked or time.monotonic() - saved_s >= SAVE_S:
                    await work.save()
                    saved_s = time.monotonic()
        return counts, learner, stop.asked


async def _pause(stop: Stop) -> None:
    try:
        await asyncio.wait_for(stop.wait(), LOOK_S)
    except TimeoutError:
        return


async def _partitions(settings: Settings) -> list[TP]:
    async with kafka.admin(settings.kafka) as admin:
        found = await admin.topics(TOPICS)
    if missing := sorted(set(TOPICS) - found.keys()):
        raise CantLearn(f"there is no topic {', '.join(missing)}: portrait topics create")
    return [(name, number) for name in TOPICS for number in range(found[name].partitions)]


def _learned(settings: Settings, state: Path | None) -> Learner:
    """Ends the process if there is none."""
    store: Store = FileStore(state) if state else TopicStore(settings.kafka)
    try:
        packed = output.run(store.load())
        if packed:
            return unpack(packed)
    except Unusable as error:
        output.fail(str(error))
    except OSError as error:
        output.fail(f"{state}: {error.strerror}", output.USAGE)
    output.fail("nothing was learned yet: portrait language learn")


def _wanted(settings: Settings, which: str | None, force: bool) -> Adopted:
    """Ends the process where it is not there, or no good."""
    file = Path(which) if which and Path(which).is_file() else None
    learner = _learned(settings, file)
    version = version_of(learner)
    if which and file is None and which != version:
        output.fail(f"{which} is no file, nor what was learned last, which is {version}; portrait language report")
    if not force:
        _judge(learner)
    return adopted_from(learner, 0 if force else TEXTS_LEAST)


def _judge(learner: Learner) -> None:
    """Ends the process unless it is known to be no worse than the frozen models."""
    known = {kind: each for kind, each in learner.progress.items() if each.whole.texts >= TEXTS_LEAST}
    if not known:
        output.fail(
            f"no kind of texts has {TEXTS_LEAST} lessons yet, which is too little to judge; --force takes it all the same"
        )
    if worse := sorted(kind for kind, each in known.items() if not each.no_worse):
        output.fail(
            f"it did worse than the frozen models: {', '.join(worse)} (portrait language report); --force takes it anyway"
        )


def _tables(adopted: Adopted | None) -> dict[str, dict[str, list[int]]]:
    return adopted.tables if adopted else {}


def _row(learner: Learner, found: dict[str, bytes], shown: int) -> dict[str, Any]:
    stands = _stands(found)
    return {
        "version": version_of(learner),
        "lessons": learner.lessons,
        "in_force": stands.in_force,
        "rebuilt_with": stands.rebuilt,
        "kinds": {
            kind: {
                "texts": round(each.whole.texts),
                "since_the_beginning": each.whole.means(),
                "recently": each.recent.means(),
                "no_worse": each.no_worse,
                "answers": learner.answers[kind],
            }
            for kind, each in sorted(learner.progress.items())
        },
        "features": {name: len(part.rows) for name, part in learner.parts.items()},
        "changed_most": {name: _changed(learner, name, shown) for name, part in learner.parts.items() if part.rows},
    }


def _stands(found: dict[str, bytes]) -> Standing:
    try:
        return standing(found)
    except Unusable as error:
        output.fail(f"what was adopted can't be used: {error}; portrait language adopt")


def _changed(learner: Learner, name: str, shown: int) -> list[dict[str, Any]]:
    """Weights in log-odds: "was", and "is" with what was learned. Of complaints, of the category that changed the most."""
    kind, _, model = name.partition("_")
    language: Model = "en" if model == "en" else "zh"
    part, rows = learner.parts[name], []
    for feature in part.rows:
        change = part.of(feature)
        k = max(range(len(change)), key=lambda at: abs(change[at]))
        if kind == "tone":
            was, about = learner.tones[language].scale * learner.tones[language].by_gram.get(feature, 0), {}
        else:
            frozen = unpacked(learner.categories[language].get(feature, 0))
            was, about = frozen[k] / 100, {"category": CATEGORIES[k]}
        rows.append((abs(change[k]), {"feature": feature, **about, "was": round(was, 2), "is": round(was + change[k], 2)}))
    return [row for _, row in sorted(rows, key=lambda each: (-each[0], each[1]["feature"]))[:shown]]


def _print(row: dict[str, Any]) -> None:
    out = output.out
    out.print(f"[bold]{row['version']}[/bold]: {row['lessons']:,} lessons; in force: {output.escape(row['in_force'])}")
    if row["in_force"] != row["rebuilt_with"]:
        output.err.print(
            f"[yellow]profiles were last made anew with {output.escape(row['rebuilt_with'])}: until portrait rebuild --all, "
            "what older texts said stands there as it was understood then[/yellow]",
            soft_wrap=True,
        )
    table = Table("texts", "", "right: frozen", "learned", "loss: frozen", "learned", "recently", box=None, pad_edge=False)
    for kind, each in row["kinds"].items():
        cells = [f"{value:.3f}" for value in each["since_the_beginning"].values()]
        recent = each["recently"]
        table.add_row(kind, f"{each['texts']:,}", *cells, f"{recent['right_frozen']:.3f} -> {recent['right_learned']:.3f}")
    out.print(table)
    for name, changed in row["changed_most"].items():
        words = ", ".join(f"{e['feature']} {e.get('category', '')} {e['was']:+.2f} -> {e['is']:+.2f}" for e in changed)
        out.print(output.escape(f"{name}: {row['features'][name]:,} features; {words}"), soft_wrap=True)

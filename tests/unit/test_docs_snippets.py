"""What the documents show works: events decode, Python runs, commands exist, and the tables say what the declarations say.

``python -m tests.unit.test_docs_snippets`` rewrites the generated tables.

Fences: ```` ```json event ```` decodes, ```` ```python run ```` is executed, all other Python and JSON must at least parse,
and every line ``portrait ...`` in ```` ```sh ```` must be one that the command line understands.
"""

from __future__ import annotations

import inspect
import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
import pytest
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli.main import VERBS, LazyVerbs, load_verb
from portrait.components import COMPONENTS, Component
from portrait.dimensions.registry import DIMENSIONS
from portrait.dimensions.use import SUGGESTIONS
from portrait.rules import risk_rose, valued_complaint
from portrait.rules.registry import RULES
from portrait.structures import DAY_MS
from portrait.tags.base import STANDING
from portrait.tags.registry import TAGS
from schemas.describe import comments, summary
from schemas.event import FUTURE_SKEW_MS, VALUE_BYTES_MAX, Event, Rejection, decode
from schemas.outputs import ActionEvent, OperatorActionEvent
from schemas.profile import Profile, Trait, View
from schemas.registry import EVENT_TOPICS, TYPES
from schemas.trust import ORDER
from schemas.types import Motive
from schemas.words import WORDS
from streams.metrics import Metrics

ROOT = Path(__file__).parents[2]
DOCS = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path.exists()]


class Snippet(NamedTuple):
    where: str  # file:line
    kind: str  # the fence's words
    text: str


def snippets(path: Path) -> list[Snippet]:
    found = re.finditer(r"^(?P<indent> *)```(?P<kind>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", path.read_text(), re.M | re.S)
    return [
        Snippet(f"{path.name}:{path.read_text()[: m.start()].count(chr(10)) + 1}", m["kind"].strip(), textwrap.dedent(m["text"]))
        for m in found
    ]


SNIPPETS = [snippet for path in DOCS for snippet in snippets(path)]


def of(*kinds: str) -> Any:
    return pytest.mark.parametrize("snippet", [s for s in SNIPPETS if s.kind in kinds], ids=lambda s: s.where)


@of("json event")
def test_an_event_that_is_shown_decodes(snippet: Snippet) -> None:
    event = json.loads(snippet.text)
    topic = TYPES[event["type"]][0].name
    assert isinstance(decode(topic, b"C1", snippet.text.encode(), (), 4_000_000_000_000), Event)


@of("json")
def test_json_that_is_shown_parses(snippet: Snippet) -> None:
    value = json.loads(snippet.text)
    if isinstance(value, dict) and value.get("type") == "action.raised":
        msgspec.convert(value, ActionEvent)
    if isinstance(value, dict) and value.get("type") == "operator-action.raised":
        msgspec.convert(value, OperatorActionEvent)


@of("python run")
def test_python_that_is_shown_runs(snippet: Snippet) -> None:
    exec(compile(snippet.text, snippet.where, "exec"), {"__name__": "__main__"})


@of("python")
def test_python_that_is_shown_compiles(snippet: Snippet) -> None:
    compile(snippet.text, snippet.where, "exec")


COMMANDS = [
    (snippet.where, command.strip())
    for snippet in SNIPPETS
    if snippet.kind == "sh"
    for line in snippet.text.replace("\\\n", " ").splitlines()
    for command in re.split(r"\||&&|;", line.removeprefix("$ "))
    if command.strip().startswith("portrait ")
]


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=lambda value: value[:40])
def test_a_command_that_is_shown_is_understood(where: str, command: str) -> None:
    words = shlex.split(command.split(" > ")[0], comments=True)[1:]
    if words[0].startswith("-"):
        return
    assert words[0] in VERBS
    if words[0] not in LazyVerbs().list_commands(None):
        pytest.skip(f"{words[0]} is not there yet")
    understood(load_verb(words[0]), words)


def understood(command: Any, words: list[str]) -> None:
    """Parse as the command line would, and run nothing."""
    try:
        context = command.make_context(words[0], words[1:])
        if isinstance(command, TyperGroup):
            rest = [*context._protected_args, *context.args]
            name, sub, _ = command.resolve_command(context, rest)
            assert sub is not None, name
            understood(sub, rest)
    except typer.Exit as ended:  # --help
        assert ended.exit_code == 0
    except TyperException as problem:
        pytest.fail(f"{' '.join(words)}: {problem}")


def test_a_command_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(pytest.fail.Exception, match="No such option"):
        understood(load_verb("schema"), ["schema", "profile", "--paint"])
    with pytest.raises(pytest.fail.Exception, match="No such command"):
        understood(load_verb("schema"), ["schema", "colour"])


# Generated tables


def types_table() -> str:
    parts = []
    for topic in EVENT_TOPICS:
        about = summary(topic.doc).split(": ", 1)[1]
        parts += [f"### `{topic.name}`", "", about[0].upper() + about[1:], "", "| Type | What | `data`: required | optional |"]
        parts.append("|---|---|---|---|")
        for name, data in topic.events:
            fields = [f for f in msgspec.structs.fields(data) if f.name != "identities"]  # told once, for all types
            required = ", ".join(f"`{f.name}`" for f in fields if f.required)
            optional = ", ".join(f"`{f.name}`" for f in fields if not f.required)
            parts.append(f"| `{name}` | {summary(data.__doc__)} | {required} | {optional} |")
        parts.append("")
    return "\n".join(parts).strip()


def rules_table() -> str:
    rows = [
        f"| `{r.name}` | {r.cooldown_ms / DAY_MS:g} | {r.expiry_ms / DAY_MS:g} | {'yes' if r.capped else 'no'} |" for r in RULES
    ]
    return "\n".join(["| Rule | Cools down for (days) | Expires after (days) | Capped |", "|---|---|---|---|", *rows])


def fields_table() -> str:
    hints, words = get_type_hints(Profile), comments(Profile)
    rows = []
    for name in Profile.__struct_fields__:
        kind = get_args(hints[name])[0]
        if isinstance(kind, type) and issubclass(kind, View):
            members = ", ".join(f"`{member}`" for member in kind.__struct_encode_fields__)
            rows.append(f"| `{name}` | {summary(inspect.getdoc(kind))} | {members} |")
        else:
            rows.append(f"| `{name}` | {words.get(name, 'the lifecycle stage')} | |")
    return "\n".join(["| Field | What | Members |", "|---|---|---|", *rows])


def dimensions_table() -> str:
    parts = []
    for dimension in DIMENSIONS:
        reads = ", ".join(f"`{name}`" for name in dimension.reads)
        parts += [f"### `{dimension.name}` · {dimension.zh}", "", summary(inspect.getdoc(dimension.contract)), ""]
        parts += [f"Fed by: {', '.join(map(backticked, dimension.events))}. Reads the facts of {reads}.", ""]
        parts += ["| Member | What |", "|---|---|"]
        parts += [f"| `{name}` | {words} |" for name, words in members(dimension.contract)]
        parts.append("")
    return "\n".join(parts).strip()


def backticked(event: str) -> str:
    """Names of events and topics as code; words as they are."""
    return f"`{event}`" if re.fullmatch(r"[a-z-]+(\.[a-z*-]+)?", event) else event


def members(view: type[View], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Members of a contract with their comments, those of the Views in it after each."""
    hints, words = get_type_hints(view), comments(view)
    for field, name in zip(view.__struct_fields__, view.__struct_encode_fields__, strict=True):
        yield prefix + name, words.get(field, "").replace("|", "\\|")
        for inner in inner_views(hints[field]):
            yield from members(inner, f"{prefix}{name}.*.")


def inner_views(kind: Any) -> list[type[View]]:
    """Views other than Trait that a member holds."""
    if isinstance(kind, type) and issubclass(kind, View):
        return [] if kind is Trait else [kind]
    return [view for arg in get_args(kind) for view in inner_views(arg)]


def suggestions_table() -> str:
    rows = [
        f"| {n} | `{s.reason.code}` | {s.reason.en} | {s.reason.zh} | {'no' if s.sells else 'yes'} |"
        for n, s in enumerate(SUGGESTIONS, 1)
    ]
    return "\n".join(["| | Code | In English | In Chinese | Also to who refused marketing |", "|---|---|---|---|---|", *rows])


def reasons_table() -> str:
    rows = [f"| `{code}` | {en} | {zh} |" for code, (en, zh) in WORDS.items()]
    return "\n".join(["| Code | In English | In Chinese |", "|---|---|---|", *rows])


def trust_table() -> str:
    rows = []
    for place, grade in enumerate(ORDER, 1):
        named = [f"`{name}`" for name in grade.systems] + [f"`{beginning}...`" for beginning in grade.beginnings]
        systems = ", ".join(named) or "all others: registration, orders, the shop, loyalty clubs"
        rows.append(f"| {place} | {grade.name} | {systems} |")
    return "\n".join(["| | Kind | Systems |", "|---|---|---|", *rows])


def components_table() -> str:
    rows = []
    for part in COMPONENTS:
        fields, events = ", ".join(f"`{f}`" for f in part.fields), fed_by(part)
        tests = ", ".join(f"`{test.removesuffix('.py')}`" for test in part.tests)
        name = f"**{part.name}**" if part.main else part.name
        rows.append(f"| {name} | {part.zh} | {fields} | {events} | {part.rule} | {part.bound} | {tests} |")
    heads = "| Of a portrait | In Chinese | Fields | Events that feed it | Rule | What is kept, at most | Tests in `tests/unit` |"
    return "\n".join([heads, "|---|---|---|---|---|---|---|", *rows])


def fed_by(part: Component) -> str:
    """Fields that the same events feed are told together."""
    together: dict[tuple[str, ...], list[str]] = {}
    for field, events in part.events.items():
        together.setdefault(events, []).append(f"`{field}`")
    cells = [(", ".join(fields), ", ".join(map(backticked, events))) for events, fields in together.items()]
    return cells[0][1] if len(cells) == 1 else "; ".join(f"{fields}: {events}" for fields, events in cells)


def tags_table() -> str:
    parts = []
    for of in (STANDING, *(dimension.name for dimension in DIMENSIONS)):
        resting = [tag for tag in TAGS if tag.of == of]
        if not resting:
            continue
        title = "the standing: stage, risk, value" if of == STANDING else f"`{of}`"
        parts += [f"### Resting on {title}", "", "| | Tag | Name | It says | Rule | Lasts |", "|---|---|---|---|---|---|"]
        for tag in resting:
            name = f"{tag.name.en} · {tag.name.zh}{' ●' if tag.weight > 1 else ''}"
            cells = (f"`{tag.id}`", name, f"{tag.meaning.en} {tag.meaning.zh}", tag.rule.words.en, tag.lasts.words.en)
            parts.append(f"| {tag.number} | {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts).strip()


TABLES = {
    "components": (ROOT / "docs" / "dimensions.md", components_table),
    "tags": (ROOT / "docs" / "tags.md", tags_table),
    "trust": (ROOT / "docs" / "quality.md", trust_table),
    "reasons": (ROOT / "docs" / "reasons.md", reasons_table),
    "types": (ROOT / "docs" / "publishing.md", types_table),
    "rules": (ROOT / "docs" / "actions.md", rules_table),
    "fields": (ROOT / "docs" / "reading.md", fields_table),
    "dimensions": (ROOT / "docs" / "dimensions.md", dimensions_table),
    "suggestions": (ROOT / "docs" / "dimensions.md", suggestions_table),
}


def with_table(text: str, name: str, table: str) -> str:
    made, times = re.subn(
        rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text, flags=re.S
    )
    assert times == 1, f"no place for the table of {name}"
    return made


@pytest.mark.parametrize("name", TABLES)
def test_a_generated_table_says_what_the_declarations_say(name: str) -> None:
    path, table = TABLES[name]
    assert with_table(path.read_text(), name, table()) == path.read_text(), "run: python -m tests.unit.test_docs_snippets"


def test_the_rules_in_words_name_their_thresholds() -> None:
    text = (ROOT / "docs" / "actions.md").read_text()
    words = dict(re.findall(r"^- \*\*`([\w-]+)`\*\*: (.*?)(?=^- |\n\n)", text, re.M | re.S))
    assert set(words) == {rule.name for rule in RULES}
    assert str(risk_rose.THRESHOLD) in words["churn-risk-rose"]
    assert f"{valued_complaint.ORDERS} orders" in words["valued-customer-complained"]
    assert f"{valued_complaint.SPENT_MINOR:,}" in words["valued-customer-complained"]


def test_the_guide_to_publishing_names_every_reason_and_the_limits() -> None:
    text = (ROOT / "docs" / "publishing.md").read_text()
    reasons = get_args(get_type_hints(Rejection)["reason"])
    assert all(f"`{reason}`" in text for reason in reasons)
    assert f"{VALUE_BYTES_MAX // 1024} KiB" in text
    assert FUTURE_SKEW_MS == 5 * 60_000
    assert "five minutes" in text


def test_the_guide_to_operating_names_every_metric() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    families = list(Metrics().registry.collect())
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert len(names) > 15
    assert not {name for name in names if not re.search(rf"`{name}[`{{]", text)}


def test_the_dimensions_of_a_portrait_are_all_led_to_fields() -> None:
    text = (ROOT / "docs" / "dimensions.md").read_text()
    led_to = text[text.index("## Which field") : text.index("## All derived dimensions")]
    fields = {name for name, hint in get_type_hints(Profile).items() if inner_views(hint)} | {d.name for d in DIMENSIONS}
    assert not {name for name in fields if not re.search(rf"`{name}[`.]", led_to)}


def test_the_fields_that_tell_a_component_are_members_of_the_contract() -> None:
    hints = get_type_hints(Profile)
    views: dict[str, Any] = {name: view for name, hint in hints.items() for view in inner_views(hint)}
    views |= {dimension.name: dimension.contract for dimension in DIMENSIONS}
    for component in COMPONENTS:
        for field in component.fields:
            name, _, member = field.partition(".")
            assert name in hints or name in views, f"{component.name}: {field}"
            assert not member or member in views[name].__struct_encode_fields__, f"{component.name}: {field}"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_no_page_asks_an_array_of_windows_for_a_name(path: Path) -> None:
    assert not re.findall(r"""['"](?:7d|30d|90d)['"]|\.total\b""", path.read_text()), "windows are arrays"


def test_every_motive_of_the_contract_is_explained() -> None:
    text = (ROOT / "docs" / "dimensions.md").read_text()
    assert not {motive for motive in get_args(Motive) if not re.search(rf"^- \*\*`{motive}`\*\*: ", text, re.M)}


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCS:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


if __name__ == "__main__":
    for name, (path, table) in TABLES.items():
        path.write_text(with_table(path.read_text(), name, table()))

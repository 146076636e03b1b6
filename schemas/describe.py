"""Fields in words, and Structs as JSON Schema that any tool of AsyncAPI 3 reads.

What a field means is written once, as the comment beside it (or ``#:`` above it) in the contract's file; the documents quote it.
"""

from __future__ import annotations

import inspect
import textwrap
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from io import StringIO
from typing import Any

import msgspec

from schemas.currencies import Currency

#: Subschemas that would else be repeated in full at every use.
_SHARED = {"Currency": ("an ISO 4217 code", msgspec.json.schema(Currency))}


def components(types: Iterable[Any], ref: str) -> dict[str, Any]:
    """JSON Schemas (draft 7) by name of ``types`` and of all that they use. ``ref``: how to point to one, ``#/x/{name}``."""
    _, schemas = msgspec.json.schema_components(types, ref_template=ref)
    structs = {struct.__name__: struct for given in types for struct in _structs(given)}
    for name, schema in schemas.items():
        if name in structs:
            _describe(schema, structs[name])
        _tidy_doc(schema)
    shared = {name: {"description": words, **schema} for name, (words, schema) in _SHARED.items()}
    return {**{name: _draft7(schema, ref) for name, schema in schemas.items()}, **shared}


def summary(doc: str | None) -> str:
    """A docstring's first paragraph, on one line, as Markdown."""
    return inspect.cleandoc(doc or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def _describe(schema: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    if struct.__struct_config__.array_like:
        for at, member in enumerate(struct.__struct_fields__):
            schema["prefixItems"][at] = _beside(schema["prefixItems"][at], title=member)
    for field, words in comments(struct).items():
        place = struct.__struct_fields__.index(field)
        within: Any = schema.get("properties")
        name: str | int = struct.__struct_encode_fields__[place]
        if struct.__struct_config__.array_like:
            within, name = schema["prefixItems"], place
        found = within[name]
        words = "; ".join(filter(None, (words.replace("``", "`"), found.get("description"))))
        within[name] = _beside(found, description=words)


def _beside(found: dict[str, Any], **words: str) -> dict[str, Any]:
    """A neighbour of $ref would be ignored."""
    return ({"allOf": [found]} if "$ref" in found else found) | words


def _tidy_doc(schema: dict[str, Any]) -> None:
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"]).replace("``", "`")


def _draft7(schema: Any, ref: str) -> Any:
    """AsyncAPI's own dialect is JSON Schema draft 7, which writes tuples another way than msgspec does."""
    if isinstance(schema, list):
        return [_draft7(item, ref) for item in schema]
    if not isinstance(schema, dict):
        return schema
    for name, (_, same) in _SHARED.items():
        if schema == same:
            return {"$ref": ref.format(name=name)}
        if set(schema.get("enum", ())) == {*same["enum"], None}:
            rest = {key: value for key, value in schema.items() if key != "enum"}
            return {"anyOf": [{"$ref": ref.format(name=name)}, {"type": "null"}], **rest}
    made = {key: _draft7(value, ref) for key, value in schema.items()}
    if "prefixItems" in made:
        rest = made.get("items", True)  # an array of members may be longer in a newer version
        made["items"], made["additionalItems"] = made.pop("prefixItems"), rest
    return made


def _structs(given: Any) -> Iterator[type[msgspec.Struct]]:
    """Every Struct class that ``given`` reaches."""
    pending, seen = [msgspec.inspect.type_info(given)], set()
    while pending:
        info = pending.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield info.cls
        pending += _parts(info)


def _parts(info: Any) -> list[Any]:
    """The types that a type is made of."""
    values = [getattr(info, name) for name in info.__struct_fields__ if name not in ("default", "default_factory", "cls")]
    flat = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
    return [item.type if isinstance(item, msgspec.inspect.Field) else item for item in flat if isinstance(item, msgspec.Struct)]


@cache
def comments(struct: type) -> dict[str, str]:
    """Field -> its comment, for every field of ``struct`` and its bases that has one."""
    found: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if "__annotations__" in vars(cls) and cls.__module__.startswith(("schemas.", "portrait.")):
            try:
                found |= _comments_in(textwrap.dedent(inspect.getsource(cls)))
            except (OSError, TypeError):  # made by defstruct: no source of its own
                continue
    return {name: words for name, words in found.items() if name in struct.__struct_fields__}  # type: ignore[attr-defined]


def _comments_in(source: str) -> dict[str, str]:
    """``name: type  # words``, or ``#: words`` in the lines above it."""
    found: dict[str, str] = {}
    above: list[str] = []
    name = ""
    start = True
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("#: ")
            if start:
                above.append(words)
            elif name:
                found[name] = words
        elif token.type == tokenize.NEWLINE:
            start, above, name = True, [], ""
        elif start and token.type == tokenize.NAME:
            start, name = False, token.string if token.start[1] == 4 else ""
            if above and name:
                found[name] = " ".join(above)
        elif token.type == tokenize.STRING and start:
            start = False
    return found


def json_schema(struct: Any) -> dict[str, Any]:
    """A JSON Schema document (draft 7) of one Struct, with its fields in words."""
    definitions = components([struct], "#/definitions/{name}")
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": f"#/definitions/{struct.__name__}"}
    return {**head, "definitions": {name: schema for name, schema in definitions.items() if _used(name, definitions)}}


def _used(name: str, definitions: dict[str, Any]) -> bool:
    return name not in _SHARED or f'"#/definitions/{name}"' in msgspec.json.encode(definitions).decode()

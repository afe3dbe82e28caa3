"""Whether readers of a new schema can read everything that was ever valid under an old one. Pure.

BACKWARD_TRANSITIVE: the new schema is judged against every released one. Keywords that this module does not know
count as breaking where they differ, since it cannot judge them. Schemas that contain themselves are not supported.
"""

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

_ANNOTATIONS = {"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "deprecated"}
_STRUCTURE = {"$ref", "anyOf", "type", "enum", "const", "properties", "required", "items", "additionalProperties"}
_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_ABSENT = object()


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What of the data valid under `old` a reader of `new` would refuse or misread; empty if nothing.

    Each change is a line that begins with the path of the field.
    """
    return list(_Comparison(old, new).changes("", old, new))


def releases() -> dict[str, dict[str, Schema]]:
    """The released schemas: by release, then by message."""
    root = files("hybrid_memory.schemas").joinpath("json", "baseline")
    return {
        folder.name: {
            path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8"))
            for path in folder.iterdir()
        }
        for folder in root.iterdir()
    }


class _Comparison:
    """Two schemas, each of which resolves its own references."""

    def __init__(self, old_root: Schema, new_root: Schema) -> None:
        self._old_root, self._new_root = old_root, new_root

    def changes(self, path: str, old: Any, new: Any) -> Iterator[str]:
        old, new = _resolve(old, self._old_root), _resolve(new, self._new_root)
        old_choices, new_choices = _choices(old), _choices(new)
        for choice in old_choices:
            # Read by any alternative is read; of several that refuse, the nearest tells the most.
            yield from min((list(self._single(path, choice, other)) for other in new_choices), key=len)
        yield from _changed_default(path, old, new)

    def _single(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        for rule in _RULES:
            yield from (f"{path or 'value'}: {change}" for change in rule(old, new))
        yield from self._fields(path, old, new)
        if "items" in new:
            yield from self.changes(f"{path}[]", old.get("items", {}), new["items"])
        if "additionalProperties" in new:
            rest = old.get("additionalProperties", True)
            yield from self.changes(_join(path, "*"), rest, new["additionalProperties"])

    def _fields(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{_join(path, name)}: is required now"
        for name, field in old_fields.items():
            if name in new_fields:
                yield from self.changes(_join(path, name), field, new_fields[name])
            else:
                yield f"{_join(path, name)}: is gone, and with it what it said"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _resolve(schema: Any, root: Schema) -> Schema:
    """The schema behind a reference of the form `#/$defs/<name>`; booleans as the objects that they stand for."""
    if isinstance(schema, bool):
        return {} if schema else {"enum": []}
    reference = schema.get("$ref")
    if reference is None:
        return dict(schema)
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return _resolve(root["$defs"][reference.removeprefix("#/$defs/")], root) | rest


def _choices(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, each with what stands beside them."""
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    alternatives = [rest | choice for choice in schema.get("anyOf", [{}])]
    return [single for choice in alternatives for single in _by_type(choice)]


def _by_type(schema: Schema) -> list[Schema]:
    kinds = schema.get("type")
    return [schema | {"type": kind} for kind in kinds] if isinstance(kinds, list) else [schema]


def _changed_default(path: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = old.get("default", _ABSENT), new.get("default", _ABSENT)
    if before is not _ABSENT and before != after:
        now = "none" if after is _ABSENT else json.dumps(after)
        yield f"{path or 'value'}: its default was {json.dumps(before)} and is {now}, which old records never meant"


def _narrower_type(old: Schema, new: Schema) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    if after is not None and after != before and (before, after) != ("integer", "number"):
        yield f"type was {before or 'any'} and is {after}"


def _fewer_values(old: Schema, new: Schema) -> Iterator[str]:
    after = _values(new)
    if after is None:
        return
    before = _values(old)
    if before is None:
        yield f"only {json.dumps(after)} is allowed now"
        return
    gone = [value for value in before if value not in after]
    if gone:
        yield f"no longer allows {json.dumps(gone)}"


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _tighter_bounds(old: Schema, new: Schema) -> Iterator[str]:
    for keys, is_tighter in ((_LOWER_BOUNDS, _greater), (_UPPER_BOUNDS, _less)):
        for key in keys:
            if key in new and (key not in old or is_tighter(new[key], old[key])):
                yield f"{key} was {old.get(key, 'absent')} and is {new[key]}"


def _greater(one: float, other: float) -> bool:
    return one > other


def _less(one: float, other: float) -> bool:
    return one < other


def _other_form(old: Schema, new: Schema) -> Iterator[str]:
    for key in ("pattern", "format"):
        if key in new and old.get(key) != new[key]:
            yield f"{key} was {old.get(key, 'absent')} and is {new[key]}"


def _unknown_keywords(old: Schema, new: Schema) -> Iterator[str]:
    for key in sorted(new.keys() - _KNOWN):
        if old.get(key) != new[key] or "$ref" in json.dumps(new[key]):
            yield f"{key} may have changed, which cannot be judged here"


_KNOWN = _ANNOTATIONS | _STRUCTURE | {*_LOWER_BOUNDS, *_UPPER_BOUNDS, "pattern", "format", "default"}
_RULES: tuple[Callable[[Schema, Schema], Iterator[str]], ...] = (
    _narrower_type,
    _fewer_values,
    _tighter_bounds,
    _other_form,
    _unknown_keywords,
)

"""Output schemas given as JSON Schema (draft 2020-12): made strict for the service, and checked against the answer."""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import unquote, urldefrag, urljoin

from agentctl.errors import ModelBehaviorError, OptionError, UserError
from agentctl.redaction import excerpt

from .output import AgentOutputSchemaBase
from .schema_faults import SUBSCHEMA_LISTS, SUBSCHEMAS, SUBSCHEMAS_BY_NAME, find_fault
from .strict_schema import DROPPED_KEYWORDS, STRICT_FORMATS, ensure_strict_json_schema

VALIDATION_TIME = 2.0
"""Seconds of processor time that the check of an answer may take: a `pattern` can take any time for some texts."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WRAPPER_KEY = "response"
"""Key of the object that wraps other values, since the service requires an object."""

_MOST_MISMATCHES = 5
"""The number of mismatches that a message names."""

_MOST_PLACES = 5
"""The number of fields that a note names."""


class JSONSchemaOutput(AgentOutputSchemaBase):
    """The output schema of a JSON Schema.

    The service gets it in strict form, if strict mode can express it: every object closed, every field required, those
    that the schema leaves out allowed to be null. A null that only the strict form allows is removed from the answer,
    which is then checked against the schema as it was given.
    """

    def __init__(self, schema: dict[str, Any], *, subject: str = "the model's output") -> None:
        """Prepare the strict form; what only `jsonschema` finds is checked by `check`, or with the first value.

        `subject` names the values in the errors.

        Raises:
            OptionError: the schema has an obvious fault, a reference that leaves it, or one to nothing.
        """
        self.schema = schema
        self._subject = subject
        self.changes: list[str] = []
        """Descriptions of the differences between the schema and the form that the service gets."""
        self._check: _Check | None = None
        self._nullable = _Nullable()
        try:
            if fault := find_fault(schema):
                raise OptionError(f"the output schema is invalid at {fault}")
            _check_references(schema)
            self._relaxed: dict[str, Any] = self._nullable.of(schema, "")
            self._is_wrapped = not _is_object(schema)
            self._sent, self._strict = self._sent_form()
        except RecursionError as error:
            raise OptionError("the output schema is too deeply nested") from error

    def is_plain_text(self) -> bool:
        """Return False."""
        return False

    def name(self) -> str:
        """Return the title of the schema, or `JSON`."""
        title = self.schema.get("title")
        return title if isinstance(title, str) and title else "JSON"

    def json_schema(self) -> dict[str, Any]:
        """Return the schema in the form that the service gets."""
        return self._sent

    def is_strict_json_schema(self) -> bool:
        """Return whether the service must enforce the schema: not if strict mode cannot express it."""
        return self._strict

    def validate_json(self, json_str: str) -> Any:
        """Return the value of the model's text, without the nulls and the object that the strict form needs.

        Raises:
            ModelBehaviorError: it is not JSON, or does not match the schema, with the path of the mismatch.
            OptionError: the schema itself is invalid.
        """
        try:
            value = json.loads(json_str, parse_constant=_reject_constant, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise ModelBehaviorError(f"{self._subject} is not JSON: {error}", reply=json_str) from error
        if self._is_wrapped:
            if not (isinstance(value, dict) and _WRAPPER_KEY in value):
                raise ModelBehaviorError(f"{self._subject} has no field {_WRAPPER_KEY!r}", reply=json_str)
            value = value[_WRAPPER_KEY]
        return self.check_value(value, reply=json_str)

    def check_value(self, value: Any, *, reply: str | None = None) -> Any:
        """Return a value that matches the schema, without the nulls that only the strict form allows.

        `reply` is the text that it comes from, for the errors.

        Raises:
            ModelBehaviorError: it does not match, or checking it takes too long.
            OptionError: the schema itself is invalid.
        """
        check = self.preload()
        check.raise_problem()
        try:
            with _limited_time(VALIDATION_TIME):
                if self._strict and self._nullable.places:
                    value = check.without_forced_nulls(value, self.schema, self._relaxed)
                found = check.mismatches(value)
        except _TimeIsUpError as error:
            raise ModelBehaviorError(
                f"checking {self._subject} against the schema took longer than {VALIDATION_TIME:g} s; simplify the "
                "patterns of the schema",
                reply=reply,
            ) from error
        if found:
            raise ModelBehaviorError(f"{self._subject} does not match the schema: {'; '.join(found)}", reply=reply)
        return value

    def preload(self) -> _Check:
        """Begin to check the schema in a thread, for when there is an answer to wait for; import what that needs."""
        if self._check is None:
            self._check = _Check(self.schema, self._relaxed)
        return self._check

    def check(self) -> None:
        """Check the schema itself.

        Raises:
            OptionError: it is not a valid JSON Schema of draft 2020-12.
        """
        self.preload().raise_problem()

    def _sent_form(self) -> tuple[dict[str, Any], bool]:
        """Return the form of the schema that the service gets, and whether that is strict."""
        wrapped = [f"it is the field {_WRAPPER_KEY!r} of an object"] if self._is_wrapped else []
        dialect = self.schema.get("$schema")
        if isinstance(dialect, str) and dialect.rstrip("#") != _DIALECT:
            self.changes.append(f"the output schema names {excerpt(dialect)}; it is read as draft 2020-12")
        try:
            strict = ensure_strict_json_schema(_wrap(self._relaxed) if self._is_wrapped else self._relaxed)
        except UserError as error:
            reason = error.message.partition(": ")[0]
            self.changes.append(f"the service is asked for the output without strict mode: {reason}")
            if wrapped:
                self.changes.append(f"the output schema is changed for the service: {wrapped[0]}")
            return (_wrap(self.schema) if self._is_wrapped else self.schema), False
        if changes := [*wrapped, *self._nullable.changes()]:
            self.changes.append(f"the output schema is made strict for the service: {'; '.join(changes)}")
        return strict, True


class _Nullable:
    """Conversion of a schema, without changing its structure: optional fields may be null."""

    def __init__(self) -> None:
        self.places: list[str] = []
        """The fields that may be null now, as `field[].field`."""
        self._are_closed = True
        self._left_out: set[str] = set()

    def changes(self) -> list[str]:
        """Return descriptions of the differences that the strict form makes."""
        found = []
        if self.places:
            more = len(self.places) - _MOST_PLACES
            names = ", ".join(self.places[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")
            found.append(f"optional fields may be null ({names})")
        if not self._are_closed:
            found.append("objects have no other fields")
        if self._left_out:
            found.append(f"without {', '.join(sorted(self._left_out))}")
        return found

    def of(self, node: Any, place: str) -> Any:
        """Return a schema whose optional fields may be null."""
        if not isinstance(node, dict):
            return node
        self._look_at(node)
        return {key: self._part(key, value, node, place) for key, value in node.items()}

    def _look_at(self, node: dict[str, Any]) -> None:
        if node.get("type") == "object" or "properties" in node:
            self._are_closed = self._are_closed and node.get("additionalProperties") is False
        self._left_out |= {key for key in DROPPED_KEYWORDS if key in node}
        form = node.get("format")
        if isinstance(form, str) and form not in STRICT_FORMATS:
            self._left_out.add(f"format {excerpt(form, 20)!r}")

    def _part(self, key: str, value: Any, node: dict[str, Any], place: str) -> Any:
        if key == "properties" and isinstance(value, dict):
            required = node.get("required")
            required = required if isinstance(required, list) else []
            return {
                name: self._field(part, f"{place}.{name}" if place else name, is_required=name in required)
                for name, part in value.items()
            }
        if key in SUBSCHEMAS_BY_NAME and isinstance(value, dict):
            return {name: self.of(part, name) for name, part in value.items()}
        if key in SUBSCHEMA_LISTS and isinstance(value, list):
            return [self.of(part, place) for part in value]
        return self.of(value, f"{place}[]" if key == "items" else place) if key in SUBSCHEMAS else value

    def _field(self, part: Any, place: str, *, is_required: bool) -> Any:
        relaxed = self.of(part, place)
        if is_required or not isinstance(part, dict) or _allows_null(part):
            return relaxed
        self.places.append(place)
        return {"anyOf": [relaxed, {"type": "null"}]}


class _Check:
    """The check of a schema, and by it of values; `jsonschema`, 60 ms, is imported in a thread."""

    def __init__(self, schema: dict[str, Any], relaxed: Any) -> None:
        self._schema = schema
        self._relaxed = relaxed
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._prepare, name="check of the output schema", daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from referencing import Registry

        # An empty registry: by default, jsonschema fetches references that leave the document.
        registry: Any = Registry()
        self._validator = Draft202012Validator(self._schema, registry=registry)
        self._relaxed_validator = Draft202012Validator(self._relaxed, registry=registry)
        try:
            Draft202012Validator.check_schema(self._schema)
        except SchemaError as error:
            self._problem = f"the output schema is invalid at {error.json_path}: {excerpt(error.message)}"
        except RecursionError:
            self._problem = "the output schema is too deeply nested"

    def raise_problem(self) -> None:
        """Wait for the check of the schema.

        Raises:
            OptionError: it is invalid.
        """
        self._thread.join()
        if self._problem is not None:
            raise OptionError(self._problem)

    def mismatches(self, value: Any) -> list[str]:
        """Return the paths of the first mismatches, each with its description; none if the value matches."""
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            errors = [best_match([error]) for error in islice(self._validator.iter_errors(value), _MOST_MISMATCHES)]
        except Unresolvable as unresolvable:
            raise OptionError(f"the output schema has a reference to nothing: {unresolvable.ref!r}") from unresolvable
        except RecursionError as recursion:
            raise OptionError("the output schema refers to itself without end") from recursion
        return [f"{error.json_path}: {excerpt(error.message)}" for error in errors if error is not None]

    def without_forced_nulls(self, value: Any, schema: Any, relaxed: Any) -> Any:
        """Return a value without the fields that are null and are not so in the schema, but in its relaxed form."""
        if not (isinstance(schema, dict) and isinstance(relaxed, dict)):
            return value
        if isinstance(reference := schema.get("$ref"), str) and reference.startswith("#"):
            target, relaxed_target = _find(reference, self._schema), _find(reference, self._relaxed)
            value = self.without_forced_nulls(value, target, relaxed_target)
        for key in ("allOf", "anyOf", "oneOf"):
            pairs = list(zip(schema.get(key, ()), relaxed.get(key, ()), strict=False))
            if key != "allOf":
                pairs = [pair for pair in pairs if self._relaxed_validator.evolve(schema=pair[1]).is_valid(value)][:1]
            for part, relaxed_part in pairs:
                value = self.without_forced_nulls(value, part, relaxed_part)
        if isinstance(value, dict):
            return dict(self._fields(value, schema, relaxed))
        if isinstance(value, list) and "items" in schema:
            return [self.without_forced_nulls(item, schema["items"], relaxed["items"]) for item in value]
        return value

    def _fields(self, value: dict[str, Any], schema: Any, relaxed: Any) -> Iterator[tuple[str, Any]]:
        parts, relaxed_parts = schema.get("properties", {}), relaxed.get("properties", {})
        required = schema.get("required", ())
        for name, field in value.items():
            part, relaxed_part = parts.get(name), relaxed_parts.get(name)
            if part is None or name in required or not isinstance(part, dict) or _allows_null(part):
                yield name, self.without_forced_nulls(field, part, relaxed_part)
            elif field is not None:
                yield name, self.without_forced_nulls(field, part, relaxed_part["anyOf"][0])


def _allows_null(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema allows null in so many words; one that does so by a reference is not recognised."""
    kind = schema.get("type")
    if kind is not None:
        return kind == "null" or (isinstance(kind, list) and "null" in kind)
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return None in values
    if not schema.keys() - {"title", "description", "default"}:
        return True  # It allows anything.
    choices = schema.get("anyOf", schema.get("oneOf"))
    return isinstance(choices, list) and any(isinstance(part, dict) and _allows_null(part) for part in choices)


def _is_object(schema: dict[str, Any]) -> bool:
    """Return whether the values of a schema are objects, as the root of the service's schemas must be."""
    seen = set()
    while isinstance(reference := schema.get("$ref"), str) and reference not in seen and "type" not in schema:
        seen.add(reference)
        target = _find(reference, schema)
        if not isinstance(target, dict):
            return False
        schema = {**target, "$defs": schema.get("$defs", {}), "definitions": schema.get("definitions", {})}
    is_union = "anyOf" in schema or "oneOf" in schema
    return not is_union and (schema.get("type") == "object" or ("type" not in schema and "properties" in schema))


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object whose only field is a value of `schema`; definitions stay at the root."""
    kept = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    inner = {key: value for key, value in schema.items() if key not in (*kept, "$schema", "$id")}
    return {
        "type": "object",
        "properties": {_WRAPPER_KEY: _rebase(inner)},
        "required": [_WRAPPER_KEY],
        "additionalProperties": False,
        **{key: _rebase(value) for key, value in kept.items()},
    }


def _rebase(schema: Any) -> Any:
    """Return a schema whose references to its root, other than to definitions, are valid once it is wrapped."""
    if isinstance(schema, list):
        return [_rebase(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    changed = {key: _rebase(value) for key, value in schema.items()}
    if reference == "#" or (isinstance(reference, str) and _is_pointer_below_root(reference)):
        changed["$ref"] = f"#/properties/{_WRAPPER_KEY}{reference[1:]}"
    return changed


def _is_pointer_below_root(reference: str) -> bool:
    return reference.startswith("#/") and not reference.startswith(("#/$defs/", "#/definitions/"))


def _check_references(schema: dict[str, Any]) -> None:
    """Check that every reference stays inside the schema.

    Raises:
        OptionError: one leaves it, or refers to nothing.
    """
    resources, anchors = {""}, set[str]()
    references: list[tuple[str, str]] = []

    def visit(node: Any, base: str) -> None:
        if not isinstance(node, dict):
            return
        if isinstance(own := node.get("$id"), str):
            base = urljoin(base, own)
            resources.add(urldefrag(base)[0])
        anchors.update(node[key] for key in ("$anchor", "$dynamicAnchor") if isinstance(node.get(key), str))
        references.extend((base, node[key]) for key in ("$ref", "$dynamicRef") if isinstance(node.get(key), str))
        for part in _parts(node):
            visit(part, base)

    visit(schema, "")
    for base, reference in references:
        resource, fragment = urldefrag(urljoin(base, reference))
        if resource not in resources:
            raise OptionError(
                f"the output schema refers to {excerpt(reference)!r}, which is not in it, and nothing is fetched: copy "
                "it to `$defs`"
            )
        is_pointer = not fragment or fragment.startswith("/")
        is_found = _find(reference, schema) is not _MISSING if is_pointer else fragment in anchors
        if reference.startswith("#") and not base and not is_found:
            raise OptionError(f"the output schema refers to {excerpt(reference)!r}, which it does not define")


def _parts(node: dict[str, Any]) -> Iterator[Any]:
    """Yield the direct subschemas of a schema."""
    for key, value in node.items():
        if key in SUBSCHEMAS_BY_NAME and isinstance(value, dict):
            yield from value.values()
        elif key in SUBSCHEMA_LISTS and isinstance(value, list):
            yield from value
        elif key in SUBSCHEMAS:
            yield value


_MISSING: Any = object()


def _find(reference: str, root: Any) -> Any:
    """Return the part of a schema that a pointer such as `#/$defs/City` names, or `_MISSING`."""
    node = root
    for part in unquote(reference).removeprefix("#").removeprefix("/").split("/") if reference != "#" else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(name)] if name.isdecimal() and int(name) < len(node) else _MISSING
        else:
            node = node.get(name, _MISSING) if isinstance(node, dict) else _MISSING
    return node


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


class _TimeIsUpError(Exception):
    """The check of an answer took too long."""


@contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    """Raise `_TimeIsUpError` in the block after this much processor time, even inside a regular expression.

    Only the main thread can be interrupted so.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def end(number: int, frame: object) -> None:
        raise _TimeIsUpError

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL if before is None else before)

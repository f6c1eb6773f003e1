"""Strict JSON schemas: the subset that the service can hold a model to."""

from __future__ import annotations

from typing import Any

from agentctl.errors import UserError


def ensure_strict_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` in strict form: every object closed, every property required, null defaults gone.

    Raises:
        UserError: an object takes properties that the schema does not name, which strict mode cannot say.
    """
    if not schema:
        return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    strict = _strict(schema, root=schema, path="the schema")
    assert isinstance(strict, dict)
    return strict


def _strict(node: Any, *, root: dict[str, Any], path: str) -> Any:
    if isinstance(node, list):
        return [_strict(part, root=root, path=path) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and len(node) > 1:
        # Strict mode allows nothing beside a reference: what it points at is written out.
        node = {**_resolve(node["$ref"], root), **{key: value for key, value in node.items() if key != "$ref"}}
    strict: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs", "definitions"):
            strict[key] = {name: _strict(part, root=root, path=f"{path}, {name!r}") for name, part in value.items()}
        elif key in ("items", "anyOf", "allOf", "prefixItems", "not"):
            strict[key] = _strict(value, root=root, path=path)
        elif key == "oneOf":
            strict["anyOf"] = _strict(value, root=root, path=path)
        elif key == "discriminator" or (key == "default" and value is None):
            continue
        else:
            strict[key] = value
    if isinstance(parts := strict.get("allOf"), list) and len(parts) == 1:
        del strict["allOf"]
        strict |= parts[0]
    if strict.get("type") == "object":
        _close(strict, path)
    return strict


def _close(strict: dict[str, Any], path: str) -> None:
    if strict.get("additionalProperties") not in (None, False):
        raise UserError(
            f"{path} has an object with free keys (a dict, say), which strict mode cannot express: "
            "name its fields, or turn strict mode off"
        )
    strict["additionalProperties"] = False
    strict.setdefault("properties", {})
    strict["required"] = list(strict["properties"])


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise UserError(f"the schema refers to {reference!r}, which it does not define")
    return node

"""The tables of docs/events.md and docs/events-v1.schema.json: `python -m tests.event_tables` writes them again."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentctl.render.documents import DOCUMENTS
from agentctl.render.schema import EVENTS, HEAD, document_name, schema
from agentctl.version import SCHEMA_VERSION

PAGE = Path(__file__).parent.parent / "docs" / "events.md"
SCHEMA = PAGE.with_name(f"events-v{SCHEMA_VERSION}.schema.json")

_TABLES = re.compile(r"(<!-- tables: (\w+) -->\n).*?(<!-- end of tables -->\n)", re.S)
_NAMES = {"string": "text", "array": "list"}


def with_tables(page: str) -> str:
    """Return the page with its tables as the schema has them."""
    return _TABLES.sub(lambda found: f"{found[1]}\n{_MADE[found[2]]()}\n{found[3]}", page)


def schema_text() -> str:
    """Return the schema as `agentctl events schema` prints it."""
    return f"{json.dumps(schema(), ensure_ascii=False, indent=2)}\n"


def _events() -> str:
    definitions = _definitions()
    return "\n".join(
        f"### `{name}`\n\n{definitions[name]['description']}\n\n{_table(definitions[name], without=set(HEAD))}"
        for name in EVENTS
    )


def _documents() -> str:
    definitions = _definitions()
    parts = [(f"`agentctl {command}`", definitions[document_name(command)]) for command in DOCUMENTS]
    return "\n".join(
        f"### {title}\n\n{part['description']}\n\n{_table(part, without={'schema_version'})}" for title, part in parts
    )


def _definitions() -> Any:
    return schema()["$defs"]


def _table(part: Any, *, without: set[str] = set()) -> str:  # noqa: B006  # never changed
    rows = [f"| `{name}` | {kind} | {text} |\n" for name, kind, text in _rows(part) if name not in without]
    return f"| field | type | meaning |\n| --- | --- | --- |\n{''.join(rows)}"


def _rows(part: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in part["properties"].items():
        optional = "" if name in part["required"] else ", optional"
        yield f"{place}{name}", f"{_type(field)}{optional}", field.get("description", "")
        inner, dots = (field["items"], "[].") if field.get("type") == "array" else (field, ".")
        if "properties" in inner:
            yield from _rows(inner, f"{place}{name}{dots}")


def _type(field: Any) -> str:
    if "$ref" in field:
        name = field["$ref"].removeprefix("#/$defs/")
        return f"[{name}](#{name})" if name in ("usage", "error") else "object"
    if "anyOf" in field:
        kinds = [_type(each) for each in field["anyOf"] if "enum" not in each]
        values = [f"`{value}`" for each in field["anyOf"] for value in each.get("enum", ())]
        listed = f": {', '.join(values)}" if 0 < len(values) < 6 else ""
        return f"{' or '.join(sorted(kinds, key=lambda kind: kind == 'null'))}{listed}"
    if "type" not in field:
        return "any"
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return " or ".join(_NAMES.get(kind, kind) for kind in kinds)


_MADE = {
    "head": lambda: _table({"properties": HEAD, "required": [*HEAD]}),
    "events": _events,
    "document": lambda: _table(_definitions()["document"]),
    "error": lambda: _table(_definitions()["error"]),
    "usage": lambda: _table(_definitions()["usage"]),
    "documents": _documents,
}


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
    SCHEMA.write_text(schema_text(), "utf-8")

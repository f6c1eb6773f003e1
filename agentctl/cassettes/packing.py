"""The events of an answer in few lines, and back: deltas of a text in one, no part of a response twice; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agentctl.agent.wire import WireEvent, WireItem
from agentctl.redaction import redact_text

_NOISE = "obfuscation"
"""A field of random length, with which a service hides the length of a delta."""


def pack(events: Iterable[WireEvent], base: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return events as records: several deltas of a text are one, and a response has only what has changed in it.

    `base` is an earlier response, from which the first one differs.
    """
    records: list[dict[str, Any]] = []
    done: list[WireItem] = []
    for given in events:
        event = {name: value for name, value in given.items() if name != _NOISE}
        if "delta" in event and records and _continues(records[-1], event):
            records[-1]["deltas"].append(event["delta"])
            continue
        record: dict[str, Any] = {"event": event}
        if "delta" in event:
            record["deltas"] = [event.pop("delta")]
        elif event.get("type") == "response.output_item.done":
            done.append(event.get("item") or {})
        if isinstance(response := event.get("response"), dict):
            event["response"], left_out = _changes(response, base, done)
            record |= left_out
            base = response
        records.append(record)
    return records


def unpack(records: Iterable[dict[str, Any]], base: dict[str, Any] | None = None) -> list[WireEvent]:
    """Return the events that `pack` made into records, with the same `base`.

    Raises:
        KeyError, TypeError: they are no such records.
    """
    events: list[WireEvent] = []
    base = base or {}
    done: list[WireItem] = []
    for record in records:
        event: WireEvent = dict(record["event"])
        if event.get("type") == "response.output_item.done":
            done.append(event.get("item") or {})
        if isinstance(changed := event.get("response"), dict):
            kept = {name: value for name, value in base.items() if name not in record.get("without", ())}
            output = {"output": list(done)} if record.get("output") == "of_items" else {}
            base = event["response"] = {**kept, **changed, **output}
        if "deltas" not in record:
            events.append(event)
            continue
        for index, delta in enumerate(record["deltas"]):
            place = {"sequence_number": event["sequence_number"] + index} if "sequence_number" in event else {}
            events.append({**event, **place, "delta": delta})
    return events


def mask_deltas(events: Sequence[WireEvent]) -> list[WireEvent]:
    """Return events without a secret that is split over the deltas of a text: its masked text is then one delta."""
    texts: dict[tuple[Any, ...], list[str]] = {}
    for event in events:
        if isinstance(delta := event.get("delta"), str):
            texts.setdefault(_text_of(event), []).append(delta)
    masked = {key: whole for key, parts in texts.items() if (whole := redact_text(text := "".join(parts))) != text}
    if not masked:
        return list(events)
    changed = []
    for event in events:
        key = _text_of(event)
        if (
            isinstance(event.get("delta"), str)
            and key in texts
            and redact_text("".join(texts[key])) != "".join(texts[key])
        ):
            event = {**event, "delta": masked.pop(key, "")}
        changed.append(event)
    return changed


def _text_of(event: WireEvent) -> tuple[Any, ...]:
    return tuple(event.get(name) for name in ("type", "item_id", "output_index", "content_index", "summary_index"))


def _continues(record: dict[str, Any], event: WireEvent) -> bool:
    """Return whether a delta is the next one of a record."""
    if "deltas" not in record or not isinstance(event["delta"], str):
        return False
    first = record["event"]
    if "sequence_number" in first and first["sequence_number"] + len(record["deltas"]) != event.get("sequence_number"):
        return False
    ignored = ("delta", "sequence_number")
    return {k: v for k, v in first.items() if k not in ignored} == {k: v for k, v in event.items() if k not in ignored}


def _changes(
    response: dict[str, Any], base: dict[str, Any] | None, done: list[WireItem]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a response that differ from its state before, and a note of those that are left out."""
    before = base or {}
    changed = {name: value for name, value in response.items() if name not in before or before[name] != value}
    note: dict[str, Any] = {}
    if without := [name for name in before if name not in response]:
        note["without"] = without
    if done and changed.get("output") == done:
        del changed["output"]
        note["output"] = "of_items"
    return changed, note

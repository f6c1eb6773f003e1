"""The execution of a step over any transport: event after event, and the step's fault."""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

Wire = dict[str, Any]


class Outlet(Protocol):
    """The transport of events to the client."""

    async def event(self, event: Wire) -> None:
        """Send an event."""

    async def frames(self, frames: list[Wire]) -> None:
        """Send frames that are no events of the response."""

    async def ping(self) -> None:
        """Send a keep-alive that is not an event."""

    async def flush(self) -> None:
        """Return when everything is on its way."""

    async def stop(self, stop: Wire) -> None:
        """Fail in the middle as the step says; return if the stream then ends tidily."""

    async def end(self) -> None:
        """End the answer."""


async def play(step: Wire, events: Iterable[Wire], outlet: Outlet) -> None:
    """Send the events, with the delays, insertions, silences and stops of the step."""
    stop, inserted, pause = (step.get(name) or {"at": -1} for name in ("stop", "inserted", "pause"))
    number = 0
    for number, event in enumerate(events):
        if number == stop["at"]:
            break
        if number == inserted["at"]:
            await outlet.frames(inserted["frames"])
        if number == pause["at"]:
            await _pause(pause, outlet)
        if step["delay"] and is_delta(event):
            await outlet.flush()
            await asyncio.sleep(step["delay"])
        await outlet.event(event)
    else:
        number += 1
        if number == inserted["at"]:
            await outlet.frames(inserted["frames"])
    await outlet.flush()
    if number == stop["at"]:
        await outlet.stop(stop)
    else:
        await outlet.end()
        if leaving := step.get("afterwards"):
            await outlet.flush()
            await outlet.stop(leaving)


def is_delta(event: Wire) -> bool:
    """Return whether the event is a piece of what the model says."""
    if "type" in event:
        return bool(event["type"].endswith(".delta"))
    told = (item for choice in event.get("choices", ()) for item in choice["delta"].items())
    return any(value for name, value in told if name != "role")


async def _pause(pause: Wire, outlet: Outlet) -> None:
    await outlet.flush()
    left: float = pause["seconds"]
    while left > 0:
        nap = min(left, pause["ping_every"] or left)
        await asyncio.sleep(nap)
        left -= nap
        if pause["ping_every"]:
            await outlet.ping()

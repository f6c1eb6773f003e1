"""Seeded faults of the fake service: of requests, of responses and of upgrades."""

import random
from collections.abc import Callable

from tests.service import steps
from tests.service.steps import Step

Fault = Callable[[random.Random, Step], list[Step]]
"""Returns the steps that take the place of one: a failure, then perhaps the step itself, for the retry."""

_CODES = (1000, 1001, 1003, 1005, 1006, 1008, 1009, 1011, 1012, 1013)


def _before_any_event(random: random.Random, step: Step) -> list[Step]:
    return [
        random.choice(
            [
                steps.http_error(random.choice([400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503])),
                steps.http_error(429, headers={"retry-after": "0.05"}),
                steps.drop_before_events(),
                steps.drop_before_events(headers=True),
                steps.closed(random.choice(_CODES), "of the soak"),
                steps.error_event(
                    random.choice(["server_is_overloaded", "rate_limit_exceeded", "insufficient_quota", None]),
                    form=random.choice(["nested", "flat", "status", "status_code", "detail"]),
                    first=True,
                ),
                steps.connection_limit(),
                steps.not_sse(),
                steps.not_sse("text/plain", ""),
                steps.raw(b"SSH-2.0-OpenSSH\r\n"),
                steps.raw(b"data: ping\n\n", end=False),
                steps.redirect("http://127.0.0.1:9/v1"),
                steps.hang(),
            ]
        ),
        step,
    ]


def _in_the_response(random: random.Random, step: Step) -> list[Step]:
    after = random.randint(1, 4)
    return [
        random.choice(
            [
                steps.cut(after, of=step),
                steps.cut(after, of=step, tidy=True),
                steps.closed(random.choice(_CODES), "of the soak", after=after, of=step),
                steps.failed(random.choice(["server_error", "rate_limit_exceeded", "invalid_prompt"]), of=step),
                steps.error_event("server_error", of=step),
                steps.hang(after, of=step),
                steps.half_open(after, of=step),
            ]
        ),
        step,
    ]


def _garbled(random: random.Random, step: Step) -> list[Step]:
    """Return the step with bytes of another protocol in its stream, if it has one."""
    return [steps.with_frames(step, random.randint(1, 4), b"\x00\xff\n\n")]


def _survived(random: random.Random, step: Step) -> list[Step]:
    """Return the step in such a way that a run goes on as if nothing had been."""
    return [
        random.choice(
            [
                steps.forgotten(step),
                steps.then_closed(step, random.choice(_CODES)),
                steps.large(1_200_000, of=step),
                steps.with_frames(step, 1, {"type": "vendor.news"}, {"type": "codex.keepalive"}),
                steps.silence(0.05, of=step, ping_every=0.01),
                steps.framed(step, newline=random.choice(["\n", "\r\n", "\r"]), comments=True, bytes_per_write=7),
            ]
        )
    ]


def _silent(random: random.Random, step: Step) -> list[Step]:
    """Return a completed response without an answer; the items of the first are lost unless they are streamed."""
    return [random.choice([steps.empty_output(step), steps.no_items(), steps.text("")])]


def has_silent(script: list[Step]) -> bool:
    """Return whether a response of a script may have no answer."""
    nothing = steps.no_items()["items"], steps.text("")["items"]
    return any(step.get("items") in nothing or step.get("overlay", {}).get("output") == [] for step in script)


def script(random: random.Random, calls: list[tuple[str, dict[str, int], str]], *, rate: float) -> list[Step]:
    """Return the script of a run that makes these calls one after another, each step with a fault at a rate."""
    script: list[Step] = []
    for step in [*(steps.tool_calls(call) for call in calls), steps.text("done")]:
        if random.random() >= rate:
            script.append(step)
            continue
        fault: Fault = random.choice([_before_any_event, _survived, _survived, _in_the_response, _garbled, _silent])
        script += fault(random, step)
    return script


def upgrades(random: random.Random, *, rate: float) -> list[Step]:
    """Return the answers to the upgrades of a run."""
    return [_upgrade(random) if random.random() < rate else steps.upgrade() for _ in range(3)]


def _upgrade(random: random.Random) -> Step:
    return random.choice(
        [
            steps.http_error(random.choice([400, 403, 404, 426, 429, 500, 503])),
            steps.not_sse(),
            steps.drop_before_events(),
            steps.redirect("http://127.0.0.1:9/v1"),
            steps.raw(b"SSH-2.0-OpenSSH\r\n", end=False),
            steps.raw(b"HTTP/1.1 2OO OK\r\n\r\n", end=False),
            steps.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n", end=False),
            steps.upgrade(then=steps.closed(random.choice(_CODES), "of the soak")),
            steps.upgrade(delay=0.05, pongs=False),
            steps.upgrade(deflate=False, max_size=400),
        ]
    )

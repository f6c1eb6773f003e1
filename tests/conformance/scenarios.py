"""The command lines whose machine output is recorded."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.service.steps import (
    Step,
    hang,
    http_error,
    incomplete,
    item,
    items,
    quirks,
    raw,
    reasoning,
    refusal,
    text,
    tool_calls,
)

AGENTS = '''
from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    ToolContext,
    ToolGuardrailFunctionOutput,
    function_tool,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
    tool_output_guardrail,
)

@input_guardrail(name="on topic")
def on_topic(context, agent, input):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="football" in str(input))


@output_guardrail(name="polite")
def polite(context, agent, output):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="rubbish" in str(output))


@tool_input_guardrail(name="known city")
def known_city(data):
    return ToolGuardrailFunctionOutput(output_info=None)


@tool_output_guardrail(name="short")
def short(data):
    return ToolGuardrailFunctionOutput(output_info=None)


@function_tool(tool_input_guardrails=[known_city], tool_output_guardrails=[short])
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sunny in {city}."


@function_tool
async def survey(context: ToolContext, cities: list[str]) -> str:
    """Survey cities."""
    for number, city in enumerate(cities, start=1):
        context.report_progress(number, len(cities), city)
    context.report_progress(None)
    return "All sunny."


@function_tool
def fail() -> str:
    """Fail."""
    raise ValueError("the sensor is broken")


@function_tool(needs_approval=True)
def pay(euros: int) -> str:
    """Pay an amount."""
    return f"Paid {euros}."


def break_down(context, agent):
    raise RuntimeError("the instructions cannot be made")


clerk = Agent(name="clerk", instructions="Pay.", tools=[pay])
agent = Agent(
    name="guide",
    instructions="Be brief.",
    tools=[weather, survey, fail, pay],
    handoffs=[clerk],
    input_guardrails=[on_topic],
    output_guardrails=[polite],
)
broken = Agent(name="broken", instructions=break_down)
typed = Agent(name="typed", output_type=list[str])
'''
PROJECT = '[agents]\nguide = "agents.py:agent"\n'
CASES = """
agent = "agents.py:agent"

[[case]]
name = "Oslo"
prompt = "Hi"
expect = { tools = ["weather"], contains = "Sunny" }

[[case]]
name = "Rome"
prompt = "Hi"
"""
ROWS = '{"thing": "the sky"}\n{"thing": "grass"}\n'
FILES = {"agents.py": AGENTS, "agentctl.toml": PROJECT, "guide.agenttest.toml": CASES, "rows.jsonl": ROWS}
WEATHER = tool_calls(("weather", {"city": "Oslo"}, "call_1"))
PAY = tool_calls(("pay", {"euros": 5}, "call_1"))
PRICES = json.dumps({"gpt-5-mini": {"input": 10, "output": 20}})
GUIDE = ("-a", "agents.py:agent")
SUSPENDED = ("run", *GUIDE, "--on-approval", "suspend", "--ticket", "ticket.json", "Pay.")
BATCH = ("batch", "run", "rows.jsonl", "-a", "agents.py:clerk", "--name", "things", "--concurrency", "1")
RETRY_SOON = {"Retry-After-Ms": "20"}
RATE_LIMIT = http_error(429, {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}, RETRY_SOON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The end of a run from outside: a signal, or the end of its reader, once it has printed `after`."""

    by: signal.Signals | Literal["reader"]
    after: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A command line, and what the fake service answers to it and to those before it."""

    arguments: tuple[str, ...]
    exit_code: int = 0
    steps: tuple[Step, ...] = ()
    upgrades: tuple[Step, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    """Command lines that are run before, in the same folder; the first steps are for them."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables; `ORIGIN` in a value is the base URL of the service."""
    stop: Stop | None = None
    typed: str | None = None
    """What is typed on a terminal; None runs it without one."""
    saved: tuple[str, str] | None = None
    """The document, and the file that it is saved to; None for stdout."""
    needs_key: bool = True
    is_rerun: bool = True
    """Whether tests run it again: not what takes long, or depends on time or the machine."""


def _run(*arguments: str, code: int = 0, **options: Any) -> Scenario:
    return Scenario(arguments=("run", "--format", "jsonl", *arguments), exit_code=code, **options)


def _document(*arguments: str, code: int = 0, **options: Any) -> Scenario:
    return Scenario(arguments=(*arguments, "--json"), exit_code=code, **options)


def _stopped(by: signal.Signals | Literal["reader"], code: int) -> Scenario:
    return _run("Hi", code=code, steps=(hang(after=6),), stop=Stop(by=by, after=b"text.delta"))


SCENARIOS: dict[str, Scenario] = {
    # The events, and the transports.
    "run-http": _run("--transport", "http", "Hi", steps=(text("Hello.", deltas=2),)),
    "run-websocket": _run("--transport", "websocket", *GUIDE, "Hi", steps=(WEATHER, text("Sunny."))),
    "run-auto-falls-back": _run(
        "--transport",
        "auto",
        *GUIDE,
        "Hi",
        env={"AGENTCTL_CLIENT_WEBSOCKET_BASE_URL": "ORIGIN"},
        upgrades=(http_error(426),),
        steps=(WEATHER, text("Sunny.")),
    ),
    "run-chat-completions": _run("--api", "chat_completions", *GUIDE, "Hi", steps=(WEATHER, text("Sunny."))),
    "run-other-server": _run(
        "--api",
        "chat_completions",
        *GUIDE,
        "Hi",
        steps=(quirks(WEATHER, call_ids=False, usage="never"), text("Sunny.")),
    ),
    "stream-tools": Scenario(
        arguments=("stream", "--format", "jsonl", *GUIDE, "Hi"),
        steps=(
            items(reasoning("Where?"), WEATHER),
            tool_calls(("survey", {"cities": ["Oslo", "Rome"]}, "call_2")),
            tool_calls(("fail", {}, "call_3")),
            text("Sunny."),
        ),
    ),
    "run-handoff": _run(
        *GUIDE, "--allow", "pay", "Pay.", steps=(tool_calls(("transfer_to_clerk", {}, "call_0")), PAY, text("Paid."))
    ),
    "run-denied-call": _run(*GUIDE, "--on-approval", "deny", "Pay.", steps=(PAY, text("I may not pay."))),
    "run-hosted-tool": _run(
        "Hi", steps=(items(item({"type": "web_search_call", "status": "completed"}), text("Found.")),)
    ),
    "run-retry": _run("Hi", steps=(RATE_LIMIT, http_error(503, "", RETRY_SOON), text("Hello."))),
    "run-warning": _run("Hi", steps=(incomplete(),)),
    "run-priced": _document("run", "-m", "gpt-5-mini", "Hi", env={"AGENTCTL_PRICES": PRICES}, steps=(text("Hello."),)),
    "run-typed": _document("run", "-a", "agents.py:typed", "Hi", steps=(text('{"response": ["a", "b"]}'),)),
    "run-session": _document("run", "--session", "trip", "Hi", steps=(text("Hello."),)),
    "run-resumed": _run(
        "--resume", "ticket.json", "--on-approval", "allow", before=(SUSPENDED,), steps=(PAY, text("Paid."))
    ),
    "run-replayed": _run(
        *GUIDE,
        "--replay",
        "c.jsonl",
        "Hi",
        before=(("run", *GUIDE, "--record", "c.jsonl", "Hi"),),
        steps=(WEATHER, text("Sunny.")),
    ),
    "run-dry": Scenario(arguments=("run", *GUIDE, "--dry-run", "Hi")),
    # The exit codes.
    "exit-0": _document("run", "Hi", steps=(text("Hello."),)),
    "exit-1": _run("-a", "agents.py:broken", "Hi", code=1),
    "exit-2": _run("--var", "town=Oslo", "Hi {{name}}", code=2),
    "exit-65": _run("Hi", code=65, steps=(raw(b"data: {not json}\n\n"),)),
    "exit-65-reply": _document("run", "-a", "agents.py:typed", "Hi", code=65, steps=(text('{"response": 5}'),)),
    "exit-69": _run(
        "Hi",
        code=69,
        steps=(http_error(404, {"error": {"message": "There is no model `x`.", "code": "model_not_found"}}),),
    ),
    "exit-75": _run("--retries", "1", "Hi", code=75, steps=(RATE_LIMIT, RATE_LIMIT)),
    "exit-77": _run("Hi", code=77, needs_key=False),
    "exit-78": _run("-a", "nowhere.py:agent", "Hi", code=78),
    "exit-80": _run(*GUIDE, "Hi", code=80, steps=(text("What rubbish."),)),
    "exit-81": _run(*GUIDE, "--max-turns", "1", "Hi", code=81, steps=(WEATHER,)),
    "exit-82": _run(*GUIDE, "--max-tokens-total", "20", "Hi", code=82, steps=(WEATHER, text("Sunny."))),
    "exit-83": _run(*GUIDE, "--allow", "pay:3", "Pay.", code=83, steps=(PAY,)),
    "exit-84": _run(*SUSPENDED[1:], code=84, steps=(PAY,)),
    "exit-85": _run("Hi", code=85, steps=(refusal("I may not."),)),
    "exit-86": _run(
        *GUIDE,
        "--replay",
        "c.jsonl",
        "Good bye",
        code=86,
        before=(("run", *GUIDE, "--record", "c.jsonl", "Hi"),),
        steps=(WEATHER, text("Sunny.")),
    ),
    "exit-124": _run("--timeout", "2", "Hi", code=124, steps=(hang(after=6),), is_rerun=False),
    "exit-129": _stopped(signal.SIGHUP, 129),
    "exit-130": _stopped(signal.SIGINT, 130),
    "exit-141": _stopped("reader", 141),
    "exit-143": _stopped(signal.SIGTERM, 143),
    # Batches: as many events as there is time for.
    "batch-run": Scenario(
        arguments=(*BATCH, "--format", "jsonl"),
        exit_code=1,
        steps=(text("Blue."), http_error(400, {"error": {"message": "No such thing."}})),
        is_rerun=False,
    ),
    "batch-list": _document("batch", "list", before=((*BATCH, "--limit", "1"),), is_rerun=False),
    "batch-show": _document(
        "batch", "show", "things", "--waiting", before=((*BATCH, "--limit", "1"),), steps=(PAY,), is_rerun=False
    ),
    # The documents of other commands.
    "agents-list": _document("agents", "list", before=(("trust",),)),
    "agents-list-file": _document("agents", "list", "agents.py"),
    "agents-show": _document("agents", "show", "agents.py:agent"),
    "agents-check": _document("agents", "check", "agents.py:agent", "agents.py:lost", code=78),
    "approvals-list": _document("approvals", "list", before=(SUSPENDED,), steps=(PAY,)),
    "approvals-show": _document("approvals", "show", "ticket.json", before=(SUSPENDED,), steps=(PAY,)),
    "approvals-approve": _document("approvals", "approve", "ticket.json", before=(SUSPENDED,), steps=(PAY,)),
    "approvals-deny": _document(
        "approvals", "deny", "ticket.json", "--always", "--message", "No.", before=(SUSPENDED,), steps=(PAY,)
    ),
    "budget-list": _document("budget", "list", before=(("budget", "set", "ci", "--tokens", "2M"),)),
    "budget-show": _document("budget", "show", "ci", before=(("budget", "set", "ci", "--usd", "5", "--per", "month"),)),
    "chat-save": Scenario(
        arguments=("chat",),
        typed="Hi\n/save conversation.json\n\x04",
        env={"TERM": "dumb"},
        steps=(text("Hello."),),
        saved=("chat /save", "conversation.json"),
    ),
    "config-api": _document("config", "api"),
    "config-client": _document("config", "client"),
    "config-get": _document("config", "get", "model"),
    "config-model": _document("config", "model", before=(("config", "model", "gpt-5-mini"),)),
    "config-path": _document("config", "path"),
    "config-profiles-list": _document(
        "config", "profiles", "list", before=(("config", "model", "m", "--profile", "work"),)
    ),
    "config-show": _document("config", "show"),
    "config-transport": _document("config", "transport"),
    "doctor": _document("doctor", is_rerun=False),
    "doctor-leak-test": _document("doctor", "--leak-test", is_rerun=False),
    "explain-exit": _document("explain-exit", "75"),
    "explain-exit-all": _document("explain-exit"),
    "models-list": _document("models", "list"),
    "sessions-list": _document("sessions", "list", before=(("run", "--session", "trip", "Hi"),)),
    "sessions-show": _document("sessions", "show", "trip", before=(("run", "--session", "trip", "Hi"),)),
    "test": _document(
        "test",
        "guide.agenttest.toml",
        code=1,
        before=(("test", "guide.agenttest.toml", "--update", "--yes", "--filter", "Oslo"),),
        steps=(WEATHER, text("Sunny.")),
    ),
    "trace-list": _document("trace", "list", before=(("run", "Hi"),)),
    "trace-show": _document(
        "trace", "show", "--last", before=(("run", *GUIDE, "Hi"),), steps=(WEATHER, text("Sunny."))
    ),
    "trace-status": _document("trace", "status"),
    "trace-processors-list": _document("trace", "processors", "list"),
    "trust": _document("trust"),
    "trust-list": _document("trust", "--list", before=(("trust",),)),
    "trust-revoke": _document("trust", "--revoke", before=(("trust",),)),
}

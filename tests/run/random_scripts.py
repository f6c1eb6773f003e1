"""Random runs: a script says turn by turn what the model asks for, and what people decide; agents that play it."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from hypothesis import strategies as st

from agentctl import (
    Agent,
    RunContextWrapper,
    RunHooks,
    ServiceUnavailableError,
    ShellActionRequest,
    ShellCommandRequest,
    ShellTool,
    Tool,
    ToolApprovalItem,
    ToolContext,
    Usage,
    function_tool,
)
from agentctl.agent.ports import ModelRequest
from agentctl.agent.wire import WireItem
from agentctl.testing import ScriptedModel, assistant_message, function_call

_numbers = itertools.count()
_records: WeakValueDictionary[int, "Record"] = WeakValueDictionary()
"""What the tools write to, by the number in the context of the run: it goes through the JSON of a state."""

ASKED = frozenset({"ask_sync", "ask_async", "ask_fail", "ask_raise", "ask_sub"})
"""The tools whose calls always wait for a yes."""


@dataclass(frozen=True)
class Call:
    """A tool call of the model, and what is decided about it if it waits."""

    tool: str
    call_id: str
    is_risky: bool
    approved: bool
    message: str | None
    run: "Script | None" = None
    """What the agent does that the tool is."""

    @property
    def waits(self) -> bool:
        return self.tool in ASKED or (self.tool in ("maybe", "shell") and self.is_risky)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"input": self.run.key} if self.run else {"risky": self.is_risky}

    @property
    def wire(self) -> WireItem:
        """The call as the model makes it."""
        if self.tool != "shell":
            return function_call(self.tool, self.arguments, call_id=self.call_id)
        action = {"commands": ["rm" if self.is_risky else "ls"]}
        return {"type": "shell_call", "id": f"sh_{self.call_id}", "call_id": self.call_id, "action": action}


@dataclass(frozen=True)
class Turn:
    calls: tuple[Call, ...]
    handoffs: tuple[str, ...] = ()
    """The ids of the calls that ask for the other agent."""
    says: str | None = None
    fails_once: bool = False
    """Whether the model fails when it is asked for the first time."""


@dataclass(frozen=True)
class Script:
    """What the model answers in one run, turn by turn; then it fails, or gives a final text."""

    key: str
    turns: tuple[Turn, ...]
    fails: bool

    def calls(self) -> list[Call]:
        """Return every call, those of the runs within calls too."""
        own = [call for turn in self.turns for call in turn.calls]
        return own + [inner for call in own if call.run for inner in call.run.calls()]


@st.composite
def scripts(draw: st.DrawFn, *, may_fail_once: bool = False) -> Script:
    """Draw a script."""
    number = iter(range(1_000_000))

    def call(depth: int, kinds: list[str]) -> Call:
        tool = draw(st.sampled_from(kinds))
        approved = draw(st.booleans())
        return Call(
            tool=tool,
            call_id=f"c{next(number)}",
            is_risky=draw(st.booleans()),
            approved=approved,
            message=None if approved else draw(st.sampled_from([None, "No."])),
            run=script(f"job {next(number)}", depth + 1) if tool.endswith("sub") else None,
        )

    def turn(depth: int) -> Turn:
        fails_once = may_fail_once and draw(st.integers(0, 5)) == 0
        if draw(st.integers(0, 7)) == 0:  # A call that ends the run is alone: what else would get done is chance.
            return Turn(calls=(call(depth, ["raise", "ask_raise"]),), fails_once=fails_once)
        kinds = ["sync", "async", "fail", "ask_sync", "ask_async", "ask_fail", "maybe", "shell"]
        kinds += ["sub", "ask_sub"] * (2 if depth < 2 else 0)
        calls = tuple(call(depth, kinds) for _ in range(draw(st.integers(0, 3))))
        count = draw(st.sampled_from([0, 0, 0, 1, 2])) if depth == 0 else 0
        handoffs = tuple(f"c{next(number)}" for _ in range(count))
        if not calls and not handoffs:
            calls = (call(depth, ["ask_sync"]),)
        return Turn(calls=calls, handoffs=handoffs, says=draw(st.sampled_from([None, "wait"])), fails_once=fails_once)

    def script(key: str, depth: int) -> Script:
        turns = tuple(turn(depth) for _ in range(draw(st.integers(0 if depth else 1, 3 - depth))))
        return Script(key, turns, draw(st.integers(0, 5)) == 0)

    return script("job", 0)


@dataclass(eq=False)
class Record(RunHooks[Any]):
    """What was done, whoever did it: the outside of all runs of a script."""

    done: Counter[str] = field(default_factory=Counter)
    """How often each call was made, by its id."""
    told: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """What hooks were told."""
    failed: set[str] = field(default_factory=set)
    """The turns at which the model has failed once."""

    def __post_init__(self) -> None:
        self.context = {"record": next(_numbers)}
        _records[self.context["record"]] = self

    async def on_llm_start(self, context: Any, agent: Any, *_: Any) -> None:
        self.told["llm", agent.name] += 1

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        self.told["start", agent.name] += 1

    async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
        self.told["end", agent.name, output] += 1

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        self.told["handoff", from_agent.name, to_agent.name] += 1

    async def on_tool_start(self, context: Any, agent: Any, tool: Tool) -> None:
        self.told["tool", tool.name] += 1

    async def on_tool_end(self, context: Any, agent: Any, tool: Tool, result: object) -> None:
        self.told["tool end", tool.name, str(result)] += 1


def agents(script: Script, record: Record) -> Agent[Any]:
    """Return the agent that plays a script, with all that belong to it: as a process of its own would have them."""
    usage = Usage(requests=1, input_tokens=5, output_tokens=2, total_tokens=7)
    model = ScriptedModel([_answer(script, record)] * 200, default_usage=usage)
    innermost = Agent(name="innermost", model=model, tools=TOOLS)
    inner = Agent(name="inner", model=model, tools=[*TOOLS, *_as_tools(innermost, record)])
    first = Agent(name="first", model=model, tools=[*TOOLS, *_as_tools(inner, record)])
    second = Agent(name="second", model=model, tools=first.tools, handoffs=[first])
    first.handoffs = [second]
    return first


def decided(script: Script, record: Record) -> RunContextWrapper[Any]:
    """Return a context in which everything is decided that a script asks."""
    context = RunContextWrapper[Any](record.context)
    for name in ("first", "second", "inner", "innermost"):
        for call in filter(lambda call: call.waits, script.calls()):
            item = ToolApprovalItem(Agent(name=name), call.wire, call.tool)
            decide(item, call, context.approve_tool, context.reject_tool)
    return context


def decide(item: ToolApprovalItem, call: Call, approve: Callable[..., None], reject: Callable[..., None]) -> None:
    """Decide about a call as its script says."""
    if call.approved:
        approve(item)
    else:
        reject(item, rejection_message=call.message)


def _as_tools(agent: Agent[Any], record: Record) -> list[Tool]:
    return [
        agent.as_tool("sub", "", hooks=record),
        agent.as_tool("ask_sub", "", hooks=record, needs_approval=True),
    ]


def _make(context: ToolContext[Any]) -> str:
    """Note that a call is made."""
    _records[context.context["record"]].done[context.tool_call_id] += 1
    return context.tool_call_id


def _sync(context: ToolContext[Any], risky: bool) -> str:
    return f"did {_make(context)}"


async def _async(context: ToolContext[Any], risky: bool) -> dict[str, str]:
    call_id = _make(context)
    await asyncio.sleep(0)
    return {"did": call_id}


def _fail(context: ToolContext[Any], risky: bool) -> str:
    raise OSError(f"no such room: {_make(context)}")


def _run_command(request: ShellCommandRequest) -> str:
    _records[request.ctx_wrapper.context["record"]].done[request.data.call_id] += 1
    return f"ran {request.data.call_id}"


def _is_rm(context: RunContextWrapper[Any], action: ShellActionRequest, call_id: str) -> bool:
    return "rm" in action.commands


async def _needs(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
    return bool(arguments["risky"])


def _tools(before: str, *, needs_approval: bool) -> list[Tool]:
    return [
        function_tool(_sync, name_override=f"{before}sync", needs_approval=needs_approval),
        function_tool(_async, name_override=f"{before}async", needs_approval=needs_approval),
        function_tool(_fail, name_override=f"{before}fail", needs_approval=needs_approval),
        function_tool(
            _fail, name_override=f"{before}raise", needs_approval=needs_approval, failure_error_function=None
        ),
    ]


TOOLS = [
    ShellTool(executor=_run_command, needs_approval=_is_rm),
    function_tool(_async, name_override="maybe", needs_approval=_needs),
    *_tools("", needs_approval=False),
    *_tools("ask_", needs_approval=True),
]


def _answer(script: Script, record: Record) -> Callable[[ModelRequest], list[WireItem]]:
    by_key = {"job": script, **{call.run.key: call.run for call in script.calls() if call.run}}

    def answer(request: ModelRequest) -> list[WireItem]:
        given = request.input
        key = given if isinstance(given, str) else str(given[0]["content"])
        played = by_key[key]
        place = 0 if isinstance(given, str) else sum(item.get("type") == "reasoning" for item in given)
        thought: WireItem = {"type": "reasoning", "id": f"{key}: {place}", "summary": []}
        if place < len(played.turns):
            turn = played.turns[place]
            if turn.fails_once and thought["id"] not in record.failed:
                record.failed.add(thought["id"])
                raise ServiceUnavailableError("overloaded")
            said = [assistant_message(turn.says, item_id=f"{key}, {place}")] if turn.says else []
            calls = [call.wire for call in turn.calls]
            other = request.handoffs[0].tool_name if request.handoffs else ""
            return [thought, *said, *calls, *(function_call(other, {}, call_id=call_id) for call_id in turn.handoffs)]
        if played.fails:
            raise ServiceUnavailableError("gone")
        return [thought, assistant_message(f"{key} is done", item_id=f"{key}, {place}")]

    return answer

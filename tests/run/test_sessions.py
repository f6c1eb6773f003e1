"""Runs that go on from a session and are kept in it: each item once, and no call without its output."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    OutputGuardrail,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    RunState,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    UserError,
    function_tool,
    handoff,
)
from agentctl.agent.handoff import HandoffInputData
from agentctl.run.open_calls import NO_OUTPUT
from agentctl.testing import ModelStep, ScriptedModel, function_call

Run = Callable[..., Any]
Item = dict[str, Any]


class Book(SessionABC):
    """A session that notes what it is told, one write a line."""

    session_id = "book"

    def __init__(self, *items: Item) -> None:
        self.items = list(items)
        self.writes: list[list[Item]] = []
        self.limits: list[int | None] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        self.limits.append(limit)
        return list(self.items) if limit is None else self.items[max(0, len(self.items) - limit) :]

    async def add_items(self, items: list[Item]) -> None:
        self.writes.append(items)
        self.items += items

    async def pop_item(self) -> Item | None:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items.clear()


def user(text: str) -> Item:
    return {"role": "user", "content": text}


def call(call_id: str, name: str = "double") -> Item:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


def output(call_id: str) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": "4"}


def told(items: Any) -> list[str]:
    """Return items as short words."""
    assert isinstance(items, list)
    return [_told(item) for item in items]


def _told(item: Item) -> str:
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            return f"{item['role']}: {content if isinstance(content, str) else content[0]['text']}"
        case "function_call":
            return f"call {item['call_id']}"
        case "function_call_output":
            return f"output {item['call_id']}"
        case kind:
            return str(kind)


@function_tool
def double(number: int = 2) -> str:
    """Double a number."""
    return str(number * 2)


@function_tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    return "paid"


@function_tool(failure_error_function=None)
def fail() -> str:
    """Fail."""
    raise ValueError("no")


def agent(*steps: Any, **options: Any) -> Agent[Any]:
    return Agent(name="a", model=ScriptedModel(steps), tools=[double, pay, fail], **options)


def scripted(of: Agent[Any]) -> ScriptedModel:
    assert isinstance(of.model, ScriptedModel)
    return of.model


def asked(of: Agent[Any]) -> list[list[str]]:
    return [told(call.input) for call in scripted(of).calls]


def test_a_run_reads_the_session_first_and_is_kept_in_it(run: Run) -> None:
    book, one = Book(user("old")), agent("hello")
    result = run(one, "hi", session=book)
    assert asked(one) == [["user: old", "user: hi"]]
    assert [told(write) for write in book.writes] == [["user: hi", "assistant: hello"]]
    assert told(result.input) == ["user: old", "user: hi"]
    assert told(result.to_input_list()) == ["user: old", "user: hi", "assistant: hello"]


def test_each_turn_is_one_write_with_the_outputs_of_its_calls(run: Run) -> None:
    book = Book()
    calls = [function_call("double", {"number": 2}, call_id="1"), function_call("double", {"number": 3}, call_id="2")]
    run(agent(calls, [function_call("double", {}, call_id="3")], "done"), "hi", session=book)
    assert [told(write) for write in book.writes] == [
        ["user: hi", "call 1", "call 2", "output 1", "output 2"],
        ["call 3", "output 3"],
        ["assistant: done"],
    ]


def test_the_next_run_goes_on_from_the_one_before(run: Run) -> None:
    book, one = Book(), agent("one", "two")
    run(one, "a", session=book)
    run(one, [user("b"), user("c")], session=book)
    assert asked(one)[1] == ["user: a", "assistant: one", "user: b", "user: c"]
    assert told(book.items) == ["user: a", "assistant: one", "user: b", "user: c", "assistant: two"]


def test_the_limit_of_the_run_goes_over_that_of_the_session(run: Run) -> None:
    book = Book(user("1"), user("2"), user("3"))
    book.session_settings = SessionSettings(limit=2)
    one = agent("x", "y", "z")
    run(one, "hi", session=book)
    run(one, "ho", session=book, run_config=RunConfig(session_settings={"limit": 1}))
    run(one, "he", session=book, run_config=RunConfig(session_settings=SessionSettings(limit=0)))
    assert asked(one) == [["user: 2", "user: 3", "user: hi"], ["assistant: x", "user: ho"], ["user: he"]]


def test_a_limited_history_never_begins_with_an_output_whose_call_is_cut_off(run: Run) -> None:
    book, one = Book(user("q"), call("9"), output("9"), {"role": "assistant", "content": "z"}), agent("x")
    run(one, "hi", session=book, run_config=RunConfig(session_settings=SessionSettings(limit=2)))
    assert asked(one) == [["assistant: z", "user: hi"]]


def test_a_call_that_somebody_left_without_an_output_is_not_sent(run: Run) -> None:
    book, one = Book(user("q"), {"type": "reasoning", "id": "rs", "summary": []}, call("9")), agent("x")
    run(one, "hi", session=book)
    assert asked(one) == [["user: q", "user: hi"]]
    assert told(book.items)[:3] == ["user: q", "reasoning", "call 9"]


def test_the_output_of_a_call_in_the_session_may_come_as_input(run: Run) -> None:
    book, one = Book(user("q"), call("9")), agent("x")
    run(one, [output("9")], session=book)
    assert asked(one) == [["user: q", "call 9", "output 9"]]
    assert told(book.items) == ["user: q", "call 9", "output 9", "assistant: x"]


@pytest.mark.parametrize(
    ("callback", "sent", "saved"),
    [
        (lambda held, new: held[-1:] + new, ["user: b", "user: hi"], ["user: hi"]),
        (lambda held, new: new + held, ["user: hi", "user: a", "user: b"], ["user: hi"]),
        (lambda held, new: [dict(item) for item in held + new], ["user: a", "user: b", "user: hi"], ["user: hi"]),
        (
            lambda held, new: [*held, user("b"), *new],
            ["user: a", "user: b", "user: b", "user: hi"],
            ["user: b", "user: hi"],
        ),
        (lambda held, new: held, ["user: a", "user: b"], []),
    ],
)
def test_the_input_callback_decides_what_is_sent_and_which_new_items_are_kept(
    run: Run, callback: Any, sent: list[str], saved: list[str]
) -> None:
    async def later(held: list[Item], new: list[Item]) -> list[Item]:
        result: list[Item] = callback(held, new)
        return result

    for made in (callback, later):
        book, one = Book(user("a"), user("b")), agent("x")
        run(one, "hi", session=book, run_config=RunConfig(session_input_callback=made))
        assert asked(one) == [sent]
        assert [told(write) for write in book.writes] == [[*saved, "assistant: x"]]


def test_new_input_that_says_what_was_said_before_is_kept_again(run: Run) -> None:
    book = Book(user("hi"))
    run(agent("x"), "hi", session=book, run_config=RunConfig(session_input_callback=lambda held, new: held + new))
    assert told(book.items) == ["user: hi", "user: hi", "assistant: x"]


@pytest.mark.parametrize("callback", [5, lambda held, new: "text"])
def test_a_callback_that_is_none_or_gives_no_list_is_refused(run: Run, callback: Any) -> None:
    with pytest.raises(UserError, match="session_input_callback"):
        run(agent("x"), "hi", session=Book(), run_config=RunConfig(session_input_callback=callback))


@pytest.mark.parametrize(
    "option", [{"conversation_id": "c"}, {"previous_response_id": "r"}, {"auto_previous_response_id": True}]
)
def test_a_session_and_a_history_that_the_service_keeps_exclude_each_other(run: Run, option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="session"):
        run(agent("x"), "hi", session=Book(), **option)


def test_an_object_that_is_no_session_is_refused(run: Run) -> None:
    with pytest.raises(UserError, match="str"):
        run(agent("x"), "hi", session="book")


def test_a_run_that_fails_in_its_first_turn_can_be_tried_again_without_saying_it_twice(run: Run) -> None:
    book, one = Book(), agent(ModelStep(error=RuntimeError("down")), "x")
    with pytest.raises(RuntimeError):
        run(one, "hi", session=book)
    assert book.writes == []
    run(one, "hi", session=book)
    assert told(book.items) == ["user: hi", "assistant: x"]


def test_a_run_that_fails_later_leaves_its_whole_turns(run: Run) -> None:
    book = Book()
    with pytest.raises(UserError):
        run(
            agent([function_call("double", {}, call_id="1")], [function_call("fail", {}, call_id="2")]),
            "hi",
            session=book,
        )
    assert told(book.items) == ["user: hi", "call 1", "output 1"]


def test_a_run_that_reaches_its_limit_of_turns_leaves_them(run: Run) -> None:
    book = Book()
    with pytest.raises(MaxTurnsExceeded):
        run(agent([function_call("double", {}, call_id="1")]), "hi", session=book, max_turns=1)
    assert told(book.items) == ["user: hi", "call 1", "output 1"]


def test_the_message_of_an_error_handler_is_kept(run: Run) -> None:
    book = Book()
    handlers = {"max_turns": lambda given: "sorry"}
    run(agent([function_call("double", {}, call_id="1")]), "hi", session=book, max_turns=1, error_handlers=handlers)
    assert told(book.items) == ["user: hi", "call 1", "output 1", "assistant: sorry"]


@pytest.mark.parametrize("in_parallel", [True, False])
def test_an_input_that_a_guardrail_stops_is_kept_alone(run: Run, in_parallel: bool) -> None:
    async def trip(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, True)

    book = Book()
    guardrail = InputGuardrail(trip, run_in_parallel=in_parallel)
    with pytest.raises(InputGuardrailTripwireTriggered):
        run(agent("x", input_guardrails=[guardrail]), "hi", session=book)
    assert [told(write) for write in book.writes] == [["user: hi"]]


def test_an_input_guardrail_is_shown_what_the_session_holds(run: Run) -> None:
    seen: list[Any] = []

    async def look(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        seen.append(given)
        return GuardrailFunctionOutput(None, False)

    run(agent("x", input_guardrails=[InputGuardrail(look)]), "hi", session=Book(user("old")))
    assert told(seen[0]) == ["user: old", "user: hi"]


def test_an_answer_that_a_guardrail_holds_back_is_not_kept(run: Run) -> None:
    async def trip(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, True)

    for steps, kept in (
        (["x"], ["user: hi"]),
        ([[function_call("double", {}, call_id="1")], "x"], ["user: hi", "call 1", "output 1"]),
    ):
        book = Book()
        with pytest.raises(OutputGuardrailTripwireTriggered):
            run(agent(*steps, output_guardrails=[OutputGuardrail(trip)]), "hi", session=book)
        assert told(book.items) == kept


def test_outputs_of_tools_that_a_guardrail_holds_back_are_kept_as_the_message_in_their_place(run: Run) -> None:
    async def trip(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, True)

    book = Book()
    one = agent(
        [function_call("double", {}, call_id="1")],
        output_guardrails=[OutputGuardrail(trip)],
        tool_use_behavior="stop_on_first_tool",
    )
    with pytest.raises(OutputGuardrailTripwireTriggered):
        run(one, "hi", session=book)
    assert told(book.items) == ["user: hi", "call 1", "output 1"]
    assert book.items[2]["output"] != "4"


def test_what_a_handoff_filter_changes_is_kept_as_it_was(run: Run) -> None:
    def forget(data: HandoffInputData) -> HandoffInputData:
        return data.clone(input_history="forgotten", pre_handoff_items=(), new_items=())

    book = Book(user("old"))
    second = Agent[Any](name="b", model=ScriptedModel(["y"]))
    first = agent([function_call("transfer_to_b", {}, call_id="1")], handoffs=[handoff(second, input_filter=forget)])
    run(first, "hi", session=book)
    assert asked(second) == [["user: forgotten"]]
    assert told(book.items) == ["user: old", "user: hi", "call 1", "output 1", "assistant: y"]


def test_a_turn_that_waits_for_a_yes_is_kept_once_it_is_over(run: Run) -> None:
    book = Book(user("old"))
    calls = [function_call("double", {}, call_id="1"), function_call("pay", {}, call_id="2")]
    one = agent([function_call("double", {}, call_id="0")], calls, "done")
    result = run(one, "hi", session=book)
    assert told(book.items) == ["user: old", "user: hi", "call 0", "output 0"]

    state = result.to_state()
    for _ in range(2):  # Going on from the same state again would be another run: here only the JSON of it is.
        text = json.dumps(state.to_json())
        state = asyncio.run(RunState.from_json(one, json.loads(text)))
    state.approve(state.get_interruptions()[0])
    result = run(one, state, session=book)
    assert [told(write) for write in book.writes[1:]] == [
        ["call 1", "call 2", "output 1", "output 2"],
        ["assistant: done"],
    ]
    assert book.limits == [None]
    assert told(result.to_input_list()) == told(book.items)


def test_a_run_that_goes_on_without_having_had_a_session_is_kept_whole(run: Run) -> None:
    one, book = agent([function_call("pay", {}, call_id="2")], "done"), Book()
    state = run(one, "hi").to_state()
    state.approve(state.get_interruptions()[0])
    run(one, state, session=book)
    assert told(book.items) == ["user: hi", "call 2", "output 2", "assistant: done"]


def test_input_that_is_added_before_going_on_is_kept_in_its_place(run: Run) -> None:
    one, book = agent([function_call("pay", {}, call_id="2")], "done"), Book()
    state = run(one, "hi", session=book).to_state()
    state.approve(state.get_interruptions()[0])
    state.add_input("more")
    run(one, state, session=book)
    assert told(book.items) == ["user: hi", "call 2", "output 2", "user: more", "assistant: done"]


def test_an_agent_that_is_a_tool_has_a_session_of_its_own(run: Run) -> None:
    inner, outer = Book(), Book()
    helper = Agent[Any](name="helper", model=ScriptedModel(["one", "two"]))
    tool = helper.as_tool("ask", "Ask.", session=inner)
    calls = [[function_call("ask", {"input": "a"}, call_id="1")], [function_call("ask", {"input": "b"}, call_id="2")]]
    run(Agent(name="a", model=ScriptedModel([*calls, "done"]), tools=[tool]), "hi", session=outer)
    assert told(inner.items) == ["user: a", "assistant: one", "user: b", "assistant: two"]
    assert told(outer.items) == ["user: hi", "call 1", "output 1", "call 2", "output 2", "assistant: done"]


def test_an_agent_tool_that_waits_for_a_yes_saves_nothing_twice(run: Run) -> None:
    inner, outer = Book(), Book()
    helper = Agent[Any](
        name="helper", model=ScriptedModel([[function_call("pay", {}, call_id="p")], "paid it"]), tools=[pay]
    )
    tool = helper.as_tool("ask", "Ask.", session=inner)
    one = Agent[Any](
        name="a", model=ScriptedModel([[function_call("ask", {"input": "a"}, call_id="1")], "done"]), tools=[tool]
    )
    state = run(one, "hi", session=outer).to_state()
    state = asyncio.run(RunState.from_json(one, json.loads(json.dumps(state.to_json()))))
    state.approve(state.get_interruptions()[0])
    run(one, state, session=outer)
    assert told(inner.items) == ["user: a", "call p", "output p", "assistant: paid it"]
    assert told(outer.items) == ["user: hi", "call 1", "output 1", "assistant: done"]


def test_an_agent_tool_takes_a_session_or_a_conversation_of_the_service() -> None:
    with pytest.raises(UserError, match="session"):
        agent("x").as_tool("ask", "Ask.", session=Book(), conversation_id="c")


@dataclass
class Broken(Book):
    reads: bool

    def __post_init__(self) -> None:
        super().__init__()

    async def get_items(self, limit: int | None = None) -> list[Item]:
        if self.reads:
            raise OSError("cannot read")
        return []

    async def add_items(self, items: list[Item]) -> None:
        raise OSError("cannot write")


@pytest.mark.parametrize("reads", [True, False])
def test_what_the_session_raises_ends_the_run_as_it_is(run: Run, reads: bool) -> None:
    one = agent([function_call("double", {}, call_id="1")], "x")
    with pytest.raises(OSError, match="cannot read" if reads else "cannot write"):
        run(one, "hi", session=Broken(reads=reads))
    assert len(asked(one)) == (0 if reads else 1)


def test_a_session_of_the_users_need_not_know_settings(run: Run) -> None:
    class Plain:
        session_id = "plain"
        items: list[Item] = []  # noqa: RUF012

        async def get_items(self) -> list[Item]:
            return self.items

        async def add_items(self, items: list[Item]) -> None:
            self.items.extend(items)

    run(agent("x"), "hi", session=Plain())
    assert told(Plain.items) == ["user: hi", "assistant: x"]


@function_tool
async def wait() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()
    return "never"


def test_a_cancelled_run_leaves_the_session_with_an_output_for_every_call() -> None:
    async def scenario() -> Book:
        book = Book()
        calls = [function_call("double", {}, call_id="1"), function_call("wait", {}, call_id="2")]
        one = Agent[Any](name="a", model=ScriptedModel([calls]), tools=[double, wait])
        result = Runner.run_streamed(one, "hi", session=book)
        async for event in result.stream_events():
            if event.type == "run_item_stream_event" and told([event.item.to_input_item()]) == ["call 2"]:
                result.cancel()
        assert told(result.to_input_list()) == told(book.items)
        await asyncio.wait([result.run_loop_task])
        return book

    book = asyncio.run(scenario())
    assert [told(write) for write in book.writes] == [["user: hi", "call 1", "call 2", "output 1", "output 2"]]
    assert book.items[-1]["output"] == NO_OUTPUT


def test_a_run_that_is_cancelled_with_its_task_is_kept_the_same_way() -> None:
    async def scenario() -> Book:
        book = Book()
        one = Agent[Any](name="a", model=ScriptedModel([[function_call("wait", {}, call_id="2")]]), tools=[wait])
        task = asyncio.create_task(Runner.run(one, "hi", session=book))
        for _ in range(30):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return book

    assert told(asyncio.run(scenario()).items) == ["user: hi", "call 2", "output 2"]


def test_cancelling_after_the_turn_keeps_the_turn() -> None:
    async def scenario() -> Book:
        book = Book()
        one = agent([function_call("double", {}, call_id="1")], "never")
        result = Runner.run_streamed(one, "hi", session=book)
        async for event in result.stream_events():
            if event.type == "run_item_stream_event":
                result.cancel("after_turn")
        await asyncio.wait([result.run_loop_task])
        return book

    assert told(asyncio.run(scenario()).items) == ["user: hi", "call 1", "output 1"]


class Slow(Book):
    """Lets others go on in the middle of a write."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = asyncio.Event()

    async def add_items(self, items: list[Item]) -> None:
        self.has_begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
        await super().add_items(items)


def test_cancelling_in_the_middle_of_a_write_neither_loses_nor_doubles_it() -> None:
    async def scenario() -> Slow:
        book = Slow()
        result = Runner.run_streamed(agent([function_call("double", {}, call_id="1")], "x"), "hi", session=book)
        await book.has_begun.wait()
        result.cancel()
        async for _ in result.stream_events():
            pass
        await asyncio.wait([result.run_loop_task])
        return book

    assert told(asyncio.run(scenario()).items) == ["user: hi", "call 1", "output 1"]


def test_a_session_that_fails_a_cancelled_run_is_told_to_its_reader() -> None:
    async def scenario() -> None:
        one = Agent[Any](name="a", model=ScriptedModel([[function_call("wait", {}, call_id="2")]]), tools=[wait])
        result = Runner.run_streamed(one, "hi", session=Broken(reads=False))
        async for event in result.stream_events():
            if event.type == "run_item_stream_event":
                result.cancel()

    with pytest.raises(OSError, match="cannot write"):
        asyncio.run(scenario())


def test_run_sync_takes_a_session() -> None:
    book = Book()
    Runner.run_sync(agent("x"), "hi", session=book)
    assert told(book.items) == ["user: hi", "assistant: x"]


def test_a_state_that_says_more_was_saved_than_there_is_is_refused(run: Run) -> None:
    one = agent([function_call("pay", {}, call_id="2")])
    state = run(one, "hi", session=Book()).to_state().to_json()
    with pytest.raises(UserError, match="fewer items"):
        asyncio.run(RunState.from_json(one, {**state, "saved": 9}))


def test_half_a_character_of_a_model_does_not_spoil_a_session(run: Run) -> None:
    model = ScriptedModel(["half \ud83d of it \ud83d\ude00", "ok"])
    session = SQLiteSession("s")
    agent = Agent(name="a", model=model)
    assert run(agent, session=session).final_output == "half \ufffd of it \U0001f600"
    run(agent, "more", session=session)
    for item in asyncio.run(session.get_items()):
        json.dumps(item, ensure_ascii=False).encode()

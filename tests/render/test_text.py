"""`--format text`: what `run` and `stream` show, in pipes and on terminals."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.events import Progressed, RetryScheduled, RunFinished, RunItemStreamEvent, Warned
from agentctl.agent.items.run_items import ToolCallItem, ToolCallOutputItem
from agentctl.agent.usage import Usage
from agentctl.errors import ModelBehaviorError
from agentctl.prices.cost import Cost
from agentctl.render.notes import RunSummary, format_usd
from agentctl.render.select import Command
from agentctl.render.terminal_info import TerminalInfo, detect_terminal
from tests.render.runs import (
    AGENT,
    PIPES,
    WHOLE,
    asked,
    called,
    delta,
    err,
    finished,
    gave,
    handed_over,
    message,
    out,
    responded,
    screen,
    shown,
    started,
    statuses,
    terminal,
    thought,
    unavailable,
)

TERMINALS = terminal(out=True, err=True)


@dataclass
class City:
    name: str
    population: int


def test_run_prints_the_final_output_as_it_is_into_a_pipe() -> None:
    assert out(shown(WHOLE, command="run")) == "It is **sunny** in Oslo.\n"


def test_run_adds_no_second_line_break() -> None:
    assert out(shown([*started(), finished("yes\n")], command="run")) == "yes\n"


def test_run_renders_markdown_on_a_terminal_and_closes_with_a_line() -> None:
    chunks = shown([*started(), asked(), finished("# Hi\n\n- a\n- b")], command="run", terminal=TERMINALS)
    assert screen(chunks) == "# Hi\n\n• a\n• b\n\ngpt-5-mini · 1,012 in, 48 out · $0.0021…\n"


def test_run_prints_a_structured_output_as_json() -> None:
    events = [*started(), finished(City("Oslo", 720_000))]
    assert out(shown(events, command="run")) == '{"name": "Oslo", "population": 720000}\n'
    assert out(shown(events, command="run", terminal=TERMINALS)) == '{\n  "name": "Oslo",\n  "population": 720000\n}\n'


def test_run_says_nothing_on_stdout_where_it_fails() -> None:
    events = [*started(), asked(), delta("half"), finished(error=ModelBehaviorError("no"))]
    assert out(shown(events, command="run")) == ""


def test_run_says_what_it_waits_for_on_a_live_terminal_only() -> None:
    waits = ["waiting for gpt-5-mini", "waiting for gpt-5-mini", "loading"]
    running = ["running get_weather", "running get_weather: asking the station (1 of 2)", None]
    after = [*running, "waiting for gpt-5-mini", None]
    assert statuses(shown(WHOLE, command="run", terminal=TERMINALS)) == waits + after
    assert statuses(shown(WHOLE, command="run", terminal=terminal(out=True))) == []


def test_stream_passes_text_through_a_pipe_as_it_comes() -> None:
    chunks = shown(
        [*started(), asked(), delta("a **b"), delta("** \x1b[0m"), responded(), finished("…")], terminal=PIPES
    )
    assert [chunk.text for chunk in chunks] == ["a **b", "** \x1b[0m", "\n"]


def test_stream_shows_the_whole_run_on_a_terminal() -> None:
    assert screen(shown(WHOLE, terminal=TERMINALS)) == (
        "note: too many requests; retrying in 2 s\n(1 of 2)\n"
        "\n"
        "**Looking** up the weather.\n"
        '→ get_weather {"city": "Oslo"}\n'
        "← get_weather sunny, 20 °C\n"
        "\n"
        "It is **sunny** in Oslo.\n"
        "\n"
        "note: the answer was cut\n"
        "gpt-5-mini · 1,012 in, 48 out · $0.0021…\n"
    )


def test_stream_keeps_the_streams_apart_in_pipes() -> None:
    chunks = shown(WHOLE, terminal=PIPES)
    assert out(chunks) == "It is **sunny** in Oslo.\n"
    assert err(chunks) == (
        "note: too many requests; retrying in 2 s (1 of 2)\n"
        "note: loading\n"
        "**Looking** up the weather.\n"
        '→ get_weather {"city": "Oslo"}\n'
        "← get_weather sunny, 20 °C\n"
        "note: the answer was cut\n"
    )


def test_quiet_leaves_the_answer_alone() -> None:
    chunks = shown(WHOLE, terminal=TERMINALS, quiet=True)
    assert screen(chunks) == "It is **sunny** in Oslo.\n"
    assert statuses(chunks) == []


def test_the_spinner_goes_when_the_first_word_is_there() -> None:
    chunks = shown([*started(), asked(), delta("wo"), delta("rd ")], terminal=TERMINALS)
    assert statuses(chunks) == ["waiting for gpt-5-mini", None]
    assert screen(chunks) == "word"


def test_two_messages_are_parted_by_a_blank_line() -> None:
    events = [*started(), asked(), delta("one"), delta("two", item="msg_2"), responded(), finished("two")]
    assert out(shown(events, terminal=PIPES)) == "one\n\ntwo\n"
    assert out(shown(events, terminal=TERMINALS)) == "one\n\ntwo\n"


def test_text_after_a_tool_is_parted_from_what_is_on_the_same_screen() -> None:
    events = [
        *started(),
        asked(),
        delta("Let me look."),
        responded(),
        message("Let me look."),
        called("look", "{}"),
        gave("done"),
        asked(2),
        delta("Found it.", item="msg_2"),
        responded(2),
        message("Found it.", item="msg_2"),
    ]
    assert out(shown(events, terminal=PIPES)) == "Let me look.\n\nFound it.\n"
    assert screen(shown(events, terminal=TERMINALS)) == ("Let me look.\n\n→ look {}\n← look done\n\nFound it.\n")


def test_a_message_that_was_not_streamed_is_shown_once_it_is_there() -> None:
    assert out(shown([*started(), asked(), responded(), message("all at once"), finished("all at once")])) == (
        "all at once\n"
    )


def test_a_final_output_that_no_message_said_is_shown() -> None:
    assert out(shown([*started(), asked(), responded(), called("f", "{}"), gave("42"), finished(42)])) == "42\n"


def test_a_run_that_fails_midway_keeps_its_text_and_ends_the_line() -> None:
    events = [*started(), asked(), delta("The weather is **un"), finished(error=unavailable())]
    assert out(shown(events, terminal=PIPES)) == "The weather is **un\n"
    assert screen(shown(events, terminal=TERMINALS)) == "The weather is **un\n"


def test_structured_text_is_never_taken_for_markdown() -> None:
    agent = Agent(name="Cities", output_type=City)
    raw = '{"name": "*A*", "population": 1}'
    events = [*started(agent), asked(agent=agent), delta(raw), message(raw), responded(), finished(City("*A*", 1))]
    assert out(shown(events, terminal=TERMINALS)) == '{\n  "name": "*A*",\n  "population": 1\n}\n'


@pytest.mark.parametrize("output_type", [None, City])
def test_control_characters_are_shown_escaped_on_a_terminal(output_type: type | None) -> None:
    agent = Agent(name="Evil", output_type=output_type)
    text = "a\x1b]52;c;x\x07 \u202eb \x9b2J"
    events = [*started(agent), asked(agent=agent), delta(text), message(text), responded(), asked(2, agent)]
    assert out(shown(events, terminal=TERMINALS)) == "a\\x1b]52;c;x\\x07 \\u202eb \\x9b2J\n"
    assert out(shown(events, terminal=PIPES)) == text + "\n"


def test_characters_written_as_entities_are_escaped_too() -> None:
    events = [*started(), asked(), delta("a &#27;[2J &#x202e; b"), responded()]
    assert out(shown(events, terminal=TERMINALS)) == "a \ufffd[2J \\u202e b\n"


def test_tool_lines_are_cut_to_the_terminal_and_escaped() -> None:
    events = [*started(), called("write", '{"text": "' + "世" * 50 + '"}'), gave("line\nanother\x1b[2J")]
    lines = err(shown(events, terminal=TERMINALS)).splitlines()
    assert lines == ['→ write {"text": "' + "世" * 10 + "…", "← write line another\\x1b[2J"]


def test_an_output_of_several_parts_is_one_line() -> None:
    parts = [{"type": "input_text", "text": "a map"}, {"type": "input_image", "image_url": "data:…"}]
    assert err(shown([called("draw", ""), gave(parts)])) == "→ draw\n← draw a map [image]\n"


def test_the_failure_of_a_tool_is_marked() -> None:
    events = [called("look", "{}"), gave("no such place", failed=True), called("look", "{}"), gave("Error: it says")]
    chunks = shown(events, terminal=terminal(err=True, color=True, width=80))
    assert err(chunks) == (
        "\x1b[2m→ look {}\x1b[0m\n✗ look no such place\n\x1b[2m→ look {}\x1b[0m\n\x1b[2m← look Error: it says\x1b[0m\n"
    )


@pytest.mark.parametrize(
    ("call", "output", "lines"),
    [
        (
            {"type": "shell_call", "call_id": "1", "action": {"commands": ["ls"]}},
            {
                "type": "shell_call_output",
                "call_id": "1",
                "output": [
                    {"stdout": "a\nb\n", "stderr": "bad\n", "outcome": {"type": "exit", "exit_code": 1}},
                    {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
                    {"stdout": "c", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
                ],
            },
            "$ ls\n← shell a b bad [exit 1] [timeout] c\n",
        ),
        (
            {"type": "apply_patch_call", "call_id": "1", "operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call_output", "call_id": "1", "status": "completed"},
            '→ apply_patch {"type": "delete_file", "path": "a"}\n← apply_patch\n',
        ),
        ({"type": "web_search_call", "id": "1", "status": "completed"}, None, "→ web_search\n"),
        ({"type": "file_search_call", "id": "1", "queries": ["q"], "results": None}, None, '→ file_search ["q"]\n'),
        ({"type": "code_interpreter_call", "id": "1", "code": "1 + 1"}, None, "→ code_interpreter 1 + 1\n"),
        ({"type": "image_generation_call", "id": "1", "result": "aGk="}, None, "→ image_generation\n"),
        ({"type": "mcp_call", "id": "1", "name": "look", "arguments": "{}", "output": "x"}, None, "→ look {}\n"),
    ],
)
def test_tools_of_the_api_are_told_of_calmly(call: dict[str, Any], output: dict[str, Any] | None, lines: str) -> None:
    events = [*started(), RunItemStreamEvent("tool_called", ToolCallItem(AGENT, call))]
    if output is not None:
        events.append(RunItemStreamEvent("tool_output", ToolCallOutputItem(AGENT, output, output="")))
    assert err(shown(events)) == lines


def test_a_handoff_is_one_line_that_names_who_takes_over_and_what_it_was_given() -> None:
    events = [*started(), *handed_over(), *handed_over('{"reason": "it came late, and broken"}', to="Re\x1bfunds")]
    assert err(shown(events)) == (
        '⇒ Refunds takes over\n⇒ Re\\x1bfunds takes over {"reason": "it came late, and broken"}\n'
    )
    assert err(shown(events, terminal=TERMINALS)).splitlines()[1] == '⇒ Re\\x1bfunds takes over {"reason": "it…'
    assert shown(handed_over(), quiet=True) == []


def test_asides_are_dim_where_there_is_colour() -> None:
    chunks = shown([*started(), called("f", "{}"), Warned(message="hm")], terminal=terminal(err=True, color=True))
    assert err(chunks) == "\x1b[2m→ f {}\x1b[0m\n\x1b[2mnote:\x1b[0m hm\n"


def test_each_kind_of_progress_is_noted_once_in_a_log() -> None:
    events = [Progressed(message=f"{number} of 90 MB") for number in range(3)] + [Progressed(message="checking")]
    assert err(shown(events)) == "note: 0 of 90 MB\nnote: checking\n"
    assert statuses(shown(events, terminal=TERMINALS)) == ["0 of 90 MB", "1 of 90 MB", "2 of 90 MB", "checking"]


def test_parts_of_reasoning_are_parted() -> None:
    events = [*started(), thought("one"), thought("two", part=1), responded()]
    assert err(shown(events, terminal=PIPES)) == "one\ntwo\n"
    assert err(shown(events, terminal=TERMINALS)) == "one\n\ntwo\n"


def test_a_retry_names_the_error_and_the_wait() -> None:
    event = RetryScheduled(attempt=2, max_retries=3, delay=0.75, error=unavailable())
    assert err(shown([asked(), event])) == "note: too many requests; retrying in 0.75 s (2 of 3)\n"


HALVES = [delta("Well \ud83d"), delta("\ude00 done")]


@pytest.mark.parametrize("where", [PIPES, TERMINALS])
def test_a_character_in_two_deltas_is_one(where: TerminalInfo) -> None:
    events = [*started(), asked(), *HALVES, message("Well 😀 done"), responded(), finished("Well 😀 done")]
    chunks = shown(events, terminal=where)
    assert out(chunks) == "Well 😀 done\n"
    assert "note:" not in err(chunks)


@pytest.mark.parametrize("where", [PIPES, TERMINALS])
def test_an_answer_that_differs_from_its_deltas_is_shown_once_with_one_note(where: TerminalInfo) -> None:
    events = [
        *started(),
        asked(),
        delta("It is sunny."),
        message("It is Sunny."),
        responded(),
        finished("It is Sunny."),
    ]
    chunks = shown(events, terminal=where)
    assert out(chunks) == "It is sunny.\n"
    note = "note: the final text of the service differs from what it streamed\n"
    assert err(chunks).replace("service\n", "service ").count(note) == 1


def test_the_rest_of_an_answer_follows_its_deltas() -> None:
    events = [*started(), asked(), delta("It is "), message("It is sunny."), responded(), finished("It is sunny.")]
    assert out(shown(events, terminal=PIPES)) == "It is sunny.\n"


@pytest.mark.parametrize("where", [PIPES, TERMINALS])
@pytest.mark.parametrize("command", ["run", "stream"])
def test_run_and_stream_print_the_same_structured_output(command: Command, where: TerminalInfo) -> None:
    agent: Agent[Any] = Agent(name="Weather", output_type=City)
    raw = '{ "name":"Oslo",\n"population":720000 }'
    events = [*started(agent), asked(agent=agent), delta(raw[:9]), delta(raw[9:]), message(raw), responded()]
    chunks = shown([*events, finished(City("Oslo", 720_000))], command=command, terminal=where)
    indent = 2 if where is TERMINALS else None
    assert out(chunks) == json.dumps({"name": "Oslo", "population": 720_000}, indent=indent) + "\n"


def test_a_message_before_a_structured_output_is_shown_when_another_turn_begins() -> None:
    agent: Agent[Any] = Agent(name="Weather", output_type=City)
    events = [*started(agent), asked(agent=agent), delta("Looking"), message("Looking"), responded(), asked(2, agent)]
    end = [message('{"name": "Oslo", "population": 1}'), responded(2), finished(City("Oslo", 1))]
    assert out(shown([*events, *end], terminal=PIPES)) == 'Looking\n\n{"name": "Oslo", "population": 1}\n'


def test_a_pipe_with_colour_gets_rendered_markdown_and_no_hyperlinks() -> None:
    pager = detect_terminal("always", {"COLUMNS": "40", "FORCE_HYPERLINK": "1"}, stdout=-1, stderr=-1)
    text = "# Hi\n\nSee **the** [map](https://a.example)."
    expected = "\x1b[1;4;36mHi\x1b[0m\n\nSee \x1b[1mthe\x1b[0m \x1b[4mmap\x1b[0m\x1b[2m (https://a.example)\x1b[0m.\n"
    for command in ("run", "stream"):
        assert out(shown([*started(), asked(), finished(text)], command=command, terminal=pager)) == expected


def test_the_closing_line_has_cached_and_reasoning_tokens() -> None:
    usage = Usage.from_wire({
        "input_tokens": 1_200, "input_tokens_details": {"cached_tokens": 1_024}, "output_tokens": 48,
        "output_tokens_details": {"reasoning_tokens": 16}, "total_tokens": 1_248,
    })  # fmt: skip
    end = RunFinished(agent=AGENT, final_output="ok", usage=usage, response_id=None)
    summary = RunSummary(lambda: 0.0, lambda usage: Cost(None, None), names_trace=False)
    assert summary.closing_line(end, 80) == "1,200 in (1,024 cached), 48 out (16 reasoning) · 0.0 s"


def test_the_closing_line_has_the_cost() -> None:
    wide = terminal(out=True, err=True, width=120)
    assert err(shown([*started(), asked(), finished("Hi")], terminal=wide)).endswith("48 out · $0.0021 · 1.3 s\n")


def test_the_closing_line_names_the_trace_only_if_it_is_verbose() -> None:
    end = replace(finished("Hi"), trace_id="trace_1")
    wide = terminal(out=True, err=True, width=120)
    assert err(shown([*started(), asked(), end], terminal=wide, verbose=True)).endswith(" · 1.3 s · trace_1\n")
    assert "trace_1" not in err(shown([*started(), asked(), end], terminal=wide))


@pytest.mark.parametrize(
    ("amount", "shown_as"),
    [
        (0, "$0.00"),
        (0.1, "$0.10"),
        (1234.5, "$1,234.50"),
        (0.0214, "$0.021"),
        (0.000042, "$0.000042"),
        (1e-12, "<$0.00000001"),
    ],
)
def test_an_amount_keeps_two_digits_however_small(amount: float, shown_as: str) -> None:
    assert format_usd(amount) == shown_as

"""Errors as users see them: a line in a pipe; on a terminal, in colour, wrapped, the remedy on a line of its own."""

import re
from pathlib import Path

import pytest

from agentctl.cli.app import command
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError, format_error
from agentctl.cli.usage_errors import format_usage_error
from agentctl.errors import (
    AgentsException,
    AuthenticationError,
    BudgetExceeded,
    ConfigurationError,
    MaxTurnsExceeded,
    ModelTimeoutError,
    RequestRejectedError,
    RunTimeoutError,
    ServiceUnavailableError,
    SpendingLimitReached,
)
from agentctl.launch.causes import note_causes
from agentctl.profile.load import load_settings
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl

USAGE_ERRORS = [
    ("run what is this", "unexpected arguments: is this\nQuote the prompt: `agentctl run 'what is this'`."),
    ("stream one two", "unexpected argument: two\nQuote the prompt: `agentctl stream 'one two'`."),
    ("hello there", "no such command: hello\nTo run an agent with this prompt: `agentctl run 'hello there'`."),
    ("rum hi", "no such command: rum; did you mean run?"),
    ("chatt", "no such command: chatt; did you mean chat?"),
    ("config sett x 1", "no such command: sett; did you mean set?"),
    ("config zzz", "no such command: zzz"),
    ("run -m", "option '-m' requires an argument"),
    ("run --modle x hi", "no such option: --modle; did you mean --model?"),
    (
        "run --settings x",
        "no such option: --settings\nA prompt that begins with `-` follows `--`: `agentctl run -- '…'`.",
    ),
    ("run -x", "no such option: -x\nA prompt that begins with `-` follows `--`: `agentctl run -- '…'`."),
    ("doctor -x", "no such option: -x"),
    ("run --format xml hi", "--format: 'xml' is not one of 'text', 'json', 'jsonl'"),
    ("config set settings.bogus 1", "unknown key 'settings.bogus'"),
    ("config set settings.temprature 1", "unknown key 'settings.temprature'; did you mean 'settings.temperature'?"),
    ("config set max_turns -5", "max_turns: must be an integer of at least 1, not -5"),
    ("config set", "missing argument 'KEY'"),
]


@pytest.mark.parametrize(("line", "text"), USAGE_ERRORS, ids=[line for line, _ in USAGE_ERRORS])
def test_a_usage_error_names_the_mistake_once_and_the_help_of_its_command(line: str, text: str, home: Path) -> None:
    invocation, arguments = Invocation(), line.split()
    with (
        pytest.raises(UsageError) as caught,
        command().make_context("agentctl", [*arguments], obj=invocation) as context,
    ):
        context.command.invoke(context)
    shown = format_usage_error(caught.value, invocation, arguments)
    path = invocation.context.command_path
    assert shown.removeprefix(f"{invocation.context.get_usage()}\n") == f"{path}: {text}\nTry `{path} --help`.\n"


def test_a_mistake_without_a_parameter_is_told_too(agentctl: Agentctl) -> None:
    done = agentctl("config", "set-key", "sk-abcdefghijklmnop")
    assert (done.returncode, "agentctl config set-key: a key on the command line" in done.stderr) == (2, True)


def test_a_negative_number_is_a_value(agentctl: Agentctl) -> None:
    assert agentctl("config", "set", "settings.presence_penalty", "-0.5").returncode == 0
    assert agentctl("config", "get", "settings.presence_penalty").stdout == "-0.5\n"


def test_a_missing_key_of_an_endpoint_on_this_machine_may_not_be_needed(agentctl: Agentctl) -> None:
    local = agentctl("run", "hi", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert (local.returncode, local.stderr.partition("; ")[2][:60]) == (
        77, "if it needs none, run `agentctl config client --key none`; st"[:60]
    )  # fmt: skip
    assert "--key none" not in agentctl("run", "hi", env={"OPENAI_BASE_URL": "http://10.0.0.1/v1"}).stderr


@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_terminal_an_error_is_wrapped_at_words_and_its_remedy_is_on_a_line_of_its_own(
    width: int, home: Path
) -> None:
    with Terminal("--profile", "nope", "run", "hi", env={}, columns=width) as terminal:
        assert terminal.end() == 78
    assert terminal.raw.startswith("\x1b[1;31merror:\x1b[0m there is no profile 'nope'")
    assert "\x1b[1;36mhint:\x1b[0m known profiles: default; `agentctl" in terminal.raw
    lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(lines) == (
        "error: there is no profile 'nope' (set by --profile) hint: known profiles: default; "
        "`agentctl --profile nope config set KEY VALUE` creates it"
    )


def test_without_colour_a_terminal_gets_the_same_lines(home: Path) -> None:
    with Terminal("run", "what", "is", "this", env={"NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 2
    assert terminal.raw.replace("\r\n", "\n") == (
        "Usage: agentctl run [OPTIONS] [PROMPT]\n"
        "error: unexpected arguments: is this\n"
        "hint: quote the prompt: `agentctl run 'what is this'`.\n"
        "hint: try `agentctl run --help`.\n"
    )


def test_colours_of_a_pipe_are_on_request() -> None:
    assert format_error("no; do", Invocation(color="always")) == "\x1b[1;31magentctl:\x1b[0m no; do\n"
    assert format_error("no\x1b[2J; do", Invocation()) == "agentctl: no\\x1b[2J; do\n"


CAUSES = [
    (RunTimeoutError(5), {"TIMEOUT": "5s"}, ["timeout"]),
    (ModelTimeoutError(5), {"SETTINGS_TIMEOUT": "5s", "TIMEOUT": "9s"}, ["settings.timeout"]),
    (MaxTurnsExceeded("the run needs more than 2 turns"), {"MAX_TURNS": "2"}, ["max_turns"]),
    (BudgetExceeded(10, 12), {"MAX_TOKENS_TOTAL": "10"}, ["max_tokens_total"]),
    (SpendingLimitReached("no more than $1 of --max-cost"), {"BUDGET": "team", "MAX_COST": "1"}, ["max_cost"]),
    (SpendingLimitReached("nothing is left of team"), {"BUDGET": "team", "MAX_COST": "1"}, ["budget"]),
    (ConfigurationError("there is no budget 'team'"), {"BUDGET": "team"}, ["budget"]),
    (AuthenticationError("no"), {"CLIENT_BASE_URL": "http://x.test"}, ["client.base_url"]),
    (
        ServiceUnavailableError("cannot connect to x.test", code="connect_failed"),
        {"CLIENT_BASE_URL": "http://x.test"},
        ["client.base_url"],
    ),
    (
        ServiceUnavailableError("x.test has sent nothing", code="no_answer"),
        {"CLIENT_REQUEST_TIMEOUT": "1s"},
        ["client.request_timeout"],
    ),
    (ServiceUnavailableError("overloaded", status=503), {"CLIENT_BASE_URL": "http://x.test"}, []),
    (RequestRejectedError("there is no model 'm-1'", status=404), {"MODEL": "m-1"}, ["model"]),
    (RequestRejectedError("there is no model 'm-12'", status=404), {"MODEL": "m-1"}, []),
    (
        RequestRejectedError("there is no model 'm-1'", status=404),
        {"MODEL": "fast", "ALIASES_FAST": "m-1"},
        ["model", "aliases.fast"],
    ),
    (ConfigurationError("there is no local model 'foo'"), {"MODEL": "local/foo"}, ["model"]),
    (
        ConfigurationError("chat_completions does not support websocket", key="transport"),
        {"TRANSPORT": "websocket", "API": "chat_completions"},
        ["transport", "api"],
    ),
    (ConfigurationError("no such file", file=Path("/ca.pem")), {"CLIENT_CA_FILE": "/ca.pem"}, ["client.ca_file"]),
    (
        RequestRejectedError("a timeout; settings.top_p"),
        {"TIMEOUT": "9s", "SETTINGS_TOP_P": "1"},
        ["settings.top_p"],
    ),
]


@pytest.mark.parametrize(("error", "variables", "keys"), CAUSES)
def test_an_error_says_where_the_settings_that_it_is_about_come_from(
    error: AgentsException, variables: dict[str, str], keys: list[str], tmp_path: Path
) -> None:
    environ = {"AGENTCTL_HOME": str(tmp_path)} | {f"AGENTCTL_{name}": value for name, value in variables.items()}
    loaded = load_settings({}, environ=environ, config=None, cwd=tmp_path)
    text = str(error)
    for _ in range(2):  # A chat may report an error twice.
        note_causes(error, loaded)
    sources = [f"`{key}` comes from AGENTCTL_{key.replace('.', '_').upper()}" for key in keys]
    assert error.description == "; ".join([text, *sources])


def test_files_and_the_command_line_are_sources(agentctl: Agentctl) -> None:
    agentctl("--profile", "lab", "config", "model", "local/one")
    by_profile = agentctl("--profile", "lab", "run", "hi").stderr
    assert re.search(r"; `model` comes from /.*/config\.toml \(profile lab\)$", by_profile), by_profile
    assert agentctl("run", "-m", "local/two", "hi").stderr.endswith("; `model` comes from the command line\n")

"""The alias `agents`: SDK files run unchanged, and a user's own package is not hidden."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

THEIRS = '''
from agents import Agent, ModelSettings, RunContextWrapper, TResponseInputItem, function_tool, handoff
from agents.extensions.handoff_prompt import RECOMMENDED_PROMPT_PREFIX
from agents.tool import FunctionTool


@function_tool
def lookup(context: RunContextWrapper[None], word: str) -> str:
    """Look a word up.

    Args:
        word: The word.
    """
    return f"{word} is a word"


assert isinstance(lookup, FunctionTool)
expert = Agent(name="Expert", instructions=f"{RECOMMENDED_PROMPT_PREFIX} You know words.", tools=[lookup])
agent = Agent(name="Front", handoffs=[handoff(expert)], model_settings=ModelSettings(temperature=0))
'''


def python(code: str, *paths: Path) -> str:
    """Run code in a process of its own, with these folders on its path; return what it prints."""
    prepared = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n{code}"
    done = subprocess.run([sys.executable, "-W", "error", "-c", prepared], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_of_the_sdk_runs_unchanged(agentctl: Agentctl, service: Service, home: Path) -> None:
    (home / "their_agent.py").write_text(THEIRS)
    service.script(
        tool_calls(("transfer_to_expert", {}, "c1")), tool_calls(("lookup", {"word": "x"}, "c2")), text("It is a word.")
    )
    env = {"OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": "sk-alias"}
    done = agentctl("run", "-a", "their_agent.py:agent", "-m", "gpt-x", "Is x a word?", env=env)
    assert (done.returncode, done.stdout) == (0, "It is a word.\n"), done.stderr


def test_importing_compat_gives_the_alias_to_a_program() -> None:
    code = """
import agentctl.compat
import agentctl, agentctl.tracing, agents, agents.run
from agents import Agent, Runner
from agents.tracing import trace
assert Agent is agentctl.Agent and Runner is agentctl.Runner and trace is agentctl.tracing.trace
print(agents.__name__, agents.run.RunConfig is agentctl.RunConfig)
"""
    assert python(code) == "agents True\n"


def test_without_the_import_there_is_no_alias() -> None:
    code = """
import agentctl
try:
    import agents
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert python(code) == "agents\n"


def test_every_module_of_the_alias_resolves_all_its_names() -> None:
    code = """
import importlib, warnings
from agentctl import compat
for name in compat._MODULES:
    module = importlib.import_module(name)
    for public in module.__all__:
        getattr(module, public)
exec("from agents import *")
print(len(compat._MODULES) > 30, Agent.__name__)
"""
    assert python(code) == "True Agent\n"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("from agents import Agnet", "agentctl provides agents here, and it has no 'Agnet'; similar names: "),
        ("from agents.tool import FunctonTool", "agentctl provides agents.tool here, and it has no 'FunctonTool'"),
        ("import agents.realtme", "agentctl provides agents here, and it has no 'realtme'"),
    ],
)
def test_a_name_that_is_not_there_is_an_import_error_that_says_so(statement: str, said: str) -> None:
    printed = python(f"""
import agentctl.compat
try:
    {statement}
except ImportError as error:
    print(error)
""")
    assert printed.startswith(said)


def test_the_scope_sets_and_restores_the_current_trace_and_span() -> None:
    printed = python("""
import agentctl.compat
from agents.mcp.util import HttpClientFactory
from agents.tracing import custom_span, get_current_span, get_current_trace, trace
from agents.tracing.scope import Scope
token = Scope.set_current_trace(outer := trace("t"))
inner = Scope.set_current_span(span := custom_span("s"))
print(get_current_trace() is outer, Scope.get_current_span() is span)
Scope.reset_current_span(inner)
Scope.reset_current_trace(token)
print(get_current_trace(), get_current_span())
""")
    assert printed.split() == ["True", "True", "None", "None"]


@pytest.mark.parametrize(
    ("statement", "use", "said"),
    [
        (
            "from agents import ComputerTool",
            "ComputerTool(None)",
            "agentctl has no computer use, which ComputerTool of",
        ),
        ("from agents.tool import ComputerTool", "ComputerTool()", "agentctl has no computer use"),
        ("from agents import resolve_computer", "resolve_computer(tool=None)", "agentctl has no computer use"),
        ("from agents.voice import VoicePipeline", "VoicePipeline()", "agentctl has no voice pipelines"),
        ("import agents.realtime.config as config", "config.RealtimeModelConfig()", "agentctl has no realtime agents"),
        ("from agents import realtime", "realtime.RealtimeAgent(name='a')", "agentctl has no realtime agents"),
        (
            "from agents.extensions.models.litellm_model import LitellmModel",
            "LitellmModel[int]('x')",
            "agentctl has no models of LiteLLM and any-llm",
        ),
        (
            "from agents.extensions.memory import EncryptedSession\nclass Mine(EncryptedSession): ...",
            "Mine()",
            "agentctl has no sessions in other stores",
        ),
    ],
)
def test_what_is_out_of_scope_imports_and_says_so_when_it_is_used(statement: str, use: str, said: str) -> None:
    printed = python(f"""
import agentctl.compat
{statement}
try:
    {use}
except agentctl.UserError as error:
    print(error)
""")
    assert printed.startswith(said)


@pytest.mark.parametrize("name", ["apply_diff", "responses_websocket_session"])
def test_a_function_that_a_module_is_named_like_stays_the_function(name: str) -> None:
    code = f"""
import agentctl, agentctl.compat
import agents.{name}
from agents.{name} import {name} as theirs
from agents import {name}
print({name} is agents.{name} is theirs is agentctl.{name})
"""
    assert python(code) == "True\n"


def test_names_of_the_sdk_that_are_named_otherwise_here() -> None:
    code = """
import agentctl, agentctl.compat, agents
from agents.decorators import tool
from agents.run import RunOptions
from agents.tool import ShellOnApprovalFunctionResult
from agents.logger import logger
from agents.version import __version__
print(tool is agentctl.function_tool, agents.__version__ == __version__ == agentctl.__version__, logger.name)
"""
    assert python(code) == "True True openai.agents\n"


def test_code_may_walk_over_a_module_while_it_looks_names_up() -> None:
    code = """
import agentctl.compat
import agents, agents.exceptions as exceptions
kinds = [name for name, kind in vars(exceptions).items() if isinstance(kind, type)
         and issubclass(kind, exceptions.AgentsException)]
assert "MaxTurnsExceeded" in kinds and set(kinds) <= set(agents.__all__), kinds
from agents.tracing.spans import NoOpSpan, SpanImpl
from agents.tracing.traces import NoOpTrace, TraceImpl
from agents.tracing.logger import logger
assert logger.name == "openai.agents.tracing"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_attribute_that_is_not_there_is_an_attribute_error() -> None:
    assert python("import agentctl.compat, agents; print(hasattr(agents, 'VoicePipeline'))") == "False\n"


def test_a_package_of_that_name_of_ones_own_wins(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("Agent = 'mine'\n")
    assert python("import agentctl.compat\nfrom agents import Agent; print(Agent)", tmp_path) == "mine\n"


def test_a_module_of_that_name_of_ones_own_wins(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text("Agent = 'mine'\n")
    assert python("import agentctl.compat\nfrom agents import Agent; print(Agent)", tmp_path) == "mine\n"


def test_the_sdk_that_is_installed_is_answered_for(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / "openai_agents-0.24.0.dist-info").mkdir()
    code = "import agentctl.compat, agentctl\nfrom agents import Agent; print(Agent is agentctl.Agent)"
    assert python(code, tmp_path) == "True\n"


def test_the_sdk_that_was_imported_before_stays(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("Agent = 'theirs'\n")
    (tmp_path / "openai_agents-0.24.0.dist-info").mkdir()
    assert python("import agents, agentctl.compat\nfrom agents import Agent; print(Agent)", tmp_path) == "theirs\n"


def test_a_folder_of_that_name_keeps_its_modules(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "mine.py").write_text("from agents import Agent\nagent = Agent(name='Mine')\n")
    code = "import agentctl.compat\nfrom agents.mine import agent; print(agent.name)"
    assert python(code, tmp_path) == "Mine\n"

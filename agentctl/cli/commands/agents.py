"""`agentctl agents`: lists, shows, checks and creates agents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.cli.columns import GAP, align, fold, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.errors import ConfigurationError
from agentctl.profile.load import Loaded, find_paths, load_settings, search_project
from agentctl.profile.project import FILE_NAME, ProjectFile, read_project
from agentctl.profile.trust import is_trusted, missing_trust, require_trust

if TYPE_CHECKING:
    from agentctl.definitions.check import CheckResult
    from agentctl.definitions.description import AgentDescription


HELP = """Example: agentctl agents new agents.py

List, show, check and create agents.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Refs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[REF]...",
        help="file.py:attr, package.module:attr, or a name in agentctl.toml.",
        show_default=False,
        autocompletion=completion_values.agents,
    ),
]
Ref = Annotated[
    str | None,
    typer.Argument(
        metavar="[REF]",
        help="file.py:attr, package.module:attr, or a name in agentctl.toml.",
        show_default=False,
        autocompletion=completion_values.agents,
    ),
]

_HINT = "name a Python file, or create an agent with `agentctl agents new`"


@app.command("list", short_help="List the agents of the project or of a file.")
def list_agents(
    ctx: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="A Python file or module to import, or an agentctl.toml to read.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl agents list

    List the agents named in this project's agentctl.toml, without running code; or those defined in a Python file or
    module, which is imported.
    """
    invocation: Invocation = ctx.obj
    if file is not None and Path(file).name != FILE_NAME:
        _list_code(invocation, file, as_json=as_json)
        return
    project = _project(invocation) if file is None else read_project(Path(file))
    _list_project(invocation, project, as_json=as_json)


@app.command("show", short_help="Show the parts of an agent.")
def show(ctx: typer.Context, ref: Ref = None, as_json: AsJson = False) -> None:
    """Example: agentctl agents show agents.py:agent

    Show an agent's instructions, model, tools and output type; without REF, those of the default agent. Its code is
    imported as for a run, but no request is sent.
    """
    # 80 ms that `agents list` avoids.
    from agentctl.definitions.description import describe_agent
    from agentctl.definitions.reference import load_agent

    invocation: Invocation = ctx.obj
    loaded = _load(invocation, ref)
    reference = loaded.settings.agent
    if reference is None:
        raise ConfigurationError("there is no default agent; name an agent, such as agents.py:agent", key="agent")
    _disable_tracing()
    agent = describe_agent(load_agent(reference, loaded))
    if as_json:
        invocation.print_json({"reference": reference, **agent.to_json()})
    else:
        _print(invocation, agent_lines(agent, terminal_width()))


@app.command("check", short_help="Load agents, and report errors and warnings.")
def check(ctx: typer.Context, refs: Refs = None, as_json: AsJson = False) -> None:
    """Example: agentctl agents check agents.py

    Load agents without running them, and report errors and warnings. A file or module without an attribute stands for
    all its agents; without REF, all agents of the project are checked. The exit code is 78 if there are errors, 0 if
    there are only warnings.
    """
    invocation: Invocation = ctx.obj
    _disable_tracing()
    named: Sequence[str | None] = refs or [None]
    checked = [result for ref in named for result in _check(invocation, ref)]
    if as_json:
        invocation.print_json({"agents": [_checked_json(each) for each in checked]})
    else:
        _print_checked(invocation, checked)
    failed = [each for each in checked if any(problem.is_fatal for problem in each.problems)]
    if failed:
        raise ConfigurationError(f"a run would fail with {', '.join(each.reference for each in failed)}")


@app.command("new", short_help="Create an agent in a new file.")
def new(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The Python file to create.")] = Path("agents.py"),
) -> None:
    """Example: agentctl agents new agents.py

    Create a small agent with a tool, ready to run. Never overwrites a file.
    """
    if file.suffix != ".py":
        raise typer.BadParameter(f"{file} is not a Python file; use a name that ends with .py", param_hint="FILE")
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(EXAMPLE)
    except FileExistsError as error:
        raise ConfigurationError("already exists and was not changed; use another file name", file=file) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}; use another file name", file=file) from error
    invocation: Invocation = ctx.obj
    invocation.note(
        f"created {file}; run it:\n"
        f'  agentctl stream -a {file}:agent "{QUESTION}"\n'
        f"or without a key, after `agentctl models pull`:\n"
        f'  agentctl stream -m local/smollm2 -a {file}:agent "{QUESTION}"'
    )


@app.command("import-mcp", short_help="Convert a JSON file of MCP servers to TOML.")
def import_mcp(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file with mcpServers.", show_default=False)],
) -> None:
    """Example: agentctl agents import-mcp .mcp.json >> agents.toml

    Print the MCP servers of a JSON file, of Claude, Cursor, VS Code or another program, as tables for a TOML file. What
    looks like a key is not copied: it becomes the name of a variable.
    """
    # 30 ms that other commands avoid.
    import tomli_w

    from agentctl.definitions.mcp_config import toml_tables

    invocation: Invocation = ctx.obj
    tables, notes = toml_tables(file)
    for note in notes:
        invocation.note(f"note: {note}")
    invocation.print(tomli_w.dumps({"mcp": tables}).removesuffix("\n") if tables else "")


def _project(invocation: Invocation) -> ProjectFile:
    search = search_project()
    for note in search.notes:
        invocation.note(f"note: {note}")
    if search.project is None:
        raise ConfigurationError(f"there is no {FILE_NAME} in this folder or above it in its repository; {_HINT}")
    return search.project


def _list_project(invocation: Invocation, project: ProjectFile, *, as_json: bool) -> None:
    store = find_paths(invocation.environ, invocation.config, invocation.profile).trust
    trusted = is_trusted(project, store)
    default = project.values.get("agent")
    if as_json:
        invocation.print_json(
            {
                "project": str(project.path),
                "trusted": trusted,
                "default": default,
                "agents": [{"name": name, "reference": text} for name, text in project.agents.items()],
            }
        )
        return
    rows = list(project.agents.items())
    if default is not None and default not in project.agents:
        rows.append(("-", str(default)))
    lines = [(name, text, "default" if default in (name, text) else "") for name, text in rows]
    heading = ("NAME", "REFERENCE", "")
    _print(invocation, align(lines, terminal_width(), heading=heading) if lines else ())
    if not trusted and project.references:
        invocation.note(f"{project.path} {missing_trust(project, store)}")


def _disable_tracing() -> None:
    """Disable tracing for code that is imported but not run."""
    from agentctl.tracing.process import set_default_processor

    set_default_processor(None)


def _list_code(invocation: Invocation, place: str, *, as_json: bool) -> None:
    from agentctl.definitions.description import model_of
    from agentctl.definitions.reference import load_agents

    _disable_tracing()
    agents = load_agents(place)
    if as_json:
        listed: list[JSONValue] = [
            {
                "reference": reference,
                "name": agent.name,
                "model": model_of(agent),
                "tools": [tool.name for tool in agent.tools],
            }
            for reference, agent in agents.items()
        ]
        invocation.print_json({"agents": listed})
        return
    if not agents:
        invocation.note(f"{place} defines no agents")
    rows = [(name, agent.name, ", ".join(tool.name for tool in agent.tools)) for name, agent in agents.items()]
    _print(invocation, align(rows, terminal_width(), heading=("REFERENCE", "NAME", "TOOLS")) if rows else ())


def _load(invocation: Invocation, ref: str | None) -> Loaded:
    flags: dict[str, JSONValue] = {} if ref is None else {"agent": ref}
    loaded = load_settings(flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    for note in loaded.notes:
        invocation.note(f"note: {note}")
    return loaded


def _check(invocation: Invocation, ref: str | None) -> list[CheckResult]:
    from agentctl.definitions.check import check_agent, check_agents

    if ref is not None and ":" not in ref and "." in ref:
        return list(check_agents(ref))
    loaded = _load(invocation, ref)
    return [check_agent(reference, loaded) for reference in _references(loaded, ref)]


def _references(loaded: Loaded, ref: str | None) -> list[str]:
    """Return the references to check: the one given, or those of the project and the default agent."""
    if ref is not None:
        return [ref]
    project, default = loaded.project, loaded.settings.agent
    names = [] if project is None else list(project.agents)
    if project is not None and names:
        require_trust(project, loaded.paths.trust)
    if not names and default is None:
        raise ConfigurationError(f"there is no agent to check; {_HINT}")
    return list(dict.fromkeys([*names, *([] if default is None else [default])]))


def _print_checked(invocation: Invocation, checked: list[CheckResult]) -> None:
    from agentctl.cli.checkup.finding import Finding, FindingState, ok
    from agentctl.cli.checkup.lines import print_finding

    width = max(len(each.reference) for each in checked)
    for each in checked:
        if each.agent is not None:
            tools = ", ".join(tool.name for tool in each.agent.tools) or "none"
            print_finding(invocation, ok(each.reference, f"loads as {each.agent.name!r}, its tools: {tools}"), width)
        for problem in each.problems:
            state = FindingState.FAILURE if problem.is_fatal else FindingState.WARNING
            print_finding(invocation, Finding(check=each.reference, state=state, message=problem.message), width)


def _checked_json(checked: CheckResult) -> JSONValue:
    from agentctl.definitions.description import describe_tool

    agent = checked.agent
    return {
        "reference": checked.reference,
        "name": None if agent is None else agent.name,
        "tools": [] if agent is None else [describe_tool(tool) for tool in agent.tools],
        "problems": [
            {"state": "failure" if problem.is_fatal else "warning", "message": problem.message}
            for problem in checked.problems
        ],
    }


def _print(invocation: Invocation, lines: Iterable[str]) -> None:
    for line in lines:
        invocation.print(line)


UNSET = "-"
_APPROVAL = ("needs_approval", "needs_approval_function")


def agent_lines(agent: AgentDescription, max_width: int | None = None) -> Iterator[str]:
    """Yield the lines of an agent's description from `definitions.description`, wrapped to `max_width`."""
    function = agent.instructions_function
    output = agent.output_type
    guardrails = ", ".join(f"{each.name} ({each.stage})" for each in agent.guardrails)
    settings = ", ".join(f"{name}={value}" for name, value in agent.model_settings.items())
    instructions = agent.instructions if function is None else f"returned by {function}() at every turn"
    rows = [
        ("name", agent.name),
        ("model", agent.model or UNSET),
        ("settings", settings or UNSET),
        ("output", "text" if output is None else output.name),
        ("instructions", instructions or UNSET),
    ]
    if guardrails:
        rows.insert(-1, ("guardrails", guardrails))
    if agent.mcp_servers:
        rows.insert(-1, ("servers", ", ".join(agent.mcp_servers)))
    parts = [(name, str(text).splitlines() or [""]) for name, text in rows]
    yield from align(
        [(name if not at else "", line) for name, lines in parts for at, line in enumerate(lines)], max_width
    )
    for tool in agent.tools:
        yield ""
        yield from _tool(tool, "tool", max_width)
    for handoff in agent.handoffs:
        yield ""
        yield from _tool(handoff, f"handoff to {handoff['agent']},", max_width)


def _tool(tool: dict[str, Any], kind: str, max_width: int | None) -> Iterator[str]:
    """Yield the signature, description and parameters of a function tool, or the fields of a hosted one."""
    if "parameters" not in tool:
        yield f"{kind} {tool['name']}"
        yield from _approval(tool)
        shown = [(name, _brief(value)) for name, value in tool.items() if name not in ("name", *_APPROVAL)]
        yield from _indented_rows(shown, max_width)
        return
    parameters = tool["parameters"].get("properties", {})
    yield f"{kind} {tool['name']}({', '.join(f'{name}: {_type(schema)}' for name, schema in parameters.items())})"
    yield from _approval(tool)
    inner = None if max_width is None else max_width - len(GAP)
    yield from (f"{GAP}{part}".rstrip() for line in tool["description"].splitlines() for part in fold(line, inner))
    yield from _indented_rows(
        [(name, row["description"]) for name, row in parameters.items() if "description" in row], max_width
    )


def _approval(tool: dict[str, Any]) -> Iterator[str]:
    """Yield a line about approval if the tool's calls may need it; a handoff's never do."""
    needed, function = (tool.get(name) for name in _APPROVAL)
    if function is not None:
        yield f"{GAP}Needs approval if {function}() returns true."
    elif needed:
        yield f"{GAP}Needs approval."


def _indented_rows(rows: list[tuple[str, str]], max_width: int | None) -> Iterator[str]:
    return align([(f"{GAP}{name}", text) for name, text in rows], max_width) if rows else iter(())


def _brief(value: JSONValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _type(schema: object) -> str:
    """Return a short name of the type in a schema."""
    match schema:
        case {"enum": list(values)}:
            return " | ".join(repr(value) for value in values)
        case {"anyOf": list(parts)}:
            return " | ".join(_type(part) for part in parts)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": str(kind)}:
            return kind
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case _:
            return "any"


EXAMPLE = '''"""An agent with a tool."""

import random

from agentctl import Agent, function_tool


@function_tool
def roll_dice(sides: int) -> str:
    """Roll a die.

    Args:
        sides: How many sides the die has.
    """
    return f"The die shows {random.randint(1, sides)}."


agent = Agent(name="dealer", instructions="Answer in one short sentence.", tools=[roll_dice])
'''

QUESTION = "Roll a die with 6 sides."

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
from agentctl.profile.resolve import Value
from agentctl.profile.trust import is_trusted, missing_trust, require_trust

if TYPE_CHECKING:
    from agentctl.definitions.check import CheckResult
    from agentctl.definitions.description import AgentDescription
    from agentctl.definitions.toml.file import AgentFile


HELP = """Example: agentctl agents new agents.py

List, show, check and create agents.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Refs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[REF]...",
        help="file.py:attr, package.module:attr, file.toml:name, or a name in agentctl.toml.",
        show_default=False,
        autocompletion=completion_values.agents,
    ),
]
Ref = Annotated[
    str | None,
    typer.Argument(
        metavar="[REF]",
        help="file.py:attr, package.module:attr, file.toml:name, or a name in agentctl.toml.",
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
            help="A Python file or module to import, or a TOML file to read.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl agents list

    List the agents named in this project's agentctl.toml or defined in a TOML file, without running code; or those
    defined in a Python file or module, which is imported.
    """
    invocation: Invocation = ctx.obj
    if file is not None and file.endswith(".toml") and Path(file).name != FILE_NAME:
        _list_file(invocation, Path(file), as_json=as_json)
        return
    if file is not None and Path(file).name != FILE_NAME:
        _list_code(invocation, file, as_json=as_json)
        return
    project = _project(invocation) if file is None else read_project(Path(file))
    _list_project(invocation, project, as_json=as_json)


@app.command("show", short_help="Show the parts of an agent.")
def show(ctx: typer.Context, ref: Ref = None, as_json: AsJson = False) -> None:
    """Example: agentctl agents show agents.py:agent

    Show an agent's instructions, model, tools and output type; without REF, those of the default agent. Its code is
    imported as for a run, but no request is sent. For an agent in a TOML file, it also shows the values that runs use,
    each with its origin.
    """
    # 80 ms that `agents list` avoids.
    from agentctl.definitions.description import describe_agent
    from agentctl.definitions.reference import load_agent, read_agent_table

    invocation: Invocation = ctx.obj
    loaded = _load(invocation, ref)
    reference = _default_reference(loaded)
    _disable_tracing()
    values: dict[str, Value] = {}
    found = read_agent_table(reference, loaded)
    if found is None:
        agent = describe_agent(load_agent(reference, loaded))
    else:
        from agentctl.definitions.toml.build import build_agent
        from agentctl.definitions.toml.origins import effective_values
        from agentctl.definitions.toml.preflight import environ_of

        agent = describe_agent(build_agent(*found, environ_of(*found)).complete())
        values = effective_values(*found, loaded.settings)
    if as_json:
        origins: JSONValue = {key: {"value": each.value, "origin": each.origin} for key, each in values.items()}
        invocation.print_json({"reference": reference, **agent.to_json(), **({"values": origins} if values else {})})
        return
    _print(invocation, agent_lines(agent, terminal_width()))
    if values:
        rows = [(key, _brief(each.value), each.origin) for key, each in values.items()]
        _print(invocation, ("", *align(rows, terminal_width())))


@app.command("check", short_help="Load agents, and report errors and warnings.")
def check(ctx: typer.Context, refs: Refs = None, as_json: AsJson = False) -> None:
    """Example: agentctl agents check agents.py

    Load agents without running them, and report errors and warnings. A file or module without an attribute stands for
    all its agents; without REF, all agents of the project are checked. For agents in TOML files, the first request is
    made, but not sent, and missing programs and variables are reported. The exit code is 78 if there are errors, 0 if
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
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The file to create; by default agents.py, or agents.toml with --toml."),
    ] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Write TOML, without Python.")] = False,
) -> None:
    """Example: agentctl agents new agents.py

    Create a small agent with a tool, ready to run. Never overwrites a file.
    """
    from agentctl.cli.agent_examples import EXAMPLE, QUESTION, TOML_EXAMPLE, TOML_QUESTION

    suffix, kind = (".toml", "TOML") if toml else (".py", "Python")
    file = file or Path(f"agents{suffix}")
    if file.suffix != suffix:
        advice = "; pass --toml to create a TOML file" if file.suffix == ".toml" else ""
        raise typer.BadParameter(
            f"{file} is not a {kind} file; use a name that ends with {suffix}{advice}", param_hint="FILE"
        )
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(TOML_EXAMPLE if toml else EXAMPLE)
    except FileExistsError as error:
        raise ConfigurationError("already exists and was not changed; use another file name", file=file) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}; use another file name", file=file) from error
    invocation: Invocation = ctx.obj
    if toml:
        invocation.note(f'created {file}; run it:\n  agentctl stream -a {file} "{TOML_QUESTION}"')
        return
    invocation.note(
        f"created {file}; run it:\n"
        f'  agentctl stream -a {file}:agent "{QUESTION}"\n'
        f"or without a key, after `agentctl models pull`:\n"
        f'  agentctl stream -m local/smollm2 -a {file}:agent "{QUESTION}"'
    )


@app.command("schema", short_help="Print the JSON Schema of TOML files of agents.")
def schema(
    ctx: typer.Context,
    project: Annotated[bool, typer.Option("--project", help="Print that of agentctl.toml.")] = False,
) -> None:
    """Example: agentctl agents schema > agents.schema.json

    Print the JSON Schema of TOML files of agents, for editors that check and complete TOML, such as VS Code with Even
    Better TOML.
    """
    from agentctl.definitions.toml.file import file_schema

    invocation: Invocation = ctx.obj
    invocation.print(json.dumps(file_schema(is_project=project), indent=2, ensure_ascii=False))


@app.command("export", short_help="Write a Python agent as TOML.")
def export(ctx: typer.Context, ref: Ref = None) -> None:
    """Example: agentctl agents export agents.py:agent > agents.toml

    Print an agent, and those that it reaches, as TOML. Tools, guardrails and types in Python are referred to, with
    paths relative to the current folder. What is code elsewhere is an error, which names all of it.
    """
    from agentctl.definitions.reference import load_agent
    from agentctl.definitions.toml.export import export_agents

    invocation: Invocation = ctx.obj
    loaded = _load(invocation, ref)
    reference = _default_reference(loaded)
    _disable_tracing()
    invocation.print(export_agents(load_agent(reference, loaded), Path.cwd()).removesuffix("\n"))


def _default_reference(loaded: Loaded) -> str:
    reference = loaded.settings.agent
    if reference is None:
        raise ConfigurationError("there is no default agent; name an agent, such as agents.py:agent", key="agent")
    return reference


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


def _list_file(invocation: Invocation, path: Path, *, as_json: bool) -> None:
    """List the agents of a TOML file, which is read as it is."""
    file = _read_file(path)
    tables = {name: agent if isinstance(agent, dict) else {} for name, agent in file.agents.items()}
    if as_json:
        listed: list[JSONValue] = [
            {
                "reference": f"{path}:{name}",
                "name": table.get("name", name),
                "model": table.get("model"),
                "tools": [*_tool_names(table)],
            }
            for name, table in tables.items()
        ]
        invocation.print_json({"agents": listed})
        return
    rows = [
        (f"{path}:{name}", table.get("name", name), ", ".join(_tool_names(table))) for name, table in tables.items()
    ]
    _print(invocation, align(rows, terminal_width(), heading=("REFERENCE", "NAME", "TOOLS")) if rows else ())


def _read_file(path: Path) -> AgentFile:
    from agentctl.definitions.toml.access import read_named_file

    return read_named_file(path.absolute())


def _tool_names(table: dict[str, Any]) -> list[str]:
    return [tool if isinstance(tool, str) else tool["type"] for tool in table.get("tools", ())]


def _load(invocation: Invocation, ref: str | None) -> Loaded:
    flags: dict[str, JSONValue] = {} if ref is None else {"agent": ref}
    loaded = load_settings(flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    for note in loaded.notes:
        invocation.note(f"note: {note}")
    return loaded


def _check(invocation: Invocation, ref: str | None) -> list[CheckResult]:
    from agentctl.definitions.check import check_agent, check_agents, check_file

    loaded = _load(invocation, ref)
    if ref is not None and ref.endswith(".toml"):
        return list(check_file(ref, loaded))
    if ref is not None and ":" not in ref and "." in ref:
        return list(check_agents(ref))
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

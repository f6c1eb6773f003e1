"""`agentctl trust`: allows this project's agents to run code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli.columns import align, terminal_width
from agentctl.cli.confirmation import Yes, is_confirmed
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.definitions.toml.needs import AgentNeeds, files_to_trust, project_needs
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import CodeFile, find_missing
from agentctl.profile.load import find_paths, search_project
from agentctl.profile.project import FILE_NAME, ProjectFile, project_of, read_project
from agentctl.profile.project_code import read_code
from agentctl.profile.reference import TableReference, parse_reference
from agentctl.profile.trust import is_trusted, trusted_names
from agentctl.profile.trust_grant import revoke, trust

app = typer.Typer()


@app.command("trust")
def trust_project(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="The project file, by default that of this project; or a TOML file of agents."
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the trusted projects, and whether they changed.")] = False,
    revoke_: Annotated[bool, typer.Option("--revoke", help="No longer trust the project.")] = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Example: agentctl trust

    Allow the agents in this project's agentctl.toml, or in another TOML file, to run code and to use what needs trust,
    until it, a file that it names or a module of the project that they import changes. All of these files are listed,
    with the commands, the MCP servers and the variables that they get; on a terminal, they are before you are asked.
    """
    invocation = ctx.ensure_object(Invocation)
    store = find_paths(invocation.environ, invocation.config, invocation.profile).trust
    if list_ and (revoke_ or file is not None):
        raise UsageError("--list takes neither --revoke nor a file")
    if list_:
        _list(invocation, store, as_json=as_json)
    elif revoke_:
        _revoke(invocation, file, store, as_json=as_json)
    else:
        _trust(invocation, _find(file, invocation), store, yes=yes, as_json=as_json)


def _trust(invocation: Invocation, project: ProjectFile, store: Path | None, *, yes: bool, as_json: bool) -> None:
    needs = project_needs(project)
    code = files_to_trust(project, needs)
    if missing := find_missing(project, code, needs.code):
        raise ConfigurationError(
            f"cannot be trusted, since it names what is not there: {', '.join(missing)}", file=project.path
        )
    for line in _lines(project, needs, code):
        invocation.note(line)
    is_asked = not (yes or as_json) and sys.stdin.isatty() and sys.stderr.isatty()
    if is_asked and not is_confirmed("Trust these files until one of them changes?", no_input=False):
        invocation.note("nothing was trusted")
        raise typer.Exit(1)
    digest = trust(project, code, store)
    if as_json:
        invocation.print_json(
            {
                "project": str(project.path),
                "digest": digest,
                "agents": dict(project.agents),
                "variables": [{"name": each.name, "target": each.target} for each in needs.variables],
                "files": [str(each.path) for each in code],
            }
        )
    invocation.note("trusted until one of these files changes")


def _revoke(invocation: Invocation, file: Path | None, store: Path | None, *, as_json: bool) -> None:
    path = _find(None, invocation).path if file is None else _project_path(file).absolute()
    was_trusted = revoke(path, store)
    if as_json:
        invocation.print_json({"project": str(path), "revoked": was_trusted})
    invocation.note(f"{path} is {'no longer' if was_trusted else 'not'} trusted")


def _list(invocation: Invocation, store: Path | None, *, as_json: bool) -> None:
    rows = [(name, _state(Path(name), store)) for name in trusted_names(store)]
    if as_json:
        invocation.print_json({"projects": [{"project": name, "state": state} for name, state in rows]})
        return
    for line in align([(state, name) for name, state in rows], terminal_width()) if rows else ():
        invocation.print(line)
    if not rows:
        invocation.note("no project is trusted")


def _state(path: Path, store: Path | None) -> str:
    """Return `trusted`, or `changed` for a project whose code changed, so that it may no longer run, or is gone."""
    try:
        return "trusted" if is_trusted(_read(path), store) else "changed"
    except ConfigurationError:
        return "changed"


def _find(file: Path | None, invocation: Invocation) -> ProjectFile:
    if file is None:
        search = search_project()
        for note in search.notes:
            invocation.note(f"note: {note}")
        if search.project is None:
            raise ConfigurationError(
                f"there is no {FILE_NAME} to trust in this folder or above it in its repository; name one: "
                f"agentctl trust path/to/{FILE_NAME}"
            )
        return search.project
    return _read(_project_path(file))


def _read(path: Path) -> ProjectFile:
    """Return a project file, or another TOML file as a project of its own."""
    if path.name == FILE_NAME:
        return read_project(path)
    path = path.parent.resolve() / path.name
    content = read_code(path)
    if content is None:
        raise ConfigurationError("there is no such file", file=path)
    return project_of(path, content)


def _project_path(file: Path) -> Path:
    path = file / FILE_NAME if file.is_dir() else file
    if path.suffix != ".toml":
        raise typer.BadParameter(
            f"{file} is not a TOML file; {FILE_NAME} and TOML files of agents can be trusted", param_hint="FILE"
        )
    return path


def _is_toml(reference: str) -> bool:
    return isinstance(parse_reference(reference), TableReference)


def _lines(project: ProjectFile, needs: AgentNeeds, code: tuple[CodeFile, ...]) -> list[str]:
    """Return the agents, what they do and send, and the files to trust as lines."""
    from agentctl.render.escape import escape_line  # 2 ms, which runs do not pay.

    lines = [
        f"{project.path}",
        *(f"  agent {name}: {reference}" for name, reference in project.agents.items() if not _is_toml(reference)),
        *(f"  {line}" for line in needs.lines),
        *(f"  variable {each.name} → {each.target}" for each in needs.variables),
        *(f"  file {each.path}" for each in code),
    ]
    return [escape_line(line) for line in lines]

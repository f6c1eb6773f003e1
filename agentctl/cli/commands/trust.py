"""`agentctl trust`: allows this project's agents to run code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli.invocation import Invocation
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import CodeFile, find_missing, walk_code
from agentctl.profile.load import find_paths, search_project
from agentctl.profile.project import FILE_NAME, ProjectFile, read_project
from agentctl.profile.trust_grant import trust

app = typer.Typer()


@app.command("trust")
def trust_project(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The project file; by default that of this project.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Example: agentctl trust

    Allow the agents in this project's agentctl.toml to run code, until it, a file that it names or a module of the
    project that they import changes. All of these files are listed.
    """
    invocation = ctx.ensure_object(Invocation)
    project = _find(file, invocation)
    code = walk_code(project)
    if missing := find_missing(project, code):
        raise ConfigurationError(
            f"cannot be trusted, since it names what is not there: {', '.join(missing)}", file=project.path
        )
    digest = trust(project, code, find_paths(invocation.environ, invocation.config, invocation.profile).trust)
    if as_json:
        invocation.print_json(
            {
                "project": str(project.path),
                "digest": digest,
                "agents": dict(project.agents),
                "files": [str(each.path) for each in code],
            }
        )
    for line in _lines(project, code):
        invocation.note(line)


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
    path = file / FILE_NAME if file.is_dir() else file
    if path.name != FILE_NAME:
        raise typer.BadParameter(f"{file} is not an {FILE_NAME}, the only file that can be trusted", param_hint="FILE")
    return read_project(path)


def _lines(project: ProjectFile, code: tuple[CodeFile, ...]) -> list[str]:
    """Return the trusted files and agents as lines."""
    from agentctl.render.escape import escape_line  # 2 ms, which runs do not pay.

    lines = [
        f"trusted: {project.path}",
        *(f"  agent {name}: {reference}" for name, reference in project.agents.items()),
        *(f"  file {each.path}" for each in code),
        "until one of these files changes",
    ]
    return [escape_line(line) for line in lines]

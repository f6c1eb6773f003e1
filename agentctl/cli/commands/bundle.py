"""`agentctl bundle`: makes, checks, compares and replays archives of runs for bug reports."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agentctl.cli.invocation import Invocation

HELP = """Example: agentctl bundle run.jsonl -o run.zip

Make an archive of a run for a bug report: its cassette or trace, the sources of the agent, and the settings, masked.
"""


class _Group(TyperGroup):
    """A group whose command `create` need not be named."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command; what names none is the run of a new bundle."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["create", *args])


app = typer.Typer(cls=_Group, no_args_is_help=True, help=HELP)

BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The file of the bundle.")]


@app.command("create", short_help="Make a bundle; `create` can be left out.")
def create(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN|CASSETTE", help="The id of a trace, or the file of a cassette.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file of the bundle.")],
    agent: Annotated[
        str | None, typer.Option("--agent", "-a", metavar="REF", help="The agent, whose sources are included.")
    ] = None,
) -> None:
    """Example: agentctl bundle create run.jsonl -o run.zip

    Make a bundle of a run: a cassette or a trace, with the sources of the agent and the effective settings. Secrets are
    masked; read what is in it before you send it.
    """
    # 100 ms that `--help` avoids.
    from agentctl.bundles.archive import write_bundle
    from agentctl.cli.bundle_content import collect_files
    from agentctl.cli.sink import check_output
    from agentctl.grammar import count

    invocation: Invocation = ctx.obj
    check_output(output)
    facts, files = collect_files(run, agent, invocation)
    write_bundle(output, facts, files)
    invocation.note(f"{output}: {count(len(files), 'file')}; read them before you send it")


@app.command("verify", short_help="Check a bundle, and list its files.")
def verify(
    ctx: typer.Context,
    bundle: BundleFile,
    extract: Annotated[
        Path | None, typer.Option("--extract", metavar="FOLDER", help="Write its files to a new folder.")
    ] = None,
) -> None:
    """Example: agentctl bundle verify run.zip

    Check the digests of a bundle and its cassette, and list its files. Nothing in it is run.
    """
    # 50 ms that `--help` avoids.
    from agentctl.bundles.archive import extract_bundle, read_bundle
    from agentctl.bundles.content import read_cassette

    invocation: Invocation = ctx.obj
    content = read_bundle(bundle)
    read_cassette(content, bundle)
    if extract is not None:
        extract_bundle(content, extract)
    for name, data in content.files.items():
        invocation.print(f"{len(data):>9,}  {name}")


@app.command("diff", short_help="Compare two bundles.")
def diff(ctx: typer.Context, first: BundleFile, second: BundleFile) -> None:
    """Example: agentctl bundle diff mine.zip yours.zip

    Compare the versions, settings, sources and recorded runs of two bundles. The exit code is 1 if they differ.
    """
    # 50 ms that `--help` avoids.
    from agentctl.bundles.archive import read_bundle
    from agentctl.bundles.content import compare

    invocation: Invocation = ctx.obj
    lines = list(compare(read_bundle(first), read_bundle(second), (first, second)))
    for line in lines:
        invocation.print(line)
    raise typer.Exit(1 if lines else 0)


@app.command("replay", short_help="Show the recorded run again.")
def replay(ctx: typer.Context, bundle: BundleFile) -> None:
    """Example: agentctl bundle replay run.zip

    Show the events of the run in a bundle: its steps on stderr, its last answer on stdout, with its exit code. Its
    sources are not imported, and no model is asked.
    """
    # 50 ms that `--help` avoids.
    from agentctl.bundles.archive import read_bundle
    from agentctl.bundles.content import read_cassette
    from agentctl.cli.bundle_content import replay_lines
    from agentctl.errors import ConfigurationError

    invocation: Invocation = ctx.obj
    cassette = read_cassette(read_bundle(bundle), bundle)
    if cassette is None:
        raise ConfigurationError("has no cassette, so there is no run to replay", file=bundle)
    answer = ""
    for line, text in replay_lines(cassette):
        sys.stderr.write(f"{invocation.make_safe(line)}\n")
        answer = text if text is not None else answer
    if answer:
        invocation.print(answer, mask=str)
    raise typer.Exit(int(cassette.end.get("exit_code", 0)))

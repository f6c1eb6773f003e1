"""`agentctl run`."""

import typer

from agentctl.cli.run_options import PromptCommand, run_command

app = typer.Typer()
app.command(
    cls=PromptCommand,
    help="""Example: agentctl run "Name three rivers" > rivers.txt

    Run an agent, then print its final output. Only the output goes to stdout.
    """,
)(run_command("run"))

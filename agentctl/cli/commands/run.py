"""`agentctl run`."""

import typer

from agentctl.cli.run_options import run_command

app = typer.Typer()
app.command(
    help="""Example: agentctl run "Name three rivers" > rivers.txt

    Run an agent to the end, then print its final output. stdout carries the answer and nothing else.
    """
)(run_command("run"))

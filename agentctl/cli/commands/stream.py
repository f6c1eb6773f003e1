"""`agentctl stream`."""

import typer

from agentctl.cli.run_options import PromptCommand, run_command

app = typer.Typer()
app.command(
    cls=PromptCommand,
    help="""Example: agentctl stream -m local/smollm2 "Name three rivers"

    Run an agent and print its output as it arrives: text on stdout, tool calls and notes on stderr.
    """,
)(run_command("stream"))

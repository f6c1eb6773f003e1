"""`agentctl stream`."""

from __future__ import annotations

import typer

from agentctl.cli import run_options as options
from agentctl.cli.run_job import Order, run_job

app = typer.Typer()


@app.command()
def stream(
    ctx: typer.Context,
    prompt: options.Prompt = None,
    agent: options.AgentRef = None,
    model: options.Model = None,
    instructions: options.Instructions = None,
    stdin: options.Stdin = False,
    set_: options.Set = None,
    max_turns: options.MaxTurns = None,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    format: options.FormatOption = options.Format.TEXT,
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_input: options.NoInput = False,
) -> None:
    """Example: agentctl stream -m local/smollm2 "Name three rivers"

    Run an agent and show what happens as it happens: text on stdout, tool calls and notes on stderr.
    """
    order = Order(
        command="stream",
        prompt=prompt,
        also_stdin=stdin,
        instructions=instructions,
        flags=options.flags(agent=agent, model=model, set_=set_, max_turns=max_turns, timeout=timeout, retries=retries),
        format=format,
        output=output,
        quiet=quiet,
        verbose=verbose,
    )
    raise typer.Exit(run_job(order, ctx.obj))

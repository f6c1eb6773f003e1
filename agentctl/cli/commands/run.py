"""`agentctl run`."""

from __future__ import annotations

import typer

from agentctl.cli import run_options as options
from agentctl.cli.run_job import Order, run_job

app = typer.Typer()


@app.command()
def run(
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
    """Example: agentctl run "Name three rivers" > rivers.txt

    Run an agent to the end, then print its final output. stdout carries the answer and nothing else.
    """
    order = Order(
        command="run",
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

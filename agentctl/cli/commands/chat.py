"""`agentctl chat`."""

import typer

from agentctl.cli.run_options import (
    AgentRef,
    Allow,
    Api,
    Continue,
    Deny,
    Instructions,
    MaxTokensTotal,
    MaxTurns,
    Model,
    OnApproval,
    Quiet,
    Retries,
    Session,
    Set,
    Timeout,
    Trace,
    Transport,
    Verbose,
    chosen,
)

app = typer.Typer()


@app.command()
def chat(
    ctx: typer.Context,
    agent: AgentRef = None,
    model: Model = None,
    instructions: Instructions = None,
    set_: Set = None,
    max_turns: MaxTurns = None,
    max_tokens_total: MaxTokensTotal = None,
    timeout: Timeout = None,
    retries: Retries = None,
    session: Session = None,
    continue_: Continue = False,
    on_approval: OnApproval = None,
    allow: Allow = None,
    deny: Deny = None,
    transport: Transport = None,
    api: Api = None,
    trace: Trace = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Example: agentctl chat -m local/smollm2

    Hold a conversation in the terminal. Enter sends, Alt+Enter begins a new line, Ctrl-C cancels the answer; limits
    such as --timeout count for each message. /help shows the commands.
    """
    # 90 ms that `--help` does not need.
    from agentctl.cli.approvals.options import Wishes
    from agentctl.cli.chat.conversation import Order
    from agentctl.cli.chat.session import converse
    from agentctl.cli.session_options import Wanted

    flags = chosen(
        {
            "agent": agent,
            "model": model,
            "max_turns": max_turns,
            "max_tokens_total": max_tokens_total,
            "timeout": timeout,
            "client.retries": retries,
            "on_approval": on_approval,
            "transport": transport,
            "api": api,
            "trace.enabled": trace,
        },
        set_,
    )
    wanted = Wanted(session_id=session, continues=continue_)
    approvals = Wishes(allow=tuple(allow or ()), deny=tuple(deny or ()))
    order = Order(
        instructions=instructions, flags=flags, session=wanted, approvals=approvals, quiet=quiet, verbose=verbose
    )
    raise typer.Exit(converse(order, ctx.obj))

"""`agentctl chat`."""

import typer

from agentctl.cli.run_options import (
    AgentRef,
    Allow,
    Api,
    BudgetName,
    BudgetWait,
    Continue,
    Deny,
    Ephemeral,
    File,
    Instructions,
    MaxCost,
    MaxTokensTotal,
    MaxTurns,
    McpConfig,
    Model,
    OnApproval,
    PromptCommand,
    Quiet,
    Retries,
    Session,
    Set,
    Timeout,
    Trace,
    Transport,
    Var,
    Verbose,
    explicit_settings,
)

app = typer.Typer()


@app.command(cls=PromptCommand)
def chat(
    ctx: typer.Context,
    agent: AgentRef = None,
    model: Model = None,
    instructions: Instructions = None,
    file: File = None,
    var: Var = None,
    mcp_config: McpConfig = None,
    set_: Set = None,
    max_turns: MaxTurns = None,
    max_tokens_total: MaxTokensTotal = None,
    max_cost: MaxCost = None,
    budget: BudgetName = None,
    budget_wait: BudgetWait = None,
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
    ephemeral: Ephemeral = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Example: agentctl chat -m local/smollm2

    Chat with an agent in the terminal. Enter sends, Alt+Enter starts a new line, Ctrl-C cancels the answer. Limits such
    as --timeout apply to each message. /help lists the commands.
    """
    # 90 ms that `--help` avoids.
    from agentctl.cli.approvals.options import ApprovalOptions
    from agentctl.cli.chat.conversation import ChatOptions
    from agentctl.cli.chat.session import run_chat
    from agentctl.cli.ephemeral import ephemeral_settings
    from agentctl.cli.prompt import read_instructions
    from agentctl.cli.session_options import SessionOptions

    variables = dict(var or ())
    flags = explicit_settings(
        {
            "agent": agent,
            "model": model,
            "max_turns": max_turns,
            "max_tokens_total": max_tokens_total,
            "max_cost": max_cost,
            "budget": budget,
            "budget_wait": budget_wait,
            "timeout": timeout,
            "client.retries": retries,
            "on_approval": on_approval,
            "transport": transport,
            "api": api,
            "trace.enabled": trace,
        },
        set_,
    )
    session_options = SessionOptions(session_id=session, continue_latest=continue_)
    approvals = ApprovalOptions(allow=tuple(allow or ()), deny=tuple(deny or ()))
    options = ChatOptions(
        instructions=read_instructions(instructions, variables),
        files=tuple(file or ()),
        variables=variables,
        mcp_config=tuple(mcp_config or ()),
        is_ephemeral=ephemeral,
        flags=ephemeral_settings(flags) if ephemeral else flags,
        session=session_options,
        approvals=approvals,
        quiet=quiet,
        verbose=verbose,
    )
    raise typer.Exit(run_chat(options, ctx.obj))

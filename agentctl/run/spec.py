"""The specification of a run: what it was asked for and what it works with; it does not change from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper, ToolContext
from agentctl.agent.run_config import RunConfig, run_config
from agentctl.errors import UserError

from .hooks import check_run_hooks
from .journal import current_journal

if TYPE_CHECKING:
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.ports import RunAgent
    from agentctl.agent.session import Session

    from .budget import Budget
    from .error_handlers import RunErrorHandlers
    from .journal import JournalScope
    from .memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """The arguments of a run, checked and completed."""

    context: RunContextWrapper[Any]
    config: RunConfig
    max_turns: int | None
    """None lifts the limit."""
    hooks: RunHooks[Any] | None = None
    error_handlers: RunErrorHandlers[Any] | None = None
    run_agent: RunAgent | None = None
    """Runs the agents that are tools in this run."""
    memory: Memory | None = None
    """Loads and saves the run's session."""
    budget: Budget | None = None
    """The tokens that the run may use, shared with the run around it."""
    journal: JournalScope | None = None
    """Keeps its finished model and tool calls."""
    owns_provider: bool = False
    """Whether the provider was made for this run, which then closes it."""


def make_spec(
    *,
    context: RunContextWrapper[Any],
    max_turns: int | None,
    config: RunConfig | dict[str, Any] | None,
    hooks: RunHooks[Any] | None = None,
    error_handlers: RunErrorHandlers[Any] | None = None,
    run_agent: RunAgent | None = None,
    session: Session | None = None,
    tokens_used: int = 0,
) -> RunSpec:
    """Return the specification of a run; `tokens_used` counts against its budget from the start.

    Raises:
        UserError: the configuration or the session is not valid.
        TypeError: the hooks are not run hooks.
    """
    check_run_hooks(hooks)
    checked, around = run_config(config), current_journal()
    return RunSpec(
        context=context,
        config=checked,
        max_turns=max_turns,
        hooks=hooks,
        error_handlers=error_handlers,
        run_agent=run_agent,
        memory=None if session is None else _memory_for(session),
        budget=_budget_for(checked, context, tokens_used),
        journal=None if around is None else around.inner("run"),
        owns_provider=not isinstance(config, RunConfig) and "model_provider" not in (config or {}),
    )


def check_max_turns(max_turns: int | None) -> None:
    """Raise `UserError` unless the limit is a whole number, or None; from 0 down, a run ends before its first turn."""
    if max_turns is not None and (isinstance(max_turns, bool) or not isinstance(max_turns, int)):
        raise UserError(f"max_turns must be a whole number, or None for no limit, not {max_turns!r}")


def _memory_for(session: Session) -> Memory:
    # 3 ms that a run without a session does not pay.
    from .memory import Memory

    return Memory(session)


def _budget_for(config: RunConfig, context: RunContextWrapper[Any], used: int) -> Budget | None:
    """Return the budget of a run: that of the run around it, if there is one."""
    if isinstance(context, ToolContext) and context.budget is not None:
        return context.budget
    if config.max_tokens_total is None:
        return None
    # 2 ms that a run without a budget does not pay.
    from .budget import Budget

    return Budget(limit=config.max_tokens_total, used=used)

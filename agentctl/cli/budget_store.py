"""The store of the user's budgets, for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.profile.load import require_folders

from .invocation import Invocation

if TYPE_CHECKING:
    from agentctl.budgets.sqlite_store import SQLiteBudgets


def budget_store(invocation: Invocation) -> SQLiteBudgets:
    """Return the store of the user's budgets.

    Raises:
        ConfigurationError: there is no folder for it.
    """
    # 10 ms, needed only for a budget.
    from agentctl.budgets.sqlite_store import SQLiteBudgets

    return SQLiteBudgets.of_user(require_folders(invocation.environ, invocation.config, "there are no budgets"))
